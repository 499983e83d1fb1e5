"""The VM's hours, as cron lines, beside the windows of the sessions that the gateway's own watcher goes by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.fake_gcp.scheduler import check_cron

from ansible_collections.ibops.gateway.plugins.filter.vm_hours import vm_hours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import windows
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.week import DAYS
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.vm_hours import SETTLE, HoursError, jobs

WEEKDAYS = list(DAYS[:5])
ZONES = ("America/New_York", "Europe/Zurich", "Asia/Hong_Kong", "Australia/Lord_Howe", "UTC")
Span = tuple[datetime, datetime]


def session(**changes: Any) -> dict[str, Any]:
    return {
        "name": "open",
        "days": WEEKDAYS,
        "time": "09:30",
        "zone": "America/New_York",
        "lead_minutes": 10,
        "max_minutes": 90,
        **changes,
    }


LINES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "a working day": ([session()], ["open start 15 9 * * 1,2,3,4,5", "open stop 55 10 * * 1,2,3,4,5"]),
    "every day": (
        [session(days=list(DAYS), time="12:00")],
        ["open start 45 11 * * *", "open stop 25 13 * * *"],
    ),
    "a start on the eve": (
        [session(days=["mon", "fri"], time="00:05")],
        ["open start 50 23 * * 0,4", "open stop 30 1 * * 1,5"],
    ),
    "a stop on the day after": (
        [session(days=["fri"], time="23:30")],
        ["open start 15 23 * * 5", "open stop 55 0 * * 6"],
    ),
    "two that touch on two days": (
        [session(), session(name="next", days=["mon", "tue"], time="11:05", max_minutes=60)],
        [
            "open start 15 9 * * 1,2,3,4,5",
            "open stop 55 10 * * 3,4,5",
            "next start 50 10 * * 1,2",
            "next stop 0 12 * * 1,2",
        ],
    ),
    "round the clock": (
        [
            session(days=list(DAYS), time="00:10", zone="UTC", max_minutes=720),
            session(name="rest", days=list(DAYS), time="12:10", zone="UTC", max_minutes=720),
        ],
        ["open start 55 23 * * *", "rest start 55 11 * * *"],
    ),
}


@pytest.mark.parametrize(("sessions", "expected"), LINES.values(), ids=LINES)
def test_lines(sessions: list[dict[str, Any]], expected: list[str]) -> None:
    found = vm_hours(sessions, "vm")
    said = [f"{each['name'].split('-')[1]} {each['action']} {each['schedule']}" for each in found]
    assert said == expected
    for each in found:
        check_cron(each["schedule"])


def test_the_margins() -> None:
    start, stop = vm_hours([session()], "vm", "0", 15)
    assert (start["schedule"], stop["schedule"]) == ("20 9 * * 1,2,3,4,5", "5 11 * * 1,2,3,4,5")


@pytest.mark.parametrize(
    ("sessions", "margins", "said"),
    [
        ([session(days=["sun"], time="03:05")], (), "on 2027-03-14 the clock of America/New_York is changed"),
        ([session(days=["sat"], time="23:30", max_minutes=240)], (), "Leave sat out of its days, move it"),
        ([session(zone="America/Newyork")], (), "gateway_paper_sessions[0].zone = 'America/Newyork': "),
        ([session()], (-1,), "boot_minutes is -1"),
    ],
)
def test_refused(sessions: list[dict[str, Any]], margins: tuple[int, ...], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as refusal:
        vm_hours(sessions, "vm", *margins)
    assert said in str(refusal.value)


# In general

FIRST, BOOT, STOP = date(2026, 1, 1), timedelta(minutes=5), timedelta(minutes=5)


@st.composite
def any_sessions(draw: st.DrawFn, zones: tuple[str, ...]) -> list[dict[str, Any]]:
    """Up to three sessions of one day's run each, in these zones."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        lead = draw(st.integers(0, 30))
        found.append(
            session(
                name=f"s{number}",
                days=draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)),
                time=f"{draw(st.integers(0, 23)):02}:{draw(st.sampled_from(range(0, 60, 5))):02}",
                zone=draw(st.sampled_from(zones)),
                lead_minutes=lead,
                max_minutes=draw(st.integers(max(5, lead + 1), 400)),
                except_dates=["2026-06-19"],
            )
        )
    return found


def wanted(sessions: Iterable[dict[str, Any]]) -> list[Span]:
    """Return the periods of a year in which the VM has to run, by the gateway's sessions; adjoining ones are merged."""
    found: list[Span] = []
    for entry in sessions:
        each = windows.PaperSession.from_data({**entry, "except_dates": []})
        runs = (windows.window(each, FIRST + timedelta(days=day)) for day in range(7, 358))
        found += [(run.start.astimezone(UTC) - BOOT, run.end.astimezone(UTC) + STOP) for run in runs if run is not None]
    merged: list[Span] = []
    for start, end in sorted(found):
        if merged and start - SETTLE <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def lived(lines: Iterable[dict[str, str]]) -> list[Span]:
    """The hours in which a VM with these scheduler jobs runs, over more than a year."""
    events: list[tuple[datetime, str]] = []
    for job in lines:
        minute, hour, _day, _month, weekdays = job["schedule"].split()
        for day in (FIRST + timedelta(days=number) for number in range(366)):
            if weekdays == "*" or str(day.isoweekday() % 7) in weekdays.split(","):
                at = datetime.combine(day, time(int(hour), int(minute)), ZoneInfo(job["time_zone"]))
                events.append((at.astimezone(UTC), job["action"]))
    found: list[Span] = []
    since: datetime | None = None
    for at, action in sorted(events):
        if action == "start":
            since = since or at
        elif since:
            found.append((since, at))
            since = None
    return [*found, (since, datetime.max.replace(tzinfo=UTC))] if since else found


def lines_of(sessions: list[dict[str, Any]]) -> list[dict[str, str]]:
    try:
        return jobs(sessions, "vm")
    except HoursError:
        assume(False)
        raise


@settings(max_examples=60)
@given(any_sessions(("Europe/Zurich",)))
def test_in_one_zone_the_vm_is_on_for_the_sessions_and_no_minute_more(sessions: list[dict[str, Any]]) -> None:
    needed, on = wanted(sessions), lived(lines_of(sessions))
    middle = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    inside = [[each for each in spans if middle[0] < each[0] and each[1] < middle[1]] for spans in (needed, on)]
    assert inside[0] == inside[1]


@settings(max_examples=60)
@given(any_sessions(ZONES))
def test_in_many_zones_no_session_finds_the_vm_down(sessions: list[dict[str, Any]]) -> None:
    on = lived(lines_of(sessions))
    for start, end in wanted(sessions):
        assert any(since <= start and end <= until for since, until in on), (start, end)
