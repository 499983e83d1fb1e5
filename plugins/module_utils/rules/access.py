# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the access settings beyond their types."""

from __future__ import annotations

import collections.abc as c
import difflib
import ipaddress
import itertools
import re
import typing as t

from ..agent import bounds
from ..agent.problem import Problem, table
from . import mtls, wireguard
from .gateway import port as gateway_port

Settings = c.Mapping[str, t.Any]


class Method(t.NamedTuple):
    """An access method, described as in docs/how-to/access.md. Role access has its tasks' data in
    ``__access_<name>``."""

    who: str
    identity: str
    encryption: str
    parts: str
    failure: str
    # Whether it listens on the VM's addresses: variables access_<name>_addresses and access_<name>_port.
    listens: bool = False
    # Whether the host's firewall is opened for it.
    opens: bool = False
    # Whether the VM's own users connect over the loopback. Without such a method the firewall blocks them.
    loopback: bool = False


METHODS = {
    "local": Method(
        "every process on the VM, and everyone who may `ssh -L` to it",
        "the SSH key",
        "SSH",
        "none",
        "with SSH",
        loopback=True,
    ),
    "docker_network": Method(
        "containers in one network on the VM",
        "membership of the network",
        "none; traffic never leaves the VM",
        "the network",
        "the name does not resolve, or the connection is refused",
    ),
    "vpc": Method(
        "named private ranges",
        "the source address",
        "none of ours; Google encrypts between its hosts",
        "a systemd socket and proxy",
        "with the gateway down, connections open and close at once; other sources get no answer",
        listens=True,
        opens=True,
    ),
    "ssh_tunnel": Method(
        "everyone who may `ssh -L` to the bastion",
        "the SSH key",
        "SSH on both legs",
        "ssh under systemd; the bastion",
        "recovers within 15 seconds of the bastion; until then the bastion refuses",
    ),
    "mtls": Method(
        "holders of a certificate with a name in `access_mtls_clients`, from named ranges, including public ones",
        "the certificate",
        "TLS 1.3",
        "stunnel; a CA on the control node",
        "when a certificate or the CRL expires (alert 21 days ahead), nobody gets in",
        listens=True,
        opens=True,
    ),
    "wireguard": Method(
        "peers with a key in `access_wireguard_peers`, from named ranges, including public ones",
        "the key",
        "WireGuard",
        "an interface; a systemd socket and proxy",
        "unknown peers get no answer",
        listens=True,
        opens=True,
    ),
    "iap": Method(
        "Google accounts with `roles/iap.tunnelResourceAccessor` and a login",
        "Google's, including its second factor",
        "TLS, with SSH inside",
        "Google's",
        "with IAP; nothing runs on the VM",
        loopback=True,
    ),
}
WAYS = tuple(METHODS)
LISTENING = tuple(name for name, method in METHODS.items() if method.listens)
OPENING = tuple(name for name, method in METHODS.items() if method.opens)
LOOPBACK = tuple(name for name, method in METHODS.items() if method.loopback)
EVERYWHERE = {"0.0.0.0", "::"}
PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# The source range of Google's Identity-Aware Proxy.
IAP = ipaddress.ip_network("35.235.240.0/20")


