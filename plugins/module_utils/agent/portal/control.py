# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ibgwctl`` for a Client Portal Gateway: what it does as for IB Gateway (the rest: instead.py)."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
import typing as t
from collections.abc import Callable, Iterator

from ..engine.client import Engine
from ..session import watching
from ..session.managed import readable
from ..session.plan import Plan
from ..session.store import Record, Store
from . import facts, place, watched

_KEYSTORE_PASSWORD = re.compile(r'(?m)^sslPwd: (".*")$')


class PortalControl:
    """Gateway *name*, looked at by its *plan*. Raises OSError or ValueError with the fix."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.plan, self.now, self.store, self._sleep = plan, now, Store(name), sleep
        self.gateway = self.descriptor = watched.load(name)

    @property
    def engine(self) -> Engine:
        return self.gateway.engine

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

    def described(self) -> dict[str, t.Any]:
        return {place.FILE: dataclasses.asdict(self.gateway.deployed_as)}

    def examine(self, now: float) -> dict[str, t.Any]:
        return facts.examine(self.gateway, now)

    def secrets(self) -> Iterator[str]:
        yield from readable(*(facts.secret_path(self.gateway, which) for which in facts.SECRETS))
        for text in readable(os.path.join(self.gateway.settings_dir, "inputs", "conf.yaml")):
            yield from map(json.loads, _KEYSTORE_PASSWORD.findall(text))
