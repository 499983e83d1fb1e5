# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening goes on, whatever the services do, and says so where it cannot."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.channels import SECRET, SERVICES, NtfyService, SlackService, TelegramService

from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers import ntfy as ntfy_listener
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers import service
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers import slack as slack_listener
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.listeners import ListenError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.service import LISTENERS, Ear
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import spool
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Store
from ansible_collections.ibops.gateway.plugins.module_utils.agent.websocket import WebsocketError

NOW = 1_796_000_000.0
Heard = list[tuple[str, str, str]]


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture(params=SERVICES)
def running(request: pytest.FixtureRequest) -> Iterator[Any]:
    with SERVICES[request.param]() as found:
        yield found


def listener(found: Any, heard: Heard, **more: Any) -> Any:
    def hear(_channel: object, answer: str, sender: str, foreign: str) -> str:
        heard.append((answer, sender, foreign))
        return "told"

    return found.channel_of(found.channel(**more), hear)


def test_every_kind_that_takes_answers_has_a_listener() -> None:
    assert LISTENERS.keys() == SERVICES.keys()


def test_each_tap_is_heard_once(running: Any, heard: Heard) -> None:
    listens = listener(running, heard)
    for text in ("a", "b"):
        running.tap(text)
    listens.round()
    listens.round()
    running.tap("c")
    listens.round()
    assert [answer for answer, _sender, _foreign in heard] == ["a", "b", "c"]
    assert {foreign for _answer, _sender, foreign in heard} == {""}


def test_who_tapped_is_told(running: Any, heard: Heard) -> None:
    running.tap("a")
    listener(running, heard).round()
    assert running.told == ([] if isinstance(running, NtfyService) else ["told"])


def test_slack_has_a_receipt_for_each_tap(heard: Heard) -> None:
    with SlackService() as slack:
        slack.tap("a")
        envelopes = [each["envelope_id"] for each in slack.taps]
        listener(slack, heard).round()
        assert slack.receipts == envelopes


def test_telegram_is_polled_from_the_next_update_on(heard: Heard) -> None:
    with TelegramService() as telegram:
        listens = listener(telegram, heard)
        telegram.tap("a")
        listens.round()
        listens.round()
        assert telegram.updates == []


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("telegram", {"token": "2:wrong"}, "HTTP status 401, Unauthorized"),
        ("ntfy", {"token": "tk_wrong"}, "HTTP status 403"),
        ("slack_app", {"app_token": "xapp-wrong"}, "HTTP status 200, invalid_auth"),
    ],
)
def test_a_refusal_is_said_without_the_token(heard: Heard, kind: str, more: dict[str, str], says: str) -> None:
    with SERVICES[kind]() as found, pytest.raises(ListenError) as error:
        listener(found, heard, **more).round()
    assert says in str(error.value)
    assert "wrong" not in str(error.value)


def test_another_reader_of_the_bot_is_told(tmp_path: Path, heard: Heard) -> None:
    with TelegramService() as telegram:
        telegram.other_reader = True
        ear = Ear("telegram/0", listener(telegram, heard), Store("live", str(tmp_path)), Plan())
        ear.once(NOW)
        ear.once(NOW + service.PATIENCE_SECONDS)
        (alert,) = spool.take(str(tmp_path / "live/session"))
        assert "terminated by other getUpdates request" in alert.text
        telegram.other_reader = False
        assert ear.once(NOW + 700) == service.REST_SECONDS[0]
        texts = [event["text"] for event in Store("live", str(tmp_path)).history()]
        assert len(texts) == 2, "once when it begins, once when it is over"
        assert SECRET not in str(texts)


def test_a_service_that_is_gone_is_tried_less_and_less(tmp_path: Path, heard: Heard) -> None:
    with NtfyService() as ntfy:
        listens = listener(ntfy, heard)
    ear = Ear("ntfy/0", listens, Store("live", str(tmp_path)), Plan())
    rests = [ear.once(NOW + number) for number in range(12)]
    assert rests[:3] == [2.0, 4.0, 8.0]
    assert rests[-1] == service.REST_SECONDS[1]


class Odd(NtfyService):
    lines: bytes = b""

    def get(self, request: Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(self.lines)))
        request.end_headers()
        request.wfile.write(self.lines)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (b"x" * 20_000 + b"\n", ListenError),
        (b"{\n", ValueError),
        (b"[[" * 4000 + b"\n", ValueError),
        (json.dumps({"event": "message", "id": 1, "message": {"a": 1}}).encode() + b"\n", None),
        (b'"text"\n', None),
    ],
)
def test_whatever_a_stream_holds_is_an_error_or_no_answer(
    heard: Heard, lines: bytes, error: type[Exception] | None
) -> None:
    with Odd() as ntfy:
        ntfy.lines = lines
        listens = listener(ntfy, heard)
        if error:
            with pytest.raises(error):
                listens.round()
        else:
            listens.round()
    assert [answer for answer, _sender, _foreign in heard if answer] == []


def test_slacks_socket_is_opened_by_tls_only(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    with SlackService() as slack:
        answer = {"ok": True, "url": "ws://slack.example/link"}
        monkeypatch.setattr(slack, "post", lambda *_arguments: (200, answer))
        with pytest.raises(ListenError, match="TLS"):
            listener(slack, heard).round()


class Dripping(NtfyService):
    """Sends a byte a time, in its headers or in a line, and gets to no end."""

    at = "headers"

    def get(self, request: Any) -> None:
        if self.at == "line":
            request.send_response(200)
            request.end_headers()
        with suppress(OSError):
            while True:
                request.wfile.write(b"x")
                request.wfile.flush()
                time.sleep(0.02)


@pytest.mark.parametrize("at", ["headers", "line"])
def test_a_stream_that_drips_is_ended_and_told(monkeypatch: Any, tmp_path: Path, heard: Heard, at: str) -> None:
    monkeypatch.setattr(ntfy_listener, "SILENCE_SECONDS", 0.3)
    with Dripping() as ntfy:
        ntfy.at = at
        begun = time.monotonic()
        Ear("ntfy/0", listener(ntfy, heard), Store("live", str(tmp_path)), Plan()).once(NOW)
        assert time.monotonic() - begun < 5
    assert [event["event"] for event in Store("live", str(tmp_path)).history()] == ["answers_failed"]


class DrippingSlack(SlackService):
    """Begins a frame of 300 bytes behind its first message, and gets to no end of it."""

    def get(self, request: Any) -> None:
        write = request.wfile.write
        request.wfile.write = lambda data: write(data) if b"disconnect" not in data else drip(request, write)
        super().get(request)


def drip(request: Any, write: Any) -> None:
    with suppress(OSError):
        write(b"\x81\x7e\x01\x2c")
        for _octet in range(299):
            write(b"x")
            request.wfile.flush()
            time.sleep(0.02)


def test_a_websocket_that_drips_is_ended(monkeypatch: Any, heard: Heard) -> None:
    monkeypatch.setattr(slack_listener, "SILENCE_SECONDS", 0.3)
    with DrippingSlack() as slack:
        begun = time.monotonic()
        with pytest.raises((WebsocketError, OSError)):
            listener(slack, heard).round()
        assert time.monotonic() - begun < 5
