# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that several resources share. Each problem names the variable, its value, the rule and the fix."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re

from .api.resource import Options

Range = ipaddress.IPv4Network

NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
PROJECT = r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]"
REGION = r"[a-z]+-[a-z]+\d+"
LABEL_KEY = r"[a-z][-_a-z0-9]{0,62}"
LABEL_VALUE = r"[-_a-z0-9]{0,63}"
PRIVATE = [ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]


def place(options: Options) -> c.Iterator[str]:
    """Validate project and region."""
    project, region = options["project"], options["region"]
    if not re.fullmatch(PROJECT, project):
        yield f"project is {project!r}: no project has such an id. Write the id that `gcloud projects list` shows."
    if re.fullmatch(rf"{REGION}-[a-z]", region):
        yield f"region is {region!r}: that is a zone. Write its region, {region[:-2]!r}."
    elif not re.fullmatch(REGION, region):
        yield f"region is {region!r}: no region is called so. Write one that `gcloud compute regions list` shows."


def named(variable: str, options: Options) -> c.Iterator[str]:
    """Validate the name of a resource whose options are *variable*'s; empty for the module's own."""
    if "/" in options["name"]:
        yield not_shared(f"{variable}{'.' if variable else ''}name", options["name"])
    elif not re.fullmatch(NAME, options["name"]):
        yield (
            f"{variable}{'.' if variable else ''}name is {options['name']!r}: Google wants 1 to 63 lower case letters, "
            "digits and dashes, a letter first and no dash last. Choose such a name."
        )


def not_shared(variable: str, value: str) -> str:
    return (
        f"{variable} is {value!r}: a network of another project (Shared VPC) is not supported. Name one of the VM's "
        "own project, without a path."
    )


def account_domain(project: str) -> str:
    """The domain of a project's service accounts: C(example.com:p) is C(p.example.com)."""
    return f"{'.'.join(reversed(project.split(':')))}.iam.gserviceaccount.com"


def repeated(variable: str, names: list[str]) -> c.Iterator[str]:
    """Refuse two resources of one name."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{variable} names {name!r} more than once: a name stands for one resource. Remove all but one."


def between(variable: str, value: int | None, least: int, most: int) -> c.Iterator[str]:
    """Validate a number that Google limits."""
    if value is not None and not least <= value <= most:
        yield f"{variable} is {value}: Google takes {least} to {most}. Choose a number between them."


def labels(variable: str, given: Options | None) -> c.Iterator[str]:
    """Validate labels."""
    for key, value in (given or {}).items():
        if not (re.fullmatch(LABEL_KEY, key) and re.fullmatch(LABEL_VALUE, str(value))):
            yield (
                f"{variable} has {key!r}: {value!r}: Google wants at most 63 lower case letters, digits, dashes and "
                "underscores, a letter first in the key. Write it so."
            )


def ip_range(variable: str, value: str) -> tuple[Range | None, list[str]]:
    """The IPv4 range that *value* is, or what is wrong with it."""
    try:
        return Range(value), []
    except ValueError as error:
        return None, [f"{variable} is {value!r}: {error}. Write an IPv4 range as 10.0.0.0/24."]


def is_private(found: Range) -> bool:
    return any(found.subnet_of(each) for each in PRIVATE)
