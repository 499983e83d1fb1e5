# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults: each row is played by test_faults.py, or by the test of Molecule's that it names.

`python -m tests.unit.plugins.faults` prints it as docs/reference/faults.md has it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from tests.unit.plugins.driven import (
    World,
    answering,
    closing,
    disclaimed,
    hung,
    zombie,
)
from tests.unit.plugins.session_log import BEGUN, IN, MISSED, ON_TOKEN, TUESDAY, new_york
from tests.unit.plugins.strikes import (
    AGAIN,
    ASKING,
    ASKS,
    CHOICE,
    DIALOG,
    ELSEWHERE,
    ENDS,
    FACTOR,
    LOGIN_ERROR,
    NO_SERVER,
    NO_WINDOW,
    PAPER,
    PUSH_AFTER_PUSH,
    PUSHED,
    REFUSED,
    RESUMED,
    SESSION,
    SESSION_BEGINS,
    SIGNED_IN,
    TAKEN,
    UNKNOWN_ERROR,
    UNREACHED,
    WEEK_CLOSES,
    Strike,
    api,
    blocked,
    both,
    clock_set,
    down,
    engine_away,
    hung_until_restart,
    in_a_session,
    killed_at,
    link_cut,
    mended,
    release,
    running,
    sign_in,
    signed_in,
    signing_in,
    starting,
    stop_killed,
    stopped,
    two_operators,
    watcher_killed,
    without_a_link,
    writing,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control

BLOCKED, DEGRADED, READY, STARTING = verdicts.BLOCKED, verdicts.DEGRADED, verdicts.READY, verdicts.STARTING
STOPPED = verdicts.STOPPED
STARTED_AGAIN = f"ended/{SESSION_BEGINS:.0f}/started_again"


@dataclass(frozen=True)
class Fault:
    """A row. *strike* does it just after a look, which is the worst moment; *shows* is the line of the log with which
    it begins where that is later.

    *state* is reached after *seconds* (None: nobody sees it), and *ends* in the end. *pushes* are those of a sign-in
    that somebody made: without one there are none, in every row. *says* is part of the reason, *error* of what the
    operator is told.
    """

    what: str
    does: str
    strike: Strike
    state: str
    seconds: int | None
    lost: str = "nothing"
    cause: str | None = None
    told: tuple[str, ...] = ()
    mode: str = "live"
    before: Strike = signed_in
    shows: str = ""
    ends: str = ""
    pushes: int = 0
    lasts: float = 400.0
    now: float = TUESDAY
    settings: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    error: str = ""


FAULTS: tuple[Fault, ...] = (
    # The machine and its engine
    Fault(
        "the container is killed (kill -9, out of memory)", "leaves it down: a start would be a push",
        lambda world: world.fake.exit(137), BLOCKED, 0, "the session", "session_lost", ("state/blocked",),
    ),
    Fault(
        "the container is killed, an hour after a person had brought it back", "alerts again",
        lambda world: world.fake.exit(137),
        BLOCKED, 0, "the session", "session_lost", ("state/blocked",), before=mended,
    ),
    Fault(
        "the container is killed, outside of a session", "leaves it down until its next session",
        lambda world: world.fake.exit(137), BLOCKED, 0, "the run", "ended", ("state/blocked",), mode="paper",
        before=running,
    ),
    Fault(
        "the container ends at a time of its settings, outside of a session", "says so",
        lambda world: world.fake.exit(0), STOPPED, 0, "the run", mode="paper", before=running, says="a clean close",
    ),
    Fault(
        "the container is killed, within a session", "starts it once more, a minute later",
        lambda world: world.fake.exit(137), STOPPED, 0, "a restart", told=(STARTED_AGAIN,), mode="paper",
        before=in_a_session, now=SESSION_BEGINS, ends=READY, settings=SESSION,
    ),
    Fault(
        "the container is killed in its session, and killed again", "starts it once, and no more",
        both(lambda world: world.later(120, lambda: world.fake.exit(137)), lambda world: world.fake.exit(137)), BLOCKED,
        120, "the run", "ended_twice", (STARTED_AGAIN, "state/blocked"), mode="paper",
        before=in_a_session, now=SESSION_BEGINS, settings=SESSION,
    ),
    Fault(
        "dockerd is killed and back in 20 s", "says so; the container lives on (live-restore)", engine_away(20),
        DEGRADED, 0, ends=READY,
    ),
    Fault(
        "dockerd is away for 5 minutes, and the container ends meanwhile", "tells it when the engine is back",
        both(engine_away(300), lambda world: world.later(60, lambda: world.fake.exit(137))), BLOCKED, 300,
        "the session", "session_lost", ("state/degraded", "state/blocked"),
    ),
    Fault(
        "the watcher is killed, and the API hangs", "asks at once when systemd has restarted it",
        both(api(hung), watcher_killed), DEGRADED, 7, "its use", told=("state/degraded",),
    ),
    Fault(
        "the API hangs, and dockerd is restarted before the next look", "asks as soon as the engine is back",
        both(api(hung), lambda world: world.later(55, lambda: engine_away(1)(world))), DEGRADED, 62, "its use",
        told=("state/degraded",), says="does not greet",
    ),
    Fault("the host reboots: stopped", "leaves it down", World.reboot, STOPPED, None, before=stopped),
    Fault(
        "the host reboots: starting", "leaves it down; the sign-in has ended",
        both(killed_at("login_window", *SIGNED_IN), World.reboot), BLOCKED, 60, "the sign-in", "sign_in_ended",
        ("state/blocked",), before=down,
    ),
    Fault(
        "the host reboots: waiting_2fa", "leaves it down; the sign-in has ended",
        both(killed_at("push_sent", *PUSHED), World.reboot), BLOCKED, 60, "the sign-in", "sign_in_ended",
        ("state/blocked",), before=down, pushes=1,
    ),
    Fault(
        "the host reboots: ready", "leaves it down: a start would be a push", World.reboot, BLOCKED, 60, "the session",
        "session_lost", ("state/blocked",),
    ),
    Fault(
        "the host reboots: degraded", "leaves it down: a start would be a push", World.reboot, BLOCKED, 60,
        "the session", "session_lost", ("state/blocked",), before=without_a_link,
    ),
    Fault("the host reboots: blocked", "leaves it so", World.reboot, BLOCKED, None, before=blocked,
          cause="session_lost"),
    Fault(
        "the host reboots, within a session", "starts it once more", World.reboot, STOPPED, 60, "a restart",
        told=(STARTED_AGAIN,), mode="paper", before=in_a_session, now=SESSION_BEGINS, ends=READY, settings=SESSION,
    ),
    Fault("the disk is full", "alert; it watches on, and the state file stays as it was", World.fill_disk, READY, None,
          told=("not_saved",)),
    Fault(
        "the disk is full, and the container ends", "alerts from memory; writes it down when there is room",
        both(World.fill_disk, lambda world: world.later(1, lambda: world.fake.exit(137)),
             lambda world: world.later(90, world.free_disk)), BLOCKED, 121, "the session", "session_lost",
        ("not_saved", "state/blocked"),
    ),
    Fault(
        "the disk is full, and an operator stops the gateway", "the stop is done, and said not to be written down",
        both(World.fill_disk, lambda world: world.act(Control.stop), World.free_disk), BLOCKED, 2, "the session",
        "session_lost", ("state/blocked",), error="cannot be written to",
    ),
    Fault(
        "the disk is full, and an operator signs in", "nothing is started",
        both(World.fill_disk, signing_in(*SIGNED_IN), World.free_disk), STOPPED, None, before=down,
        error="cannot be written to",
    ),
    Fault(
        "the clock is set an hour back, and the API hangs", "sees it as soon as ever",
        both(clock_set(-3600), api(hung)), DEGRADED, 65, "its use", told=("state/degraded",),
    ),
    Fault(
        "the clock is set back to before the container's start, and another session takes over", "stops it",
        both(clock_set(-7200), writing((1, ELSEWHERE), (1, TAKEN))), BLOCKED, 3, "the session", "session_taken",
        ("state/blocked",),
    ),
    Fault("the clock is set an hour ahead", "nothing: the week goes on", clock_set(3600), READY, None),
    Fault(
        "the clock is set ahead past the week's end", "IBC's STOP: such a sign-in would be void",
        clock_set(5 * 86400), STOPPED, 62, "the session", told=("reminder/2026-11-29/noon",),
    ),
    Fault(
        "the clock is set an hour ahead within a sign-in", "the sign-in goes on",
        both(lambda world: world.later(10, lambda: clock_set(3600)(world)), signing_in(*SIGNED_IN)), READY, 30,
        before=down, pushes=1,
    ),
    # Actors
    Fault(
        "ibgwctl is killed within a sign-in, and the push is approved", "sees the sign-in through",
        killed_at("push_sent", *SIGNED_IN), READY, 18, before=down, pushes=1,
    ),
    Fault(
        "ibgwctl is killed within a sign-in, and the push is missed", "stops it",
        killed_at("push_sent", *PUSHED, (192, MISSED)), BLOCKED, 202, "the sign-in", "push_missed", ("state/blocked",),
        before=down, pushes=1,
    ),
    Fault(
        "ibgwctl is killed within a sign-in that hangs", "stops it when its ten minutes are over",
        killed_at("login_window", *ASKING), BLOCKED, 592, "the sign-in", "sign_in_late",
        ("state/degraded", "state/blocked"),
        before=down, lasts=700,
    ),
    Fault(
        "ibgwctl is killed within a stop that IBC has heard", "takes it for stopped by the operator",
        stop_killed(lambda world: world.later(3, lambda: world.fake.exit(0))), STOPPED, 3, "the session",
    ),
    Fault(
        "ibgwctl is killed within a stop in which IBC hangs", "finishes the stop", stop_killed(lambda world: None),
        STOPPED, 120, "the session",
    ),
    Fault(
        "two operators sign in at once", "the second one is told who is at it (exit status 4)",
        two_operators(sign_in), READY, 18, before=down, pushes=1, error="is busy: sign-in by Ann",
    ),
    Fault(
        "an operator stops while another signs in", "the second one is told who is at it (exit status 4)",
        two_operators(Control.stop), READY, 18, before=down, pushes=1, error="is busy: sign-in by Ann",
    ),
    Fault(
        "somebody starts the live container by hand", "kills it before the push",
        both(lambda world: setattr(world, "ibc", SIGNED_IN), lambda world: world.fake.start()), BLOCKED, 2,
        "the sign-in", "sign_in_asked", ("state/blocked",), before=stopped,
    ),
    # Signing in: gateway_operations 2.3 and 3, numbers 2 and 7
    Fault(
        "IBKR refuses the password: IBC keeps trying", "stops it at the second refusal", signing_in(*REFUSED),
        BLOCKED, 13, "the sign-in", "refused_login", ("state/blocked",), before=down, shows="Login failed",
    ),
    Fault(
        "IBKR refuses the password: IBC keeps trying", "stops it at the second refusal", starting(*REFUSED),
        BLOCKED, 13, "the start",
        "refused_login", ("state/blocked",), mode="paper", before=down, shows="Login failed",
    ),
    Fault(
        "the dialog 'Unrecognized Username or Password' waits at the sign-in", "stops it",
        signing_in(*ASKING, (12, DIALOG.format("Unrecognized Username or Password"))), BLOCKED, 0, "the sign-in",
        "refused_login", ("state/blocked",), before=down, shows="Unrecognized",
    ),
    Fault(
        "that dialog waits after a daily restart", "stops it",
        writing(*RESUMED[:3], (20, DIALOG.format("Unrecognized Username or Password"))), BLOCKED, 0, "the session",
        "refused_login", ("state/blocked",), shows="Unrecognized",
    ),
    Fault(
        "too many failed login attempts: locked for a while", "stops it",
        signing_in(*ASKING, (12, "Too many failed login attempts. Please wait 10 minutes")), BLOCKED, 2, "the sign-in",
        "too_many_logins", ("state/blocked",), before=down, shows="Too many",
    ),
    Fault(
        "the login window never shows: exit 88 again and again", "stops it at the third", starting(*NO_WINDOW), BLOCKED,
        246, "the start", "login_window_loop", ("state/blocked",), mode="paper", before=down,
        shows="exit status 88",
    ),
    *(
        Fault(
            "a Login Error: IBC keeps trying", "stops it at the second", act(*LOGIN_ERROR), BLOCKED, 8,
            lost, "too_many_attempts", ("state/blocked",), mode=mode, before=down, shows="Login Error",
        )
        for mode, act, lost in (("live", signing_in, "the sign-in"), ("paper", starting, "the start"))
    ),
    *(
        Fault(
            "a sign-in that fails without a word, again and again", "stops it when the fourth begins",
            act(*UNKNOWN_ERROR), BLOCKED, 24, lost, "too_many_attempts", ("state/blocked",), mode=mode,
            before=down, shows="session: will exit",
        )
        for mode, act, lost in (("live", signing_in, "the sign-in"), ("paper", starting, "the start"))
    ),
    *(
        Fault(
            "IBKR's servers are out of reach at the sign-in: IBC keeps trying", "stops it at the second failure",
            act(*NO_SERVER), BLOCKED, 8, lost, "server_unreachable", ("state/blocked",), mode=mode, before=down,
            shows=UNREACHED,
        )
        for mode, act, lost in (("live", signing_in, "the sign-in"), ("paper", starting, "the start"))
    ),
    Fault(
        # 27-closedown-bad.log
        "IBC refuses a setting: the container ends with exit code 81", "blocked, with what the code means",
        both(lambda world: world.later(3, lambda: world.fake.exit(81)), signing_in(*ASKING[:2])), BLOCKED, 3,
        cause="bad_settings", told=("state/blocked",), before=down, says="a setting has an invalid value",
    ),
    Fault(
        "several second-factor devices, and none is named", "stops it: no push comes",
        signing_in(*ASKING, (12, "You should specify the required second factor device using the SecondFactorDevice")),
        BLOCKED, 2, "the sign-in", "device_unnamed", ("state/blocked",), before=down, shows="You should specify",
    ),
    Fault(
        "the second-factor device is not in the list", "stops it: no push comes",
        signing_in(*ASKING, (12, "could not find second factor device 'IBKR Mobile' in the list")),
        BLOCKED, 2, "the sign-in", "device_unknown", ("state/blocked",), before=down, shows="could not find",
    ),
    Fault(
        "a stale autorestart file: the start waits without end", "stops it",
        starting((0, BEGUN[0]), (1, ON_TOKEN[1]), (2, ON_TOKEN[2]), (4, BEGUN[3])), BLOCKED, 182, "the start",
        "stale_token", ("state/blocked",), mode="paper", before=down, shows="LOGGED_OUT",
    ),
    Fault(
        "the container is paused (docker pause)", "alert; it counts as running",
        lambda world: setattr(world.fake, "status", "paused"), DEGRADED, 60, "its use", told=("state/degraded",),
        says="is paused",
    ),
    Fault(
        "a passkey is demanded", "stops it",
        signing_in(*ASKING, (12, DIALOG.format("Required PassKey is not supported"))),
        BLOCKED, 2, "the sign-in", "passkey", ("state/blocked",), before=down, shows="PassKey",
    ),
    Fault(
        "a code or a security question is asked for", "stops it when the sign-in's ten minutes are over",
        signing_in(*ASKING, (12, DIALOG.format("Security Code"))), BLOCKED, 590, "the sign-in", "sign_in_late",
        ("state/blocked",), before=down, shows="Security Code", lasts=1000,
    ),
    Fault(
        "a code or a security question is asked for", "tells it, with the dialog's title",
        starting(*ASKING, (12, DIALOG.format("Security Code"))),
        DEGRADED, 10, "the start", told=("state/degraded",), mode="paper", before=down, shows="Security Code",
        says="Security Code",
    ),
    Fault(
        "the push is missed, and IBC waits (relogin=no)", "three pushes, then blocked",
        signing_in(*PUSHED, (192, MISSED)), BLOCKED, 410, "the sign-in", "push_missed", ("state/blocked",), before=down,
        shows=MISSED, pushes=3, lasts=700,
    ),
    Fault(
        "the push is missed, and IBC sends another without end (relogin=yes)", "three pushes, then blocked",
        signing_in(*PUSH_AFTER_PUSH), BLOCKED, 386, "the sign-in", "push_missed", ("state/blocked",), before=down,
        shows=AGAIN, pushes=3, lasts=1000,
    ),
    Fault(
        # 04-push-denied-login-failed.log
        "the push is denied, and IBC starts again for another", "kills it before the next push",
        signing_in(*PUSHED, (16, f"{FACTOR}Closed"),
                   (16, "Login failed"), *((16 + seconds, line) for seconds, line in PUSHED[2:])),
        BLOCKED, 0, "the sign-in", "push_denied", ("state/blocked",), before=down, shows="Login failed", pushes=1,
    ),
    Fault(
        "the push is approved and the login stalls (exit 87)", "blocked: the container has ended",
        both(lambda world: world.later(90.001, lambda: world.fake.exit(87)),
             signing_in(*PUSHED, (40, f"{FACTOR}Closed"), (90, "IBC returned exit status 87"))),
        BLOCKED, 0, "the sign-in",
        "push_denied", ("state/blocked",), before=down, shows="exit status 87", pushes=1, lasts=700,
    ),
    Fault(
        "the token is lost: the daily restart asks for a sign-in", "kills it before the push",
        writing((5, "IBC returned exit status 0"), *((seconds + 6, line) for seconds, line in PUSHED[1:])), BLOCKED, 0,
        "the session", "sign_in_asked", ("state/blocked",), shows="session: will exit",
    ),
    Fault(
        "IBKR refuses the token: cold restart", "kills it before the push",
        # 07-login-error-daily-restart.log
        writing(*RESUMED[:3], (20, DIALOG.format("Login Error")), (20, "Login error message:"),
                (20, "Cold restart in progress"), (21, "IBC returned exit status 0"),
                (21, "IBC will cold-restart shortly"), *((seconds + 21, line) for seconds, line in PUSHED[2:])),
        BLOCKED, 1, "the session", "sign_in_asked", ("state/blocked",), shows="Login error message",
    ),
    Fault(
        "the daily restart stalls", "alert", writing(*RESUMED[:3]), DEGRADED, 180, "its use", told=("state/degraded",),
        shows="Re-starting session",
    ),
    Fault(
        "the week ends: IBKR voids the token", "IBC's STOP before it",
        lambda world: setattr(world, "struck", WEEK_CLOSES), STOPPED, 2, "the session", now=WEEK_CLOSES - 300,
    ),
    # The gateway: 2.3 and 3, numbers 1, 4, 5, 9, 10, 12, 14
    Fault(
        "the gateway's JVM ends in a living container", "alert",
        writing((0, "IBC returned exit status 1")), DEGRADED, 60, "its use", told=("state/degraded",),
        says="has ended in a running container",
    ),
    Fault(
        "the API accepts and does not answer", "IBC's RESTART at the second look, which costs no push",
        hung_until_restart, DEGRADED, 65, "a restart", ends=READY, told=("state/degraded", "state/ready"),
    ),
    Fault(
        "the API accepts and does not answer, and IBC refuses RESTART", "alert; once a day it is tried", api(hung),
        DEGRADED, 65,
        "its use", told=("state/degraded",),
    ),
    Fault(
        "the API opens sessions and answers no request", "IBC's RESTART at the second look",
        both(hung_until_restart, api(zombie)), DEGRADED, 65, "a restart", ends=READY,
        told=("state/degraded", "state/ready"),
    ),
    Fault(
        "the relay accepts, and no API listens", "alert", api(closing), DEGRADED, 60, "its use",
        told=("state/degraded",),
    ),
    Fault(
        "the disclaimer is not accepted", "alert", both(api(disclaimed), starting(*PAPER)), DEGRADED, 0,
        "the start", told=("state/degraded",), mode="paper", before=down, says="disclaimer",
        shows="Configuration tasks completed",
    ),
    Fault(
        "the desktop of the image never comes up", "alert", starting((0, BEGUN[0])), DEGRADED, 180, "the start",
        told=("state/degraded",), mode="paper", before=down,
    ),
    Fault(
        "a broken image: the container ends at once", "leaves it down until its next session",
        both(starting((0, BEGUN[0])), lambda world: world.fake.exit(1)), BLOCKED, 0, "the start", "ended",
        ("state/blocked",), mode="paper", before=down, says="no Java",
    ),
    Fault(
        "IBKR no longer accepts the release", "stops it",
        starting(*ASKING, (12, "This version is no longer supported")), BLOCKED, 2, "the start", "release_refused",
        ("state/blocked",), mode="paper", before=down, shows="no longer",
    ),
    Fault(
        "a session is due, and IBKR no longer accepts the image's release", "starts nothing", release("10.45.1j"),
        BLOCKED, 60, cause="release_not_accepted", told=("state/blocked", "release/critical"), mode="paper",
        before=down, now=new_york("2026-12-22 09:19"), settings=SESSION,
    ),
    Fault(
        "an operator signs in, and IBKR no longer accepts the image's release", "nothing is started",
        both(release("10.45.1j"), signing_in(*SIGNED_IN)), STOPPED, None, before=down,
        told=("release/critical",), now=new_york("2026-12-22 12:00"), error="release_not_accepted",
    ),
    Fault(
        "IBKR announces that it will no longer accept the release (notice 2172)", "alert; it serves on until that day",
        api(answering(ENDS)), READY, None, told=("release/warning",),
    ),
    Fault(
        "IBKR announces it without a day", "alert, with IBKR's text", api(answering(ASKS)), READY, None,
        told=("release/warning",),
    ),
    Fault(
        "IBKR announces it, seven days before or later", "alert", api(answering(ENDS)), READY, None,
        told=("release/critical",), now=new_york("2026-12-08 12:00"),
    ),
    Fault(
        "IBKR announces it by a dialog at the sign-in", "alert, with the day; a person presses OK",
        starting(*ASKING, (12, DIALOG.format("IBKR Gateway")), (12, f"IBC: {ENDS[1]}")), DEGRADED, 10, "the start",
        told=("state/degraded", "release/warning"), mode="paper", before=down, shows="will be desupported",
        says="until 2026-12-15",
    ),
    Fault(
        "the account is the other mode's", "stops it",
        both(api(answering(accounts="DU7654321")), signing_in(*SIGNED_IN)),
        BLOCKED, 2, "the sign-in", "wrong_account", ("state/blocked",), before=down, pushes=1, shows=IN[1],
    ),
    # The way to IBKR, and who else is signed in
    Fault("the network is cut for 1 s", "nothing: nobody sees it", link_cut(1), READY, None),
    Fault("the network is cut for 30 s", "nothing: nobody sees it", link_cut(30), READY, None),
    Fault(
        "the network is cut for 30 s, over a look", "says so; a minute is nobody's business", link_cut(30, after=45),
        DEGRADED, 15, ends=READY,
    ),
    Fault(
        "the network is cut for 10 minutes", "waits: the gateway reconnects by itself; alert", link_cut(600), DEGRADED,
        60, ends=READY, told=("state/degraded", "state/ready"), lasts=800,
    ),
    Fault(
        "the network is cut for 10 minutes, within IBKR's daily reset", "waits", link_cut(600), DEGRADED, 60,
        ends=READY, lasts=800,
        now=new_york("2026-11-25 00:20"),
    ),
    Fault(
        "the user is signed in elsewhere, and a dialog waits", "stops it",
        writing((0, ELSEWHERE), (0, CHOICE)), BLOCKED, 2,
        "the session", "session_choice", ("state/blocked",),
    ),
    Fault(
        "another session of the user takes over", "stops it",
        writing((0, ELSEWHERE), (0, TAKEN)), BLOCKED, 2, "the session",
        "session_taken", ("state/blocked",),
    ),
    Fault(
        "the user is signed in elsewhere at a sign-in, and a dialog waits", "stops it",
        signing_in(*ASKING, *((12, line) for line in (ELSEWHERE, CHOICE))),
        BLOCKED, 2, "the sign-in", "session_choice", ("state/blocked",), before=down, shows=CHOICE,
    ),
    Fault(
        "another session takes the market data (10197)", "alert",
        api(answering((10197, "No market data during competing live session"))), DEGRADED, 60, "its use",
        told=("state/degraded",), says="10197: a competing live session",
    ),
    Fault(
        "the gateway is made to sign in again", "says who did it; waits",
        both(writing((0, DIALOG.format("Re-login is required"))), link_cut(120)), DEGRADED, 60, ends=READY,
        told=("state/degraded", "state/ready"), says="signed in elsewhere",
    ),
    Fault(
        "a market data farm is broken", "alert", api(answering((2103, "Market data farm connection is broken:usfarm"))),
        DEGRADED, 60, "its use", told=("state/degraded",), says="usfarm",
    ),
)  # fmt: skip

_UNTOLD = "ibg-controller's log does not tell it"
# With ibg-controller, by mode and fault, where that is not the same: the state in the end, its cause, and why.
WITH_IBG: dict[tuple[str, str], tuple[str, str | None, str]] = {
    ("live", "the dialog 'Unrecognized Username or Password' waits at the sign-in"): (
        BLOCKED, "sign_in_late", "the title is told; it ends with the sign-in's ten minutes",
    ),
    ("live", "that dialog waits after a daily restart"): (DEGRADED, None, "alert, with the title"),
    ("live", "too many failed login attempts: locked for a while"): (BLOCKED, "sign_in_late", _UNTOLD),
    ("paper", "the login window never shows: exit 88 again and again"): (
        BLOCKED, "too_many_attempts", "there is no such exit code; the attempts are counted",
    ),
    ("live", "several second-factor devices, and none is named"): (BLOCKED, "sign_in_late", _UNTOLD),
    ("live", "the second-factor device is not in the list"): (BLOCKED, "sign_in_late", _UNTOLD),
    ("paper", "a stale autorestart file: the start waits without end"): (
        DEGRADED, None, "alert; it uses no such file, so that another reason holds the start up",
    ),
    ("live", "IBC refuses a setting: the container ends with exit code 81"): (
        BLOCKED, "sign_in_ended", "there is no such exit code; the container's end is told",
    ),
    ("live", "the push is denied, and IBC starts again for another"): (
        BLOCKED, "refused_login", "its words for a refused password count, as long as the push has no name",
    ),
    ("live", "the push is approved and the login stalls (exit 87)"): (
        BLOCKED, "sign_in_ended", "there is no such exit code; the container's end is told",
    ),
    ("live", "the gateway's JVM ends in a living container"): (
        BLOCKED, "sign_in_asked", "killed at once, since ibg-controller would sign in again by itself",
    ),
    ("live", "the API accepts and does not answer"): (
        DEGRADED, None, "alert; there is no RESTART that keeps the sign-in",
    ),
    ("live", "the API opens sessions and answers no request"): (
        DEGRADED, None, "alert; there is no RESTART that keeps the sign-in",
    ),
    **{
        (mode, "IBKR's servers are out of reach at the sign-in: IBC keeps trying"): (
            BLOCKED, "too_many_attempts", "the dialog's title does not tell it; the attempts are counted",
        )
        for mode in ("live", "paper")
    },
    ("paper", "IBKR no longer accepts the release"): (DEGRADED, None, f"alert: the start has stalled; {_UNTOLD}"),
}  # fmt: skip

# Faults that need a machine: (fault, expectation, test below molecule/).
LIVE = "live/tests/test_live_faults.py"
SUCCESSOR = "takeover/tests/test_takeover_successor.py"
ON_A_MACHINE = (
    (
        "ibg-controller: its program ends, and it would sign in again",
        "killed before that, no push",
        f"{SUCCESSOR}::test_an_end_of_its_program_costs_no_push",
    ),
    (
        "ibg-controller: `docker start` by hand",
        "nothing is pressed",
        f"{SUCCESSOR}::test_a_start_by_hand_presses_nothing",
    ),
    ("ibg-controller: the host reboots", "it stays down", f"{SUCCESSOR}::test_a_reboot_costs_no_push"),
    ("kill -9 of the container's process", "down and blocked within 2 s", f"{LIVE}::test_a_killed_process_is_noticed"),
    (
        "kill -9 of dockerd",
        "the container lives on, the gateway is ready again, no push",
        f"{LIVE}::test_the_container_outlives_its_engine",
    ),
    (
        "kill -9 of ibgwctl within a sign-in",
        "the watcher sees it through, with one push",
        f"{LIVE}::test_a_sign_in_outlives_its_ibgwctl",
    ),
    ("kill -9 of ibgwctl within a stop", "stopped, by the operator", f"{LIVE}::test_a_stop_outlives_its_ibgwctl"),
    ("two operators sign in at once", "one push, nothing harmed", f"{LIVE}::test_two_operators_cost_one_push"),
    ("the disk is full", "the stop is done, the state file is whole", f"{LIVE}::test_a_full_disk_loses_no_stop"),
    ("the network is cut for 1 s", "nothing happens", f"{LIVE}::test_a_short_cut_of_the_link_is_nobodys_business"),
    (
        "the registry is down, the image is here",
        "site.yml changes nothing",
        f"{LIVE}::test_without_a_registry_nothing_changes",
    ),
    (
        "the registry is down, the image is not here",
        "refused before anything is touched",
        "default/tests/test_faults.py::test_the_running_gateway_is_not_touched",
    ),
    ("the host reboots", "the engine is back, the gateway stays down, site.yml starts it", "vm/reboot.yml"),
    (
        "the VM is killed, the watcher is killed each time, its disk is full, the network is gone",
        "a dead man's switch says so two minutes later",
        "observability/tests/test_the_dead_man.py::test_somebody_else_tells",
    ),
)


def markdown() -> str:
    """Return the tables of docs/reference/faults.md."""
    lines = [
        "| fault | what the watcher does | state reached | time to detect | pushes | what was lost | alerts | "
        "with ibg-controller |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for fault in FAULTS:
        state = f"`{fault.state}`" + (f", then `{fault.ends}`" if fault.ends else "")
        state += f" ({fault.cause})" if fault.cause else ""
        ibg = "the same"
        if (fault.mode, fault.what) in WITH_IBG:
            ends, cause, why = WITH_IBG[fault.mode, fault.what]
            ibg = f"`{ends}`{f' ({cause})' if cause else ''}: {why}"
        seen = "-" if fault.seconds is None else f"{fault.seconds} s" if fault.seconds else "at once"
        told = ", ".join(key.rpartition("/")[2] for key in fault.told) or "-"
        mode = f"{fault.mode}: " if fault.mode == "paper" else ""
        lines.append(
            f"| {mode}{fault.what} | {fault.does} | {state} | {seen} | {fault.pushes} | {fault.lost} | {told} | {ibg} |"
        )
    lines += ["", "| fault | what is shown | test |", "| --- | --- | --- |"]
    lines += [f"| {what} | {shown} | `molecule/{test}` |" for what, shown, test in ON_A_MACHINE]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
