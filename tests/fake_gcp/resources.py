"""Google's behaviour for each kind of resource beyond its schema: defaults, mutable fields, constraints."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.fake_gcp.errors import ApiError, invalid

Body = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """*fill* adds the server's defaults, *check* refuses (given the others of its kind), *mutable* may be changed."""

    fill: Callable[[Body, list[Body]], None]
    check: Callable[[Body, list[Body]], None]
    mutable: frozenset[str]


def _fill_network(body: Body, _others: list[Body]) -> None:
    body.setdefault("routingConfig", {}).setdefault("routingMode", "REGIONAL")
    body.setdefault("mtu", 1460)
    body.setdefault("networkFirewallPolicyEnforcementOrder", "AFTER_CLASSIC_FIREWALL")


def _check_network(body: Body, _others: list[Body]) -> None:
    if not 1300 <= body["mtu"] <= 8896:
        raise invalid("resource.mtu", body["mtu"], "It must be between 1300 and 8896.")


def _fill_subnetwork(body: Body, _others: list[Body]) -> None:
    body.setdefault("privateIpGoogleAccess", False)
    body.setdefault("purpose", "PRIVATE")
    body.setdefault("stackType", "IPV4_ONLY")
    if body["stackType"] != "IPV6_ONLY":
        body["gatewayAddress"] = str(next(_range("resource.ipCidrRange", body["ipCidrRange"]).hosts()))
    log = body.get("logConfig", {})
    if log.get("enable"):
        log.setdefault("aggregationInterval", "INTERVAL_5_SEC")
        log.setdefault("flowSampling", 0.5)
        log.setdefault("metadata", "EXCLUDE_ALL_METADATA")


def _check_subnetwork(body: Body, others: list[Body]) -> None:
    if body["stackType"] == "IPV6_ONLY":
        return
    mine = _range("resource.ipCidrRange", body["ipCidrRange"])
    if mine.prefixlen > 29:
        raise invalid("resource.ipCidrRange", mine, "The range must be /29 or larger.")
    for other in others:
        ranges = [other, *other.get("secondaryIpRanges", [])] if other["network"] == body["network"] else []
        if any("ipCidrRange" in each and mine.overlaps(ipaddress.ip_network(each["ipCidrRange"])) for each in ranges):
            raise invalid("resource.ipCidrRange", mine, f"Conflicts with subnetwork '{other['name']}'.")


