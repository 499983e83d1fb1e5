# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.ibc import IBC
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.ibg_controller import IBG_CONTROLLER
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.milestones import Summary

AT = "10:34:23 [INFO] [live] "
PAPER = "10:34:23 [INFO] [paper] "
MODAL = "Modal dialog(s) detected: [('JDialog', '{}')]"


@pytest.mark.parametrize(
    ("line", "event", "value"),
    [
        (".> Starting IBC/IB gateway", "container_start", ""),
        (".> Starting IBC in live mode, with params:", "other_controller", ""),
        ("IBC: Starting session: will exit if login dialog is not displayed", "other_controller", ""),
        (".> Invalid TRADING_MODE: demo", "bad_settings", "Invalid TRADING_MODE: demo"),
        ("error: both A and A_FILE are set", "bad_settings", ""),
        (AT + "TWS_USERID and TWS_PASSWORD must be set", "password_empty", ""),
        (".>\t\tVersion: 10.45.1j", "gateway_version", "10.45.1j"),
        (AT + "ibg-controller v0.12.0 starting (mode=live, gateway=10.45.1j, product=gateway)",
         "controller_version", "0.12.0"),
        (AT + "Gateway PID: 21 (JVM console -> /tmp/jvm_console_live.log)", "jvm_start", ""),
        (AT + "AUTORESTART: adopted Gateway pid=96 (was 19) after 0s", "adopted", ""),
        (AT + "Waiting for login dialog (JPasswordField in showing Window)", "login_awaited", ""),
        (AT + "Log In clicked successfully", "login_attempt", ""),
        (AT + "API port 4001 already open — no 2FA dialog needed", "push_unseen", ""),
        (AT + "Waiting for IB Key mobile approval — approve on your phone via the IB Key app", "push_sent", ""),
        (AT + "2FA dialog dismissed — IB Key approval detected, proceeding", "push_closed_unread", ""),
        (AT + "TWOFA_TIMEOUT_ACTION=restart — invoking do_restart_in_place", "push_missed_again", ""),
        (AT + "RELOGIN_AFTER_TWOFA_TIMEOUT=yes — in-JVM relogin", "push_missed_again", ""),
        (AT + 'ALERT_2FA_FAILED mode=live reason="2FA dialog timeout; TWOFA_TIMEOUT_ACTION=exit"', "push_missed", ""),
        (AT + "Passkey/WebAuthn login flow detected (window matched 'passkey')", "passkey", ""),
        (AT + "Passkey prompt detected in 'Second Factor Authentication': Use", "passkey", ""),
        (AT + 'ALERT_2FA_FAILED mode=live reason="passkey/WebAuthn 2FA flow"', "passkey", ""),
        (AT + 'ALERT_2FA_FAILED mode=live reason="2FA method mismatch" dialog_prompt=', "second_factor_failed",
         "2FA method mismatch"),
        (AT + 'ALERT_2FA_FAILED mode=live reason="TWOFACTOR_CODE is not a base32 secret" remediation="x"',
         "code_secret_bad", ""),
        (AT + "ALERT_2FA_MANUAL_WINDOW mode=live timeout_seconds=300", "by_hand", ""),
        (AT + "API port 4001 accepting connections after 3s", "signed_in", ""),
        (AT + "API port opened — IB Key approval succeeded", "signed_in", ""),
        (PAPER + "Clicking disclaimer button 'I understand and accept'", "disclaimer_accepted", ""),
        (AT + "Readiness signal: /tmp/gateway_ready_live", "ready", ""),
        (AT + "  Setting Read-Only API = False", "read_only", "False"),
        (AT + "  Setting Read-Only API = True", "read_only", "True"),
        # handle_post_login_config of 13422e4
        (AT + "  Failed to toggle Read-Only API", "read_only_failed", "Read-Only API"),
        (AT + "Post-login config: could not open Configure → Settings dialog — settings not applied",
         "read_only_failed", "Settings dialog"),
        (AT + "  Could not select API/Settings tree node", "read_only_failed", "API/Settings"),
        (AT + "Could not click OK to commit config changes", "read_only_failed", "OK to commit config changes"),
        (AT + "  Could not select Lock and Exit tree node", "settings_failed", "Lock and Exit"),
        (AT + "  Failed to set Master API client ID", "settings_failed", "Master API client ID"),
        (AT + "  Failed to set Auto Restart Time — Gateway is showing 'Set Auto Log Off Time'", "settings_failed",
         "Restart Time"),
        (AT + 'ALERT_CONFIG_NOT_APPLIED mode=live setting="Set Auto" env_var=AUTO_RESTART_TIME requested="05:30 AM"',
         "settings_failed", "AUTO_RESTART_TIME"),
        (AT + 'ALERT_LOGIN_FAILED mode=live reason="bad-credentials" suggested_action="x"', "login_rejected", ""),
        (AT + "ALERT_PASSWORD_EXPIRED status=expired mode=live", "password_expired", ""),
        (AT + "ALERT_CCP_PERSISTENT consecutive_lockouts=3 mode=live", "server_silent", ""),
        (AT + "Clicking existing-session button 'Cancel' in 'Existing session' window", "session_taken", ""),
        (AT + "action=manual — leaving dialog for user", "session_choice", ""),
        # handle_existing_session_dialog
        (AT + "existing-session: none of ['Cancel', 'Secondary', 'No'] worked as a button label in the dialog",
         "session_choice", ""),
        (AT + "existing-session: handled this dialog 5 times in 300s", "session_contest", ""),
        (AT + "Recognized: existing-session-detected dialog", "contested", ""),
        (AT + "Late existing-session dialog detected in 2FA wait: x", "contested", ""),
        (AT + MODAL.format("Login failed"), "dialog_seen", "Login failed"),
        (AT + "Unrecognized modal — leaving in place to let Gateway flow proceed", "dialog_left", ""),
        (AT + "Unrecognized 'password' dialog — leaving in place", "dialog_left", ""),
        (AT + "API port never opened and no lockout signature detected", "no_progress", ""),
        (AT + "RESTART: API port never opened after re-launch", "no_progress", ""),
        (AT + "Re-auth: API port never came back up", "no_progress", ""),
        (AT + "Recovery: JVM exited with code -9. Trying fast in-place restart first.", "sign_in_follows", ""),
        (AT + "Recovery: login failed. Relaunching Gateway in 60s (attempt 1/3)", "sign_in_follows", ""),
        (AT + "RESTART: terminating Gateway PID 20", "sign_in_follows", ""),
        (AT + "Gateway appears wedged (x). Escalating to do_restart_in_place()", "sign_in_follows", ""),
        (AT + "Login dialog detected during monitor loop — re-driving login", "sign_in_follows", ""),
        (AT + "AUTORESTART: login dialog on the self-restarted Gateway — the session was not preserved",
         "sign_in_follows", ""),
        (AT + "In-JVM relogin attempt (no JVM restart)", "sign_in_follows", ""),
        (AT + "Retrying auth in-JVM after CCP backoff (attempt 1/8)", "sign_in_follows", ""),
        (AT + "No Gateway launcher found under /x/ibgateway", "program_unready", ""),
        (AT + "Input agent never came up — text input will fail", "program_unready", ""),
        (AT + "Gateway PID unknown (agent never reported one)", "program_unready", ""),
        (AT + "Login dialog never appeared (no JPasswordField in any showing Window)", "program_unready", ""),
        (AT + "ALERT_HALTED mode=live state=HALTED", "gave_up", ""),
        (AT + 'ALERT_CCP_PERSISTENT_HALT mode=live reason="x"', "gave_up", ""),
        (AT + "ALERT_JVM_RESTART_EXHAUSTED mode=live attempts=3", "gave_up", ""),
        (AT + "Recovery: 3 relaunches did not bring this mode back; exiting", "gave_up", ""),
        # main, which ends with 1 behind each
        (AT + "Login dialog handling failed", "gave_up", ""),
        (AT + "Post-login dialog handling failed", "gave_up", ""),
        # _apply_maintenance_recovery_delay
        (AT + 'ALERT_IBKR_MAINTENANCE_RECOVERY delay_seconds=480 mode=live reason="cold start"', "maintenance", "480"),
        (".> WARNING: controller readiness timeout after 300s in live mode; starting socat anyway", "never_ready", ""),
        (AT + "Gateway JVM exited with code -9", "finished", ""),
        (AT + "Gateway JVM exited cleanly (code 0); this is expected. Recovering.", "finished", ""),
        (AT + "Gateway JVM pid=96 exited (exit status not observable)", "finished", ""),
        (AT + "Command server: 127.0.0.1:46906 sent 'RESTART'", "command", "RESTART"),
        (AT + "Received signal 15 (SIGTERM), shutting down Gateway", "terminated", ""),
        (".> 😘 Received SIGINT or SIGTERM. Shutting down IB Gateway.", "terminated", ""),
    ],
)  # fmt: skip
def test_each_line_that_means_something(line: str, event: str, value: str) -> None:
    assert list(IBG_CONTROLLER.events(f"other\n{line}\nother\n".encode())) == [(event, value, "")]


