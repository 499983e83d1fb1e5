# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a live gateway signs in by appointment (``session_sign_in_at``), by IBKR's week."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from ..problem import Problem, table
from . import week, zones

MOST = 3
# The least distance between two, in seconds.
APART = 3600.0
_FORM = re.compile(rf"({'|'.join(week.DAYS)}) ([01]\d|2[0-3]):[0-5]\d")
# Every Sunday of a year in which every zone changes its clock as often as it ever does.
_YEAR = datetime(2027, 1, 3, 12, tzinfo=UTC)
_WEEKS = 53


def latest(at: datetime, deadline: str, minutes: int) -> float:
    """Return the last moment of *at*'s week at which a sign-in can begin and end before the *deadline*."""
    return week.sign_in_deadline(at, deadline).timestamp() - minutes * 60


def moments(times: Sequence[str], zone: str, begins: datetime) -> list[float]:
    """Return the moments of *times* in IBKR's week that begins then, in their order."""
    return sorted(_moment(each, ZoneInfo(zone), begins) for each in times)


def _moment(text: str, zone: ZoneInfo, begins: datetime) -> float:
    day, clock = text.split(" ")
    first = begins.astimezone(zone).date()
    dates = (first + timedelta(days=days) for days in range(8))
    combined = (datetime.combine(date, time.fromisoformat(clock), zone) for date in dates)
    return next(
        each.timestamp()
        for each in combined
        if week.DAYS[each.weekday()] == day and each.timestamp() >= begins.timestamp()
    )


_problem = table(
    {
        "appointment-form": ("not a day and a time", "write one as 'sun 10:00', in quotes"),
        "appointment-outside": (
            "on {date} not within {opened} and {latest} in New York, between which a sign-in lasts the week and ends "
            "before session_sign_in_deadline",
            "choose an earlier or later time, or another session_sign_in_zone",
        ),
        "appointments-many": ("more than {most}", "each may send session_sign_in_pushes of them: name {most} at most"),
        "appointments-close": ("less than an hour from another one", "leave time to hear of the one before"),
    }
)


def problems(
    times: object, zone: object, deadline: str, minutes: int, variable: str = "session_sign_in_at"
) -> list[Problem]:
    """Return every problem of the *times*; those of the other settings are not repeated."""
    given = [times] if isinstance(times, str) else times if isinstance(times, Sequence) else [times]
    found = [
        _problem("appointment-form", f"{variable}[{index}]", each)
        for index, each in enumerate(given)
        if not isinstance(each, str) or not _FORM.fullmatch(each)
    ]
    if given:
        found += zones.problems({"session_sign_in_zone": zone})
    if len(given) > MOST:
        found.append(_problem("appointments-many", variable, most=MOST))
    return found or list(_misplaced(t.cast("list[str]", given), str(zone), deadline, minutes, variable))


def _misplaced(given: Sequence[str], zone: str, deadline: str, minutes: int, variable: str) -> Iterator[Problem]:
    told: set[int] = set()
    for number in range(_WEEKS):
        begins = week.last_token_death(_YEAR + timedelta(weeks=number))
        found = {index: _moment(each, ZoneInfo(zone), begins) for index, each in enumerate(given)}
        last = latest(begins, deadline, minutes)
        for index, moment in found.items():
            if index not in told and not week.sign_in_opens(begins).timestamp() <= moment <= last:
                told.add(index)
                until = datetime.fromtimestamp(last, week.NEW_YORK)
                yield _problem(
                    "appointment-outside", f"{variable}[{index}]", given[index],
                    date=begins.date(), opened=week.OPENED, latest=f"{until:%H:%M}",
                )  # fmt: skip
        if any(later - earlier < APART for earlier, later in pairwise(sorted(found.values()))):
            yield _problem("appointments-close", variable, [*given])
            return
