# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshot that the disk of a new VM is made from, in the place of an image.

Fields: https://cloud.google.com/compute/docs/reference/rest/v1/snapshots#Snapshot
"""

from __future__ import annotations

import collections.abc as c
import datetime
import re

from ...agent.problem import Problem, table
from ..api.normal import Normalized, link
from ..api.resource import MARK_LABEL, Body, Options
from ..rules import NAME
from .disk import DISK, NEW_SIZE_GB

# The newest snapshot of the VM's own disk.
LATEST = "latest"
_problem = table(
    {
        "gcp-snapshot-name": ("not the name of a snapshot", "write it as {latest}, or as ibgw-live-20261120"),
        "gcp-snapshot-missing": (
            "project {project} has no such snapshot",
            "choose one that `gcloud compute snapshots list --project {project}` shows",
        ),
        "gcp-snapshot-not-ready": ("{status}, not READY", "wait until it is, or choose another one"),
        "gcp-snapshot-larger": (
            "of a disk of {size} GB, and a disk never shrinks",
            "set disk.size to {size} or more, or leave it out",
        ),
    }
)


def wanted(options: Options) -> str:
    """The snapshot that the options name, V(latest), or empty."""
    return str((options["disk"] or {}).get("snapshot") or "")


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate the name of the snapshot."""
    if (name := wanted(options)) and not re.fullmatch(NAME, name):
        yield _problem("gcp-snapshot-name", "disk.snapshot", name, latest=LATEST)


def chosen(options: Options, listed: c.Iterable[Body]) -> Body | None:
    """The snapshot among those of the project that the options mean; None where there is none."""
    name, disk = wanted(options), DISK.path(options, options["name"])
    if name != LATEST:
        return next((body for body in listed if body["name"] == name), None)
    own = [
        body
        for body in listed
        if body["status"] == "READY"
        # A schedule labels its snapshots, so that they are found from another zone, too.
        and (body.get("labels", {}).get(MARK_LABEL) == options["name"] or link(body.get("sourceDisk", "")) == disk)
    ]
    return max(own, key=_made_at, default=None)


def _made_at(body: Body) -> datetime.datetime:
    return datetime.datetime.fromisoformat(body["creationTimestamp"])


def impossible(options: Options, snapshot: Body | None) -> c.Iterator[Problem]:
    """Refuse a snapshot from which the disk cannot be made."""
    name, size = wanted(options), (options["disk"] or {}).get("size")
    if snapshot is None:
        if name != LATEST:
            yield _problem("gcp-snapshot-missing", "disk.snapshot", name, project=options["project"])
    elif snapshot["status"] != "READY":
        yield _problem("gcp-snapshot-not-ready", "disk.snapshot", name, status=snapshot["status"])
    elif size is not None and size < int(snapshot["diskSizeGb"]):
        yield _problem("gcp-snapshot-larger", "disk.size", size, size=snapshot["diskSizeGb"])


def source(snapshot: Body) -> Normalized:
    """The parameters of a new disk that is made from *snapshot*."""
    return {"sourceSnapshot": link(snapshot["selfLink"]), "diskSizeGb": max(NEW_SIZE_GB, int(snapshot["diskSizeGb"]))}
