# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out changes: those that do not wait for one another at the same time."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import functools
import threading

from .client import start
from .compute import Compute
from .errors import ChangedMeanwhileError, GcpError
from .plan import Change

WORKERS = 8


class Runner:
    """Carries out changes; *actions* are the calls that were done, in the order in which they ended."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.actions: list[str] = []
        self._lock = threading.Lock()

    def run(self, changes: c.Iterable[Change]) -> list[GcpError]:
        """Start each change when those that it waits for are done; none any more once one has failed.

        Return what failed.
        """
        waiting = {change.key: change for change in changes}
        running: dict[concurrent.futures.Future[None], Change] = {}
        failed: list[GcpError] = []
        mistakes: list[BaseException] = []
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
        if mistakes:
            raise mistakes[0]
        return failed

    def _carry_out(self, change: Change) -> None:
        """Do the calls. Where the resource is not what it was, look again and try once more."""
        planned: Change | None = change
        if change.resource.reread and change.before is not None and change.desired is not None:
            planned = change.again(self.compute.get(change.resource, change.name))
        try:
            self._call(planned)
        except ChangedMeanwhileError:
            self._call(change.again(self.compute.get(change.resource, change.name)))

    def _call(self, change: Change | None) -> None:
        if change is None:
            return
        for call, action in zip(change.calls, change.actions, strict=True):
            self.compute.write(change.resource, call, change.name)
            with self._lock:
                self.actions.append(action)
