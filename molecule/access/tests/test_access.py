"""Every access method admits its clients and nobody else, whatever happens to engine, container, firewall or VM."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import json
import os
import secrets
import time
import typing as t

import pytest
from docs.access_matrix import MATRIX, PICTURE, PORTS, picture, printed
from sandbox.machine.common import LABEL, NETWORK, docker
from testinfra.host import Host
from tests.sandbox.peers import BOB, Peers
from tests.sandbox.reboot import reboot

SLOT = os.environ["SANDBOX_SLOT"]
VM, BASTION, NETWORK_6 = f"ibgw-sandbox-{SLOT}-paper", f"ibgw-sandbox-{SLOT}-bastion", f"ibgw-sandbox-{SLOT}-ipv6"
IMAGE = "ibgw-sandbox-machine:trixie"
VM_6 = "fd00:211::60"
OVERLAY = {"VM, overlay, IPv4": "10.99.0.1", "VM, overlay, IPv6": "fd99::1"}
SUBNETS = {
    "gateway subnet": ("10.211.0.250", "fd00:211::9"),
    "Cloud Run subnet": ("10.211.1.9", "fd00:211::1:0:0:9"),
    "outside subnet": ("10.211.2.9", "fd00:211::2:0:0:9"),
}
TRY = """
import asyncio, json, sys
async def attempt(address, port):
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
    except asyncio.TimeoutError:
        return "dropped"
    except ConnectionRefusedError:
        return "refused"
    except OSError as fault:
        return str(fault)
    writer.close()
    return "open"
async def main(ports, *addresses):
    ports = json.loads(ports)
    found = await asyncio.gather(*(attempt(address, port) for address in addresses for port in ports))
    print(json.dumps([found[place * len(ports) : (place + 1) * len(ports)] for place in range(len(addresses))]))
