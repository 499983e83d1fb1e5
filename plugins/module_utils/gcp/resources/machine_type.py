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
    }
)

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
