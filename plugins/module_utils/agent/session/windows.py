# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a paper gateway runs: the sessions of variable ``gateway_paper_sessions``, as windows of time.

A session starts by the wall clock of its zone and lasts real minutes. A time that a clock change skips is moved forward
by the same amount (02:30 becomes 03:30), where systemd.time(7) would skip the day; of a time that occurs twice, the
first counts, as in systemd.
"""

from __future__ import annotations

import collections.abc as c
import itertools
import re
import typing as t
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..problem import Problem, table
from . import zones
from .week import DAYS

LEAD_MINUTES = range(121)
MAX_MINUTES = range(5, 1441)
_problem = table(
    {
        "sessions-not-a-list": ("not a list", "write one entry a session, or [] for none"),
        "session-not-a-mapping": ("not a session", "write a mapping with the keys {keys}"),
        "session-unknown-key": ("a session has no such key", "{fix}"),
        "session-value": ("not {rule}", "{fix}"),
        "session-missing-key": ("missing, and has to be {rule}", "{fix}"),
        "session-too-short": (
            "these minutes from the gateway's start end before the pipeline begins",
            "set it to more than lead_minutes ({lead})",
        ),
        "session-name-taken": ("another session has this name", "give each a name of its own"),
        "sessions-overlap": (
            "on {day} session {other} starts its gateway at {start}, when {one} may run until {end}",
            "move it, or shorten max_minutes of {one}",
        ),
    }
)
# No window within a year means none at all.
_AHEAD = 366


@dataclass(frozen=True)
class PaperSession:
    """A pipeline's schedule: it runs on *days* at *time* (HH:MM) in *zone* (IANA), except on *except_dates* (ISO).

    The gateway starts *lead_minutes* before, and is stopped *max_minutes* after its own start whatever happens.
    """

    name: str
    days: tuple[str, ...]
    time: str
    zone: str
    lead_minutes: int
    max_minutes: int
    except_dates: frozenset[str] = frozenset()

    @classmethod
    def from_data(cls, data: c.Mapping[str, t.Any]) -> PaperSession:
        """Return the session of an entry that has no :func:`problems`; TypeError for unknown keys."""
        # YAML parses an unquoted date, and str() writes it as ISO.
        except_dates = frozenset(map(str, data.get("except_dates", ())))
        return cls(**{**data, "days": tuple(data["days"]), "except_dates": except_dates})


@dataclass(frozen=True)
class Window:
    """One run of a session: the gateway's *start*, the *pipeline*'s, and the *end*, in the session's zone.

    The *end* is excluded.
    """

    session: PaperSession
    start: datetime
    pipeline: datetime
    end: datetime


def window(session: PaperSession, day: date) -> Window | None:
    """Return the window whose pipeline runs on *day*, a date in the session's zone; None if it does not."""
    if DAYS[day.weekday()] not in session.days or day.isoformat() in session.except_dates:
        return None
    zone = ZoneInfo(session.zone)
    # Through UTC, in which minutes are minutes and every moment exists.
    pipeline = datetime.combine(day, time.fromisoformat(session.time), zone).astimezone(UTC)
    start = pipeline - timedelta(minutes=session.lead_minutes)
    end = start + timedelta(minutes=session.max_minutes)
    return Window(session, *(moment.astimezone(zone) for moment in (start, pipeline, end)))


def _windows(session: PaperSession, days: c.Iterable[date]) -> c.Iterator[Window]:
    return (found for day in days if (found := window(session, day)))


def _days_around(session: PaperSession, at: datetime, after: int) -> c.Iterator[date]:
    # A window lasts at most a day, and may begin on the eve of its date.
    today = at.astimezone(ZoneInfo(session.zone)).date()
    return (today + timedelta(days=day) for day in range(-2, after + 1))


def current(sessions: c.Iterable[PaperSession], at: datetime) -> Window | None:
    """Return the window that contains *at*; of several, which :func:`problems` refuses, the first to begin."""
    at = at.astimezone(UTC)
    found = [each for session in sessions for each in _windows(session, _days_around(session, at, 1))]
    return min((each for each in found if each.start <= at < each.end), key=lambda each: each.start, default=None)


def upcoming(sessions: c.Iterable[PaperSession], at: datetime) -> Window | None:
    """Return the first window that starts later than *at*; None when there is none within a year."""
    at = at.astimezone(UTC)
    found = [
        next((each for each in _windows(session, _days_around(session, at, _AHEAD)) if each.start > at), None)
        for session in sessions
    ]
    return min(filter(None, found), key=lambda each: each.start, default=None)


def told(at: datetime) -> str:
    """Format a moment for people, with its zone: ``Tue 2026-12-01 09:20 America/New_York``."""
    return f"{at:%a %Y-%m-%d %H:%M} {at.tzinfo}"


