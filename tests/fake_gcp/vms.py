"""VMs with their disks and the schedules of their snapshots."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from tests.fake_gcp import links
from tests.fake_gcp.errors import ApiError, invalid, not_found
from tests.fake_gcp.resources import KINDS, Body, Kind
from tests.fake_gcp.state import (
    ACTIONS,
    Entry,
    Request,
    State,
    check_fingerprint,
    check_new,
    fingerprint,
    merged,
)

MEMORY_MB = {
    "e2-micro": 1024,
    "e2-small": 2048,
    "e2-medium": 4096,
    "e2-standard-2": 8192,
    "n1-standard-1": 3840,
    "e2-custom-2-1024": 1024,
    "n4-standard-2": 8192,
    "c4a-standard-1": 4096,
    "t2a-standard-1": 4096,
}
# The series that are Arm: https://cloud.google.com/compute/docs/instances/arm-on-compute
ARM = ("c4a", "n4a", "t2a")
# https://cloud.google.com/compute/docs/disks/hyperdisks: those that have nothing else, and those that have none.
HYPERDISK_ONLY, HYPERDISK_NEVER = ("c4", "c4a", "c4d", "n4", "n4a", "n4d"), ("e2", "n1", "t2a")
FAMILIES = (
    "projects/debian-cloud/global/images/family/debian-12",
    "projects/debian-cloud/global/images/family/debian-13",
    "projects/debian-cloud/global/images/family/debian-12-arm64",
    "projects/debian-cloud/global/images/family/debian-13-arm64",
)
DISK_TYPES = ("pd-balanced", "pd-ssd", "pd-standard", "hyperdisk-balanced")


def _machine_type(request: Request, link: str) -> str:
    """The link of a machine type of the request's zone."""
    path = links.path(link, request.project)
    start, _slash, name = path.rpartition("/machineTypes/")
    if start != request.scope or name not in MEMORY_MB:
        raise invalid("resource.machineType", link, "The machine type does not exist in this zone.")
    return links.HOST + path


def _get_machine_type(_state: State, request: Request) -> Body:
    name = request.path["machineType"]
    if name not in MEMORY_MB:
        raise not_found(request.target)
    shape = {"memoryMb": MEMORY_MB[name], "guestCpus": 2, "architecture": _architecture(name)}
    return {"kind": "compute#machineType", "name": name, **shape}


def _architecture(machine_type: str) -> str:
    return "ARM64" if machine_type.split("-")[0] in ARM else "X86_64"


def _get_image(_state: State, request: Request) -> Body:
    """An image, or the newest one of a family."""
    family = request.method.action == "getFromFamily"
    path = f"{request.scope}/images/{'family/' if family else ''}{request.path['family' if family else 'image']}"
    if not _is_image(path):
        raise not_found(path)
    name = path.rpartition("/")[2] + ("-v20261110" if family else "")
    body = {"kind": "compute#image", "name": name, "selfLink": f"{links.HOST}{request.scope}/images/{name}"}
    return {**body, "architecture": "ARM64" if "-arm64" in name else "X86_64", "status": "READY"}


def _is_image(path: str) -> bool:
    return path in FAMILIES or re.fullmatch(r"projects/debian-cloud/global/images/debian-1[23]-\S+", path) is not None


def _check_fits(machine_type: str, disk: Body) -> None:
    """ApiError for a disk that a machine type cannot boot from."""
    name, kind = machine_type.rpartition("/")[2], disk["type"].rpartition("/")[2]
    if disk["architecture"] != _architecture(name):
        text = f"The architecture {_architecture(name)} is not that of the disk, {disk['architecture']}."
        raise invalid("resource.machineType", name, text)
    hyperdisk, series = kind.startswith("hyperdisk-"), name.split("-")[0]
    if series in (HYPERDISK_NEVER if hyperdisk else HYPERDISK_ONLY):
        text = f"[{kind}] features and [instance_machine_type: {name}] are not compatible for creating instance."
        raise ApiError(400, "invalid", text)


def _get_zone(_state: State, request: Request) -> Body:
    return {"kind": "compute#zone", "name": request.path["zone"], "status": "UP"}


def _fill_policy(body: Body, _others: list[Body]) -> None:
    body["status"] = "READY"


