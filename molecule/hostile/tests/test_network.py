"""Network access from and to the containers: private addresses are out of reach both ways."""

from __future__ import annotations

import collections.abc as c
import typing as t

import pytest
from sandbox.registry import registry

METADATA = "169.254.169.254"
GATEWAY_PORTS = {"api": 4002, "relay": 4004, "desktop": 5900, "commands": 7462}


def neighbour_host() -> tuple[str, int]:
    """A neighbour on a private range, as another VM of the subnet is: a second address of the machine would be the
    host."""
    address, _, port = registry.place().partition(":")
    return address, int(port)


def reach(address: str, port: int) -> str:
    return f"python3 -c 'import socket; socket.create_connection((\"{address}\", {port}), 3)'"


def address_of(machine: t.Any, container: str) -> str:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return machine.out(f"docker inspect --format '{form}' {container}")


@pytest.fixture
def neighbour(alone: None, machine: t.Any) -> c.Iterator[str]:
    """The address of another container of the default bridge, which listens on port 8080."""
    program = "python3 -m http.server 8080"
    image = "$(docker inspect --format '{{.Image}}' ibgw-paper)"
    machine.out(f"docker run --disable-content-trust --detach --name neighbour --entrypoint sh {image} -c '{program}'")
    try:
        address = address_of(machine, "neighbour")
        machine.out(f"for _each in $(seq 50); do {reach(address, 8080)} 2>/dev/null && exit; sleep 0.1; done; exit 1")
        yield address
    finally:
        machine.run("docker rm --force neighbour")


def from_inside(machine: t.Any, container: str, address: str, port: int) -> bool:
    return machine.run(f"docker exec {container} {reach(address, port)}").rc == 0


def test_gateway_to_a_neighbour_host(kept: dict[str, t.Any], machine: t.Any) -> None:
    assert machine.run(reach(*neighbour_host())).rc == 0, "the host itself gets there"
    assert not from_inside(machine, "ibgw-paper", *neighbour_host())


def test_gateway_to_a_neighbour_container(kept: dict[str, t.Any], machine: t.Any, neighbour: str) -> None:
    assert not from_inside(machine, "ibgw-paper", neighbour, 8080)


def test_gateway_to_the_host(kept: dict[str, t.Any], machine: t.Any, variables: dict[str, t.Any]) -> None:
    bridge = machine.out("docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' bridge")
    assert not [a for a in (bridge, variables["host"]) if from_inside(machine, "ibgw-paper", a, 22)]


@pytest.mark.parametrize("source", ["gateway", "neighbour"])
def test_metadata_from(kept: dict[str, t.Any], machine: t.Any, listener: t.Any, neighbour: str, source: str) -> None:
    listener.beside(METADATA, 80)
    container = {"gateway": "ibgw-paper", "neighbour": "neighbour"}[source]
    assert not from_inside(machine, container, METADATA, 80)


@pytest.mark.parametrize("port", GATEWAY_PORTS)
def test_neighbour_to_the_gateway(kept: dict[str, t.Any], machine: t.Any, neighbour: str, port: str) -> None:
    assert not from_inside(machine, "neighbour", address_of(machine, "ibgw-paper"), GATEWAY_PORTS[port])


def test_neighbour_to_a_neighbour_host(kept: dict[str, t.Any], machine: t.Any, neighbour: str) -> None:
    assert not from_inside(machine, "neighbour", *neighbour_host())
