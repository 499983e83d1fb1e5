# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish a look to programs: metrics, the endpoint's answers, the heartbeat, a line in the journal.

None of it may cost a look: a failure here is noted in the history once, and the watcher goes on.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

from .. import playbooks
from ..api import accounts, verdicts
from ..text import printable
from . import duty, metrics, policy, watching
from .alerts import Outbox
from .endpoint import JSON_TYPE, Answer, Endpoint
from .heartbeat import Heartbeat
from .journal import Journal, Named
from .plan import Plan
from .store import Record, Store

_UNSEEN = Answer(503, '{"ok": false, "reason": "the watcher has not looked yet"}\n', JSON_TYPE)


class Published(t.Protocol):
    """The gateway of which is told, with its settings and its memory; *now* gives epoch seconds."""

    @property
    def descriptor(self) -> Named: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def store(self) -> Store: ...

    @property
    def gateway(self) -> metrics.Seen: ...

    @property
    def now(self) -> Callable[[], float]: ...


class Publisher:
    """Publish what *control*'s watcher saw, and the state of *outbox*; a watcher with *restarts* is suspect."""

    def __init__(self, control: Published, outbox: Outbox, restarts: watching.Restarts | None = None) -> None:
        self._control, self._outbox, self.restarts = control, outbox, restarts
        self.tally = metrics.Tally(control.now())
        self.heartbeat = Heartbeat(control.descriptor.name, self._clock, control.now)
        self.journal = Journal(control.descriptor, control.plan)
        self._seen: Record | None = None
        self._amiss = ""
        self._metrics = ""
        self._told: dict[str, str] = {}
        plan = control.plan
        answers = {"/metrics": self._answer_metrics, "/health": self.health, "/ready": self.ready}
        self.endpoint = Endpoint(plan.http_address, plan.http_port, answers) if plan.http_port else None

    def _clock(self) -> float:
        return self._control.gateway.clock()

    def publish(self, record: Record, amiss: str = "") -> None:
        """Publish *record*; *amiss* is a fault that the watcher met, in one clause."""
        try:
            self._publish(record, amiss)
        except Exception as error:  # a watcher that cannot publish still watches
            self._note("publish", f"{type(error).__name__}: {printable(str(error))}")
        else:
            self._note("publish", "")

    def _publish(self, record: Record, amiss: str) -> None:
        control = self._control
        self._seen, self._amiss = record, amiss
        self.journal.tell(record, control.now())
        fault = self.fault()
        beats = self.heartbeat
        tally = self.tally
        tally.heartbeats, tally.heartbeats_failed, tally.heartbeat_at = beats.sent, beats.failed, beats.last
        plan, gateway = control.plan, control.gateway
        if self.endpoint or plan.metrics_directory:
            sight = metrics.Sight(record, gateway, plan, self._outbox, tally, fault, control.now())
            self._metrics = metrics.text(sight)
        if plan.metrics_directory:
            self._note("metrics", self._write(plan.metrics_directory))
        if self.endpoint:
            self._note("endpoint", self.endpoint.open())
        if not fault:
            beats.beat(self._body(record))
        self._note("heartbeat", beats.fault)

    def close(self) -> None:
        if self.endpoint:
            self.endpoint.close()

    def fault(self) -> str:
        """Return the fault by the last look; empty where there is none."""
        control = self._control
        if self._seen is None:
            return "the watcher has not looked yet"
        amiss = self._amiss or (self.restarts.fault() if self.restarts else "")
        return duty.fault(self._seen, control.plan, control.now(), amiss, self._outbox.waiting_since)

    def _write(self, directory: str) -> str:
        try:
            metrics.write(directory, self._control.descriptor.name, self._metrics)
        except OSError as error:
            return f"{error.filename or directory}: {error.strerror or type(error).__name__}"
        return ""

    def _note(self, what: str, fault: str) -> None:
        """Note a *fault* in the history when it begins, changes or ends."""
        if fault != self._told.get(what, ""):
            self._told[what] = fault
            text = f"{what}: {fault}" if fault else f"{what}: works again"
            self._control.store.note("published" if not fault else "publish_failed", text, self._control.now())

    def _body(self, record: Record) -> dict[str, object]:
        """A record for programs: no secret, no account id; moments in epoch seconds."""
        found = self._control.descriptor
        return {
            "gateway": found.name,
            "host": self._control.plan.host,
            "mode": found.mode,
            "state": record.state,
            "reason": self._hidden(record.reason),
            "next_step": self._hidden(record.next_step),
            "since": record.since,
            "checked_at": record.checked_at,
            "valid_until": record.valid_until,
            "sign_in_due": record.sign_in_due,
            "blocked": record.blocked,
        }

    # Called by the endpoint's threads, also while a look hangs.

    def _answer_metrics(self) -> Answer:
        return Answer(200, self._metrics, metrics.CONTENT_TYPE) if self._metrics else Answer(503, "")

    def health(self) -> Answer:
        """200 under the heartbeat's condition; else 503 with the fault."""
        record, fault = self._seen, self.fault()
        if record is None:
            return _UNSEEN
        content = {"ok": not fault, "fault": fault and self._hidden(fault), **self._body(record)}
        return Answer(503 if fault else 200, json.dumps(content) + "\n", JSON_TYPE)

    def ready(self) -> Answer:
        """200 while the API is ready and the last look is not too old; else 503."""
        record = self._seen
        if record is None:
            return _UNSEEN
        plan, now = self._control.plan, self._control.now()
        ready = record.state == verdicts.READY and not policy.late_seconds(record, plan, now)
        return Answer(200 if ready else 503, json.dumps({"ready": ready, "state": record.state}) + "\n", JSON_TYPE)

    def _hidden(self, text: str) -> str:
        control = self._control
        return accounts.hide(printable(playbooks.on_host(text, control.plan.host), 400), control.descriptor.accounts)
