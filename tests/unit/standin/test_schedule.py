# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ibgw_standin import schedule

NEW_YORK, BERLIN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("text", "clock"),
    [("12:00 AM", (0, 0)), ("12:30 PM", (12, 30)), ("11:45 pm", (23, 45)), ("01:05 AM", (1, 5)), ("13:05", (13, 5))],
)
def test_a_clock_is_read(text: str, clock: tuple[int, int]) -> None:
    assert schedule.clock_of(text) == clock


@pytest.mark.parametrize(
    ("text", "zone", "now", "moment"),
    [
        ("11:45 PM", NEW_YORK, "2026-11-20 23:44", "2026-11-20 23:45"),
        ("11:45 PM", NEW_YORK, "2026-11-20 23:45", "2026-11-21 23:45"),
        ("05:00 AM", BERLIN, "2026-11-20 22:30", "2026-11-20 23:00"),
        ("11:45 PM", NEW_YORK, "2026-10-31 23:50", "2026-11-01 23:45"),  # the clock goes back in between
        ("11:45 PM", NEW_YORK, "2026-03-07 23:50", "2026-03-08 23:45"),  # and forth
    ],
)
def test_the_next_time_is_by_the_zone(text: str, zone: ZoneInfo, now: str, moment: str) -> None:
    assert schedule.next_time(text, zone, at(now)) == at(moment)


@pytest.mark.parametrize(
    ("now", "moment"),
    [("2026-11-21 12:00", "2026-11-22 13:05"), ("2026-11-22 13:05", "2026-11-29 13:05")],
)
def test_a_cold_restart_comes_on_sunday(now: str, moment: str) -> None:
    assert schedule.next_time("13:05", NEW_YORK, at(now), schedule.SUNDAY) == at(moment)


@pytest.mark.parametrize(
    ("config", "now", "event"),
    [
        ({}, "2026-11-20 12:00", None),
        ({"ColdRestartTime": "07:05"}, "2026-11-22 00:30", ("2026-11-22 01:05", "COLD")),
        (
            {"ColdRestartTime": "07:05", "ClosedownAt": "Saturday 07:00"},
            "2026-11-20 12:00",
            ("2026-11-21 01:00", "CLOSEDOWN"),
        ),
        (
            {"ColdRestartTime": "07:05", "ClosedownAt": "Sat 23:00"},
            "2026-11-22 00:30",
            ("2026-11-22 01:05", "COLD"),
        ),
    ],
)
def test_ibc_ends_the_session_by_whatever_comes_first(
    config: dict[str, str], now: str, event: tuple[str, str] | None
) -> None:
    found = schedule.ibcs_end(lambda key: config.get(key, ""), BERLIN, at(now))
    assert found == (event and (at(event[0]), event[1]))


@pytest.mark.parametrize(
    ("key", "form"),
    [("ClosedownAt", "<[day ]hh:mm>   eg 22:00 or Friday 22:00"), ("ColdRestartTime", "<hh:mm>   eg 13:00")],
)
def test_a_time_that_ibc_cannot_read_is_told_in_its_words(key: str, form: str) -> None:
    with pytest.raises(ValueError, match=f"Invalid {key} setting: 'later'; format should be: {re.escape(form)}$"):
        schedule.ibcs_end(lambda name: "later" if name == key else "", BERLIN, at("2026-11-20 12:00"))


def test_a_closedown_may_name_its_day() -> None:
    now = at("2026-11-20 12:00")
    assert schedule.closedown("22:00", NEW_YORK, now) == at("2026-11-20 22:00")
    assert schedule.closedown("Saturday 23:30", NEW_YORK, now) == at("2026-11-21 23:30")


def test_the_next_minute_is_told_in_local_time() -> None:
    assert schedule.next_minute(NEW_YORK, at("2026-11-20 23:59:30")) == "12:00 AM"


@pytest.mark.parametrize(
    ("issued", "now", "valid"),
    [
        ("2026-11-16 23:45", "2026-11-17 23:45", True),
        ("2026-11-21 23:45", "2026-11-22 00:59", True),
        ("2026-11-21 23:45", "2026-11-22 01:00", False),
        ("2026-11-22 01:00", "2026-11-28 23:59", True),
        ("2026-11-16 23:45", "2026-11-23 10:00", False),
    ],
)
def test_a_token_dies_on_sunday_at_one_in_new_york(issued: str, now: str, valid: bool) -> None:
    assert schedule.token_valid(at(issued).timestamp(), at(now).timestamp()) is valid


def test_the_zone_of_the_process_stands_in_for_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert str(schedule.zone("")) == "Europe/Berlin"
    assert str(schedule.zone("America/New_York")) == "America/New_York"
    monkeypatch.delenv("TZ")
    assert datetime(2026, 1, 1, tzinfo=schedule.local_zone()) > datetime(2025, 12, 30, tzinfo=UTC)