_problem = table(
    {
        "access-not-a-list": ("not a list", "write [{value}]"),
        "access-unknown": ("not an access method", "{hint}name some of {methods}"),
        "access-twice": ("{method} is named more than once", "name it once"),
        "access-without-firewall": (
            "{methods} opens ports of the VM, and hardening_firewall is off, so everybody could connect",
            "set hardening_firewall: true, or take the method out",
        ),
        "access-loopback-open": (
            "without local the firewall keeps the processes of this VM's users away from the API, and "
            "hardening_firewall is off",
            "set hardening_firewall: true, or name local as well",
        ),
        "port-taken": ("port {port} of {address} is taken by {by}", "give one of them another port"),
        "port-of-ssh": ("it is the port of the SSH server", "give the API another one"),
        "addresses-empty": ("empty", "name the VM's internal address, for example 10.128.0.7"),
        "address-invalid": ("not an IP address", "name the VM's internal address, for example 10.128.0.7"),
        "address-public": (
            "not an address of a private network (RFC 1918, RFC 6598, IPv6 ULA), and the API has no authentication",
            "name the VM's internal address; the loopback is there by itself",
        ),
        "sources-empty": ("empty, so nobody could connect", "name the clients' subnet, for example 10.8.0.0/26"),
        "source-invalid": ("not a range of addresses ({fault})", "write it as 10.8.0.0/26 or fd00:8::/64"),
        "source-public": (
            "not within a private network (RFC 1918, RFC 6598, IPv6 ULA), and who can open the port can trade",
            "name the clients' own subnet",
        ),
        "source-family": (
            "it is IPv{version}, and {addresses} has no address of that kind",
            "add one, or take the range out",
        ),
        "address-family": (
            "nobody of {sources} comes by IPv{version}",
            "add such a range, or take the address out",
        ),
        "network-of-portal": (
            "a Client Portal Gateway joins no docker_network",
            "take it out, and name local or vpc",
        ),
        "network-name": (
            "not a valid name: Docker takes a container's way out by the names of its networks, and this one must not "
            "come first",
            "use ibgw- and 1 to 41 of a-z, 0-9, '_', '.' and '-'",
        ),
        "bastion-empty": (
            "empty",
            "name a host of the inventory (playbook ibops.gateway.bastion sets it up), or the address of a bastion "
            "with its host keys in access_ssh_tunnel_host_keys",
        ),
        "bastion-invalid": ("not the name or address of a host", "write one of them"),
        "bastion-keys-missing": (
            "{bastion} is not in the inventory, so its host keys cannot be read",
            "give them, as in its /etc/ssh/ssh_host_ed25519_key.pub",
        ),
        "bastion-key-invalid": (
            "not a public key",
            "write it as in the bastion's /etc/ssh/ssh_host_ed25519_key.pub",
        ),
        "tunnel-user": ("not an account for a tunnel", "use a name such as ibgw-tunnel"),
        "tunnel-port": (
            "an account without privileges cannot listen on it",
            "use one from 1024 to 65535",
        ),
        "iap-sources": (
            "Identity-Aware Proxy forwards from {range}, which is not in it",
            "add that range, or take iap out of gateway_access",
        ),
        "listener-shared": (
            "{other} is on the same VM and has port {port} of {address}",
            "give one of them another port",
        ),
        "wireguard-shared": ("{other} is on the same VM and has the same", "give one of them another"),
        "network-shared": ("{other} is on the same VM and has the same network", "give each gateway one of its own"),
        "tunnel-shared": (
            "{other} has the same port of bastion {bastion}",
            "give one of them another port",
        ),
    }
)


def problems(settings: Settings, hosts: c.Collection[str]) -> list[Problem]:
    """Return every problem of one gateway's variables, *settings* by name; *hosts* are those of the inventory."""
    unknown = list(_unknown_ways(settings))
    if unknown:
        return unknown
    found = [problem for check in (_firewall, _own_ports) for problem in check(settings)]
    for way in WAYS:
        if way in ways(settings):
            found += CHECKS[way](settings) if way in CHECKS else _private(settings, way)
    if "ssh_tunnel" in ways(settings):
        found += _bastion_keys(settings, hosts)
    return found


def ways(settings: Settings) -> list[str]:
    named = settings.get("gateway_access")
    return ["local"] if named is None else list(named)


def port(settings: Settings, way: str = "") -> int:
    """The port of an access method, by default the gateway's."""
    own = settings.get(f"access_{way}_port") if way else None
    if way == "mtls" and own is None:
        own = mtls.PORTS.get(str(settings.get("gateway_mode")))
    return gateway_port(settings) if own is None else int(own)


def listeners(settings: Settings) -> c.Iterator[tuple[str, int, str]]:
    """The sockets on which the VM offers the gateway: address, port, and the variable that sets them."""
    yield "127.0.0.1", port(settings), "gateway_port"
    for way in LISTENING:
        if way in ways(settings):
            for address in settings.get(f"access_{way}_addresses") or []:
                yield str(address).partition("/")[0], port(settings, way), f"access_{way}_port"


def _watcher_listener(settings: Settings) -> c.Iterator[tuple[str, int, str]]:
    number = bounds.whole(settings.get("session_http_port"))
    if number and settings.get("gateway_stack") != "client_portal":
        yield str(settings.get("session_http_address")), number, "session_http_port"


def same_place(one: tuple[str, int, str], other: tuple[str, int, str]) -> bool:
    """Whether two listeners conflict."""
    return one[1] == other[1] and (one[0] == other[0] or not EVERYWHERE.isdisjoint((one[0], other[0])))