def _range(field: str, value: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise invalid(field, value, "Must be a valid IPv4 range.") from error


def _fill_address(body: Body, others: list[Body]) -> None:
    taken = {other["address"] for other in others}
    internal = body.setdefault("addressType", "EXTERNAL") == "INTERNAL"
    if internal:
        body.setdefault("purpose", "GCE_ENDPOINT")
    else:
        body.setdefault("networkTier", "PREMIUM")
    # The subnet of an internal address is not looked up: its addresses come from one range, as the external ones do.
    pool = ipaddress.ip_network("10.99.0.0/24" if internal else "203.0.113.0/24").hosts()
    body.setdefault("address", next(str(each) for each in pool if str(each) not in taken))
    body["status"] = "RESERVED"


def _check_address(body: Body, others: list[Body]) -> None:
    if body["addressType"] == "INTERNAL" and not body.get("subnetwork"):
        raise invalid("resource.subnetwork", "", "An internal address needs a subnetwork.")
    if body["addressType"] == "INTERNAL" and "networkTier" in body:
        raise invalid("resource.networkTier", body["networkTier"], "An internal address has no tier.")
    if any(other["address"] == body["address"] for other in others):
        raise invalid("resource.address", body["address"], "Specified IP address is already reserved.")


def _fill_router(body: Body, _others: list[Body]) -> None:
    for nat in body.get("nats", []):
        nat.setdefault("type", "PUBLIC")
        nat.setdefault("endpointTypes", ["ENDPOINT_TYPE_VM"])
        nat.setdefault("enableEndpointIndependentMapping", False)
        nat.setdefault("autoNetworkTier", "PREMIUM")


def _check_router(body: Body, _others: list[Body]) -> None:
    names = [nat.get("name") for nat in body.get("nats", [])]
    if None in names or len(set(names)) != len(names):
        raise invalid("resource.nats", names, "Each NAT needs a name of its own.")
    for nat in body.get("nats", []):
        if (nat.get("natIpAllocateOption") == "MANUAL_ONLY") != bool(nat.get("natIps")):
            raise invalid("resource.nats.natIps", nat.get("natIps"), "MANUAL_ONLY, and nothing else, goes with IPs.")
        listed = nat.get("sourceSubnetworkIpRangesToNat") == "LIST_OF_SUBNETWORKS"
        if listed != bool(nat.get("subnetworks")):
            raise invalid("resource.nats.subnetworks", nat.get("subnetworks"), "LIST_OF_SUBNETWORKS goes with a list.")


def _fill_firewall(body: Body, _others: list[Body]) -> None:
    body.setdefault("direction", "INGRESS")
    body.setdefault("priority", 1000)
    body.setdefault("disabled", False)
    body.setdefault("logConfig", {"enable": False})
    if body["logConfig"].get("enable"):
        body["logConfig"].setdefault("metadata", "INCLUDE_ALL_METADATA")
    sources = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    if body["direction"] == "INGRESS" and not any(body.get(field) for field in sources):
        body["sourceRanges"] = ["0.0.0.0/0"]
    if body["direction"] == "EGRESS" and not body.get("destinationRanges"):
        body["destinationRanges"] = ["0.0.0.0/0"]
    for entry in body.get("allowed", []) + body.get("denied", []):
        entry["IPProtocol"] = entry.get("IPProtocol", "").lower()


def _check_firewall(body: Body, _others: list[Body]) -> None:
    if bool(body.get("allowed")) == bool(body.get("denied")):
        raise ApiError(400, "invalid", "A firewall must have allowed or denied, and not both.")
    if not 0 <= body["priority"] <= 65535:
        raise invalid("resource.priority", body["priority"], "It must be between 0 and 65535.")
    if "metadata" in body["logConfig"] and not body["logConfig"].get("enable"):
        raise invalid("resource.logConfig.metadata", body["logConfig"]["metadata"], "It goes with logging only.")
    for field in ("sourceRanges", "destinationRanges"):
        for value in body.get(field, []):
            _range(f"resource.{field}", value)
    if body["direction"] == "EGRESS" and (body.get("sourceTags") or body.get("sourceServiceAccounts")):
        raise invalid("resource.direction", "EGRESS", "Egress has no source tags.")
    tags = body.get("sourceTags") or body.get("targetTags")
    if tags and (body.get("sourceServiceAccounts") or body.get("targetServiceAccounts")):
        raise ApiError(400, "invalid", "Tags and service accounts cannot be mixed in one firewall.")


def _kind(fill: Callable[[Body, list[Body]], None], check: Callable[[Body, list[Body]], None], *mutable: str) -> Kind:
    return Kind(fill, check, frozenset(mutable))


KINDS = {
    "networks": _kind(_fill_network, _check_network, "mtu", "routingConfig", "networkFirewallPolicyEnforcementOrder"),
    "subnetworks": _kind(
        _fill_subnetwork, _check_subnetwork, "logConfig", "privateIpGoogleAccess", "secondaryIpRanges", "stackType"
    ),
    "addresses": _kind(_fill_address, _check_address),
    "routers": _kind(_fill_router, _check_router, "nats", "bgp", "bgpPeers", "interfaces", "description"),
    "firewalls": _kind(
        _fill_firewall,
        _check_firewall,
        *("priority", "sourceRanges", "destinationRanges", "sourceTags", "targetTags", "sourceServiceAccounts"),
        *("targetServiceAccounts", "allowed", "denied", "logConfig", "disabled", "description"),
    ),
}


def check_unchanged(kind: Kind, before: Body, after: Body, fields: Iterable[str]) -> None:
    """ApiError 400 when one of *fields* that may not change has changed."""
    for field in fields:
        if field not in kind.mutable and before.get(field) != after.get(field):
            raise invalid(f"resource.{field}", after.get(field), "The field cannot be changed.")
    for nat in after.get("nats", []):
        olds = [old for old in before.get("nats", []) if old["name"] == nat["name"]]
        had = {link for old in olds for link in [*old.get("natIps", []), *old.get("drainNatIps", [])]}
        if not set(nat.get("drainNatIps", [])) <= had - set(nat.get("natIps", [])):
            raise invalid("resource.nats.drainNatIps", nat["drainNatIps"], "They must be those that the NAT gives up.")
    if bool(before.get("allowed")) != bool(after.get("allowed")):
        raise invalid("resource.allowed", after.get("allowed"), "The action of a firewall cannot be changed.")
