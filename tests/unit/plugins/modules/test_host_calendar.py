# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.modules import host_calendar

SESSION = {"name": "a", "days": ["mon"], "time": "09:30", "zone": "Asia/Tokyo", "lead_minutes": 1, "max_minutes": 9}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("time_zone", "sessions", "variables"),
    [
        ("America/New_York", [SESSION], []),
        (None, [], []),
        ("US/Eastern", [SESSION], ["gateway_time_zone"]),
        ("Mars/Olympus", [SESSION | {"zone": "Mars/Olympus"}], ["gateway_paper_sessions[0].zone", "gateway_time_zone"]),
        ("UTC", [SESSION, SESSION | {"name": "b", "zone": "x/y"}], ["gateway_paper_sessions[1].zone"]),
        ("UTC", [SESSION | {"time": "24:30"}], ["gateway_paper_sessions[0].time"]),
        ("UTC", [SESSION, SESSION | {"name": "b"}], ["gateway_paper_sessions[1].time"]),
    ],
)
def test_what_the_host_cannot_read(
    run_module: Any, time_zone: str | None, sessions: list[dict[str, Any]], variables: list[str], check: bool
) -> None:
    result = run_module(host_calendar.main, time_zone=time_zone, paper_sessions=sessions, check=check)
    assert [problem["variable"] for problem in result["problems"]] == variables
    assert result.get("failed", False) == bool(variables)
    assert not result.get("changed", False)


@pytest.mark.parametrize(("zone", "wrong"), [("Asia/Tokyo", False), ("Mars/Olympus", True)])
def test_the_zone_of_an_appointment(run_module: Any, zone: str, wrong: bool) -> None:
    result = run_module(host_calendar.main, sign_in_zone=zone)
    assert [problem["variable"] for problem in result["problems"]] == ["session_sign_in_zone"] * wrong
    assert result.get("failed", False) is wrong
