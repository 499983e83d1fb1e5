# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import calendar_data

SESSION = {"name": "a", "days": ["mon"], "time": "09:30", "zone": "Asia/Tokyo", "lead_minutes": 1, "max_minutes": 9}


@pytest.mark.parametrize(
    ("time_zone", "changes", "variable"),
    [
        (None, {}, None),
        ("Europe/Zurich", {}, None),
        ("Mars/Olympus", {}, "gateway_time_zone"),
        ("", {"zone": "Mars/Olympus"}, "gateway_paper_sessions[1].zone"),
        (None, {"time": "25:00"}, "gateway_paper_sessions[1].time"),
    ],
)
def test_what_this_machine_cannot_read_of_a_calendar(
    time_zone: str | None, changes: dict[str, str], variable: str | None
) -> None:
    other = {**SESSION, "name": "b", "days": ["tue"], **changes}
    found = calendar_data.calendar_problems(time_zone, [SESSION, other])
    assert [each.variable for each in found] == ([variable] if variable else [])
