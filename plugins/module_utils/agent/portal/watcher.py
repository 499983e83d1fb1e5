# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of a Client Portal Gateway: it looks, remembers, and tells people and programs, as for IB Gateway.

It starts and stops nothing: the image signs in by itself. The one thing that it asks for is a lost brokerage session of
who is still signed in, which costs no push; a few times, then a person is told.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable

from ..session import policy, watching
from ..session.delivery import Delivery
from ..session.lease import BusyError
from ..session.plan import Plan
from ..session.publish import Publisher
from ..session.store import Record, Store
from ..session.telling import Telling
from ..text import printable
from . import client, watched

BY = "the watcher"
# Well within the service manager's patience (WatchdogSec), however long the interval is.
SLICE_SECONDS = 60.0
# How often a lost brokerage session is asked for in one loss and in an hour, and from one time to the next.
REOPENS, REOPENS_AN_HOUR, REOPEN_SECONDS = 3, 6, 120.0
FLAPPING_STEP = "See whether its user is signed in elsewhere, and docker logs of its container."


class PortalWatcher:
    """Watches gateway *name* by its *plan*."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        now: Callable[[], float] = time.time,
        delivery: Delivery | None = None,
        restarts: watching.Restarts | None = None,
    ) -> None:
        self.plan, self.now, self.store = plan, now, Store(name)
        self.gateway = self.descriptor = watched.load(name)
        self.delivery = delivery or Delivery(self.store)
        self.publisher = Publisher(self, self.delivery.outbox, restarts)
        self._telling = Telling(self.delivery, plan, self.gateway.accounts)

    def run(self, alive: Callable[[], None], ended: Callable[[], bool], sleep: Callable[[float], None]) -> None:
        """Watch until *ended*. Nothing that goes wrong with the gateway ends it."""
        with contextlib.closing(self.publisher):
            while not ended():
                alive()
                try:
                    self.look()
                except BusyError:
                    pass  # who acts on it keeps its record, and the next look comes soon enough
                except Exception as error:  # a watcher that ends cannot alert
                    self._fail(error)
                until = self.gateway.clock() + self.plan.interval
                while (left := until - self.gateway.clock()) > 0 and not ended():
                    alive()
                    sleep(min(left, SLICE_SECONDS))

    def look(self) -> Record:
        """Look once, ask for a lost session, and tell. BusyError while somebody acts on it."""
        began = self.gateway.clock()
        self.gateway.look()
        now = self.now()
        with self.store.lease.beside(BY, "a look"):
            record = self.store.load(self.gateway.mode)
            before = copy.copy(record)
            self.gateway.observe(record, now)
            if self.gateway.finding and self.gateway.finding.reopens:
                self._reopen(record, now)
            if (record.state, record.reason) != (before.state, before.reason):
                self.store.note("state", record.reason, now, state=record.state)
            self.store.save(record)
        self._telling.of_state(before, record, now)
        self._telling.of_restarts(self.publisher.restarts, now)
        self.delivery.begin(now)
        tally = self.publisher.tally
        tally.looks, tally.look_seconds = tally.looks + 1, self.gateway.clock() - began
        self.publisher.publish(record)
        return record

    def _reopen(self, record: Record, now: float) -> None:
        """Ask for a lost brokerage session, within the bounds; beyond those of an hour a person is told."""
        lately = [moment for moment in record.reopened if abs(now - moment) < 3600]
        if len(lately) >= REOPENS_AN_HOUR:
            what = "its brokerage session is lost again and again"
            text = f"It was asked for {REOPENS_AN_HOUR} times within an hour, which is the limit."
            self._telling.of_fault("reopens", what, text, FLAPPING_STEP, now)
            return
        asked = sum(moment >= record.since for moment in record.reopened)
        if asked >= REOPENS or (lately and now - lately[-1] < REOPEN_SECONDS):
            return
        record.reopened = [*record.reopened, now][-REOPENS_AN_HOUR:]
        # Written first: a watcher that dies of it has asked.
        self.store.save(record)
        try:
            answer = f"HTTP {client.reopen(self.gateway.portal.endpoint).status}"
        except client.NoAnswerError as error:
            answer = error.reason
        self.store.note("reopen", f"asked for the brokerage session, {asked + 1} of {REOPENS}: {answer}", now)

    def _fail(self, error: Exception) -> None:
        """Turn an unexpected failure of a look into a state and an alert; the next look is tried."""
        now, kind = self.now(), type(error).__name__
        self.publisher.tally.looks_failed += 1
        with contextlib.suppress(Exception):
            record = self.store.load(self.gateway.mode)
            before = copy.copy(record)
            self.store.note("failed", f"the look failed: {kind}: {printable(str(error))}", now)
            policy.fail(record, f"the watcher cannot look at the gateway ({kind})", now)
            self._telling.of_state(before, record, now, urgent=True)
            self.delivery.begin(now)
            self.publisher.publish(record, f"the look failed ({kind})")
            self.store.save(record)
