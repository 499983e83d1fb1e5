# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's boot disk. It is created and deleted together with its VM."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, last, link, without_none
from ..api.plan import DesiredState, Key
from ..api.resource import MARK_LABEL, Body, Call, Options, Resource, Verb
from ..rules import NAME, between
from . import snapshots

NEW_SIZE_GB = 20
_problem = table({"gcp-disk-type": ("not the name of a disk type", "write it as pd-balanced")})


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "sizeGb": int(body["sizeGb"]),
        "type": last(body["type"]),
        "labels": dict(body.get("labels", {})),
        "resourcePolicies": sorted(map(link, body.get("resourcePolicies", []))),
    }


def _mutable(before: Normalized, desired: Normalized) -> set[str]:
    return {"labels", "resourcePolicies", *(["sizeGb"] if desired["sizeGb"] >= before["sizeGb"] else [])}


def _change(_name: str, found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    if "sizeGb" in differing:
        yield Call("resize", {"sizeGb": str(desired["sizeGb"])})
    if "labels" in differing:
        yield Call("setLabels", {"labels": desired["labels"], "labelFingerprint": found["labelFingerprint"]})
    before, after = set(_normalized(found)["resourcePolicies"]), set(desired["resourcePolicies"])
    # A disk has one schedule at most.
    lost = ""
    if before - after:
        yield Call("removeResourcePolicies", {"resourcePolicies": sorted(before - after)})
        place = f"--zone {last(found['zone'])} --project {link(found['selfLink']).split('/')[1]}"
        policies = ",".join(map(last, sorted(before)))
        lost = (
            f"Disk {found['name']} no longer has snapshots: `gcloud compute disks add-resource-policies "
            f"{found['name']} {place} --resource-policies {policies}` gives it the former schedule."
        )
    if after - before:
        added = {"resourcePolicies": sorted(after - before)}
        yield Call("addResourcePolicies", added, always=lost, undoes="removeResourcePolicies")


DISK = Resource(
    "disks",
    "Disk",
    "disk",
    "zone",
    verbs={
        "addResourcePolicies": Verb("add_resource_policies_unary", "DisksAddResourcePoliciesRequest"),
        "removeResourcePolicies": Verb("remove_resource_policies_unary", "DisksRemoveResourcePoliciesRequest"),
        "resize": Verb("resize_unary", "DisksResizeRequest"),
        "setLabels": Verb("set_labels_unary", "ZoneSetLabelsRequest", "resource"),
    },
    normalized=_normalized,
    mutable=_mutable,
    change=_change,
)


def problems(disk: Options) -> c.Iterator[Problem]:
    """Validate the options of a VM's disk, but for its labels."""
    yield from between("disk.size", disk.get("size"), 10, 65536)
    kind = disk.get("type")
    if kind is not None and not re.fullmatch(NAME, kind):
        yield _problem("gcp-disk-type", "disk.type", kind)


def desired(options: Options, name: str, needs: frozenset[Key]) -> DesiredState:
    """The desired state of the existing boot disk called *name*."""
    disk = options["disk"] or {}

    def given(_before: Normalized | None, marked: bool) -> Normalized:
        found = without_none({"sizeGb": disk.get("size"), "type": disk.get("type")})
        if disk.get("labels") is not None:
            found["labels"] = labelled(options, marked)
        if options["snapshots"] is not None:
            found["resourcePolicies"] = snapshots.paths(options)
        return found

    return DesiredState(DISK, name, given, {}, needs)


def new(options: Options, usual: str) -> Normalized:
    """The disk of a new VM; *usual* is its default type."""
    disk = options["disk"] or {}
    return {
        "diskType": usual,
        **without_none({"diskSizeGb": disk.get("size"), "diskType": disk.get("type")}),
        "labels": labelled(options, True),
        "resourcePolicies": snapshots.paths(options),
    }


def labelled(options: Options, marked: bool) -> dict[str, str]:
    given = (options["disk"] or {}).get("labels") or {}
    mark = {MARK_LABEL: options["name"]} if marked else {}
    return {**{key: str(value) for key, value in given.items()}, **mark}
