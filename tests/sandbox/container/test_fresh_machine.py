"""Set-up and clean on a machine that has nothing: a Debian without Docker and without systemd, in a container.

It is on Docker's default network, because the sandbox's own addresses must be free inside it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from sandbox.machine import keys
from sandbox.machine.common import ROOT, docker, labelled, machine_image
from tests.lint.files import project_files
from tests.sandbox.conftest import Machine, set_up

NAME = "ibgw-sandbox-fresh"
# Whether the checkout's registry has the stand-in's image, asked as a machine asks, with the checkout's CA.
HOLDS = """python3 -c 'from pathlib import Path
from sandbox.registry import registry
print(registry.holds(Path(".sandbox/gateway_image").read_text().strip().partition("@")[2]))'"""


@pytest.fixture(scope="module")
def fresh() -> Iterator[str]:
    """The name of a container with a copy of the checkout in /srv/checkout, and nothing that set-up would install."""
    set_up(Machine("container", "trixie"))
    docker("rm", "--force", "--volumes", NAME)
    # The image's own init, up to where systemd would take over.
    init = "sed '$d' /usr/local/sbin/sandbox-init | sh -s; exec sleep infinity"
    docker("run", "--detach", "--init", "--name", NAME, *labelled("fresh"), "--cgroupns", "private",
           "--cap-add=NET_ADMIN", "--cap-add=SYS_ADMIN", "--cap-add=SYS_PTRACE",
           "--security-opt=apparmor=unconfined", "--security-opt=seccomp=unconfined",
           "--mount", "type=volume,destination=/var/lib/docker", "--volume", f"{keys.SEED}:/sandbox/seed.tar:ro",
           machine_image("trixie"), "sh", "-c", init)  # fmt: skip
    files = "\0".join(str(path) for path in project_files())
    tar = subprocess.run(
        ["tar", "--create", "--null", "--files-from=-"], cwd=ROOT, input=files.encode(), capture_output=True, check=True
    )
    subprocess.run(
        ["docker", "exec", "-i", NAME, "sh", "-c", "mkdir /srv/checkout && tar -xC /srv/checkout"],
        input=tar.stdout,
        check=True,
    )
    yield NAME
    docker("rm", "--force", "--volumes", NAME)


def inside(name: str, command: str) -> str:
    """Both outputs of a command in the copy of the checkout; an engine that it starts does not hold them open."""
    done = subprocess.run(
        ["docker", "exec", name, "sh", "-c", f"cd /srv/checkout && {{ {command}; }} 2>&1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_set_up_says_what_it_installs_before_it_does(fresh: str) -> None:
    lines = inside(fresh, "sandbox/setup").splitlines()
    assert lines[0] == "==> Installing system packages: docker-cli docker.io iptables mmdebstrap"
    assert inside(fresh, "cat .sandbox/gateway_image").startswith("10.211.3.")


def test_a_second_run_has_nothing_to_say(fresh: str) -> None:
    assert inside(fresh, "sandbox/setup") == ""


def test_a_second_checkout_disturbs_the_first_in_nothing(fresh: str) -> None:
    # Sorted: of images that were made in the same second, Docker lists any first.
    state = "{ docker ps --format '{{.ID}} {{.Names}}'; docker images --quiet; } | sort"
    before = inside(fresh, state).splitlines()
    inside(fresh, "mkdir ../second && tar -c --exclude=./.sandbox . | tar -xC ../second")
    inside(fresh, "cd ../second && sandbox/setup")
    during = inside(fresh, state).splitlines()
    assert len(set(during) - set(before)) == 1
    assert set(before) <= set(during)
    places = inside(fresh, "cat .sandbox/registry ../second/.sandbox/registry").split()
    assert len(set(places)) == 2
    # Each pulls with its own CA; set-up has nothing to make again.
    for checkout in (".", "../second"):
        assert inside(fresh, f"cd {checkout} && sandbox/setup") == ""
        assert inside(fresh, f"cd {checkout} && {HOLDS}") == "True\n"
    assert "stay, for /srv/checkout\n" in inside(fresh, "cd ../second && sandbox/clean")
    assert inside(fresh, state).splitlines() == before
    assert inside(fresh, f"sandbox/setup; {HOLDS}") == "True\n"


def test_what_a_deleted_checkout_left_goes_with_the_next_clean(fresh: str) -> None:
    inside(
        fresh, "mkdir -p ../third && tar -c --exclude=./.sandbox . | tar -xC ../third && cd ../third && sandbox/setup"
    )
    inside(fresh, "rm -r ../third")
    output = inside(fresh, "cd ../second && sandbox/clean")
    assert len(re.findall(r"Removed the container ibgw-sandbox-registry-\w{8}$", output, re.MULTILINE)) == 1
    assert inside(fresh, f"sandbox/setup; {HOLDS}") == "True\n"


def test_clean_removes_what_the_project_made_and_nothing_else(fresh: str) -> None:
    inside(fresh, "docker volume create theirs && docker network create theirs")
    pid = inside(fresh, "cat /var/run/docker.pid")
    output = inside(fresh, "sandbox/clean")
    assert re.search(r"Removed the container ibgw-sandbox-registry-\w{8}$", output, re.MULTILINE)
    assert f"Stopped the Docker engine that set-up had started (process {pid})" in output
    assert inside(fresh, "test ! -e .sandbox; pgrep -x dockerd || true") == ""
    # Started again, by set-up's own doing, the engine has what was not the project's.
    inside(fresh, "python3 -c 'from sandbox.machine import engine; engine.start()'")
    for kind, rest in (
        ("ps --all", []),
        ("volume ls", ["theirs"]),
        ("network ls", ["bridge", "host", "none", "theirs"]),
        ("images", []),
    ):
        template = "{{.Repository}}" if kind == "images" else "{{.Name}}" if kind.endswith("ls") else "{{.Names}}"
        assert sorted(inside(fresh, f"docker {kind} --format '{template}'").split()) == rest
