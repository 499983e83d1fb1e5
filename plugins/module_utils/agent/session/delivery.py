# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send queued alerts in a thread: a channel that is dead, or drips its answer, delays no look and no kill.

The thread writes only the outbox; the next round notes failed deliveries in the history.
"""

from __future__ import annotations

import contextlib
import os
import threading

from . import alerts
from .alerts import Outbox
from .channel_kinds import Alert, Button, Channel
from .store import Store

# Limit for one round, all channels together.
BUDGET_SECONDS = 20.0


class Delivery:
    """Send the alerts in *store*'s outbox, one round at a time."""

    def __init__(self, store: Store) -> None:
        self.store, self.outbox = store, Outbox(store.directory, offer=self._buttons)
        self._round: threading.Thread | None = None
        self._failed: list[str] = []

    def begin(self, now: float) -> None:
        """Begin a round, unless one is under way or nothing waits; returns at once."""
        if self.is_under_way:
            return
        for failed in self._failed:
            self.store.note("alert_failed", f"an alert was not delivered by {failed}", now)
        self._failed = []
        if self.outbox.waiting:
            self._round = threading.Thread(target=self._send, daemon=True)
            self._round.start()

    @property
    def is_under_way(self) -> bool:
        return self._round is not None and self._round.is_alive()

    def wait(self, seconds: float) -> None:
        """Wait until the round has ended."""
        if self._round is not None:
            self._round.join(seconds)

    def _buttons(self, channel: Channel, alert: Alert) -> list[Button]:
        """Return the answers that a message offers its reader."""
        from ..answers.offers import Offers  # only where a channel has buttons

        return Offers(self.store.directory, self.store.name).buttons(channel, alert.actions)

    def _send(self) -> None:
        path = alerts.path(self.store.name)
        # When the channels cannot be read, alerts stay queued.
        with contextlib.suppress(OSError, ValueError):
            if os.path.exists(path):
                self._failed = self.outbox.flush(alerts.load(path), BUDGET_SECONDS)
