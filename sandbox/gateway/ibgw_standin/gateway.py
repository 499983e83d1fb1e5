# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated gateway: its current state, and the observers of its changes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import faults

PORTS = {"live": 4001, "paper": 4002}
TWS_PORTS = {"live": 7496, "paper": 7497}
ACCOUNTS = {"live": "U1234567", "paper": "DU1234567"}
MAX_CLIENTS = 32
REQUEST_LOG = 10_000
"""Requests kept for ``requests``; older ones are forgotten."""

Faults = dict[str, dict[str, Any]]
Change = Callable[[Faults, Faults], None]


class Gateway:
    """State of one gateway. Only :meth:`update` changes the fields that decide whether the API is usable."""

    def __init__(
        self,
        mode: str,
        accounts: Sequence[str] = (),
        max_version: int = 225,
        time_zone: str = "",
        read_only: bool = False,
        active: Mapping[str, Mapping[str, Any]] | None = None,
        walks_login: bool = False,
    ) -> None:
        self.mode = mode
        self.accounts = list(accounts) or [ACCOUNTS[mode]]
        self.max_version = max_version
        self.time_zone = time_zone
        self.read_only_setting = read_only
        self.faults: Faults = {name: dict(args) for name, args in (active or {}).items()}
        self.walks_login = walks_login
        self.realistic_delays = True
        self.restart_time = "11:45 PM"
        self.logged_in = False
        # In TWS a checkbox, off by default.
        self.api_enabled = True
        self.disclaimer_open = False
        self.next_order_id = 1
        self.dialog_shown = 0
        self.connections = 0
        self.started_at = time.time()
        self.logged_in_at: float | None = None
        self.api_usable_at: float | None = None
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUEST_LOG)
        self.on_change: list[Change] = []

    def fault(self, name: str) -> dict[str, Any] | None:
        """Return the arguments of an active fault, None when it is not active."""
        return self.faults.get(name)

    def first(self, layer: str) -> str | None:
        """Return the active fault of a layer, if any."""
        return next((name for name in self.faults if faults.FAULTS[name].layer == layer), None)

    @property
    def listening(self) -> bool:
        """Whether the API port is to be open."""
        return self.logged_in and self.api_enabled and not self._shut

    @property
    def usable(self) -> bool:
        """Whether a complete API session succeeds."""
        blocked = any(faults.FAULTS[name].blocks for name in self.faults if faults.FAULTS[name].layer != "login")
        return self.listening and not self.disclaimer_open and not blocked

    @property
    def _shut(self) -> bool:
        """Login faults take effect at the next login; without a login they close the port at once."""
        return "port_closed" in self.faults or (not self.walks_login and self.first("login") is not None)

    @property
    def read_only(self) -> bool:
        """Whether order requests are refused."""
        return self.read_only_setting or "read_only" in self.faults

    @property
    def shown_accounts(self) -> list[str]:
        """The accounts reported to a client."""
        if "wrong_account_prefix" not in self.faults:
            return self.accounts
        return [name.removeprefix("D") if name.startswith("D") else f"D{name}" for name in self.accounts]

    def update(
        self, *, active: Faults | None = None, logged_in: bool | None = None, disclaimer_open: bool | None = None
    ) -> None:
        """Change the state, record the moment the API becomes usable, and notify observers."""
        before = self.faults
        if active is not None:
            self.faults = active
        if logged_in is not None:
            if logged_in and not self.logged_in:
                self.logged_in_at = time.time()
            self.logged_in = logged_in
        if disclaimer_open is not None:
            self.disclaimer_open = disclaimer_open
        for tell in self.on_change:
            tell(before, self.faults)
        if not self.usable:
            self.api_usable_at = None
        elif self.api_usable_at is None:
            self.api_usable_at = time.time()

    def interrupt_link(self, seconds: float) -> None:
        """Lose the link to IBKR and restore it after a few seconds."""
        ours: dict[str, Any] = {}

        def restore() -> None:
            if self.faults.get("link_down") is ours:
                self.restore_link()

        self.update(active=self._without_link_faults() | {"link_down": ours})
        asyncio.get_running_loop().call_later(seconds, restore)

    def restore_link(self, args: dict[str, Any] | None = None) -> None:
        """Restore the link to IBKR; *args* are those of ``link_restored``."""
        self.update(active=self._without_link_faults() | {"link_restored": args or {}})
        self.update(active=self._without_link_faults())

    def _without_link_faults(self) -> Faults:
        gone = ("link_down", "link_lost", "link_restored")
        return {name: args for name, args in self.faults.items() if name not in gone}

    def record(self, connection: int, client_id: int | None, name: str, **details: Any) -> None:
        """Add a line to the request log."""
        line = {"at": time.time(), "connection": connection, "client_id": client_id, "request": name}
        self.requests.append(line | details)

    def status(self) -> dict[str, Any]:
        """Return the answer to ``status``; times in seconds since 1970."""
        phases = [faults.FAULTS[name].phase for name in self.faults if faults.FAULTS[name].phase]
        return {
            "mode": self.mode,
            "accounts": self.shown_accounts,
            "max_version": self.max_version,
            "faults": self.faults,
            "phase": phases[0] if phases else faults.READY_PHASE if self.usable else "P3" if self.logged_in else "P1",
            "logged_in": self.logged_in,
            "usable": self.usable,
            "read_only": self.read_only,
            "dialog_shown": self.dialog_shown,
            "connections": self.connections,
            "started_at": self.started_at,
            "logged_in_at": self.logged_in_at,
            "api_usable_at": self.api_usable_at,
        }
