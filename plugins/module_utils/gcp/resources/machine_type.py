# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's machine type: Google's, and large enough for a gateway."""

from __future__ import annotations

import collections.abc as c
import re

from ...agent.problem import Problem, table
from ..api.resource import Body, Resource

MACHINE_TYPE_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)+"
LEAST_MEMORY_MB = 2048
SMALL = ("e2-micro", "f1-micro", "g1-small")
_problem = table(
    {
        "gcp-machine-type": ("not the name of a machine type", "write it as e2-medium or e2-custom-2-4096"),
        "gcp-machine-type-missing": (
            "{zone} has no such machine type",
            "choose one that `gcloud compute machine-types list` shows for that zone",
        ),
        "gcp-machine-type-small": (
            "{memory} of memory, and a gateway with its Java takes up to 1.7 GB",
            "choose e2-small, or e2-medium for live",
        ),
        "gcp-disk-unfit": (
            "its series does not boot from a disk of type {disk}",
            "set disk.type to {usual}, or leave it out",
        ),
        "gcp-disk-unfit-exists": (
            "its series does not boot from the VM's disk, of type {disk}",
            "choose a type of another series, or set disk.type to {usual} with recreate: true, which replaces the VM "
            "and its disk with all data on it",
        ),
        "gcp-image-unfit": ("its processor is {wanted}, and {image} is for {found}", "choose an image {example}"),
    }
)

# Series that boot only from Hyperdisk, and series without Hyperdisk:
# https://cloud.google.com/compute/docs/disks/hyperdisks#machine-type-support
HYPERDISK_ONLY = ("c4", "c4a", "c4d", "n4", "n4a", "n4d")
HYPERDISK_NEVER = ("c2", "c2d", "e2", "n1", "t2a")
HYPERDISK = "hyperdisk-"
ARM, INTEL = "ARM64", "X86_64"

MACHINE_TYPE = Resource("machineTypes", "MachineType", "machine_type", "zone")


def problems(name: str | None) -> c.Iterator[Problem]:
    """Validate the name of a machine type."""
    if name is not None and not re.fullmatch(MACHINE_TYPE_NAME, name):
        yield _problem("gcp-machine-type", "machine_type", name)
    elif name in SMALL:
        yield _problem("gcp-machine-type-small", "machine_type", name, memory="less than 2 GB")


def impossible(name: str, zone: str, found: Body | None) -> c.Iterator[Problem]:
    """Refuse a machine type that does not exist or is too small."""
    if found is None:
        yield _problem("gcp-machine-type-missing", "machine_type", name, zone=zone)
    elif found["memoryMb"] < LEAST_MEMORY_MB:
        yield _problem("gcp-machine-type-small", "machine_type", name, memory=f"{found['memoryMb']} MB")


def usual_disk(name: str) -> str:
    """The type of disk that a new VM of a machine type has."""
    return f"{HYPERDISK}balanced" if _series(name) in HYPERDISK_ONLY else "pd-balanced"


def unfit_disk(name: str, disk: str, exists: bool) -> c.Iterator[Problem]:
    """Refuse a machine type that does not boot from this type of disk."""
    if _series(name) in (HYPERDISK_NEVER if disk.startswith(HYPERDISK) else HYPERDISK_ONLY):
        kind = "gcp-disk-unfit-exists" if exists else "gcp-disk-unfit"
        yield _problem(kind, "machine_type", name, disk=disk, usual=usual_disk(name))


def unfit_image(name: str, machine: Body | None, image: str, found: str) -> c.Iterator[Problem]:
    """Refuse an image, or the disk that was made from it, for another processor than the machine type's."""
    wanted = (machine or {}).get("architecture", "")
    # Older images and types do not say.
    if {wanted, found} == {ARM, INTEL}:
        example = "for it, such as debian-cloud/debian-13-arm64" if wanted == ARM else "without -arm64"
        yield _problem(
            "gcp-image-unfit", "machine_type", name, wanted=wanted, image=image, found=found, example=example
        )


def _series(name: str) -> str:
    return name.split("-")[0]
