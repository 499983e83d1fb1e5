"""A sandbox machine as a container of this machine's Docker engine."""

from __future__ import annotations

import json
from typing import Any

from sandbox.machine import keys
from sandbox.machine.common import (
    CHECKOUT_LABEL,
    LABEL,
    ROOT,
    SUBNET,
    SandboxError,
    docker,
    gone,
    labelled,
    machine_image,
    present,
)

STATE = '{"running": {{json .State.Running}}, "labels": {{json .Config.Labels}}}'


def inspect(name: str) -> dict[str, Any] | None:
    """{running, labels} of a container, None without one; SandboxError if it is not of this checkout's sandbox."""
    text = present("container", name, STATE)
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    if (found["labels"] or {}).get(LABEL) != "machine":
        raise SandboxError(
            f"A container '{name}' exists that the sandbox did not make. Rename it (docker rename {name} other), "
            f"or use another slot (SANDBOX_SLOT=5)."
        )
    owner = found["labels"].get(CHECKOUT_LABEL, str(ROOT))
    # A copy of a checkout with its .sandbox has its keys, and is at home in its machines.
    if owner != str(ROOT) and not gone(owner) and made_from(found)["key"] != keys.fingerprint():
        raise SandboxError(
            f"The machine {name} belongs to another checkout, {owner}. Use another slot (SANDBOX_SLOT=5), or remove "
            f"the machine there: ansible-playbook playbooks/teardown.yml -l <host>"
        )
    return found


def wanted(options: dict[str, Any]) -> dict[str, Any]:
    """A container's properties for comparison: the role's options, the image's id, and this checkout's key."""
    tag = options["image"] or machine_image(options["release"])
    image = present("image", tag, "{{.Id}}")
    if image is None:
        raise SandboxError(
            f"There is no image {tag} in the Docker engine. Run `sandbox/setup --release {options['release']}`, "
            f"which builds the sandbox's own."
        )
    return options | {"image": tag, "image_id": image, "key": keys.fingerprint()}


def made_from(found: dict[str, Any]) -> dict[str, Any]:
    """The options that a container was made from."""
    options: dict[str, Any] = json.loads(found["labels"].get(f"{LABEL}.options", "{}"))
    return options


def create(options: dict[str, Any]) -> None:
    """Make and start the container."""
    words = [
        "run", "--detach", "--name", options["name"], "--hostname", options["hostname"],
        "--network", options["network"], "--ip", options["address"],
        # Its own cgroup branch, which the image's init makes writable, with cgroup v1 and v2 alike.
        "--cgroupns", "private",
        "--stop-signal", "SIGRTMIN+3",
        "--volume", f"{keys.SEED}:/sandbox/seed.tar:ro",
        # Anonymous, so that it is removed with the container, and a new machine is new.
        "--volume", "/var/lib/docker",
        *labelled("machine", options=json.dumps(options, sort_keys=True)),
    ]  # fmt: skip
    words += [f"--cap-add={name}" for name in options["capabilities"]]
    words += [f"--security-opt={name}" for name in options["security_options"]]
    words += [f"--tmpfs={path}" for path in options["tmpfs"]]
    try:
        docker(*words, options["image"])
    except SandboxError as error:
        remove(options["name"])
        text = str(error)
        if f"network {options['network']} not found" in text:
            text = f"There is no Docker network {options['network']}. Run `make setup`, which makes it."
        if "Address already in use" in text:
            text = (
                f"The address {options['address']} is in use on the Docker network {options['network']} ({SUBNET}); "
                f"`docker network inspect {options['network']}` shows by whom. Use another slot (SANDBOX_SLOT=5)."
            )
        raise SandboxError(text) from error


def start(name: str) -> None:
    docker("start", name)


def remove(name: str) -> bool:
    """Remove a container of the sandbox with its volume; False when there is none."""
    if inspect(name) is None:
        return False
    docker("rm", "--force", "--volumes", name)
    return True
