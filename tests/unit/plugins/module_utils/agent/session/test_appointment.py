# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from tests.unit.plugins.session_log import new_york

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import appointment, week

NEW_YORK = "America/New_York"


def begins(sunday: str) -> datetime:
    return datetime.fromisoformat(f"{sunday} 01:00").replace(tzinfo=week.NEW_YORK)


@pytest.mark.parametrize(
    ("times", "zone", "sunday", "expected"),
    [
        (["sun 10:00"], NEW_YORK, "2026-11-29", ["2026-11-29 10:00"]),
        (["sun 15:00", "sun 10:00"], NEW_YORK, "2026-11-29", ["2026-11-29 10:00", "2026-11-29 15:00"]),
        (["sun 16:00"], "Europe/Berlin", "2026-10-18", ["2026-10-18 10:00"]),
        (["sun 16:00"], "Europe/Berlin", "2026-10-25", ["2026-10-25 11:00"]),
        (["sun 16:00"], "Europe/Berlin", "2026-11-01", ["2026-11-01 10:00"]),
        (["mon 04:00"], "Asia/Tokyo", "2026-11-29", ["2026-11-29 14:00"]),
        (["sat 22:00"], "Pacific/Honolulu", "2026-11-29", ["2026-11-29 03:00"]),
    ],
)
def test_moments(times: list[str], zone: str, sunday: str, expected: list[str]) -> None:
    assert appointment.moments(times, zone, begins(sunday)) == [*map(new_york, expected)]


@pytest.mark.parametrize(
    ("times", "zone", "id_", "variable"),
    [
        ("10:00", NEW_YORK, "appointment-form", "session_sign_in_at[0]"),
        (["sun 10:00", "Sunday 11:00"], NEW_YORK, "appointment-form", "session_sign_in_at[1]"),
        (["sun 24:00"], NEW_YORK, "appointment-form", "session_sign_in_at[0]"),
        (600, NEW_YORK, "appointment-form", "session_sign_in_at[0]"),
        (["sun 10:00"], "Mars/Olympus", "zone-unknown", "session_sign_in_zone"),
        (["sun 08:00", "sun 10:00", "sun 12:00", "sun 14:00"], NEW_YORK, "appointments-many", "session_sign_in_at"),
        (["sun 10:00", "sun 10:59"], NEW_YORK, "appointments-close", "session_sign_in_at"),
        # In autumn the first 01:15 of two is that of a dead token.
        (["sun 01:15"], NEW_YORK, "appointment-outside", "session_sign_in_at[0]"),
        (["sun 16:51"], NEW_YORK, "appointment-outside", "session_sign_in_at[0]"),
        (["sun 10:00", "wed 10:00"], NEW_YORK, "appointment-outside", "session_sign_in_at[1]"),
        # In winter at 16:00 of New York, in summer past the deadline.
        (["mon 06:00"], "Asia/Tokyo", "appointment-outside", "session_sign_in_at[0]"),
    ],
)
def test_problems(times: object, zone: str, id_: str, variable: str) -> None:
    (problem,) = appointment.problems(times, zone, "17:00", 10)
    assert (problem.id, problem.variable) == (id_, variable)


@pytest.mark.parametrize("times", [[], "sun 10:00", ["sun 02:15", "sun 16:50"], ["sun 10:00", "sun 11:00"]])
def test_what_may_be_appointed(times: object) -> None:
    assert appointment.problems(times, NEW_YORK, "17:00", 10) == []


def test_a_zone_s_clock_counts_in_every_week() -> None:
    (problem,) = appointment.problems(["mon 06:00"], "Asia/Tokyo", "17:00", 10)
    summer = datetime(2027, 3, 14, 21, tzinfo=ZoneInfo("UTC")).date()
    assert f"on {summer} not within Sunday 01:15 and 16:50" in str(problem)
