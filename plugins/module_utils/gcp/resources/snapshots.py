# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule of a disk's snapshots, which is a resource policy."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, without_none
from ..api.plan import DesiredState, constant
from ..api.resource import MARK, MARK_LABEL, Body, Call, Options, Resource
from ..rules import between

NEW: Normalized = {
    "startTime": "04:00",
    "daysInCycle": 1,
    "maxRetentionDays": 14,
    "onSourceDiskDelete": "APPLY_RETENTION_POLICY",
}
KEEP = {None: None, True: "KEEP_AUTO_SNAPSHOTS", False: "APPLY_RETENTION_POLICY"}
_problem = table({"gcp-snapshot-time": ("Google begins at full hours, in UTC", "write it as '04:00'")})


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    found = body.get("snapshotSchedulePolicy", {})
    daily, kept = found.get("schedule", {}).get("dailySchedule", {}), found.get("retentionPolicy", {})
    return {
        "startTime": daily.get("startTime", ""),
        "daysInCycle": daily.get("daysInCycle", 0),
        "maxRetentionDays": kept.get("maxRetentionDays", 0),
        "onSourceDiskDelete": kept.get("onSourceDiskDelete", ""),
    }


def _mutable(before: Normalized, _desired: Normalized) -> set[str]:
    return set(before)


def _create(name: str, desired: Normalized) -> list[Call]:
    policy = {**_policy(desired), "snapshotProperties": {"labels": {MARK_LABEL: name}}}
    return [Call("insert", {"name": name, "description": MARK, "snapshotSchedulePolicy": policy})]


def _change(_name: str, _found: Body, desired: Normalized, _differing: set[str]) -> c.Iterator[Call]:
    yield Call("patch", {"snapshotSchedulePolicy": _policy(desired)})


def _policy(desired: Normalized) -> Body:
    return {
        "schedule": {"dailySchedule": {name: desired[name] for name in ("startTime", "daysInCycle")}},
        "retentionPolicy": {name: desired[name] for name in ("maxRetentionDays", "onSourceDiskDelete")},
    }


POLICY = Resource(
    "resourcePolicies",
    "ResourcePolicy",
    "resource_policy",
    "region",
    normalized=_normalized,
    mutable=_mutable,
    create=_create,
    change=_change,
)


def problems(snapshots: Options) -> c.Iterator[Problem]:
    """Validate the options of a schedule."""
    time = snapshots.get("start_time")
    if time is not None and not re.fullmatch(r"([01]\d|2[0-3]):00", time):
        yield _problem("gcp-snapshot-time", "snapshots.start_time", time)
    yield from between("snapshots.every_days", snapshots.get("every_days"), 1, 365)
    yield from between("snapshots.keep_days", snapshots.get("keep_days"), 1, 65535)


def is_wanted(options: Options) -> bool:
    """Whether a VM's options ask for a schedule."""
    return bool(options["snapshots"] and options["snapshots"]["enabled"])


def paths(options: Options) -> list[str]:
    """The desired schedules of the VM's disk."""
    return [POLICY.path(options, options["name"])] if is_wanted(options) else []


def desired(options: Options) -> DesiredState:
    """The desired state of the schedule of a VM's options."""
    snapshots = options["snapshots"]
    given = without_none(
        {
            "startTime": snapshots["start_time"],
            "daysInCycle": snapshots["every_days"],
            "maxRetentionDays": snapshots["keep_days"],
            "onSourceDiskDelete": KEEP[snapshots["keep_after_disk"]],
        }
    )
    return DesiredState(POLICY, options["name"], constant(given), NEW)
