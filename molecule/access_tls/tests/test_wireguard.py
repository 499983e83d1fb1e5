"""Access method wireguard on the machine: a peer in a container, a stranger, and peers that come and go."""

from __future__ import annotations

import collections.abc as c
import json
import os
import pathlib
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sandbox.machine.common import docker
from testinfra.host import Host
from tests.sandbox.peers import BOB, Peers, encoded

Playbook = c.Callable[..., t.Any]
SLOT = os.environ["SANDBOX_SLOT"]
VM = f"ibgw-sandbox-{SLOT}-paper"
SETTINGS = ("-e", f"@{pathlib.Path(__file__).resolve().parents[1]}/vars/main.yml")
LOOK = """
import json, socket, sys
import ib_async
def opens(port):
    try:
        socket.create_connection(("10.99.0.1", port), 2).close()
    except OSError:
        return False
    return True
seen = {}
for address in ("10.99.0.1", "fd99::1"):
    ib = ib_async.IB()
    try:
        ib.connect(address, 4002, clientId=71, readonly=True, timeout=8)
        seen[address] = ib.managedAccounts()[0][:2]
        ib.disconnect()
    except Exception as fault:
        seen[address] = type(fault).__name__
print(json.dumps(seen | {"others": [port for port in (22, 4001, 4004, 4102) if opens(port)]}))
"""


def looks(peer: str) -> dict[str, t.Any]:
    seen: dict[str, t.Any] = json.loads(docker("exec", peer, "python3", "-c", LOOK).splitlines()[-1])
    return seen


IN = {"10.99.0.1": "DU", "fd99::1": "DU", "others": []}
OUT = {"10.99.0.1": "TimeoutError", "fd99::1": "TimeoutError", "others": []}


@pytest.fixture(scope="module")
def peers(host: Host, variables: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> c.Iterator[Peers]:
    key = host.check_output("wg show wg-paper public-key")
    made = Peers(tmp_path_factory.mktemp("peers"), VM, key, variables["host"])
    yield made
    made.remove()


def test_a_peer_reaches_the_api_and_nothing_else(peers: Peers) -> None:
    assert looks(peers.start(BOB, 2)) == IN


def test_peers_come_and_go_and_the_others_stay(host: Host, playbook: Playbook, peers: Peers) -> None:
    """One handshake lasts for two minutes: the first peer's is still the one from before."""
    carol = X25519PrivateKey.generate()
    stranger = peers.start(carol.private_bytes_raw(), 3)
    assert looks(stranger) == OUT
    before = host.check_output("wg show wg-paper latest-handshakes")
    bob = {
        "name": "bob",
        "public_key": encoded(X25519PrivateKey.from_private_bytes(BOB).public_key().public_bytes_raw()),
    }
    both = [
        {**bob, "allowed_ips": ["10.99.0.2", "fd99::2"]},
        {
            "name": "carol",
            "public_key": encoded(carol.public_key().public_bytes_raw()),
            "allowed_ips": ["10.99.0.3", "fd99::3"],
        },
    ]
    for wanted, seen in ((both, IN), (both[:1], OUT)):
        done = playbook(
            "site.yml", "paper", *SETTINGS, "-e", json.dumps({"access_wireguard_peers": wanted}), "--tags", "access"
        )
        assert done.status == 0, done.printed
        assert before in host.check_output("wg show wg-paper latest-handshakes")
        assert looks(stranger) == seen
    assert looks(peers.names[0]) == IN


def test_the_key_is_the_hosts_alone(host: Host, playbook: Playbook) -> None:
    key = host.file("/etc/ibgw/paper/wireguard/key")
    assert (key.user, oct(key.mode)) == ("root", "0o600")
    done = playbook("site.yml", "paper", *SETTINGS, "--tags", "access", "--diff", "-vvv")
    assert key.content_string.strip() not in done.printed
    assert done.changed == 0
    assert host.run(f"grep -lF -f {key.path} /proc/[0-9]*/cmdline /proc/[0-9]*/environ").stdout == ""


def test_what_is_taken_out_of_the_list_is_gone(host: Host, playbook: Playbook) -> None:
    done = playbook("site.yml", "paper", "-e", '{"gateway_access": ["local"]}', "--tags", "access")
    assert done.status == 0, done.printed
    assert not host.interface("wg-paper").exists
    assert host.check_output("ss -Hlntu | grep -cE ':(4102|51820) |10[.]99[.]' || true") == "0"
    left = host.check_output(
        "find /etc/ibgw/paper/mtls /etc/ibgw/paper/wireguard /etc/systemd/system -name '*mtls*' -o -name '*overlay*'"
    )
    assert left.split() == ["/etc/ibgw/paper/mtls"]
    assert host.check_output("find /etc/ibgw/paper/mtls /etc/ibgw/paper/wireguard -type f") == ""
