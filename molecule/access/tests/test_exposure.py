"""Egress of containers and of the VM's users after every event, and the exposure of our own services.

A network namespace of the VM plays the world behind it: a neighbour, a range that the inventory names, a resolver,
the internet, and a metadata server.
"""

from __future__ import annotations

import collections.abc as c
import json
import os
import typing as t

import pytest
from sandbox.machine.common import docker
from sandbox.registry import registry
from testinfra.host import Host
from tests.sandbox.reboot import reboot

VM = f"ibgw-sandbox-{os.environ['SANDBOX_SLOT']}-paper"
# The resolver is the engine's, and the named ranges the hardening's, in this scenario's variables.
NEIGHBOUR, NAMED, RESOLVER, INTERNET = "10.211.2.77", "192.168.77.1", "10.211.2.53", "203.0.113.77"
NEIGHBOUR_6, NAMED_6, INTERNET_6 = "fd00:77::1", "fd00:78::1", "2001:db8::77"
METADATA, METADATA_6 = "169.254.169.254", "fd20:ce::254"
REGISTRY, REGISTRY_PORT = registry.place().split(":")
BRIDGE = "172.17.0.1"
ADDRESSES = (NEIGHBOUR, NAMED, RESOLVER, INTERNET, METADATA)
ADDRESSES_6 = (NEIGHBOUR_6, NAMED_6, INTERNET_6, METADATA_6)
SERVE = """
import socket, sys, threading
def names(address, family):
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        server.sendto(*server.recvfrom(512))
def connections(address, family, port):
    server = socket.create_server((address, port), family=family)
    while True:
        server.accept()[0].close()
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    threading.Thread(target=names, args=(address, family)).start()
    for port in (53, 80):
        threading.Thread(target=connections, args=(address, family, port)).start()
"""
TRY = """
import concurrent.futures, json, socket, sys
def attempt(place):
    kind, address, port = place
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as client:
        client.settimeout(3)
        try:
            client.connect((address, port))
            if kind == "udp":
                client.send(b"?")
                client.recv(512)
        except TimeoutError:
            return "dropped"
        except ConnectionRefusedError:
            return "refused"
        except OSError as fault:
            return str(fault)
    return "open"
with concurrent.futures.ThreadPoolExecutor() as pool:
    print(json.dumps(list(pool.map(attempt, json.loads(sys.argv[1])))))
"""
Place = tuple[str, str, int]
FROM_CONTAINERS: dict[Place, str] = {
    ("tcp", INTERNET, 80): "open",
    ("tcp", NAMED, 80): "open",
    ("udp", RESOLVER, 53): "open",
    ("tcp", RESOLVER, 53): "open",
    ("tcp", RESOLVER, 80): "dropped",
    ("tcp", NEIGHBOUR, 80): "dropped",
    ("udp", NEIGHBOUR, 53): "dropped",
    ("tcp", REGISTRY, int(REGISTRY_PORT)): "dropped",
    ("tcp", BRIDGE, 22): "dropped",
    ("udp", METADATA, 53): "open",
    ("tcp", METADATA, 80): "dropped",
}
FROM_CONTAINERS_6: dict[Place, str] = {
    ("tcp", INTERNET_6, 80): "open",
    ("tcp", NAMED_6, 80): "open",
    ("tcp", NEIGHBOUR_6, 80): "dropped",
    ("udp", METADATA_6, 53): "open",
    ("tcp", METADATA_6, 80): "dropped",
}
FROM_A_USER: dict[Place, str] = {
    ("tcp", METADATA, 80): "refused",
    ("tcp", METADATA_6, 80): "refused",
    ("udp", METADATA, 53): "open",
    ("tcp", METADATA, 53): "open",
    ("tcp", NEIGHBOUR, 80): "open",
    ("tcp", NEIGHBOUR_6, 80): "open",
}
# The network 2001:db8::/32 is for documentation, and within 2000::/3. A refusal comes by the loopback, on which a
# container machine has no IPv6 of its own accord.
WORLD = f"""
set -e
ip netns add world
ip link add world0 type veth peer name world1 netns world
sysctl -q -w net.ipv6.conf.world0.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0
ip netns exec world sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
ip address add 198.51.100.1/24 dev world0
ip -6 address add fd00:98::1/64 dev world0 nodad
ip link set world0 up
ip -n world link set lo up
ip -n world address add 198.51.100.2/24 dev world1
ip -n world -6 address add fd00:98::2/64 dev world1 nodad
ip -n world link set world1 up
ip -n world route add default via 198.51.100.1
ip -n world -6 route add default via fd00:98::1
for address in {" ".join(ADDRESSES)}; do
    ip -n world address add $address/32 dev lo
    ip route add $address/32 via 198.51.100.2
done
for address in {" ".join(ADDRESSES_6)}; do
    ip -n world -6 address add $address/128 dev lo nodad
    ip -6 route add $address/128 via fd00:98::2
done
docker network create --ipv6 --subnet fd00:99::/64 six
systemd-run --quiet --unit=world --property=NetworkNamespacePath=/run/netns/world \\
    python3 -c "$SERVE" {" ".join(ADDRESSES + ADDRESSES_6)}
timeout 10 sh -c 'until ip netns exec world ss -Hltn | grep -q {METADATA}:80; do sleep 0.1; done'
"""
END = "docker network rm six; systemctl stop world.service; ip link delete world0; ip netns delete world"
EVENTS: dict[str, c.Callable[[Host], object]] = {
    "as it was made": lambda _host: None,
    "the engine's restart": lambda host: host.check_output("systemctl restart docker.service"),
    "the firewall's restart": lambda host: host.check_output("systemctl restart nftables.service"),
    "a reboot": lambda _host: reboot(VM, "paper"),
}