asyncio.run(main(*sys.argv[1:]))
"""
ENGINE_RUN = ("docker", "run", "--disable-content-trust", "--rm", "--entrypoint", "python3")


@pytest.fixture(scope="module", autouse=True)
def network_6(host: Host) -> c.Iterator[None]:
    """A network that carries IPv6, and VM and bastion in it."""
    docker("network", "create", "--label", f"{LABEL}=access", "--ipv6", "--subnet", f"10.212.{SLOT}.0/24",
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


class Watch:
    """Attempts from everywhere to everywhere."""

    def __init__(self, address: str, image: str, peer: str, stranger: str) -> None:
        self.address, self.image, self.peer, self.stranger = address, image, peer, stranger

    def on(self, machine: str, *command: str, user: str = "root") -> str:
        return docker("exec", "--user", user, machine, *command)

    def address_in(self, network: str) -> str:
        form = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
        return self.on(VM, "docker", "inspect", "--format", form, "ibgw-paper").strip()

    def peer_stands(self) -> bool:
        return json.loads(self.on(self.peer, "python3", "-c", TRY, "[4002]", "10.99.0.1")) == [["open"]]

    def cells(self) -> dict[tuple[str, str], dict[int, str]]:
        default, clients = self.address_in("bridge"), self.address_in("ibgw-paper")
        bridge = clients.rpartition(".")[0] + ".1"
        sources: dict[str, tuple[c.Callable[..., str], dict[str, str]]] = {
            "bastion": (
                lambda *words: self.on(BASTION, "python3", *words),
                {"VM, IPv4": self.address, "VM, IPv6": VM_6, "its loopback": "127.0.0.1"},
            ),
            "container, clients' network": (
                lambda *words: self.on(VM, *ENGINE_RUN, "--network", "ibgw-paper", self.image, *words),
                {"gateway, by name": "ibgw-paper", "VM, its bridge": bridge},
            ),
            "peer in the overlay": (lambda *words: self.on(self.peer, "python3", *words), OVERLAY),
            "stranger in the overlay": (lambda *words: self.on(self.stranger, "python3", *words), OVERLAY),
            "user of the VM": (
                lambda *words: self.on(VM, "python3", *words, user="operator"),
                {
                    "loopback": "127.0.0.1",
                    "VM, IPv4": self.address,
                    "VM, IPv6": VM_6,
                    "gateway, default network": default,
                },
            ),
            "root of the VM": (lambda *words: self.on(VM, "python3", *words), {"loopback": "127.0.0.1"}),
        }
        for name, network in {"default": "bridge", "a third": "third"}.items():
            sources[f"container, {name} network"] = (
                lambda *words, network=network: self.on(VM, *ENGINE_RUN, "--network", network, self.image, *words),
                {"gateway, default network": default, "gateway, clients' network": clients, "VM, IPv4": self.address},
            )
        found = {}
        for name, addresses in SUBNETS.items():
            for family, target, network, option, source in (
                ("VM, IPv4", self.address, NETWORK, "--ip", addresses[0]),
                ("VM, IPv6", VM_6, NETWORK_6, "--ip6", addresses[1]),
            ):
                words = (
                    "run",
                    "--rm",
                    "--label",
                    f"{LABEL}=client",
                    "--network",
                    network,
                    option,
                    source,
                    IMAGE,
                )
                sources[f"{name}/{family}"] = (
                    lambda *more, words=words: docker(*words, "python3", *more),
                    {family: target},
                )
        attempts = ("-c", TRY, json.dumps(list(PORTS)))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            runs = {name: pool.submit(run, *attempts, *targets.values()) for name, (run, targets) in sources.items()}
        for name, (_run, targets) in sources.items():
            for target, answer in zip(targets, json.loads(runs[name].result()), strict=True):
                found[name.partition("/")[0], target] = dict(zip(PORTS, answer, strict=True))
        return {(row.source, row.target): found[row.source, row.target] for row in MATRIX}


@pytest.fixture(scope="module")
def watch(host: Host, variables: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> c.Iterator[Watch]:
    """A peer of the overlay that the inventory names, and one that it does not."""
    key = host.check_output("wg show wg-paper public-key")
    peers = Peers(tmp_path_factory.mktemp("peers"), VM, key, variables["host"])
    yield Watch(variables["host"], variables["image"], peers.start(BOB, 2), peers.start(secrets.token_bytes(32), 3))
    peers.remove()


def until(reached: c.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def tunnel_stands() -> bool:
    return "127.0.0.1:4002" in docker("exec", BASTION, "ss", "-Hltn")


def nothing(_host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    """As site.yml made it."""


def engine_restart(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    host.check_output("systemctl restart docker.service")


def firewall_reload(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    host.check_output("systemctl reload nftables.service && systemctl restart nftables.service")


def container_again(_host: Host, playbook: c.Callable[..., t.Any]) -> None:
    run = playbook("playbooks/restart.yml", "paper")
    assert run.status == 0, run.printed


def vm_reboot(host: Host, _playbook: c.Callable[..., t.Any]) -> None:
    reboot(VM, "paper")
    order = "systemctl show --value --property=ActiveEnterTimestampMonotonic nftables.service docker.service"
    firewall, engine = (int(moment) for moment in host.check_output(order).split())
    assert 0 < firewall < engine


@pytest.mark.parametrize("event", [nothing, engine_restart, container_again, firewall_reload, vm_reboot])
def test_the_matrix(
    watch: Watch,
    host: Host,
    playbook: c.Callable[..., t.Any],
    event: c.Callable[[Host, c.Callable[..., t.Any]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    event(host, playbook)
    until(tunnel_stands, 30)
    # Of a VM that was away a peer knows when nothing has come back for a quarter of a minute.
    until(watch.peer_stands, 30)
    found = watch.cells()
    with capsys.disabled():
        print(f"\n{event.__name__}\n{printed(found)}")
    assert found == {(row.source, row.target): row.expected() for row in MATRIX}


def test_the_picture_shows_this_matrix() -> None:
    assert PICTURE.read_text() == picture(), "write it anew: python docs/access_matrix.py"
