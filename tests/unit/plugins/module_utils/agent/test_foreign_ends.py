# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that drip, flood or speak in escape sequences: the other ends of mail, websocket, secrets and registry."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.action.gateway_container import ActionModule
from ansible_collections.ibops.gateway.plugins.module_utils.agent import websocket
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import secret_manager
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Alert

ESCAPE = "\x1b[2Jgone\x07"


@contextlib.contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    def handle() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with connection, contextlib.suppress(OSError):
                    talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=handle, daemon=True).start()
        yield listener.getsockname()[1]


def mail(port: int, seconds: float) -> str:
    channel = {"kind": "email", "host": "127.0.0.1", "port": port, "security": "none", "from": "a@b.c", "to": ["d@e.f"]}
    return alerts.attempt(channel, Alert("key", "live", "gw1", "info", "title", "text", "step", 1.8e9), seconds).said


def test_a_mail_server_that_drips_is_hung_up_on() -> None:
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"2")
            time.sleep(0.02)

    with server(drip) as port:
        before = threading.active_count()
        assert mail(port, 0.3) == "it did not answer in time"
        deadline = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before


def test_a_mail_server_that_talks_without_an_end_is_not_heard_to_it() -> None:
    sent = [0]

    def flood(connection: socket.socket) -> None:
        while True:
            sent[0] += connection.send(b"220-" + b"x" * 996 + b"\r\n")

    with server(flood) as port:
        assert mail(port, 60) == "SMTPServerDisconnected"
    assert sent[0] < 64 * alerts.MAX_HEARD


@pytest.mark.parametrize("answer", [b"x" * 100_000_000, b"a: b\r\n" * 1_000_000], ids=["a line", "headers"])
def test_the_answer_to_an_upgrade_has_an_end(answer: bytes) -> None:
    stream = io.BytesIO(answer)
    with pytest.raises(websocket.WebsocketError):
        websocket._expect_upgrade(stream, b"")
    assert stream.tell() <= 1 << 16


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "invalid_grant"}',
        b'{"error": ["x"]}',
        b'{"error": {"message": ["x"]}}',
        b'{"error": {"message": "\\u001b[2Jgone\\u0007"}}',
        b'{"error": "\\u001b[2Jgone"}',
        b"[" * 200_000,
        b"[]",
    ],
)
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_whatever_is_said_of_a_secret_is_an_error_that_can_be_shown(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_manager, "PAUSE_SECONDS", 0.0)
    name = "projects/p/secrets/s/versions/latest"
    with pytest.raises(secret_manager.SecretError) as raised:
        secret_manager.access(name, "token", lambda *_arguments: (status, body))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000


def test_the_registrys_words_are_bounded_and_printable() -> None:
    action: Any = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args={"container": {"image": "registry/image@sha256:1"}})
    action._vars = {"inventory_hostname": "gw1"}
    action._execute_module = lambda **_more: {"failed": True, "msg": ESCAPE * 500, "errors": [ESCAPE]}
    result = action._pull()
    assert (result["failed"], set(result)) == (True, {"failed", "msg"})
    assert result["msg"].isprintable()
    assert len(result["msg"]) < 1000
