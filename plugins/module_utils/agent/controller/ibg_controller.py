# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ibg-controller (code-hustler-ft3d/ibg-controller, 0.7.0 to 0.12.1), the successor of IBC in an image of its own.

Each start of the container, each RESTART and each relaunch is a full sign-in, since it never uses a token; whenever the
gateway's program ends, it signs in again by itself. A push is sent within seconds of "Log In clicked successfully" and
logged 25 seconds later, or never if it has been answered by then. "IB Key approval detected" means that the push's
dialog is gone, whatever the answer; only an API port that accepts proves a sign-in. Sources: gateway_controller.py and
docker/run.sh of 0.7.0 (77942a9), the published text of 0.12.0 (13422e4), its CHANGELOG.md and docs/OBSERVABILITY.md;
the recordings in tests/transcripts/ibg.
"""

from __future__ import annotations

from .. import playbooks
from .ibc import IBC
from .marks import WINDOW, Controller, Finding

IBG_CONTROLLER = Controller(
    "ibg-controller",
    "ibg-controller",
    marks={
        "container_start": ("^.> Starting IBC/IB gateway",),
        "other_controller": ("^.> Starting IBC in", "Starting session: will exit if login dialog"),
        "bad_settings": ("^.> (Invalid TRADING_MODE: [^\n]{0,200})", "^error: both"),
        "password_empty": ("TWS_USERID and TWS_PASSWORD must be set",),
        "gateway_version": ("\tVersion: (\\S{1,40})",),
        "controller_version": ("ibg-controller v(\\d\\S{0,40}) starting",),
        # A launch by the controller; the program's own restart does not print it.
        "jvm_start": ("Gateway PID: ",),
        "adopted": ("AUTORESTART: adopted Gateway pid=",),
        "login_awaited": ("Waiting for login dialog ",),
        "login_attempt": ("Log In clicked successfully",),
        "push_unseen": ("[live] API port 4001 already open",),
        "push_sent": ("Waiting for IB Key mobile approval",),
        "push_closed_unread": ("2FA dialog dismissed",),
        "push_missed_again": ("TWOFA_TIMEOUT_ACTION=restart ", "RELOGIN_AFTER_TWOFA_TIMEOUT=yes"),
        "push_missed": ('reason="2FA dialog timeout',),
        "code_secret_bad": ('reason="TWOFACTOR_CODE is not',),
        "passkey": ("Passkey/WebAuthn login flow detected", "Passkey prompt detected in", 'reason="passkey'),
        "second_factor_failed": ('ALERT_2FA_FAILED (?:mode=\\w{1,10} )?reason="([^"\n]{1,200})',),
        "by_hand": ("ALERT_2FA_MANUAL_WINDOW",),
        "signed_in": (" accepting connections after", "API port opened — IB Key approval succeeded"),
        "disclaimer_accepted": ("Clicking disclaimer button '",),
        "ready": ("Readiness signal: ",),
        "read_only": ("Setting Read-Only API = (True|False)",),
        "read_only_failed": (
            "Failed to toggle (Read-Only API)",
            "could not open Configure → (Settings dialog)",
            "Could not select (API/Settings)",
            "Could not click (OK to commit config changes)",
        ),
        "settings_failed": (
            # Of ALERT_CONFIG_NOT_APPLIED; its beginning and a search for this would cost a flood of beginnings seconds.
            "env_var=(\\w{1,40})",
            "Could not select (Lock and Exit)",
            "Failed to set (Master API client ID)",
            "Failed to set Auto (Log Off Time|Restart Time)",
        ),
        "login_rejected": ('reason="bad-credentials"',),
        "password_expired": ("ALERT_PASSWORD_EXPIRED status=expired",),
        "server_silent": ("ALERT_CCP_PERSISTENT consecutive_lockouts=",),
        "session_taken": ("Clicking existing-session button 'Cancel'",),
        "session_choice": ("action=manual — leaving dialog for user", "existing-session: none of "),
        "session_contest": ("existing-session: handled this dialog",),
        "contested": ("Recognized: existing-session-detected dialog", "Late existing-session dialog detected"),
        "dialog_seen": ("Modal dialog(?:\\(s\\) detected: \\[\\('\\w{1,40}', ')([^'\n]{1,100})",),
        "dialog_left": ("Unrecognized modal ", "Unrecognized 'password' dialog"),
        # First, since the last of these lines announces a relaunch as well.
        "no_progress": ("API port never opened", "API port never came back up"),
        "sign_in_follows": (
            "Trying fast in-place restart first",
            "Relaunching Gateway in ",
            "RESTART: terminating Gateway PID",
            "Escalating to do_restart_in_place",
            "Login dialog detected during monitor loop",
            "AUTORESTART: login dialog on",
            "In-JVM relogin attempt",
            "Retrying auth in-JVM",
        ),
        "program_unready": (
            "No Gateway launcher found",
            "Input agent never came up",
            "Gateway PID unknown",
            "Login dialog never appeared",
        ),
        "gave_up": (
            "ALERT_HALTED",
            "ALERT_CCP_PERSISTENT_HALT",
            "ALERT_JVM_RESTART_EXHAUSTED",
            "did not bring this mode back",
            "Login dialog handling failed",
            "Post-login dialog handling failed",
        ),
        "maintenance": ("ALERT_IBKR_MAINTENANCE_RECOVERY delay_seconds=(\\d{1,5})",),
        "never_ready": ("controller readiness timeout after",),
        "finished": ("Gateway JVM exited", "Gateway JVM pid="),
        "command": ("Command server: (?:\\S{1,60}) sent '(\\S{1,40})'",),
        "terminated": ("Received signal ", "Received SIGINT or SIGTERM"),
    },
    findings={
        "password_empty": Finding(
            "the container was started without user or password, so that nothing signs in",
            f"Sign in by {playbooks.LIVE_SIGNIN} (live) or ibgwctl start (paper), which hand the password over.",
            again=(WINDOW,),
        ),
        "code_secret_bad": Finding(
            "TWOFACTOR_CODE of its environment is not a base32 secret, so that nothing signs in",
            "Take it out of gateway_environment, or set the secret that IBKR shows when an authenticator is added.",
        ),
        "password_expired": Finding(
            "IBKR says that the user's password has expired",
            "Set a new one at IBKR's web page, give it to the inventory, then sign in again.",
        ),
        "server_silent": Finding(
            "IBKR's sign-in server did not answer, three times in a row: another session of the user holds the place, "
            "or IBKR makes the user wait",
            "Sign in to IBKR Mobile as this user, which ends its other sessions; wait 20 minutes, then start again.",
            again=(WINDOW,),
        ),
        "session_contest": Finding(
            "another program signs in as the same user again and again",
            "Stop the other one, or give this gateway a user of its own.",
            again=(WINDOW,),
        ),
        "program_unready": Finding(
            "the gateway's program did not start, or showed no login window in two minutes",
            "Give the machine more CPU and memory, look at /tmp/jvm_console_<mode>.log in the container, then start "
            "again.",
            again=(WINDOW,),
        ),
        **{name: IBC.findings[name] for name in ("passkey", "session_choice", "session_taken")},
    },
    # RESTART is a full sign-in here, which no caller of ours wants; there is no PAUSE.
    commands={"stop": "STOP"},
    # The image renders it for IBC even where IBC does not run. The controller reads its environment instead.
    settings_file=IBC.settings_file,
    password_key=IBC.password_key,
    exit_codes={
        0: "a stop by command or signal",
        1: "the sign-in failed, or ibg-controller gave up",
        2: "no user or password, or a code secret that is none",
        3: "no push was approved in time (TWOFA_TIMEOUT_ACTION=exit)",
        4: "no push was approved in time, and the relaunch failed (TWOFA_TIMEOUT_ACTION=restart)",
        137: "killed (out of memory, a stop before the first sign-in was done, or one that took too long)",
        143: "stopped by SIGTERM, which ibg-controller takes for a log-off",
    },
    listens_late=True,
    names_pushes_late=True,
    password_is_property=False,
)
