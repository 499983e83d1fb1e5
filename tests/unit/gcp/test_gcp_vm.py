"""gcp_vm against the fake: a life cycle, and drift of every field, corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fake_gcp.links import HOST
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import MACHINE, RunModule, ids

from ansible_collections.ibops.gateway.plugins.modules import gcp_vm_info

PROJECT = "projects/demo-project"
ZONE = "zones/europe-west1-b"
INSTANCE, DISK = f"{ZONE}/instances/ibgw-paper", f"{ZONE}/disks/ibgw-paper"
POLICY = "regions/europe-west1/resourcePolicies/ibgw-paper"
NOTHING: dict[str, Any] = {"before": {}, "after": {}}
LABELS = {"role": "ib-gateway", "ibgw-mode": "paper", "ibops-gateway": "ibgw-paper", "env": "paper"}
SAFE = {"enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE"}


def metadata(**changes: str) -> dict[str, Any]:
    """The metadata of MACHINE as the API has it, with items added or replaced."""
    items = {"google-logging-enabled": "TRUE", **SAFE, **changes}
    return {"items": [{"key": key, "value": value} for key, value in items.items()]}


def interface(fake: FakeGcp, **fields: Any) -> list[dict[str, Any]]:
    """The VM's interface with fields replaced."""
    return [{**fake.resource(INSTANCE)["networkInterfaces"][0], **fields}]


def access(address: str) -> list[dict[str, Any]]:
    """A public address, that of the reserved one "out" or an address itself."""
    return [{"name": "External NAT", "type": "ONE_TO_ONE_NAT", "natIP": address, "networkTier": "PREMIUM"}]


def test_create_repeat_remove(machine: RunModule, call: RunModule, fake: FakeGcp) -> None:
    predicted = machine(check=True)
    assert (predicted["changed"], predicted["vm"], fake.writes()) == (True, None, [])
    made = machine()
    assert made["actions"] == predicted["actions"] == fake.writes()
    assert made["actions"] == ["resourcePolicies.insert ibgw-paper", "instances.insert ibgw-paper"]
    assert made["diff"] == predicted["diff"]
    assert made["vm"] == {
        "name": "ibgw-paper",
        "id": fake.resource(INSTANCE)["id"],
        "zone": "europe-west1-b",
        "status": "RUNNING",
        "labels": LABELS,
        "machine_type": "e2-small",
        "internal_address": "10.99.0.1",
        "external_address": "",
        "guest_attributes": True,
    }
    fake.calls.clear()
    again = machine()
    assert (again["changed"], again["diff"], fake.writes()) == (False, NOTHING, [])
    assert sorted(call.method for call in fake.calls) == [
        "addresses.get",
        "disks.get",
        "instances.get",
        "resourcePolicies.get",
    ]
    read = call(gcp_vm_info.main, name="ibgw-paper", zone="europe-west1-b")
    assert (read["vm"], read["resources"]) == (made["vm"], made["resources"])

    fake.calls.clear()
    predicted = machine(state="absent", check=True)
    assert (predicted["changed"], fake.writes()) == (True, [])
    gone = machine(state="absent")
    assert gone["actions"] == predicted["actions"] == fake.writes()
    assert gone["actions"] == ["instances.delete ibgw-paper", "resourcePolicies.delete ibgw-paper"]
    assert gone["diff"] == predicted["diff"]
    assert set(gone["diff"]["before"]) == {f"{kind}/ibgw-paper" for kind in ("instances", "disks", "resourcePolicies")}
    assert (gone["vm"], gone["kept"]) == (None, [])
    assert not any("ibgw-paper" in path for path in fake.state.resources)
    fake.calls.clear()
    again = machine(state="absent")
    assert (again["changed"], again["kept"], fake.writes()) == (False, [], [])


