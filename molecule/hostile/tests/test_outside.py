"""Servers that are dead, or drip: the watcher watches on, and a run ends."""

from __future__ import annotations

import json
import typing as t

import pytest

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
    run = play("site.yml", "paper", "--tags", "gateway", "-e", f"gateway_image={image}")
    assert run.status > 0, run.printed[-2000:]
    assert "gateway_image" in run.printed
    assert paper.running() == before
