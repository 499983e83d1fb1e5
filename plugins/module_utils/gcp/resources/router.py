# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Cloud Router, which carries the NATs."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, link, log, merged, without_none
from ..api.plan import DesiredState
from ..api.resource import Body, Call, Options, Resource, create_marked, mutable
from ..rules import between, named, repeated
from . import network
from .address import ADDRESS
from .subnet import SUBNET

LOG_FILTERS = {"all": "ALL", "errors": "ERRORS_ONLY", "translations": "TRANSLATIONS_ONLY"}
NEW_NAT: Normalized = {
    "natIpAllocateOption": "AUTO_ONLY",
    "natIps": [],
    "drainNatIps": [],
    "tcpEstablishedIdleTimeoutSec": 7200,
    "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
}
# Fields of a router that an update keeps.
KEPT = ("bgp", "bgpPeers", "description", "encryptedInterconnectRouter", "interfaces", "network")


def _normalized_nat(body: t.Mapping[str, t.Any]) -> Normalized:
    # The rest of a NAT is kept as it is: the API takes the list as a whole.
    kept = {name: value for name, value in body.items() if name != "effectiveTcpTimeWaitTimeoutSec"}
    subnets = [{**each, "name": link(each["name"])} for each in body.get("subnetworks", [])]
    return {
        **kept,
        **{name: sorted(link(each) for each in body.get(name, [])) for name in ("natIps", "drainNatIps")},
        "subnetworks": sorted(subnets, key=lambda each: each["name"]),
        "logConfig": log(body),
    }


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    nats = [_normalized_nat(nat) for nat in body.get("nats", [])]
    return {"network": link(body["network"]), "nats": sorted(nats, key=lambda nat: nat["name"])}


def _change(name: str, found: Body, desired: Normalized, _differing: set[str]) -> c.Iterator[Call]:
    if desired["nats"]:
        yield Call("patch", {"nats": desired["nats"]})
    else:
        yield Call("update", {"name": name, **{field: found[field] for field in KEPT if field in found}})


ROUTER = Resource(
    "routers",
    "Router",
    "router",
    "region",
    normalized=_normalized,
    mutable=mutable("nats"),
    create=create_marked,
    change=_change,
    # The API takes all NATs of a router or none.
    reread=True,
)


_problem = table(
    {
        "gcp-nat-subnets": (
            "a NAT for every subnet would include those of Cloud Run",
            "name the subnets whose machines it is for",
        ),
        "gcp-nat-draining": ("{name} is one of its addresses too", "keep it in one of the two lists"),
    }
)


def problems(router: Options) -> c.Iterator[Problem]:
    """Validate the options of a router."""
    yield from named("router.name", router["name"])
    nats = router["nats"] or []
    yield from repeated("router.nats", [nat["name"] for nat in nats])
    for index, nat in enumerate(nats):
        variable = f"router.nats[{index}]"
        yield from named(f"{variable}.name", nat["name"])
        if not nat["subnets"]:
            yield _problem("gcp-nat-subnets", f"{variable}.subnets", nat["subnets"])
        for name in sorted({*(nat["addresses"] or [])} & {*(nat["draining"] or [])}):
            yield _problem("gcp-nat-draining", f"{variable}.draining", name=name)
        yield from between(f"{variable}.tcp_established_idle_timeout", nat["tcp_established_idle_timeout"], 30, 604800)
        yield from between(f"{variable}.min_ports_per_vm", nat["min_ports_per_vm"], 2, 65536)


def desired(options: Options, router: Options) -> DesiredState:
    """The desired state of the router of a whole document."""
    asked = {nat["name"]: _nat(options, nat) for nat in router["nats"] or []}

    def given(before: Normalized | None, marked: bool) -> Normalized:
        if router["nats"] is None:
            return {"network": network.path(options)}
        existing = {nat["name"]: nat for nat in before["nats"]} if before else {}
        kept = {} if marked else {name: nat for name, nat in existing.items() if name not in asked}
        ours = {name: _merged_nat(existing.get(name), nat) for name, nat in asked.items()}
        ordered = sorted({**kept, **ours}.items())
        return {"network": network.path(options), "nats": [nat for _name, nat in ordered]}

    needs = set(network.needs(options))
    for nat in router["nats"] or []:
        needs |= {(ADDRESS.collection, name) for name in [*(nat["addresses"] or []), *(nat["draining"] or [])]}
        needs |= {(SUBNET.collection, name) for name in nat["subnets"] or []}
    return DesiredState(ROUTER, router["name"], given, {}, frozenset(needs))


def _nat(options: Options, nat: Options) -> Normalized:
    found = without_none(
        {
            "name": nat["name"],
            "tcpEstablishedIdleTimeoutSec": nat["tcp_established_idle_timeout"],
            "minPortsPerVm": nat["min_ports_per_vm"],
        }
    )
    if nat["addresses"] is not None:
        found["natIpAllocateOption"] = "MANUAL_ONLY" if nat["addresses"] else "AUTO_ONLY"
        found["natIps"] = sorted(ADDRESS.path(options, name) for name in nat["addresses"])
    if nat["draining"] is not None:
        found["drainNatIps"] = sorted(ADDRESS.path(options, name) for name in nat["draining"])
    if nat["subnets"] is not None:
        found["sourceSubnetworkIpRangesToNat"] = "LIST_OF_SUBNETWORKS"
        found["subnetworks"] = [
            {"name": SUBNET.path(options, name), "sourceIpRangesToNat": ["PRIMARY_IP_RANGE"]}
            for name in sorted(nat["subnets"])
        ]
    if nat["log"] == "none":
        found["logConfig"] = {"enable": False}
    elif nat["log"]:
        found["logConfig"] = {"enable": True, "filter": LOG_FILTERS[nat["log"]]}
    return found


def _merged_nat(before: Normalized | None, given: Normalized) -> Normalized:
    """A NAT as it should be. It can drain only addresses that it has."""
    existing = before or NEW_NAT
    found = merged(existing, given)
    had = {*existing["natIps"], *existing["drainNatIps"]}
    return {**found, "drainNatIps": [link for link in found["drainNatIps"] if link in had]}
