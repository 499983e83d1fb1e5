# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a state, driven by the container's log: the API is asked when a milestone says that it can answer."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..api import verdicts
from ..api.probe import ATTEMPT_SECONDS
from ..controller import milestones
from .inspection import Gateway

MIN_DELAY = 2.0
# After how many seconds in a phase the API is asked without a milestone, and how often from then on: a safety net in
# case the log's wording changes.
_PATIENCE = {
    milestones.NO_RUN: (10.0, 10.0),
    milestones.SIGNED_IN: (5.0, MIN_DELAY),
    milestones.WAITING_2FA: (60.0, 30.0),
}
_DEFAULT_PATIENCE = (30.0, 30.0)
_REOPEN_SECONDS = 0.2
# During an attempt, the log is not read.
_LONGEST_ATTEMPT = 8 * ATTEMPT_SECONDS


def wait_for(
    gateway: Gateway,
    wanted: str,
    timeout: float,
    delay: float = MIN_DELAY,
    after_run: int | None = None,
    tell: Callable[[], None] = lambda: None,
) -> bool:
    """Observe *gateway* until it is in state *wanted* (True), or cannot reach it, or *timeout* seconds are over.

    The API is asked by one attempt at a time, at least *delay* seconds apart, and only if *wanted* depends on it. An
    attempt lasts at most 5 s, and twice as long as the previous one if that timed out before the gateway answered; it
    may use all the remaining time if that is too short for another of twice its length, but never more than 40 s. An
    attempt that was cut shorter than the previous ones and timed out has shown nothing: the last complete verdict
    stands. With *after_run* only a JVM run after that one counts (a restart was requested and has yet to happen).
    *tell* is called after every observation; an exception from it ends the wait.
    """
    deadline = gateway.clock() + timeout
    asked_at, length = -math.inf, ATTEMPT_SECONDS
    with gateway.listening():
        while True:
            gateway.refresh()
            goes_on = True
            while goes_on:
                now = gateway.clock()
                judgement = gateway.judgement()
                tell()
                counts = after_run is None or gateway.summary.jvm_runs > after_run
                if counts and judgement.state == wanted:
                    return True
                if (judgement.final and wanted != verdicts.STOPPED) or now >= deadline:
                    return False
                due = max(_due(gateway, wanted, asked_at), asked_at + delay) if counts else math.inf
                if due <= now:
                    length = _ask(gateway, length, deadline - now, delay)
                    asked_at = gateway.clock()
                    continue
                look_again = math.inf if gateway.has_log or gateway.descriptor is None else now + delay
                goes_on = gateway.listen(max(min(due, deadline, look_again, gateway.turns_at), now) - now)
                goes_on = goes_on and gateway.clock() < look_again
            gateway.sleep(_REOPEN_SECONDS)


def _ask(gateway: Gateway, length: float, left: float, delay: float) -> float:
    """Ask the API for about *length* of the *left* seconds; return the length of the next attempt."""
    known = gateway.verdict
    seconds = min(left if left < length + delay + 2 * length else length, left, _LONGEST_ATTEMPT)
    gateway.ask(seconds)
    if gateway.verdict is None or gateway.verdict["api_state"] not in verdicts.LATE:
        return length
    if known is not None and seconds < length:
        gateway.verdict = known
        return length
    return min(2 * length, _LONGEST_ATTEMPT)


def _due(gateway: Gateway, wanted: str, asked_at: float) -> float:
    """Return the moment from which asking the API makes sense (apart from the distance between attempts)."""
    if wanted not in (verdicts.READY, verdicts.DEGRADED):
        return math.inf
    if not gateway.has_log or gateway.summary.usable:
        return -math.inf
    patience, every = _PATIENCE.get(gateway.summary.phase, _DEFAULT_PATIENCE)
    return max(gateway.phase_since + patience, asked_at + every)
