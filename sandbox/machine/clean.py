"""Remove everything that this checkout's sandbox made on this machine: `sandbox/clean`. It touches nothing else, and
asks nothing.

That is: Docker objects labelled as this checkout's, or as those of a checkout that is gone; VMs of this checkout; and
.sandbox. What all checkouts share goes with the last of them: the network, the images, and the Docker engine if set-up
started it itself.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.machine import engine, vm
from sandbox.machine.common import CHECKOUT_LABEL, LABEL, ROOT, STATE, SandboxError, as_root, docker, gone, run, say

STOP_SECONDS = 30
LABELLED = ("--filter", f"label={LABEL}")
# How objects of a kind are listed, with their name and their checkout, and removed.
KINDS = {
    "container": (("ps", "--all"), "Names", ("rm", "--force", "--volumes")),
    "volume": (("volume", "ls"), "Name", ("volume", "rm")),
    "network": (("network", "ls"), "Name", ("network", "rm")),
}


def checkouts(kind: str) -> dict[str, str]:
    """All sandboxes' objects of a kind: name -> checkout, empty if the object names none."""
    find, name, _remove = KINDS[kind]
    form = f'{{{{.{name}}}}}\t{{{{.Label "{CHECKOUT_LABEL}"}}}}\t{{{{.Label "{LABEL}"}}}}'
    rows = [line.split("\t") for line in docker(*find, *LABELLED, "--format", form).splitlines()]
    # A container that somebody runs from one of the images inherits the images' label, but is theirs.
    return {name: checkout for name, checkout, label in rows if label != "image"}


def remove_objects() -> list[str]:
    """Remove this checkout's objects, and the shared ones after the last checkout's; returns a line for each that
    stays against our will."""
    left = []
    for kind, (_find, _name, remove) in KINDS.items():
        ours = [name for name, of in checkouts(kind).items() if of == str(ROOT) or (of and gone(of))]
        left += remove_each(kind, ours, remove)
    if others := checkouts("container"):
        whose = ", ".join(sorted(set(others.values()) - {""})) or ", ".join(sorted(others))
        say(f"The network and the images of the sandbox stay, for {whose}")
        return left
    left += remove_each("network", list(checkouts("network")), KINDS["network"][2])
    images = list(dict.fromkeys(docker("images", *LABELLED, "--quiet", "--no-trunc").split()))
    return left + remove_each("image", images, ("rmi", "--force"))


def remove_each(kind: str, names: list[str], remove: Sequence[str]) -> list[str]:
    """Remove objects; returns a line for each that stays.

    A refused removal is retried while others succeed: an image can only be removed after those made from it.
    """
    while names:
        refused = {}
        for name in names:
            try:
                docker(*remove, name)
            except SandboxError as error:
                refused[name] = f"The {kind} {name} stays: {error}"
            else:
                say(f"Removed the {kind} {name}")
        if len(refused) == len(names):
            return list(refused.values())
        names = list(refused)
    return []


def stop_engine() -> None:
    """Stop the Docker engine if set-up started it, for this checkout or another, and nothing runs in it."""
    if engine.STARTED_HERE not in docker("info", "--format", "{{.Labels}}"):
        return
    if docker("ps", "--quiet"):
        say("The Docker engine that set-up had started keeps running: so do other containers")
        return
    pid = engine.PID_FILES["dockerd"].read_text().strip()
    program = Path(f"/proc/{pid}/comm")
    run(as_root(["kill", f"-{signal.SIGTERM.value}", pid]))
    deadline = time.monotonic() + STOP_SECONDS
    while program.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    say(f"Stopped the Docker engine that set-up had started (process {pid})")


def remove_state() -> None:
    """Remove .sandbox, with root's help for root's files."""
    if not STATE.exists():
        return
    try:
        shutil.rmtree(STATE)
    except PermissionError:
        run(as_root(["rm", "-rf", str(STATE)]))
    say(f"Removed {STATE.name}/ with its keys, images and logs")


def main() -> int:
    left: list[str] = []
    try:
        for place in sorted(vm.MACHINES.glob("*")):
            if vm.remove(place.name):
                say(f"Removed the VM {place.name}")
        if engine.has("docker") and engine.answers():
            left = remove_objects()
            stop_engine()
        remove_state()
    except SandboxError as error:
        print(f"clean: {error}", file=sys.stderr)
        return 1
    print("\n".join(left), file=sys.stderr, end="\n" if left else "")
    return 1 if left else 0
