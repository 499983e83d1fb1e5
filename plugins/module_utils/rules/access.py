# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the access settings beyond their types: one sentence with its fix for each problem."""

from __future__ import annotations

import collections.abc as c
import difflib
import ipaddress
import itertools
import re
import typing as t

from . import mtls, wireguard
from .gateway import port as gateway_port

Settings = c.Mapping[str, t.Any]


class Method(t.NamedTuple):
    """An access method, in words of docs/how-to/access.md. Role access has its ``__access_<name>`` for the host."""

    who: str
    identity: str
    encryption: str
    parts: str
    failure: str
    # It listens on addresses of the VM: variables access_<name>_addresses and access_<name>_port.
    listens: bool = False
    # The host's firewall is opened for it.
    opens: bool = False
    # The VM's own users come by the loopback. Without such a method the firewall keeps them away from it.
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
# From which Google's Identity-Aware Proxy forwards.
IAP = ipaddress.ip_network("35.235.240.0/20")


def problems(settings: Settings, inventory: c.Iterable[Settings]) -> list[str]:
    """Return one sentence per problem: the variable, the fault, the fix; [] when there is none.

    *settings* has the variables of one gateway by name. *inventory* is every gateway, this one included, each with
    ``host`` and ``address`` (of its VM), and the same variables as far as they are set.
    """
    unknown = list(_unknown_ways(settings))
    if unknown:
        return unknown
    found = [problem for check in (_firewall, _own_ports) for problem in check(settings)]
    for way, check in CHECKS.items():
        if way in ways(settings):
            found += check(settings)
    pairs = itertools.combinations(inventory, 2)
    return found + [problem for one, other in pairs for problem in _clashes(one, other)]


def ways(settings: Settings) -> list[str]:
    named = settings.get("gateway_access")
    return ["local"] if named is None else list(named)


def port(settings: Settings, way: str = "") -> int:
    """The port of a way, by default that of the gateway."""
    own = settings.get(f"access_{way}_port") if way else None
    if way == "mtls" and own is None:
        own = mtls.PORTS.get(str(settings.get("gateway_mode")))
    return gateway_port(settings) if own is None else int(own)


def listeners(settings: Settings) -> c.Iterator[tuple[str, int, str]]:
    """Where the gateway is offered on its VM: address, port, and the variable that says so."""
    yield "127.0.0.1", port(settings), "gateway_port"
    for way in LISTENING:
        if way in ways(settings):
            for address in settings.get(f"access_{way}_addresses") or []:
                yield str(address).partition("/")[0], port(settings, way), f"access_{way}_port"


def same_place(one: tuple[str, int, str], other: tuple[str, int, str]) -> bool:
    """Whether two listeners are in each other's way."""
    return one[1] == other[1] and (one[0] == other[0] or not EVERYWHERE.isdisjoint((one[0], other[0])))