def _check_policy(body: Body, _others: list[Body]) -> None:
    policy = body.get("snapshotSchedulePolicy", {})
    daily, kept = policy.get("schedule", {}).get("dailySchedule", {}), policy.get("retentionPolicy", {})
    if not re.fullmatch(r"([01]\d|2[0-3]):00", daily.get("startTime", "")):
        raise invalid("resource.snapshotSchedulePolicy", daily, "The start time must be on the hour.")
    if daily.get("daysInCycle", 0) < 1 or kept.get("maxRetentionDays", 0) < 1:
        raise invalid("resource.snapshotSchedulePolicy", policy, "Days are counted from 1.")


def _nothing(_body: Body, _others: list[Body]) -> None:
    pass


def _new_disk(state: State, request: Request, name: str, given: Body) -> tuple[str, Entry]:
    """The disk that a VM is made with."""
    path = f"{request.scope}/disks/{name}"
    if path in state.resources:
        raise ApiError(409, "alreadyExists", f"The resource '{path}' already exists")
    source = _source(state, request, given)
    kind = links.path(given.get("diskType", f"{request.scope}/diskTypes/pd-standard"), request.project)
    if kind.removeprefix(f"{request.scope}/diskTypes/") not in DISK_TYPES:
        raise invalid("resource.disks[0].initializeParams.diskType", kind, "The disk type does not exist.")
    size = int(given.get("diskSizeGb", 10))
    if size < source["diskSizeGb"]:
        raise invalid("resource.disks[0].initializeParams.diskSizeGb", size, "Smaller than its source.")
    body = {
        "kind": "compute#disk",
        "id": str(2 * 10**18 + len(state.operations)),
        "name": name,
        "zone": links.HOST + request.scope,
        "selfLink": links.HOST + path,
        "sizeGb": str(size),
        "type": links.HOST + kind,
        source["field"]: links.HOST + source["path"],
        "architecture": source["architecture"],
        "status": "READY",
        "labels": given.get("labels", {}),
        "resourcePolicies": given.get("resourcePolicies", []),
    }
    state.check_links(links.targets("disks", body, request.project))
    links.expand("disks", body, request.project)
    return path, Entry(body, busy=True)


def _source(state: State, request: Request, given: Body) -> Body:
    """The image or the snapshot that a disk is made from."""
    if bool(given.get("sourceImage")) is bool(given.get("sourceSnapshot")):
        raise invalid("resource.disks[0].initializeParams", given, "It has either an image or a snapshot.")
    if given.get("sourceSnapshot"):
        path = links.path(given["sourceSnapshot"], request.project)
        snapshot = state.entry(path).body
        if snapshot["status"] != "READY":
            raise ApiError(400, "resourceNotReady", f"The resource '{path}' is not ready")
        found = {"field": "sourceSnapshot", "path": path, "diskSizeGb": int(snapshot["diskSizeGb"])}
        return {**found, "architecture": snapshot["architecture"]}
    path = links.path(given["sourceImage"], request.project)
    if not _is_image(path):
        raise ApiError(404, "notFound", f"The resource '{path}' was not found")
    return {
        "field": "sourceImage",
        "path": path,
        "diskSizeGb": 10,
        "architecture": "ARM64" if "-arm64" in path else "X86_64",
    }


def _interface(state: State, request: Request, given: Body) -> Body:
    """The only network interface of a new VM."""
    subnet = state.entry(links.path(given.get("subnetwork", ""), request.project)).body
    address = given.setdefault("networkIP", _free(state, subnet["ipCidrRange"]))
    inside = ipaddress.ip_address(address) in ipaddress.ip_network(subnet["ipCidrRange"])
    if not inside and not _reserved(state, "networkIP", address):
        raise invalid("resource.networkInterfaces[0].networkIP", address, f"Not in range {subnet['ipCidrRange']}.")
    if address in _taken(state, "networkIP"):
        raise ApiError(400, "resourceInUseByAnotherResource", f"IP '{address}' is already being used.")
    configs = [_access_config(state, each) for each in given.get("accessConfigs", [])]
    more = {"accessConfigs": configs} if configs else {}
    return {"name": "nic0", "network": subnet["network"], **given, **more}


def _free(state: State, within: str) -> str:
    hosts = [str(each) for each in ipaddress.ip_network(within).hosts()][1:]
    return next(each for each in hosts if each not in _taken(state, "networkIP"))


def _taken(state: State, field: str) -> set[str]:
    """The addresses of one sort that VMs have."""
    interfaces = [
        interface
        for path, entry in state.resources.items()
        if "/instances/" in path
        for interface in entry.body["networkInterfaces"]
    ]
    if field == "networkIP":
        return {each["networkIP"] for each in interfaces}
    return {config["natIP"] for each in interfaces for config in each.get("accessConfigs", []) if "natIP" in config}


