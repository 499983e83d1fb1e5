# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping an appointment: which one is next by a gateway's record, and what is due for it now.

Each is announced a quarter of an hour before and settled before its sign-in begins, so that none is tried twice.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from . import appointment, week
from .plan import Plan
from .store import Appointment, Record

# From the announcement to the sign-in.
LEAD_SECONDS = 900.0
# How late one may be: its host or its watcher was down.
GRACE_SECONDS = 3600.0
# How long before one a wish for later is a wish for that one.
NEAR_SECONDS = 12 * 3600.0
# By how much one is put off.
LATER_SECONDS = 3600.0


def upcoming(record: Record, plan: Plan, now: float) -> Appointment | None:
    """Return the first appointment that is not settled; None where neither this week nor the next one has any."""
    at = datetime.fromtimestamp(now, UTC)
    for begins in (week.last_token_death(at), week.token_death(at)):
        for moment in appointment.moments(plan.sign_in_at, plan.sign_in_zone, begins):
            known = record.appointment
            found = known if known and known.of == moment else Appointment(moment, moment)
            # One that passed before anybody watched, or before the plan had it, belongs to nobody now.
            if moment > record.appointed and (found.told_at or now <= found.at + GRACE_SECONDS):
                return found
    return None


def announced(found: Appointment, now: float) -> Appointment:
    return replace(found, at=max(found.at, now + LEAD_SECONDS), told_at=now)


def put_off(found: Appointment, now: float) -> Appointment:
    return Appointment(found.of, max(found.at, now) + LATER_SECONDS)


def deadline(found: Appointment, plan: Plan) -> float:
    """Return when its sign-in has to have ended."""
    return week.sign_in_deadline(datetime.fromtimestamp(found.of, UTC), plan.sign_in_deadline).timestamp()


def too_late(found: Appointment, plan: Plan) -> bool:
    return found.at + plan.sign_in_minutes * 60 > deadline(found, plan)


def settle(record: Record, found: Appointment) -> None:
    record.appointed, record.appointment = found.of, None


def words(found: Appointment, plan: Plan) -> str:
    """Return the moment of its sign-in, for a person."""
    return f"{datetime.fromtimestamp(found.at, ZoneInfo(plan.sign_in_zone)):%A %Y-%m-%d %H:%M} ({plan.sign_in_zone})"
