# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from .. import host_keys
from ..api.errors import RefusedError
from ..api.normal import Normalized, last, link, without_none
from ..api.plan import Change, DesiredState, Key
from ..api.resource import MARK_LABEL, Body, Call, Options, Resource, Verb
from ..rules import NAME, between, labels, named, place, zone
from . import disk, interface, machine_type, metadata, recovery

RUNNING, TERMINATED = "RUNNING", "TERMINATED"
# Transitional states count as the state that they lead to; others, for example SUSPENDED, are kept.
SETTLING = {
    **dict.fromkeys(("PENDING", "PROVISIONING", "STAGING", "REPAIRING"), RUNNING),
    **dict.fromkeys(("PENDING_STOP", "STOPPING", "STOPPED", "DEPROVISIONING"), TERMINATED),
}
STANDARD, SPOT = "STANDARD", "SPOT"
STATES = {"running": {"status": RUNNING}, "stopped": {"status": TERMINATED}}
# Google changes these only while the VM is stopped.
WHILE_STOPPED = {"machineType", "serviceAccounts", "scheduling", "shieldedInstanceConfig"}
# Transitional states.
PASSING = ("PENDING", "PROVISIONING", "STAGING", "REPAIRING", "PENDING_STOP", "STOPPING", "DEPROVISIONING")
SHIELDS = {
    "secure_boot": "enableSecureBoot",
    "vtpm": "enableVtpm",
    "integrity_monitoring": "enableIntegrityMonitoring",
}
# Inventory gcp_gateways looks for these labels.
MODE_LABEL = "ibgw-mode"
ROLES = {"live": "ib-gateway", "paper": "ib-gateway", "bastion": "ib-bastion"}
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
NEW_MACHINE_TYPE = "e2-medium"
NEW: Normalized = {
    "machineType": NEW_MACHINE_TYPE,
    "status": RUNNING,
    "networkIP": "",
    "labels": {},
    "tags": [],
    "metadata": {},
    "serviceAccounts": [],
    "shieldedInstanceConfig": dict.fromkeys(SHIELDS.values(), True),
    "scheduling": {
        "automaticRestart": True,
        "onHostMaintenance": "MIGRATE",
        "provisioningModel": STANDARD,
        "maxRunDuration": 0,
        "instanceTerminationAction": "",
    },
    "deletionProtection": False,
}

IMAGE = r"(https://\S+/)?projects/[^/ ]+/global/images/(family/)?[a-z0-9-]+|[a-z][a-z0-9.:-]*/[a-z][a-z0-9-]*"
ACCOUNT = r"[a-z0-9.-]+@[a-z0-9.-]+\.[a-z]+"
SCOPE = r"(https://www\.googleapis\.com/auth/)?[a-z_.-]+"
_problem = table(
    {
        "gcp-zone-elsewhere": ("a zone of {other}, not of region {region}", "correct one of the two"),
        "gcp-image": (
            "not an image",
            "write a family as debian-cloud/debian-12, or a path as "
            "projects/debian-cloud/global/images/family/debian-12",
        ),
        "gcp-label-reserved": ("the module sets this label by name and mode", "remove it"),
        "gcp-stop-without-start": (
            "with state present, a run that is interrupted after the stop would leave the VM stopped",
            "set state to running or stopped",
        ),
        "gcp-service-account": (
            "not the e-mail address of a service account",
            "write it as `gcloud iam service-accounts list` shows it",
        ),
        "gcp-scope": (
            "not a scope",
            "write it as cloud-platform, or as https://www.googleapis.com/auth/cloud-platform",
        ),
        "gcp-no-scopes": ("an account without scopes may do nothing", "clear service_account instead"),
        "gcp-tag": ("Google wants lower case letters, digits and dashes, a letter first", "rename the tag"),
        "gcp-vm-status": (
            "VM {name} is {status}, from which it is neither started nor stopped",
            "resume it, or wait until it has left that status, and run again",
        ),
        "gcp-vm-running": (
            "it is {before} and should be {wanted}, which Google changes only while the VM is stopped, and it runs",
            "set stop_for_update: true to have it stopped and started again, or keep the present value",
        ),
        "gcp-vm-protected": (
            "the VM is protected against deletion",
            "run once with deletion_protection: false to have it removed",
        ),
        "gcp-vm-spot": (
            "the VM is a Spot VM, which Google may stop at any moment, so that a live gateway would have to be signed "
            "in again; Google cannot change that",
            "delete the VM and run again (recreate: true does not, since no option differs), or use it for paper",
        ),
        "gcp-host-key": (
            "not an SSH host key",
            "write it as in the VM's /etc/ssh/ssh_host_ed25519_key.pub: type, blank, base64",
        ),
    }
)


def normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "machineType": last(body["machineType"]),
        "status": SETTLING.get(body["status"], body["status"]),
        **interface.normalized(body),
        "labels": dict(body.get("labels", {})),
        "tags": sorted(body.get("tags", {}).get("items", [])),
        "metadata": metadata.normalized(body),
        "serviceAccounts": [
            {"email": each["email"], "scopes": sorted(each.get("scopes", []))}
            for each in body.get("serviceAccounts", [])
        ],
        "shieldedInstanceConfig": {
            name: body.get("shieldedInstanceConfig", {}).get(name, False) for name in SHIELDS.values()
        },
        "scheduling": _normalized_scheduling(body.get("scheduling", {})),
        "deletionProtection": body.get("deletionProtection", False),
        "autoDelete": boot_disk(body).get("autoDelete", False),
    }


def _normalized_scheduling(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "automaticRestart": body.get("automaticRestart", False),
        "onHostMaintenance": body.get("onHostMaintenance", ""),
        "provisioningModel": body.get("provisioningModel", SPOT if body.get("preemptible") else STANDARD),
        "maxRunDuration": int(body.get("maxRunDuration", {}).get("seconds", 0)),
        "instanceTerminationAction": body.get("instanceTerminationAction", ""),
    }


def boot_disk(body: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The attachment of a VM's boot disk."""
    disks: list[Body] = body.get("disks", [])
    return next((disk for disk in disks if disk.get("boot")), {})


def _create(name: str, desired: Normalized) -> list[Call]:
    boot, zone = desired["disk"], desired["zone"]
    body = {
        "name": name,
        "machineType": f"{zone}/machineTypes/{desired['machineType']}",
        "canIpForward": False,
        "deletionProtection": desired["deletionProtection"],
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    **boot,
                    "diskType": f"{zone}/diskTypes/{boot['diskType']}",
                    "diskSizeGb": str(boot["diskSizeGb"]),
                },
            }
        ],
        "labels": desired["labels"],
        "metadata": {"items": metadata.items(desired["metadata"])},
        "networkInterfaces": [interface.new(desired)],
        "scheduling": _scheduling(desired),
        "serviceAccounts": desired["serviceAccounts"],
        "shieldedInstanceConfig": desired["shieldedInstanceConfig"],
        "tags": {"items": desired["tags"]},
    }
    return [Call("insert", body), *([Call("stop")] if desired["status"] == TERMINATED else [])]


