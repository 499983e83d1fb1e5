# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a document of options must not say. Each problem names the variable, its value, the rule and the fix."""

from __future__ import annotations

import collections.abc as c
import ipaddress
import re
import typing as t

Options = t.Mapping[str, t.Any]
Range = ipaddress.IPv4Network

NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
PROJECT = r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]"
REGION = r"[a-z]+-[a-z]+\d+"
PORTS = r"\d{1,5}(-\d{1,5})?"
LABEL_KEY = r"[a-z][-_a-z0-9]{0,62}"
LABEL_VALUE = r"[-_a-z0-9]{0,63}"
LIVE_PORTS, PAPER_PORTS, VNC_PORT = {4001, 4003}, {4002, 4004}, 5900
API_PORTS = LIVE_PORTS | PAPER_PORTS
WITH_PORTS = ("tcp", "udp", "sctp")
PRIVATE = [ipaddress.IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
# The longest prefix that each use of a subnet can do with, and the shortest.
PREFIXES = {"gateway": (29, 0), "cloud_run": (26, 0), "connector": (28, 28)}


def problems(options: Options) -> list[str]:
    """Everything that is wrong with the options of a network; empty when nothing is."""
    found = [*place(options), *named("network", options["network"]), *_mtu(options["network"])]
    found += [*_subnets(options["subnets"] or []), *_addresses(options["addresses"] or [])]
    found += _router(options["router"]) if options["router"] else []
    rules = options["firewalls"] or []
    found += _repeated("firewalls", [rule["name"] for rule in rules])
    for index, rule in enumerate(rules):
        found += [f"firewalls[{index}].{problem}" for problem in _firewall(rule)]
    return found


def place(options: Options) -> c.Iterator[str]:
    """What is wrong with project and region."""
    project, region = options["project"], options["region"]
    if not re.fullmatch(PROJECT, project):
        yield f"project is {project!r}: no project has such an id. Write the id that `gcloud projects list` shows."
    if re.fullmatch(rf"{REGION}-[a-z]", region):
        yield f"region is {region!r}: that is a zone. Write its region, {region[:-2]!r}."
    elif not re.fullmatch(REGION, region):
        yield f"region is {region!r}: no region is called so. Write one that `gcloud compute regions list` shows."


def existing_ranges(options: Options, present: t.Iterable[t.Mapping[str, t.Any]]) -> c.Iterator[str]:
    """Where a new subnet overlaps one that is in the network and not in the options."""
    ours = {subnet["name"]: subnet["range"] for subnet in options["subnets"] or []}
    for other in present:
        for index, (name, value) in enumerate(ours.items()):
            theirs = Range(other["ipCidrRange"])
            if other["name"] not in ours and Range(value).overlaps(theirs):
                yield (
                    f"subnets[{index}].range is {value!r} ({name}): it overlaps {theirs} of subnet {other['name']}, "
                    "which the network has. Choose a range that is free."
                )


def missing_references(options: Options, subnets: t.Container[str], addresses: t.Container[str]) -> c.Iterator[str]:
    """Where the options name a subnet or an address that is neither in them nor there."""
    for variable, name in _references(options, "subnets", "subnet"):
        if name not in subnets:
            yield f"{variable} is {name!r}: there is no such subnet in the region. Add it to subnets, or mend the name."
    for variable, name in (*_references(options, "addresses", ""), *_references(options, "draining", "")):
        if name not in addresses:
            yield (
                f"{variable} is {name!r}: no such address is reserved in the region. Add it to addresses, or mend the "
                "name."
            )


def _references(options: Options, in_nats: str, in_addresses: str) -> c.Iterator[tuple[str, str]]:
    for number, nat in enumerate((options["router"] or {}).get("nats") or []):
        for index, name in enumerate(nat[in_nats] or []):
            yield f"router.nats[{number}].{in_nats}[{index}]", name
    for index, address in enumerate(options["addresses"] or []):
        if in_addresses and address[in_addresses]:
            yield f"addresses[{index}].{in_addresses}", address[in_addresses]


def named(variable: str, options: Options) -> c.Iterator[str]:
    """What is wrong with the name of a resource whose options are *variable*'s; empty for the module's own."""
    if not re.fullmatch(NAME, options["name"]):
        yield (
            f"{variable}{'.' if variable else ''}name is {options['name']!r}: Google wants 1 to 63 lower case letters, "
            "digits and dashes, a letter first and no dash last. Choose such a name."
        )


def _repeated(variable: str, names: list[str]) -> c.Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{variable} names {name!r} more than once: a name stands for one resource. Remove all but one."


def between(variable: str, value: int | None, least: int, most: int) -> c.Iterator[str]:
    """What is wrong with a number that Google limits."""
    if value is not None and not least <= value <= most:
        yield f"{variable} is {value}: Google takes {least} to {most}. Choose a number between them."


def _mtu(network: Options) -> c.Iterator[str]:
    yield from between("network.mtu", network["mtu"], 1300, 8896)


def _range(variable: str, value: str) -> tuple[Range | None, list[str]]:
    try:
        return Range(value), []
    except ValueError as error:
        return None, [f"{variable} is {value!r}: {error}. Write an IPv4 range as 10.0.0.0/24."]


def _subnets(subnets: list[t.Any]) -> c.Iterator[str]:
    yield from _repeated("subnets", [subnet["name"] for subnet in subnets])
    earlier: dict[str, Range] = {}
    for index, subnet in enumerate(subnets):
        variable, value = f"subnets[{index}]", subnet["range"]
        yield from named(variable, subnet)
        found, wrong = _range(f"{variable}.range", value)
        yield from wrong
        if found is None:
            continue
        yield from _size(f"{variable}.range", subnet["use"] or "gateway", found)
        if not _private(found):
            yield f"{variable}.range is {value!r}: it is public. Choose one in {', '.join(map(str, PRIVATE))}."
        for name, other in earlier.items():
            if other.overlaps(found):
                yield f"{variable}.range is {value!r}: it overlaps {other} of {name}. Choose ranges that do not."
        earlier[subnet["name"]] = found


def _size(variable: str, use: str, found: Range) -> c.Iterator[str]:
    longest, shortest = PREFIXES[use]
    if not shortest <= found.prefixlen <= longest:
        wanted = f"/{longest}" if shortest == longest else f"/{longest} or larger"
        yield f"{variable} is '{found}': a subnet for {use} has to be {wanted}. Choose such a range."


def _private(found: Range) -> bool:
    return any(found.subnet_of(each) for each in PRIVATE)


def _addresses(addresses: list[t.Any]) -> c.Iterator[str]:
    yield from _repeated("addresses", [address["name"] for address in addresses])
    for index, address in enumerate(addresses):
        variable, internal = f"addresses[{index}]", address["type"] == "INTERNAL"
        yield from named(variable, address)
        if internal != bool(address["subnet"]):
            yield (
                f"{variable}.subnet is {address['subnet']!r} and its type {address['type'] or 'EXTERNAL'}: an internal "
                "address is one of a subnet, an external one is of none. Give both, or neither."
            )
        if internal and address["tier"]:
            yield f"{variable}.tier is {address['tier']!r}: an internal address has none. Remove it."
        yield from labels(f"{variable}.labels", address["labels"])


def labels(variable: str, given: Options | None) -> c.Iterator[str]:
    """What is wrong with labels."""
    for key, value in (given or {}).items():
        if not (re.fullmatch(LABEL_KEY, key) and re.fullmatch(LABEL_VALUE, str(value))):
            yield (
                f"{variable} has {key!r}: {value!r}: Google wants at most 63 lower case letters, digits, dashes and "
                "underscores, a letter first in the key. Write it so."
            )


def _router(router: Options) -> c.Iterator[str]:
    yield from named("router", router)
    nats = router["nats"] or []
    yield from _repeated("router.nats", [nat["name"] for nat in nats])
    for index, nat in enumerate(nats):
        variable = f"router.nats[{index}]"
        yield from named(variable, nat)
        if not nat["subnets"]:
            yield (
                f"{variable}.subnets is {nat['subnets']!r}: a NAT for every subnet would take those of Cloud Run in. "
                "Name the subnets whose machines it is for."
            )
        for name in sorted({*(nat["addresses"] or [])} & {*(nat["draining"] or [])}):
            yield f"{variable}.draining has {name!r}: it is one of its addresses too. Keep it in one of them."
        yield from between(f"{variable}.tcp_established_idle_timeout", nat["tcp_established_idle_timeout"], 30, 604800)
        yield from between(f"{variable}.min_ports_per_vm", nat["min_ports_per_vm"], 2, 65536)


def _firewall(rule: Options) -> c.Iterator[str]:
    """Problems of one rule, each beginning with the option inside of it."""
    name = rule["name"]
    yield from named("", rule)
    yield from between("priority", rule["priority"], 0, 65535)
    for option in ("source_ranges", "destination_ranges"):
        for value in rule[option] or []:
            yield from _range(f"{option} ({name})", value)[1]
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
    """Which of *ports* a rule is about, over TCP."""
    found: set[int] = set()
    for entry in rule["rules"]:
        if entry["protocol"] in ("all", "6") or (entry["protocol"] == "tcp" and not entry["ports"]):
            return set(ports)
        if entry["protocol"] == "tcp":
            spans = [_ports(port) for port in entry["ports"] if re.fullmatch(PORTS, port)]
            found |= {port for port in ports if any(port in span for span in spans)}
    return found


def _ingress(rule: Options) -> c.Iterator[str]:
    """Who may come in."""
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
    exposed = sorted(_open(rule, {*API_PORTS, VNC_PORT}))
    public = [str(each) for each in sources if not _private(each)]
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
    return _range("", value)[0]
