# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that several resources share."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re

from ..agent.bounds import whole
from ..agent.problem import Problem, table
from .api.resource import Options

Range = ipaddress.IPv4Network

NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
PROJECT = r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]"
REGION = r"[a-z]+-[a-z]+\d+"
LABEL_KEY = r"[a-z][-_a-z0-9]{0,62}"
LABEL_VALUE = r"[-_a-z0-9]{0,63}"
PRIVATE = [ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_problem = table(
    {
        "gcp-project": ("not the id of a project", "write the id that `gcloud projects list` shows"),
        "gcp-region": ("no region has this name", "write one that `gcloud compute regions list` shows"),
        "gcp-region-is-zone": ("a zone, not a region", "write its region, {region}"),
        "gcp-zone": ("no zone has this name", "write one that `gcloud compute zones list` shows"),
        "gcp-name": (
            "Google wants 1 to 63 lower case letters, digits and dashes, a letter first and no dash last",
            "choose such a name",
        ),
        "gcp-shared-vpc": (
            "a network of another project (Shared VPC) is not supported",
            "name one of the VM's own project, without a path",
        ),
        "gcp-repeated": ("{name} stands there more than once, and a name is for one resource", "remove all but one"),
        "gcp-limits": ("Google takes {least} to {most}", "choose a number between them"),
        "gcp-label": (
            "Google wants at most 63 lower case letters, digits, dashes and underscores, a letter first in the key",
            "change the key or the value",
        ),
        "gcp-range": ("{fault}", "write an IPv4 range as 10.0.0.0/24"),
    }
)


def within(place: str, problems: c.Iterable[Problem]) -> c.Iterator[Problem]:
    """The problems, with *place* in the document added."""
    return (each._replace(variable=f"{place}.{each.variable}") for each in problems)


def project(id_: str) -> c.Iterator[Problem]:
    """Validate a project by its id."""
    if not re.fullmatch(PROJECT, id_):
        yield _problem("gcp-project", "project", id_)


def place(options: Options) -> c.Iterator[Problem]:
    """Validate project and region."""
    region = options["region"]
    yield from project(options["project"])
    if re.fullmatch(rf"{REGION}-[a-z]", region):
        yield _problem("gcp-region-is-zone", "region", region, region=region[:-2])
    elif not re.fullmatch(REGION, region):
        yield _problem("gcp-region", "region", region)


def zone(name: str) -> c.Iterator[Problem]:
    """Validate a zone by its name."""
    if not re.fullmatch(rf"{REGION}-[a-z]", name):
        yield _problem("gcp-zone", "zone", name)


def named(variable: str, name: str) -> c.Iterator[Problem]:
    """Validate the name of a resource, which is option *variable*."""
    if "/" in name:
        yield _problem("gcp-shared-vpc", variable, name)
    elif not re.fullmatch(NAME, name):
        yield _problem("gcp-name", variable, name)


def account_domain(project: str) -> str:
    """The domain of a project's service accounts: C(example.com:p) is C(p.example.com)."""
    return f"{'.'.join(reversed(project.split(':')))}.iam.gserviceaccount.com"


def repeated(variable: str, names: list[str]) -> c.Iterator[Problem]:
    """Refuse two resources of one name."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _problem("gcp-repeated", variable, name=name)


def between(variable: str, value: object, least: int, most: int) -> c.Iterator[Problem]:
    """Validate a number that Google limits."""
    number = whole(value)
    if value is not None and (number is None or not least <= number <= most):
        yield _problem("gcp-limits", variable, value, least=least, most=most)


def labels(variable: str, given: Options | None) -> c.Iterator[Problem]:
    """Validate labels."""
    for key, value in (given or {}).items():
        if not (re.fullmatch(LABEL_KEY, key) and re.fullmatch(LABEL_VALUE, str(value))):
            yield _problem("gcp-label", f"{variable}.{key}", value)


def ip_range(variable: str, value: str) -> tuple[Range | None, list[Problem]]:
    """The IPv4 range *value*, or its fault."""
    try:
        return Range(value), []
    except ValueError as error:
        return None, [_problem("gcp-range", variable, value, fault=error)]


def is_private(found: Range) -> bool:
    return any(found.subnet_of(each) for each in PRIVATE)