@pytest.mark.parametrize(
    "line",
    [
        "x .> Starting IBC in live mode",
        AT + "RESTART: new Gateway JVM PID (from agent): 353",
        AT + "Monitor: JVM pid=21, heartbeat API port 4001 every 30s",
        PAPER + "API port 4002 already open — no 2FA dialog needed",
        AT + "TWOFA_TIMEOUT_ACTION='none' — falling through to wait_for_api_port",
        AT + "Command server: RECONNECTACCOUNT — re-driving login",
        AT + "API port closed but no login dialog visible — probably a transient issue, will re-check next heartbeat",
        AT + "IB Key approval wait timed out",
        # Each is followed by a relaunch that announces itself.
        AT + "RESTART: login dialog handling failed",
        AT + "RESTART: post-login dialog handling failed",
        AT + "2FA handling failed",
        AT + "  Could not re-select Lock and Exit to verify 'x'; treating as unverified",
        AT + "Clicking existing-session button 'Continue Login' in 'Existing session' window",
        AT + 'ALERT_LOGIN_FAILED mode=live reason="post-auth-no-progress" suggested_action="x"',
        AT + "ALERT_PASSWORD_EXPIRED status=warning mode=live days_remaining=5",
    ],
)
def test_a_line_that_only_looks_like_one(line: str) -> None:
    assert list(IBG_CONTROLLER.events(f"{line}\n".encode())) == []


