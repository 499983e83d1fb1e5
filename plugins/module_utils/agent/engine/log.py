# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's log, each line read once, from a cursor that does not depend on a clock.

The cursor is the last line read: the engine's time stamp, used as a name, and a digest of its text. All lines after it
are new. It is saved with the summary in the state file, so that no line is lost or read twice when the watcher, the
engine or the host restarts, or when the clock is set.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ..controller.ibc import IBC
from ..controller.marks import MAX_LINE, STAMP, Controller
from ..controller.milestones import Summary
from .client import Engine, Stream

SCHEMA = 1
# How many lines from the end to search for the cursor; the last number is also how much of an unknown log is read.
TAILS = (200, 2000, 20000)
# Seconds for which one look reads; the next look reads the rest of a flood.
READ_SECONDS = 8.0
_EPOCH = datetime.fromtimestamp(0, UTC)
_NAMES = ("container", "started_at", "stamp", "digest", "phase_at", "dialog_at")


class Log:
    """The summary of one container's log, and the cursor; *clock* is monotonic, *now* the wall clock."""

    def __init__(self, clock: Callable[[], float], now: Callable[[], float], controller: Controller = IBC) -> None:
        self._clock, self._now, self._controller = clock, now, controller
        self._open = contextlib.ExitStack()
        self._stream: Stream | None = None
        self._forget("")

    def _forget(self, container: str) -> None:
        self.close()
        self.summary = Summary(self._controller)
        self.container, self.started_at = container, ""
        self.stamp = self.digest = self.phase_at = self.dialog_at = ""
        # How often lines were lost before they were read, and whether the last look stopped before the log's end.
        self.gaps, self.behind = 0, False
        self.phase_since = self.dialog_since = self._clock()
        self._seeking = False
        # How many of TAILS have been searched for the cursor without success.
        self._searched = 0
        # Until a line of a new start arrives, lines before this moment belong to an earlier one.
        self._before: float | None = None

    # State

    def as_state(self) -> dict[str, Any]:
        """Return the state for :meth:`recall`, JSON-ready."""
        texts = {name: getattr(self, name) for name in _NAMES}
        return {"schema": SCHEMA, **texts, "gaps": self.gaps, "summary": self.summary.as_state()}

    def recall(self, state: object) -> None:
        """Continue from *state*; an invalid one is ignored, and the log is read from the start."""
        if not isinstance(state, dict) or state.get("schema") != SCHEMA or not isinstance(state.get("gaps"), int):
            return
        summary = Summary.from_state(state.get("summary"), self._controller)
        if summary is None or not all(isinstance(state.get(name), str) for name in _NAMES):
            return
        if state["stamp"] and not STAMP.fullmatch(f"{state['stamp']} ".encode()):
            return
        self.summary, self.gaps = summary, state["gaps"]
        for name in _NAMES:
            setattr(self, name, state[name])
        self.phase_since, self.dialog_since = self._moment(self.phase_at), self._moment(self.dialog_at)

    # Reading on

    def read_on(self, engine: Engine, container: dict[str, Any], keep: bool) -> None:
        """Read up to now, for READ_SECONDS at most; *keep* the stream open for later. Raises EngineError."""
        if container["id"] != self.container:
            self._forget(container["id"])
        if container["started_at"] != self.started_at:
            self._begin(container)
        last = _last(engine.last_line(container["id"]))
        end = self._clock() + READ_SECONDS
        try:
            while last != (self.stamp, self.digest) or (keep and self._stream is None and container["running"]):
                if self._stream is None:
                    self._follow(engine, container["id"])
                if not (self._read_to(last, end) and self._seeking):
                    break
                # The cursor's line is not among these. The next look continues from here.
                self._searched += 1
                self.close()
                if self._clock() >= end:
                    break
            self.behind = bool(last) and last != (self.stamp, self.digest) and self._clock() >= end
        finally:
            if not keep:
                self.close()
        # All further lines belong to this start, whatever their time.
        self._before = None

    def listen(self, timeout: float) -> bool:
        """Wait for lines, at most *timeout* seconds, and read them; whether the log goes on. Needs an open stream.

        False also during an unfinished search for the cursor, which only :meth:`read_on` continues.
        """
        if self._stream is None or self._seeking:
            return False
        try:
            block = self._stream.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return True
        if block is None:
            self.close()
            return False
        self.feed(block)
        return True

    def close(self) -> None:
        self._open.close()
        self._stream = None

    def feed(self, block: bytes) -> None:
        """Fold in the new lines of *block*; each begins with the engine's time."""
        if self._seeking:
            at = self._found(block)
            if at < 0:
                return
            block, self._seeking, self._searched = block[at:], False, 0
        for event in self.summary.controller.events(block):
            if self._before is not None and event.stamp and epoch(event.stamp) < self._before:
                continue
            self._before = None
            phase, dialog = self.summary.phase, self.summary.open_dialog
            self.summary.fold(event)
            if self.summary.phase != phase:
                self.phase_at, self.phase_since = event.stamp, self._moment(event.stamp)
            if self.summary.open_dialog != dialog:
                self.dialog_at, self.dialog_since = event.stamp, self._moment(event.stamp)
        last = _last(block)
        if last:
            self.stamp, self.digest = last

    def _begin(self, container: dict[str, Any]) -> None:
        """The container has started since: keep the cursor, drop the summary of the earlier run."""
        self.summary, self.started_at = Summary(self._controller), container["started_at"]
        self.phase_at, self.dialog_at = container["started_at"], ""
        self.phase_since = self._moment(container["started_at"])
        started, ended = epoch(container["started_at"]), epoch(container["finished_at"] or "")
        # The engine records a start a little after the first line; the previous run ended earlier, or later if the
        # clock was set back.
        self._before = max(started - 1, ended if ended <= started else 0.0)

    def _follow(self, engine: Engine, name: str) -> None:
        if self._searched == len(TAILS):
            # The engine has rotated the cursor's line away: read everything that is left.
            self.gaps += 1
            self.stamp, self._searched = "", 0
        tail = TAILS[self._searched] if self.stamp else TAILS[-1]
        self._stream = self._open.enter_context(engine.follow(name, tail))
        self._seeking = bool(self.stamp)

    def _read_to(self, last: tuple[str, str] | None, end: float) -> bool:
        """Read until the line *last* has come or the stream has ended; False where the moment *end* came first."""
        while self._stream is not None and last is not None:
            if (left := end - self._clock()) <= 0:
                return False
            try:
                block = self._stream.get(timeout=left)
            except queue.Empty:
                return False
            if block is None:
                self.close()
                return True
            self.feed(block)
            if last[0].encode() in block:
                return True
        return True

    def _found(self, block: bytes) -> int:
        """Return where the lines after the cursor begin, -1 where the cursor's line is not in *block*."""
        stamp = self.stamp.encode() + b" "
        at = block.rfind(stamp)
        while at >= 0:
            end = block.find(b"\n", at) + 1 or len(block)
            if _digest(block[at + len(stamp) : end]) == self.digest:
                return end
            at = block.rfind(stamp, 0, at)
        return -1

    def _moment(self, stamp: str) -> float:
        """Return the engine's *stamp* as a moment of the monotonic clock; a future one is now."""
        return self._clock() - max(0.0, self._now() - epoch(stamp)) if stamp else self._clock()


def _last(block: bytes) -> tuple[str, str] | None:
    """Return the cursor of the last line of *block*, even an unfinished one; None where there is none."""
    ended = block.endswith(b"\n")
    end = len(block) - ended
    begin = block.rfind(b"\n", 0, end) + 1
    while not (stamps := list(STAMP.finditer(block, begin, begin + 40 if ended else end))):
        # A byte of the engine's header can look like a line end.
        if not begin:
            return None
        begin = block.rfind(b"\n", 0, begin - 1) + 1
    return stamps[-1][1].decode(), _digest(block[stamps[-1].end() : end])


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text.rstrip(b"\n")[:MAX_LINE], digest_size=8).hexdigest()


def epoch(stamp: str) -> float:
    """Return the epoch seconds of the engine's time stamps (``2026-11-20T09:43:55.123456789Z``), to the microsecond;
    0 for anything else."""
    try:
        moment = datetime.fromisoformat(stamp[:26].rstrip("Z")).replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return (moment - _EPOCH).total_seconds()
