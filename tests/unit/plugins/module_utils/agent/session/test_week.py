# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import week

pytestmark = pytest.mark.usefixtures("process_zone")
HOUR = timedelta(hours=1)
instants = st.datetimes(
    datetime(2020, 1, 1),
    datetime(2035, 12, 31),
    timezones=st.sampled_from([UTC, week.NEW_YORK, ZoneInfo("Asia/Tokyo")]),
)


def ny(text: str, fold: int = 0) -> datetime:
    """New York's clock, as 2026-11-29 01:00."""
    return datetime.fromisoformat(text).replace(tzinfo=week.NEW_YORK, fold=fold)


def read(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%a %Y-%m-%d %H:%M %Z}"


def test_the_days_as_an_operator_writes_them() -> None:
    assert list(week.DAYS) == [f"{datetime(2026, 11, day):%a}".lower() for day in range(23, 30)]


@pytest.mark.parametrize(
    ("at", "last", "following"),
    [
        (ny("2026-11-25 12:00"), "Sun 2026-11-22 01:00 EST", "Sun 2026-11-29 01:00 EST"),
        (ny("2026-11-29 00:59"), "Sun 2026-11-22 01:00 EST", "Sun 2026-11-29 01:00 EST"),
        (ny("2026-11-29 01:00"), "Sun 2026-11-29 01:00 EST", "Sun 2026-12-06 01:00 EST"),
        (datetime(2026, 11, 29, 6, 0, tzinfo=UTC), "Sun 2026-11-29 01:00 EST", "Sun 2026-12-06 01:00 EST"),
        # Sunday noon in Tokyo is still Saturday in New York.
        (
            datetime(2026, 11, 29, 12, tzinfo=ZoneInfo("Asia/Tokyo")),
            "Sun 2026-11-22 01:00 EST",
            "Sun 2026-11-29 01:00 EST",
        ),
        # Clocks go forward at 02:00, an hour after the token death ...
        (ny("2027-03-14 01:59"), "Sun 2027-03-14 01:00 EST", "Sun 2027-03-21 01:00 EDT"),
        (ny("2027-03-13 12:00"), "Sun 2027-03-07 01:00 EST", "Sun 2027-03-14 01:00 EST"),
        # ... and back at 02:00 to 01:00: of the two, the first one counts.
        (ny("2027-11-06 12:00"), "Sun 2027-10-31 01:00 EDT", "Sun 2027-11-07 01:00 EDT"),
        (ny("2027-11-07 01:00"), "Sun 2027-11-07 01:00 EDT", "Sun 2027-11-14 01:00 EST"),
        (ny("2027-11-07 01:00", fold=1), "Sun 2027-11-07 01:00 EDT", "Sun 2027-11-14 01:00 EST"),
    ],
)
def test_token_deaths(at: datetime, last: str, following: str) -> None:
    assert (read(week.last_token_death(at)), read(week.token_death(at))) == (last, following)
    assert week.valid_until(at) == week.token_death(at)


@given(instants)
def test_a_token_death_is_the_next_sunday_at_one(at: datetime) -> None:
    death = week.token_death(at)
    assert (death.tzinfo, f"{death:%a %H:%M}", death.fold) == (week.NEW_YORK, "Sun 01:00", 0)
    assert timedelta(0) < death.astimezone(UTC) - at.astimezone(UTC) <= timedelta(days=7, hours=1)
    assert week.token_death(week.last_token_death(at)) == death
    assert week.last_token_death(death) == death


@given(instants, instants)
def test_token_deaths_keep_their_order(one: datetime, other: datetime) -> None:
    first, second = sorted((one.astimezone(UTC), other.astimezone(UTC)))
    assert week.token_death(first) <= week.token_death(second)


@given(instants, st.sampled_from([UTC, week.NEW_YORK, ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=-11))]))
def test_the_zone_of_the_question_does_not_matter(at: datetime, zone: ZoneInfo) -> None:
    same = at.astimezone(zone)
    for question in (week.token_death, week.next_close, week.closing, week.sign_in_opens, week.sign_in_deadline):
        assert question(same) == question(at.astimezone(UTC))
    for region in week.RESETS:
        assert week.reset_ends(same, region) == week.reset_ends(at.astimezone(UTC), region)


@pytest.mark.parametrize(
    ("at", "closing", "close"),
    [
        (ny("2026-11-28 23:29"), False, "Sat 2026-11-28 23:30 EST"),
        (ny("2026-11-28 23:30"), True, "Sat 2026-12-05 23:30 EST"),
        (ny("2026-11-29 00:30"), True, "Sat 2026-12-05 23:30 EST"),
        (ny("2026-11-29 01:14"), True, "Sat 2026-12-05 23:30 EST"),
        (ny("2026-11-29 01:15"), False, "Sat 2026-12-05 23:30 EST"),
        (ny("2027-03-14 01:15"), False, "Sat 2027-03-20 23:30 EDT"),
        # The sign-in opens with the second 01:15 of the autumn Sunday, when tokens are dead in either reading.
        (ny("2027-11-07 01:30"), True, "Sat 2027-11-13 23:30 EST"),
        (ny("2027-11-07 01:14", fold=1), True, "Sat 2027-11-13 23:30 EST"),
        (ny("2027-11-07 01:15", fold=1), False, "Sat 2027-11-13 23:30 EST"),
    ],
)
def test_the_close_of_the_week(at: datetime, closing: bool, close: str) -> None:
    assert (week.closing(at), week.closing(at.astimezone(UTC))) == (closing, closing)
    assert read(week.next_close(at)) == close


