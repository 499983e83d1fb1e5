"""The sandbox's registry, Debian's docker-registry: machines pull from it by digest, as production does from its
registry.

Each checkout has its own, with a name and an address of its own on the sandbox network, and a certificate of the
checkout's CA: what one checkout sets up or removes cannot touch the pulls of another. Machines reach it over TLS and
trust that CA. This machine's engine pushes through a loopback port, which Docker trusts by default, so that its
configuration stays unchanged.
"""

from __future__ import annotations

import hashlib
import ipaddress
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
    ROOT,
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

# Of the sandbox's network; on it, nothing but registries is here.
ADDRESSES = [str(address) for address in ipaddress.ip_network("10.211.3.0/24").hosts()]
ADDRESS_LABEL = f"{LABEL}.address"
PORT = 5000
HASH = hashlib.sha256(bytes(ROOT)).hexdigest()[:8]
NAME = f"ibgw-sandbox-registry-{HASH}"
# `<address>:<port>` of this checkout's registry; the inventory reads it, too.
PLACE = STATE / "registry"
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


def address() -> str:
    """This checkout's address: that of its registry, else one that no other registry has, running or not."""
    form = f'{{{{.Names}}}} {{{{.Label "{ADDRESS_LABEL}"}}}}'
    lines = docker("ps", "--all", "--filter", f"label={LABEL}=registry", "--format", form).splitlines()
    taken = {name: address for name, _, address in (line.partition(" ") for line in lines)}
    if NAME in taken:
        return taken[NAME]
    # From its name's hash on, so that two first set-ups at once seldom choose the same.
    first = int(HASH, 16) % len(ADDRESSES)
    free = [address for address in ADDRESSES[first:] + ADDRESSES[:first] if address not in taken.values()]
    if not free:
        raise SandboxError(
            f"Each of the {len(ADDRESSES)} addresses for registries is taken. `make clean` in a checkout that you no "
            f"longer need frees one: docker ps --all --filter label={LABEL}=registry"
        )
    return free[0]


def ensure_running(address: str) -> None:
    """Ensure that the registry runs at its address with its certificate; its contents survive in a volume."""
    files = {"config.yml": CONFIG, "registry.crt": keys.CA / "registry.crt", "registry.key": keys.CA / "registry.key"}
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in files.values())).hexdigest()
    keys.write(PLACE, f"{address}:{PORT}\n")
    found = present("container", NAME, f'{{{{index .Config.Labels "{LABEL}.inputs"}}}} {{{{.State.Running}}}}')
    if found == f"{made_from} true":
        return
    if found == f"{made_from} false":
        say("Starting the registry")
        docker("start", NAME)
        return
    say(f"Starting the registry at {address}:{PORT} of the network {NETWORK}")
    if found:
        docker("rm", "--force", NAME)
    docker("volume", "create", *labelled("registry"), NAME)
    run = [
        "run", "--detach", "--name", NAME, *labelled("registry", inputs=made_from, address=address),
        "--network", NETWORK, "--ip", address, "--publish", f"127.0.0.1::{PORT}",
        "--mount", f"type=volume,source={NAME},destination=/var/lib/docker-registry",
        *(word for name, path in files.items() for word in ("--volume", f"{path}:/etc/sandbox/{name}:ro")),
    ]  # fmt: skip
    try:
        docker(*run, IMAGE)
    except SandboxError:
        # Else it would claim, at the next set-up, an address that it could not get.
        docker("rm", "--force", NAME)
        raise


def place() -> str:
    """`<address>:<port>` of this checkout's registry for machines."""
    return PLACE.read_text().strip()


def loopback() -> str:
    """The registry's address for this machine's engine: 127.0.0.1 and a port of its choice."""
    return docker("port", NAME, f"{PORT}/tcp").splitlines()[0]


def holds(digest: str, repository: str = REPOSITORY) -> bool:
    """Whether the registry answers at its address, with the sandbox's certificate, and has a manifest."""
    context = ssl.create_default_context(cafile=str(keys.CA_CERTIFICATE))
    url = f"https://{place()}/v2/{repository}/manifests/{digest}"
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
                    f"The registry does not answer at {place()} ({error}). `docker logs {NAME}` may say why."
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
    keys.write(STATE / f"{name}_image", f"{place()}/{repository}@{digest}\n")


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
