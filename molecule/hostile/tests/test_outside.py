"""Servers that are dead, or drip: the watcher watches on, and a run ends."""

from __future__ import annotations

import collections.abc as c
import contextlib
import json
import pathlib
import socket
import threading
import time
import typing as t

import pytest
import yaml

# One byte a second of an answer that never ends, to each of those who ask.
DRIPPING = """
import threading
def drip(connection):
    try:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nX: ")
        while True:
            connection.sendall(b"x")
            time.sleep(1)
    except OSError:
        pass
while True:
    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()
"""
SILENT = "time.sleep(3600)"
SERVERS = {"dead": SILENT, "dripping": DRIPPING}
# An SSH server that says nothing; one whose first packet, of 1024 bytes, comes byte by byte.
BASTIONS = {"dead": b"", "dripping": b"SSH-2.0-OpenSSH_10.0\r\n\0\0\4\0\x0a"}


@contextlib.contextmanager
def bastion(begins: bytes) -> c.Iterator[int]:
    """A bastion of the controller's loopback, by its port."""

    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(begins)
            while begins:
                connection.sendall(b"x")
                time.sleep(1)
            connection.recv(1 << 20)
            time.sleep(3600)

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", SERVERS)
def test_webhook(paper: t.Any, listener: t.Any, kind: str) -> None:
    listener.here("127.0.0.9", 8098, SERVERS[kind])
    channels = json.dumps([{"kind": "webhook", "url": "http://127.0.0.9:8098/"}])
    paper.machine.out(f"echo '{channels}' >/etc/ibgw/paper/alerts.json")
    process = paper.watcher("MainPID")
    paper.machine.out("docker pause ibgw-paper && sleep 1 && docker unpause ibgw-paper && docker kill ibgw-paper")
    paper.until(lambda record: record["state"] != "ready", 15)
    paper.machine.out("docker start ibgw-paper")
    # An alert waits: the looks go on all the same.
    for _each in range(2):
        looked = paper.record()["checked_at"]
        paper.until(lambda record, looked=looked: record["checked_at"] > looked, paper.LONGEST_LOOK + 10)
    assert paper.watcher("MainPID") == process


@pytest.mark.parametrize("kind", SERVERS)
def test_registry(paper: t.Any, play: t.Callable[..., t.Any], listener: t.Any, kind: str) -> None:
    # Docker speaks plain HTTP to a registry of the loopback.
    listener.here("127.0.0.9", 5998, SERVERS[kind])
    before = paper.running()
    image = "127.0.0.9:5998/ib-gateway@sha256:" + "0" * 64
    run = play("site.yml", "paper", "--tags", "gateway", "-e", f"gateway_image={image} gateway_pull_timeout=20")
    assert run.status > 0, run.printed[-2000:]
    assert "gateway_image" in run.printed
    assert paper.running() == before


@pytest.mark.parametrize("kind", BASTIONS)
def test_bastion(paper: t.Any, play: t.Callable[..., t.Any], tmp_path: pathlib.Path, kind: str) -> None:
    before = paper.running()
    with bastion(BASTIONS[kind]) as port:
        hosts = {
            "sandbox-bastion": {"ansible_host": "127.0.0.1", "ansible_port": port},
            "sandbox-paper": {"gateway_access": ["ssh_tunnel"], "access_ssh_tunnel_bastion": "sandbox-bastion"},
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        run = play("site.yml", "paper", "-i", str(tmp_path / "hosts.yml"), "--tags", "access")
    assert run.status > 0, run.printed[-2000:]
    assert "Read the bastion's host key" in run.printed
    assert paper.running() == before
