# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewall rules."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

from ...agent.api import ports
from ...agent.problem import Problem, table
from ..api.normal import Normalized, cidr, link, log, without_none
from ..api.plan import DesiredState
from ..api.resource import MARK, Body, Call, Options, Resource, create_marked
from ..rules import PRIVATE, Range, between, ip_range, is_private, named, repeated, within
from . import network

PORTS = r"\d{1,5}(-\d{1,5})?"
LIVE_PORTS, PAPER_PORTS = (
    {each[mode] for each in (ports.API, ports.RELAY, ports.TWS_API, ports.TWS_RELAY)} for mode in ("live", "paper")
)
API_PORTS = LIVE_PORTS | PAPER_PORTS
WITH_PORTS = ("tcp", "udp", "sctp")
_problem = table(
    {
        "gcp-rule-targets": (
            "rule {rule}: Google takes tags or service accounts as targets",
            "keep target_service_accounts: anyone who may edit a machine can put a tag on it",
        ),
        "gcp-rule-egress-sources": ("rule {rule}: one for EGRESS has destination_ranges", "remove it"),
        "gcp-rule-empty": ("rule {rule}: it needs at least one protocol", "name one, or all"),
        "gcp-rule-protocol": ("rule {rule}: not a protocol", "write tcp, udp, all or a number"),
        "gcp-rule-no-ports": ("rule {rule}: only {protocols} have ports", "remove them"),
        "gcp-rule-port": ("rule {rule}: neither a port nor a range of ports", "write '4001', or '1-99'"),
        "gcp-rule-no-sources": (
            "rule {rule}: Google reads no sources as 0.0.0.0/0",
            "name the ranges that may come in",
        ),
        "gcp-rule-open-to-all": (
            "rule {rule}: together the ranges are 0.0.0.0/0, and an allow rule must not be open to all",
            "name the ranges that may come in",
        ),
        "gcp-rule-api-public": (
            "rule {rule}: {ranges} may reach {ports}, and the gateway's API and its screen are only for ranges in "
            "{private}",
            "narrow the ranges or the ports",
        ),
        "gcp-rule-api-tags": (
            "rule {rule}: Cloud Run's traffic carries no tag that a rule for ingress could match, so that the rule "
            "would let nothing in",
            "write the range of Cloud Run's whole subnet as source_ranges",
        ),
        "gcp-rule-live-and-paper": (
            "rule {rule}: it opens {ports}, and live and paper stay apart",
            "write a rule for each, with a target of its own",
        ),
    }
)


def _by_protocol(entries: c.Iterable[t.Mapping[str, t.Any]]) -> list[Normalized]:
    """Entries of C(allowed) or C(denied), one per protocol; a protocol without ports means all of them."""
    found: dict[str, set[str] | None] = {}
    for entry in entries:
        protocol, ports = entry["IPProtocol"].lower(), entry.get("ports")
        before = found.setdefault(protocol, set())
        found[protocol] = before | set(ports) if ports and before is not None else None
    return [
        {"IPProtocol": protocol, **({"ports": sorted(ports)} if ports else {})}
        for protocol, ports in sorted(found.items())
    ]


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    ranges = {name: sorted(cidr(each) for each in body.get(name, [])) for name in ("sourceRanges", "destinationRanges")}
    names = ("sourceTags", "targetTags", "sourceServiceAccounts", "targetServiceAccounts")
    return {
        "network": link(body["network"]),
        "description": body.get("description", ""),
        "direction": body.get("direction"),
        "priority": body.get("priority"),
        "allowed": _by_protocol(body.get("allowed", [])),
        "denied": _by_protocol(body.get("denied", [])),
        **ranges,
        **{name: sorted(body.get(name, [])) for name in names},
        "logConfig": log(body),
        "disabled": body.get("disabled", False),
    }


def _mutable(before: Normalized, desired: Normalized) -> set[str]:
    action = {"allowed", "denied"} if bool(before["allowed"]) == bool(desired["allowed"]) else set()
    return set(desired) - {"network", "direction", "allowed", "denied"} | action


def _change(name: str, _found: Body, desired: Normalized, _differing: set[str]) -> c.Iterator[Call]:
    # PATCH ignores an empty list: the whole rule is sent by PUT.
    yield Call("update", {"name": name, **{field: value for field, value in desired.items() if value != []}})


FIREWALL = Resource(
    "firewalls",
    "Firewall",
    "firewall",
    normalized=_normalized,
    mutable=_mutable,
    create=create_marked,
    change=_change,
)


def problems(rules: list[t.Any]) -> c.Iterator[Problem]:
    """Validate the options of firewall rules."""
    yield from repeated("firewalls", [rule["name"] for rule in rules])
    for index, rule in enumerate(rules):
        yield from within(f"firewalls[{index}]", _rule(rule))


