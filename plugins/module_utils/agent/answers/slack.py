# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to taps by Slack's Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode).

The socket is opened with the app's own token, so what comes on it is Slack's word for team, user and message. Of
several sockets of one app each tap comes to one only: an app belongs to one gateway.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
import urllib.parse

from .. import bounded_http, record_file, websocket
from ..record_file import part
from ..session.alerts import safe
from ..session.channel_kinds import Channel, method_url
from . import listeners
from .listeners import Heard, ListenError

# Slack pings more often than that.
SILENCE_SECONDS = 120.0
STREAM_SECONDS = 3600.0
CONNECT_SECONDS = 15.0


class Slack:
    def __init__(self, channel: Channel, heard: Heard) -> None:
        self._channel, self._heard = channel, heard

    def round(self) -> None:
        token = {"Authorization": f"Bearer {self._channel['app_token']}"}
        url = str(listeners.call(method_url(self._channel, "apps.connections.open"), token, {}).get("url"))
        parts = urllib.parse.urlsplit(url)
        secure = parts.scheme == "wss"
        if not safe(url.replace("ws", "http", 1)) or not parts.hostname:
            raise ListenError("the address of its socket is none by TLS")
        port = parts.port or (443 if secure else 80)
        deadline = time.monotonic() + STREAM_SECONDS
        connection = bounded_http.within(CONNECT_SECONDS, lambda: _connected(parts.hostname or "", port, secure))
        with connection, bounded_http.Patience(connection, SILENCE_SECONDS) as patience:
            path = f"{parts.path or '/'}?{parts.query}"
            for message in websocket.messages(connection, parts.netloc, path, {}, patience.renew):
                if not self._take(connection, record_file.parse(message)) or time.monotonic() >= deadline:
                    return

    def _take(self, connection: socket.socket, frame: object) -> bool:
        """Judge what a frame holds, its receipt first, which Slack wants within three seconds; whether it goes on."""
        envelope, payload = part(frame, "envelope_id"), part(frame, "payload")
        if isinstance(envelope, str):
            websocket.send_text(connection, json.dumps({"envelope_id": envelope}))
        if part(frame, "type") == "interactive" and part(payload, "type") == "block_actions":
            actions = part(payload, "actions")
            answer = part(actions[0], "value") if isinstance(actions, list) and actions else None
            user = part(payload, "user", "id")
            told = self._heard(
                self._channel, answer if isinstance(answer, str) else "", str(user), self._foreign(payload)
            )
            self._reply(payload, told)
        return part(frame, "type") != "disconnect"

    def _foreign(self, payload: object) -> str:
        """Return why a tap does not count, empty where it does."""
        if part(payload, "team", "id") != self._channel["team"]:
            return "foreign: of another workspace"
        if part(payload, "user", "id") not in self._channel["answers_from"]:
            return "foreign: its sender is not in answers_from"
        return "" if part(payload, "channel", "id") == self._channel["channel"] else "foreign: of another channel"

    def _reply(self, payload: object, told: str) -> None:
        """Tell who tapped what came of it, in the message's thread; what fails here costs the words only."""
        with contextlib.suppress(OSError, ValueError, ListenError):
            body = {"channel": self._channel["channel"], "text": told, "thread_ts": part(payload, "message", "ts")}
            token = {"Authorization": f"Bearer {self._channel['token']}"}
            listeners.call(method_url(self._channel, "chat.postMessage"), token, body)


def _connected(host: str, port: int, secure: bool) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    if secure:
        context = ssl.create_default_context()
        connection = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
        with bounded_http.Patience(connection, CONNECT_SECONDS):
            connection.do_handshake()
    connection.settimeout(SILENCE_SECONDS)
    return connection
