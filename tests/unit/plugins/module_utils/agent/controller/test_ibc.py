# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import ibc

ROOT = Path(__file__).parents[6]
OPENED = "IBC: detected dialog entitled: {}; event=Opened"
MISSED_AGAIN = "IBC: Re-login after second factor authentication timeout in 5 second"
MISSED = "IBC: Re-login after second factor authentication timeout not required"
CLOSED = "IBC: detected dialog entitled: {}; event=Closed"
COLD, RESTARTS = "IBC will cold-restart shortly", "IBC will restart shortly"


@pytest.mark.parametrize(
    ("line", "event", "value"),
    [
        (".> Starting IBC/IB gateway", "container_start", ""),
        (".> Starting IBC/TWS", "container_start", ""),
        (".> Starting Gateway controller in live mode.", "other_controller", ""),
        ("INFO ibg-controller v0.12.1", "other_controller", ""),
        (".> Invalid TRADING_MODE: demo", "bad_settings", "Invalid TRADING_MODE: demo"),
        ("error: both A and A_FILE are set", "bad_settings", ""),
        (".>\t\tVersion: 10.45.1j", "gateway_version", "10.45.1j"),
        ("x IBC: version: 3.24.1", "controller_version", "3.24.1"),
        ("x IBC: Starting session: will exit if login dialog is not displayed", "jvm_start", ""),
        ("x IBC: Re-starting session", "jvm_restart", ""),
        ("not found: full authentication will be required", "token_missing", ""),
        ("two tokens. Full authentication will", "token_missing", ""),
        ("found: authentication will not be required", "token_found", ""),
        ("x: LoginState is LOGGED_OUT", "login_window", ""),
        ("Login attempt: 12", "login_attempt", "12"),
        ("IBC: Click button: Log In", "log_in_pressed", ""),
        ("IBC: Click button: Paper Log In", "log_in_pressed", ""),
        ("IBC: Second Factor Authentication initiated", "push_sent", ""),
        ("You should specify the required second factor device using", "device_unnamed", ""),
        ("could not find second factor device x", "device_unknown", ""),
        (MISSED_AGAIN, "push_lapsed_again", ""),
        (MISSED, "push_lapsed", ""),
        ("IBC: Login has completed: exiting", "closing", ""),
        ("IBC: Login has completed", "signed_in", ""),
        ("Click button: I understand and accept", "disclaimer_accepted", ""),
        ("IBC: Configuration tasks completed", "configured", ""),
        ("Read-Only API checkbox is now set to: true", "read_only", "true"),
        ("Read-Only API checkbox is already set to: false", "read_only", "false"),
        ("API in Read-Only mode: true", "read_only", "true"),
        ("API client needs write access action confirmation", "write_refused", ""),
        ("Too many failed login attempts", "too_many_logins", ""),
        ("too many failed login attempts", "too_many_logins", ""),
        ("IBC: Login failed", "login_failed", ""),
        # GatewayDialogHandler prints what the dialog says; the words are those that ibg-controller goes by
        # (_BAD_CREDENTIALS_MATCH).
        ("IBC: Connection to server failed: Invalid username or password. Please check", "login_failed", ""),
        ("IBC: Connection to server failed: Incorrect user name or password", "login_failed", ""),
        ("IBC: Connection to server failed: Connection refused", "server_unreachable", ""),
        ("detected dialog entitled: Login Error; event=Opened", "login_error", ""),
        ("Login error message: x", "login_error", ""),
        *[
            (f"Unrecognized {user}sername or {word}assword", "login_stuck", "") for user in "Uu" for word in "Pp"
        ],
        ("User must choose whether to continue with this session", "session_choice", ""),
        # ExistingSessionDetectedDialogHandler, ReloginDialogHandler
        ("could not handle 'Existing session detected' dialog because the 'Cancel' or 'Exit", "session_choice", ""),
        ("could not handle 'Re-login is required' dialog because the 'Re-login' button", "session_choice", ""),
        ("End this session and let the other", "session_taken", ""),
        ("Trading Login Handoff dialog; error: Another session is active", "session_taken", ""),
        ("Trading Login Handoff dialog; {}", "handoff", ""),
        ("Trading Login Handoff dialog; could not handle because {}", "session_choice", ""),
        ("    ExistingSessionDetectedAction=primary", "existing_session_action", "primary"),
        ("    ExistingSessionDetectedAction=", "existing_session_action", ""),
        ("IBC: Setting user name", "credentials", ""),
        ("IBC: Setting password", "credentials", ""),
        (COLD, "sign_in_follows", ""),
        (RESTARTS, "restart_follows", ""),
        ("detected dialog entitled: Existing session detected; event=Opened", "contested", "Existing session detected"),
        ("detected dialog entitled: Re-login is required; event=Opened", "contested", "Re-login is required"),
        *[(f"{word} is not supported", "passkey", "") for word in ("Passkey", "PassKey", "passkey", "passKey")],
        ("This release is no longer supported", "release_refused", ""),
        ("The version of the application you are running, 10.30.1a, is old", "release_ends", "10.30.1a, is old"),
        ("It will be desupported on 2026-12-15", "release_ends", "2026-12-15"),
        ("The oldest at that time will be 10.37", "release_ends", "10.37"),
        ("IBC: Cold restart in progress", "cold_restart", ""),
        ("IBC returned exit status 143", "exit_code", "143"),
        ("Exiting after error with exit code=1112", "error", "1112"),
        ("IBC: CommandServer received command: STOP", "command", "STOP"),
        ("IBC is paused", "paused", ""),
        ("Gateway finished", "finished", ""),
        ("TWS finished", "finished", ""),
        (".> Received SIGINT or SIGTERM", "terminated", ""),
        (OPENED.format("A"), "dialog", "A; event=Opened"),
        (CLOSED.format("A"), "dialog", "A; event=Closed"),
    ],
)  # fmt: skip
def test_each_line_that_means_something(line: str, event: str, value: str) -> None:
    assert list(ibc.IBC.events(f"other\n{line}\nother\n".encode())) == [(event, value, "")]


