# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts of every watcher on a gateway's state: when each is sent, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..api import accounts, verdicts
from . import policy, watching, week
from .channel_kinds import Alert
from .delivery import Delivery
from .plan import Plan
from .store import Record

SEVERITY = {verdicts.BLOCKED: "critical", verdicts.DEGRADED: "warning", verdicts.READY: "info"}
_TROUBLE = (verdicts.BLOCKED, verdicts.DEGRADED)
# Repeated after this many seconds while it lasts.
REPEAT_SECONDS = 6 * 3600.0


class Telling:
    """Tells by *delivery* of the gateway that has *plan*; its *listed* accounts are masked.

    *offer* returns the actions that a reader of an alert may take, for a record and a moment.
    """

    def __init__(
        self,
        delivery: Delivery,
        plan: Plan,
        listed: Sequence[str],
        offer: Callable[[Record, float], tuple[str, ...]] = lambda _record, _now: (),
    ) -> None:
        self._delivery, self._plan, self._listed, self._offer = delivery, plan, listed, offer
        # The record at the start of the last look: a full disk keeps it, a sign-in replaces it.
        self._told_from: Record | None = None
        # Since when the gateway had its state after that look.
        self._since: float | None = None

    def of_state(self, before: Record, record: Record, now: float, urgent: bool = False) -> None:
        """Queue the alert on the state of *record* that is due, also if a trouble is over."""
        serious = record.state in _TROUBLE
        # Clear the alert, whoever fixed it, so that it is sent again if the state returns.
        ready = record.state == verdicts.READY
        saved = before != self._told_from
        over = ready or (before.state == verdicts.READY and saved)
        self._told_from = before
        outbox = self._delivery.outbox
        forgotten = [outbox.forget(f"state/{each}") for each in _TROUBLE] if over else []
        calm = (
            record.state == verdicts.DEGRADED
            and not urgent
            and (now - record.since < self._plan.interval or week.reset_ends(policy.moment(now), self._plan.region))
        )
        if (serious and not calm) or (ready and any(forgotten)):
            # Every alert that it was not ready is followed by one that it is ready again.
            again = 0.0 if ready else REPEAT_SECONDS
            if (
                record.state == verdicts.BLOCKED
                and saved
                and (before.state, before.since) != (record.state, self._since)
            ):
                # Only a person or a window ends it, so another one is news, also if it was never ready in between.
                again = min(again, max(now - record.since, 0.0) + 1)
            self.put(f"state/{record.state}", SEVERITY[record.state], f"is {record.state}", record, now, again)
        self._since = record.since

    def of_fault(self, key: str, what: str, text: str, next_step: str, now: float) -> bool:
        """Queue an alert on a fault beside the state, again while it lasts; return whether one was due."""
        name, host = self._delivery.store.name, self._plan.host
        title = f"{name} on {host}: {what}" if host else f"{name}: {what}"
        return self._delivery.outbox.put(Alert(key, name, host, "warning", title, text, next_step, now), REPEAT_SECONDS)

    def of_restarts(self, restarts: watching.Restarts | None, now: float) -> None:
        """Queue an alert where the watcher is suspect, since systemd had to restart it."""
        if restarts and (fault := restarts.fault()):
            unit = watching.unit_name(self._delivery.store.name)
            step = f"On its host: journalctl -u {unit} says why it ended."
            self.of_fault("watcher", "it is not watched reliably", fault, step, now)

    def put(self, key: str, severity: str, what: str, record: Record, now: float, again: float | None = None) -> None:
        """Queue an alert that the gateway *what*, with the reason and the next step of *record*; *again* after so many
        seconds (None: never)."""
        name, host = record.gateway, self._plan.host
        title = f"{name} on {host} {what}" if host else f"{name} {what}"
        reason = accounts.hide(record.reason, self._listed)
        actions = self._offer(record, now) if severity != "info" else ()
        alert = Alert(key, name, host, severity, title, reason, record.next_step, now, actions)
        self._delivery.outbox.put(alert, again)
