# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ibgw-answers@<name>.service``, beside the watcher: a thread for each channel that can carry answers."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable

from ..session import alerts, spool
from ..session.channel_kinds import Alert, Channel, takes_answers
from ..session.plan import Plan
from ..session.store import Store
from ..text import printable
from ..websocket import WebsocketError
from .judge import Judge
from .listeners import Heard, Listener, ListenError
from .ntfy import Ntfy
from .offers import Offers
from .slack import Slack
from .telegram import Telegram

LISTENERS: dict[str, Callable[[Channel, Heard], Listener]] = {"telegram": Telegram, "ntfy": Ntfy, "slack_app": Slack}
# Between two rounds, and after failures twice as long each time.
REST_SECONDS = (1.0, 300.0)
# A channel that cannot be heard for so long is told.
PATIENCE_SECONDS = 600.0


class Ear:
    """Listens to one channel without end, whatever its service does."""

    def __init__(self, name: str, listener: Listener, store: Store, plan: Plan) -> None:
        self._name, self._listener, self._store, self._plan = name, listener, store, plan
        self._rest, self._deaf_since, self._fault = REST_SECONDS[0], 0.0, ""

    def run(self) -> None:
        while True:
            time.sleep(self.once(time.time()))

    def once(self, now: float) -> float:
        """Listen for one round; return how long to rest then."""
        try:
            self._listener.round()
        except (OSError, ValueError, ListenError, WebsocketError, http.client.HTTPException) as error:
            # The text of other errors may hold the address, and with it a token.
            self._fail(str(error) if isinstance(error, ListenError) else type(error).__name__, now)
            return self._rest
        if self._fault:
            self._store.note("answers", f"{self._name} can be listened to again", now)
        self._rest, self._deaf_since, self._fault = REST_SECONDS[0], 0.0, ""
        return self._rest

    def _fail(self, fault: str, now: float) -> None:
        self._rest = min(self._rest * 2, REST_SECONDS[1])
        self._deaf_since = self._deaf_since or now
        if fault != self._fault:
            self._fault = fault
            self._store.note("answers_failed", f"{self._name} cannot be listened to: {printable(fault)}", now)
        if now - self._deaf_since >= PATIENCE_SECONDS:
            name, host = self._store.name, self._plan.host
            title = f"{name} on {host} hears no answers" if host else f"{name} hears no answers"
            text = f"{self._name} cannot be listened to: {printable(fault)}. Its buttons do nothing."
            step = "See that its token is right and that nothing else reads with it: ibgwctl history."
            key = f"answers_failed/{self._name}/{self._deaf_since:.0f}"
            spool.drop(self._store.directory, Alert(key, name, host, "warning", title, text, step, now))


def serve(name: str, plan: Plan) -> None:
    """Listen to the channels of gateway *name* that have answers, until the process is ended. Raises ChannelsError."""
    store = Store(name)
    judge = Judge(name, plan.host, store, Offers(store.directory, name))
    channels = alerts.load(alerts.path(name))
    threads = [
        threading.Thread(
            target=Ear(called, LISTENERS[channel["kind"]](channel, judge.answer), store, plan).run, daemon=True
        )
        for called, channel in zip(alerts.names_of(channels), channels, strict=True)
        if takes_answers(channel)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
