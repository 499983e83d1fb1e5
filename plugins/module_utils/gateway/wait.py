# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a state, driven by the container's log: the API is asked when a milestone says that it can answer."""

from __future__ import annotations

import math
from collections.abc import Callable

from . import milestones, states
from .look import DIALOG_SECONDS, Gateway
from .probe import ATTEMPT_SECONDS

MIN_DELAY = 2.0
# After how many seconds of a phase the API is asked though no milestone calls for it, and how often from then on:
# a net under a log whose wording has changed.
_PATIENCE = {
    milestones.NO_RUN: (10.0, 10.0),
    milestones.SIGNED_IN: (5.0, MIN_DELAY),
    milestones.WAITING_2FA: (60.0, 30.0),
}
_DEFAULT_PATIENCE = (30.0, 30.0)
_REOPEN_SECONDS = 0.2


def wait_for(
    gateway: Gateway,
    wanted: str,
    timeout: float,
    delay: float = MIN_DELAY,
    after_run: int | None = None,
    tell: Callable[[], None] = lambda: None,
) -> bool:
    """Observe *gateway* until it is in state *wanted* (True), or cannot come there, or *timeout* seconds are over.

    The API is asked once at a time and at least *delay* seconds apart, and only where *wanted* needs its word.
    With *after_run* only a JVM run after that one counts (a restart was asked for and has yet to happen). *tell* is
    called whenever something was observed; what it raises ends the wait.
    """
    deadline = gateway.clock() + timeout
    asked_at, patience = -math.inf, ATTEMPT_SECONDS
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
                if (judgement.final and wanted != states.STOPPED) or now >= deadline:
                    return False
                due = max(_due(gateway, wanted, asked_at), asked_at + delay) if counts else math.inf
                if due <= now:
                    patience = _ask(gateway, patience, deadline - now)
                    asked_at = gateway.clock()
                    continue
                look_again = math.inf if gateway.has_log or gateway.descriptor is None else now + delay
                waits_at = now + DIALOG_SECONDS if gateway.summary.open_dialog and not gateway.dialog else math.inf
                goes_on = gateway.listen(min(due, deadline, look_again, waits_at) - now)
                goes_on = goes_on and gateway.clock() < look_again
            gateway.sleep(_REOPEN_SECONDS)


def _ask(gateway: Gateway, patience: float, left: float) -> float:
    """Ask the API once; return the patience of the next time, which is twice as long for one that has used it up.

    What an attempt says that the end has cut short does not stand against what is known.
    """
    begun, known = gateway.clock(), gateway.verdict
    gateway.ask(min(patience, left))
    if gateway.clock() - begun < min(patience, left) - 0.1:
        return ATTEMPT_SECONDS
    if left < patience and known is not None and not (gateway.verdict or known)["final"]:
        gateway.verdict = gateway.verdict if (gateway.verdict or {}).get("api_state") in states.ANSWERS else known
    return 2 * patience


def _due(gateway: Gateway, wanted: str, asked_at: float) -> float:
    """Return the moment from which asking the API makes sense (the distance between two attempts aside)."""
    if wanted not in (states.READY, states.DEGRADED):
        return math.inf
    if not gateway.has_log or gateway.summary.usable:
        return -math.inf
    patience, every = _PATIENCE.get(gateway.summary.phase, _DEFAULT_PATIENCE)
    return max(gateway.phase_since + patience, asked_at + every)
