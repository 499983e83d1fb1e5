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

Settings = c.Mapping[str, t.Any]

UDP_PORTS = {"paper": 51820, "live": 51821}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
INTERFACE = re.compile(r"[a-zA-Z0-9_=+.-]{1,15}")


def problems(settings: Settings) -> c.Iterator[str]:
    faults, places = _places(settings)
    yield from faults
    yield from _peers(settings, places)
    yield from _sources(settings)
    if not INTERFACE.fullmatch(interface(settings)):
        yield (
            f"access_wireguard_interface: {interface(settings)!r} is not an interface name; use 1 to 15 of letters, "
            "digits, '-', '_' and '.'"
        )
    if not 1 <= udp_port(settings) <= 65535:
        yield f"access_wireguard_udp_port: {udp_port(settings)} is not a port; use 1 to 65535"


def clashes(one: Settings, other: Settings) -> c.Iterator[str]:
    """Find what two gateways of one VM share and cannot."""
    both = f"{one['host']} and {other['host']}"
    for variable, value in (("udp_port", udp_port), ("interface", interface)):
        if value(one) == value(other):
            yield f"access_wireguard_{variable}: {both} share a VM and {value(one)}; give one of them another"


def interface(settings: Settings) -> str:
    name = settings.get("gateway_name") or settings.get("gateway_mode")
    return str(settings.get("access_wireguard_interface") or f"wg-{name}")


def udp_port(settings: Settings) -> int:
    return int(settings.get("access_wireguard_udp_port") or UDP_PORTS.get(str(settings.get("gateway_mode")), 0))


def _places(settings: Settings) -> tuple[list[str], list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]]:
    variable, faults, places = "access_wireguard_addresses", [], []
    if not settings.get(variable):
        faults.append(f"{variable}: it is empty; name the VM's address in the overlay, for example 10.99.0.1/24")
    for text in settings.get(variable) or []:
        try:
            place = ipaddress.ip_interface(str(text))
        except ValueError:
            faults.append(
                f"{variable}: {text!r} is not an address with a length; write it as 10.99.0.1/24 or fd99::1/64"
            )
            continue
        places.append(place)
        if place.network.num_addresses == 1:
            faults.append(f"{variable}: {text} has no room for a peer; give the overlay's length, for example /24")
        elif place.is_global or place.is_loopback or place.is_link_local:
            faults.append(f"{variable}: {text} is not of a private network; take one of 10.0.0.0/8 or fd00::/8")
    return faults, places


def _peers(settings: Settings, places: list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]) -> c.Iterator[str]:
    peers, variable = settings.get("access_wireguard_peers") or [], "access_wireguard_peers"
    if not peers:
        yield f"{variable}: it is empty, so nobody could connect; give name, public_key and allowed_ips of each peer"
    for key in ("name", "public_key"):
        values = [str(peer.get(key)) for peer in peers]
        if len(values) != len(set(values)):
            yield f"{variable}: two peers have the same {key}; a peer is one key of one program"
    taken = {place.ip for place in places}
    for index, peer in enumerate(peers):
        where = f"{variable}[{index}]"
        if not NAME.fullmatch(str(peer.get("name"))):
            yield f"{where}.name: {peer.get('name')!r} is not a name; use letters, digits, '-', '_' and '.'"
        if not _is_key(peer.get("public_key")):
            yield f"{where}.public_key: it is none; take the 44 characters that wg pubkey prints"
        if not peer.get("allowed_ips"):
            yield f"{where}.allowed_ips: it is empty; give the peer an address of the overlay"
        for text in peer.get("allowed_ips") or []:
            try:
                address = ipaddress.ip_address(str(text))
            except ValueError:
                yield f"{where}.allowed_ips: {text!r} is not an IP address; name the peer's own, without a length"
                continue
            if places and not any(address in place.network for place in places):
                yield f"{where}.allowed_ips: {text} is in no network of access_wireguard_addresses; take one that is"
            if address in taken:
                yield f"{where}.allowed_ips: {text} is taken; give each peer an address of its own"
            taken.add(address)


def _is_key(text: object) -> bool:
    try:
        return len(base64.b64decode(str(text), validate=True)) == 32
    except binascii.Error:
        return False


def _sources(settings: Settings) -> c.Iterator[str]:
    variable = "access_wireguard_from"
    if not settings.get(variable):
        yield f"{variable}: it is empty, so nobody could connect; name from where peers come, 0.0.0.0/0 for anywhere"
    for text in settings.get(variable) or []:
        try:
            ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield f"{variable}: {text!r} is not a range of addresses ({fault}); write it as 203.0.113.0/24"