def _reserved(state: State, field: str, address: str) -> Body | None:
    kind = "INTERNAL" if field == "networkIP" else "EXTERNAL"
    entries = [entry.body for path, entry in state.resources.items() if "/addresses/" in path]
    return next((each for each in entries if (each["addressType"], each["address"]) == (kind, address)), None)


def _access_config(state: State, given: Body) -> Body:
    address = given.get("natIP")
    if address is None:
        return {"name": "External NAT", "networkTier": "PREMIUM", "natIP": "198.51.100.7", **given}
    reserved = _reserved(state, "natIP", address)
    if reserved is None:
        raise invalid("resource.accessConfigs[0].natIP", address, "The specified external IP address was not found.")
    if address in _taken(state, "natIP"):
        raise ApiError(400, "externalIpAlreadyInUse", f"External IP address '{address}' is already in-use.")
    if given.get("networkTier", "PREMIUM") != reserved["networkTier"]:
        raise invalid("resource.accessConfigs[0].networkTier", given.get("networkTier"), "The address has another.")
    return {"name": "External NAT", "networkTier": "PREMIUM", **given}


def _check_scheduling(body: Body) -> Body:
    """A VM's scheduling with Google's defaults."""
    found = {
        "onHostMaintenance": "MIGRATE",
        "automaticRestart": True,
        "preemptible": False,
        "provisioningModel": "STANDARD",
        **body,
    }
    limit = body.get("maxRunDuration")
    if limit and not 30 <= int(limit.get("seconds", 0)) <= 120 * 86400:
        raise invalid("scheduling.maxRunDuration", limit, "It must be between 30 seconds and 120 days.")
    spot = found["provisioningModel"] == "SPOT"
    if spot and (found["automaticRestart"] or found["onHostMaintenance"] != "TERMINATE"):
        raise invalid("scheduling", body, "A Spot VM is neither restarted nor migrated.")
    if spot:
        return {"instanceTerminationAction": "STOP", **found, "preemptible": True}
    if bool(limit) != ("instanceTerminationAction" in body):
        raise invalid("scheduling.instanceTerminationAction", body, "It goes with a maximum run duration.")
    return found


def _insert(state: State, request: Request) -> Body:
    path, body = request.target, copy.deepcopy(request.body)
    check_new(state, request)
    name, disks = body["name"], body.get("disks", [])
    if len(disks) != 1 or not disks[0].get("boot") or len(body.get("networkInterfaces", [])) != 1:
        raise invalid("resource.disks", len(disks), "The fake makes VMs with one disk, and one interface.")
    given = disks[0].pop("initializeParams", {})
    disk_path, disk = _new_disk(state, request, given.get("diskName", name), given)
    attached = {"deviceName": "persistent-disk-0", "mode": "READ_WRITE", "type": "PERSISTENT", "autoDelete": False}
    body |= {
        "kind": "compute#instance",
        "id": str(10**18 + len(state.operations)),
        "selfLink": links.HOST + path,
        "zone": links.HOST + request.scope,
        "creationTimestamp": "2026-11-20T09:00:00.000-08:00",
        "status": "PROVISIONING",
        "machineType": _machine_type(request, body.get("machineType", "")),
        "disks": [{**attached, **disks[0], "index": 0, "source": links.HOST + disk_path}],
        "networkInterfaces": [_interface(state, request, body["networkInterfaces"][0])],
        "scheduling": _check_scheduling(body.get("scheduling", {})),
        "shieldedInstanceConfig": {
            "enableSecureBoot": False,
            "enableVtpm": True,
            "enableIntegrityMonitoring": True,
            **body.get("shieldedInstanceConfig", {}),
        },
        "deletionProtection": body.get("deletionProtection", False),
    }
    for field in ("tags", "metadata"):
        body.setdefault(field, {})
    _check_fits(body["machineType"], disk.body)
    state.resources[disk_path] = disk
    state.check_links(links.targets("instances", body, request.project) - {disk_path})
    links.expand("instances", body, request.project)
    entry = state.resources[path] = Entry(body, busy=True)

    def finish(succeeded: bool) -> None:
        entry.busy = disk.busy = False
        entry.body["status"] = "RUNNING"
        state.published[path] = list(state.host_keys) if _may_publish(body) else []
        if not succeeded:
            del state.resources[path], state.resources[disk_path]

    return state.start(request, path, finish)


