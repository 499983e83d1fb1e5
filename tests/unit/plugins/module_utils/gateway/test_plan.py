# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import descriptor, plan
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.plan import Plan, problems

GOOD: dict[str, Any] = {
    "session_interval": 60,
    "session_client_id": 916,
    "session_region": "north_america",
    "session_sign_in_deadline": "17:00",
    "session_sign_in_pushes": 3,
    "session_sign_in_minutes": 10,
    "session_manual_minutes": 240,
    "session_alerts": [],
    "other_client_ids": [917, 918],
}


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("session_interval", 5, "from 10 to 600"),
        ("session_interval", "60", "not a whole number"),
        ("session_client_id", 0, "from 1 to"),
        ("session_client_id", 917, "two clients with one id"),
        ("session_region", "mars", "choose north_america, europe, asia_pacific"),
        ("session_sign_in_deadline", "5 PM", "as HH:MM"),
        ("session_sign_in_deadline", 1020, "as HH:MM"),
        ("session_sign_in_deadline", "01:30", "leave room for a person"),
        ("session_sign_in_pushes", 10, "from 1 to 5"),
        ("session_sign_in_minutes", 60, "from 4 to 30"),
        ("session_manual_minutes", 0, "from 5 to 1440"),
        ("session_alerts", [{"kind": "pigeon"}], "pigeon"),
    ],
)
def test_problems(variable: str, value: object, said: str) -> None:
    assert problems(GOOD) == []
    found = problems(GOOD | {variable: value})
    assert any(problem.startswith(variable) and said in problem for problem in found), found


def test_a_plan_is_read_and_a_later_one_too(deploy: Any) -> None:
    deploy()
    assert plan.load("paper") == Plan()
    with open(plan.path("paper"), "w") as file:
        json.dump({"schema": 1, "pushes": 2, "of_a_later_release": True, "paper_sessions": []}, file)
    assert plan.load("paper").pushes == 2


@pytest.mark.parametrize("content", ["", "[]", '{"paper_sessions": [{"name": 1}]}', "{"])
def test_a_damaged_plan_says_so(deploy: Any, content: str) -> None:
    deploy()
    with open(plan.path("paper"), "w") as file:
        file.write(content)
    with pytest.raises(descriptor.DescriptorError, match=r"run site\.yml to write it anew"):
        plan.load("paper")
