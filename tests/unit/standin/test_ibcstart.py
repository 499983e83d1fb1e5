# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC's loop without a container: how a JVM ends decides what comes next."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.programs
StartIbc = Callable[..., Any]
LIVE = "TradingMode=live\n"
PAPER = "TradingMode=paper\n"


def in_order(lines: list[str], *texts: str) -> None:
    """Assert that these texts occur one after the other."""
    rest = iter(lines)
    for text in texts:
        assert any(text in line for line in rest), f"{text!r} is missing, or out of order, in\n" + "\n".join(lines)


def test_a_paper_login(ibc: StartIbc) -> None:
    loop = ibc(PAPER + "AutoRestartTime=11:45 PM\nReadOnlyApi=yes\n")
    loop.line("Configuration tasks completed")
    in_order(
        loop.lines, "autorestart file not found: full authentication will be required",
        "Starting session: will exit if login dialog is not displayed within 60 seconds",
        "Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT", "Login attempt: 1", "Click button: Paper Log In",
        "Login has completed", "Click button: I understand and accept",
        "Read-Only API checkbox is already set to: true", "Auto restart time set to 11:45 PM",
    )  # fmt: skip
    status = loop.control("status")
    assert (status["login_state"], status["logins"], status["pushes"], status["read_only"]) == ("logged_in", 1, 0, True)
    assert status["logged_in_at"] < status["api_usable_at"] <= time.time()
    assert "secret" not in "\n".join(loop.lines)
    loop.control("exit", code=1100)
    assert loop.end() == 1100 % 256
    assert loop.lines[-2:] == ["Gateway finished", ""]


def test_the_first_planned_end_is_told(ibc: StartIbc) -> None:
    loop = ibc(PAPER + "ColdRestartTime=13:05\nClosedownAt=Saturday 23:30\nAutoLogoffTime=11:00 PM\n")
    loop.line("Configuration tasks completed")
    assert loop.said("Gateway will be ") == 1
    in_order(loop.lines, "Auto logoff time changed from 11:45 PM to 11:00 PM", "Configuration tasks completed")


def test_the_disclaimer_waits_for_a_person_when_ibc_may_not_click_it(ibc: StartIbc) -> None:
    loop = ibc(PAPER + "AcceptNonBrokerageAccountWarning=no\n")
    loop.line("Configuration tasks completed")
    assert (loop.control("status")["phase"], loop.control("status")["api_usable_at"]) == ("P3", None)


def test_a_live_login_waits_for_the_phone(ibc: StartIbc) -> None:
    loop = ibc(LIVE)
    loop.line("Second Factor Authentication initiated")
    assert loop.control("status")["login_state"] == "waiting_2fa"
    assert loop.control("approve") == {"ok": True, "approved": True}
    loop.line("Login has completed")
    in_order(loop.lines, "Click button: Log In", "Second Factor", "Duration since login: ")
    assert loop.control("approve")["error"] == "no push is waiting for an answer"


def test_a_push_can_be_approved_by_itself(ibc: StartIbc) -> None:
    ibc(LIVE, APPROVE_AFTER="0.01").line("Login has completed")


def test_a_missed_push_leaves_the_login_window(ibc: StartIbc) -> None:
    loop = ibc(LIVE, PUSH_TIMEOUT="0.05")
    loop.line("Re-login after second factor authentication timeout not required")
    assert loop.control("status")["login_state"] == "logged_out"
    assert loop.process.poll() is None


def test_a_missed_push_is_sent_again_for_ever(ibc: StartIbc) -> None:
    loop = ibc(LIVE + "ReloginAfterSecondFactorAuthenticationTimeout=yes\n", PUSH_TIMEOUT="0.05", FAULT="missed_push")
    loop.line("Re-login after second factor authentication timeout in 5 second")
    loop.line("Login attempt: 3")
    loop.control("clear")
    assert loop.control("status")["pushes"] >= 2


