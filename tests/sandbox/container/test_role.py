"""The life of a container machine, from check mode to removal. The tests of this file build on one another."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox.machine.common import NETWORK, docker, machine_image, present
from tests.sandbox.conftest import SLOT, Machine, changed


def test_check_mode_predicts_the_machine_and_makes_none(machine: Machine) -> None:
    output = machine.make("--check")
    assert changed(output) == 1
    assert f"would have made {machine.name}" in output
    assert present("container", machine.name, "{{.Id}}") is None


def test_a_machine_is_made_once(machine: Machine) -> None:
    assert changed(machine.make()) == 1
    assert changed(machine.make()) == 0
    assert changed(machine.make("--check")) == 0


def test_it_is_the_release_that_was_asked_for_and_all_of_it_runs(machine: Machine) -> None:
    assert machine.release in machine.run("cat /etc/os-release")
    assert machine.run("sudo systemctl is-system-running --wait") == "running"
    assert machine.run("hostname") == "sandbox-paper"


def test_only_the_key_of_this_checkout_opens_it(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    refused = machine.ssh("true", key=other)
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr
    assert machine.run("sudo id -u") == "0"


def test_a_stopped_machine_is_started(machine: Machine) -> None:
    docker("stop", machine.name)
    output = machine.make()
    assert f"started {machine.name}" in output
    assert machine.run("hostname") == "sandbox-paper"


def test_other_options_replace_the_machine_unless_it_holds_a_live_session(machine: Machine) -> None:
    options = ["-e", '{"sandbox_vm_capabilities": ["NET_ADMIN", "SYS_ADMIN"]}']
    before = present("container", machine.name, "{{.Id}}")
    refusal = machine.make(*options, "-e", "sandbox_vm_replace=false", status=2)
    assert "capabilities" in refusal
    assert "teardown.yml" in refusal
    assert present("container", machine.name, "{{.Id}}") == before
    assert f"replaced {machine.name} (capabilities" in machine.make(*options)
    # The same address, another machine, and the same host key: nobody has to trust it again.
    assert machine.run("hostname") == "sandbox-paper"


def test_a_machine_that_is_removed_takes_its_volume_along(machine: Machine) -> None:
    volume = present("container", machine.name, "{{range .Mounts}}{{.Name}}{{end}}")
    assert volume
    assert changed(machine.remove()) == 1
    assert changed(machine.remove()) == 0
    assert present("volume", volume, "{{.Name}}") is None


def test_a_container_of_somebody_else_is_left_alone(machine: Machine) -> None:
    docker("create", "--name", machine.name, machine_image(machine.release))
    try:
        output = machine.make(status=2)
        assert f"A container '{machine.name}' exists that the sandbox did not make" in output
        assert "SANDBOX_SLOT" in output
        assert present("container", machine.name, "{{.State.Status}}") == "created"
    finally:
        docker("rm", machine.name)


def test_an_address_that_is_taken_is_named(machine: Machine) -> None:
    other = f"ibgw-sandbox-test-{SLOT}"
    image = machine_image(machine.release)
    docker("run", "--detach", "--name", other, "--network", NETWORK, "--ip", machine.address, image, "sleep", "60")
    try:
        assert f"The address {machine.address} is in use" in machine.make(status=2)
        assert present("container", machine.name, "{{.Id}}") is None
    finally:
        docker("rm", "--force", other)


def test_an_image_that_is_missing_is_named(machine: Machine) -> None:
    output = machine.make("-e", "sandbox_vm_image=ibgw-sandbox-machine:none", status=2)
    assert "ibgw-sandbox-machine:none" in output
    assert "sandbox/setup" in output