def _unknown_ways(settings: Settings) -> c.Iterator[Problem]:
    named = settings.get("gateway_access")
    if isinstance(named, str):
        yield _problem("access-not-a-list", "gateway_access", named, value=named)
        return
    named = ways(settings)
    for way in named:
        if way not in WAYS:
            near = difflib.get_close_matches(str(way), WAYS, 1)
            hint = f"write {near[0]}, or " if near else ""
            yield _problem("access-unknown", "gateway_access", way, hint=hint, methods=", ".join(WAYS))
        elif named.count(way) > 1:
            yield _problem("access-twice", "gateway_access", named, method=way)
            return


def _firewall(settings: Settings) -> c.Iterator[Problem]:
    if settings.get("hardening_firewall", True):
        return
    named = ways(settings)
    opening = [way for way in named if way in OPENING]
    if opening:
        yield _problem("access-without-firewall", "gateway_access", named, methods=", ".join(opening))
    if not {*named} & {*LOOPBACK}:
        yield _problem("access-loopback-open", "gateway_access", named)


def _own_ports(settings: Settings) -> c.Iterator[Problem]:
    for one, other in itertools.combinations(listeners(settings), 2):
        if same_place(one, other):
            yield _problem("port-taken", other[2], other[1], port=one[1], address=one[0], by=one[2])
    # A method's port is by default the gateway's, whose problems are told once.
    own: dict[int, str] = {}
    for _address, number, variable in listeners(settings):
        own.setdefault(number, variable)
    for number, variable in own.items():
        given = settings.get(variable)
        # The same words as those of role gateway.
        if wrong := bounds.problem(variable, number if given in (None, "") else given, (1, 65535)):
            yield wrong
        if number in (int(each) for each in settings.get("hardening_ssh_ports") or [22]):
            yield _problem("port-of-ssh", variable, number)


def places(settings: Settings, variable: str) -> c.Iterator[Problem]:
    """Problems of a list of addresses at which the API is offered."""
    if not settings.get(variable):
        yield _problem("addresses-empty", variable)
    for text in settings.get(variable) or []:
        try:
            address = ipaddress.ip_address(str(text))
        except ValueError:
            yield _problem("address-invalid", variable, text)
            continue
        if not is_private(ipaddress.ip_network(address)):
            yield _problem("address-public", variable, text)


def sources(settings: Settings, variable: str, addresses: str) -> c.Iterator[Problem]:
    """Problems of a list of client ranges for the *addresses*, which is also a variable."""
    if not settings.get(variable):
        yield _problem("sources-empty", variable)
    families = {_version(text) for text in settings.get(addresses) or []}
    for text in settings.get(variable) or []:
        try:
            network = ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield _problem("source-invalid", variable, text, fault=fault)
            continue
        if not is_private(network):
            yield _problem("source-public", variable, text)
        elif families and network.version not in families:
            yield _problem("source-family", variable, text, version=network.version, addresses=addresses)
    for version in sorted(families - {_version(text) for text in settings.get(variable) or []} - {0}):
        yield _problem("address-family", addresses, settings[addresses], sources=variable, version=version)


