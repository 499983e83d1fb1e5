# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC, the controller of image gnzsnz/ib-gateway; archived upstream on 2026-09-01."""

from __future__ import annotations

from .. import playbooks
from .marks import TAP, WINDOW, Controller, Finding

# The image ends its display first, which makes Java exit with 1.
UNDER_JAVA = "stopped by docker stop, without a log-off at IBKR"

IBC = Controller(
    "ibc",
    "IBC",
    marks={
        # The second is the desktop image's (run_tws.sh).
        "container_start": ("^.> Starting IBC/IB gateway", "^.> Starting IBC/TWS"),
        "other_controller": ("^.> Starting Gateway controller in", "ibg-controller v"),
        "bad_settings": ("^.> (Invalid TRADING_MODE: [^\n]{0,200})", "^error: both"),
        "gateway_version": ("\tVersion: (\\S{1,40})",),
        "controller_version": ("IBC: version: (\\d\\S{0,40})",),
        "jvm_start": ("Starting session: will exit if login dialog",),
        "jvm_restart": ("Re-starting session",),
        # With two tokens, IBC uses neither, and the message takes two lines.
        "token_missing": ("ull authentication will be required", "Full authentication will\n"),
        "token_found": ("authentication will not be required",),
        "login_window": ("LoginState is LOGGED_OUT",),
        # IBC prints these before each attempt; without a password no attempt follows.
        "credentials": ("IBC: Setting user name", "IBC: Setting password"),
        "login_attempt": ("Login attempt: (\\d{1,9})",),
        # A button of the login window, pressed as often as that says or more.
        "log_in_pressed": ("Click button: Log In", "Click button: Paper Log In"),
        "push_sent": ("Second Factor Authentication initiated",),
        "device_unnamed": ("You should specify the required second factor device",),
        "device_unknown": ("could not find second factor device",),
        # Printed when the push's dialog closes 180 s or more after Log In, also when the push was approved just then
        # (LoginManager.secondFactorAuthenticationDialogClosed).
        "push_lapsed_again": ("Re-login after second factor authentication timeout in",),
        "push_lapsed": ("Re-login after second factor authentication timeout not required",),
        "closing": ("Login has completed: exiting",),
        "signed_in": ("Login has completed",),
        "disclaimer_accepted": ("Click button: I understand and accept",),
        "configured": ("Configuration tasks completed",),
        "read_only": (
            "Read-Only API checkbox is now set to: (true|false)",
            "Read-Only API checkbox is already set to: (true|false)",
            "API in Read-Only mode: (true|false)",
        ),
        "write_refused": ("API client needs write access action confirmation",),
        "too_many_logins": ("oo many failed login attempts",),
        # The second are words of IB's in a dialog of its own, after which IBC goes round as after the first
        # (GatewayDialogHandler; ibg-controller knows the dialog by them).
        "login_failed": (
            "Login failed",
            *(f"n{i} {u} or password" for i in ("valid", "correct") for u in ("username", "user name")),
        ),
        # The same dialog without them: IBKR's servers were not reached, and IBC goes round.
        "server_unreachable": ("Connection to server failed",),
        "login_error": ("dialog entitled: Login Error", "Login error message:"),
        "login_stuck": tuple(f"Unrecognized {u}sername or {p}assword" for u in "Uu" for p in "Pp"),
        "session_taken": ("nd this session and let the other", "Trading Login Handoff dialog; error"),
        # IBC prints the same words whatever it does with this dialog: with primary it continues, and the other session
        # ends; the dialog follows an approved push (TradingLoginHandoffDialogHandler).
        "handoff": ("Trading Login Handoff dialog; {}",),
        "session_choice": (
            "User must choose whether to continue with this session",
            # As far as here, so that a line that is cut short is not taken for one of the others.
            "Trading Login Handoff dialog; could not",
            # A button that IBC did not find, so that the dialog stays.
            "could not handle 'Existing session detected' dialog",
            "could not handle 'Re-login is required' dialog",
        ),
        "existing_session_action": ("    ExistingSessionDetectedAction=(\\w{0,40})",),
        "contested": (
            "detected dialog entitled: (Existing session detected)",
            "detected dialog entitled: (Re-login is required)",
        ),
        "passkey": tuple(f"{p}ass{k}ey is not supported" for p in "Pp" for k in "Kk"),
        "release_refused": ("is no longer supported",),
        # A dialog that waits for OK. IBC prints its text unchanged, on one or several lines.
        "release_ends": (
            "version of the application you are running, ([^\n]{0,400})",
            "be desupported on ([^\n]{0,400})",
            "at that time will be ([^\n]{0,400})",
        ),
        "cold_restart": ("Cold restart in progress",),
        "sign_in_follows": ("IBC will cold-restart shortly",),
        "restart_follows": ("IBC will restart shortly",),
        "exit_code": ("IBC returned exit status (\\d{1,9})",),
        "error": ("Exiting after error with exit code=(\\d{1,9})",),
        "command": ("CommandServer received command: (\\S{1,40})",),
        "paused": ("IBC is paused",),
        "finished": ("Gateway finished", "TWS finished"),
        "terminated": ("Received SIGINT or SIGTERM",),
        "dialog": ("detected dialog entitled: ([^;\n]{0,200}+; event=(?:Opened|Closed))",),
    },
    # Findings only: why the gateway does not become ready, and the next step.
    findings={
        "too_many_logins": Finding(
            "IBKR has locked sign-ins of this user for a while after too many failures",
            "Stop the gateway, wait as long as the log says, correct the password, then start again.",
        ),
        "session_choice": Finding(
            "the user is signed in elsewhere, and a dialog waits for a person to choose which session lives",
            "Sign the user out there, or set gateway_existing_session_action to primary; then stop and start "
            "the gateway.",
            again=(WINDOW,),
        ),
        "session_taken": Finding(
            "another session of the same user took over, as gateway_existing_session_action allows",
            "Sign the user out there, or give this gateway a user of its own.",
            again=(WINDOW, TAP),
        ),
        "passkey": Finding(
            "the account demands a passkey, which cannot be used without a person at the screen",
            "Use a user whose second factor is IB Key, or none (paper). In Japan and Hong Kong IBKR has passkeys only, "
            "and live cannot run unattended.",
        ),
        "release_refused": Finding(
            "IBKR no longer accepts this release of the gateway",
            "Move to a newer image digest.",
            of_image=True,
        ),
        "device_unnamed": Finding(
            "IBKR offers several second-factor devices, and none is named, so that no push is sent",
            f"Set gateway_second_factor_device to the device's name as the list shows it, run {playbooks.SITE} and "
            "sign in again.",
        ),
        "device_unknown": Finding(
            "the device that gateway_second_factor_device names is not in IBKR's list, so that no push is sent",
            f"Correct gateway_second_factor_device to a name of the list, run {playbooks.SITE} and sign in again.",
        ),
    },
    commands={"stop": "STOP", "restart": "RESTART", "pause": "PAUSE"},
    # As role gateway sets it: rendered by the image at each start, in memory.
    settings_file="/run/ibc/config.ini",
    password_key="IbPassword",
    exit_codes={
        0: "a clean close",
        1: "no Java, or settings that the image refuses",
        2: "no gateway version was given to ibcstart.sh",
        3: "a wrong argument of ibcstart.sh (two-factor action or mode)",
        4: "the gateway version is not in the image",
        5: "the IBC or the settings directory is missing",
        6: "config.ini is missing",
        7: "ibgateway.vmoptions is missing",
        76: "IBC: an unhandled exception",
        77: "IBC: an element of the gateway's window was not found",
        79: "IBC: config.ini is missing",
        80: "IBC: a bad trading mode",
        81: "IBC: a setting has an invalid value",
        82: "IBC: the settings directory cannot be created",
        83: "IBC and this release of the gateway do not fit together",
        84: "IBC: a wrong path of jts.ini",
        85: "IBC: jts.ini cannot be read or written",
        86: "IBC: an invalid internal state",
        87: "the sign-in did not complete after the approval",
        88: "the login window did not show in time",
        137: "killed (out of memory, or the stop took too long)",
        143: "stopped by SIGTERM, without a log-off at IBKR",
    },
    # 255: the JVM ended just as SIGTERM reached the script, whose wait then finds no child (bash's jobs.c, wait_for).
    exit_codes_after_start={1: UNDER_JAVA, 255: UNDER_JAVA},
    settings_codes=frozenset({*range(1, 8), *range(79, 83), 84, 85}),
)
