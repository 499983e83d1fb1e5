"""Five gateways on one fresh VM, in one run: all ready at the first try, and nothing to do at the second."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from sandbox.machine.common import ROOT, STATE
from tests.sandbox.conftest import Machine

pytestmark = pytest.mark.parametrize("machine", ["trixie"], indirect=True)

PORTS = {"paper": 4002, "second": 4012, "third": 4022, "fourth": 4032, "fifth": 4042}


@pytest.fixture(scope="module")
def inventories(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments for the sandbox's inventory, and for one with four more gateways on the machine of its first."""
    more = {
        f"sandbox-{name}": {
            "gateway_machine_role": "",
            # It stands beside the sandbox's own inventory.
            "sandbox_state": str(STATE),
            "sandbox_number": "{{ 10 * sandbox_vm_slot | int }}",
            "gateway_name": name,
            "gateway_user": f"sandbox{name}",
            "gateway_port": port,
        }
        for name, port in PORTS.items()
        if name != "paper"
    }
    source = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    source.write_text(yaml.safe_dump({"paper": {"hosts": more}}))
    return ["-i", str(ROOT / "inventories/sandbox"), "-i", str(source)]


def recap(output: str) -> dict[str, dict[str, int]]:
    """The counts of each host in a recap."""
    lines = re.findall(r"^(\S+) +: (ok=.*)$", output.rpartition("PLAY RECAP")[2], re.MULTILINE)
    return {host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines}


def test_all_are_ready_at_the_first_try(machine: Machine, inventories: list[str]) -> None:
    counts = recap(machine.play("../../site.yml", *inventories))
    assert {host: (each["failed"], each["unreachable"]) for host, each in counts.items()} == {
        f"sandbox-{name}": (0, 0) for name in PORTS
    }
    states = {name: json.loads(machine.run(f"sudo ibgwctl status {name} --json"))["state"] for name in PORTS}
    assert states == dict.fromkeys(PORTS, "ready")


def test_the_second_run_changes_nothing(machine: Machine, inventories: list[str]) -> None:
    counts = recap(machine.play("../../site.yml", *inventories))
    assert {host: each["changed"] for host, each in counts.items()} == {f"sandbox-{name}": 0 for name in PORTS}
