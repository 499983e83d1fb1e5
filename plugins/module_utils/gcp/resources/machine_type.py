# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's machine type: Google's, and large enough for a gateway."""

from __future__ import annotations

import collections.abc as c
import re

from ..api.resource import Body, Resource

MACHINE_TYPE_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)+"
LEAST_MEMORY_MB = 2048
SMALL = ("e2-micro", "f1-micro", "g1-small")

MACHINE_TYPE = Resource("machineTypes", "MachineType", "machine_type", "zone")


def problems(name: str | None) -> c.Iterator[str]:
    """Validate the name of a machine type."""
    if name is not None and not re.fullmatch(MACHINE_TYPE_NAME, name):
        yield f"machine_type is {name!r}: no type is called so. Write it as e2-medium or e2-custom-2-4096."
    elif name in SMALL:
        yield _too_small(name, "less than 2 GB")


def impossible(name: str, zone: str, found: Body | None) -> c.Iterator[str]:
    """Refuse a machine type that does not exist or is too small."""
    if found is None:
        yield (
            f"machine_type is {name!r}: {zone} has no such type. Choose one that `gcloud compute machine-types list "
            f"--zones {zone}` shows."
        )
    elif found["memoryMb"] < LEAST_MEMORY_MB:
        yield _too_small(name, f"{found['memoryMb']} MB")


def _too_small(name: str, memory: str) -> str:
    return (
        f"machine_type is {name!r}: {memory} of memory, and a gateway with its Java takes up to 1.7 GB. Choose "
        "e2-small, or e2-medium for live."
    )
