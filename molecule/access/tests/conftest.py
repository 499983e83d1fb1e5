"""Fixture of scenario access: attempts to reach the gateway's ports from everywhere."""

from __future__ import annotations

import collections.abc as c
import contextlib
import secrets
import typing as t

import pytest
from sandbox.machine.common import docker, labelled
from testinfra.host import Host
from tests.sandbox.peers import BOB, Peers
from tests.sandbox.watch import BASTION, NETWORK_6, SLOT, VM, VM_6, Watch


@contextlib.contextmanager
def network_6(host: Host) -> c.Iterator[None]:
    """A network that carries IPv6, and VM and bastion in it."""
    docker("network", "create", *labelled("access"), "--ipv6", "--subnet", f"10.212.{SLOT}.0/24",
           "--subnet", "fd00:211::/64", NETWORK_6)  # fmt: skip
    try:
        docker("network", "connect", "--ip6", VM_6, NETWORK_6, VM)
        docker("network", "connect", "--ip6", "fd00:211::62", NETWORK_6, BASTION)
        host.check_output("docker network create third")
        yield
    finally:
        host.check_output("docker network rm third")
        for name in (VM, BASTION):
            docker("network", "disconnect", NETWORK_6, name)
        docker("network", "rm", NETWORK_6)


@pytest.fixture(scope="module")
def watch(host: Host, variables: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> c.Iterator[Watch]:
    """A peer of the overlay that the inventory names, and one that it does not."""
    key = host.check_output("wg show wg-paper public-key")
    peers = Peers(tmp_path_factory.mktemp("peers"), VM, key, variables["host"])
    with network_6(host):
        yield Watch(variables["host"], variables["image"], peers.start(BOB, 2), peers.start(secrets.token_bytes(32), 3))
    peers.remove()
