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
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..api import accounts, verdicts
from ..controller import milestones
from ..engine.client import Engine, EngineError
from ..engine.log import epoch
from ..releases import Outlook, outlook
from ..session import policy
from ..session.delivery import Delivery
from ..session.inspection import container_facts
from ..session.plan import Plan
from ..session.publish import Publisher
from ..session.store import Record, Store
from ..session.telling import Telling
from ..text import printable
from . import client, place, tickle

CONTROLLER = "client_portal"
# Well within the service manager's patience (WatchdogSec), however long the interval is.
SLICE_SECONDS = 60.0
# A sign-in by the image, the approval on a phone included.
START_SECONDS = 600.0
# How often a lost brokerage session is asked for in one loss, and from one time to the next.
REOPENS, REOPEN_SECONDS = 3, 120.0
# How an image ends that was stopped.
_STOPPED = (0, 137, 143)
_LOGS = "Look at docker logs of its container; then ansible-playbook site.yml starts it."


@dataclass
class Watched:
    """A gateway without a log to read: its container and the last verdict on its API, for the metrics."""

    name: str
    deployed_as: tickle.Deployed
    engine: Engine = field(default_factory=Engine)
    clock: Callable[[], float] = time.monotonic
    verdict: dict[str, Any] | None = None
    container: dict[str, Any] | None = None
    engine_fault: str | None = None
    summary: milestones.Summary = field(default_factory=milestones.Summary)
    password_secret: None = None
    reads_log = False
    controller = CONTROLLER

    @property
    def mode(self) -> str:
        return str(self.deployed_as.mode)

    @property
    def accounts(self) -> list[str]:
        return self.deployed_as.accounts

    @property
    def settings_dir(self) -> str:
        return os.path.join(place.ROOT, self.name)

    @property
    def has_log(self) -> bool:
        return bool(self.container and self.container["running"])

    def deployed(self) -> Watched:
        return self

    def release(self, now: float) -> Outlook:
        return outlook(None, None, now)

    def refresh(self) -> None:
        """Look at the container."""
        try:
            self.container, self.engine_fault = container_facts(self.engine, f"ibgw-{self.name}"), None
        except EngineError as error:
            self.container, self.engine_fault = None, str(error)


def judge(gateway: Watched, verdict: client.Verdict | None, now: float) -> tuple[str, str, str]:
    """Return state, reason and next step, in the words of every gateway of this host."""
    container = gateway.container
    if container is None:
        step = "See systemctl status docker; running containers stay."
        return verdicts.DEGRADED, str(gateway.engine_fault), step
    if not container["exists"]:
        return verdicts.STOPPED, "there is no container", "Run site.yml."
    if verdict is None:
        if container["exit_code"] in _STOPPED:
            return verdicts.STOPPED, "the container is stopped", "ansible-playbook site.yml starts it."
        code = container["exit_code"]
        reason = f"the image has ended with exit code {code}, as it does after failed sign-ins"
        return verdicts.BLOCKED, reason, _LOGS
    if verdict.state == client.READY:
        return verdicts.READY, verdict.reason, verdict.next_step
    if verdict.final and verdict.accounts:
        return verdicts.BLOCKED, verdict.reason, verdict.next_step
    started = epoch(container["started_at"] or "")
    starts = now - started < START_SECONDS and verdict.state in (client.DOWN, client.UNAUTHENTICATED)
    return (verdicts.STARTING if starts else verdicts.DEGRADED), verdict.reason, verdict.next_step


class PortalWatcher:
    """Watches gateway *name* by its *plan*."""

    def __init__(
        self, name: str, plan: Plan, now: Callable[[], float] = time.time, delivery: Delivery | None = None
    ) -> None:
        self.plan, self.now, self.store = plan, now, Store(name)
        self.gateway = self.descriptor = Watched(name, tickle.load(name))
        self.delivery = delivery or Delivery(self.store)
        self.portal = client.Portal(self.descriptor.deployed_as.endpoint(), self.gateway.mode, self.gateway.accounts)
        self.publisher = Publisher(self, self.delivery.outbox)
        self._telling = Telling(self.delivery, plan, self.gateway.accounts)
        self._reopens, self._reopened_at = 0, float("-inf")

    def run(self, alive: Callable[[], None], ended: Callable[[], bool], sleep: Callable[[float], None]) -> None:
        """Watch until *ended*. Nothing that goes wrong with the gateway ends it."""
        with contextlib.closing(self.publisher):
            while not ended():
                alive()
                try:
                    self.look()
                except Exception as error:  # a watcher that ends cannot alert
                    self._fail(error)
                until = self.gateway.clock() + self.plan.interval
                while (left := until - self.gateway.clock()) > 0 and not ended():
                    alive()
                    sleep(min(left, SLICE_SECONDS))

    def look(self) -> Record:
        """Look once, ask for a lost session, and tell."""
        began = self.gateway.clock()
        self.gateway.refresh()
        verdict = self.portal.look() if self.gateway.has_log else None
        now = self.now()
        record = self.store.load(self.gateway.mode)
        before = copy.copy(record)
        self._observe(record, verdict, now)
        if verdict:
            self._reopen(verdict, now)
        if (record.state, record.reason) != (before.state, before.reason):
            self.store.note("state", record.reason, now, state=record.state)
        self.store.save(record)
        self._telling.of_state(before, record, now)
        self.delivery.begin(now)
        tally = self.publisher.tally
        tally.looks, tally.look_seconds = tally.looks + 1, self.gateway.clock() - began
        self.publisher.publish(record)
        return record

    def _observe(self, record: Record, verdict: client.Verdict | None, now: float) -> None:
        gateway = self.gateway
        gateway.verdict = None
        if verdict:
            fault = verdict.final and verdict.accounts
            gateway.verdict = {
                "api_state": verdict.state, "account_count": len(verdict.accounts), "account_fault": fault,
            }  # fmt: skip
        container = gateway.container
        if container and container["running"] and container["started_at"] != record.container_started_at:
            record.container_started_at = container["started_at"]
            record.count("starts")
        state, reason, step = judge(gateway, verdict, now)
        record.checked_at = now
        reason = accounts.hide(printable(reason, 400), gateway.accounts)
        if record.state != state:
            record.since = now
        record.state, record.reason, record.next_step = state, reason, step

    def _reopen(self, verdict: client.Verdict, now: float) -> None:
        """Ask for a lost brokerage session: three times in one loss, two minutes apart."""
        if verdict.state == client.READY:
            self._reopens = 0
        rested = self.gateway.clock() - self._reopened_at >= REOPEN_SECONDS
        if not verdict.reopens or self._reopens >= REOPENS or not rested:
            return
        self._reopens, self._reopened_at = self._reopens + 1, self.gateway.clock()
        try:
            answer = f"HTTP {client.reopen(self.portal.endpoint).status}"
        except client.NoAnswerError as error:
            answer = error.reason
        self.store.note("reopen", f"asked for the brokerage session, {self._reopens} of {REOPENS}: {answer}", now)

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
