# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC network itself."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...agent.problem import Problem
from ..api.normal import Normalized, without_none
from ..api.plan import DesiredState, Key, constant
from ..api.resource import Body, Call, Options, Resource, create_marked, mutable
from ..rules import between, named


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "autoCreateSubnetworks": body.get("autoCreateSubnetworks"),
        "routingConfig": {"routingMode": body.get("routingConfig", {}).get("routingMode")},
        "mtu": body.get("mtu"),
    }


def _change(_name: str, _found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    yield Call("patch", {field: desired[field] for field in sorted(differing)})


NETWORK = Resource(
    "networks",
    "Network",
    "network",
    normalized=_normalized,
    mutable=mutable("mtu", "routingConfig"),
    create=create_marked,
    change=_change,
)


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate the options of a network."""
    yield from named("network.name", options["name"])
    yield from between("network.mtu", options["mtu"], 1300, 8896)


def desired(options: Options) -> DesiredState:
    mode = {"routingConfig": {"routingMode": options["routing_mode"]}} if options["routing_mode"] else {}
    given = {"autoCreateSubnetworks": False, **mode, **without_none({"mtu": options["mtu"]})}
    return DesiredState(NETWORK, options["name"], constant(given), {"routingConfig": {"routingMode": "REGIONAL"}})


def needs(options: Options) -> frozenset[Key]:
    """The network of a whole document, for the resources inside it."""
    return frozenset({(NETWORK.collection, options["network"]["name"])})


def path(options: Options) -> str:
    """The path of a whole document's network."""
    return NETWORK.path(options, options["network"]["name"])