def test_messages_say_when_the_week_ends_and_begins() -> None:
    assert (week.VOIDED, week.OPENED) == ("Sunday 01:00", "Sunday 01:15")


@pytest.mark.parametrize(
    ("at", "signed_in_at", "phase"),
    [
        (ny("2026-11-29 03:00"), None, "sign_in_due"),
        (ny("2026-11-29 03:00"), ny("2026-11-28 20:00"), "sign_in_due"),
        (ny("2026-11-29 16:59"), ny("2026-11-22 12:00"), "sign_in_due"),
        (ny("2026-11-29 17:00"), ny("2026-11-22 12:00"), "overdue"),
        (ny("2026-12-03 09:00"), None, "overdue"),
        (ny("2026-12-03 09:00"), ny("2026-11-29 01:15"), "valid"),
        (ny("2026-12-05 23:29"), ny("2026-11-29 12:00"), "valid"),
        (ny("2026-12-05 23:30"), ny("2026-11-29 12:00"), "closing"),
        (ny("2026-12-06 01:15"), ny("2026-11-29 12:00"), "sign_in_due"),
    ],
)
def test_phases(at: datetime, signed_in_at: datetime | None, phase: str) -> None:
    assert week.phase(at, signed_in_at) == phase
    assert week.phase(at.astimezone(UTC), signed_in_at and signed_in_at.astimezone(UTC)) == phase


def test_the_operators_own_deadline() -> None:
    at = ny("2026-12-01 09:00")
    assert read(week.sign_in_opens(at)) == "Sun 2026-11-29 01:15 EST"
    assert read(week.sign_in_deadline(at)) == "Sun 2026-11-29 17:00 EST"
    assert read(week.sign_in_deadline(at, "16:45")) == "Sun 2026-11-29 16:45 EST"
    assert week.phase(ny("2026-11-29 16:44"), None, "16:45") == "sign_in_due"
    assert week.phase(ny("2026-11-29 16:45"), None, "16:45") == "overdue"
    with pytest.raises(ValueError, match="late"):
        week.sign_in_deadline(at, "late")


@pytest.mark.long
@pytest.mark.parametrize("year", range(2024, 2032))
def test_a_year_hour_by_hour(year: int) -> None:
    """An operator signs in every Sunday at noon; what is left of each week is due, closing and valid, never overdue."""
    first, last = (
        datetime.combine(week.token_death(ny(f"{each}-01-01")), time(), week.NEW_YORK) for each in (year, year + 1)
    )
    weeks = (last - first).days // 7
    at, signed_in_at = first.astimezone(UTC), first
    hours: Counter[tuple[str, str]] = Counter()
    while at < last.astimezone(UTC):
        day, hour = f"{at.astimezone(week.NEW_YORK):%a %H}".split()
        if (day, hour) == ("Sun", "12"):
            signed_in_at = at
        hours[day, week.phase(at, signed_in_at)] += 1
        at += HOUR
    assert {phase for _day, phase in hours} == {"closing", "valid", "sign_in_due"}
    assert {day for day, phase in hours if phase != "valid"} == {"Sun"}
    assert hours["Sun", "valid"] == 12 * weeks
    # 00:00 and 01:00, in autumn another 01:00; then 02:00 to 11:00, in spring without 02:00.
    assert hours["Sun", "closing"] == 2 * weeks + 1
    assert hours["Sun", "sign_in_due"] == 10 * weeks - 1


SUNDAY = "2026-11-29"


