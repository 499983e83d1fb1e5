# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that alerts go to, as their documents describe them, and of those that carry answers a person who taps.

Telegram: https://core.telegram.org/bots/api; ntfy: https://docs.ntfy.sh/publish/ and /subscribe/api/; Slack's Socket
Mode: https://docs.slack.dev/apis/events-api/using-socket-mode; Jira Service Management:
https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/. Scenario live_week
has a real ntfy.
"""

from __future__ import annotations

import abc
import http.server
import json
import threading
import time
import typing as t
import urllib.parse
from typing import Any, Self

from ansible_collections.ibops.gateway.plugins.module_utils.agent import websocket
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.ntfy import Ntfy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.slack import Slack
from ansible_collections.ibops.gateway.plugins.module_utils.agent.answers.telegram import Telegram

SECRET = "s3cr3t"
Json = dict[str, Any]


class Service(abc.ABC):
    """A server on this machine. *sent* are the messages that the bot sent, *told* what it told who tapped."""

    def __init__(self) -> None:
        self.sent: list[Json] = []
        self.told: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = outer.post(self.path, body, self.headers.get("Authorization", ""))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                self.close_connection = True
                outer.get(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @abc.abstractmethod
    def post(self, path: str, body: bytes, token: str) -> tuple[int, Json]:
        """Return status and answer of one request of a bot."""

    def get(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_error(404)


class TelegramService(Service):
    """The Bot API, for one bot; taps are updates until they are confirmed."""

    channel_of = Telegram

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[Json] = []
        self.numbers = 100
        self.other_reader = False

    def channel(self, **more: Any) -> Json:
        return {
            "kind": "telegram",
            "url": self.url,
            "token": f"1:{SECRET}",
            "chat_id": "7",
            "answers_from": ["7"],
            **more,
        }

    def buttons(self) -> list[str]:
        return [each["callback_data"] for each in self.sent[-1]["reply_markup"]["inline_keyboard"][0]]

    def tap(self, answer: object, sender: Json | None = None, **message: Any) -> None:
        self.numbers += 1
        query = {
            "id": str(self.numbers), "chat_instance": "1", "data": answer,
            "from": {"id": 7, "is_bot": False, "first_name": "Ann", **(sender or {})},
            "message": {"message_id": 5, "date": 1_796_000_000, "chat": {"id": 7, "type": "private"}, **message},
        }  # fmt: skip
        self.updates.append({"update_id": self.numbers, "callback_query": query})

    def post(self, path: str, body: bytes, token: str) -> tuple[int, Json]:
        content: Json = json.loads(body)
        if not path.startswith(f"/bot1:{SECRET}/"):
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        return getattr(self, path.rpartition("/")[2])(content)

    def getUpdates(self, content: Json) -> tuple[int, Json]:
        assert content["allowed_updates"] == ["callback_query"]
        if self.other_reader:
            text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
            return 409, {"ok": False, "error_code": 409, "description": text}
        self.updates = [each for each in self.updates if each["update_id"] >= content["offset"]]
        return 200, {"ok": True, "result": self.updates}

    def sendMessage(self, content: Json) -> tuple[int, Json]:
        keyboard = content.get("reply_markup", {}).get("inline_keyboard", [[]])[0]
        if any(not 1 <= len(each["callback_data"].encode()) <= 64 for each in keyboard):
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: BUTTON_DATA_INVALID"}
        self.sent.append(content)
        return 200, {"ok": True, "result": {"message_id": 5}}

    def answerCallbackQuery(self, content: Json) -> tuple[int, Json]:
        assert len(content["text"]) <= 200
        self.told.append(content["text"])
        return 200, {"ok": True, "result": True}

    def editMessageReplyMarkup(self, _content: Json) -> tuple[int, Json]:
        return 200, {"ok": True, "result": {}}


class NtfyService(Service):
    """One server with a topic for messages and one for answers; ``tk_vm`` reads answers, ``tk_phone`` writes them."""

    channel_of = Ntfy

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Json] = []

    def channel(self, **more: Any) -> Json:
        own = {"topic": "gw", "token": "tk_vm", "answers_topic": "gw-answers", "answers_token": "tk_phone"}
        return {"kind": "ntfy", "url": self.url, **own, **more}

    def buttons(self) -> list[str]:
        assert len(self.sent[-1]["actions"]) <= 3
        return [each["body"] for each in self.sent[-1]["actions"]]

    def tap(self, answer: object) -> None:
        """Publish as the phone does: whatever is published is text."""
        self.messages.append(
            {"id": f"m{len(self.messages)}", "time": int(time.time()), "event": "message", "topic": "gw-answers",
             "message": str(answer)}
        )  # fmt: skip

    def post(self, path: str, body: bytes, token: str) -> tuple[int, Json]:
        if path == "/" and token == "Bearer tk_vm":
            self.sent.append(json.loads(body))
            return 200, {"id": "x", "event": "message"}
        if path == "/gw-answers" and token == "Bearer tk_phone":
            self.tap(body.decode())
            return 200, {"id": "x", "event": "message"}
        return 403, {"code": 40301, "http": 403, "error": "forbidden"}

    def get(self, request: http.server.BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(request.path)
        if parts.path != "/gw-answers/json" or request.headers.get("Authorization") != "Bearer tk_vm":
            request.send_error(403)
            return
        since = urllib.parse.parse_qs(parts.query)["since"][0]
        known = [each["id"] for each in self.messages]
        lines = [{"id": "o", "event": "open"}, *self.messages[known.index(since) + 1 if since in known else 0 :]]
        content = "".join(json.dumps(each) + "\n" for each in [*lines, {"id": "k", "event": "keepalive"}]).encode()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


class SlackService(Service):
    """The Web API of one app, and its socket, which is closed once the taps so far are acknowledged."""

    channel_of = Slack

    def __init__(self) -> None:
        super().__init__()
        self.taps: list[Json] = []
        self.receipts: list[str] = []

    def channel(self, **more: Any) -> Json:
        own = {"token": "xoxb-1", "app_token": "xapp-1", "channel": "C1", "team": "T1", "answers_from": ["U1"]}
        return {"kind": "slack_app", "url": f"{self.url}/api", **own, **more}

    def buttons(self) -> list[str]:
        return [each["value"] for each in self.sent[-1]["blocks"][1]["elements"]]

    def tap(self, answer: object, **more: Any) -> None:
        payload = {
            "type": "block_actions", "user": {"id": "U1"}, "team": {"id": "T1"}, "api_app_id": "A1",
            "channel": {"id": "C1"}, "message": {"ts": "1.2"}, "actions": [{"action_id": "answer_0", "value": answer}],
            **more,
        }  # fmt: skip
        self.taps.append({"envelope_id": f"0b7e53f4-0000-4000-8000-{len(self.taps):012}", "type": "interactive",
                          "payload": payload, "accepts_response_payload": False})  # fmt: skip

    def post(self, path: str, body: bytes, token: str) -> tuple[int, Json]:
        wanted = {"/api/apps.connections.open": "Bearer xapp-1", "/api/chat.postMessage": "Bearer xoxb-1"}
        if token != wanted.get(path):
            return 200, {"ok": False, "error": "invalid_auth"}
        if path == "/api/apps.connections.open":
            return 200, {"ok": True, "url": f"{self.url.replace('http', 'ws')}/link/?ticket=1&app_id=A1"}
        content = json.loads(body)
        if content.get("thread_ts"):
            self.told.append(content["text"])
        else:
            self.sent.append(content)
        return 200, {"ok": True, "ts": "1.2"}

    def get(self, request: http.server.BaseHTTPRequestHandler) -> None:
        assert request.path == "/link/?ticket=1&app_id=A1"
        accept = websocket.accept_of(request.headers["Sec-WebSocket-Key"].encode()).decode()
        request.wfile.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        taps, self.taps = self.taps, []
        for frame in ({"type": "hello", "num_connections": 1}, *taps):
            data = json.dumps(frame).encode()
            request.wfile.write(b"\x81\x7e" + len(data).to_bytes(2, "big") + data)
            if "envelope_id" in frame:
                self.receipts.append(self._receipt(request)["envelope_id"])
        data = json.dumps({"type": "disconnect", "reason": "refresh_requested"}).encode()
        request.wfile.write(bytes([0x81, len(data)]) + data)

    @staticmethod
    def _receipt(request: http.server.BaseHTTPRequestHandler) -> Json:
        _first, length = request.rfile.read(2)
        mask = request.rfile.read(4)
        text = bytes(octet ^ mask[index % 4] for index, octet in enumerate(request.rfile.read(length & 0x7F)))
        found: Json = json.loads(text)
        return found


class JiraService(Service):
    """An integration's alerts by alias: each accepted request is carried out later, and fails in silence."""

    AT = "/jsm/ops/integration/v2/alerts"
    LIMITS: t.ClassVar = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100}

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, Json] = {}

    def channel(self, **more: Any) -> Json:
        return {"kind": "jira_service_management", "url": self.url + self.AT, "api_key": SECRET, **more}

    def post(self, path: str, body: bytes, token: str) -> tuple[int, Json]:
        if token != f"GenieKey {SECRET}":
            return 403, {"message": "Could not authenticate", "took": 0.0, "requestId": "r"}
        content: Json = json.loads(body)
        at, _mark, query = path.partition("?")
        if at == self.AT:
            if not content.get("message") or any(
                len(content.get(name, "")) > most for name, most in self.LIMITS.items()
            ):
                return 422, {"message": "Request body is not processable", "took": 0.0, "requestId": "r"}
            assert content["priority"] in ("P1", "P2", "P3", "P4", "P5")
            self.sent.append(content)
            self.open.setdefault(content["alias"], content)
        else:
            assert at.startswith(self.AT)
            assert query == "identifierType=alias", "otherwise it is taken for an id"
            alias, end = at.removeprefix(self.AT).removeprefix("/").split("/")
            assert end == "close"
            self.open.pop(urllib.parse.unquote(alias), None)
        return 202, {"result": "Request will be processed", "took": 0.1, "requestId": "r"}


SERVICES = {"telegram": TelegramService, "ntfy": NtfyService, "slack_app": SlackService}
