# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ibgwctl`` for a Client Portal Gateway: what it does for IB Gateway too (the rest: instead.py)."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import time
import typing as t
from collections.abc import Callable, Iterator

from ..session import lifecycle, watching
from ..session.acting import Acting
from ..session.inspection import container_facts
from ..session.managed import readable
from ..session.plan import Plan
from ..session.store import Record, Store
from . import facts, place, watched

_KEYSTORE_PASSWORD = re.compile(r'(?m)^sslPwd: (".*")$')


class PortalControl(Acting):
    """Gateway *name*, looked at and acted on by its *plan*. Raises OSError or ValueError with the fix."""

    descriptor: watched.Watched
    by = "the operator"
    keep = 0.0

    def __init__(
        self,
        name: str,
        plan: Plan,
        owner: str = "",
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.plan, self.now, self.store, self._sleep, self.owner = plan, now, Store(name), sleep, owner
        self.gateway = self.descriptor = watched.load(name)
        self.engine = self.gateway.engine

    @property
    def container(self) -> str:
        return self.gateway.container_name

    @property
    def units(self) -> tuple[str, ...]:
        return watching.unit_name(self.gateway.name), f"ibgw-tickle-{self.gateway.name}.service"

    def glance(self, record: Record) -> None:
        self.gateway.look()
        self.gateway.observe(record, self.now())

    def await_ready(self, timeout: float) -> tuple[bool, bool, dict[str, t.Any]]:
        ready, final = self.gateway.await_ready(timeout, self.now, self._sleep)
        return ready, final, self.gateway.report(self.now())

    def stop(self, timeout: float) -> lifecycle.Outcome:
        """Stop the container, which has *timeout* seconds, and leave it stopped. Raises BusyError, and SessionError
        when it still runs."""
        with self.acting("stop", take_over=True) as record:
            record.stopping = self.by
            # A full disk must not prevent a stop.
            with contextlib.suppress(lifecycle.SessionError):
                self.save(record)
            outcome = lifecycle.Outcome()
            if container_facts(self.engine, self.container)["running"]:
                lifecycle.terminate(self.engine, self.container, round(timeout), outcome)
                self.store.note("stop", f"stopped by {self.owner} ({', '.join(outcome.actions)})", self.now())
            self.glance(record)
            return outcome

    def described(self) -> dict[str, t.Any]:
        return {place.FILE: dataclasses.asdict(self.gateway.deployed_as)}

    def examine(self, now: float) -> dict[str, t.Any]:
        return facts.examine(self.gateway, now)

    def secrets(self) -> Iterator[str]:
        yield from readable(*(facts.secret_path(self.gateway, which) for which in facts.SECRETS))
        for text in readable(os.path.join(self.gateway.settings_dir, "inputs", "conf.yaml")):
            yield from map(json.loads, _KEYSTORE_PASSWORD.findall(text))