@pytest.mark.parametrize(
    ("action", "relogin", "restarts"),
    [("restart", "yes", True), ("exit", "yes", False), ("", "yes", False)],
)
def test_a_login_that_stalls_after_the_push(ibc: StartIbc, action: str, relogin: str, restarts: bool) -> None:
    config = f"ReloginAfterSecondFactorAuthenticationTimeout={relogin}\nSecondFactorAuthenticationExitInterval=1\n"
    loop = ibc(LIVE + config, ("10.45.1j", "-g", f"--on2fatimeout={action}"), FAULT="login_stall", APPROVE_AFTER="0")
    loop.line("Exiting after error with exit code=1111")
    loop.line("IBC returned exit status 87")
    if restarts:
        loop.line("Login attempt: 1")
    else:
        assert loop.end() == 87


def test_a_declined_push_hangs_without_relogin(ibc: StartIbc) -> None:
    loop = ibc(LIVE)
    loop.line("Second Factor Authentication initiated")
    loop.control("decline")
    loop.line("Duration since login")
    assert loop.control("status")["login_state"] == "logged_out"


def test_a_wrong_password_restarts_cold_without_end(ibc: StartIbc) -> None:
    loop = ibc(PAPER, FAULT="wrong_password")
    for _ in range(3):
        loop.line("detected dialog entitled: Login failed; event=Opened")
        loop.line("Cold restart in progress")
        loop.line("IBC will cold-restart shortly")
    loop.control("clear")
    loop.line("Login has completed")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"USER": "user", "PASSWORD_SHA256": hashlib.sha256(b"secret").hexdigest()}, "Login has completed"),
        ({"USER": "other"}, "Login failed"),
        ({"PASSWORD_SHA256": "0" * 64}, "Login failed"),
    ],
)
def test_the_password_is_checked_where_it_is_known(ibc: StartIbc, environment: dict[str, str], line: str) -> None:
    ibc(PAPER, **environment).line(line)


def test_an_unknown_user_waits_for_a_person(ibc: StartIbc) -> None:
    loop = ibc(PAPER, FAULT="unrecognized_user")
    loop.line("detected dialog entitled: Unrecognized Username or Password; event=Opened")
    assert loop.control("status")["api_usable_at"] is None


def test_a_login_window_that_never_shows_is_tried_again_for_ever(ibc: StartIbc) -> None:
    loop = ibc(PAPER + "LoginDialogDisplayTimeout=1\n", FAULT="exit_88_loop")
    loop.line("Exiting after error with exit code=1112")
    loop.line("IBC returned exit status 88")
    loop.line("Starting session")
    loop.control("clear")
    loop.line("Login has completed")
    assert loop.control("status")["starts"] == 2


def test_a_login_window_that_hangs_goes_on_when_it_is_let(ibc: StartIbc) -> None:
    loop = ibc(PAPER, FAULT="login_window_hang")
    loop.line("Login dialog WINDOW_OPENED")
    loop.line("Click button: Paper Log In")
    loop.control("clear")
    loop.line("Login has completed")


def test_a_broken_image_ends_at_once(ibc: StartIbc) -> None:
    loop = ibc(PAPER, FAULT="exit_at_once")
    assert loop.end() == 1
    assert loop.said("Login attempt") == 0


@pytest.mark.parametrize(
    ("fault", "action", "line", "code"),
    [
        ("existing_session", "primary", "Login has completed", None),
        ("existing_session", "primaryoverride", "Login has completed", None),
        ("existing_session_stubborn", "primary", "Click button: Exit Application", 0),
        ("existing_session", "secondary", "Click button: Exit Application", 0),
        ("existing_session", "manual", "User must choose", None),
    ],
)
def test_the_user_is_signed_in_elsewhere(ibc: StartIbc, fault: str, action: str, line: str, code: int | None) -> None:
    loop = ibc(PAPER + f"ExistingSessionDetectedAction={action}\n", FAULT=fault)
    loop.line("detected dialog entitled: Existing session detected; event=Opened")
    loop.line(line)
    if code is not None:
        assert loop.end() == code


@pytest.mark.parametrize(
    ("action", "line", "code"),
    [
        ("primary", "Click button: Continue Login", None),
        ("primaryoverride", "Click button: Exit Application", 0),
        ("secondary", "Click button: Exit Application", 0),
        ("manual", "User must choose", None),
    ],
)
def test_somebody_else_signs_in_while_we_are(ibc: StartIbc, action: str, line: str, code: int | None) -> None:
    loop = ibc(PAPER + f"ExistingSessionDetectedAction={action}\n")
    loop.line("Configuration tasks completed")
    loop.control("fault", name="existing_session")
    loop.line(line)
    if code is None:
        assert loop.control("status")["logged_in"]
    else:
        assert loop.end() == code


