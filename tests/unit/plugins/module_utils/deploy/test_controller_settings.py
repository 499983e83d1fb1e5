# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a controller that does not read config.ini, and those that are refused by name."""

from __future__ import annotations

import pytest
from tests.unit.plugins.made_images import config_of

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import controller_settings
from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import BYPASS, OPTIONS

IBG, TITLE = controllers.IBG_CONTROLLER.name, controllers.IBG_CONTROLLER.title
FIXED = controller_settings.TABLES[IBG].fixed


@pytest.mark.parametrize("controller", controller_settings.TABLES)
def test_each_option_is_one_of_ibc_and_stands_in_one_place(controller: str) -> None:
    own = controller_settings.TABLES[controller]
    places = [*own.kept, *own.always, *own.lacking]
    assert {*places} <= {*OPTIONS, BYPASS}
    assert len({*places}) == len(places)
    assert {*own.afternoon} <= own.kept.keys()


def test_ibc_reads_the_file_itself() -> None:
    assert controller_settings.environment("ibc", config_of()) == {}
    assert controller_settings.problems("ibc", "IBC", config_of(ColdRestartTime="01:00", Own="x")) == []


def test_the_defaults_of_the_role_are_kept() -> None:
    assert controller_settings.problems(IBG, TITLE, config_of()) == []
    assert controller_settings.environment(IBG, config_of()) == {
        **FIXED,
        "EXISTING_SESSION_DETECTED_ACTION": "primary",
        "RELOGIN_AFTER_TWOFA_TIMEOUT": "no",
        "READ_ONLY_API": "yes",
        "AUTO_RESTART_TIME": "10:00 PM",
        "CONTROLLER_COMMAND_SERVER_PORT": "7462",
    }
    assert FIXED["CONTROLLER_COMMAND_SERVER_HOST"] == FIXED["CONTROLLER_HEALTH_SERVER_HOST"] == "127.0.0.1"


def test_a_setting_that_it_has_reaches_it() -> None:
    given = config_of(OverrideTwsMasterClientID="7", ReadOnlyApi="no", AutoRestartTime="", CommandServerPort="7500")
    found = controller_settings.environment(IBG, given)
    assert (found["TWS_MASTER_CLIENT_ID"], found["READ_ONLY_API"]) == ("7", "no")
    assert found["CONTROLLER_COMMAND_SERVER_PORT"] == "7500"
    assert "AUTO_RESTART_TIME" not in found


@pytest.mark.parametrize(
    ("values", "kind", "variable", "text"),
    [
        ({"ColdRestartTime": "01:00"}, "controller-lacks-setting", "gateway_cold_restart_time", "no setting for this"),
        ({"SecondFactorDevice": "IB Key"}, "controller-lacks-setting", "gateway_second_factor_device", "keep one"),
        ({"BypassBondWarning": "yes"}, "controller-lacks-setting", BYPASS, "set it to [], its default"),
        ({"TrustedTwsApiClientIPs": "10.0.0.1"}, "controller-lacks-setting", "gateway_trusted_client_ips", "[]"),
        ({"SendMarketDataInLotsForUSstocks": "no"}, "controller-lacks-setting", "gateway_market_data_in_lots", "null"),
        ({"AutoLogoffTime": "11:00 PM"}, "controller-lacks-setting", "gateway_auto_logoff_time", "a push"),
        ({"AcceptNonBrokerageAccountWarning": "no"}, "controller-always",
         "gateway_accept_non_brokerage_warning", "always does it"),
        ({"AutoRestartTime": "07:30 AM"}, "controller-morning", "gateway_auto_restart_time", "from 12:00 PM"),
        ({"LogComponents": "never"}, "controller-no-config", "gateway_config_extra.LogComponents", "does not read"),
        ({"NewKey": "secret"}, "controller-no-config", "gateway_config_extra.NewKey", "remove it"),
    ],
)  # fmt: skip
def test_a_setting_that_it_cannot_keep_is_refused_by_name(
    values: dict[str, str], kind: str, variable: str, text: str
) -> None:
    [found] = controller_settings.problems(IBG, TITLE, config_of(**values))
    assert (found.id, found.variable) == (kind, variable)
    assert text in str(found)
    assert "ibg-controller" in str(found)
    assert "secret" not in str(found)


def test_either_value_of_a_notice_that_is_always_dismissed_is_taken() -> None:
    for value in ("yes", "no"):
        assert controller_settings.problems(IBG, TITLE, config_of(DismissPasswordExpiryWarning=value)) == []


def test_several_of_one_option_are_one_problem() -> None:
    given = config_of(BypassBondWarning="yes", BypassOrderPrecautions="yes")
    assert [each.variable for each in controller_settings.problems(IBG, TITLE, given)] == [BYPASS]
