"""The sandbox's registry, Debian's docker-registry: machines pull from it by digest, as production does from its
registry.

Machines reach it over TLS at an address of the sandbox network and trust the sandbox's CA. This machine's engine pushes
through a loopback port, which Docker trusts by default, so that its configuration stays unchanged.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from sandbox.machine import keys
from sandbox.machine.common import (
    LABEL,
    NETWORK,
    STATE,
    SandboxError,
    docker,
    docker_command,
    labelled,
    machine_image,
    present,
    run_long,
    say,
)

ADDRESS = "10.211.0.2"
PORT = 5000
NAME = "ibgw-sandbox-registry"
IMAGE = "ibgw-sandbox-registry:latest"
CONFIG = Path(__file__).parent / "config.yml"
# By stand-in, for the rule that tells the program by its image.
REPOSITORIES = {"tws": "gnzsnz/tws-rdesktop"}
REPOSITORY = "gnzsnz/ib-gateway"
START_SECONDS = 20
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def ensure_image(release: str) -> None:
    """Ensure the registry's image: a machine's root with the package docker-registry."""
    if present("image", IMAGE, "{{.Id}}"):
        return
    builder = f"{NAME}-build"
    docker("rm", "--force", builder)
    install = "apt-get -q update && apt-get -q -y install docker-registry && rm -r /var/lib/apt/lists /var/cache/apt"
    build = docker_command("run", "--name", builder, *labelled("build"), machine_image(release), "sh", "-c", install)
    try:
        run_long("Building the registry, from Debian packages", "registry", build)
        docker("commit", "--change", 'CMD ["docker-registry", "serve", "/etc/sandbox/config.yml"]',
               "--change", f"LABEL {LABEL}=image", builder, IMAGE)  # fmt: skip
    finally:
        docker("rm", "--force", builder)


def ensure_running() -> None:
    """Ensure that the registry runs with this checkout's certificate; its contents survive in a volume."""
    files = {"config.yml": CONFIG, "registry.crt": keys.CA / "registry.crt", "registry.key": keys.CA / "registry.key"}
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in files.values())).hexdigest()
    found = present("container", NAME, f'{{{{index .Config.Labels "{LABEL}.inputs"}}}} {{{{.State.Running}}}}')
    if found == f"{made_from} true":
        return
    if found == f"{made_from} false":
        say("Starting the registry")
        docker("start", NAME)
        return
    owner = present("container", NAME, f'{{{{index .Config.Labels "{LABEL}"}}}}')
    if owner not in (None, "registry"):
        raise SandboxError(
            f"A container '{NAME}' exists that the sandbox did not make. Rename it (docker rename {NAME} other)."
        )
    say(f"Starting the registry at {ADDRESS}:{PORT} of the network {NETWORK}")
    if owner:
        docker("rm", "--force", NAME)
    docker("run", "--detach", "--name", NAME, *labelled("registry", inputs=made_from),
           "--network", NETWORK, "--ip", ADDRESS, "--publish", f"127.0.0.1::{PORT}",
           "--mount", f"type=volume,source={NAME},destination=/var/lib/docker-registry,volume-label={LABEL}=registry",
           *(word for name, path in files.items() for word in ("--volume", f"{path}:/etc/sandbox/{name}:ro")),
           IMAGE)  # fmt: skip


def loopback() -> str:
    """The registry's address for this machine's engine: 127.0.0.1 and a port of its choice."""
    return docker("port", NAME, f"{PORT}/tcp").splitlines()[0]


def holds(digest: str, repository: str = REPOSITORY) -> bool:
    """Whether the registry answers at its address, with the sandbox's certificate, and has a manifest."""
    context = ssl.create_default_context(cafile=str(keys.CA_CERTIFICATE))
    url = f"https://{ADDRESS}:{PORT}/v2/{repository}/manifests/{digest}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": MANIFEST})
    # The sandbox's network is this machine's own: no proxy leads there.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise


def wait() -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            holds("sha256:" + "0" * 64)
        except OSError as error:
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"The registry does not answer at {ADDRESS}:{PORT} ({error}). `docker logs {NAME}` may say why."
                ) from error
            time.sleep(0.2)
        else:
            return


def publish(image: str, name: str = "gateway") -> None:
    """Ensure an image of the engine in the registry, and write its reference by digest to .sandbox/<name>_image."""
    identity = present("image", image, "{{.Id}}")
    stamp = STATE / f"pushed-{name}.json"
    try:
        pushed = json.loads(stamp.read_text())
    except FileNotFoundError:
        pushed = {}
    wait()
    repository = REPOSITORIES.get(name, REPOSITORY)
    if pushed.get("image") == identity and holds(pushed["digest"], repository):
        digest = pushed["digest"]
    else:
        say(f"Pushing the image of the stand-in {name} to the registry")
        digest = push(image, f"{loopback()}/{repository}", name)
        keys.write(stamp, json.dumps({"image": identity, "digest": digest}))
    keys.write(STATE / f"{name}_image", f"{ADDRESS}:{PORT}/{repository}@{digest}\n")


def push(image: str, repository: str, tag: str) -> str:
    """Push an image and return its manifest's digest."""
    tag = f"{repository}:{tag}"
    docker("tag", image, tag)
    try:
        docker("push", "--quiet", tag)
        names = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", image))
    finally:
        docker("rmi", tag)
    return next(name.partition("@")[2] for name in names if name.startswith(f"{repository}@"))
