# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of access method wireguard."""

from __future__ import annotations

import base64
import binascii
import collections.abc as c
import ipaddress
import re
import typing as t

from ..agent.problem import Problem, table

Settings = c.Mapping[str, t.Any]

UDP_PORTS = {"paper": 51820, "live": 51821}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
INTERFACE = re.compile(r"[a-zA-Z0-9_=+.-]{1,15}")


_problem = table(
    {
        "wireguard-interface": (
            "not an interface name",
            "use 1 to 15 of letters, digits, '-', '_' and '.'",
        ),
        "wireguard-udp-port": ("not a port", "use 1 to 65535"),
        "wireguard-addresses-empty": ("empty", "name the VM's address in the overlay, for example 10.99.0.1/24"),
        "wireguard-address": ("not an address with a length", "write it as 10.99.0.1/24 or fd99::1/64"),
        "wireguard-address-alone": ("it has no room for a peer", "give the overlay's length, for example /24"),
        "wireguard-address-public": ("not of a private network", "take one of 10.0.0.0/8 or fd00::/8"),
        "wireguard-peers-empty": (
            "empty, so nobody could connect",
            "give name, public_key and allowed_ips of each peer",
        ),
        "wireguard-peer-twice": ("two peers have the same {key}", "list each key of one program once"),
        "wireguard-peer-name": ("not a name", "use letters, digits, '-', '_' and '.'"),
        "wireguard-peer-key": ("not a public key", "take the 44 characters that wg pubkey prints"),
        "wireguard-peer-without-address": ("empty", "give the peer an address of the overlay"),
        "wireguard-peer-address": ("not an IP address", "name the peer's own, without a length"),
        "wireguard-peer-outside": ("it is in no network of access_wireguard_addresses", "take one that is"),
        "wireguard-peer-address-taken": ("it is taken", "give each peer an address of its own"),
        "wireguard-sources-empty": (
            "empty, so nobody could connect",
            "name from where peers come, 0.0.0.0/0 for anywhere",
        ),
        "wireguard-source": ("not a range of addresses ({fault})", "write it as 203.0.113.0/24"),
    }
)


def problems(settings: Settings) -> c.Iterator[Problem]:
    """Yield every problem of one gateway's variables of access method wireguard."""
    faults, places = _places(settings)
    yield from faults
    yield from _peers(settings, places)
    yield from _sources(settings)
    if not INTERFACE.fullmatch(interface(settings)):
        yield _problem("wireguard-interface", "access_wireguard_interface", interface(settings))
    if not 1 <= udp_port(settings) <= 65535:
        yield _problem("wireguard-udp-port", "access_wireguard_udp_port", udp_port(settings))


def unique(settings: Settings) -> c.Iterator[tuple[str, object]]:
    """Yield variables, with values, that no two gateways of one VM may share."""
    yield "access_wireguard_udp_port", udp_port(settings)
    yield "access_wireguard_interface", interface(settings)


def interface(settings: Settings) -> str:
    name = settings.get("gateway_name") or settings.get("gateway_mode")
    return str(settings.get("access_wireguard_interface") or f"wg-{name}")


def udp_port(settings: Settings) -> int:
    return int(settings.get("access_wireguard_udp_port") or UDP_PORTS.get(str(settings.get("gateway_mode")), 0))


def _places(settings: Settings) -> tuple[list[Problem], list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]]:
    variable, faults, places = "access_wireguard_addresses", [], []
    if not settings.get(variable):
        faults.append(_problem("wireguard-addresses-empty", variable))
    for text in settings.get(variable) or []:
        try:
            place = ipaddress.ip_interface(str(text))
        except ValueError:
            faults.append(_problem("wireguard-address", variable, text))
            continue
        places.append(place)
        if place.network.num_addresses == 1:
            faults.append(_problem("wireguard-address-alone", variable, text))
        elif place.is_global or place.is_loopback or place.is_link_local:
            faults.append(_problem("wireguard-address-public", variable, text))
    return faults, places


def _peers(settings: Settings, places: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]) -> c.Iterator[Problem]:
    peers, variable = settings.get("access_wireguard_peers") or [], "access_wireguard_peers"
    if not peers:
        yield _problem("wireguard-peers-empty", variable)
    for key in ("name", "public_key"):
        values = [str(peer.get(key)) for peer in peers]
        if len(values) != len(set(values)):
            yield _problem("wireguard-peer-twice", variable, key=key)
    taken = {place.ip for place in places}
    for index, peer in enumerate(peers):
        where = f"{variable}[{index}]"
        if not NAME.fullmatch(str(peer.get("name"))):
            yield _problem("wireguard-peer-name", f"{where}.name", peer.get("name"))
        if not _is_key(peer.get("public_key")):
            # It may be a private key.
            yield _problem("wireguard-peer-key", f"{where}.public_key")
        if not peer.get("allowed_ips"):
            yield _problem("wireguard-peer-without-address", f"{where}.allowed_ips")
        for text in peer.get("allowed_ips") or []:
            try:
                address = ipaddress.ip_address(str(text))
            except ValueError:
                yield _problem("wireguard-peer-address", f"{where}.allowed_ips", text)
                continue
            if places and not any(address in place.network for place in places):
                yield _problem("wireguard-peer-outside", f"{where}.allowed_ips", text)
            if address in taken:
                yield _problem("wireguard-peer-address-taken", f"{where}.allowed_ips", text)
            taken.add(address)


def _is_key(text: object) -> bool:
    try:
        return len(base64.b64decode(str(text), validate=True)) == 32
    except binascii.Error:
        return False


def _sources(settings: Settings) -> c.Iterator[Problem]:
    variable = "access_wireguard_from"
    if not settings.get(variable):
        yield _problem("wireguard-sources-empty", variable)
    for text in settings.get(variable) or []:
        try:
            ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield _problem("wireguard-source", variable, text, fault=fault)