def test_a_new_vm_is_closed(machine: RunModule, fake: FakeGcp) -> None:
    """Without any option that says so."""
    optional = {name: None for name in MACHINE if name not in ("name", "zone", "mode", "subnet")}
    made = machine(**optional)
    assert made["actions"] == ["instances.insert ibgw-paper"]
    body, disk = fake.resource(INSTANCE), fake.resource(DISK)
    assert "accessConfigs" not in body["networkInterfaces"][0]
    assert {item["key"]: item["value"] for item in body["metadata"]["items"]} == {
        **SAFE,
        "enable-guest-attributes": "TRUE",
    }
    assert set(body["shieldedInstanceConfig"].values()) == {True}
    assert body.get("serviceAccounts", []) == []
    assert body["labels"] == {name: value for name, value in LABELS.items() if name != "env"}
    assert body["machineType"].endswith(f"{ZONE}/machineTypes/e2-medium")
    assert "maxRunDuration" not in body["scheduling"]
    assert (disk["sizeGb"], disk["type"].rpartition("/")[2]) == ("20", "pd-balanced")
    assert disk["labels"] == {"ibops-gateway": "ibgw-paper"}
    assert machine(**optional)["changed"] is False


@pytest.mark.parametrize("state", ["stopped", "present"])
def test_states_of_a_new_vm(machine: RunModule, fake: FakeGcp, state: str) -> None:
    made = machine(state=state)
    assert made["vm"]["status"] == ("TERMINATED" if state == "stopped" else "RUNNING")
    assert made["actions"][2:] == (["instances.stop ibgw-paper"] if state == "stopped" else [])
    assert machine(state=state)["changed"] is False
    assert machine(state="present")["changed"] is False


