# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Client Portal Gateway under observation: its container, and what its API says. Read-only."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import playbooks
from ..api import accounts, verdicts
from ..controller import milestones
from ..engine.client import Engine, EngineError
from ..engine.log import epoch
from ..releases import Outlook, outlook
from ..session.inspection import NO_ENGINE, container_facts
from ..session.store import Record, Store
from ..text import printable
from . import client, place, tickle

CONTROLLER = "client_portal"
# A sign-in by the image, the approval on a phone included.
START_SECONDS = 600.0
# Between two looks of a wait, each of which may be five requests.
WAIT_SECONDS = 5.0
# How a container ends by a signal: of the engine, of the host that goes down, or of the kernel without memory.
_SIGNALLED = (0, 137, 143)
_START = f"{playbooks.SITE} starts it."
_LOGS = f"Look at docker logs of its container; then {_START}"


@dataclass
class Watched:
    """A gateway without a log to read: its container, and the last *finding* about its API. Raises ValueError, and
    OSError when its CA cannot be read."""

    name: str
    deployed_as: tickle.Deployed
    engine: Engine = field(default_factory=Engine)
    clock: Callable[[], float] = time.monotonic
    finding: client.Verdict | None = None
    container: dict[str, t.Any] | None = None
    engine_fault: str | None = None
    # The actor of `ibgwctl stop`, by the record of the last look.
    stopped_by: str = ""
    summary: milestones.Summary = field(default_factory=milestones.Summary)
    password_secret: None = None
    reads_log = False
    # Its sign-ins last for a day at most.
    weekly = False
    controller = program = CONTROLLER

    def __post_init__(self) -> None:
        self.portal = client.Portal(self.deployed_as.endpoint(), self.mode, self.accounts)

    @property
    def mode(self) -> str:
        return self.deployed_as.mode

    @property
    def accounts(self) -> list[str]:
        return self.deployed_as.accounts

    @property
    def image(self) -> str:
        return self.deployed_as.image

    @property
    def container_name(self) -> str:
        return place.container(self.name)

    @property
    def settings_dir(self) -> str:
        return os.path.join(place.ROOT, self.name)

    @property
    def has_log(self) -> bool:
        return bool(self.container and self.container["running"])

    @property
    def verdict(self) -> dict[str, t.Any] | None:
        """The finding in the words of the metrics."""
        found = self.finding
        if found is None:
            return None
        return {
            "api_state": found.state,
            "account_count": len(found.accounts),
            "account_fault": found.final and bool(found.accounts),
        }

    def deployed(self) -> Watched:
        return self

    def release(self, now: float) -> Outlook:
        return outlook(None, None, now)

    def look(self) -> None:
        """Look at the container and, while it runs, ask the API; see who has stopped it."""
        try:
            self.container, self.engine_fault = container_facts(self.engine, self.container_name), None
        except EngineError as error:
            self.container, self.engine_fault = None, str(error)
        self.finding = self.portal.look() if self.has_log else None
        with contextlib.suppress(OSError, ValueError):
            record = Store(self.name).read()
            self.stopped_by = record.stopped_by if record else ""

    def await_ready(
        self, timeout: float, now: Callable[[], float], sleep: Callable[[float], None]
    ) -> tuple[bool, bool]:
        """Look until it is ready; return whether it is, and whether waiting longer is in vain."""
        deadline = self.clock() + timeout
        while True:
            self.look()
            state = self.judgement(now())[0]
            final = state in (verdicts.STOPPED, verdicts.BLOCKED) or bool(self.finding and self.finding.final)
            if state == verdicts.READY or final or self.clock() + WAIT_SECONDS > deadline:
                return state == verdicts.READY, final
            sleep(WAIT_SECONDS)

    def judgement(self, now: float) -> tuple[str, str, str]:
        """Return state, reason and next step by the last look, in the words of every gateway of this host."""
        container, found = self.container, self.finding
        if container is None:
            return verdicts.DEGRADED, str(self.engine_fault), NO_ENGINE
        if self.stopped_by and found is None:
            return verdicts.STOPPED, f"stopped by {self.stopped_by}", _START
        if not container["exists"]:
            return verdicts.BLOCKED, "the container does not exist", f"Run {playbooks.SITE}."
        if found is None:
            ended = f"the container has ended with exit code {container['exit_code']}"
            if container["exit_code"] in _SIGNALLED:
                step = f"{_START} If it is to stay down: ibgwctl stop {self.name}"
                return verdicts.BLOCKED, f"{ended}, and nobody has stopped it by ibgwctl", step
            return verdicts.BLOCKED, f"{ended}, as the image does after failed sign-ins", _LOGS
        if found.state == client.READY:
            return verdicts.READY, found.reason, found.next_step
        if found.final and found.accounts:
            return verdicts.BLOCKED, found.reason, found.next_step
        started = epoch(container["started_at"] or "")
        starts = now - started < START_SECONDS and found.state in (client.DOWN, client.UNAUTHENTICATED)
        return (verdicts.STARTING if starts else verdicts.DEGRADED), found.reason, found.next_step

    def observe(self, record: Record, now: float) -> None:
        """Bring *record* up to date with the last look."""
        container = self.container
        if container and container["running"] and container["started_at"] != record.container_started_at:
            record.container_started_at = container["started_at"]
            record.count("starts")
        if self.has_log:
            record.stopped_by = ""
        elif record.stopping:
            record.stopped_by = record.stopping
        record.stopping, self.stopped_by = "", record.stopped_by
        state, reason, step = self.judgement(now)
        record.checked_at = now
        reason = accounts.hide(printable(reason, 400), self.accounts)
        if record.state != state:
            record.since = now
        record.state, record.reason, record.next_step = state, reason, step

    def report(self, now: float) -> dict[str, t.Any]:
        """Return all that the last look showed, JSON-ready; ``api_state`` is None when the API was not asked."""
        state, reason, next_step = self.judgement(now)
        found = self.finding
        served = found.accounts if found else []
        reason = accounts.hide(reason, self.accounts)
        revision = self.deployed_as.revision
        return {
            "deployed": True,
            "gateway_name": self.name,
            "mode": self.mode,
            "stack": CONTROLLER,
            "checked_at": now,
            "state": state,
            "api_state": found.state if found else None,
            "reason": reason,
            "next_step": next_step,
            "host": self.deployed_as.host,
            "port": self.deployed_as.port,
            "accounts": accounts.mask_all(served),
            "account_count": len(served),
            "account_fault": reason if found and found.final and served else None,
            "container": self.container,
            "engine": {"reachable": self.engine_fault is None, "reason": self.engine_fault},
            "pending": bool(
                revision and self.container and self.container["running"] and self.container["revision"] != revision
            ),
        }


def load(name: str) -> Watched:
    """Return gateway *name*, ready to be looked at. Raises OSError or ValueError with the fix."""
    return Watched(name, tickle.load(name))
