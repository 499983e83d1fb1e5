# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers, milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.findings import FINDINGS


@pytest.mark.parametrize("api_state", [*verdicts.API_STATES, "rejected:326", "rejected:10141", "rejected:507"])
def test_every_api_state_tells_what_to_do(api_state: str) -> None:
    row = verdicts.describe(api_state)
    assert row.state in verdicts.GATEWAY_STATES
    assert row.meaning
    assert row.next_step.endswith(".")
    assert row.final == (row.state == verdicts.BLOCKED)


def test_an_unknown_api_state_is_an_error() -> None:
    with pytest.raises(KeyError):
        verdicts.describe("sleepy")


def test_every_finding_of_the_log_has_a_row() -> None:
    summary = milestones.Summary()
    found = set()
    for line in (
        "User must choose whether to continue with this session",
        "End this session and let the other session proceed",
        ".> Invalid TRADING_MODE: x",
        "Too many failed login attempts",
        "Required PassKey is not supported",
        "this release is no longer supported",
        "Re-login after second factor authentication timeout not required",
        "You should specify the required second factor device using the SecondFactorDevice setting in config.ini",
        "could not find second factor device 'IBKR Mobile' in the list",
    ):
        summary.feed([line])
        found.add(summary.finding)
    summary.feed(["IBC returned exit status 87"])
    found.add(summary.finding)
    for _run in range(3):
        summary.feed(["IBC returned exit status 88"])
    found.add(summary.finding)
    for _run in range(2):
        summary.feed(["Login attempt: 1", "Login failed"])
    found.add(summary.finding)
    summary = milestones.Summary()
    for _run in range(2):
        summary.feed(["Login attempt: 1", "Connection to server failed"])
    found.add(summary.finding)
    summary = milestones.Summary()
    summary.feed(["Login attempt: 1"] * 4)
    found.add(summary.finding)
    attempt = ["Gateway PID: 21", "Waiting for login dialog", "Log In clicked successfully"]
    for lines in (
        [".> Starting IBC in live mode"],
        ["TWS_USERID and TWS_PASSWORD must be set"],
        ["ALERT_PASSWORD_EXPIRED status=expired"],
        ["ALERT_CCP_PERSISTENT consecutive_lockouts=3"],
        ["existing-session: handled this dialog 5 times"],
        ["Login dialog never appeared"],
        [*attempt, "API port never opened"],
        [*attempt, "2FA dialog dismissed", "API port never opened"],
        ['ALERT_2FA_FAILED mode=live reason="2FA method mismatch"', "ALERT_HALTED"],
        ["ALERT_HALTED"],
        ['ALERT_2FA_FAILED mode=live reason="TWOFACTOR_CODE is not a secret"', "ALERT_HALTED"],
    ):
        summary = milestones.Summary(controllers.by_name("ibg-controller"))
        summary.feed(lines)
        found.add(summary.finding)
    # Told by the time that passes, not by a line.
    assert found == set(FINDINGS) - {"stale_token", "push_missed"}
