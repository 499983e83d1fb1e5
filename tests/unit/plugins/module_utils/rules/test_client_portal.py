# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules.client_portal import problems

GOOD: dict[str, Any] = {
    "gateway_mode": "paper",
    "gateway_paper_sessions": [],
    "client_portal_allow": ["127.0.0.1", "172.*"],
    "client_portal_remote": "https://api.ibkr.com",
    "client_portal_environment": {"LEVEL": "INFO"},
    "client_portal_tickle_seconds": 60,
    "client_portal_keystore": "",
    "client_portal_keystore_password": "",
    "client_portal_ca": "",
    "client_portal_accept_pushes": False,
}
KEYSTORE = {"client_portal_keystore": "/k", "client_portal_keystore_password": "p", "client_portal_ca": "/c"}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        KEYSTORE,
        {"client_portal_tickle_seconds": 0},
        {"client_portal_tickle_seconds": "240"},
        {"gateway_mode": "live", "client_portal_accept_pushes": "yes"},
    ],
)
def test_what_works(changed: dict[str, Any]) -> None:
    assert list(problems({**GOOD, **changed}, ["IBEAM_ACCOUNT"])) == []


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("client_portal_allow", ["*"], "portal-allow"),
        ("client_portal_allow", ["172.*", "localhost"], "portal-allow"),
        ("client_portal_remote", "http://api.ibkr.com", "portal-remote"),
        ("client_portal_environment", {"IBEAM_ACCOUNT": "x"}, "portal-environment"),
        ("client_portal_tickle_seconds", 4, "portal-tickle"),
        ("client_portal_tickle_seconds", 241, "portal-tickle"),
        ("client_portal_keystore", "/k", "portal-keystore"),
        ("gateway_paper_sessions", [{"name": "open"}], "portal-sessions"),
        ("gateway_mode", "live", "portal-pushes"),
    ],
)
def test_what_cannot_work(variable: str, value: object, id_: str) -> None:
    assert [each.id for each in problems({**GOOD, variable: value}, ["IBEAM_ACCOUNT"])] == [id_]
