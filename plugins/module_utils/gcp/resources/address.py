# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static addresses."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, link, without_none
from ..api.plan import DesiredState
from ..api.resource import MARK_LABEL, Body, Call, Options, Resource, Verb, mutable, without_empty
from ..rules import labels, named, repeated
from .subnet import SUBNET

_problem = table(
    {
        "gcp-address-subnet": (
            "its type is {type}, and an internal address is one of a subnet, an external one of none",
            "give both type INTERNAL and a subnet, or neither",
        ),
        "gcp-address-tier": ("an internal address has no tier", "remove it"),
    }
)


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "addressType": body.get("addressType"),
        "networkTier": body.get("networkTier"),
        "subnetwork": link(body.get("subnetwork", "")),
        "address": body.get("address"),
        "labels": dict(body.get("labels", {})),
    }


def _create(name: str, desired: Normalized) -> list[Call]:
    return [Call("insert", without_empty(name, desired))]


def _change(_name: str, found: Body, desired: Normalized, _differing: set[str]) -> c.Iterator[Call]:
    yield Call("setLabels", {"labels": desired["labels"], "labelFingerprint": found["labelFingerprint"]})


ADDRESS = Resource(
    "addresses",
    "Address",
    "address",
    "region",
    verbs={"setLabels": Verb("set_labels_unary", "RegionSetLabelsRequest", "resource")},
    normalized=_normalized,
    mutable=mutable("labels"),
    create=_create,
    change=_change,
)


def problems(addresses: list[t.Any]) -> c.Iterator[Problem]:
    """Validate the options of addresses."""
    yield from repeated("addresses", [address["name"] for address in addresses])
    for index, address in enumerate(addresses):
        variable, internal = f"addresses[{index}]", address["type"] == "INTERNAL"
        yield from named(f"{variable}.name", address["name"])
        if internal != bool(address["subnet"]):
            kind = address["type"] or "EXTERNAL"
            yield _problem("gcp-address-subnet", f"{variable}.subnet", address["subnet"], type=kind)
        if internal and address["tier"]:
            yield _problem("gcp-address-tier", f"{variable}.tier", address["tier"])
        yield from labels(f"{variable}.labels", address["labels"])


def desired(options: Options, address: Options) -> DesiredState:
    """The desired state of one address of a whole document."""
    subnet = address["subnet"]
    fixed = without_none(
        {
            "addressType": address["type"],
            "networkTier": address["tier"],
            "subnetwork": SUBNET.path(options, subnet) if subnet else None,
            "address": address["address"],
        }
    )
    mark = {MARK_LABEL: options["network"]["name"]}
    asked = {key: str(value) for key, value in (address["labels"] or {}).items()}

    def given(before: Normalized | None, marked: bool) -> Normalized:
        if address["labels"] is None:
            return fixed if before else {**fixed, "labels": mark}
        return {**fixed, "labels": {**asked, **(mark if marked else {})}}

    initial = {"purpose": "GCE_ENDPOINT"} if address["type"] == "INTERNAL" else {"networkTier": "PREMIUM"}
    needs = frozenset({(SUBNET.collection, subnet)}) if subnet else frozenset()
    return DesiredState(ADDRESS, address["name"], given, initial, needs)