def _change(name: str, found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    before, stopped = normalized(found), differing & WHILE_STOPPED
    yield from _change_running(found, desired, differing)
    if before["status"] == RUNNING and (stopped or desired["status"] == TERMINATED):
        yield Call("stop")
    yield from _change_stopped(found, desired, stopped)
    if desired["status"] == RUNNING and (stopped or before["status"] != RUNNING):
        place = f"--zone {last(found['zone'])} --project {link(found['selfLink']).split('/')[1]}"
        down = f"VM {name} is stopped: `gcloud compute instances start {name} {place}` starts it."
        yield Call("start", always=down, undoes="stop")


def _change_running(found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    """Change the fields that a running VM accepts."""
    if "deletionProtection" in differing:
        yield Call("setDeletionProtection", None, {"deletion_protection": desired["deletionProtection"]})
    if "labels" in differing:
        yield Call("setLabels", {"labels": desired["labels"], "labelFingerprint": found["labelFingerprint"]})
    if "metadata" in differing:
        before = found["metadata"]["fingerprint"]
        yield Call("setMetadata", {"items": metadata.items(desired["metadata"]), "fingerprint": before})
    if "tags" in differing:
        yield Call("setTags", {"items": desired["tags"], "fingerprint": found["tags"]["fingerprint"]})
    if "autoDelete" in differing:
        name = boot_disk(found)["deviceName"]
        yield Call("setDiskAutoDelete", None, {"auto_delete": desired["autoDelete"], "device_name": name})
    if "natIP" in differing:
        yield from interface.change(found, desired)


def _change_stopped(found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    if "machineType" in differing:
        zone = found["machineType"].rpartition("/machineTypes/")[0]
        yield Call("setMachineType", {"machineType": f"{zone}/machineTypes/{desired['machineType']}"})
    if "serviceAccounts" in differing:
        yield Call("setServiceAccount", desired["serviceAccounts"][0] if desired["serviceAccounts"] else {})
    if "scheduling" in differing:
        # As a whole: missing fields are reset.
        kept = {name: value for name, value in found.get("scheduling", {}).items() if name not in desired["scheduling"]}
        yield Call("setScheduling", {**kept, **_scheduling(desired)})
    if "shieldedInstanceConfig" in differing:
        yield Call("updateShieldedInstanceConfig", desired["shieldedInstanceConfig"])


def _scheduling(desired: Normalized) -> Body:
    found = {name: value for name, value in desired["scheduling"].items() if value != ""}
    seconds = found.pop("maxRunDuration")
    return {**found, **({"maxRunDuration": {"seconds": str(seconds)}} if seconds else {})}


def _mutable(before: Normalized, _desired: Normalized) -> set[str]:
    return set(before) - {"subnetwork", "networkIP"}


INSTANCE = Resource(
    "instances",
    "Instance",
    "instance",
    "zone",
    verbs={
        "addAccessConfig": Verb("add_access_config_unary", "AccessConfig"),
        "deleteAccessConfig": Verb("delete_access_config_unary", ""),
        "setDeletionProtection": Verb("set_deletion_protection_unary", "", "resource"),
        "setDiskAutoDelete": Verb("set_disk_auto_delete_unary", ""),
        "setLabels": Verb("set_labels_unary", "InstancesSetLabelsRequest"),
        "setMachineType": Verb("set_machine_type_unary", "InstancesSetMachineTypeRequest"),
        "setMetadata": Verb("set_metadata_unary", "Metadata"),
        "setScheduling": Verb("set_scheduling_unary", "Scheduling"),
        "setServiceAccount": Verb("set_service_account_unary", "InstancesSetServiceAccountRequest"),
        "setTags": Verb("set_tags_unary", "Tags"),
        "start": Verb("start_unary", ""),
        "stop": Verb("stop_unary", ""),
        "updateShieldedInstanceConfig": Verb("update_shielded_instance_config_unary", "ShieldedInstanceConfig"),
    },
    normalized=normalized,
    mutable=_mutable,
    create=_create,
    change=_change,
)


def problems(options: Options) -> list[Problem]:
    """Validate the options of a VM, but for its snapshots; empty when nothing is wrong."""
    found = [*where(options), *_machine(options), *_identity(options), *interface.problems(options)]
    found += _host_keys(options)
    found += metadata.problems(options["metadata"] or {})
    if seconds := (options["scheduling"] or {}).get("max_run_duration"):
        found += between("scheduling.max_run_duration", seconds, 30, 120 * 86400)
    return found


def where(options: Options) -> c.Iterator[Problem]:
    """Validate project, region, zone and name."""
    yield from place(options)
    yield from named("name", options["name"])
    wrong, other, region = list(zone(options["zone"])), options["zone"][:-2], options["region"]
    yield from wrong
    if not wrong and other != region:
        yield _problem("gcp-zone-elsewhere", "zone", options["zone"], other=other, region=region)


def _machine(options: Options) -> c.Iterator[Problem]:
    boot = options["disk"] or {}
    yield from machine_type.problems(options["machine_type"])
    if not re.fullmatch(IMAGE, options["image"]):
        yield _problem("gcp-image", "image", options["image"])
    yield from disk.problems(boot)
    yield from recovery.problems(options)
    for variable, given in (("labels", options["labels"]), ("disk.labels", boot.get("labels"))):
        yield from labels(variable, given)
        for key in sorted({MARK_LABEL, MODE_LABEL} & set(given or {})):
            yield _problem("gcp-label-reserved", f"{variable}.{key}")
    if options["stop_for_update"] and options["state"] == "present":
        yield _problem("gcp-stop-without-start", "stop_for_update", True)


def _identity(options: Options) -> c.Iterator[Problem]:
    account = options["service_account"]
    if account and not re.fullmatch(ACCOUNT, account):
        yield _problem("gcp-service-account", "service_account", account)
    for index, each in enumerate(options["scopes"] or []):
        if not re.fullmatch(SCOPE, each):
            yield _problem("gcp-scope", f"scopes[{index}]", each)
    if options["scopes"] == []:
        yield _problem("gcp-no-scopes", "scopes", [])
    for index, tag in enumerate(options["tags"] or []):
        if not re.fullmatch(NAME, tag):
            yield _problem("gcp-tag", f"tags[{index}]", tag)


def _host_keys(options: Options) -> c.Iterator[Problem]:
    for index, line in enumerate(options["host_keys"] or []):
        if host_keys.parsed(line) is None:
            yield _problem("gcp-host-key", f"host_keys[{index}]", line)


def desired(
    options: Options, reserved: t.Mapping[str, Body], needs: frozenset[Key], snapshot: Body | None
) -> DesiredState:
    """The desired state of a VM. *reserved* are the addresses that its options name, as far as they exist.

    A new one is made from *snapshot* where there is one, else from the image.
    """
    fixed = {
        **STATES.get(options["state"], {}),
        **without_none(
            {
                "machineType": options["machine_type"],
                "tags": None if options["tags"] is None else sorted(set(options["tags"])),
                "shieldedInstanceConfig": _shielded(options["shielded"]),
                "scheduling": _desired_scheduling(options["scheduling"]),
                "deletionProtection": options["deletion_protection"],
            }
        ),
        **interface.desired(options, reserved),
    }

    def given(before: Normalized | None, marked: bool) -> Normalized:
        found = {**fixed, "labels": _labels(options, before, marked), "metadata": metadata.desired(options, before)}
        found |= _service_accounts(options, before)
        if before and before["scheduling"]["provisioningModel"] == SPOT and "scheduling" in found:
            # A Spot VM always needs a termination action, with a duration or without.
            kept = before["scheduling"]["instanceTerminationAction"]
            found["scheduling"] = {**found["scheduling"], "instanceTerminationAction": kept}
        return {**found, "autoDelete": True} if before and marked else found

    initial = {
        **NEW,
        "zone": f"projects/{options['project']}/zones/{options['zone']}",
        "disk": {
            "diskSizeGb": disk.NEW_SIZE_GB,
            **(recovery.source(snapshot) if snapshot else {"sourceImage": image(options["image"])}),
            **disk.new(options, machine_type.usual_disk(options["machine_type"] or NEW_MACHINE_TYPE)),
        },
    }
    return DesiredState(INSTANCE, options["name"], given, initial, needs, lambda change: _check(options, change))


def _labels(options: Options, before: Normalized | None, marked: bool) -> dict[str, str]:
    given = options["labels"]
    base = before["labels"] if before and given is None else given or {}
    mark = {MARK_LABEL: options["name"]} if marked else {}
    return {
        "role": ROLES[options["mode"]],
        **{key: str(value) for key, value in base.items()},
        **mark,
        MODE_LABEL: options["mode"],
    }


def _service_accounts(options: Options, before: Normalized | None) -> Normalized:
    email, scopes = options["service_account"], options["scopes"]
    if email is None and scopes is None:
        return {}
    existing = before["serviceAccounts"][0] if before and before["serviceAccounts"] else {}
    email = existing.get("email", "") if email is None else email
    scopes = existing.get("scopes", [CLOUD_PLATFORM]) if scopes is None else sorted({scope(each) for each in scopes})
    return {"serviceAccounts": [{"email": email, "scopes": scopes}] if email else []}


def _check(options: Options, change: Change) -> None:
    """Refuse to stop a running VM, or to delete one, where the options do not allow it."""
    verbs, before, name = [call.verb for call in change.calls], change.before or {}, options["name"]
    if change.deletes:
        check_removable(name, before)
    desired = change.desired or {}
    if before and before["status"] not in (RUNNING, TERMINATED) and before["status"] != desired["status"]:
        raise RefusedError([_problem("gcp-vm-status", "state", options["state"], name=name, status=before["status"])])
    if "stop" in verbs and before and options["state"] != "stopped" and not options["stop_for_update"]:
        raise RefusedError(
            _problem(
                "gcp-vm-running",
                f"{INSTANCE.collection}/{name}.{field}",
                before=repr(before[field]),
                wanted=repr(desired[field]),
            )
            for field in sorted(WHILE_STOPPED)
            if before[field] != desired[field]
        )


def check_removable(name: str, before: Normalized) -> None:
    """RefusedError for a VM that Google would not delete."""
    if before["deletionProtection"]:
        raise RefusedError([_problem("gcp-vm-protected", f"{INSTANCE.collection}/{name}")])


def interruptible(options: Options, existing: Normalized) -> c.Iterator[Problem]:
    """Refuse a Spot VM for a live gateway: Google may stop it at any moment, and each start is a sign-in."""
    if options["mode"] == "live" and existing["scheduling"]["provisioningModel"] == SPOT:
        yield _problem("gcp-vm-spot", "name", options["name"])


def image(given: str) -> str:
    """The path of an image from V(project/family), or from the path itself."""
    project, _slash, family = given.partition("/")
    return link(given) if "/" in family else f"projects/{project}/global/images/family/{family}"


def scope(given: str) -> str:
    """Google's URL for a scope, from its last word."""
    return given if "/" in given else f"https://www.googleapis.com/auth/{given}"


def _shielded(options: Options | None) -> Normalized | None:
    return without_none({theirs: options[ours] for ours, theirs in SHIELDS.items()}) if options else None


def _desired_scheduling(options: Options | None) -> Normalized | None:
    if options is None:
        return None
    seconds = options["max_run_duration"]
    return without_none(
        {
            "automaticRestart": options["automatic_restart"],
            "onHostMaintenance": options["on_host_maintenance"],
            "maxRunDuration": seconds,
            "instanceTerminationAction": None if seconds is None else "STOP" if seconds else "",
        }
    )
