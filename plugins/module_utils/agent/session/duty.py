# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether everything that a gateway's watcher is responsible for is as it should be: what a heartbeat stands for.

A gateway that is down as planned, or because a person stopped it, is as it should be: a dead man's switch that alarms
every Saturday is soon muted.
"""

from __future__ import annotations

from ..api import verdicts
from . import policy, week
from .alerts import BACK_OFF
from .plan import Plan
from .store import Record


def fault(record: Record, plan: Plan, now: float, amiss: str = "", alert_since: float | None = None) -> str:
    """Return in one clause what is not as it should be; empty where everything is.

    *amiss* is what the watcher itself met, *alert_since* since when an alert waits for its channel (epoch seconds;
    None: none waits). What passes by itself within one interval, or in IBKR's daily reset, is not a fault.
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
