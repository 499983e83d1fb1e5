# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Normalize resources, so that whatever means the same to Google compares equal.

They have the API's own field names. Links are C(projects/...), unordered lists are sorted, and fields that the API
leaves out have their defaults.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

Normalized = dict[str, t.Any]
# Dicts whose keys are the user's.
WHOLE = ("labels", "metadata")


def link(value: str) -> str:
    """C(projects/...) of a full URL, whatever its host."""
    return re.sub(r"^https?://.*?/(?=projects/)", "", value)


def last(link: str) -> str:
    """The name at the end of a link."""
    return link.rpartition("/")[2]


def cidr(value: str) -> str:
    """A range as Google writes it: C(10.0.0.1) is C(10.0.0.1/32)."""
    return str(ipaddress.ip_network(value))


def log(body: t.Mapping[str, t.Any]) -> Normalized:
    """The C(logConfig) of a resource: the API takes the rest of it only where logging is on."""
    found = body.get("logConfig") or {}
    return dict(found) if found.get("enable") else {"enable": False}


def without_none(values: t.Mapping[str, t.Any]) -> Normalized:
    """Only the given values: None leaves a field alone."""
    return {name: value for name, value in values.items() if value is not None}


def merged(before: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> Normalized:
    """*before* with the given fields, merged inside dicts too, except WHOLE, which are replaced as a whole."""
    found = dict(before)
    for name, value in given.items():
        both = isinstance(value, dict) and isinstance(before.get(name), dict) and name not in WHOLE
        found[name] = {**before[name], **value} if both else value
    return {**found, "logConfig": log(found)} if "logConfig" in found else found
