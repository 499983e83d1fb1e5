# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of a log: why a gateway does not become ready, and the next step.

One that a single event shows is in its controller's table; the others take more than one event, or more than the event
(milestones.py).
"""

from __future__ import annotations

from .. import playbooks
from . import controllers
from .marks import TAP, WINDOW, Finding

FINDINGS: dict[str, Finding] = {
    **{name: row for table in controllers.TABLES.values() for name, row in table.findings.items()},
    "other_controller": Finding(
        "another controller runs in its container than the one that it is deployed for, so that nothing can be "
        "promised of it",
        f"Set the image or its variable USE_IBG_CONTROLLER back, or run {playbooks.SITE} for the controller that is "
        "meant.",
        at_once=True,
    ),
    "bad_settings": Finding(
        "the image or its controller refuses its settings",
        f"Correct what the log or the exit code names, run {playbooks.SITE}, then start it again (live: "
        f"{playbooks.LIVE_SIGNIN}).",
        of_image=True,
    ),
    "refused_login": Finding(
        "IBKR refused the user or the password; every further try brings the user nearer to a lock-out",
        "Stop the gateway, check user, password and mode by signing in at IBKR's web page, then start again.",
        at_once=True,
    ),
    "server_unreachable": Finding(
        "the gateway could not reach IBKR's servers, twice in a row; user and password have not been judged",
        "Look for an outage at IBKR's system status page, and check the VM's way out (names, routes, firewall) to "
        "IBKR's hosts; then start again.",
        again=(WINDOW, TAP),
        at_once=True,
    ),
    "login_window_loop": Finding(
        "the login window did not show in time, three times in a row",
        "Give the machine more CPU, or raise gateway_login_dialog_timeout.",
        again=(WINDOW,),
        of_image=True,
    ),
    "push_missed": Finding(
        "the push was not approved in time and no other will be sent",
        "Stop the gateway and sign in again with the phone at hand.",
    ),
    "push_denied": Finding(
        "a push was answered, and the sign-in did not complete: it was denied on the phone, or IBKR did not go on",
        "Ask who holds the phone; then sign in again, and approve the push.",
        again=(TAP,),
        at_once=True,
    ),
    "push_closed": Finding(
        "the push's dialog closed, and the sign-in did not complete: it was denied, or not answered in time",
        "Ask who holds the phone; then sign in again, and approve the push.",
        again=(TAP,),
    ),
    "second_factor": Finding(
        "IBKR asks for a second factor that this gateway is not set up for",
        "Make IB Key the user's only or preferred method at IBKR, then sign in again.",
    ),
    "no_progress": Finding(
        "the sign-in was accepted and did not complete, and the controller would try it again and again",
        "Look at the container's log for the dialog that stood; if there was none, IBKR was slow: sign in again.",
        again=(WINDOW, TAP),
    ),
    "gave_up": Finding(
        "the controller has given up, and tries nothing more",
        "Look at the container's log for why, then stop it and sign in again.",
        again=(WINDOW, TAP),
    ),
    "too_many_attempts": Finding(
        "sign-ins were tried again and again without success, and IBKR locks a user who goes on",
        "Look at the container's log for what refused them, check user and password by signing in at IBKR's web"
        " page, then start again.",
        at_once=True,
    ),
    "stale_token": Finding(
        "the start waits without end on a kept sign-in (autorestart) that is no longer valid",
        "Stop it and start it by ibgwctl start, which removes a stale one.",
        again=(WINDOW,),
    ),
}