def problems(data: object) -> list[Problem]:
    """Return every problem of ``gateway_paper_sessions``."""
    variable = "gateway_paper_sessions"
    if not isinstance(data, c.Sequence) or isinstance(data, str):
        return [_problem("sessions-not-a-list", variable, data)]
    found: list[Problem] = []
    sessions: dict[str, PaperSession] = {}
    places: dict[str, str] = {}
    for index, entry in enumerate(data):
        place = f"{variable}[{index}]"
        faults = list(_entry_problems(place, entry))
        found += faults
        if faults:
            continue
        session = PaperSession.from_data(entry)
        if session.name in sessions:
            found.append(_problem("session-name-taken", f"{place}.name", session.name))
            continue
        sessions[session.name], places[session.name] = session, place
    return found + list(_overlaps(sessions.values(), places))


def _entry_problems(place: str, entry: object) -> c.Iterator[Problem]:
    keys = [field.name for field in fields(PaperSession)]
    if not isinstance(entry, c.Mapping):
        yield _problem("session-not-a-mapping", place, entry, keys=", ".join(keys))
        return
    for key in entry:
        if key not in keys:
            import difflib

            near = difflib.get_close_matches(str(key), keys, 1)
            fix = f"write {near[0]}" if near else f"use the keys {', '.join(keys)}"
            yield _problem("session-unknown-key", f"{place}.{key}", fix=fix)
    for key, (fits, rule, fix) in _RULES.items():
        if key in entry and not fits(entry[key]):
            yield _problem("session-value", f"{place}.{key}", entry[key], rule=rule, fix=fix)
        elif key not in entry and key != "except_dates":
            yield _problem("session-missing-key", f"{place}.{key}", rule=rule, fix=fix)
    lead: t.Any = entry.get("lead_minutes")
    longest: t.Any = entry.get("max_minutes")
    if _is_in(LEAD_MINUTES, lead) and _is_in(MAX_MINUTES, longest) and longest <= lead:
        yield _problem("session-too-short", f"{place}.max_minutes", longest, lead=lead)


def _is_in(allowed: range, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in allowed


def _is_text(pattern: str) -> c.Callable[[object], bool]:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


def _is_list(fits: c.Callable[[object], bool], least: int) -> c.Callable[[object], bool]:
    return lambda value: (
        isinstance(value, c.Sequence) and not isinstance(value, str) and len(value) >= least and all(map(fits, value))
    )


def _is_date(value: object) -> bool:
    try:
        return bool(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value))) and bool(date.fromisoformat(str(value)))
    except ValueError:
        return False


_RULES: dict[str, tuple[c.Callable[[t.Any], bool], str, str]] = {
    "name": (_is_text(r"[a-z0-9][a-z0-9-]{0,30}"), "1 to 31 of a-z, 0-9 and '-'", "write for example us-open"),
    "days": (
        _is_list(DAYS.__contains__, 1),
        f"a list of days out of {', '.join(DAYS)}",
        "write for example [mon, tue]",
    ),
    "time": (
        _is_text(r"([01][0-9]|2[0-3]):[0-5][0-9]"),
        "HH:MM on a 24-hour clock",
        "write for example '16:30', in quotes, without which YAML makes a number of it",
    ),
    "zone": (zones.readable, "an IANA time zone", "write for example America/New_York"),
    "lead_minutes": (
        lambda value: _is_in(LEAD_MINUTES, value),
        f"a whole number from {LEAD_MINUTES[0]} to {LEAD_MINUTES[-1]}",
        "write how long before the pipeline the gateway starts, for example 10",
    ),
    "max_minutes": (
        lambda value: _is_in(MAX_MINUTES, value),
        f"a whole number from {MAX_MINUTES[0]} to {MAX_MINUTES[-1]}",
        "write how long after its start the gateway is stopped at the latest, for example 90",
    ),
    "except_dates": (_is_list(_is_date, 0), "a list of dates, each YYYY-MM-DD", "write for example ['2026-12-25']"),
}


def _overlaps(sessions: c.Iterable[PaperSession], places: c.Mapping[str, str]) -> c.Iterator[Problem]:
    """Yield a problem for each two sessions (or one and its own next run) that overlap, *except_dates* or not."""
    # A whole year covers every clock change of every zone.
    days = [date(2027, 1, 1) + timedelta(days=day) for day in range(_AHEAD)]
    every = [replace(session, except_dates=frozenset()) for session in sessions]
    windows = sorted(
        (each for session in every for each in _windows(session, days)), key=lambda each: each.start.astimezone(UTC)
    )
    told: set[frozenset[str]] = set()
    for one, other in itertools.pairwise(windows):
        pair = frozenset((one.session.name, other.session.name))
        if other.start.astimezone(UTC) < one.end and pair not in told:
            told.add(pair)
            yield _problem(
                "sessions-overlap",
                f"{places[other.session.name]}.time",
                other.session.time,
                day=f"{other.pipeline:%Y-%m-%d}",
                other=other.session.name,
                one=one.session.name,
                start=f"{other.start:%H:%M} ({other.session.zone})",
                end=f"{one.end:%H:%M} ({one.session.zone})",
            )
