"""What the scenarios' tests share: running a playbook on the scenario's own machine, and the stand-in's control."""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest
from testinfra.host import Host

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(sys.executable).parent


class Run(t.NamedTuple):
    """A finished ansible-playbook: its exit status, what it printed with blanks folded, and ``changed`` of the recap."""

    status: int
    printed: str
    changed: int


def ansible_playbook(playbook: str, limit: str, *arguments: str) -> Run:
    command = [f"{PROGRAMS}/ansible-playbook", playbook, "-i", "inventories/sandbox", "-l", limit, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    recap = run.stdout.rpartition("PLAY RECAP")[2]
    changed = sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))
    return Run(run.returncode, " ".join((run.stdout + run.stderr).split()), changed)


@pytest.fixture(scope="session")
def playbook() -> t.Callable[..., Run]:
    return ansible_playbook


@pytest.fixture
def killed_playbook() -> t.Callable[..., None]:
    """Run a playbook and kill it, with all that it started, after so many seconds."""
    def run_and_kill(seconds: float, *words: str) -> None:
        process = subprocess.Popen([PROGRAMS / "ansible-playbook", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    return run_and_kill


@pytest.fixture
def standin(host: Host) -> t.Callable[..., dict[str, t.Any]]:
    """Speak to the stand-in in the running container: its own counters, and its faults."""
    def control(*words: str) -> dict[str, t.Any]:
        name = host.check_output("docker ps --filter label=ibops.gateway.name --format '{{.Names}}'")
        return json.loads(host.check_output(f"docker exec {name} standin-ctl {' '.join(words)}"))

    return control
