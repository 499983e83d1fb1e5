# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import windows
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.week import DAYS
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.windows import (
    PaperSession,
    current,
    upcoming,
)

pytestmark = pytest.mark.usefixtures("process_zone")
WEEKDAYS = DAYS[:5]
ZONES = ("America/New_York", "Europe/Zurich", "Asia/Hong_Kong", "Australia/Lord_Howe", "UTC")
OPEN = PaperSession("us-open", WEEKDAYS, "09:30", "America/New_York", 10, 90)
NIGHT = PaperSession("night", DAYS, "00:05", "America/New_York", 15, 60)


def entry(session: PaperSession) -> dict[str, Any]:
    """The entry of the inventory that a session is read from."""
    return {**asdict(session), "days": list(session.days), "except_dates": sorted(session.except_dates)}


def spans(session: PaperSession, first: date, days: int) -> list[windows.Window]:
    dates = (first + timedelta(days=day) for day in range(days))
    return [window for day in dates if (window := windows.window(session, day))]


@st.composite
def sessions(draw: st.DrawFn) -> PaperSession:
    lead = draw(st.integers(0, 120))
    return PaperSession(
        name="any",
        days=tuple(draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))),
        time=f"{draw(st.integers(0, 23)):02}:{draw(st.integers(0, 59)):02}",
        zone=draw(st.sampled_from(ZONES)),
        lead_minutes=lead,
        max_minutes=draw(st.integers(max(5, lead + 1), 1380)),
        except_dates=frozenset(map(str, draw(st.lists(st.dates(date(2027, 3, 1), date(2027, 3, 31)), max_size=5)))),
    )


