# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One normal form for what the API answers and for what is wanted: what is equal in Google's eyes compares equal.

A view has the API's own field names. Links are C(projects/...), lists without an order are sorted, what the API leaves
out has its default.
"""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

View = dict[str, t.Any]
# Dicts whose keys are the user's.
WHOLE = ("labels", "metadata")


def link(value: str) -> str:
    """C(projects/...) of a full URL, whatever its host."""
    return re.sub(r"^https?://.*?/(?=projects/)", "", value)


def cidr(value: str) -> str:
    """A range as Google writes it: C(10.0.0.1) is C(10.0.0.1/32)."""
    return str(ipaddress.ip_network(value))


def log(body: t.Mapping[str, t.Any]) -> View:
    """The C(logConfig) of a resource: the API takes the rest of it only where logging is on."""
    found = body.get("logConfig") or {}
    return dict(found) if found.get("enable") else {"enable": False}


def ports_by_protocol(entries: c.Iterable[t.Mapping[str, t.Any]]) -> list[View]:
    """Entries of C(allowed) or C(denied), one a protocol; a protocol without ports means all of them."""
    found: dict[str, set[str] | None] = {}
    for entry in entries:
        protocol, ports = entry["IPProtocol"].lower(), entry.get("ports")
        before = found.setdefault(protocol, set())
        found[protocol] = before | set(ports) if ports and before is not None else None
    return [
        {"IPProtocol": protocol, **({"ports": sorted(ports)} if ports else {})}
        for protocol, ports in sorted(found.items())
    ]


def network(body: t.Mapping[str, t.Any]) -> View:
    return {
        "autoCreateSubnetworks": body.get("autoCreateSubnetworks"),
        "routingConfig": {"routingMode": body.get("routingConfig", {}).get("routingMode")},
        "mtu": body.get("mtu"),
    }


def subnet(body: t.Mapping[str, t.Any]) -> View:
    return {
        "network": link(body["network"]),
        "ipCidrRange": body["ipCidrRange"],
        "privateIpGoogleAccess": body.get("privateIpGoogleAccess", False),
        "logConfig": log(body),
    }


def address(body: t.Mapping[str, t.Any]) -> View:
    return {
        "addressType": body.get("addressType"),
        "networkTier": body.get("networkTier"),
        "subnetwork": link(body.get("subnetwork", "")),
        "address": body.get("address"),
        "labels": dict(body.get("labels", {})),
    }


def _nat(body: t.Mapping[str, t.Any]) -> View:
    # The rest of a NAT is kept as it is: the API takes the list as a whole.
    subnets = [{**each, "name": link(each["name"])} for each in body.get("subnetworks", [])]
    return {
        **body,
        **{name: sorted(link(each) for each in body.get(name, [])) for name in ("natIps", "drainNatIps")},
        "subnetworks": sorted(subnets, key=lambda each: each["name"]),
        "logConfig": log(body),
    }


def router(body: t.Mapping[str, t.Any]) -> View:
    nats = [{k: v for k, v in nat.items() if k != "effectiveTcpTimeWaitTimeoutSec"} for nat in body.get("nats", [])]
    return {
        "network": link(body["network"]),
        "nats": sorted((_nat(nat) for nat in nats), key=lambda nat: nat["name"]),
    }


def firewall(body: t.Mapping[str, t.Any]) -> View:
    ranges = {name: sorted(cidr(each) for each in body.get(name, [])) for name in ("sourceRanges", "destinationRanges")}
    names = ("sourceTags", "targetTags", "sourceServiceAccounts", "targetServiceAccounts")
    return {
        "network": link(body["network"]),
        "description": body.get("description", ""),
        "direction": body.get("direction"),
        "priority": body.get("priority"),
        "allowed": ports_by_protocol(body.get("allowed", [])),
        "denied": ports_by_protocol(body.get("denied", [])),
        **ranges,
        **{name: sorted(body.get(name, [])) for name in names},
        "logConfig": log(body),
        "disabled": body.get("disabled", False),
    }


def merged(before: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> View:
    """*before* with what is given; inside of dicts too, but for WHOLE, which are given as such."""
    found = dict(before)
    for name, value in given.items():
        both = isinstance(value, dict) and isinstance(before.get(name), dict) and name not in WHOLE
        found[name] = {**before[name], **value} if both else value
    return {**found, "logConfig": log(found)} if "logConfig" in found else found
