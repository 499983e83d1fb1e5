# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules import sign_in

GOOD: dict[str, Any] = {
    "gateway_mode": "live",
    "gateway_stack": "tws",
    "gateway_password_secret": "projects/p/secrets/s/versions/latest",
    "session_watch": True,
    "session_sign_in_at": ["sun 10:00"],
    "session_alerts": [
        {"kind": "webhook", "url": "https://a"},
        {"kind": "telegram", "token": "1:a", "chat_id": "7", "answers_from": ["7"]},
        {"kind": "ntfy", "url": "https://n", "topic": "t", "answers_topic": "a", "answers_token": "tk"},
    ],
}
VARIABLES = ["session_sign_in_at", "session_alerts[1].answers_from", "session_alerts[2].answers_topic"]


@pytest.mark.parametrize(
    ("changes", "id_"),
    [
        ({"gateway_password_secret": ""}, "sign-in-no-password"),
        ({"session_watch": "false"}, "sign-in-unwatched"),
        ({"gateway_mode": "paper"}, "sign-in-paper"),
        ({"gateway_stack": "client_portal"}, "sign-in-of-portal"),
    ],
)
def test_problems(changes: dict[str, object], id_: str) -> None:
    assert [*sign_in.problems(GOOD)] == []
    found = [*sign_in.problems(GOOD | changes)]
    assert [(each.id, each.variable) for each in found] == [(id_, variable) for variable in VARIABLES]


@pytest.mark.parametrize("channels", [None, "x", [None, "x", {"kind": "webhook"}]])
def test_without_appointments_and_answers_nothing_is_wanted(channels: object) -> None:
    bare = {**GOOD, "session_sign_in_at": [], "session_alerts": channels, "gateway_password_secret": ""}
    assert [*sign_in.problems(bare)] == []
