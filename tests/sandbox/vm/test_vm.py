"""A VM of each kind of life: made, reached, rebooted, stopped, removed. Minutes where there is no KVM.

The tests build on one another.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from sandbox.machine import vm
from sandbox.registry import registry
from tests.sandbox.conftest import PLACES, Machine, changed, set_up

BOOT_SECONDS = 300
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine("vm", "trixie")
    set_up(machine)
    machine.remove()
    yield machine
    machine.remove()


def test_a_port_that_is_taken_is_named(machine: Machine) -> None:
    with socket.create_server(PLACES["vm"]):
        output = machine.make(status=2)
    assert f"Port {PLACES['vm'][1]} of 127.0.0.1 is in use" in output
    assert "SANDBOX_SLOT" in output
    assert vm.inspect(machine.name) is None


def test_check_mode_predicts_the_machine_and_makes_none(machine: Machine) -> None:
    assert f"would have made {machine.name}" in machine.make("--check")
    assert vm.inspect(machine.name) is None


def test_a_machine_is_made_once(machine: Machine) -> None:
    assert changed(machine.make()) == 1
    assert changed(machine.make()) == 0


def test_its_kernel_is_its_own(machine: Machine) -> None:
    assert "cloud" in machine.run("uname -r")
    assert machine.run("stat --file-system --format %T /sys/fs/cgroup") == "cgroup2fs"
    assert machine.run("sudo sysctl -w kernel.panic=61") == "kernel.panic = 61"
    assert machine.run("sudo modprobe wireguard && grep --count wireguard /proc/modules") != "0"
    assert "apparmor" in machine.run("cat /sys/kernel/security/lsm")


def test_it_reaches_the_registry_of_the_sandbox(machine: Machine) -> None:
    assert machine.run(f"curl --silent --insecure https://{registry.place()}/v2/") == "{}"


def test_a_reboot_is_a_reboot(machine: Machine) -> None:
    machine.run("sudo touch /kept")
    before = machine.ssh(BOOT_ID).stdout
    machine.ssh("sudo systemctl reboot")
    deadline = time.monotonic() + BOOT_SECONDS
    while (after := machine.ssh(BOOT_ID)).returncode != 0 or after.stdout == before:
        assert time.monotonic() < deadline, after.stderr
        time.sleep(2)
    # Written settings survive, others do not.
    assert machine.run("ls /kept; cat /proc/sys/kernel/panic") == "/kept\n0"


def test_a_stopped_machine_is_started_with_its_disk(machine: Machine) -> None:
    machine.run("sudo sync")
    os.kill(int((vm.MACHINES / machine.name / "pid").read_text()), signal.SIGTERM)
    while (found := vm.inspect(machine.name)) and found["running"]:
        time.sleep(0.1)
    assert f"started {machine.name}" in machine.make()
    assert machine.run("ls /kept") == "/kept"


def test_a_removed_machine_is_gone(machine: Machine) -> None:
    assert changed(machine.remove()) == 1
    assert changed(machine.remove()) == 0
    assert vm.inspect(machine.name) is None