def desired(options: Options, rule: Options) -> DesiredState:
    """The desired state of one firewall rule of a whole document."""
    entries = _by_protocol({"IPProtocol": each["protocol"], "ports": each["ports"]} for each in rule["rules"])
    allow = rule["action"] == "allow"
    fixed = without_none(
        {
            "network": network.path(options),
            "direction": rule["direction"],
            "priority": rule["priority"],
            "allowed": entries if allow else [],
            "denied": [] if allow else entries,
            "sourceRanges": _ranges(rule["source_ranges"]),
            "destinationRanges": _ranges(rule["destination_ranges"]),
            "targetTags": _sorted(rule["target_tags"]),
            "targetServiceAccounts": _sorted(rule["target_service_accounts"]),
            "logConfig": None if rule["log"] is None else {"enable": rule["log"]},
            "disabled": rule["disabled"],
        }
    )
    if rule["source_ranges"] is not None or rule["source_tags"] is not None:
        # Each source admits traffic by itself: they are set as a whole.
        ranges, tags = _ranges(rule["source_ranges"] or []), _sorted(rule["source_tags"] or [])
        fixed |= {"sourceRanges": ranges, "sourceTags": tags, "sourceServiceAccounts": []}

    def given(_before: Normalized | None, marked: bool) -> Normalized:
        if rule["description"] is None:
            return fixed
        return {**fixed, "description": f"{rule['description']} {MARK if marked else ''}".strip()}

    initial = {"priority": 1000, "logConfig": {"enable": True}, "description": MARK}
    return DesiredState(FIREWALL, rule["name"], given, initial, network.needs(options))


def _ranges(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted({cidr(value) for value in values})


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(set(values))


def _rule(rule: Options) -> c.Iterator[Problem]:
    """Validate one rule; the variables of the problems are its keys."""
    name = rule["name"]
    yield from named("name", name)
    yield from between("priority", rule["priority"], 0, 65535)
    for option in ("source_ranges", "destination_ranges"):
        for index, value in enumerate(rule[option] or []):
            yield from ip_range(f"{option}[{index}]", value)[1]
    yield from _protocols(rule)
    if rule["target_tags"] and rule["target_service_accounts"]:
        yield _problem("gcp-rule-targets", "target_tags", rule["target_tags"], rule=name)
    if rule["direction"] == "EGRESS":
        for option in ("source_ranges", "source_tags"):
            if rule[option]:
                yield _problem("gcp-rule-egress-sources", option, rule[option], rule=name)
    elif rule["action"] == "allow":
        yield from _ingress(rule)


def _protocols(rule: Options) -> c.Iterator[Problem]:
    name = rule["name"]
    if not rule["rules"]:
        yield _problem("gcp-rule-empty", "rules", [], rule=name)
    for index, entry in enumerate(rule["rules"]):
        variable = f"rules[{index}]"
        if not re.fullmatch(r"[a-z]+|\d{1,3}", entry["protocol"]):
            yield _problem("gcp-rule-protocol", f"{variable}.protocol", entry["protocol"], rule=name)
        if entry["ports"] and entry["protocol"] not in WITH_PORTS:
            protocols = ", ".join(WITH_PORTS)
            yield _problem("gcp-rule-no-ports", f"{variable}.ports", entry["ports"], rule=name, protocols=protocols)
        for at, port in enumerate(entry["ports"] or []):
            if not re.fullmatch(PORTS, port) or not _ports(port):
                yield _problem("gcp-rule-port", f"{variable}.ports[{at}]", port, rule=name)


def _ports(text: str) -> range:
    first, _dash, last = text.partition("-")
    return range(int(first), min(int(last or first), 65535) + 1)


def _open(rule: Options, ports: t.Iterable[int]) -> set[int]:
    """Return those of *ports* that a rule matches over TCP."""
    found: set[int] = set()
    for entry in rule["rules"]:
        if entry["protocol"] in ("all", "6") or (entry["protocol"] == "tcp" and not entry["ports"]):
            return set(ports)
        if entry["protocol"] == "tcp":
            spans = [_ports(port) for port in entry["ports"] if re.fullmatch(PORTS, port)]
            found |= {port for port in ports if any(port in span for span in spans)}
    return found


def _ingress(rule: Options) -> c.Iterator[Problem]:
    """Validate the sources of an ingress rule."""
    name, sources = rule["name"], [each for each in map(_valid, rule["source_ranges"] or []) if each]
    if not rule["source_ranges"] and not rule["source_tags"]:
        yield _problem("gcp-rule-no-sources", "source_ranges", rule["source_ranges"], rule=name)
    if any(each.prefixlen == 0 for each in ipaddress.collapse_addresses(sources)):
        yield _problem("gcp-rule-open-to-all", "source_ranges", rule["source_ranges"], rule=name)
    exposed = sorted(_open(rule, {*API_PORTS, ports.VNC, ports.RDP}))
    public = [str(each) for each in sources if not is_private(each)]
    if exposed and public:
        yield _problem(
            "gcp-rule-api-public",
            "source_ranges",
            rule["source_ranges"],
            rule=name,
            ranges=", ".join(public),
            ports=", ".join(map(str, exposed)),
            private=", ".join(map(str, PRIVATE)),
        )
    if exposed and rule["source_tags"]:
        yield _problem("gcp-rule-api-tags", "source_tags", rule["source_tags"], rule=name)
    opened = set(exposed)
    if opened & LIVE_PORTS and opened & PAPER_PORTS:
        both = ", ".join(map(str, sorted(opened & API_PORTS)))
        yield _problem("gcp-rule-live-and-paper", "rules", rule=name, ports=both)


def _valid(value: str) -> Range | None:
    return ip_range("", value)[0]