moments = st.datetimes(datetime(2027, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("session", "day", "start", "pipeline", "end"),
    [
        (OPEN, "2026-11-25", "Wed 09:20 EST", "Wed 09:30 EST", "Wed 10:50 EST"),
        (OPEN, "2027-07-07", "Wed 09:20 EDT", "Wed 09:30 EDT", "Wed 10:50 EDT"),
        (replace(OPEN, zone="Europe/Zurich"), "2026-11-25", "Wed 09:20 CET", "Wed 09:30 CET", "Wed 10:50 CET"),
        # A lead past midnight begins on the eve.
        (NIGHT, "2026-11-25", "Tue 23:50 EST", "Wed 00:05 EST", "Wed 00:50 EST"),
        # 02:00 to 03:00 does not exist: moved on with the clock, and the lead is as long as ever.
        (replace(NIGHT, time="02:30"), "2027-03-14", "Sun 03:15 EDT", "Sun 03:30 EDT", "Sun 04:15 EDT"),
        (replace(NIGHT, time="03:05"), "2027-03-14", "Sun 01:50 EST", "Sun 03:05 EDT", "Sun 03:50 EDT"),
        # 01:00 to 02:00 comes twice: the first.
        (replace(NIGHT, time="01:30"), "2027-11-07", "Sun 01:15 EDT", "Sun 01:30 EDT", "Sun 01:15 EST"),
        (replace(NIGHT, time="02:05"), "2027-11-07", "Sun 01:50 EST", "Sun 02:05 EST", "Sun 02:50 EST"),
    ],
)
def test_windows(session: PaperSession, day: str, start: str, pipeline: str, end: str) -> None:
    window = windows.window(session, date.fromisoformat(day))
    assert window is not None
    assert [f"{each:%a %H:%M %Z}" for each in (window.start, window.pipeline, window.end)] == [start, pipeline, end]


def test_no_window() -> None:
    assert windows.window(OPEN, date(2026, 11, 28)) is None
    assert windows.window(replace(OPEN, except_dates=frozenset({"2026-11-26"})), date(2026, 11, 26)) is None


@given(sessions(), st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_a_window_is_as_long_as_it_says(session: PaperSession, day: date) -> None:
    window = windows.window(session, day)
    assume(window)
    assert window
    start, pipeline, end = (each.astimezone(UTC) for each in (window.start, window.pipeline, window.end))
    assert pipeline - start == timedelta(minutes=session.lead_minutes)
    assert end - start == timedelta(minutes=session.max_minutes)
    assert window.pipeline.date() == day


@pytest.mark.long
def test_a_month_with_holidays_and_a_change_of_the_clock() -> None:
    """March 2027 in New York, minute by minute: Good Friday, and one closed Monday; clocks change on the 14th."""
    session = replace(OPEN, except_dates=frozenset({"2027-03-26", "2027-03-08"}))
    at, runs = datetime(2027, 3, 1, 5, tzinfo=UTC), dict[str, list[datetime]]()
    while at < datetime(2027, 4, 1, 4, tzinfo=UTC):
        if window := current([session], at):
            runs.setdefault(str(window.pipeline.date()), []).append(at)
        at += timedelta(minutes=1)
    expected = [day for day in (date(2027, 3, 1) + timedelta(n) for n in range(31)) if day.weekday() < 5]
    assert list(runs) == [str(day) for day in expected if str(day) not in session.except_dates]
    assert {len(minutes) for minutes in runs.values()} == {90}
    assert {f"{minutes[0]:%H:%M}" for day, minutes in runs.items() if day < "2027-03-14"} == {"14:20"}
    assert {f"{minutes[0]:%H:%M}" for day, minutes in runs.items() if day > "2027-03-14"} == {"13:20"}


@given(sessions(), moments)
def test_current_and_upcoming_agree_with_the_windows(session: PaperSession, at: datetime) -> None:
    around = spans(session, at.date() - timedelta(days=3), 60)
    inside = [each for each in around if each.start.astimezone(UTC) <= at < each.end.astimezone(UTC)]
    later = [each for each in around if each.start.astimezone(UTC) > at]
    assert current([session], at) == (inside[0] if inside else None)
    assert upcoming([session], at) == later[0]
    assert upcoming([session], at - timedelta(seconds=1)) in (later[0], *inside)


def test_the_edges_of_a_window() -> None:
    window = windows.window(OPEN, date(2026, 11, 25))
    assert window
    second = timedelta(seconds=1)
    assert [current([OPEN], at) for at in (window.start - second, window.start, window.end - second, window.end)] == [
        None,
        window,
        window,
        None,
    ]
    assert upcoming([OPEN], window.start - second) == window
    assert upcoming([OPEN], window.start) == windows.window(OPEN, date(2026, 11, 26))


def test_the_first_of_several_sessions() -> None:
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert current([], at) is upcoming([], at) is None
    found = upcoming([NIGHT, OPEN], at)
    assert found
    assert found.session is OPEN
    after = upcoming([NIGHT, OPEN], found.end)
    assert after
    assert after.session is NIGHT
    assert current([NIGHT, OPEN], after.start) == after


def test_of_several_windows_the_first_counts() -> None:
    late = replace(OPEN, name="late", time="09:45")
    at = datetime(2026, 11, 25, 15, tzinfo=UTC)
    for sessions in ([late, OPEN], [OPEN, late]):
        found = current(sessions, at)
        assert found
        assert found.session is OPEN


@pytest.mark.parametrize(("days", "found"), [(366, True), (367, False)])
def test_the_next_window_is_sought_for_a_year(days: int, found: bool) -> None:
    today = date(2026, 11, 24)
    next_day = today + timedelta(days)
    others = {today + timedelta(day) for day in range(500)} - {next_day}
    session = replace(OPEN, days=DAYS, except_dates=frozenset(map(str, others)))
    at = datetime(2026, 11, 24, 23, tzinfo=UTC)
    assert upcoming([session], at) == (windows.window(session, next_day) if found else None)


@pytest.mark.parametrize(("day", "days"), [(date(2026, 11, 24), 1), (date(2027, 3, 13), 2)])
def test_a_window_is_current_until_its_end(day: date, days: int) -> None:
    """On another date than it began, and two dates later where the clock is put on within it."""
    session = PaperSession("late", (DAYS[day.weekday()],), "23:30", "America/New_York", 0, 1440)
    window = windows.window(session, day)
    assert window
    last = window.end.astimezone(UTC) - timedelta(seconds=1)
    assert (last.astimezone(window.end.tzinfo).date() - day).days == days
    assert current([session], last) == window


def test_the_eve_of_a_session_at_the_date_line() -> None:
    first = PaperSession("first", DAYS, "00:05", "Pacific/Kiritimati", 15, 60)
    window = windows.window(first, date(2026, 11, 25))
    assert window
    assert current([first], window.start) == window


def test_data_and_back() -> None:
    session = replace(OPEN, except_dates=frozenset({"2026-12-25", "2026-11-26"}))
    data = json.loads(json.dumps(entry(session)))
    assert data["except_dates"] == ["2026-11-26", "2026-12-25"]
    assert PaperSession.from_data(data) == session
    del data["except_dates"]
    assert PaperSession.from_data(data) == OPEN
    # As YAML reads dates without quotes.
    assert PaperSession.from_data({**data, "except_dates": [date(2026, 12, 25)]}).except_dates == {"2026-12-25"}
    with pytest.raises(TypeError, match="lead"):
        PaperSession.from_data({**data, "lead": 3})


GOOD: dict[str, Any] = entry(OPEN)


def test_good_sessions_have_no_problem() -> None:
    assert windows.problems([]) == []
    assert windows.problems([GOOD, entry(NIGHT)]) == []
    assert windows.problems([{**GOOD, "except_dates": [date(2026, 12, 25), "2026-11-26"]}]) == []
    assert windows.problems([{key: GOOD[key] for key in GOOD if key != "except_dates"}]) == []
    for lead, longest in ((0, 5), (120, 1440)):
        assert windows.problems([{**GOOD, "days": ["mon"], "lead_minutes": lead, "max_minutes": longest}]) == []


@pytest.mark.parametrize(
    ("change", "key", "id_"),
    [
        ({"name": "US open"}, "name", "session-value"),
        ({"days": "mon"}, "days", "session-value"),
        ({"days": []}, "days", "session-value"),
        ({"days": ["monday"]}, "days", "session-value"),
        ({"time": 990}, "time", "session-value"),
        ({"time": "9:30"}, "time", "session-value"),
        ({"time": "24:00"}, "time", "session-value"),
        ({"zone": "New York"}, "zone", "session-value"),
        ({"zone": "America"}, "zone", "session-value"),
        ({"zone": ""}, "zone", "session-value"),
        ({"zone": "../x"}, "zone", "session-value"),
        ({"zone": None}, "zone", "session-value"),
        ({"lead_minutes": -1}, "lead_minutes", "session-value"),
        ({"lead_minutes": 121}, "lead_minutes", "session-value"),
        ({"lead_minutes": True}, "lead_minutes", "session-value"),
        ({"max_minutes": 4}, "max_minutes", "session-value"),
        ({"max_minutes": 1441}, "max_minutes", "session-value"),
        ({"max_minutes": "90"}, "max_minutes", "session-value"),
        ({"max_minutes": 10}, "max_minutes", "session-too-short"),
        ({"except_dates": "2026-12-25"}, "except_dates", "session-value"),
        ({"except_dates": ""}, "except_dates", "session-value"),
        ({"except_dates": ["2026-02-30"]}, "except_dates", "session-value"),
        ({"except_dates": ["20261225"]}, "except_dates", "session-value"),
        ({"max_minute": 9}, "max_minute", "session-unknown-key"),
        ({"colour": "red"}, "colour", "session-unknown-key"),
    ],
)
def test_each_problem(change: dict[str, Any], key: str, id_: str) -> None:
    (problem,) = windows.problems([{**GOOD, **change}])
    assert (problem.id, problem.variable) == (id_, f"gateway_paper_sessions[0].{key}")
    assert problem.value == (None if id_ == "session-unknown-key" else repr(change[key]))


@pytest.mark.parametrize(("key", "named"), [("max_minute", ["max_minutes"]), ("colour", list(GOOD))])
def test_an_unknown_key_is_told_with_the_nearest_one_or_with_all(key: str, named: list[str]) -> None:
    (problem,) = windows.problems([{**GOOD, key: 9}])
    assert [each for each in GOOD if each in problem.fix] == named


@pytest.mark.parametrize("key", ["name", "days", "time", "zone", "lead_minutes", "max_minutes"])
def test_a_missing_key(key: str) -> None:
    (problem,) = windows.problems([GOOD | entry(NIGHT), {each: GOOD[each] for each in GOOD if each != key}])
    assert (problem.id, problem.variable) == ("session-missing-key", f"gateway_paper_sessions[1].{key}")


def test_a_bad_and_a_missing_value_are_told_with_the_rule_and_an_example() -> None:
    for wrong in ({**GOOD, "max_minutes": 4}, {each: GOOD[each] for each in GOOD if each != "max_minutes"}):
        (problem,) = windows.problems([wrong])
        assert "a whole number from 5 to 1440" in problem.wrong
        assert "for example 90" in problem.fix


def test_a_session_that_ends_before_its_pipeline_is_told_how_long_it_has_to_be() -> None:
    (problem,) = windows.problems([{**GOOD, "lead_minutes": 17, "max_minutes": 17}])
    assert "more than lead_minutes (17)" in problem.fix


@pytest.mark.parametrize(
    ("data", "id_", "value"),
    [
        ("x", "sessions-not-a-list", "'x'"),
        (None, "sessions-not-a-list", "None"),
        ([7], "session-not-a-mapping", "7"),
    ],
)
def test_what_is_no_list_of_sessions(data: object, id_: str, value: str) -> None:
    assert [(each.id, each.value) for each in windows.problems(data)] == [(id_, value)]


def test_an_entry_that_is_no_session_is_told_the_keys_of_one() -> None:
    (problem,) = windows.problems([7])
    assert ", ".join(GOOD) in problem.fix


def test_each_entry_is_told_of() -> None:
    found = windows.problems([GOOD, {**GOOD, "time": 990}, GOOD, {**GOOD, "name": "x", "days": []}, 7])
    assert [each.variable for each in found] == [
        "gateway_paper_sessions[1].time",
        "gateway_paper_sessions[2].name",
        "gateway_paper_sessions[3].days",
        "gateway_paper_sessions[4]",
    ]


def test_one_name_for_two_sessions() -> None:
    (problem,) = windows.problems([GOOD, {**GOOD, "time": "15:00"}])
    assert (problem.id, problem.variable, problem.value) == (
        "session-name-taken", "gateway_paper_sessions[1].name", "'us-open'",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "day"),
    [
        ({"time": "10:59"}, "2027-01-01"),
        ({"time": "15:30", "zone": "Europe/Zurich"}, "2027-01-01"),
        ({"days": ["sat"], "time": "10:59"}, None),
        ({"time": "11:00"}, None),
        ({"time": "17:05", "zone": "Europe/Zurich"}, None),
        ({"time": "16:00", "zone": "Europe/Zurich", "max_minutes": 15}, "2027-01-01"),
        # Six hours ahead, save in the weeks in which only one of the two has changed its clock.
        ({"time": "14:30", "zone": "Europe/Zurich", "max_minutes": 50}, "2027-03-15"),
        # Excluding one of them by date does not resolve the conflict.
        ({"time": "10:59", "days": ["fri"], "except_dates": ["2027-01-01"]}, "2027-01-01"),
    ],
)
def test_sessions_that_overlap(change: dict[str, Any], day: str | None) -> None:
    found = windows.problems([GOOD, {**GOOD, "name": "other", **change}])
    assert len(found) == (day is not None)
    if day:
        assert re.fullmatch(r"gateway_paper_sessions\[[01]\]\.time", found[0].variable)
        assert (found[0].id, day in found[0].wrong) == ("sessions-overlap", True)


def test_each_two_sessions_that_overlap_are_told_of() -> None:
    times = {"us-open": "09:30", "close": "10:30", "asia": "20:00", "night": "21:00"}
    found = windows.problems([{**GOOD, "name": name, "time": time} for name, time in times.items()])
    assert [each.variable for each in found] == [
        "gateway_paper_sessions[1].time",
        "gateway_paper_sessions[3].time",
    ]


def test_what_an_overlap_names() -> None:
    (problem,) = windows.problems([GOOD, {**GOOD, "name": "other", "time": "10:30"}])
    assert (problem.id, problem.variable) == ("sessions-overlap", "gateway_paper_sessions[1].time")
    assert problem.value == "'10:30'"
    for detail in ("2027-01-01", "other", "10:20 (America/New_York)", "us-open", "10:50 (America/New_York)"):
        assert detail in problem.wrong


def test_a_session_that_overlaps_itself() -> None:
    """A day is 23 hours long once a year."""
    around_the_clock = {**GOOD, "days": list(DAYS), "time": "00:10", "max_minutes": 1440}
    (problem,) = windows.problems([around_the_clock])
    assert (problem.id, problem.variable) == ("sessions-overlap", "gateway_paper_sessions[0].time")
    for detail in ("2027-03-15", "00:00 (America/New_York)", "01:00 (America/New_York)"):
        assert detail in problem.wrong
    assert windows.problems([{**around_the_clock, "max_minutes": 1380}]) == []
