# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a VM, its disk and the schedule of its snapshots are changed."""

from __future__ import annotations

import collections.abc as c

from . import views, vm_views
from .kinds import DISK, INSTANCE, MARK, MARK_LABEL, POLICY, Kind
from .vm_views import RUNNING, TERMINATED
from .ways import Body, Call, Ways

# Google changes these while the VM is stopped, and only then.
WHILE_STOPPED = {"machineType", "serviceAccounts", "scheduling", "shieldedInstanceConfig"}
INTERFACE = {"network_interface": "nic0"}


def _create_instance(name: str, wanted: views.View) -> list[Call]:
    disk, zone = wanted["disk"], wanted["zone"]
    interface = {"subnetwork": wanted["subnetwork"], "nicType": "GVNIC", "stackType": "IPV4_ONLY"}
    if wanted["networkIP"]:
        interface["networkIP"] = wanted["networkIP"]
    body = {
        "name": name,
        "machineType": f"{zone}/machineTypes/{wanted['machineType']}",
        "canIpForward": False,
        "deletionProtection": wanted["deletionProtection"],
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    **disk,
                    "diskType": f"{zone}/diskTypes/{disk['diskType']}",
                    "diskSizeGb": str(disk["diskSizeGb"]),
                },
            }
        ],
        "labels": wanted["labels"],
        "metadata": {"items": _items(wanted["metadata"])},
        "networkInterfaces": [
            {**interface, **({"accessConfigs": [_access(wanted)]} if wanted["natIP"] else {})},
        ],
        "scheduling": {**_scheduling(wanted), "provisioningModel": "STANDARD"},
        "serviceAccounts": wanted["serviceAccounts"],
        "shieldedInstanceConfig": wanted["shieldedInstanceConfig"],
        "tags": {"items": wanted["tags"]},
    }
    return [Call("insert", body), *([Call("stop")] if wanted["status"] == TERMINATED else [])]


def _change_instance(_name: str, found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    before, stopped = vm_views.instance(found), differing & WHILE_STOPPED
    yield from _change_running(found, wanted, differing)
    if before["status"] == RUNNING and (stopped or wanted["status"] == TERMINATED):
        yield Call("stop")
    yield from _change_stopped(found, wanted, stopped)
    if wanted["status"] == RUNNING and (stopped or before["status"] != RUNNING):
        yield Call("start")


def _change_running(found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    """What changes whether the VM runs or not."""
    if "deletionProtection" in differing:
        yield Call("setDeletionProtection", None, {"deletion_protection": wanted["deletionProtection"]})
    if "labels" in differing:
        yield Call("setLabels", {"labels": wanted["labels"], "labelFingerprint": found["labelFingerprint"]})
    if "metadata" in differing:
        before = found["metadata"]["fingerprint"]
        yield Call("setMetadata", {"items": _items(wanted["metadata"]), "fingerprint": before})
    if "tags" in differing:
        yield Call("setTags", {"items": wanted["tags"], "fingerprint": found["tags"]["fingerprint"]})
    if "autoDelete" in differing:
        name = vm_views.boot_disk(found)["deviceName"]
        yield Call("setDiskAutoDelete", None, {"auto_delete": wanted["autoDelete"], "device_name": name})
    if "natIP" in differing:
        # The address of an access config stays what it is.
        for config in found["networkInterfaces"][0].get("accessConfigs", []):
            yield Call("deleteAccessConfig", None, {**INTERFACE, "access_config": config["name"]})
        if wanted["natIP"]:
            yield Call("addAccessConfig", _access(wanted), INTERFACE)


def _change_stopped(found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    if "machineType" in differing:
        zone = found["machineType"].rpartition("/machineTypes/")[0]
        yield Call("setMachineType", {"machineType": f"{zone}/machineTypes/{wanted['machineType']}"})
    if "serviceAccounts" in differing:
        yield Call("setServiceAccount", wanted["serviceAccounts"][0] if wanted["serviceAccounts"] else {})
    if "scheduling" in differing:
        # As a whole: what is not said is gone.
        kept = {name: value for name, value in found.get("scheduling", {}).items() if name not in wanted["scheduling"]}
        yield Call("setScheduling", {**kept, **_scheduling(wanted)})
    if "shieldedInstanceConfig" in differing:
        yield Call("updateShieldedInstanceConfig", wanted["shieldedInstanceConfig"])


def _items(metadata: views.View) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in sorted(metadata.items())]


def _access(wanted: views.View) -> Body:
    return {
        "name": "External NAT",
        "type": "ONE_TO_ONE_NAT",
        "natIP": wanted["natIP"],
        "networkTier": wanted["networkTier"],
    }


def _scheduling(wanted: views.View) -> Body:
    found = {name: value for name, value in wanted["scheduling"].items() if value != ""}
    seconds = found.pop("maxRunDuration")
    return {**found, **({"maxRunDuration": {"seconds": str(seconds)}} if seconds else {})}


def _mutable_instance(before: views.View, _wanted: views.View) -> set[str]:
    return set(before) - {"subnetwork", "networkIP"}


def _mutable_disk(before: views.View, wanted: views.View) -> set[str]:
    return {"labels", "resourcePolicies", *(["sizeGb"] if wanted["sizeGb"] >= before["sizeGb"] else [])}


def _create_disk(_name: str, _wanted: views.View) -> list[Call]:
    """A disk is made together with its VM."""
    return []


def _change_disk(_name: str, found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    if "sizeGb" in differing:
        yield Call("resize", {"sizeGb": str(wanted["sizeGb"])})
    if "labels" in differing:
        yield Call("setLabels", {"labels": wanted["labels"], "labelFingerprint": found["labelFingerprint"]})
    before, after = set(vm_views.disk(found)["resourcePolicies"]), set(wanted["resourcePolicies"])
    # A disk has one schedule at most.
    if before - after:
        yield Call("removeResourcePolicies", {"resourcePolicies": sorted(before - after)})
    if after - before:
        yield Call("addResourcePolicies", {"resourcePolicies": sorted(after - before)})


def _create_policy(name: str, wanted: views.View) -> list[Call]:
    policy = {**_policy(wanted), "snapshotProperties": {"labels": {MARK_LABEL: name}}}
    return [Call("insert", {"name": name, "description": MARK, "snapshotSchedulePolicy": policy})]


def _change_policy(_name: str, _found: Body, wanted: views.View, _differing: set[str]) -> c.Iterator[Call]:
    yield Call("patch", {"snapshotSchedulePolicy": _policy(wanted)})


def _policy(wanted: views.View) -> Body:
    return {
        "schedule": {"dailySchedule": {name: wanted[name] for name in ("startTime", "daysInCycle")}},
        "retentionPolicy": {name: wanted[name] for name in ("maxRetentionDays", "onSourceDiskDelete")},
    }


def _mutable_policy(before: views.View, _wanted: views.View) -> set[str]:
    return set(before)


WAYS: dict[Kind, Ways] = {
    INSTANCE: Ways(vm_views.instance, _mutable_instance, _create_instance, _change_instance),
    DISK: Ways(vm_views.disk, _mutable_disk, _create_disk, _change_disk),
    POLICY: Ways(vm_views.policy, _mutable_policy, _create_policy, _change_policy),
}