def test_ibc_clicks_re_login(ibc: StartIbc) -> None:
    loop = ibc(PAPER)
    loop.line("Configuration tasks completed")
    loop.control("relogin", seconds=0.01)
    loop.line("Click button: Re-login")


def test_a_restart_needs_no_push_and_a_pause_keeps_the_token(ibc: StartIbc) -> None:
    loop = ibc(LIVE, APPROVE_AFTER="0", RESTART_SECONDS="0.05")
    loop.line("Configuration tasks completed")
    first, second = loop.command("RESTART")
    assert first == "OK RESTART in progress"
    assert second.startswith("OK RESTART at ")
    loop.line("authentication will not be required")
    loop.line("Re-starting session")
    loop.line("Configuration tasks completed")
    assert loop.tokens == []
    status = loop.control("status")
    assert (status["pushes"], status["logins"], status["starts"]) == (1, 2, 2)
    assert loop.command("PAUSE")[0] == "OK PAUSE in progress"
    loop.line("IBC is paused")
    assert loop.end() == 0
    assert len(loop.tokens) == 1
    again = ibc(LIVE)
    again.line("Re-starting session")
    again.line("Login has completed")
    assert again.control("status")["pushes"] == 0


def test_the_gateways_own_restart(ibc: StartIbc) -> None:
    loop = ibc(LIVE, APPROVE_AFTER="0")
    loop.line("Configuration tasks completed")
    loop.control("restart")
    loop.line("Re-starting session")
    loop.line("Configuration tasks completed")


def test_an_expired_token_costs_a_push(ibc: StartIbc) -> None:
    loop = ibc(LIVE, APPROVE_AFTER="0")
    loop.line("Configuration tasks completed")
    loop.control("fault", name="expired_token")
    assert loop.control("status")["usable"]
    loop.control("restart")
    loop.line("Re-starting session")
    loop.line("Cold restart in progress")
    loop.line("IBC will cold-restart shortly")
    loop.line("Second Factor Authentication initiated")
    loop.line("Configuration tasks completed")
    assert loop.control("status")["pushes"] == 2
    assert loop.tokens == []


@pytest.mark.parametrize(("count", "line"), [(1, "Re-starting session"), (2, "Starting session: will exit if")])
def test_one_token_is_used_and_several_are_not(ibc: StartIbc, count: int, line: str) -> None:
    first = ibc(PAPER)
    first.line("Configuration tasks completed")
    first.stop()
    for number in range(count):
        (first.settings / f"login{number}").mkdir()
        (first.settings / f"login{number}" / "autorestart").write_text(str(time.time()))
    loop = ibc(PAPER)
    loop.line("authentication will not be required")
    loop.line(line)
    loop.line("Login has completed")
    assert loop.tokens == []
    assert loop.said("be required.") == count - 1


def test_a_token_of_long_ago_is_waited_on_for_ever(ibc: StartIbc) -> None:
    first = ibc(PAPER)
    first.line("Configuration tasks completed")
    first.stop()
    (first.settings / "login").mkdir()
    (first.settings / "login" / "autorestart").write_text(str(time.time() - 8 * 86_400))
    loop = ibc(PAPER)
    loop.line("Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT")
    time.sleep(0.2)
    assert loop.control("status")["login_state"] == "logged_out"
    assert len(loop.tokens) == 1


def test_a_restart_on_a_token_may_ask_for_a_second_factor(ibc: StartIbc) -> None:
    loop = ibc(LIVE, APPROVE_AFTER="0.01")
    loop.line("Configuration tasks completed")
    loop.control("fault", name="token_second_factor")
    loop.control("restart")
    loop.line("Re-starting session")
    loop.line("Second Factor Authentication initiated")
    loop.line("Configuration tasks completed")
    assert loop.said("Login attempt") == 1


def test_a_lost_connection_restarts_cold(ibc: StartIbc) -> None:
    loop = ibc(PAPER, FAULT="connection_failed:times=1")
    loop.line("IBC: Connection to server failed")
    loop.line("Cold restart in progress")
    loop.line("IBC will cold-restart shortly")
    loop.line("Login has completed")


