# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out changes, independent ones in parallel."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import contextlib
import functools
import threading

from .client import start
from .compute import Compute
from .errors import ChangedMeanwhileError, GcpError, InterruptedRunError
from .journal import Entry, State
from .plan import Change
from .resource import Call

WORKERS = 8
# How long restoring service may take after the deadline or an interruption.
RESTORE_SECONDS = 30.0
Tried = tuple[Call, Entry]


class Runner:
    """Carry out changes; the journal of *compute* records them."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self._stopping = threading.Event()

    def run(self, changes: c.Iterable[Change]) -> list[GcpError]:
        """Start each change when those it waits for are done; after a failure, start no more.

        Return the failures.
        """
        waiting = {change.key: change for change in changes}
        running: dict[concurrent.futures.Future[None], Change] = {}
        failed: list[GcpError] = []
        mistakes: list[BaseException] = []
        try:
            while running or (waiting and not failed and not mistakes):
                unfinished = set(waiting) | {change.key for change in running.values()}
                ready = [] if failed or mistakes else [each for each in waiting.values() if not each.after & unfinished]
                for change in ready[: WORKERS - len(running)]:
                    del waiting[change.key]
                    running[start(functools.partial(self._carry_out, change))] = change
                for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                    del running[future]
                    error = future.exception()
                    if isinstance(error, GcpError):
                        failed.append(error)
                    elif error:
                        mistakes.append(error)
        except InterruptedRunError as error:
            self._stopping.set()
            self.compute.client.interrupt()
            ended = concurrent.futures.wait(running, RESTORE_SECONDS + 1).done
            return [error, *(told for future in ended if isinstance(told := future.exception(), GcpError))]
        if mistakes:
            raise mistakes[0]
        return failed

    def _carry_out(self, change: Change) -> None:
        """Make the calls. If the resource has changed meanwhile, look again and try once more."""
        tried: list[Tried] = []
        planned: Change | None = change
        try:
            if change.resource.reread and change.before is not None and change.desired is not None:
                planned = change.again(self.compute.get(change.resource, change.name))
            try:
                self._call(planned, tried)
            except ChangedMeanwhileError:
                planned = change.again(self.compute.get(change.resource, change.name))
                self._call(planned, tried)
        except GcpError as error:
            raise self._restored(planned or change, tried, error) from error
        except Exception as mistake:
            self._restored(planned or change, tried, GcpError(str(mistake)))
            raise

    def _call(self, change: Change | None, tried: list[Tried]) -> None:
        if change is None:
            return
        for call in change.calls:
            if self._stopping.is_set():
                raise InterruptedRunError(f"{'/'.join(change.key)}: not changed any further.")
            self._write(change, call, tried)

    def _write(self, change: Change, call: Call, tried: list[Tried]) -> Entry:
        entry = self.compute.client.journal.send(f"{change.resource.collection}.{call.verb} {change.name}")
        tried.append((call, entry))
        self.compute.write(change.resource, call, change.name, entry)
        return entry

    def _restored(self, change: Change, tried: list[Tried], error: GcpError) -> GcpError:
        """Put the resource back into service after *error*; return the error, and what is down if that fails."""
        for restoring in (call for call in change.calls if call.always):
            undone = [entry for call, entry in tried if call.verb == restoring.undoes]
            taken_out = undone and undone[-1].may_have_effect
            if any(call.verb == restoring.undoes for call in change.calls) and not taken_out:
                continue
            entries = [entry for call, entry in tried if call.always and call.verb == restoring.verb]
            if not entries:
                self.compute.client.allow(RESTORE_SECONDS)
                with contextlib.suppress(GcpError):
                    self._write(change, restoring, tried)
                entries = [tried[-1][1]]
            if entries[-1].state is not State.DONE:
                error = GcpError(f"{error} {restoring.always}")
        return error
