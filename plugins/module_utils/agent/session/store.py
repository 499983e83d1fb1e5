# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One gateway's memory: its state file, a bounded history, and its lease.

They are in ``/var/lib/ibgw/<name>/session``, root-only: ``state.json`` is a :class:`Record`; ``history.jsonl`` has one
event per line, oldest first. All moments are epoch seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

from .. import files, record_file
from ..api import verdicts
from .lease import Lease

ROOT = "/var/lib/ibgw"
HISTORY_BYTES = 1 << 20
GRANTS = SIGN_IN, PAPER, MANUAL = "sign_in", "paper", "manual"


@dataclass(frozen=True)
class Event:
    """Fields of every line of the history; some kinds have more."""

    at: float
    event: str = ""
    text: str = ""


@dataclass
class Grant:
    """Permission to run, with an end: ``kind`` is ``sign_in`` (the only time when a live gateway may ask for a push),
    ``paper`` (a window of ``gateway_paper_sessions``, whose start is ``window``) or ``manual``."""

    kind: str
    by: str
    started_at: float
    ends_at: float
    name: str = ""
    window: float = 0.0


@dataclass(frozen=True)
class Appointment:
    """A sign-in by appointment: *of* is its moment by the plan, *at* when it begins (later where it was put off or
    announced late), *told_at* when it was announced (0: not yet)."""

    of: float
    at: float
    told_at: float = 0.0


@dataclass
class Record:
    """The persistent state of a gateway: it outlives looks, restarts of the watcher and reboots of the host."""

    gateway: str
    mode: str
    state: str = verdicts.STOPPED
    reason: str = "nobody has looked yet"
    next_step: str = ""
    since: float = 0.0
    checked_at: float = 0.0
    # The code that a person has to type in the gateway's window to sign it in: a name of milestones.TYPED.
    wanted: str = ""
    # Live: the completed sign-in that the session rests on, and the end of the week that it lies in.
    signed_in_at: float | None = None
    valid_until: float | None = None
    sign_in_due: float | None = None
    grant: Grant | None = None
    # Why the watcher has stopped the gateway until a person acts: a key of policy.CAUSES.
    blocked: str | None = None
    # The actor that stopped it on purpose (``the operator``, ``the plan``); empty while it runs, and if it ended by
    # itself.
    stopped_by: str = ""
    # The actor that has begun to stop it: written before the first command, so that the watcher completes a killed
    # stop.
    stopping: str = ""
    # Start of the last paper window that was served, and how many starts it took; a window that its pipeline ended
    # early is not served again.
    served_window: float = 0.0
    window_starts: int = 0
    # Live: the appointment that is announced or put off, and the last one that is settled: kept, skipped or missed.
    appointment: Appointment | None = None
    appointed: float = 0.0
    # When to remind of the sign-in once more, by a person's wish.
    remind_at: float = 0.0
    # Pushes of the container's present start that have a name in the history; None before the first look.
    pushes_named: int | None = None
    # Looks in a row at a hung API, and when RESTART was last sent for that.
    hung_looks: int = 0
    healed_at: float = 0.0
    container_started_at: str | None = None
    # Client Portal: the moments of the last requests for a lost brokerage session.
    reopened: list[float] = field(default_factory=list)
    # Moments of failed sign-ins in the last hour, and how many of them belong to this start.
    logins: list[float] = field(default_factory=list)
    logins_counted: int = 0
    # The summary and cursor of the container's log (log.Log.as_state).
    log: dict[str, Any] | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, times: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + times

    def granted(self, now: float, *kinds: str) -> bool:
        """Whether a grant of these kinds (default: any) is in force."""
        return bool(self.grant and now < self.grant.ends_at and (not kinds or self.grant.kind in kinds))


class Store:
    """The memory of gateway *name*; every write is atomic, also on a full disk."""

    def __init__(self, name: str, root: str | None = None) -> None:
        self.name = name
        self.directory = os.path.join(root or ROOT, name, "session")
        self.state_path = os.path.join(self.directory, "state.json")
        self.history_path = os.path.join(self.directory, "history.jsonl")
        self.lease = Lease(self.directory, name)

    def read(self) -> Record | None:
        """Return the record, None if none was written; ValueError for a damaged file, which is left alone."""
        try:
            record = record_file.load(Record, self.state_path)
        except FileNotFoundError:
            return None
        except record_file.DamagedError as error:
            raise record_file.DamagedError(f"{self.state_path} is damaged: {error}") from error
        if record.state not in verdicts.GATEWAY_STATES or (record.grant and record.grant.kind not in GRANTS):
            raise record_file.DamagedError(f"{self.state_path} is damaged: it has a state or a grant of no known kind")
        return record

    def log(self) -> dict[str, Any] | None:
        """Return the watcher's summary and cursor of the log, None if unreadable here."""
        with contextlib.suppress(OSError, ValueError):
            record = self.read()
            return record.log if record else None
        return None

    def load(self, mode: str) -> Record:
        """Return the record; a new one if there is none or the file is damaged: that is kept as .damaged and noted in
        the history. The engine and the log fill the new one."""
        try:
            record = self.read() or Record(self.name, mode)
        except record_file.DamagedError as error:
            aside = record_file.set_aside(self.state_path)
            self.note("damaged", f"{error}; it is kept as {aside}, and what it remembered is lost", time.time())
            record = Record(self.name, mode)
        record.gateway, record.mode = self.name, mode or record.mode
        return record

    def save(self, record: Record) -> None:
        """Write the record. OSError when that fails: the old one is untouched."""
        self._make_directory()
        content = json.dumps({"schema": 1, **dataclasses.asdict(record)}, indent=1) + "\n"
        files.write(self.state_path, {"content": content, "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})

    def note(self, event: str, text: str, at: float, **more: Any) -> None:
        """Add an event to the history; a file over 1 MiB keeps its newer half. A full disk loses only the event."""
        line = json.dumps({"at": round(at, 6), "event": event, "text": text, **more}) + "\n"
        with contextlib.suppress(OSError):
            self._make_directory()
            handle = os.open(self.history_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode())
                too_long = os.fstat(handle).st_size > HISTORY_BYTES
            finally:
                os.close(handle)
            if too_long:
                self._shorten()

    def history(self, since: float = 0.0, last: int | None = None) -> list[dict[str, Any]]:
        """Return the events after *since*, oldest first, limited to the *last* ones; damaged lines are skipped."""
        found = []
        for line in self._newest(HISTORY_BYTES).splitlines():
            with contextlib.suppress(record_file.DamagedError):
                event = record_file.parse(line)
                if isinstance(event, dict) and (known := record_file.build(Event, event)).at > since:
                    found.append({**event, **dataclasses.asdict(known)})
        return found if last is None else found[max(len(found) - last, 0) :]

    def _make_directory(self) -> None:
        os.makedirs(self.directory, mode=0o700, exist_ok=True)

    def _shorten(self) -> None:
        kept = self._newest(HISTORY_BYTES // 2).decode("utf-8", "surrogateescape")
        files.write(self.history_path, {"content": kept, "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})

    def _newest(self, size: int) -> bytes:
        """The last lines of the history that are whole within *size* bytes."""
        try:
            with open(self.history_path, "rb") as file:
                start = max(file.seek(0, os.SEEK_END) - size, 0)
                file.seek(start)
                data = file.read(size)
        except (FileNotFoundError, IsADirectoryError):
            return b""
        return data.partition(b"\n")[2] if start else data
