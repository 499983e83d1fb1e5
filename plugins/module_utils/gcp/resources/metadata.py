# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM's metadata: the user's, and the items that protect every gateway."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized
from ..api.resource import Body, Options
from ..host_keys import SWITCH

SAFE = {"enable-oslogin": "TRUE", "block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE"}
KEY = r"[A-Za-z0-9_-]{1,128}"
# OS Login ignores these keys, but they would grant access if it were ever turned off.
KEYS_OF_PERSONS = ("ssh-keys", "sshKeys")
_problem = table(
    {
        "gcp-metadata-safe": ("it is {safe} for every gateway, to keep strangers out", "remove it"),
        "gcp-metadata-ssh-keys": (
            "with OS Login it lets nobody in",
            "remove it, and give people the role compute.osAdminLogin",
        ),
        "gcp-metadata-key": ("Google wants at most 128 letters, digits, dashes and underscores", "rename the key"),
    }
)


def normalized(body: t.Mapping[str, t.Any]) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in body.get("metadata", {}).get("items", [])}


def items(metadata: Normalized) -> list[Body]:
    """Metadata as Google's API takes it."""
    return [{"key": key, "value": value} for key, value in sorted(metadata.items())]


def problems(metadata: Options) -> c.Iterator[Problem]:
    """Validate the metadata of the user."""
    for key, value in metadata.items():
        place = f"metadata.{key}"
        safe = {name.lower(): value for name, value in SAFE.items()}.get(key.lower())
        if safe and _text(value).upper() != safe:
            yield _problem("gcp-metadata-safe", place, value, safe=safe)
        elif key in KEYS_OF_PERSONS:
            yield _problem("gcp-metadata-ssh-keys", place)
        elif not re.fullmatch(KEY, key):
            yield _problem("gcp-metadata-key", place)


def desired(options: Options, before: Normalized | None) -> dict[str, str]:
    """The desired metadata of a VM; *before*: its current metadata, if it exists."""
    given = options["metadata"]
    # An existing VM has already published its host keys, or never will.
    switch = {SWITCH: before["metadata"][SWITCH]} if before and SWITCH in before["metadata"] else {}
    switch = switch if before else {SWITCH: "TRUE"}
    base = before["metadata"] if before and given is None else {**switch, **(given or {})}
    return {**{key: _text(value) for key, value in base.items()}, **SAFE}


def _text(value: t.Any) -> str:
    """YAML's true and false as Google writes them."""
    return str(value).upper() if isinstance(value, bool) else str(value)
