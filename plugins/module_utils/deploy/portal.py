# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployment of a Client Portal Gateway: Docker stops it, and its API alone tells whether it is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..agent import files
from ..agent.api import verdicts
from ..agent.engine import neighbours
from ..agent.engine.client import Engine
from ..agent.portal import client, place, tickle, watched
from ..agent.session import descriptor
from ..agent.session.acting import Acting
from ..agent.session.control import Refused
from ..agent.session.lifecycle import SessionError
from ..agent.session.store import Grant, Record, Store
from .deployment import Backup, Decision, Deployment, Found, Order

# Seconds for a kill after the container's grace period.
_KILL_SECONDS = 15.0


@dataclass
class PortalActor(Acting):
    """A Client Portal Gateway of this host that a run acts on; it may not be deployed yet."""

    descriptor: tickle.Deployed
    owner: str
    keep: float = 0.0
    by: str = "the operator"
    engine: Engine = field(default_factory=Engine)
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.store = Store(self.descriptor.name)


class PortalDeployment(Deployment):
    """Carry out one order for the gateway of *control*.

    The order's parameters are ``uid``, ``files`` (the texts that the container reads, by their paths in the gateway's
    directory) and ``websocket`` (whether it has to answer as well).
    """

    stack = neighbours.PORTAL
    control: PortalActor

    def __init__(self, order: Order, control: PortalActor, settled: tuple[str, ...] = ()) -> None:
        super().__init__(order, control, settled)
        self.gateway: watched.Watched | None = None
        name = control.descriptor.name
        if os.path.exists(descriptor.path(name)):
            raise Refused(
                f"gateway_name: {name} is an IB Gateway on this host. Give the Client Portal Gateway another "
                "gateway_name, or remove that one first (docs/how-to/client_portal.md). Nothing was touched."
            )
        with contextlib.suppress(OSError, ValueError):
            self.deployed_mode = tickle.load(name).mode

    def entries(self) -> list[files.Entry]:
        path = place.path(self.control.descriptor.name)
        folder, root, group, uid = os.path.dirname(path), os.geteuid(), os.getegid(), self.order.parameters["uid"]
        described = json.dumps(dataclasses.asdict(self.control.descriptor), indent=2, sort_keys=True) + "\n"
        return [
            files.Directory(place.ROOT, 0o700, root, group),
            files.Directory(folder, 0o700, root, group),
            *(files.Directory(f"{folder}/{each}", 0o750, root, uid) for each in ("secrets", "inputs")),
            *(
                files.Secret(f"{folder}/{each}", text, 0o440, root, uid)
                for each, text in self.order.parameters["files"].items()
            ),
            files.File(path, described, 0o600, root, group),
        ]

    def backup(self) -> Backup:
        return Backup(each.path for each in self.entries() if isinstance(each, files.File))

    def _ask_image(self, found: Found, decision: Decision, check: bool) -> bool:
        return self.engine.image_present(self.control.descriptor.image)

    def _sign_off(self) -> None:
        grace = round(self.order.stop_seconds)
        self.engine.stop(self.containers.name, grace, grace + _KILL_SECONDS)
        self.control.store.note("stop", f"stopped by {self.control.by} (docker stop)", self.control.now())

    def _begin(self, record: Record, step: str) -> None:
        self._begin_again(record, None)
        self.control.store.note("start", f"started by {self.control.by}", self.control.now())
        self._prove(record)

    def _begin_again(self, record: Record, grant: Grant | None) -> None:
        record.stopped_by = ""
        self.engine.start(self.containers.name)

    def _prove(self, record: Record) -> None:
        try:
            self._await_ready()
        finally:
            if self.gateway:
                self.gateway.observe(record, self.control.now())

    def _await_ready(self) -> None:
        control, gateway = self.control, self._loaded()
        if not gateway.await_ready(self.order.ready_seconds, control.now, control.sleep)[0]:
            state, reason, next_step = gateway.judgement(control.now())
            raise SessionError(
                f"gateway {gateway.name} is not ready but {state}: {reason}. Next step: {next_step}",
            )

    def _loaded(self) -> watched.Watched:
        try:
            self.gateway = watched.load(self.control.descriptor.name)
        except (OSError, ValueError) as fault:
            raise SessionError(str(fault)) from fault
        self.gateway.engine = self.engine
        self.gateway.portal.streams = self.order.parameters["websocket"]
        return self.gateway

    def _end(self, record: Record) -> None:
        if self.containers.status(self.containers.name) in neighbours.THERE:
            self._sign_off()

    def _worth_its_push(self) -> bool:
        gateway = self.gateway
        return bool(
            gateway
            and gateway.finding
            and gateway.finding.state in (client.COMPETING, client.CONNECTED)
            and gateway.judgement(self.control.now())[0] == verdicts.DEGRADED
        )

    def _look(self) -> None:
        self._loaded().look()

    def facts(self, check: bool) -> dict[str, Any]:
        if check:
            # It may not be there yet.
            with contextlib.suppress(SessionError):
                self._look()
        if self.gateway:
            return self.gateway.report(self.control.now())
        return {"container": {"exists": False}, "pending": False}
