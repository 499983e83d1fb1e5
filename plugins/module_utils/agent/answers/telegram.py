# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen to taps by Telegram's long polling (https://core.telegram.org/bots/api#getupdates).

Telegram vouches for the sender's number. A bot has one reader: whoever holds its token can take taps away, which shows
as HTTP status 409.
"""

from __future__ import annotations

import contextlib

from ..record_file import part
from ..session.channel_kinds import Channel, method_url
from . import listeners
from .listeners import Heard, ListenError

# A poll at Telegram's, and how much longer the answer may take.
POLL_SECONDS, MARGIN_SECONDS = 25, 15
NOTICE_CHARACTERS = 200


class Telegram:
    def __init__(self, channel: Channel, heard: Heard, poll_seconds: int = POLL_SECONDS) -> None:
        self._channel, self._heard, self._poll_seconds, self._offset = channel, heard, poll_seconds, 0

    def round(self) -> None:
        wanted = {"timeout": self._poll_seconds, "offset": self._offset, "allowed_updates": ["callback_query"]}
        url = method_url(self._channel, "getUpdates")
        updates = listeners.call(url, {}, wanted, self._poll_seconds + MARGIN_SECONDS).get("result")
        for update in updates if isinstance(updates, list) else []:
            number = part(update, "update_id")
            if not isinstance(number, int):
                raise ListenError("an update without its number")
            query = part(update, "callback_query")
            if query is not None:
                self._judge(query)
            # Confirmed by the next poll: after the answer was judged, so that a crash loses none.
            self._offset = number + 1

    def _judge(self, query: object) -> None:
        sender, answer = part(query, "from", "id"), part(query, "data")
        told = self._heard(self._channel, answer if isinstance(answer, str) else "", str(sender), self._foreign(query))
        # A failure here only affects the display.
        with contextlib.suppress(OSError, ValueError, ListenError):
            notice = {"callback_query_id": part(query, "id"), "text": told[:NOTICE_CHARACTERS]}
            listeners.call(method_url(self._channel, "answerCallbackQuery"), {}, notice)
            place = {
                "chat_id": part(query, "message", "chat", "id"),
                "message_id": part(query, "message", "message_id"),
            }
            if str(place["chat_id"]) == self._channel["chat_id"]:
                listeners.call(method_url(self._channel, "editMessageReplyMarkup"), {}, place)

    def _foreign(self, query: object) -> str:
        """Return why a tap does not count, empty where it does."""
        sender = part(query, "from", "id")
        if not isinstance(sender, int) or str(sender) not in self._channel["answers_from"]:
            return "foreign: its sender is not in answers_from"
        if part(query, "from", "is_bot") is not False:
            return "foreign: a bot's"
        if str(part(query, "message", "chat", "id")) != self._channel["chat_id"]:
            return "foreign: of another chat"
        return "" if part(query, "message", "date") else "late"