def test_stop_and_start_leave_the_rest_alone(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    before = fake.resource(INSTANCE)
    only = {name: None for name in MACHINE if name not in ("name", "zone", "mode")}
    fake.calls.clear()
    assert machine(state="stopped", **only)["actions"] == ["instances.stop ibgw-paper"]
    stopped = fake.resource(INSTANCE)
    assert {**stopped, "status": "RUNNING"} == before
    assert machine(state="present", **only)["changed"] is False
    assert machine(state="running", **only)["actions"] == ["instances.start ibgw-paper"]
    assert fake.resource(INSTANCE) == before
    assert fake.writes() == ["instances.stop ibgw-paper", "instances.start ibgw-paper"]


@dataclass(frozen=True)
class Drift:
    """A field changed behind our back, the calls that correct it, and options besides MACHINE."""

    fields: dict[str, Any]
    mended: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    path: str = INSTANCE


STOPPED_ONLY = {
    "machine type": Drift({"machineType": f"{HOST}{PROJECT}/{ZONE}/machineTypes/e2-medium"}, ["setMachineType"]),
    "service account": Drift({"serviceAccounts": [{"email": "x@y.example", "scopes": []}]}, ["setServiceAccount"]),
    "no service account": Drift({}, ["setServiceAccount"], {"service_account": ""}),
    "scopes": Drift({}, ["setServiceAccount"], {"scopes": ["logging.write"]}),
    "no limit": Drift({}, ["setScheduling"], {"scheduling": {"max_run_duration": 0}}),
    "another limit": Drift({}, ["setScheduling"], {"scheduling": {"max_run_duration": 3600}}),
    "restart": Drift({}, ["setScheduling"], {"scheduling": {"automatic_restart": False}}),
    "maintenance": Drift({}, ["setScheduling"], {"scheduling": {"on_host_maintenance": "TERMINATE"}}),
    "limit that deletes": Drift(
        {
            "scheduling": {
                "automaticRestart": True,
                "onHostMaintenance": "MIGRATE",
                "maxRunDuration": {"seconds": "14400"},
                "instanceTerminationAction": "DELETE",
            }
        },
        ["setScheduling"],
    ),
    "secure boot": Drift(
        {"shieldedInstanceConfig": {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True}},
        ["updateShieldedInstanceConfig"],
    ),
    "everything": Drift(
        {"serviceAccounts": []},
        ["setMachineType", "setServiceAccount", "setScheduling", "updateShieldedInstanceConfig"],
        {"machine_type": "e2-medium", "scheduling": {"max_run_duration": 60}, "shielded": {"vtpm": False}},
    ),
}
DRIFTS = {
    "labels": Drift({"labels": {**LABELS, "x": "y"}}, ["setLabels"]),
    "labels cleared": Drift({}, ["setLabels"], {"labels": {}}),
    "the inventory's labels": Drift(
        {"labels": {"ibops-gateway": "ibgw-paper", "x": "y"}}, ["setLabels"], {"labels": None}
    ),
    "mode": Drift({}, ["setLabels"], {"mode": "live"}),
    "another role": Drift({}, ["setLabels"], {"labels": {"role": "gateway"}}),
    "tags": Drift({"tags": {"items": ["ib-gateway", "web"]}}, ["setTags"]),
    "tags cleared": Drift({}, ["setTags"], {"tags": []}),
    "metadata": Drift({"metadata": metadata(more="x")}, ["setMetadata"]),
    "metadata cleared": Drift({}, ["setMetadata"], {"metadata": {}}),
    "keys of the project": Drift(
        {"metadata": metadata(**{"block-project-ssh-keys": "FALSE"})}, ["setMetadata"], {"metadata": None}
    ),
    "OS Login off": Drift({"metadata": {}}, ["setMetadata"]),
    "protection": Drift({"deletionProtection": True}, ["setDeletionProtection"]),
    "protection on": Drift({}, ["setDeletionProtection"], {"deletion_protection": True}),
    "a disk that stays": Drift({"disks": None}, ["setDiskAutoDelete"]),
    "stopped behind our back": Drift({"status": "TERMINATED"}, ["start"]),
    "stop": Drift({}, ["stop"], {"state": "stopped"}),
    "disk's size": Drift({"sizeGb": "10"}, ["resize"], path=DISK),
    "disk's labels": Drift({"labels": {"ibops-gateway": "ibgw-paper"}}, ["setLabels"], path=DISK),
    "no schedule on the disk": Drift({"resourcePolicies": []}, ["addResourcePolicies"], path=DISK),
    "another schedule on the disk": Drift(
        {"resourcePolicies": [f"{HOST}{PROJECT}/regions/europe-west1/resourcePolicies/x"]},
        ["removeResourcePolicies", "addResourcePolicies"],
        path=DISK,
    ),
    "schedule's hour": Drift({}, ["patch"], {"snapshots": {"start_time": "05:00"}}, POLICY),
    "schedule's days": Drift({}, ["patch"], {"snapshots": {"every_days": 2}}, POLICY),
    "how long": Drift({}, ["patch"], {"snapshots": {"keep_days": 30}}, POLICY),
    "snapshots of a deleted disk": Drift({}, ["patch"], {"snapshots": {"keep_after_disk": True}}, POLICY),
    "to a public address": Drift({}, ["addAccessConfig"], {"external_address": "out"}),
    "a public address": Drift({"networkInterfaces": access("out")}, ["deleteAccessConfig"]),
    "another public address": Drift(
        {"networkInterfaces": access("out")},
        ["deleteAccessConfig", "addAccessConfig"],
        {"external_address": "other"},
    ),
    "a lent public address": Drift({"networkInterfaces": access("198.51.100.7")}, ["deleteAccessConfig"]),
}


def drift_away(fake: FakeGcp, drift: Drift) -> None:
    fields = dict(drift.fields)
    if "networkInterfaces" in fields:
        # The fake hands out addresses in the order in which they are asked for.
        reserved = {"out": fake.resource("regions/europe-west1/addresses/out")["address"]}
        configs = [
            {**each, "natIP": reserved.get(each["natIP"], each["natIP"])} for each in fields["networkInterfaces"]
        ]
        fields["networkInterfaces"] = interface(fake, accessConfigs=configs)
    if "disks" in fields:
        fields["disks"] = [{**fake.resource(INSTANCE)["disks"][0], "autoDelete": False}]
    fake.put(drift.path, **fields)
    fake.calls.clear()


def actions(drift: Drift) -> list[str]:
    return [f"{drift.path.split('/')[-2]}.{verb} ibgw-paper" for verb in drift.mended]


def check_mended(machine: RunModule, fake: FakeGcp, calls: list[str], **options: Any) -> None:
    predicted = machine(check=True, **options)
    assert (predicted["actions"], fake.writes()) == (calls, [])
    mended = machine(**options)
    assert mended["actions"] == fake.writes() == calls
    assert mended["diff"] == predicted["diff"] != NOTHING
    fake.calls.clear()
    assert (machine(**options)["changed"], fake.writes()) == (False, [])


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=list(DRIFTS))
def test_drift_is_mended_by_the_right_call(machine: RunModule, fake: FakeGcp, drift: Drift) -> None:
    machine()
    drift_away(fake, drift)
    check_mended(machine, fake, actions(drift), **drift.options)