@pytest.mark.parametrize(
    "line", [".> Starting Gateway controller in live mode.", AT + "ibg-controller v0.12.0 starting"]
)
def test_ibc_knows_the_other_ones_start(line: str) -> None:
    assert [event.name for event in IBC.events(f"{line}\n".encode())] == ["other_controller"]


START = [".> Starting IBC/IB gateway", AT + "Gateway PID: 21 (JVM console"]
LOGIN = [AT + "Waiting for login dialog (JPasswordField in showing Window)", AT + "Log In clicked successfully"]
PUSH = [AT + "Waiting for IB Key mobile approval — approve"]
IN = [AT + "API port 4001 accepting connections after 0s", AT + "Readiness signal: /tmp/gateway_ready_live"]
SIGNED_IN = [*START, *LOGIN, *IN]
ADOPTED = [AT + "AUTORESTART: adopted Gateway pid=9"]
NEVER = [AT + "API port never opened and no lockout signature detected"]
MISMATCH = [AT + 'ALERT_2FA_FAILED mode=live reason="2FA method mismatch" dialog_prompt=']
BY_HAND = [AT + "ALERT_2FA_MANUAL_WINDOW mode=live"]
NIGHT = [AT + "ALERT_IBKR_MAINTENANCE_RECOVERY delay_seconds=480 mode=live"]
LATE = [".> WARNING: controller readiness timeout after 300s in live mode; starting socat anyway"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (START, {"phase": "launched", "asks_for_sign_in": True, "jvm_runs": 1}),
        ([*START, LOGIN[0]], {"phase": "login_window", "asks_for_sign_in": True, "jvm_runs": 1}),
        ([*START, *LOGIN], {"phase": "signing_in", "asks_for_sign_in": True, "login_attempts": 1, "pushes": 0}),
        ([*START, *LOGIN, *PUSH], {"phase": "waiting_2fa", "pushes": 1}),
        ([*START, *LOGIN, *IN[:1]], {"phase": "signed_in", "usable": False, "asks_for_sign_in": False}),
        (SIGNED_IN, {"phase": "configured", "usable": True, "asks_for_sign_in": False, "tries": 0}),
        # A push that was answered before it could be named.
        ([*START, *LOGIN, AT + "API port 4001 already open", *IN], {"pushes": 1, "usable": True}),
        # Only the API's port shows the meaning of the dialog's end.
        ([*START, *LOGIN, *PUSH, AT + "2FA dialog dismissed"], {"phase": "answered", "usable": False}),
        ([*START, *LOGIN, *PUSH, AT + "2FA dialog dismissed", *NEVER], {"finding": "push_closed"}),
        ([*START, *LOGIN, *PUSH, *NEVER], {"finding": "push_missed", "pushes_missed": 1}),
        ([*START, *LOGIN, *NEVER], {"finding": "no_progress", "pushes_missed": 0}),
        ([*START, *LOGIN, AT + 'reason="bad-credentials"', *NEVER], {"finding": "refused_login", "refused_logins": 1}),
        # _diagnose_login_failure: old time-outs in launcher.log make a refusal of a push that nobody answered.
        ([*START, *LOGIN, *PUSH, *NEVER, AT + 'reason="bad-credentials"'],
         {"finding": "push_missed", "refused_logins": 0}),
        ([*START, *LOGIN, *PUSH, AT + "2FA dialog dismissed", *NEVER, AT + 'reason="bad-credentials"'],
         {"finding": "push_closed", "refused_logins": 0}),
        ([*START, *LOGIN, *NEVER, AT + 'reason="bad-credentials"'], {"finding": "refused_login"}),
        # Nothing is pressed for eight minutes around midnight of New York.
        ([*START, *NIGHT], {"phase": "launched", "idles": 480, "finding": None}),
        ([*START, *NIGHT, LOGIN[0]], {"phase": "login_window", "idles": 0}),
        ([*SIGNED_IN, AT + "Gateway JVM exited cleanly", *NIGHT], {"phase": "ended", "idles": 480}),
        ([*SIGNED_IN, AT + "Gateway JVM exited cleanly", *NIGHT, START[1]], {"phase": "launched", "idles": 0}),
        # Ends of the controller, while the container goes on to its 300th second.
        ([*START, *LOGIN, AT + "existing-session: none of ['Cancel']", AT + "Post-login dialog handling failed"],
         {"finding": "session_choice"}),
        ([*START, *LOGIN[:1], AT + "Login dialog handling failed"], {"finding": "gave_up"}),
        ([START[0], AT + 'ALERT_2FA_FAILED mode=live reason="TWOFACTOR_CODE is not a base32 secret"'],
         {"finding": "code_secret_bad", "second_factor_fault": None}),
        # The program restarts itself: on its session, or not.
        ([*SIGNED_IN, AT + "Gateway JVM exited cleanly"], {"phase": "ended", "asks_for_sign_in": False}),
        ([*SIGNED_IN, *ADOPTED],
         {"phase": "launched", "asks_for_sign_in": False, "jvm_runs": 2, "on_token": False}),
        ([*SIGNED_IN, *ADOPTED, IN[1]],
         {"phase": "configured", "asks_for_sign_in": False, "usable": True}),
        ([*SIGNED_IN, *ADOPTED, AT + "AUTORESTART: login dialog on the self-restarted"],
         {"asks_for_sign_in": True}),
        ([*SIGNED_IN, *ADOPTED, LOGIN[0]], {"asks_for_sign_in": True, "jvm_runs": 2}),
        # It signs in again by itself, in a new program or in the same one.
        ([*SIGNED_IN, AT + "Recovery: JVM exited. Trying fast in-place restart first."], {"asks_for_sign_in": True}),
        ([*SIGNED_IN, LOGIN[0]], {"asks_for_sign_in": True, "phase": "login_window", "jvm_runs": 2, "usable": False}),
        ([*SIGNED_IN, *LOGIN, *IN], {"asks_for_sign_in": False, "usable": True}),
        ([*START, *LOGIN, AT + "TWOFA_TIMEOUT_ACTION=restart — invoking"],
         {"pushes_missed": 1, "asks_for_sign_in": True, "finding": None}),
        # A second factor that nobody can give, except by hand.
        ([*START, *LOGIN, *MISMATCH], {"open_dialog": "Second Factor Authentication", "finding": None}),
        ([*START, *LOGIN, *MISMATCH, *LATE], {"finding": "second_factor"}),
        ([*START, *LOGIN, *MISMATCH, *BY_HAND, *LATE], {"finding": None}),
        ([*START, *LOGIN, *MISMATCH, *BY_HAND, AT + "ALERT_HALTED"], {"finding": "second_factor"}),
        ([*START, *LOGIN, *MISMATCH, *BY_HAND, *IN],
         {"finding": None, "open_dialog": None, "second_factor_fault": None, "awaits_person": False}),
        ([*START, *LOGIN, *LATE], {"finding": None}),
        ([*START, *LOGIN, AT + "ALERT_HALTED"], {"finding": "gave_up"}),
        ([*START, *LOGIN, *NEVER, AT + "ALERT_HALTED"], {"finding": "no_progress"}),
        # A dialog that nobody knows stays open; that of the second factor is known.
        ([*START, *LOGIN, AT + MODAL.format("End of support"), AT + "Unrecognized modal "],
         {"open_dialog": "End of support", "last_dialog": "End of support"}),
        ([*START, *LOGIN, AT + MODAL.format("Second Factor Authentication"), AT + "Unrecognized modal "],
         {"open_dialog": None, "last_dialog": "Second Factor Authentication"}),
        ([*SIGNED_IN, AT + MODAL.format("A"), AT + "Unrecognized modal "], {"open_dialog": None}),
        ([*START, *LOGIN, AT + "Recognized: existing-session-detected dialog"],
         {"contested": True, "last_dialog": "Existing session detected"}),
        # Settings.
        ([*SIGNED_IN, AT + "Setting Read-Only API = True"], {"read_only": True}),
        ([*SIGNED_IN, AT + "Setting Read-Only API = True", AT + "Failed to toggle Read-Only API"],
         {"read_only": None, "last_error": "not applied: Read-Only API"}),
        ([*SIGNED_IN, AT + "Setting Read-Only API = True", AT + "Could not click OK to commit config changes"],
         {"read_only": None}),
        ([*SIGNED_IN, AT + "Setting Read-Only API = True", AT + "  Failed to set Auto Restart Time — Gateway"],
         {"read_only": True, "last_error": "not applied: Restart Time"}),
        # The wrong controller.
        ([".> Starting IBC/IB gateway", ".> Starting IBC in live mode, with params:"], {"finding": "other_controller"}),
    ],
)  # fmt: skip
def test_fold(lines: list[str], expected: dict[str, Any]) -> None:
    summary = Summary(IBG_CONTROLLER)
    summary.feed(lines)
    assert {name: getattr(summary, name) for name in expected} == expected
