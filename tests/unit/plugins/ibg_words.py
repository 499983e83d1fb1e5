# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ibg-controller's counterparts of IBC's lines in a fault's script, from the recordings in tests/transcripts/ibg.

A line that has no counterpart is not written at all: a dialog that ibg-controller does not know has its title alone.
"""

from __future__ import annotations

import re

from tests.unit.plugins.session_log import BEGUN, IN, MISSED, PUSH

# Seconds from the push to the line that names it (24.6 in most recordings).
NAMED_AFTER = 22.0
NAMED = "Waiting for IB Key mobile approval — approve on your phone via the IB Key app"
READY = ("Readiness signal: /tmp/gateway_ready", "Command server: listening on 127.0.0.1:7462")
_LEFT = "Unrecognized modal — leaving in place to let Gateway flow proceed"
_SAID: dict[str, tuple[str, ...]] = {
    BEGUN[0]: (BEGUN[0],),
    BEGUN[2]: ("Gateway PID: 20 (JVM console -> /tmp/jvm_console.log)",),
    BEGUN[3]: ("Waiting for login dialog (JPasswordField in showing Window)", "Login dialog detected"),
    BEGUN[4]: ("Log In clicked successfully",),
    PUSH: (),
    IN[0]: ("API port {port} accepting connections after 0s",),
    IN[1]: READY,
    MISSED: (
        "TWOFA_TIMEOUT_ACTION=exit — controller exiting",
        'ALERT_2FA_FAILED mode={mode} reason="2FA dialog timeout; TWOFA_TIMEOUT_ACTION=exit"',
    ),
    "IBC: Re-starting session": (
        "AUTORESTART: Gateway is restarting itself — NOT launching a second instance (old pid=20); waiting up to 90s",
        "AUTORESTART: adopted Gateway pid=95 (was 20) after 0s",
    ),
    "Login failed": (
        "Recognized: credential-rejection dialog",
        'ALERT_LOGIN_FAILED mode={mode} reason="bad-credentials" suggested_action="verify"',
    ),
    "Re-login after second factor authentication timeout in 5 second": (
        "RELOGIN_AFTER_TWOFA_TIMEOUT=yes — in-JVM relogin",
    ),
    "detected dialog entitled: Existing session detected; event=Opened": (
        "Recognized: existing-session-detected dialog",
    ),
    "User must choose whether to continue with this session (scenario 1)": ("action=manual — leaving dialog for user",),
    "End this session and let the other session proceed (scenario 2)": (
        "Clicking existing-session button 'Cancel' in 'Existing session' window",
    ),
    "detected dialog entitled: Required PassKey is not supported; event=Opened": (
        "Passkey prompt detected in 'Second Factor Authentication': Use your Passkey device",
    ),
}
_EXIT = re.compile(r"IBC returned exit status (\d+)")
_DIALOG = re.compile(r"detected dialog entitled: (.*); event=Opened")


def spoken(line: str, mode: str) -> list[str]:
    """Return what ibg-controller writes for *line* of IBC; empty where it writes nothing."""
    if ended := _EXIT.fullmatch(line):
        code = int(ended[1])
        end = f"with code {code}" if code else "cleanly (code 0); Recovering."
        texts: tuple[str, ...] = (f"Gateway JVM exited {end}",)
    elif line not in _SAID and (dialog := _DIALOG.fullmatch(line)):
        texts = (f"Modal dialog(s) detected: [('JDialog', '{dialog[1]}')]", _LEFT)
    else:
        texts = _SAID.get(line, ())
    port = {"live": 4001, "paper": 4002}[mode]
    front = f"10:00:00 [INFO] [{mode}] "
    return [f"{'' if each.startswith('.>') else front}{each.format(mode=mode, port=port)}" for each in texts]
