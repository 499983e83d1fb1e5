"""Shapes that Google allows and that the collection has not made: supported, or refused by name, never a traceback."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.links import HOST
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.unit.gcp.conftest import DOCUMENT, MACHINE, RunModule, document, ids

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import vm
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.rules import account_domain
from ansible_collections.ibops.gateway.plugins.modules import gcp_network, gcp_network_info, gcp_vm

PROJECT = "projects/demo-project"
REGION = "regions/europe-west1"
INSTANCE = "zones/europe-west1-b/instances/ibgw-paper"


def put_subnet(fake: FakeGcp, name: str, **fields: Any) -> None:
    path = f"{PROJECT}/{REGION}/subnetworks/{name}"
    body = {"name": name, "selfLink": HOST + path, "network": f"{HOST}{PROJECT}/global/networks/main", **fields}
    fake.state.resources[path] = Entry(body)


def test_a_subnet_of_ipv6_only(run: RunModule, fake: FakeGcp) -> None:
    run()
    put_subnet(fake, "six", stackType="IPV6_ONLY", ipv6AccessType="INTERNAL", internalIpv6Prefix="fd20::/64")
    assert run()["changed"] is False
    assert "six" in run(gcp_network_info.main)["resources"]["subnets"]
    asked = [*DOCUMENT["subnets"], {"name": "six", "range": "10.40.0.0/24"}]
    refused = run(subnets=asked)
    assert ids(refused) == ["gcp-immutable subnetworks/six.ipCidrRange"]
    assert "it is '' and should be '10.40.0.0/24'" in refused["msg"]


@pytest.mark.parametrize("owner", ["other", "gateway"])
def test_secondary_ranges_count_in_overlaps(run: RunModule, fake: FakeGcp, owner: str) -> None:
    run()
    secondary = [{"rangeName": "pods", "ipCidrRange": "10.50.0.0/16"}]
    if owner == "other":
        put_subnet(fake, "other", ipCidrRange="10.60.0.0/24", secondaryIpRanges=secondary)
    else:
        fake.put(f"{REGION}/subnetworks/gateway", secondaryIpRanges=secondary)
    fake.calls.clear()
    asked = [*DOCUMENT["subnets"], {"name": "late", "range": "10.50.3.0/24"}]
    refused = run(subnets=asked)
    assert ids(refused) == ["gcp-subnet-taken subnets[2].range"]
    assert f"10.50.0.0/16 of subnet {owner}" in refused["msg"]
    assert fake.writes() == []
    assert run()["changed"] is False


ADDRESS = {"name": "external-ipv6", "type": "DIRECT_IPV6", "externalIpv6": "2600:1900::1"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ipv6AccessConfigs": [ADDRESS]}, "gcp-vm-ipv6 name"),
        (None, "gcp-vm-interfaces name"),
    ],
    ids=["public IPv6", "second interface"],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_way_in_that_no_option_asks_for(
    machine: RunModule, fake: FakeGcp, fields: dict[str, Any] | None, expected: str, check: bool
) -> None:
    machine()
    (first,) = fake.resource(INSTANCE)["networkInterfaces"]
    second = {**first, "name": "nic1", "networkIP": "10.70.0.2", "accessConfigs": [{"natIP": "198.51.100.9"}]}
    fake.put(INSTANCE, networkInterfaces=[{**first, **fields}] if fields else [first, second])
    fake.calls.clear()
    assert ids(machine(check=check)) == [expected]
    assert fake.writes() == []
    assert machine(state="absent")["changed"] is True


SHARED: list[tuple[Any, dict[str, Any], str]] = [
    (
        gcp_vm.main,
        {**MACHINE, "subnet": "projects/host/regions/europe-west1/subnetworks/s"},
        "subnet",
    ),
    (
        gcp_network.main,
        document(network={"name": "projects/host/global/networks/n"}),
        "network.name",
    ),
]


@pytest.mark.parametrize(("main", "options", "variable"), SHARED, ids=["VM", "network"])
def test_a_shared_vpc_is_refused_by_name(
    call: RunModule, fake: FakeGcp, main: Any, options: dict[str, Any], variable: str
) -> None:
    refused = call(main, **options)
    assert [(each["id"], each["variable"]) for each in refused["problems"]] == [("gcp-shared-vpc", variable)]
    assert f"{variable} = 'projects/host/" in refused["msg"]
    assert "(Shared VPC) is not supported" in refused["msg"]
    assert fake.calls == []


def test_a_project_of_a_domain(call: RunModule, fake: FakeGcp) -> None:
    scoped = {"project": "example.com:demo-project"}
    account = f"gateway-vm@{account_domain(scoped['project'])}"
    assert account == "gateway-vm@demo-project.example.com.iam.gserviceaccount.com"
    assert call(gcp_network.main, **document(**scoped))["changed"] is True
    assert call(gcp_network.main, **document(**scoped))["changed"] is False
    options = {**MACHINE, **scoped, "service_account": account}
    assert call(gcp_vm.main, **options)["vm"]["status"] == "RUNNING"
    assert call(gcp_vm.main, **options)["changed"] is False
    assert call(gcp_vm.main, **{**options, "state": "absent"})["changed"] is True
    assert call(gcp_network.main, **document(**scoped, state="absent"))["changed"] is True
    assert fake.state.resources == {}


@pytest.mark.parametrize(("now", "then", "state"), [
    ("STAGING", "RUNNING", "running"), ("PROVISIONING", "RUNNING", "running"), ("STOPPING", "TERMINATED", "stopped"),
])  # fmt: skip
def test_a_vm_on_its_way_is_waited_for(
    machine: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch, now: str, then: str, state: str
) -> None:
    monkeypatch.setattr(vm, "SETTLE_SECONDS", 0.01)
    machine(state=state)
    fake.put(INSTANCE, status=now)
    seen = len([call for call in fake.calls if call.method == "instances.get"])
    fake.fault("instances.get")
    fake.fault("instances.get", before=lambda: fake.put(INSTANCE, status=then))
    done = machine(state=state)
    assert (done["changed"], done["vm"]["status"]) == (False, then)
    assert len([call for call in fake.calls if call.method == "instances.get"]) >= seen + 2


def test_a_vm_that_stays_on_its_way(machine: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "SETTLE_SECONDS", 0.05)
    machine()
    fake.put(INSTANCE, status="STAGING")
    failed = machine(timeout=3)
    assert "instances ibgw-paper: it is still STAGING after the 3 s of timeout" in failed["msg"]
    assert machine(check=True)["changed"] is False


ARM_IMAGE = "debian-cloud/debian-13-arm64"
FITTING: dict[str, tuple[dict[str, Any], str]] = {
    "Arm": ({"machine_type": "c4a-standard-1", "image": ARM_IMAGE, "disk": None}, "hyperdisk-balanced"),
    "N4": ({"machine_type": "n4-standard-2", "disk": {"size": 30}}, "hyperdisk-balanced"),
    "an older Arm": ({"machine_type": "t2a-standard-1", "image": ARM_IMAGE, "disk": None}, "pd-balanced"),
    "E2": ({"machine_type": "e2-medium", "disk": None}, "pd-balanced"),
    "a type of one's own": ({"disk": {"type": "pd-ssd"}}, "pd-ssd"),
}


@pytest.mark.parametrize("kind", FITTING)
def test_disk_and_image_fit_the_machine_type(machine: RunModule, fake: FakeGcp, kind: str) -> None:
    options, disk = FITTING[kind]
    made = machine(**options)
    assert "failed" not in made, made["msg"]
    assert made["resources"]["disk"]["type"].endswith(f"/{disk}")
    assert machine(**options)["changed"] is False


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "an image for Intel": (
        {"machine_type": "c4a-standard-1", "disk": None},
        "gcp-image-unfit",
    ),
    "an image for Arm": ({"image": ARM_IMAGE}, "gcp-image-unfit"),
    "no persistent disk": ({"machine_type": "n4-standard-2"}, "gcp-disk-unfit"),
    "no Hyperdisk": ({"disk": {"type": "hyperdisk-balanced"}}, "gcp-disk-unfit"),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("kind", UNFIT)
def test_what_does_not_fit_the_machine_type(machine: RunModule, fake: FakeGcp, kind: str, check: bool) -> None:
    options, expected = UNFIT[kind]
    fake.calls.clear()
    assert ids(machine(check=check, **options)) == [f"{expected} machine_type"]
    assert fake.writes() == []


@pytest.mark.parametrize("wanted", ["n4-standard-2", "c4a-standard-1", "t2a-standard-1"])
def test_a_machine_type_that_its_disk_does_not_fit(machine: RunModule, fake: FakeGcp, wanted: str) -> None:
    """It is known before the VM is stopped for it."""
    machine()
    fake.calls.clear()
    refused = machine(machine_type=wanted, stop_for_update=True, disk=None)
    assert {each["variable"] for each in refused["problems"]} == {"machine_type"}
    assert ("gcp-disk-unfit-exists machine_type" in ids(refused)) is (wanted != "t2a-standard-1")
    assert fake.writes() == []
    if wanted == "n4-standard-2":
        made = machine(machine_type=wanted, disk={"type": "hyperdisk-balanced"}, recreate=True, stop_for_update=True)
        assert made["resources"]["disk"]["type"].endswith("/hyperdisk-balanced")


def test_an_image_that_may_not_be_looked_at_is_no_obstacle(machine: RunModule, fake: FakeGcp) -> None:
    fake.fault("images.getFromFamily", status=403, reason="forbidden")
    assert machine()["changed"] is True


SPOT = {
    "provisioningModel": "SPOT",
    "preemptible": True,
    "automaticRestart": False,
    "onHostMaintenance": "TERMINATE",
    "instanceTerminationAction": "STOP",
}


def test_a_spot_vm_is_for_paper_only(machine: RunModule, fake: FakeGcp) -> None:
    usual = {"scheduling": {"max_run_duration": 0}}
    machine(**usual)
    fake.put(INSTANCE, scheduling=SPOT)
    assert machine(**usual)["changed"] is False
    limited = machine(scheduling={"max_run_duration": 3600}, stop_for_update=True)
    assert "failed" not in limited, limited["msg"]
    assert fake.resource(INSTANCE)["scheduling"]["provisioningModel"] == "SPOT"
    fake.calls.clear()
    assert ids(machine(**usual, mode="live")) == ["gcp-vm-spot name"]
    assert fake.writes() == []


def gone(fake: FakeGcp) -> None:
    for path in (INSTANCE, "zones/europe-west1-b/disks/ibgw-paper"):
        fake.state.resources.pop(f"{PROJECT}/{path}", None)


@pytest.mark.parametrize("method", ["instances.setTags", "disks.resize", "resourcePolicies.get"])
def test_a_vm_that_vanishes(machine: RunModule, fake: FakeGcp, method: str) -> None:
    """The run that saw it does not create it again with an empty disk, and there is no traceback."""
    machine()
    fake.fault(method, before=lambda: gone(fake))
    changes = {"tags": ["x"]} if "Tags" in method else {"disk": {"size": 40}}
    failed = machine(**changes)
    assert failed["failed"] is True
    assert "instances.insert ibgw-paper" not in fake.writes()[3:]
    assert machine(**changes)["actions"] == ["instances.insert ibgw-paper"]


def test_a_vm_that_vanishes_while_it_is_read(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.fault("disks.get", before=lambda: gone(fake))
    failed = machine()
    assert failed["failed"] is True
    assert "was deleted while this run inspected it" in failed["msg"]
    assert machine()["actions"] == ["instances.insert ibgw-paper"]
    assert fake.resource(INSTANCE)["status"] == "RUNNING"