def _unknown_ways(settings: Settings) -> c.Iterator[str]:
    if isinstance(settings.get("gateway_access"), str):
        yield f"gateway_access: {settings['gateway_access']!r} is not a list; write [{settings['gateway_access']}]"
        return
    named = ways(settings)
    for way in named:
        if way not in WAYS:
            near = difflib.get_close_matches(str(way), WAYS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f"gateway_access: there is no way {way!r}; {hint}Name some of {', '.join(WAYS)}"
        elif named.count(way) > 1:
            yield f"gateway_access: {way} is named more than once; name it once"
            return


def _firewall(settings: Settings) -> c.Iterator[str]:
    if settings.get("hardening_firewall", True):
        return
    opening = [way for way in ways(settings) if way in OPENING]
    if opening:
        yield (
            f"gateway_access: {', '.join(opening)} opens ports of the VM, and hardening_firewall is off, so "
            "everybody could connect; set hardening_firewall: true, or take the way out"
        )
    if not {*ways(settings)} & {*LOOPBACK}:
        yield (
            "gateway_access: without local the firewall keeps the processes of this VM's users away from the API, and "
            "hardening_firewall is off; set hardening_firewall: true, or name local as well"
        )


def _own_ports(settings: Settings) -> c.Iterator[str]:
    for one, other in itertools.combinations(listeners(settings), 2):
        if same_place(one, other):
            yield f"{other[2]}: port {one[1]} of {one[0]} is taken by {one[2]}; give one of them another port"
    for _address, number, variable in listeners(settings):
        if not 0 < number < 65536:
            yield f"{variable}: {number} is not a TCP port; use one from 1024 to 65535"
        if number in (int(each) for each in settings.get("hardening_ssh_ports") or [22]):
            yield f"{variable}: port {number} is that of the SSH server; give the API another one"


def places(settings: Settings, variable: str) -> c.Iterator[str]:
    """Problems of a list of addresses at which the API is offered."""
    if not settings.get(variable):
        yield f"{variable}: it is empty; name the VM's internal address, for example 10.128.0.7"
    for text in settings.get(variable) or []:
        try:
            address = ipaddress.ip_address(str(text))
        except ValueError:
            yield f"{variable}: {text!r} is not an IP address; name the VM's internal address, for example 10.128.0.7"
            continue
        if not is_private(ipaddress.ip_network(address)):
            yield (
                f"{variable}: {text} is not an address of a private network (RFC 1918, RFC 6598, IPv6 ULA), and the "
                "API has no authentication; name the VM's internal address. The loopback is there by itself"
            )


def sources(settings: Settings, variable: str, addresses: str) -> c.Iterator[str]:
    """Problems of a list of ranges from which clients come to the *addresses*, a variable as well."""
    if not settings.get(variable):
        yield f"{variable}: it is empty, so nobody could connect; name the clients' subnet, for example 10.8.0.0/26"
    families = {_version(text) for text in settings.get(addresses) or []}
    for text in settings.get(variable) or []:
        try:
            network = ipaddress.ip_network(str(text))
        except ValueError as fault:
            yield f"{variable}: {text!r} is not a range of addresses ({fault}); write it as 10.8.0.0/26 or fd00:8::/64"
            continue
        if not is_private(network):
            yield (
                f"{variable}: {text} is not within a private network (RFC 1918, RFC 6598, IPv6 ULA), and who can "
                "open the port can trade; name the clients' own subnet"
            )
        elif families and network.version not in families:
            yield (
                f"{variable}: {text} is IPv{network.version}, and {addresses} has no address of that kind; add one, or "
                "take the range out"
            )
    for version in sorted(families - {_version(text) for text in settings.get(variable) or []} - {0}):
        yield f"{addresses}: nobody of {variable} comes by IPv{version}; add such a range, or take the address out"


def is_private(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return any(network.version == each.version and network.subnet_of(t.cast("t.Any", each)) for each in PRIVATE)


def _version(text: object) -> int:
    """4 or 6; 0 for what is neither."""
    try:
        return ipaddress.ip_network(str(text), strict=False).version
    except ValueError:
        return 0


def _vpc(settings: Settings) -> c.Iterator[str]:
    yield from places(settings, "access_vpc_addresses")
    yield from sources(settings, "access_vpc_from", "access_vpc_addresses")


def _docker_network(settings: Settings) -> c.Iterator[str]:
    if settings.get("gateway_stack") == "client_portal":
        yield "gateway_access: a Client Portal Gateway joins no docker_network; take it out, and name local or vpc"
    name = settings.get("access_docker_network_name")
    if not re.fullmatch(r"ibgw-[a-z0-9][a-z0-9_.-]{0,40}", str(name)):
        yield (
            f"access_docker_network_name: {name!r} is not a valid name; use ibgw- and 1 to 41 of a-z, 0-9, '_', '.' "
            "and '-'. Docker takes a container's way out by the names of its networks, and this one must not come first"
        )


def _ssh_tunnel(settings: Settings) -> c.Iterator[str]:
    bastion, user = settings.get("access_ssh_tunnel_bastion"), settings.get("access_ssh_tunnel_user")
    if not bastion:
        yield (
            "access_ssh_tunnel_bastion: it is empty; name a host of the inventory (playbooks/bastion.yml sets it up), "
            "or the address of a bastion with its host keys in access_ssh_tunnel_host_keys"
        )
    elif not re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*", str(bastion)):
        yield f"access_ssh_tunnel_bastion: {bastion!r} is not the name or address of a host"
    elif not settings.get("bastion_is_known", True) and not settings.get("access_ssh_tunnel_host_keys"):
        yield (
            f"access_ssh_tunnel_host_keys: {bastion} is not in the inventory, so nobody can ask it who it is; give its "
            "host keys, as in its /etc/ssh/ssh_host_ed25519_key.pub"
        )
    for key in settings.get("access_ssh_tunnel_host_keys") or []:
        if not re.fullmatch(r"(ssh-ed25519|ecdsa-sha2-\S+|rsa-sha2-\S+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?", str(key)):
            yield (
                f"access_ssh_tunnel_host_keys: {str(key)[:40]!r} is not a public key; write it as in the bastion's "
                "/etc/ssh/ssh_host_ed25519_key.pub"
            )
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", str(user or "ibgw-tunnel")) or user == "root":
        yield f"access_ssh_tunnel_user: {user!r} is not an account for a tunnel; use a name such as ibgw-tunnel"
    if not 1024 <= port(settings, "ssh_tunnel") <= 65535:
        yield (
            f"access_ssh_tunnel_port: {port(settings, 'ssh_tunnel')} is not one that an account without rights can "
            "listen on; use one from 1024 to 65535"
        )


def _iap(settings: Settings) -> c.Iterator[str]:
    allowed = settings.get("hardening_ssh_from")
    networks = [ipaddress.ip_network(str(text), strict=False) for text in allowed or [IAP]]
    if not any(network.version == IAP.version and IAP.subnet_of(t.cast("t.Any", network)) for network in networks):
        yield (
            f"hardening_ssh_from: Identity-Aware Proxy forwards from {IAP}, which is not in it; add that range, or "
            "take iap out of gateway_access"
        )


CHECKS: dict[str, c.Callable[[Settings], c.Iterable[str]]] = {
    "vpc": _vpc,
    "docker_network": _docker_network,
    "ssh_tunnel": _ssh_tunnel,
    "mtls": mtls.problems,
    "wireguard": wireguard.problems,
    "iap": _iap,
}


def _clashes(one: Settings, other: Settings) -> c.Iterator[str]:
    both = f"{one['host']} and {other['host']}"
    if one.get("address") == other.get("address"):
        # That two gateways publish one port is gateway_problems' to say.
        for place, later in itertools.product(listeners(one), listeners(other)):
            if same_place(place, later) and (place[2], later[2]) != ("gateway_port", "gateway_port"):
                yield f"{later[2]}: {both} share a VM and port {place[1]} of {place[0]}; give one of them another port"
        if all("wireguard" in ways(each) for each in (one, other)):
            yield from wireguard.clashes(one, other)
        names = {_network_name(each) for each in (one, other) if "docker_network" in ways(each)}
        if len(names) == 1 and all("docker_network" in ways(each) for each in (one, other)):
            yield (
                f"access_docker_network_name: {both} share a VM and the network {names.pop()!r}; give each "
                "gateway one of its own"
            )
    if all("ssh_tunnel" in ways(each) for each in (one, other)):
        bastion = one.get("access_ssh_tunnel_bastion")
        if bastion == other.get("access_ssh_tunnel_bastion") and port(one, "ssh_tunnel") == port(other, "ssh_tunnel"):
            yield (
                f"access_ssh_tunnel_port: {both} share port {port(one, 'ssh_tunnel')} of bastion {bastion}; give one "
                "of them another port"
            )


def _network_name(settings: Settings) -> object:
    name = settings.get("gateway_name") or settings.get("gateway_mode")
    return settings.get("access_docker_network_name") or f"ibgw-{name}"
