"""The event source, with the watcher's own code as the sender; what it refuses has a status and no event."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import json
import logging
import socket
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.unit.access.authority import Authority

from ansible_collections.ibops.gateway.extensions.eda.plugins.event_source import alerts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Answer, attempt
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import Alert

TOKEN = "0123456789abcdef"
BLOCKED = Alert(
    "state/blocked", "live", "my-live", "critical", "live is blocked", "no session", "Sign in.", 1764640800.0
)
BODY = {"schema": 1, **{name: value for name, value in dataclasses.asdict(BLOCKED).items() if name != "actions"}}
JSON = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Rules:
    """The queue that a source puts its events in, with room for *room* of them."""

    def __init__(self, room: int = 100) -> None:
        self._room = room
        self.events: list[dict[str, t.Any]] = []

    async def put(self, event: dict[str, t.Any]) -> None:
        if len(self.events) == self._room:
            await asyncio.Event().wait()
        self.events.append(event)


@contextlib.contextmanager
def listening(rules: Rules, **args: t.Any) -> Iterator[int]:
    """Run the source as ansible-rulebook does; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    given = {"token": TOKEN, "port": port, **args}
    running = asyncio.run_coroutine_threadsafe(alerts.main(t.cast("asyncio.Queue[t.Any]", rules), given), loop)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < deadline
            assert not running.done() or running.result()
            time.sleep(0.01)
        yield port
    finally:
        running.cancel()
        asyncio.run_coroutine_threadsafe(_others(loop), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


async def _others(loop: asyncio.AbstractEventLoop) -> None:
    """Wait for what was cancelled."""
    others = asyncio.all_tasks(loop) - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def port(rules: Rules) -> Iterator[int]:
    with listening(rules) as port:
        yield port


def told(port: int, alert: Alert, scheme: str = "http", host: str = "127.0.0.1") -> Answer:
    """Send it as a watcher does."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return attempt({"kind": "webhook", "url": f"{scheme}://{host}:{port}/alerts", "headers": headers}, alert, 10)


def status(port: int, body: bytes, headers: dict[str, str] = JSON, method: str = "POST", path: str = "/alerts") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("key", "kind", "about"),
    [
        ("state/blocked", "state", "blocked"),
        ("reminder/2026-11-29/noon", "reminder", "2026-11-29/noon"),
        ("log_gap", "log_gap", ""),
    ],
)
def test_an_alert_becomes_an_event(rules: Rules, port: int, key: str, kind: str, about: str) -> None:
    assert told(port, dataclasses.replace(BLOCKED, key=key)) == Answer(True, "HTTP status 202")
    assert rules.events == [
        {
            "kind": kind,
            "about": about,
            "gateway": "live",
            "host": "my-live",
            "severity": "critical",
            "title": "live is blocked",
            "text": "no session",
            "next_step": "Sign in.",
            "at": 1764640800.0,
            "meta": {"hosts": ["my-live"]},
        }
    ]


def test_without_a_host_there_is_no_limit_to_trust(rules: Rules, port: int) -> None:
    assert told(port, dataclasses.replace(BLOCKED, key="state/degraded", host="")).delivered
    (event,) = rules.events
    assert (event["host"], "meta" in event) == ("", False)


REFUSED: dict[str, tuple[int, Callable[[int], int]]] = {
    "no token": (401, lambda port: status(port, b"{}", {"Content-Type": "application/json"})),
    "another token": (401, lambda port: status(port, b"{}", {**JSON, "Authorization": f"Bearer {TOKEN}0"})),
    "no text in the token": (401, lambda port: status(port, b"{}", {**JSON, "Authorization": "Bearer \xff"})),
    "another path": (404, lambda port: status(port, b"{}", path="/")),
    "another method": (405, lambda port: status(port, b"", method="GET")),
    "another type": (415, lambda port: status(port, b"{}", {**JSON, "Content-Type": "text/plain"})),
    "compressed": (415, lambda port: status(port, b"{}", {**JSON, "Content-Encoding": "gzip"})),
    "too large": (413, lambda port: status(port, b" " * (alerts.BODY_BYTES + 1))),
    "no JSON": (422, lambda port: status(port, b"{")),
    "no number": (422, lambda port: status(port, b'{"at": NaN}')),
    "deeply nested": (422, lambda port: status(port, b"[" * 60_000)),
    "no object": (422, lambda port: status(port, b"[]")),
    "no schema": (422, lambda port: status(port, json.dumps(BODY | {"schema": None}).encode())),
    "another schema": (422, lambda port: status(port, json.dumps(BODY | {"schema": 2}).encode())),
    "a missing field": (422, lambda port: status(port, json.dumps({"schema": 1, "key": "state/blocked"}).encode())),
    "a field of another type": (422, lambda port: status(port, json.dumps(BODY | {"title": ["x"]}).encode())),
    "half a character": (422, lambda port: status(port, json.dumps(BODY | {"title": "\ud800"}).encode())),
    "an unknown kind": (422, lambda port: status(port, json.dumps(BODY | {"key": "order/1"}).encode())),
    "an unknown severity": (422, lambda port: status(port, json.dumps(BODY | {"severity": "fatal"}).encode())),
    "a gateway that is none": (422, lambda port: status(port, json.dumps(BODY | {"gateway": ""}).encode())),
    **{
        f"the host {name}": (422, lambda port, name=name: status(port, json.dumps(BODY | {"host": name}).encode()))
        for name in ("a,b", "!a", "a:&b", "~a", "@a", "-i", "*", "a[0]", "{{ a }}", "a\n")
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_status(case: str, rules: Rules, port: int, caplog: pytest.LogCaptureFixture) -> None:
    expected, send = REFUSED[case]
    assert send(port) == expected
    assert rules.events == []
    assert TOKEN not in caplog.text


def test_a_body_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "BODY_SECONDS", 0.1)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in JSON.items())
        connection.sendall(f"POST /alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n{head}\r\n{{".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_rules_that_are_busy_let_the_watcher_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "QUEUE_SECONDS", 0.1)
    with listening(Rules(room=0)) as port:
        assert told(port, BLOCKED) == Answer(False, "HTTP status 503")


def test_hostile_texts_are_bounded_and_no_templates(rules: Rules, port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hostile = "{{{ lookup('pipe', 'id') }}{% x %}{# x #}\x1b[2J\u202e\n" + "x" * 9000
    sent = dataclasses.replace(BLOCKED, key=f"ends/{hostile}", title=hostile, text=hostile, next_step=hostile)
    assert told(port, sent).delivered
    (event,) = rules.events
    for name, limit in alerts.TEXT_CHARACTERS.items():
        assert len(event[name]) <= limit
        assert event[name].isprintable()
        assert not any(mark in event[name] for mark in ("{{", "{%", "{#"))
    assert not any(mark in caplog.text for mark in ("\x1b", "{{"))


def test_by_tls(rules: Rules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority().issue(tmp_path, "localhost", ExtendedKeyUsageOID.SERVER_AUTH, kind="server")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    with listening(
        rules, certfile=str(tmp_path / "server.crt"), keyfile=str(tmp_path / "server.key"), host="0.0.0.0"
    ) as port:
        assert told(port, BLOCKED, "https", "localhost") == Answer(True, "HTTP status 202")
        assert not told(port, BLOCKED).delivered


@pytest.mark.parametrize(
    ("args", "option"),
    [
        ({}, "token"),
        ({"token": TOKEN[:-1]}, "token"),
        ({"token": 1234567890123456}, "token"),
        ({"token": TOKEN, "host": "0.0.0.0"}, "certfile"),
        ({"token": TOKEN, "host": "alerts.example.org"}, "certfile"),
        ({"token": TOKEN, "certfile": "/x"}, "keyfile"),
        ({"token": TOKEN, "tokem": "x"}, "tokem"),
    ],
)
def test_options_that_cannot_work_are_refused(args: dict[str, t.Any], option: str) -> None:
    with pytest.raises(ValueError, match=option) as refused:
        alerts.settings(args)
    assert TOKEN[:-1] not in str(refused.value)


def test_a_proxy_may_end_tls() -> None:
    assert alerts.settings({"token": TOKEN, "host": "0.0.0.0", "behind_tls_proxy": True}).tls is None
