"""Last, after test_vm.py: provision.yml's resources are removed, and nothing without confirmation."""

from __future__ import annotations

import typing as t

import pytest
from tests.fake_gcp.reader import get

VARIABLES = ("-e", "@molecule/gcp/vars/main.yml", "-e", "gateway_touch_live=true")
EVERYBODY = "gateways"


def resources() -> set[str]:
    """The resources in the project, by kind."""
    kinds = ("global/networks", "global/firewalls", *(f"regions/europe-west1/{kind}" for kind in (
        "subnetworks", "addresses", "routers", "resourcePolicies")), *(f"zones/europe-west1-b/{kind}" for kind in (
        "instances", "disks")))  # fmt: skip
    return {kind.rpartition("/")[2] for kind in kinds if get(kind).get("items")}


@pytest.fixture
def teardown(playbook: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    return lambda limit, *more: playbook("playbooks/teardown.yml", limit, *VARIABLES, *more)


def test_nothing_goes_without_a_yes(teardown: t.Callable[..., t.Any]) -> None:
    before = resources()
    run = teardown("paper")
    assert run.status != 0
    assert "instances.delete sandbox-paper" in run.printed
    assert "-e gcp_vm_remove=ibgw" in run.printed
    assert (resources(), "instances" in before) == (before, True)


def test_of_one_gateway_the_vm_goes_and_the_network_stays(teardown: t.Callable[..., t.Any]) -> None:
    run = teardown("paper", "-e", "gcp_vm_remove=ibgw")
    assert (run.status, resources() & {"instances", "disks", "networks"}) == (0, {"networks"})


def test_of_all_of_them_everything_goes_and_then_there_is_nothing_to_do(teardown: t.Callable[..., t.Any]) -> None:
    assert teardown(EVERYBODY, "-e", "gcp_vm_remove=ibgw").status == 0
    assert resources() == set()
    again = teardown(EVERYBODY)
    assert (again.status, again.changed) == (0, 0)
