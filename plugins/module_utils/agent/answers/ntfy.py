# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to answers by ntfy's stream of a topic (https://docs.ntfy.sh/subscribe/api/).

ntfy has no senders: whoever may write to ``answers_topic`` is heard, so it belongs to one token.
"""

from __future__ import annotations

import http.client
import time
import urllib.parse
from collections.abc import Callable, Iterator

from .. import bounded_http, record_file
from ..record_file import part
from ..session.channel_kinds import Channel
from .listeners import Heard, ListenError

# A server says that it is alive every 45 seconds.
SILENCE_SECONDS = 90.0
STREAM_SECONDS = 3600.0
CONNECT_SECONDS = 15.0
LINE_BYTES = 8192


class Ntfy:
    def __init__(self, channel: Channel, heard: Heard, now: Callable[[], float] = time.time) -> None:
        self._channel, self._heard = channel, heard
        # From the last message on that was heard; what was published before the first round is late.
        self._since = f"{now():.0f}"

    def round(self) -> None:
        for line in self._lines():
            message = record_file.parse(line)
            if part(message, "event") == "message":
                self._since = str(part(message, "id"))
                answer = part(message, "message")
                sender = f"somebody with the token of {self._channel['answers_topic']}"
                self._heard(self._channel, answer if isinstance(answer, str) else "", sender, "")

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines of the topic's stream, until the server ends it or an hour has passed."""
        parts = urllib.parse.urlsplit(self._channel["url"])
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=CONNECT_SECONDS)
        token = self._channel.get("token")
        topic, since = (urllib.parse.quote(each, safe="") for each in (self._channel["answers_topic"], self._since))
        deadline = time.monotonic() + STREAM_SECONDS
        try:
            bounded_http.within(CONNECT_SECONDS, connection.connect)
            connection.sock.settimeout(SILENCE_SECONDS)
            with bounded_http.Patience(connection.sock, SILENCE_SECONDS) as patience:
                path = f"{parts.path.rstrip('/')}/{topic}/json?since={since}"
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
                reply = connection.getresponse()
                if reply.status != 200:
                    raise ListenError(f"HTTP status {reply.status}")
                while time.monotonic() < deadline and (line := reply.readline(LINE_BYTES)):
                    if not line.endswith(b"\n"):
                        raise ListenError("it sends lines without end")
                    patience.renew()
                    yield line
        finally:
            connection.close()
