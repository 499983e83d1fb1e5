# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the listeners to channels. Each opens a connection to its service, and no port."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Mapping

from .. import bounded_http, record_file
from ..session.channel_kinds import Channel
from ..text import printable

CALL_SECONDS = 15.0
# (channel, answer, sender, why that one may not answer here): what the sender is told.
Heard = Callable[[Channel, str, str, str], str]


class ListenError(Exception):
    """The channel cannot be listened to now; the message holds no secret."""


class Listener(t.Protocol):
    """Listens to one channel."""

    def round(self) -> None:
        """Listen for a while, at most an hour. Raises ListenError, OSError and what a broken answer raises."""


def call(url: str, headers: Mapping[str, str], body: object, seconds: float = CALL_SECONDS) -> dict[str, t.Any]:
    """POST JSON to a method of a bot's API, and return its answer; ListenError for a refusal."""
    sent = {"Content-Type": "application/json; charset=UTF-8", **headers}
    status, content = bounded_http.request("POST", url, seconds, sent, json.dumps(body).encode())
    found = record_file.parse(content)
    if not isinstance(found, dict) or found.get("ok") is not True:
        said = found.get("description") or found.get("error") if isinstance(found, dict) else ""
        raise ListenError(f"HTTP status {status}, {printable(str(said), 120)}")
    return found
