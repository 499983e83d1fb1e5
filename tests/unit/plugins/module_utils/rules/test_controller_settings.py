# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules import controller_settings
from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import BYPASS, OPTIONS

DEFAULTS = {name: [] if key.type == "list" else key.default for name, key in OPTIONS.items()} | {BYPASS: []}
# Of an option without an equivalent, a value that somebody could wish for.
OTHERS: dict[str, Any] = {
    "gateway_login_dialog_timeout": 60,
    "gateway_second_factor_timeout": 60,
    "gateway_second_factor_exit_interval": 120,
    "gateway_trusted_client_ips": ["10.0.0.1"],
    BYPASS: ["BypassBondWarning"],
}


def test_each_option_is_one_of_ibc_and_stands_in_one_place() -> None:
    assert {*controller_settings.KEPT, *controller_settings.LACKING} <= {*OPTIONS, BYPASS}
    assert not controller_settings.KEPT.keys() & controller_settings.LACKING.keys()


def test_the_defaults_are_taken() -> None:
    assert controller_settings.problems("ibg-controller", DEFAULTS) == []
    assert controller_settings.problems("ibg-controller", {}) == []


@pytest.mark.parametrize("name", sorted(DEFAULTS.keys() - controller_settings.KEPT.keys()))
def test_what_has_no_equivalent_is_refused_by_name(name: str) -> None:
    default = DEFAULTS[name]
    value = OTHERS.get(name, (not default) if isinstance(default, bool) else True if default is None else "x")
    (said,) = controller_settings.problems("ibg-controller", DEFAULTS | {name: value})
    assert said.startswith(f"{name}: {value!r} ")
    assert controller_settings.problems("ibc", DEFAULTS | {name: value}) == []


@pytest.mark.parametrize(("time", "taken"), [("10:00 PM", True), ("", True), ("05:30 AM", False), ("05:30 am", False)])
def test_no_restart_in_the_morning(time: str, taken: bool) -> None:
    assert (not controller_settings.problems("ibg-controller", {"gateway_auto_restart_time": time})) is taken


def test_what_has_an_equivalent_or_is_built_in_is_taken() -> None:
    wanted = {
        "gateway_existing_session_action": "secondary",
        "gateway_read_only_api": False,
        "gateway_master_client_id": 7,
        "gateway_dismiss_password_expiry_warning": True,
    }
    assert controller_settings.problems("ibg-controller", DEFAULTS | wanted) == []
