# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The basis of each promise of this collection, per controller; a promise that a controller cannot keep is refused by
name.

docs/reference/controllers.md prints them. Sources: the recordings in tests/transcripts and tests/transcripts/ibg, and
the sources that ibc.py and ibg_controller.py name.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import playbooks
from .ibc import IBC
from .ibg_controller import IBG_CONTROLLER
from .marks import Controller

START, RESTART, DAILY, PREVENTION, PASSWORD, STOP, REFUSED, PENDING, DEVICE, CODE, PASSKEY, SETTINGS = (
    "start",
    "restart",
    "daily",
    "prevention",
    "password",
    "stop",
    "refused",
    "pending",
    "device",
    "code",
    "passkey",
    "settings",
)
PROMISES = {
    START: "a start on a kept sign-in costs no push",
    RESTART: "a restart by command keeps the sign-in",
    DAILY: "the daily restart keeps the sign-in",
    PREVENTION: "no push that nobody asked for",
    PASSWORD: "the password is out of the container outside of a sign-in",
    STOP: "a stop ends, and logs off at IBKR where there is a session",
    REFUSED: "at most two refused logins",
    PENDING: "a push that waits is told at once",
    DEVICE: "the push goes to the device that is chosen",
    CODE: "a second factor that nobody can give is named",
    PASSKEY: "a passkey is named",
    SETTINGS: "the settings of the inventory are in force",
}
# A controller that lacks one of these never drives a live gateway, whatever the operator accepts.
LIVE = (PREVENTION, REFUSED, STOP)


class Basis(NamedTuple):
    """Whether a promise is kept, what that rests on, and what to do instead where it is not."""

    kept: bool
    rests_on: str
    instead: str = ""


BASES: dict[str, dict[str, Basis]] = {
    IBC.name: {
        START: Basis(True, "the token in the settings directory (autorestart), which IBC hands to the gateway"),
        RESTART: Basis(True, "RESTART, once in a JVM's life; the token"),
        DAILY: Basis(True, "the token; needs no password"),
        PREVENTION: Basis(
            True,
            "without a password IBC stops at the login window and presses nothing; second wall: the kill at "
            "`Starting session: will exit if login dialog`, 2.7 s or more before the push. Two ways are not foreseen: "
            "a restart on a token that asks for a second factor all the same, and the Re-login that IBC presses when "
            "another session has taken over. If IBKR sends a push there, it is the first line that tells of it, and "
            "the container ends behind it",
        ),
        PASSWORD: Basis(True, "the file in memory and its rendered settings are emptied once the sign-in is over"),
        STOP: Basis(True, "STOP, at any time; then docker stop; then SIGKILL 15 s after the grace"),
        REFUSED: Basis(True, "`Login failed`, counted; IBC itself tries again every 3.5 s without end"),
        PENDING: Basis(True, "`Second Factor Authentication initiated`, the moment at which the dialog opens"),
        DEVICE: Basis(True, "SecondFactorDevice"),
        CODE: Basis(True, "the title of the dialog that waits, after 10 s"),
        PASSKEY: Basis(True, "`Passkey is not supported`"),
        SETTINGS: Basis(True, "config.ini, rendered at each start"),
    },
    IBG_CONTROLLER.name: {
        START: Basis(
            False,
            "it never uses the token: each start is a full sign-in",
            f"On live every start needs a person at the phone ({playbooks.LIVE_SIGNIN}); a pause keeps nothing.",
        ),
        RESTART: Basis(
            False,
            "its RESTART is a full sign-in, and it has no PAUSE",
            f"Stop it and start it, live with the phone at hand ({playbooks.LIVE_SIGNIN}).",
        ),
        DAILY: Basis(
            True,
            "the gateway restarts itself and 0.9.0 or later adopts it (`AUTORESTART: adopted`); a session that was not "
            "kept shows `AUTORESTART: login dialog on`",
        ),
        PREVENTION: Basis(
            True,
            "the kill, at `Gateway PID:`, `Recovery:`, `RESTART: terminating` or `Waiting for login dialog`, of which "
            "the last stands 1.1 s or more before the push. Without a password a new start of the container presses "
            "nothing (exit code 2), but a relaunch within it has the password of the first sign-in in its environment, "
            "so the kill is the only wall",
        ),
        PASSWORD: Basis(
            False,
            "the files are emptied, too, but two processes keep it in their environment until the container stops",
            "Whoever breaks into the container during the week can read it; the watcher has to run all the time.",
        ),
        STOP: Basis(
            True,
            "STOP, which it takes from its first complete sign-in on; before that the start script does not hear "
            "SIGTERM, so that the container is killed at once, which closes the push with it",
        ),
        REFUSED: Basis(
            True, "`bad-credentials`: stopped at the first one; it would try the same password three times more"
        ),
        PENDING: Basis(
            True,
            "`Log In clicked successfully` on live: a push may stand, and is said to; its own words come 25 s later, "
            "and for a push that is answered by then never",
        ),
        DEVICE: Basis(False, "a list of devices is not touched", "Keep one device for IB Key at IBKR."),
        CODE: Basis(True, "`ALERT_2FA_FAILED` with its reason; a person has 300 s to finish it at the screen"),
        PASSKEY: Basis(True, "`Passkey prompt detected`"),
        SETTINGS: Basis(
            False,
            "most settings of IBC have no equivalent; the others are written through the window after each sign-in, "
            "and times in the morning cannot be",
            "Those without one are refused by name, unless they are at their defaults.",
        ),
    },
}


def basis(controller: Controller, promise: str) -> Basis:
    """Return what *promise* rests on with *controller*."""
    return BASES[controller.name][promise]


def refusal(controller: Controller, promise: str, name: str) -> str | None:
    """Return why gateway *name* cannot be asked for *promise*, and what to do instead; None where it can."""
    found = basis(controller, promise)
    if found.kept:
        return None
    return (
        f"gateway {name} is driven by {controller.title}, which does not keep this promise ({PROMISES[promise]}): "
        f"{found.rests_on}. {found.instead}"
    )
