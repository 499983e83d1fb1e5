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
from ..api.normal import Normalized, cidr, link, log, without_none
from ..api.plan import DesiredState
from ..api.resource import MARK, Body, Call, Options, Resource, create_marked
from ..rules import PRIVATE, Range, between, ip_range, is_private, named, repeated
from . import network

PORTS = r"\d{1,5}(-\d{1,5})?"
LIVE_PORTS, PAPER_PORTS = ({ports.API[mode], ports.RELAY[mode]} for mode in ("live", "paper"))
API_PORTS = LIVE_PORTS | PAPER_PORTS
WITH_PORTS = ("tcp", "udp", "sctp")


def _by_protocol(entries: c.Iterable[t.Mapping[str, t.Any]]) -> list[Normalized]:
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
    # An empty list does not get through PATCH: the whole rule is put.
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


def problems(rules: list[t.Any]) -> c.Iterator[str]:
    """Validate the options of firewall rules."""
    yield from repeated("firewalls", [rule["name"] for rule in rules])
    for index, rule in enumerate(rules):
        yield from (f"firewalls[{index}].{problem}" for problem in _rule(rule))


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
        # Any one source admits traffic: they are set as a whole.
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


def _rule(rule: Options) -> c.Iterator[str]:
    """Validate one rule; each problem begins with the option inside of it."""
    name = rule["name"]
    yield from named("", rule)
    yield from between("priority", rule["priority"], 0, 65535)
    for option in ("source_ranges", "destination_ranges"):
        for value in rule[option] or []:
            yield from ip_range(f"{option} ({name})", value)[1]
    yield from _protocols(rule)
    if rule["target_tags"] and rule["target_service_accounts"]:
        yield (
            f"target_tags is {rule['target_tags']} ({name}): Google takes tags or service accounts. Keep "
            "target_service_accounts: a tag can be put on by anyone who may edit a machine."
        )
    if rule["direction"] == "EGRESS":
        if rule["source_ranges"] or rule["source_tags"]:
            yield f"source_ranges and source_tags ({name}): a rule for EGRESS has destination_ranges. Remove them."
    elif rule["action"] == "allow":
        yield from _ingress(rule)


def _protocols(rule: Options) -> c.Iterator[str]:
    if not rule["rules"]:
        yield f"rules is [] ({rule['name']}): a rule is about at least one protocol. Name one, or `all`."
    for index, entry in enumerate(rule["rules"]):
        variable = f"rules[{index}]"
        if not re.fullmatch(r"[a-z]+|\d{1,3}", entry["protocol"]):
            yield f"{variable}.protocol is {entry['protocol']!r} ({rule['name']}): write tcp, udp, all or a number."
        if entry["ports"] and entry["protocol"] not in WITH_PORTS:
            yield (
                f"{variable}.ports is {entry['ports']} ({rule['name']}): only {', '.join(WITH_PORTS)} have ports. "
                "Remove them."
            )
        for port in entry["ports"] or []:
            if not re.fullmatch(PORTS, port) or not _ports(port):
                yield f"{variable}.ports has {port!r} ({rule['name']}): write a port as '4001', or a range as '1-99'."


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


def _ingress(rule: Options) -> c.Iterator[str]:
    """Validate who may come in."""
    name, sources = rule["name"], [each for each in map(_valid, rule["source_ranges"] or []) if each]
    if not rule["source_ranges"] and not rule["source_tags"]:
        yield (
            f"source_ranges is {rule['source_ranges']!r} ({name}): Google reads none as 0.0.0.0/0. Name the ranges "
            "that may come in."
        )
    if any(each.prefixlen == 0 for each in ipaddress.collapse_addresses(sources)):
        yield (
            f"source_ranges is {rule['source_ranges']} ({name}): together they are 0.0.0.0/0, and an allow rule must "
            "not be open to all. Name the ranges that may come in."
        )
    exposed = sorted(_open(rule, {*API_PORTS, ports.VNC}))
    public = [str(each) for each in sources if not is_private(each)]
    if exposed and public:
        yield (
            f"source_ranges has {', '.join(public)} ({name}): the rule opens {', '.join(map(str, exposed))}, and the "
            f"gateway's API and its screen are only for ranges in {', '.join(map(str, PRIVATE))}. Narrow the ranges or "
            "the ports."
        )
    if exposed and rule["source_tags"]:
        yield (
            f"source_tags is {rule['source_tags']} ({name}): Cloud Run's traffic carries no tag that a rule for "
            "ingress could match, so that the rule would let nothing in. Write the range of Cloud Run's whole subnet "
            "as source_ranges."
        )
    opened = set(exposed)
    if opened & LIVE_PORTS and opened & PAPER_PORTS:
        yield (
            f"rules ({name}) open {', '.join(map(str, sorted(opened & API_PORTS)))}: live and paper stay apart. Write "
            "a rule for each, with a target of its own."
        )


def _valid(value: str) -> Range | None:
    return ip_range("", value)[0]