def is_private(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return any(network.version == each.version and network.subnet_of(t.cast("t.Any", each)) for each in PRIVATE)


def _version(text: object) -> int:
    """4 or 6; 0 for anything else."""
    try:
        return ipaddress.ip_network(str(text), strict=False).version
    except ValueError:
        return 0


def _private(settings: Settings, way: str) -> c.Iterator[Problem]:
    """Problems of a method without authentication: its addresses and sources must be private."""
    if way in LISTENING:
        yield from places(settings, f"access_{way}_addresses")
        yield from sources(settings, f"access_{way}_from", f"access_{way}_addresses")


def _vpc(settings: Settings) -> c.Iterator[Problem]:
    yield from _private(settings, "vpc")
    if settings.get("access_vpc_metrics_from") not in (None, settings.get("access_vpc_from")):
        yield from sources(settings, "access_vpc_metrics_from", "access_vpc_addresses")


def _docker_network(settings: Settings) -> c.Iterator[Problem]:
    if settings.get("gateway_stack") == "client_portal":
        yield _problem("network-of-portal", "gateway_access", ways(settings))
    name = settings.get("access_docker_network_name")
    if not re.fullmatch(r"ibgw-[a-z0-9][a-z0-9_.-]{0,40}", str(name)):
        yield _problem("network-name", "access_docker_network_name", name)


_BASTION = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*")


def _ssh_tunnel(settings: Settings) -> c.Iterator[Problem]:
    bastion, user = settings.get("access_ssh_tunnel_bastion"), settings.get("access_ssh_tunnel_user")
    if not bastion:
        yield _problem("bastion-empty", "access_ssh_tunnel_bastion")
    elif not _BASTION.fullmatch(str(bastion)):
        yield _problem("bastion-invalid", "access_ssh_tunnel_bastion", bastion)
    for key in settings.get("access_ssh_tunnel_host_keys") or []:
        if not re.fullmatch(r"(ssh-ed25519|ecdsa-sha2-\S+|rsa-sha2-\S+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?", str(key)):
            yield _problem("bastion-key-invalid", "access_ssh_tunnel_host_keys", key)
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", str(user or "ibgw-tunnel")) or user == "root":
        yield _problem("tunnel-user", "access_ssh_tunnel_user", user)
    number = port(settings, "ssh_tunnel")
    if number in range(1, 1024) or (number not in range(1, 65536) and number != port(settings)):
        yield _problem("tunnel-port", "access_ssh_tunnel_port", number)


def _bastion_keys(settings: Settings, hosts: c.Collection[str]) -> c.Iterator[Problem]:
    bastion = settings.get("access_ssh_tunnel_bastion")
    named = _BASTION.fullmatch(str(bastion or "")) and bastion not in hosts
    if named and not settings.get("access_ssh_tunnel_host_keys"):
        yield _problem("bastion-keys-missing", "access_ssh_tunnel_host_keys", bastion=bastion)


def _iap(settings: Settings) -> c.Iterator[Problem]:
    allowed = settings.get("hardening_ssh_from")
    networks = [ipaddress.ip_network(str(text), strict=False) for text in allowed or [IAP]]
    if not any(network.version == IAP.version and IAP.subnet_of(t.cast("t.Any", network)) for network in networks):
        yield _problem("iap-sources", "hardening_ssh_from", allowed, range=IAP)


# Rules of methods with further settings, or that may listen on public addresses.
CHECKS: dict[str, c.Callable[[Settings], c.Iterable[Problem]]] = {
    "docker_network": _docker_network,
    "vpc": _vpc,
    "ssh_tunnel": _ssh_tunnel,
    "mtls": mtls.problems,
    "wireguard": wireguard.problems,
    "iap": _iap,
}


def pairs(inventory: c.Iterable[Settings]) -> list[Problem]:
    """Return conflicts between any two gateways of the inventory.

    Each of *inventory* has ``host``, ``address`` (of its VM) and the variables of this role and its ports, as far as
    they are set. A problem is reported for the later gateway.
    """
    found: list[Problem] = []
    taken: dict[tuple[object, ...], str] = {}
    by_port: dict[tuple[object, int], list[tuple[str, tuple[str, int, str]]]] = {}
    for one in inventory:
        host, vm, named = str(one["host"]), one.get("address"), ways(one)
        for listener in (*listeners(one), *_watcher_listener(one)):
            others = by_port.setdefault((vm, listener[1]), [])
            for other, earlier in others:
                # rules/gateway.py reports two gateways that publish the same port.
                both_publish = (earlier[2], listener[2]) == ("gateway_port", "gateway_port")
                if other != host and same_place(earlier, listener) and not both_publish:
                    shared = {"other": other, "port": earlier[1], "address": earlier[0]}
                    found.append(_problem("listener-shared", listener[2], listener[1], **shared)._replace(host=host))
            others.append((host, listener))
        unique: list[tuple[str, str, tuple[object, ...], dict[str, object]]] = []
        if "wireguard" in named:
            for variable, value in wireguard.unique(one):
                unique.append(("wireguard-shared", variable, (vm, value), {}))
        if "docker_network" in named:
            unique.append(("network-shared", "access_docker_network_name", (vm, _network_name(one)), {}))
        if "ssh_tunnel" in named:
            bastion = one.get("access_ssh_tunnel_bastion")
            place = (bastion, port(one, "ssh_tunnel"))
            unique.append(("tunnel-shared", "access_ssh_tunnel_port", place, {"bastion": bastion}))
        for id_, variable, key, details in unique:
            other = taken.setdefault((variable, *key), host)
            if other != host:
                found.append(_problem(id_, variable, key[1], other=other, **details)._replace(host=host))
    return found


def _network_name(settings: Settings) -> object:
    name = settings.get("gateway_name") or settings.get("gateway_mode")
    return settings.get("access_docker_network_name") or f"ibgw-{name}"