def _get_guest_attributes(state: State, request: Request) -> Body:
    """Guest attributes that a VM's agent has published at its first boot, if allowed then and now."""
    instance, path = state.entry(request.target).body, request.query.get("queryPath", "")
    found = state.published.get(request.target, [])
    boots = state.asked_in_vain.get(instance["name"], 0)
    state.asked_in_vain[instance["name"]] = max(0, boots - 1)
    if not _may_publish(instance) or boots or path != "hostkeys/" or not found:
        raise ApiError(404, "notFound", f"The resource '{path}' of type 'Guest Attribute' was not found.")
    items = [{"namespace": "hostkeys", "key": kind, "value": value} for kind, value in found]
    return {"kind": "compute#guestAttributes", "queryPath": path, "queryValue": {"items": items}}


def _may_publish(instance: Body) -> bool:
    items = instance.get("metadata", {}).get("items", [])
    return {"key": "enable-guest-attributes", "value": "TRUE"} in items


def _delete(state: State, request: Request) -> Body:
    path, entry = request.target, state.ready(request.target)
    if entry.body["deletionProtection"]:
        raise ApiError(400, "invalidUsage", f"Resource '{path}' is protected against deletion.")
    entry.busy, entry.body["status"] = True, "STOPPING"

    def finish(succeeded: bool) -> None:
        entry.busy = False
        if succeeded:
            del state.resources[path]
            for disk in entry.body["disks"]:
                if disk["autoDelete"]:
                    del state.resources[links.path(disk["source"], request.project)]

    return state.start(request, path, finish)


def _start(state: State, request: Request) -> Body:
    return _move(state, request, "TERMINATED", "STAGING", "RUNNING")


def _stop(state: State, request: Request) -> Body:
    return _move(state, request, "RUNNING", "STOPPING", "TERMINATED")


def _move(state: State, request: Request, before: str, during: str, after: str) -> Body:
    """Start or stop a VM; nothing changes where it is in that state already."""
    entry = state.ready(request.target)
    if entry.body["status"] not in (before, after):
        raise ApiError(400, "invalidUsage", f"The instance is {entry.body['status']}.")
    moves = entry.body["status"] == before
    if moves:
        entry.busy, entry.body["status"] = True, during

    def finish(succeeded: bool) -> None:
        entry.busy = False
        if moves:
            entry.body["status"] = after if succeeded else before

    return state.start(request, request.target, finish)


def _stopped(state: State, request: Request) -> Body:
    """The body of a VM for a change that only a stopped one may have."""
    body = copy.deepcopy(state.ready(request.target).body)
    if body["status"] != "TERMINATED":
        raise ApiError(400, "invalidUsage", f"{request.method.action} needs a stopped instance: '{request.target}'.")
    return body


def _set_machine_type(state: State, request: Request) -> Body:
    body = _stopped(state, request)
    wanted = _machine_type(request, request.body.get("machineType", ""))
    boot = next(each for each in body["disks"] if each["boot"])
    _check_fits(wanted, state.entry(links.path(boot["source"], request.project)).body)
    return state.change(request, body | {"machineType": wanted})


def _set_service_account(state: State, request: Request) -> Body:
    accounts = [{"scopes": [], **request.body}] if request.body.get("email") else []
    return state.change(request, _stopped(state, request) | {"serviceAccounts": accounts})


def _set_scheduling(state: State, request: Request) -> Body:
    return state.change(request, _stopped(state, request) | {"scheduling": _check_scheduling(request.body)})


def _update_shielded(state: State, request: Request) -> Body:
    body = _stopped(state, request)
    return state.change(request, merged(body, {"shieldedInstanceConfig": request.body}))


def _set_listed(field: str) -> Callable[[State, Request], Body]:
    """setTags and setMetadata: all items, by the fingerprint of those that were read."""

    def change(state: State, request: Request) -> Body:
        body = copy.deepcopy(state.ready(request.target).body)
        given = copy.deepcopy(request.body)
        check_fingerprint(given.pop("fingerprint", None), fingerprint(body[field]))
        return state.change(request, body | {field: given})

    return change


def _set_deletion_protection(state: State, request: Request) -> Body:
    wanted = request.query.get("deletionProtection", "true").lower() == "true"
    return state.change(request, copy.deepcopy(state.ready(request.target).body) | {"deletionProtection": wanted})


def _set_auto_delete(state: State, request: Request) -> Body:
    body = copy.deepcopy(state.ready(request.target).body)
    disk = next((each for each in body["disks"] if each["deviceName"] == request.query["deviceName"]), None)
    if disk is None:
        raise invalid("deviceName", request.query["deviceName"], "The VM has no such disk.")
    disk["autoDelete"] = request.query["autoDelete"].lower() == "true"
    return state.change(request, body)