@pytest.fixture(scope="module", params=EVENTS.values(), ids=EVENTS)
def world(host: Host, request: pytest.FixtureRequest) -> c.Iterator[None]:
    """The world behind the VM, after an event."""
    request.param(host)
    try:
        docker("exec", "--env", f"SERVE={SERVE}", VM, "bash", "-c", WORLD)
        yield
    finally:
        docker("exec", VM, "bash", "-c", END)


def seen(places: c.Iterable[Place], *command: str, user: str = "root") -> dict[Place, str]:
    """The result of an attempt at each address; *command* runs Python on the VM as *user*."""
    places = list(places)
    answer = docker("exec", "--user", user, VM, *command, "-c", TRY, json.dumps(places))
    return dict(zip(places, json.loads(answer), strict=True))


def container(image: str, network: str) -> tuple[str, ...]:
    return ("docker", "run", "--disable-content-trust", "--rm", "--entrypoint", "python3", "--network", network, image)


@pytest.mark.usefixtures("world")
def test_containers_reach_names_the_internet_and_what_is_named(variables: dict[str, t.Any]) -> None:
    assert seen(FROM_CONTAINERS, "docker", "exec", "ibgw-paper", "python3") == FROM_CONTAINERS
    own = {("tcp", variables["host"], 22): "dropped"}
    expected = FROM_CONTAINERS | FROM_CONTAINERS_6 | own
    assert seen(expected, *container(variables["image"], "six")) == expected


@pytest.mark.usefixtures("world")
def test_a_user_of_the_vm_does_not_reach_the_metadata_server() -> None:
    assert seen(FROM_A_USER, "python3", user="operator") == FROM_A_USER


@pytest.mark.usefixtures("world")
def test_root_reaches_the_metadata_server() -> None:
    assert set(seen(FROM_A_USER, "python3").values()) == {"open"}


def test_our_services_are_little_exposed(exposures: c.Callable[[], dict[str, float]]) -> None:
    found = exposures()
    ways = {"ibgw-vpc-paper", "ibgw-wireguard-paper", "ibgw-overlay-paper", "ibgw-mtls-paper", "ibgw-tunnel@paper"}
    others = {"ibgw-watch@paper", "aidecheck", "sysctl-reapply-network"}
    assert {f"{name}.service" for name in ways | others} <= found.keys()
    assert {name: level for name, level in found.items() if level > 3.0} == {}