@pytest.mark.parametrize("status", ["RUNNING", "TERMINATED"])
@pytest.mark.parametrize("drift", STOPPED_ONLY.values(), ids=list(STOPPED_ONLY))
def test_what_changes_while_stopped(machine: RunModule, fake: FakeGcp, drift: Drift, status: str) -> None:
    machine()
    drift_away(fake, drift)
    fake.put(INSTANCE, status=status)
    start = ["instances.start ibgw-paper"]
    if status == "TERMINATED":
        check_mended(machine, fake, [*actions(drift), *start], **drift.options)
        return
    for check in (True, False):
        refused = machine(check=check, **drift.options)
        assert {each["id"] for each in refused["problems"]} == {"gcp-vm-running"}
        assert fake.writes() == []
    calls = ["instances.stop ibgw-paper", *actions(drift), *start]
    check_mended(machine, fake, calls, **drift.options, stop_for_update=True)


def test_a_change_for_stopped_ones_on_the_way_to_stopped(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.calls.clear()
    calls = ["instances.stop ibgw-paper", "instances.setMachineType ibgw-paper"]
    check_mended(machine, fake, calls, state="stopped", machine_type="e2-medium")


def test_snapshots_off(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.calls.clear()
    calls = ["disks.removeResourcePolicies ibgw-paper", "resourcePolicies.delete ibgw-paper"]
    off = {"snapshots": {"enabled": False}}
    predicted = machine(check=True, **off)
    assert (sorted(predicted["actions"]), fake.writes()) == (calls, [])
    assert machine(**off)["actions"] == calls
    assert machine(**off)["changed"] is False
    assert machine()["actions"] == ["resourcePolicies.insert ibgw-paper", "disks.addResourcePolicies ibgw-paper"]


LEFT_ALONE: dict[str, tuple[str, dict[str, Any]]] = {
    "machine_type": (INSTANCE, {"machineType": f"{HOST}{PROJECT}/{ZONE}/machineTypes/n1-standard-1"}),
    "labels": (INSTANCE, {"labels": {**LABELS, "more": "x"}}),
    "tags": (INSTANCE, {"tags": {"items": ["x"]}}),
    "metadata": (INSTANCE, {"metadata": metadata(more="x")}),
    "service_account": (INSTANCE, {"serviceAccounts": [{"email": "x@y.example", "scopes": ["a"]}]}),
    "scheduling": (INSTANCE, {"scheduling": {"automaticRestart": False, "onHostMaintenance": "TERMINATE"}}),
    "shielded": (INSTANCE, {"shieldedInstanceConfig": {"enableSecureBoot": False}}),
    "deletion_protection": (INSTANCE, {"deletionProtection": True}),
    "disk": (DISK, {"sizeGb": "40", "labels": {"x": "y"}}),
    "snapshots": (DISK, {"resourcePolicies": []}),
}


@pytest.mark.parametrize("option", LEFT_ALONE)
def test_what_is_not_given_is_left_alone(machine: RunModule, fake: FakeGcp, option: str) -> None:
    machine()
    path, fields = LEFT_ALONE[option]
    fake.put(path, **fields)
    assert machine(**{option: None})["changed"] is False


@pytest.mark.parametrize("start", ["https://compute.googleapis.com/compute/v1/", "http://127.0.0.1/compute/v1/", ""])
def test_links_are_compared_by_what_they_mean(machine: RunModule, fake: FakeGcp, start: str) -> None:
    machine()
    links = {name: start + fake.resource(INSTANCE)[name].removeprefix(HOST) for name in ("machineType", "zone")}
    subnet = start + fake.resource(INSTANCE)["networkInterfaces"][0]["subnetwork"].removeprefix(HOST)
    fake.put(INSTANCE, **links, networkInterfaces=interface(fake, subnetwork=subnet))
    again = machine()
    assert (again["changed"], again["diff"]) == (False, NOTHING)


IMMUTABLE: dict[str, tuple[dict[str, Any], str]] = {
    "subnet": ({"subnet": "run"}, "instances/ibgw-paper.subnetwork"),
    "internal address": ({"network_ip": "10.10.0.9"}, "instances/ibgw-paper.networkIP"),
    "disk's type": ({"disk": {"type": "pd-ssd"}}, "disks/ibgw-paper.type"),
    "a smaller disk": ({"disk": {"size": 10}}, "disks/ibgw-paper.sizeGb"),
}


@pytest.mark.parametrize("case", IMMUTABLE.values(), ids=list(IMMUTABLE))
def test_what_google_cannot_change(machine: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], str]) -> None:
    options, variable = case
    machine()
    fake.calls.clear()
    for check in (True, False):
        assert ids(machine(check=check, **options)) == [f"gcp-immutable {variable}"]
    assert fake.writes() == []
    check_mended(
        machine, fake, ["instances.delete ibgw-paper", "instances.insert ibgw-paper"], recreate=True, **options
    )