def _configs(state: State, request: Request) -> tuple[Body, list[Any]]:
    """A VM's body to change, and the access configs of the interface that the request names."""
    body = copy.deepcopy(state.ready(request.target).body)
    if request.query["networkInterface"] != "nic0":
        raise invalid("networkInterface", request.query["networkInterface"], "The VM has no such interface.")
    configs: list[Any] = body["networkInterfaces"][0].setdefault("accessConfigs", [])
    return body, configs


def _add_access_config(state: State, request: Request) -> Body:
    body, configs = _configs(state, request)
    if configs:
        raise invalid("accessConfig", request.body, "At most one access config currently supported.")
    configs.append(_access_config(state, copy.deepcopy(request.body)))
    return state.change(request, body)


def _delete_access_config(state: State, request: Request) -> Body:
    body, configs = _configs(state, request)
    if [each["name"] for each in configs] != [request.query["accessConfig"]]:
        raise invalid("accessConfig", request.query["accessConfig"], "The interface has no such access config.")
    del body["networkInterfaces"][0]["accessConfigs"]
    return state.change(request, body)


def _update_access_config(state: State, request: Request) -> Body:
    body, configs = _configs(state, request)
    if not configs or request.body.get("natIP", configs[0]["natIP"]) != configs[0]["natIP"]:
        raise invalid("resource.natIP", request.body.get("natIP"), "The address of an access config cannot be changed.")
    configs[0] |= request.body
    return state.change(request, body)


def _resize(state: State, request: Request) -> Body:
    body = copy.deepcopy(state.ready(request.target).body)
    if int(request.body["sizeGb"]) <= int(body["sizeGb"]):
        raise invalid("sizeGb", request.body["sizeGb"], f"It must be larger than {body['sizeGb']}.")
    return state.change(request, body | {"sizeGb": str(request.body["sizeGb"])})


def _add_policies(state: State, request: Request) -> Body:
    body = copy.deepcopy(state.ready(request.target).body)
    body["resourcePolicies"] = [*body["resourcePolicies"], *request.body.get("resourcePolicies", [])]
    if len(body["resourcePolicies"]) > 1:
        raise invalid("resourcePolicies", body["resourcePolicies"], "A disk has at most one schedule of snapshots.")
    state.check_links(links.targets("disks", body, request.project))
    links.expand("disks", body, request.project)
    return state.change(request, body)


def _remove_policies(state: State, request: Request) -> Body:
    body = copy.deepcopy(state.ready(request.target).body)
    gone = {links.HOST + links.path(each, request.project) for each in request.body.get("resourcePolicies", [])}
    if not gone <= set(body["resourcePolicies"]):
        raise invalid("resourcePolicies", sorted(gone), "The disk does not have it.")
    body["resourcePolicies"] = [each for each in body["resourcePolicies"] if each not in gone]
    return state.change(request, body)


def register() -> None:
    """Add this module's methods to the fake."""
    KINDS.update(
        instances=Kind(_nothing, _nothing, frozenset()),
        disks=Kind(_nothing, _nothing, frozenset()),
        resourcePolicies=Kind(_fill_policy, _check_policy, frozenset({"description", "snapshotSchedulePolicy"})),
    )
    ACTIONS.update(
        {
            "disks.addResourcePolicies": _add_policies,
            "disks.removeResourcePolicies": _remove_policies,
            "disks.resize": _resize,
            "images.get": _get_image,
            "images.getFromFamily": _get_image,
            "instances.addAccessConfig": _add_access_config,
            "instances.delete": _delete,
            "instances.deleteAccessConfig": _delete_access_config,
            "instances.getGuestAttributes": _get_guest_attributes,
            "instances.insert": _insert,
            "instances.setDeletionProtection": _set_deletion_protection,
            "instances.setDiskAutoDelete": _set_auto_delete,
            "instances.setMachineType": _set_machine_type,
            "instances.setMetadata": _set_listed("metadata"),
            "instances.setScheduling": _set_scheduling,
            "instances.setServiceAccount": _set_service_account,
            "instances.setTags": _set_listed("tags"),
            "instances.start": _start,
            "instances.stop": _stop,
            "instances.updateAccessConfig": _update_access_config,
            "instances.updateShieldedInstanceConfig": _update_shielded,
            "machineTypes.get": _get_machine_type,
            "zones.get": _get_zone,
        }
    )
