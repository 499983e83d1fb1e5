"""What gcp_vm refuses: variable, value, rule and fix, before the first call or before the first write."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import MACHINE, RunModule

from ansible_collections.ibops.gateway.plugins.modules import gcp_vm_info

REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "project": ({"project": "My Project"}, ["project is 'My Project'", "gcloud projects list"]),
    "name": ({"name": "IBGW"}, ["name is 'IBGW': Google wants", "Choose such a name"]),
    "zone of another region": (
        {"zone": "us-east1-b"},
        ["zone is 'us-east1-b': it is one of us-east1, and region is 'europe-west1'. Make them fit."],
    ),
    "region for zone": ({"zone": "europe-west1"}, ["zone is 'europe-west1': no zone", "gcloud compute zones list"]),
    "machine type": ({"machine_type": "E2 medium"}, ["machine_type is 'E2 medium'", "Write it as e2-medium"]),
    "too small": ({"machine_type": "e2-micro"}, ["'e2-micro': less than 2 GB of memory", "Choose e2-small"]),
    "image": ({"image": "debian-12"}, ["image is 'debian-12'", "debian-cloud/debian-12"]),
    "disk's size": ({"disk": {"size": 5}}, ["disk.size is 5: Google takes 10 to 65536"]),
    "disk's type": ({"disk": {"type": "SSD"}}, ["disk.type is 'SSD'", "pd-balanced"]),
    "disk's label": ({"disk": {"labels": {"Env": "a"}}}, ["disk.labels has 'Env'"]),
    "label": ({"labels": {"env": "Paper"}}, ["labels has 'env': 'Paper'"]),
    "the collection's labels": (
        {"labels": {"ibgw-mode": "live", "ibops-gateway": "x"}},
        ["labels has 'ibgw-mode': the module sets that label", "labels has 'ibops-gateway'"],
    ),
    "subnet's path": ({"subnet": "regions/x/subnetworks/a"}, ["subnet is 'regions/x/subnetworks/a'"]),
    "a public address inside": ({"network_ip": "8.8.8.8"}, ["network_ip is '8.8.8.8'", "in a private range"]),
    "no address": ({"network_ip": "10.0.0.300"}, ["network_ip is '10.0.0.300'"]),
    "external address by number": ({"external_address": "203.0.113.1"}, ["external_address is '203.0.113.1'"]),
    "tag": ({"tags": ["IB"]}, ["tags has 'IB'"]),
    "account": ({"service_account": "gateway-vm"}, ["service_account is 'gateway-vm'", "gcloud iam service-accounts"]),
    "scope": ({"scopes": ["https://example.org/x"]}, ["scopes has 'https://example.org/x'", "cloud-platform"]),
    "no scopes": ({"scopes": []}, ["scopes is []", "Clear service_account"]),
    "OS Login off": ({"metadata": {"enable-oslogin": False}}, ["metadata.enable-oslogin is False: it is TRUE"]),
    "OS Login off in other letters": ({"metadata": {"Enable-OSLogin": "no"}}, ["metadata.Enable-OSLogin is 'no'"]),
    "serial console": ({"metadata": {"serial-port-enable": 1}}, ["metadata.serial-port-enable is 1: it is FALSE"]),
    "keys of the project": ({"metadata": {"block-project-ssh-keys": "false"}}, ["it is TRUE for every gateway"]),
    "keys": ({"metadata": {"ssh-keys": "me:ssh-ed25519 A"}}, ["metadata has 'ssh-keys'", "compute.osAdminLogin"]),
    "key of metadata": ({"metadata": {"a b": "x"}}, ["metadata has 'a b'"]),
    "limit": ({"scheduling": {"max_run_duration": 10}}, ["scheduling.max_run_duration is 10: Google takes 30 to"]),
    "hour": ({"snapshots": {"start_time": "04:30"}}, ["snapshots.start_time is '04:30'", "'04:00'"]),
    "days": ({"snapshots": {"every_days": 0}}, ["snapshots.every_days is 0"]),
    "days kept": ({"snapshots": {"keep_days": 0}}, ["snapshots.keep_days is 0"]),
    "a stop that may not end": (
        {"state": "present", "stop_for_update": True},
        ["stop_for_update is true and state is 'present'", "Write state running or stopped"],
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_before_the_first_call(
    machine: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], list[str]]
) -> None:
    changes, parts = case
    refused = machine(**changes)
    assert refused["failed"] is True
    for part in parts:
        assert part in refused["msg"]
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
    "subnet": ({"subnet": "none"}, "subnet is 'none': there is no such subnet in europe-west1."),
    "no subnet": ({"subnet": None}, "subnet is None: a new VM is in a subnet."),
    "machine type": ({"machine_type": "e2-huge"}, "machine_type is 'e2-huge': europe-west1-b has no such type."),
    "memory": ({"machine_type": "e2-custom-2-1024"}, "'e2-custom-2-1024': 1024 MB of memory"),
    "internal address": ({"network_ip": "none"}, "network_ip is 'none': no such address is reserved"),
    "external address": ({"external_address": "none"}, "external_address is 'none': no such address is reserved"),
    "external for internal": ({"network_ip": "out"}, "network_ip is 'out': that address is EXTERNAL"),
    "internal for external": ({"external_address": "paper"}, "external_address is 'paper': that address is INTERNAL"),
}


@pytest.mark.parametrize("case", MISSING.values(), ids=list(MISSING))
def test_refused_before_the_first_write(machine: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], str]) -> None:
    changes, message = case
    refused = machine(**changes)
    assert message in refused["msg"]
    assert refused["msg"].endswith("Nothing was changed.")
    assert fake.writes() == []


def test_check_mode_before_there_is_a_network(machine: RunModule, fake: FakeGcp) -> None:
    """A first run in check mode has made none: what is missing is what would have come."""
    fake.state.resources.clear()
    predicted = machine(check=True, external_address="out")
    assert predicted["actions"] == ["resourcePolicies.insert ibgw-paper", "instances.insert ibgw-paper"]
    assert predicted["diff"]["after"]["instances/ibgw-paper"]["networkIP"].endswith("/addresses/paper")
    told = " ".join(predicted["warnings"])
    for part in ("network_ip is 'paper'", "external_address is 'out'", "subnet is 'gateway'"):
        assert part in told


def test_an_address_that_another_vm_has(machine: RunModule, fake: FakeGcp) -> None:
    machine(external_address="out")
    fake.calls.clear()
    refused = machine(name="second", external_address="out")
    assert "network_ip is 'paper': demo-project/zones/europe-west1-b/instances/ibgw-paper has it." in refused["msg"]
    assert "external_address is 'out': demo-project/zones/europe-west1-b/instances/ibgw-paper has it." in refused["msg"]
    assert fake.writes() == []


def test_a_disk_in_the_way(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    del fake.state.resources["projects/demo-project/zones/europe-west1-b/instances/ibgw-paper"]
    fake.calls.clear()
    refused = machine()
    assert "name is 'ibgw-paper': there is a disk of that name in europe-west1-b, and no VM." in refused["msg"]
    assert fake.writes() == []


def test_all_problems_at_once(machine: RunModule) -> None:
    message = machine(zone="us-east1-b", tags=["X"], scopes=[], subnet="A")["msg"]
    for part in ("zone is", "tags has 'X'", "scopes is []", "subnet is 'A'"):
        assert part in message


def test_the_info_module_looks_at_its_options(call: RunModule, fake: FakeGcp) -> None:
    refused = call(gcp_vm_info.main, name=MACHINE["name"], zone="us-east1-b")
    assert "zone is 'us-east1-b'" in refused["msg"]
    nothing = call(gcp_vm_info.main, name=MACHINE["name"], zone="europe-west1-b")
    assert (nothing["vm"], nothing["resources"]) == (None, {"instance": None, "disk": None, "snapshots": None})
