# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a gateway's transitions as JSON lines to the watcher's standard output: systemd puts them in the journal.

A line is written when state or cause differ from the last line's, whoever caused that. FIELDS describes a line;
docs/reference/journal.md is generated from it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from .. import playbooks
from ..api import accounts, verdicts
from ..text import printable
from . import policy
from .plan import Plan
from .store import Record

SCHEMA = 1
# Severity for Google Cloud Logging and priority for the journal (sd-daemon(3)); INFO for other states.
SEVERITIES = {verdicts.BLOCKED: ("CRITICAL", 2), verdicts.DEGRADED: ("WARNING", 4)}
_INFO = ("INFO", 6)


class Named(t.Protocol):
    """A deployed gateway, whatever its API."""

    @property
    def name(self) -> str: ...

    @property
    def mode(self) -> str: ...

    @property
    def accounts(self) -> list[str]: ...


@dataclass(frozen=True)
class Transition:
    """From the state *before* (empty at the watcher's first look) to that of *record*; *since* is when the former
    began."""

    descriptor: Named
    plan: Plan
    record: Record
    before: str
    since: float
    now: float

    def shown(self, text: str) -> str:
        """*text*, printable, with account ids masked."""
        return accounts.hide(printable(playbooks.on_host(text, self.plan.host), 400), self.descriptor.accounts)


def _moment(at: float | None) -> str | None:
    return policy.moment(at).isoformat(timespec="milliseconds") if at else None


def severity(state: str) -> tuple[str, int]:
    return SEVERITIES.get(state, _INFO)


# {field: its description and its value}
FIELDS: dict[str, tuple[str, Callable[[Transition], t.Any]]] = {
    "schema": ("The form of the line, 1.", lambda _t: SCHEMA),
    "event": ("Always `transition`.", lambda _t: "transition"),
    "at": ("When it was written, in UTC (RFC 3339).", lambda t: _moment(t.now)),
    "severity": ("`CRITICAL` (blocked), `WARNING` (degraded) or `INFO`.", lambda t: severity(t.record.state)[0]),
    "gateway": ("`gateway_name`.", lambda t: t.descriptor.name),
    "host": ("The host's name in the inventory.", lambda t: t.plan.host),
    "mode": ("`live` or `paper`.", lambda t: t.descriptor.mode),
    "from": ("The state before; null at the watcher's first look.", lambda t: t.before or None),
    "to": ("The state now.", lambda t: t.record.state),
    "since": ("When the state now began.", lambda t: _moment(t.record.since)),
    "lasted_seconds": (
        "How long the state before lasted; null at the first look.",
        lambda t: round(max(t.record.since - t.since, 0.0), 3) if t.before else None,
    ),
    "cause": ("Why the watcher blocked it; null where it did not.", lambda t: t.record.blocked),
    "reason": ("What was seen, for a person; account ids are masked.", lambda t: t.shown(t.record.reason)),
    "next_step": ("What a person does next.", lambda t: t.shown(t.record.next_step)),
    "stopped_by": ("Who stopped it on purpose; null where nobody did.", lambda t: t.record.stopped_by or None),
    "valid_until": ("Live: until when the sign-in holds.", lambda t: _moment(t.record.valid_until)),
    "sign_in_due": ("Live: by when the next one is due.", lambda t: _moment(t.record.sign_in_due)),
}


def _stdout(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


class Journal:
    """Write one gateway's transitions with *write*; if the journal is full or gone, only the line is lost."""

    def __init__(self, descriptor: Named, plan: Plan, write: Callable[[str], None] = _stdout) -> None:
        self._descriptor, self._plan, self._write = descriptor, plan, write
        self._last: tuple[str, str | None] | None = None
        self._since = 0.0

    def tell(self, record: Record, now: float) -> None:
        """Write a line if *record*'s state or cause differ from the last line's."""
        told = (record.state, record.blocked)
        if told == self._last:
            return
        before = self._last[0] if self._last else ""
        transition = Transition(self._descriptor, self._plan, record, before, self._since, now)
        line = json.dumps({name: read(transition) for name, (_text, read) in FIELDS.items()})
        with contextlib.suppress(OSError, ValueError):
            self._write(f"<{severity(record.state)[1]}>{line}\n")
        self._last, self._since = told, record.since
