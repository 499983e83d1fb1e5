# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a paper VM runs: its gateway's sessions as cron lines for Cloud Scheduler.

Cron has only a wall clock, without excluded dates and real minutes. So the VM also runs on the sessions'
C(except_dates), and sessions during a clock change are refused.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import itertools
import typing as t
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ..agent.session.week import DAYS
from ..agent.session.windows import PaperSession, window
from ..agent.session.windows import problems as session_problems

# A VM that would start again this soon is not stopped: stopping takes that long.
SETTLE = timedelta(minutes=5)
# A whole year covers every clock change of every zone.
YEAR = [date(2027, 1, 1) + timedelta(days=day) for day in range(366)]


class HoursError(Exception):
    """Sessions that no cron line can serve; the message says which, why and what to do."""


@dataclass(frozen=True)
class Hours:
    """One run of the VM for a session, in the session's zone. *end* is excluded."""

    start: datetime
    end: datetime


def jobs(
    sessions: c.Sequence[t.Any], prefix: str, boot_minutes: int = 5, stop_minutes: int = 5
) -> list[dict[str, str]]:
    """The jobs of module gcp_scheduler_jobs for the entries of C(gateway_paper_sessions).

    The VM starts *boot_minutes* before its gateway, and stops *stop_minutes* after the gateway's end. HoursError for
    invalid sessions.
    """
    if wrong := session_problems(sessions):
        raise HoursError(" ".join(map(str, wrong)))
    if boot_minutes < 0 or stop_minutes < 0:
        raise HoursError(f"boot_minutes is {boot_minutes} and stop_minutes {stop_minutes}: both are 0 or more.")
    boot, stop = timedelta(minutes=boot_minutes), timedelta(minutes=stop_minutes)
    every = [dataclasses.replace(PaperSession.from_data(each), except_dates=frozenset()) for each in sessions]
    year = {session: _hours(session, boot, stop) for session in every}
    busy = sorted((each.start.astimezone(UTC), each.end.astimezone(UTC)) for runs in year.values() for each in runs)
    found = []
    for session, runs in year.items():
        ends = _not_within(runs, busy)
        for action, moments in (("start", [each.start for each in runs]), ("stop", ends)):
            if moments:
                found.append(
                    {
                        "name": f"{prefix}-{session.name}-{action}",
                        "action": action,
                        "schedule": _cron(moments),
                        "time_zone": session.zone,
                    }
                )
    return found


def _hours(session: PaperSession, boot: timedelta, stop: timedelta) -> list[Hours]:
    """Every run of the VM in a year."""
    found = []
    for run in filter(None, (window(session, day) for day in YEAR)):
        zone = run.start.tzinfo
        start, end = (run.start.astimezone(UTC) - boot, run.end.astimezone(UTC) + stop)
        hours = Hours(start.astimezone(zone), end.astimezone(zone))
        moments = (hours.start, run.pipeline, hours.end)
        if any(one.utcoffset() != other.utcoffset() for one, other in itertools.pairwise(moments)):
            raise HoursError(
                f"gateway_paper_sessions: on {run.pipeline:%Y-%m-%d} the clock of {session.zone} is changed while the "
                f"VM runs for {session.name!r}, which no line of cron can follow. Leave {DAYS[run.pipeline.weekday()]} "
                "out of its days, move it, or start and stop the VM yourself on that day."
            )
        found.append(hours)
    return found


def _not_within(runs: c.Iterable[Hours], busy: c.Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    """The weekdays' ends that never fall within another run, or just before one."""
    kept: dict[int, list[datetime]] = {}
    dropped = set()
    for each in runs:
        end = each.end.astimezone(UTC)
        kept.setdefault(each.end.weekday(), []).append(each.end)
        if any(start - SETTLE <= end < until for start, until in busy):
            dropped.add(each.end.weekday())
    return [moment for day, moments in kept.items() if day not in dropped for moment in moments]


def _cron(moments: c.Sequence[datetime]) -> str:
    """The line for moments of one clock time: cron counts days from Sunday."""
    days = sorted({moment.isoweekday() % 7 for moment in moments})
    on = "*" if len(days) == 7 else ",".join(map(str, days))
    return f"{moments[0].minute} {moments[0].hour} * * {on}"
