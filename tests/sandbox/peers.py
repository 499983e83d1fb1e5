"""Peers of a gateway's overlay, for the scenario access_tls and for the bench of the access methods."""

from __future__ import annotations

import base64
import pathlib

from sandbox.machine.common import NETWORK, docker, labelled, machine_image

SITE = "/opt/ibgw/client/lib/python3.13/site-packages"
# RFC 7748, section 6.1.
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
UP = """
set -e
mkdir -p /dev/net && mknod /dev/net/tun c 10 200
/peer/wireguard-go wg0 >/dev/null 2>&1
/peer/wg setconf wg0 /wg.conf
ip address add $1/24 dev wg0
ip address add $2/64 dev wg0 nodad
ip link set wg0 mtu 1420 up
"""


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


class Peers:
    """Containers of the Cloud Run subnet, each with an interface of its own into the overlay of machine *vm*.

    Programs and ib_async are the machine's; its public *key* and its *address* are what a peer has to know of it.
    """

    def __init__(self, folder: pathlib.Path, vm: str, key: str, address: str) -> None:
        self.folder, self.vm, self.key, self.address, self.names = folder, vm, key, address, list[str]()
        for program in ("wireguard-go", "wg"):
            docker("cp", f"{vm}:/usr/bin/{program}", str(folder / program))
        docker("cp", f"{vm}:{SITE}", str(folder / "site"))

    def start(self, key: bytes, number: int) -> str:
        """A peer with the address that ends in *number*; its container's name."""
        place = self.folder / str(number)
        place.mkdir()
        (place / "wg.conf").write_text(
            f"[Interface]\nPrivateKey = {encoded(key)}\n[Peer]\nPublicKey = {self.key}\n"
            f"Endpoint = {self.address}:51820\nAllowedIPs = 10.99.0.0/24, fd99::/64\n"
        )
        name = f"{self.vm}-peer-{number}"
        docker("run", "--detach", "--name", name, *labelled("client"), "--network", NETWORK,
               "--ip", f"10.211.1.{80 + number}", "--cap-add", "NET_ADMIN",
               "--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.default.disable_ipv6=0",
               "--volume", f"{self.folder}:/peer:ro", "--volume", f"{place}/wg.conf:/wg.conf:ro",
               "--env", "PYTHONPATH=/peer/site", "--entrypoint", "sleep", machine_image("trixie"),
               "3600")  # fmt: skip
        self.names.append(name)
        docker("exec", name, "sh", "-c", UP, "up", f"10.99.0.{number}", f"fd99::{number}")
        return name

    def remove(self) -> None:
        for name in self.names:
            docker("rm", "--force", name)
