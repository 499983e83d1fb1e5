# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that everything a gateway's watcher is responsible for is in order: the condition for a heartbeat.

A gateway that is down as planned, or because a person stopped it, is in order: a dead man's switch that alarms every
Saturday is soon muted.
"""

from __future__ import annotations

from ..api import verdicts
from . import policy, week
from .alerts import BACK_OFF
from .plan import Plan
from .store import Record


def fault(record: Record, plan: Plan, now: float, amiss: str = "", alert_since: float | None = None) -> str:
    """Return the fault in one clause; empty where there is none.

    *amiss* is a fault that the watcher met, *alert_since* when the oldest waiting alert was queued (epoch seconds;
    None: none waits). Trouble that passes by itself within one interval, or in IBKR's daily reset, is not a fault.
    """
    if amiss:
        return amiss
    if late := policy.late_seconds(record, plan, now):
        return f"the last look is {late:.0f} s overdue"
    if record.state == verdicts.BLOCKED:
        return f"blocked: {record.reason}"
    lasts = now - record.since >= plan.interval
    if record.state == verdicts.DEGRADED and lasts and not week.reset_ends(policy.moment(now), plan.region):
        return f"degraded: {record.reason}"
    if record.mode == policy.LIVE and record.signed_in_at is not None and record.stopped_by in ("", policy.PLANNED):
        signed_in = policy.moment(record.signed_in_at) if record.valid_until else None
        if week.phase(policy.moment(now), signed_in, plan.sign_in_deadline) == week.OVERDUE:
            return "the weekly sign-in is overdue"
    if alert_since is not None and now - alert_since > BACK_OFF[1]:
        return f"an alert has waited {(now - alert_since) / 60:.0f} minutes for its channel"
    return ""