def test_stop_before_the_login_ends_at_once(ibc: StartIbc) -> None:
    loop = ibc(LIVE)
    loop.line("Second Factor Authentication initiated")
    assert loop.command("STOP") == ["OK Shutting down: STOP command"]
    loop.line("Login has not completed: exiting immediately")
    assert loop.end() == 0


def test_the_command_server_answers_exactly(ibc: StartIbc) -> None:
    loop = ibc(PAPER)
    loop.line("Configuration tasks completed")
    commands = ["reconnectdata", "ReconnectAccount", "ENABLEAPI", "STATUS", "EXIT"]
    assert loop.command(*commands) == [
        "OK ", "OK ", "ERROR ENABLEAPI is not valid for the IB Gateway", "ERROR Command invalid", "OK Goodbye",
    ]  # fmt: skip
    loop.line("CommandServer received command: STATUS")
    assert loop.command("STOP") == ["OK Shutting down: STOP command"]
    assert loop.end() == 0
    assert loop.said("IBC returned exit status 0") == 1


def test_a_restart_is_asked_for_once_in_a_life(ibc: StartIbc) -> None:
    loop = ibc(LIVE)
    loop.line("CommandServer started")
    loop.line("Second Factor Authentication initiated")
    assert loop.control("restart")["error"].startswith("not logged in")
    assert loop.control("status")["restart_pending"] == ""


def test_two_restarts_and_two_stops(ibc: StartIbc) -> None:
    loop = ibc(PAPER, RESTART_SECONDS="60")
    loop.line("Configuration tasks completed")
    assert len(loop.command("RESTART")) == 2
    assert loop.command("RESTART") == ["ERROR RESTART already in progress"]
    assert loop.command("PAUSE") == ["ERROR PAUSE already in progress"]
    assert loop.control("status")["restart_pending"] == "RESTART"


def test_what_ibc_misreads_is_told_in_the_status(ibc: StartIbc) -> None:
    loop = ibc(PAPER + "AutoRestartTime=23:45\nIbPasword=x\n")
    loop.line("Configuration tasks completed")
    in_order(loop.lines, "!" * 79, "Auto restart time setting must be hh:mm AM or hh:mm PM", "!" * 79)
    assert [problem.partition(": ")[2] for problem in loop.control("status")["settings_problems"]] == [
        "AutoRestartTime: '23:45' is not hh:mm AM or hh:mm PM, for example 10:00 PM",
        "IBC knows no key 'IbPasword'; is IbPassword meant?",
    ]


def test_a_bad_jts_ini_ends_with_ibcs_code(ibc: StartIbc) -> None:
    first = ibc(PAPER)
    first.line("Login has completed")
    first.stop()
    (first.settings / "jts.ini").unlink()
    (first.settings / "jts.ini").mkdir()
    loop = ibc(PAPER)
    assert loop.end() == 1108 % 256


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FAULT": "nope"}, "no fault is called 'nope'"),
        ({"LOGIN_SECONDS": "soon"}, "STANDIN_LOGIN_SECONDS='soon' is no number of seconds"),
        ({"MAX_VERSION": "300"}, "server version 300 is not in 157..225"),
    ],
)
def test_a_bad_environment_is_told_so(ibc: StartIbc, environment: dict[str, str], words: str) -> None:
    loop = ibc(PAPER, **environment)
    assert loop.end() == 1110 % 256
    in_order(loop.lines, words)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-g",), 2),
        (("10.45.1j", "-g", "--mode=demo"), 3),
        (("10.45.1j", "-g", "--on2fatimeout=wait"), 3),
        (("10.45.1j", "--nope"), 3),
        (("10.99.1a", "-g"), 4),
    ],
)
def test_ibcstart_checks_its_arguments(ibc: StartIbc, arguments: tuple[str, ...], code: int) -> None:
    assert ibc(PAPER, arguments).end() == code


def test_sigterm_ends_the_loop(ibc: StartIbc) -> None:
    loop = ibc(PAPER)
    loop.line("Login has completed")
    loop.process.terminate()
    assert loop.end() == 143