@pytest.mark.parametrize(
    ("at", "signed_in_at", "told", "due"),
    [
        # Nobody can sign in on Saturday: being signed in for the week that ends changes nothing.
        (ny("2026-11-28 17:59"), ny("2026-11-22 12:00"), (), None),
        (ny("2026-11-28 18:00"), ny("2026-11-22 12:00"), (), f"{SUNDAY}/heads_up"),
        (ny("2026-11-28 18:00"), None, (), f"{SUNDAY}/heads_up"),
        (ny("2026-11-28 19:00"), ny("2026-11-22 12:00"), {f"{SUNDAY}/heads_up"}, None),
        (ny("2026-11-29 11:59"), None, {f"{SUNDAY}/heads_up"}, None),
        (ny("2026-11-29 12:00"), None, {f"{SUNDAY}/heads_up"}, f"{SUNDAY}/noon"),
        (ny("2026-11-29 12:00"), ny("2026-11-29 08:00"), (), None),
        (ny("2026-11-29 16:29"), None, (), f"{SUNDAY}/noon"),
        # Of several that were missed, the newest; and not the older ones after it.
        (ny("2026-11-29 16:30"), None, (), f"{SUNDAY}/last_hour"),
        (ny("2026-11-29 16:30"), None, {f"{SUNDAY}/last_hour"}, None),
        (ny("2026-12-02 09:00"), ny("2026-11-24 12:00"), (), f"{SUNDAY}/last_hour"),
        (ny("2026-12-02 09:00"), ny("2026-11-30 12:00"), (), None),
        (ny("2026-12-05 18:00"), ny("2026-11-30 12:00"), {f"{SUNDAY}/last_hour"}, "2026-12-06/heads_up"),
        # Both weekends on which clocks change.
        (ny("2027-03-13 18:00"), None, (), "2027-03-14/heads_up"),
        (ny("2027-11-06 18:00"), None, (), "2027-11-07/heads_up"),
        (ny("2027-11-07 16:30"), None, (), "2027-11-07/last_hour"),
    ],
)
def test_reminders(at: datetime, signed_in_at: datetime | None, told: set[str], due: str | None) -> None:
    assert week.reminder_due(at, signed_in_at, "17:30", told) == due


def test_a_year_without_sign_ins_is_three_reminders_a_week_at_their_time() -> None:
    at, told = datetime(2027, 1, 3, 12, tzinfo=UTC), dict[str, datetime]()
    while at < datetime(2028, 1, 2, 12, tzinfo=UTC):
        key = week.reminder_due(at, None, told=told)
        if key:
            told[key] = at
        at += HOUR / 2
    told.pop("2027-01-03/heads_up")
    assert Counter(f"{moment.astimezone(week.NEW_YORK):%a %H:%M}" for moment in told.values()) == {
        "Sat 18:00": 52,
        "Sun 12:00": 52,
        "Sun 16:00": 52,
    }


@pytest.mark.parametrize(
    ("region", "at", "ends"),
    [
        ("north_america", ny("2026-11-25 00:14"), "Wed 2026-11-25 01:45 EST"),  # by the other one, which ends 00:30
        ("north_america", ny("2026-11-25 01:44"), "Wed 2026-11-25 01:45 EST"),
        ("north_america", ny("2026-11-25 01:45"), None),
        ("north_america", ny("2026-11-24 23:29"), None),
        ("north_america", ny("2026-11-24 23:30"), "Wed 2026-11-25 01:45 EST"),
        ("north_america", ny("2026-11-27 22:59"), None),
        ("north_america", ny("2026-11-27 23:00"), "Sat 2026-11-28 03:00 EST"),
        ("north_america", ny("2026-11-28 02:59"), "Sat 2026-11-28 03:00 EST"),
        ("north_america", ny("2026-11-28 03:00"), None),
        ("north_america", ny("2026-11-28 23:45"), "Sun 2026-11-29 01:45 EST"),
        ("europe", datetime(2026, 11, 25, 5, 24, tzinfo=UTC), None),
        ("europe", datetime(2026, 11, 25, 5, 25, tzinfo=UTC), "Wed 2026-11-25 07:45 CET"),
        ("europe", datetime(2027, 7, 7, 4, 25, tzinfo=UTC), "Wed 2027-07-07 07:45 CEST"),
        ("europe", datetime(2026, 11, 28, 8, 0, tzinfo=UTC), None),
        ("europe", ny("2026-11-28 01:00"), "Sat 2026-11-28 03:00 EST"),
        ("asia_pacific", datetime(2026, 11, 24, 20, 44, tzinfo=UTC), None),
        ("asia_pacific", datetime(2026, 11, 24, 20, 45, tzinfo=UTC), "Wed 2026-11-25 06:05 HKT"),
        ("asia_pacific", datetime(2026, 11, 25, 12, 14, tzinfo=UTC), None),
        ("asia_pacific", datetime(2026, 11, 25, 12, 15, tzinfo=UTC), "Wed 2026-11-25 21:15 HKT"),
        ("asia_pacific", datetime(2026, 11, 25, 13, 15, tzinfo=UTC), None),
        # Saturday has no daily reset; in Hong Kong its morning is before the weekend's, which begins in New York.
        ("asia_pacific", datetime(2026, 11, 27, 21, 0, tzinfo=UTC), None),
        ("asia_pacific", datetime(2026, 11, 28, 12, 30, tzinfo=UTC), None),
    ],
)
def test_resets(region: str, at: datetime, ends: str | None) -> None:
    assert read(week.reset_ends(at, region)) == ends


def test_an_unknown_region() -> None:
    with pytest.raises(KeyError, match="mars"):
        week.reset_ends(ny("2026-11-25 00:20"), "mars")


@given(instants, st.sampled_from(sorted(week.RESETS)))
def test_after_a_reset_the_servers_are_back(at: datetime, region: str) -> None:
    end = week.reset_ends(at, region)
    if end is not None:
        assert timedelta(0) < end.astimezone(UTC) - at.astimezone(UTC) < timedelta(hours=6)
        assert week.reset_ends(end, region) is None