@pytest.mark.parametrize(
    "line",
    [
        "x .> Starting IBC/IB gateway",
        "x error: both A and B",
        "x .> Invalid TRADING_MODE: demo",
        "Full authentication will be asked for",
        "IBC: Login attempt: many",
        "IBC: detected dialog entitled: A; event=Activated",
        "Read-Only API checkbox is now set to: maybe",
        "IBC returned exit status none",
        'IBC: Invalid number "x" for property "y"',
        # Cut short: it may have gone on in any of three ways.
        "IBC: Trading Login Handoff dialog;",
        "IBC: Trading Login Handoff dialog; e",
    ],
)
def test_a_line_that_only_looks_like_one(line: str) -> None:
    assert list(ibc.IBC.events(f"{line}\n".encode())) == []


def test_what_ibc_is_asked_and_what_it_ends_with() -> None:
    assert (ibc.IBC.name, ibc.IBC.title, ibc.IBC.commands) == (
        "ibc",
        "IBC",
        {"stop": "STOP", "restart": "RESTART", "pause": "PAUSE"},
    )
    # Those of the image's scripts, of IBC's ErrorCodes, and of signals.
    assert {*ibc.IBC.exit_codes} == {*range(8), 76, 77, *range(79, 89), 137, 143}
    assert ibc.IBC.exit_codes_after_start == {1: ibc.UNDER_JAVA, 255: ibc.UNDER_JAVA}
    # Those that are of the settings have a meaning, and are none of the sign-in's or of a signal.
    assert ibc.IBC.settings_codes == {*range(1, 8), 79, 80, 81, 82, 84, 85}


def test_the_password_is_where_the_role_has_ibc_read_it() -> None:
    gateway = yaml.safe_load((ROOT / "roles/gateway/vars/main.yml").read_text())
    assert ibc.IBC.settings_file == gateway["__gateway_environment"]["IBC_INI"]
    assert f"\n{ibc.IBC.password_key}=${{TWS_PASSWORD}}\n" in (ROOT / "templates/config.ini.j2").read_text()
