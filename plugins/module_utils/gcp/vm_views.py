# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM, its disk and the schedule of its snapshots compare by, in the API's names where it has one.

C(networkIP) and C(natIP) are those of its only interface, C(disk) is what a new VM's disk is made of.
"""

from __future__ import annotations

import typing as t

from . import views

RUNNING, TERMINATED = "RUNNING", "TERMINATED"
# What a VM is about to be counts; what it is otherwise, for example SUSPENDED, stays itself.
STATES = {
    **dict.fromkeys(("PENDING", "PROVISIONING", "STAGING", "REPAIRING"), RUNNING),
    **dict.fromkeys(("PENDING_STOP", "STOPPING", "STOPPED", "DEPROVISIONING"), TERMINATED),
}
# An address that Google lends the VM until it stops.
EPHEMERAL = "ephemeral"
SHIELDS = ("enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring")

Body = t.Mapping[str, t.Any]


def last(link: str) -> str:
    """The name at the end of a link."""
    return link.rpartition("/")[2]


def instance(body: Body) -> views.View:
    interface, metadata = _interface(body), body.get("metadata", {}).get("items", [])
    return {
        "machineType": last(body["machineType"]),
        "status": STATES.get(body["status"], body["status"]),
        "subnetwork": views.link(interface.get("subnetwork", "")),
        "networkIP": interface.get("networkIP", ""),
        "natIP": nat_ip(body),
        "networkTier": _access(body).get("networkTier", ""),
        "labels": dict(body.get("labels", {})),
        "tags": sorted(body.get("tags", {}).get("items", [])),
        "metadata": {item["key"]: item.get("value", "") for item in metadata},
        "serviceAccounts": [
            {"email": each["email"], "scopes": sorted(each.get("scopes", []))}
            for each in body.get("serviceAccounts", [])
        ],
        "shieldedInstanceConfig": {name: body.get("shieldedInstanceConfig", {}).get(name, False) for name in SHIELDS},
        "scheduling": scheduling(body.get("scheduling", {})),
        "deletionProtection": body.get("deletionProtection", False),
        "autoDelete": boot_disk(body).get("autoDelete", False),
    }


def scheduling(body: Body) -> views.View:
    return {
        "automaticRestart": body.get("automaticRestart", False),
        "onHostMaintenance": body.get("onHostMaintenance", ""),
        "maxRunDuration": int(body.get("maxRunDuration", {}).get("seconds", 0)),
        "instanceTerminationAction": body.get("instanceTerminationAction", ""),
    }


def nat_ip(body: Body) -> str:
    """The VM's public address, empty when it has none."""
    config = _access(body)
    return config.get("natIP", EPHEMERAL) if config else ""


def boot_disk(body: Body) -> Body:
    """How a VM has its boot disk attached."""
    disks: list[Body] = body.get("disks", [])
    return next((disk for disk in disks if disk.get("boot")), {})


def disk(body: Body) -> views.View:
    return {
        "sizeGb": int(body["sizeGb"]),
        "type": last(body["type"]),
        "labels": dict(body.get("labels", {})),
        "resourcePolicies": sorted(map(views.link, body.get("resourcePolicies", []))),
    }


def policy(body: Body) -> views.View:
    found = body.get("snapshotSchedulePolicy", {})
    daily, kept = found.get("schedule", {}).get("dailySchedule", {}), found.get("retentionPolicy", {})
    return {
        "startTime": daily.get("startTime", ""),
        "daysInCycle": daily.get("daysInCycle", 0),
        "maxRetentionDays": kept.get("maxRetentionDays", 0),
        "onSourceDiskDelete": kept.get("onSourceDiskDelete", ""),
    }


def _interface(body: Body) -> Body:
    interfaces: list[Body] = body.get("networkInterfaces", [])
    return interfaces[0] if interfaces else {}


def _access(body: Body) -> Body:
    configs: list[Body] = _interface(body).get("accessConfigs", [])
    return configs[0] if configs else {}
