"""The fake's VMs, disks and schedules: what Google refuses, it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import Ask, RunModule
from tests.unit.gcp.test_gcp_vm import DISK, INSTANCE, POLICY

PROJECT = "/compute/v1/projects/demo-project"
ZONE = "projects/demo-project/zones/europe-west1-b"
SUBNET = "projects/demo-project/regions/europe-west1/subnetworks/gateway"
DEBIAN = "projects/debian-cloud/global/images/family/debian-12"
NEW: dict[str, Any] = {
    "name": "new",
    "machineType": f"{ZONE}/machineTypes/e2-small",
    "disks": [{"boot": True, "initializeParams": {"sourceImage": DEBIAN}}],
    "networkInterfaces": [{"subnetwork": SUBNET}],
}
INSTANCES = f"{PROJECT}/zones/europe-west1-b/instances"
POLICIES = f"{PROJECT}/regions/europe-west1/resourcePolicies"
OTHER = "regions/europe-west1/resourcePolicies/x"
DAILY = {"dailySchedule": {"daysInCycle": 1, "startTime": "04:30"}}


def new(**changes: Any) -> dict[str, Any]:
    return {**NEW, **changes}


def of_disk(**parameters: Any) -> list[dict[str, Any]]:
    return [{"boot": True, "initializeParams": {"sourceImage": DEBIAN, **parameters}}]


def of_interface(**fields: Any) -> list[dict[str, Any]]:
    return [{"subnetwork": SUBNET, **fields}]


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "zone": ("GET", f"{PROJECT}/zones/europe-west9-z/instances/a", None, 400, "Unknown zone"),
    "nothing there": ("GET", f"{INSTANCES}/other", None, 404, "was not found"),
    "without a disk": ("POST", INSTANCES, new(disks=[]), 400, "disks"),
    "machine type": ("POST", INSTANCES, new(machineType="zones/europe-west1-b/machineTypes/x"), 400, "does not exist"),
    "machine type elsewhere": (
        "POST",
        INSTANCES,
        new(machineType="zones/us-east1-b/machineTypes/e2-small"),
        400,
        "does not exist in this zone",
    ),
    "image": ("POST", INSTANCES, new(disks=of_disk(sourceImage="projects/x/global/images/y")), 404, "images/y"),
    "disk's type": ("POST", INSTANCES, new(disks=of_disk(diskType=f"{ZONE}/diskTypes/x")), 400, "disk type"),
    "number for size": ("POST", INSTANCES, new(disks=of_disk(diskSizeGb="many")), 400, "TYPE_INT"),
    "schedule": ("POST", INSTANCES, new(disks=of_disk(resourcePolicies=[OTHER])), 404, "resourcePolicies/x"),
    "disk of another": ("POST", INSTANCES, new(disks=of_disk(diskName="ibgw-paper")), 409, "already exists"),
    "VM of another": ("POST", INSTANCES, new(name="ibgw-paper"), 409, "already exists"),
    "subnet": ("POST", INSTANCES, new(networkInterfaces=[{"subnetwork": f"{SUBNET}x"}]), 404, "gatewayx"),
    "address outside": ("POST", INSTANCES, new(networkInterfaces=of_interface(networkIP="10.7.0.1")), 400, "Not in"),
    "address in use": ("POST", INSTANCES, new(networkInterfaces=of_interface(networkIP="10.99.0.1")), 400, "already"),
    "no such public address": (
        "POST",
        INSTANCES,
        new(networkInterfaces=of_interface(accessConfigs=[{"natIP": "203.0.113.99"}])),
        400,
        "was not found",
    ),
    "limit without action": (
        "POST", INSTANCES, new(scheduling={"maxRunDuration": {"seconds": "60"}}), 400, "goes with a maximum"
    ),
    "short limit": (
        "POST",
        INSTANCES,
        new(scheduling={"maxRunDuration": {"seconds": "1"}, "instanceTerminationAction": "STOP"}),
        400,
        "between 30 seconds",
    ),
    "status": ("POST", INSTANCES, new(status="RUNNING"), 400, "output only"),
    "size while running": (
        "POST", f"{INSTANCES}/ibgw-paper/setMachineType", {"machineType": NEW["machineType"]}, 400, "stopped"
    ),
    "account while running": ("POST", f"{INSTANCES}/ibgw-paper/setServiceAccount", {}, 400, "stopped instance"),
    "scheduling while running": ("POST", f"{INSTANCES}/ibgw-paper/setScheduling", {}, 400, "stopped instance"),
    "shields while running": ("PATCH", f"{INSTANCES}/ibgw-paper/updateShieldedInstanceConfig", {}, 400, "stopped"),
    "shields by POST": ("POST", f"{INSTANCES}/ibgw-paper/updateShieldedInstanceConfig", {}, 405, "not allowed"),
    "labels without fingerprint": ("POST", f"{INSTANCES}/ibgw-paper/setLabels", {"labels": {}}, 412, "fingerprint"),
    "tags without fingerprint": ("POST", f"{INSTANCES}/ibgw-paper/setTags", {"items": []}, 412, "fingerprint"),
    "metadata without fingerprint": ("POST", f"{INSTANCES}/ibgw-paper/setMetadata", {"items": []}, 412, "fingerprint"),
    "protection as text": (
        "POST", f"{INSTANCES}/ibgw-paper/setDeletionProtection?deletionProtection=None", None, 400, "no boolean"
    ),
    "no such interface": (
        "POST", f"{INSTANCES}/ibgw-paper/addAccessConfig?networkInterface=nic1", {}, 400, "no such interface"
    ),
    "no such access": (
        "POST",
        f"{INSTANCES}/ibgw-paper/deleteAccessConfig?networkInterface=nic0&accessConfig=x",
        None,
        400,
        "no such access config",
    ),
    "access without interface": ("POST", f"{INSTANCES}/ibgw-paper/addAccessConfig", {}, 400, "networkInterface"),
    "address of an access": (
        "POST",
        f"{INSTANCES}/ibgw-paper/updateAccessConfig?networkInterface=nic0",
        {"natIP": "203.0.113.1"},
        400,
        "cannot be changed",
    ),
    "a smaller disk": ("POST", f"{PROJECT}/{DISK}/resize", {"sizeGb": "10"}, 400, "larger than 20"),
    "disk in use": ("DELETE", f"{PROJECT}/{DISK}", None, 400, "already being used by"),
    "schedule in use": ("DELETE", f"{PROJECT}/{POLICY}", None, 400, "already being used by"),
    "a second schedule": (
        "POST",
        f"{PROJECT}/{DISK}/addResourcePolicies",
        {"resourcePolicies": ["regions/europe-west1/resourcePolicies/ibgw-paper"]},
        400,
        "at most one",
    ),
    "schedule that it has not": (
        "POST",
        f"{PROJECT}/{DISK}/removeResourcePolicies",
        {"resourcePolicies": [OTHER]},
        400,
        "does not have it",
    ),
    "half past": (
        "POST", POLICIES, {"name": "x", "snapshotSchedulePolicy": {"schedule": DAILY}}, 400, "on the hour"
    ),
    "address in use by a VM": ("DELETE", f"{PROJECT}/regions/europe-west1/addresses/paper", None, 400, "being used"),
    "subnet in use by a VM": ("DELETE", f"{PROJECT}/regions/europe-west1/subnetworks/gateway", None, 400, "being used"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused(machine: RunModule, ask: Ask, fake: FakeGcp, case: tuple[str, str, Any, int, str]) -> None:
    machine()
    before = fake.resource(INSTANCE)
    verb, path, body, status, message = case
    got, answer = ask(verb, path, body)
    assert (got, answer["error"]["code"]) == (status, status)
    assert message in answer["error"]["message"]
    assert fake.resource(INSTANCE) == before


def test_states(machine: RunModule, ask: Ask, fake: FakeGcp) -> None:
    fake.state.operation_seconds = 0.1
    moves = {"stop": ("STOPPING", "TERMINATED"), "start": ("STAGING", "RUNNING")}
    machine()
    for verb, (during, after) in moves.items():
        operation = ask("POST", f"{INSTANCES}/ibgw-paper/{verb}")[1]
        assert ask("GET", f"{INSTANCES}/ibgw-paper")[1]["status"] == during
        assert ask("POST", f"{INSTANCES}/ibgw-paper/{verb}")[1]["error"]["errors"][0]["reason"] == "resourceNotReady"
        assert operation["zone"].endswith("zones/europe-west1-b")
        ask("POST", f"{PROJECT}/zones/europe-west1-b/operations/{operation['name']}/wait")
        assert ask("GET", f"{INSTANCES}/ibgw-paper")[1]["status"] == after


def test_a_vm_that_fails_leaves_no_disk(machine: RunModule, ask: Ask, fake: FakeGcp) -> None:
    fake.fault("instances.insert", operation_error=("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded."))
    machine()
    assert {path.split("/")[-2] for path in fake.state.resources if path.endswith("ibgw-paper")} == {"resourcePolicies"}
