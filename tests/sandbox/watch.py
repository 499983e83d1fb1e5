"""Attempts to reach the gateway's ports from every place of scenario access."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import json
import os

from docs.access_matrix import MATRIX, PORTS
from sandbox.machine.common import NETWORK, docker, labelled, machine_image

SLOT = os.environ["SANDBOX_SLOT"]
VM, BASTION, NETWORK_6 = f"ibgw-sandbox-{SLOT}-paper", f"ibgw-sandbox-{SLOT}-bastion", f"ibgw-sandbox-{SLOT}-ipv6"
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
                    *labelled("client"),
                    "--network",
                    network,
                    option,
                    source,
                    machine_image("trixie"),
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
