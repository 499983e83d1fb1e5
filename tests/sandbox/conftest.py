"""Machines of the sandbox for tests, made by the role as a user would make them."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox.machine import keys
from sandbox.machine.common import ROOT, STATE

HERE = Path(__file__).parent
# Neither the user's own nor a scenario's.
SLOT = 17
PLACES = {"container": (f"10.211.0.{10 + 10 * SLOT}", 22), "vm": ("127.0.0.1", 2300 + 10 * SLOT)}


@dataclass(frozen=True)
class Machine:
    """sandbox-paper of the tests' slot."""

    backend: str
    release: str

    @property
    def name(self) -> str:
        return f"ibgw-sandbox-{SLOT}-paper"

    @property
    def address(self) -> str:
        return PLACES[self.backend][0]

    def play(self, playbook: str, *arguments: str, status: int = 0) -> str:
        """The output of a playbook beside this file; the test fails when it ends with another status."""
        names = {"SANDBOX_SLOT": str(SLOT), "SANDBOX_BACKEND": self.backend, "SANDBOX_RELEASE": self.release}
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), str(HERE / playbook), "-l", "paper", *arguments]
        environment = os.environ | names | {"LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def make(self, *arguments: str, status: int = 0) -> str:
        return self.play("present.yml", *arguments, status=status)

    def remove(self) -> str:
        return self.play("absent.yml")

    def ssh(
        self, command: str, key: Path = keys.CLIENT_KEY, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command on the machine, by SSH with nothing of this user's own settings."""
        address, port = PLACES[self.backend]
        options = {
            "BatchMode": "yes",
            "GlobalKnownHostsFile": "/dev/null",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f'"{keys.KNOWN_HOSTS}"',
        }
        words = [f"-o{name}={value}" for name, value in options.items()]
        whole = ["ssh", "-F/dev/null", f"-i{key}", f"-p{port}", *words, f"operator@{address}", command]
        return subprocess.run(whole, capture_output=True, text=True, timeout=timeout)

    def run(self, command: str) -> str:
        """Return the output of a command on the machine; the test fails with the command."""
        done = self.ssh(command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def changed(output: str) -> int:
    """The count of changes in a recap."""
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found[1])


def set_up(machine: Machine) -> None:
    subprocess.run([ROOT / "sandbox/setup", "--backend", machine.backend, "--release", machine.release], check=True)


@pytest.fixture(scope="session", autouse=True)
def alone() -> Iterator[None]:
    """One test run at a time has the slot; another waits."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A container of each release, not made yet; removed at the end."""
    machine = Machine("container", request.param)
    set_up(machine)
    machine.remove()
    yield machine
    machine.remove()
