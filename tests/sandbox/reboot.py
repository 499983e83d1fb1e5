"""A reboot of a container machine, which tests of more than one kind survive."""

from __future__ import annotations

import time

from sandbox.machine.common import SandboxError, docker

BOOT_SECONDS = 120


def booted(machine: str) -> bool:
    try:
        return docker("exec", machine, "systemctl", "is-system-running") == "running"
    except SandboxError as error:
        # Its status says that some unit failed; whether that matters is for the test to say.
        return "degraded" in str(error)


def restart(machine: str) -> None:
    """Restart the machine, and return once it is up."""
    docker("restart", machine)
    deadline = time.monotonic() + BOOT_SECONDS
    while not booted(machine):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def reboot(machine: str, gateway: str) -> None:
    """Restart the machine, and return once its gateway is ready."""
    restart(machine)
    docker("exec", machine, "ibgwctl", "start", gateway)
    docker("exec", machine, "ibgwctl", "wait-ready", gateway)
