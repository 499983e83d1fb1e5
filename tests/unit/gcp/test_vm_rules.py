"""Module gcp_vm refuses options before the first call or before the first write."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import MACHINE, RunModule, ids

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import machine_type
from ansible_collections.ibops.gateway.plugins.modules import gcp_vm_info

REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "project": ({"project": "My Project"}, ["gcp-project project"]),
    "name": ({"name": "IBGW"}, ["gcp-name name"]),
    "zone of another region": (
        {"zone": "us-east1-b"},
        ["gcp-zone-elsewhere zone"],
    ),
    "region for zone": ({"zone": "europe-west1"}, ["gcp-zone zone"]),
    "machine type": ({"machine_type": "E2 medium"}, ["gcp-machine-type machine_type"]),
    "too small": ({"machine_type": "e2-micro"}, ["gcp-machine-type-small machine_type"]),
    "image": ({"image": "debian-12"}, ["gcp-image image"]),
    "disk's size": ({"disk": {"size": 5}}, ["gcp-limits disk.size"]),
    "disk's type": ({"disk": {"type": "SSD"}}, ["gcp-disk-type disk.type"]),
    "disk's label": ({"disk": {"labels": {"Env": "a"}}}, ["gcp-label disk.labels.Env"]),
    "label": ({"labels": {"env": "Paper"}}, ["gcp-label labels.env"]),
    "the collection's labels": (
        {"labels": {"ibgw-mode": "live", "ibops-gateway": "x"}},
        ["gcp-label-reserved labels.ibgw-mode", "gcp-label-reserved labels.ibops-gateway"],
    ),
    "subnet's path": ({"subnet": "regions/x/subnetworks/a"}, ["gcp-shared-vpc subnet"]),
    "a public address inside": ({"network_ip": "8.8.8.8"}, ["gcp-internal-address network_ip"]),
    "no address": ({"network_ip": "10.0.0.300"}, ["gcp-internal-address network_ip"]),
    "external address by number": ({"external_address": "203.0.113.1"}, ["gcp-external-address external_address"]),
    "tag": ({"tags": ["IB"]}, ["gcp-tag tags[0]"]),
    "account": ({"service_account": "gateway-vm"}, ["gcp-service-account service_account"]),
    "scope": ({"scopes": ["https://example.org/x"]}, ["gcp-scope scopes[0]"]),
    "no scopes": ({"scopes": []}, ["gcp-no-scopes scopes"]),
    "OS Login off": ({"metadata": {"enable-oslogin": False}}, ["gcp-metadata-safe metadata.enable-oslogin"]),
    "OS Login off in other letters": (
        {"metadata": {"Enable-OSLogin": "no"}},
        ["gcp-metadata-safe metadata.Enable-OSLogin"],
    ),
    "serial console": ({"metadata": {"serial-port-enable": 1}}, ["gcp-metadata-safe metadata.serial-port-enable"]),
    "keys of the project": (
        {"metadata": {"block-project-ssh-keys": "false"}},
        ["gcp-metadata-safe metadata.block-project-ssh-keys"],
    ),
    "keys": ({"metadata": {"ssh-keys": "me:ssh-ed25519 A"}}, ["gcp-metadata-ssh-keys metadata.ssh-keys"]),
    "key of metadata": ({"metadata": {"a b": "x"}}, ["gcp-metadata-key metadata.a b"]),
    "limit": ({"scheduling": {"max_run_duration": 10}}, ["gcp-limits scheduling.max_run_duration"]),
    "hour": ({"snapshots": {"start_time": "04:30"}}, ["gcp-snapshot-time snapshots.start_time"]),
    "days": ({"snapshots": {"every_days": 0}}, ["gcp-limits snapshots.every_days"]),
    "days kept": ({"snapshots": {"keep_days": 0}}, ["gcp-limits snapshots.keep_days"]),
    "a stop that may not end": (
        {"state": "present", "stop_for_update": True},
        ["gcp-stop-without-start stop_for_update"],
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_before_the_first_call(
    machine: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], list[str]]
) -> None:
    changes, expected = case
    refused = machine(**changes)
    assert refused["failed"] is True
    assert ids(refused) == expected
    assert refused["msg"].endswith("Nothing was changed.")
    assert fake.calls == []


def test_a_mode_is_asked_for(machine: RunModule, fake: FakeGcp) -> None:
    assert "missing: mode" in machine(mode=None)["msg"]
    assert machine(mode=None, state="absent")["changed"] is False


ALLOWED: dict[str, dict[str, Any]] = {
    "an image's path": {"image": "projects/debian-cloud/global/images/debian-12-bookworm-v20261101"},
    "a full link": {"image": "https://compute.googleapis.com/compute/v1/projects/debian-cloud/global/images/family/debian-13"},
    "safe metadata in other words": {"metadata": {"enable-oslogin": True, "serial-port-enable": "false"}},
    "an address by number": {"network_ip": "10.10.0.9"},
    "a scope's last word": {"scopes": ["cloud-platform"]},
    "custom machines' size": {"machine_type": "e2-medium"},
}  # fmt: skip


@pytest.mark.parametrize("changes", ALLOWED.values(), ids=list(ALLOWED))
def test_allowed(machine: RunModule, changes: dict[str, Any]) -> None:
    assert machine(**changes)["changed"] is True
    assert machine(**changes)["changed"] is False


MISSING: dict[str, tuple[dict[str, Any], str]] = {
    "subnet": ({"subnet": "none"}, "gcp-vm-subnet-missing subnet"),
    "no subnet": ({"subnet": None}, "gcp-vm-subnet subnet"),
    "machine type": ({"machine_type": "e2-huge"}, "gcp-machine-type-missing machine_type"),
    "memory": ({"machine_type": "e2-custom-2-1024"}, "gcp-machine-type-small machine_type"),
    "internal address": ({"network_ip": "none"}, "gcp-address-missing network_ip"),
    "external address": ({"external_address": "none"}, "gcp-address-missing external_address"),
    "external for internal": ({"network_ip": "out"}, "gcp-address-kind network_ip"),
    "internal for external": ({"external_address": "paper"}, "gcp-address-kind external_address"),
}


@pytest.mark.parametrize("case", MISSING.values(), ids=list(MISSING))
def test_refused_before_the_first_write(machine: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], str]) -> None:
    changes, expected = case
    refused = machine(**changes)
    assert ids(refused) == [expected]
    assert refused["msg"].endswith("Nothing was changed.")
    assert fake.writes() == []


def test_a_machine_type_that_google_lacks_or_that_is_too_small() -> None:
    [missing] = machine_type.impossible("e2-huge", "europe-west1-b", None)
    [small] = machine_type.impossible("e2-custom-2-1024", "europe-west1-b", {"memoryMb": 1024})
    assert (missing.id, missing.variable) == ("gcp-machine-type-missing", "machine_type")
    assert (small.id, small.variable) == ("gcp-machine-type-small", "machine_type")
    assert [*machine_type.impossible("e2-medium", "europe-west1-b", {"memoryMb": 4096})] == []


def test_check_mode_before_there_is_a_network(machine: RunModule, fake: FakeGcp) -> None:
    """A first run in check mode has made none, so the resources that it would have made are missing."""
    fake.state.resources.clear()
    predicted = machine(check=True, external_address="out")
    assert predicted["actions"] == ["resourcePolicies.insert ibgw-paper", "instances.insert ibgw-paper"]
    assert predicted["diff"]["after"]["instances/ibgw-paper"]["networkIP"].endswith("/addresses/paper")
    told = " ".join(predicted["warnings"])
    for part in ("network_ip = 'paper'", "external_address = 'out'", "subnet = 'gateway'"):
        assert part in told


def test_an_address_that_another_vm_has(machine: RunModule, fake: FakeGcp) -> None:
    machine(external_address="out")
    fake.calls.clear()
    refused = machine(name="second", external_address="out")
    assert ids(refused) == ["gcp-address-used network_ip", "gcp-address-used external_address"]
    assert refused["msg"].count("zones/europe-west1-b/instances/ibgw-paper has this address") == 2
    assert fake.writes() == []


def test_a_disk_in_the_way(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    del fake.state.resources["projects/demo-project/zones/europe-west1-b/instances/ibgw-paper"]
    fake.calls.clear()
    refused = machine()
    assert ids(refused) == ["gcp-disk-exists name"]
    assert fake.writes() == []


def test_all_problems_at_once(machine: RunModule) -> None:
    found = machine(zone="us-east1-b", tags=["X"], scopes=[], subnet="A")["problems"]
    assert [each["id"] for each in found] == ["gcp-zone-elsewhere", "gcp-no-scopes", "gcp-tag", "gcp-name"]


def test_the_info_module_looks_at_its_options(call: RunModule, fake: FakeGcp) -> None:
    refused = call(gcp_vm_info.main, name=MACHINE["name"], zone="us-east1-b")
    assert [each["id"] for each in refused["problems"]] == ["gcp-zone-elsewhere"]
    nothing = call(gcp_vm_info.main, name=MACHINE["name"], zone="europe-west1-b")
    assert (nothing["vm"], nothing["resources"]) == (None, {"instance": None, "disk": None, "snapshots": None})