@pytest.mark.parametrize("kind", ["VM", "disk"])
def test_what_is_not_ours_is_not_recreated(machine: RunModule, fake: FakeGcp, kind: str) -> None:
    machine()
    fake.put(INSTANCE if kind == "VM" else DISK, labels={})
    fake.calls.clear()
    options = {"subnet": "run"} if kind == "VM" else {"disk": {"type": "pd-ssd"}}
    [refused] = machine(recreate=True, **options)["problems"]
    assert refused["id"] == "gcp-immutable-foreign"
    assert fake.writes() == []


@pytest.mark.parametrize("options", [{"state": "absent"}, {"subnet": "run", "recreate": True}])
@pytest.mark.parametrize("check", [True, False])
def test_a_protected_vm_is_not_deleted(machine: RunModule, fake: FakeGcp, options: dict[str, Any], check: bool) -> None:
    machine()
    fake.put(INSTANCE, deletionProtection=True)
    fake.calls.clear()
    refused = machine(check=check, **options)
    assert ids(refused) == ["gcp-vm-protected instances/ibgw-paper"]
    assert fake.writes() == []


KEPT: dict[str, tuple[dict[str, dict[str, Any]], list[str]]] = {
    "somebody's VM": ({INSTANCE: {"labels": {}}}, ["instances", "disks", "resourcePolicies"]),
    "a disk that stays": ({INSTANCE: {"disks": None}}, ["disks", "resourcePolicies"]),
    "somebody's schedule": ({POLICY: {"description": ""}}, ["resourcePolicies"]),
}


@pytest.mark.parametrize("case", KEPT.values(), ids=list(KEPT))
def test_absent_keeps_what_is_not_ours(
    machine: RunModule, fake: FakeGcp, case: tuple[dict[str, dict[str, Any]], list[str]]
) -> None:
    drifts, kept = case
    machine()
    for path, fields in drifts.items():
        drift_away(fake, Drift(fields, [], path=path))
    gone = machine(state="absent")
    assert gone["kept"] == [f"{kind}/ibgw-paper" for kind in kept]
    left = {path.split("/")[-2] for path in fake.state.resources if path.endswith("ibgw-paper")}
    assert left == set(kept)
    assert machine(state="absent")["kept"] == gone["kept"]


def test_what_was_there_before_is_used_and_not_marked(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.put(INSTANCE, labels={"team": "x"})
    machine(labels=None)
    assert fake.resource(INSTANCE)["labels"] == {"team": "x", "role": "ib-gateway", "ibgw-mode": "paper"}
    assert machine(state="absent")["changed"] is False


def test_a_disk_of_another_name(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    entry = fake.state.resources.pop(f"{PROJECT}/{DISK}")
    entry.body["name"] = "boot"
    fake.state.resources[f"{PROJECT}/{ZONE}/disks/boot"] = entry
    fake.put(INSTANCE, disks=[{**fake.resource(INSTANCE)["disks"][0], "source": f"{HOST}{PROJECT}/{ZONE}/disks/boot"}])
    assert machine()["changed"] is False
    larger = {"disk": {"size": 30}}
    assert machine(**larger)["actions"] == ["disks.resize boot"]
    assert machine(**larger, snapshots={"enabled": False})["actions"] == [
        "disks.removeResourcePolicies boot",
        "resourcePolicies.delete ibgw-paper",
    ]
    machine(state="absent")
    assert not any("/disks/" in path or "/instances/" in path for path in fake.state.resources)


def test_a_suspended_vm(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.put(INSTANCE, status="SUSPENDED")
    fake.calls.clear()
    refused = machine()
    assert ids(refused) == ["gcp-vm-status state"]
    assert "SUSPENDED" in refused["msg"]
    assert machine(state="present")["changed"] is False
    assert fake.writes() == []
