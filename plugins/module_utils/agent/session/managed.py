# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway of this host, whatever its API: what `ibgwctl` does with each of them, and what it refuses."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable, Iterator

from ..engine.client import Engine
from ..releases import Outlook
from .journal import Named
from .lifecycle import Outcome
from .plan import Plan
from .store import Record, Store


class Deployed(Named, t.Protocol):
    """Its descriptor."""

    @property
    def image(self) -> str: ...

    @property
    def controller(self) -> str: ...

    @property
    def program(self) -> str: ...

    @property
    def password_secret(self) -> dict[str, str] | None: ...

    @property
    def weekly(self) -> bool: ...


class Looked(t.Protocol):
    """It under observation."""

    def release(self, now: float) -> Outlook: ...


class Managed(t.Protocol):
    """:class:`.control.Control`, or that of a Client Portal Gateway."""

    @property
    def descriptor(self) -> Deployed: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def store(self) -> Store: ...

    @property
    def engine(self) -> Engine: ...

    @property
    def now(self) -> Callable[[], float]: ...

    @property
    def gateway(self) -> Looked: ...

    @property
    def container(self) -> str:
        """The name of its container."""

    @property
    def units(self) -> tuple[str, ...]:
        """The units whose journal tells of it."""

    def glance(self, record: Record) -> None:
        """Look now, and bring *record* up to date with that; nothing is written."""

    def await_ready(self, timeout: float) -> tuple[bool, bool, dict[str, t.Any]]:
        """Wait until it is ready; return whether it is, whether waiting longer is in vain, and a report."""

    def stop(self, timeout: float) -> Outcome:
        """Stop it within *timeout* seconds, and leave it stopped. Raises SessionError and BusyError."""

    def described(self) -> dict[str, t.Any]:
        """The content of its descriptor, by the file's name."""

    def examine(self, now: float) -> dict[str, t.Any]:
        """Everything that the live check goes by, one look at the API included."""

    def secrets(self) -> Iterator[str]:
        """The users and passwords that this host keeps for it; what cannot be read is passed over."""


def readable(*paths: str) -> Iterator[str]:
    """Yield the texts of those files that can be read."""
    for path in paths:
        with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
            yield file.read(1 << 16)
