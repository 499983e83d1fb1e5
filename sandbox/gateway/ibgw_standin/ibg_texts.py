# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The longer texts of ibg-controller, as the recordings and gateway_controller.py of 13422e4 have them."""

from __future__ import annotations

NO_TOKEN = (
    "Command server: NO AUTH TOKEN SET. Anyone who can reach the bind address can send STOP / RESTART / "
    "RECONNECTACCOUNT. For localhost-only access use docker -p 127.0.0.1:PORT:PORT; for remote access set "
    "CONTROLLER_COMMAND_SERVER_AUTH_TOKEN."
)
NO_PROGRESS = (
    "API port never opened and no lockout signature detected — treating as terminal failure (wrong creds, wrong "
    "server, or network)"
)
LOGIN_UNFINISHED = (
    'reason="post-auth-no-progress" suggested_action="IBKR answered the auth handshake but the login never completed. '
    "This has cleared on a plain retry with no configuration change, so retry before auditing credentials; if it "
    'repeats, look for an unrecognized post-auth dialog in the window dump"'
)
DIAGNOSIS = (
    "Diagnosis: auth request sent, server responded with NS_AUTH_START, but we never reached PostAuthenticate.",
    "  NS_AUTH_START means IBKR answered the handshake, so this is not the bad-credentials signature — that one times "
    "out after the handshake.",
    "  Most likely causes, in order:",
    "    (1) A transient stall on IBKR's side. The same account has failed this way twice and then logged in on the "
    "third try with nothing changed. Retry.",
    "    (2) A post-auth dialog appeared that we didn't recognize — check the window dump below",
    "    (3) Only if it persists across several retries: verify TWS_USERID / TWS_PASSWORD (or _PAPER variants)",
    "Final state dump:",
)
LOGIN_UNFINISHED_070 = (
    'reason="post-auth-no-progress" suggested_action="server accepted the auth handshake but login never completed; '
    'verify TWS_USERID / TWS_PASSWORD (or _PAPER variants) and scan logs for an unrecognized post-auth dialog"'
)
DIAGNOSIS_070 = (
    DIAGNOSIS[0],
    "  Most likely causes:",
    "    (1) Wrong username or password — verify your TWS_USERID / TWS_PASSWORD (or _PAPER variants)",
    "    (2) A post-auth dialog appeared that we didn't recognize — check the window dump above",
    DIAGNOSIS[-1],
)
BAD_CREDENTIALS = (
    'reason="bad-credentials" suggested_action="Gateway surfaced a credential-rejection modal; verify TWS_USERID / '
    'TWS_PASSWORD (or _PAPER variants) and update env if password was rotated in IBKR Account Settings"'
)
LOCKED_OUT = (
    "CCP LOCKOUT DETECTED — IBKR's auth server silently dropped the auth request (no NS_AUTH_START before Timeout)"
)
LOCKED_OUT_TWICE = (
    "CCP lockout has hit 2 times in a row. Most common cause is a concurrent IBKR session (another TWS/Gateway) or a "
    "stranded slot from a prior unclean teardown on the {} account. Remediation: log into IBKR Mobile as this username "
    "— mobile login auto-logs-out all TWS/Gateway sessions and is the reliable kick path. IBKR Client Portal (web) "
    "login does NOT kick the slot. See docs/DISCONNECT_RECOVERY.md — scenario 'CCP lockout (concurrent IBKR session)'."
)
LOCKED_OUT_OFTEN = (
    'ALERT_CCP_PERSISTENT consecutive_lockouts={} mode={} suggested_action="log into IBKR Mobile as this username to '
    'force-log-out the held TWS/Gateway slot; IBKR Client Portal (web) does NOT kick the slot"'
)
BACKOFF = "CCP backoff: waiting {}s before next auth attempt (exponential backoff to let IBKR's rate limiter clear)"
AGAIN = "In-JVM relogin attempt (no JVM restart — matches IBC's LoginManager.initiateLogin semantics)"
WINDOW_THERE = (
    "In-JVM relogin: probing for login frame (2s) before full wait",
    "In-JVM relogin: login frame is up, re-driving handle_login on the existing JVM",
)
WEDGED = (
    "Gateway appears wedged (sustained port closure, no login dialog appearing). Escalating to do_restart_in_place()"
)
NO_MORE_RESTARTS = (
    "CCP-lockout-triggered JVM restart is disabled (default since v0.5.9). Each SIGKILL teardown re-strands the IBKR "
    "session slot and extends the server-side zombie timer; the safest recovery is to halt and let an operator "
    "investigate. Set CCP_LOCKOUT_MAX_JVM_RESTARTS to a positive integer to restore the pre-v0.5.9 auto-restart loop."
)
CALL_MOBILE = (
    'remediation="log into IBKR Mobile as this username to force-log-out the held TWS/Gateway slot (IBKR Client Portal '
    'login does NOT kick the slot — confirmed in production), then restart the container"'
)
NO_PASSKEY = (
    'reason="passkey/WebAuthn 2FA flow - unattended login not supported" remediation="set PASSKEY_AUTHENTICATE=yes to '
    "have the controller press Authenticate, and run an authenticator alongside the container to complete the ceremony "
    '(README, Passkey section)"'
)
OTHER_METHOD = (
    "Remediation: this account has multiple 2FA methods and Gateway defaulted to one ibg-controller can't drive "
    "automatically yet. Set your IBKR account's preferred 2FA method to {!r} (the one matching TWOFACTOR_CODE). See "
    "docs/UPGRADING.md (issue #7)."
)
MANUAL_WINDOW = (
    'timeout_seconds=300 remediation="finish the login over VNC (port 5900) within 300s and the controller picks the '
    'session up; after that it halts and makes no further attempts"',
    "Waiting up to 300s for a manual login before halting. Connect to the container's VNC (port 5900) and finish it by "
    "hand if you want this session. Nothing is retried meanwhile.",
)
HALTED = "2FA needs a change only an operator can make; see the ALERT_2FA_FAILED line above"
NO_MORE_LOGINS = (
    "No further login attempts will be made. Fix the cause and restart the container; VNC stays reachable if you want "
    "to finish this login by hand."
)
MORNING = (
    "  {} is set to {!r}, and AM values cannot currently be written: Gateway keeps AM/PM in a separate control the "
    "agent does not reach, so this will be stored as PM and ALERT_CONFIG_NOT_APPLIED will fire below. Use a PM time, "
    "or schedule the restart outside the container. See docs/OBSERVABILITY.md (ALERT_CONFIG_NOT_APPLIED)."
)
NOT_KEPT = 'reason="Gateway did not retain the value after OK; the schedule will not fire"'
NO_RECONNECT = (
    "ERR RECONNECTDATA: not supported on Gateway — Gateway's File menu has no Reconnect Data item. Use "
    "RECONNECTACCOUNT to re-drive the login flow instead."
)
NO_LOGIN_WINDOW = (
    "API port closed but no login dialog visible — probably a transient issue, will re-check next heartbeat"
)
