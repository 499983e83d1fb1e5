# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the faults of faults.py strike: IBC's logs, the states before a fault, and the acts on a driven world."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.plugins.driven import (
    Answer,
    Killed,
    World,
    answering,
    hung,
)
from tests.unit.plugins.session_log import BEGUN, IN, ON_TOKEN, PUSH, new_york

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.windows import PaperSession

DIALOG = "detected dialog entitled: {}; event=Opened"
FACTOR = "detected dialog entitled: Second Factor Authentication; event="
UNREACHED = "Connection to server failed"

# IBC's log of a start, in seconds from it.
ASKING = [*zip((0, 0, 2, 8, 9), BEGUN, strict=True)]
PUSHED = [*ASKING, (12, PUSH)]
SIGNED_IN = [*PUSHED, *((30, line) for line in IN)]
PAPER = [*ASKING, *((15, line) for line in IN)]
RESUMED = [(5.0, "IBC returned exit status 0"), *((7, line) for line in ON_TOKEN[1:3]), *((40, line) for line in IN)]
REFUSED = [*ASKING, (12, "Login failed"), *((20, line) for line in ("Cold restart in progress", *BEGUN[2:])),
           (25, "Login failed"), *((33, line) for line in BEGUN[2:]), (38, "Login failed")]  # fmt: skip
# IBC goes round after a Login Error too (07-login-error-first-start.log).
LOGIN_ERROR = [(0, BEGUN[0]), (0, BEGUN[1]), *((start + seconds, line) for start in range(0, 100, 8)
               for seconds, line in ((1, BEGUN[2]), (2, BEGUN[3]), (3, BEGUN[4]),
                                     (4, "detected dialog entitled: Login Error; event=Opened"),
                                     (4, "Login error message:"), (4, "Cold restart in progress"),
                                     (5, "IBC returned exit status 0")))]  # fmt: skip
# A dialog of IBC's GatewayDialogHandler, after which it goes round in the same way.
NO_SERVER = [(seconds, {"detected dialog entitled: Login Error; event=Opened": DIALOG.format("IBKR Gateway"),
                       "Login error message:": f"IBC: {UNREACHED}: Connection refused"}.get(line, line))
             for seconds, line in LOGIN_ERROR]  # fmt: skip
# Words that nobody has seen yet.
UNKNOWN_ERROR = [(seconds, line) for seconds, line in LOGIN_ERROR if "rror" not in line and "Cold" not in line]
AGAIN = "Re-login after second factor authentication timeout in 5 second"
PUSH_AFTER_PUSH = [*ASKING, *((start + seconds, line) for start in (0, 190, 380, 570)
                              for seconds, line in ((12, PUSH), (192, AGAIN), (197, BEGUN[4])))]  # fmt: skip
NO_WINDOW = [*ASKING[:2], *((start + seconds, line) for start in (0, 122, 244, 366)
                            for seconds, line in ((2, BEGUN[2]), (122, "IBC returned exit status 88")))]  # fmt: skip


ELSEWHERE = DIALOG.format("Existing session detected")
CHOICE = "User must choose whether to continue with this session (scenario 1)"
TAKEN = "End this session and let the other session proceed (scenario 2)"
LINK_DOWN = (2110, "Connectivity between Trader Workstation and server is broken. It will be restored automatically.")
ENDS = (2172, "The version of the application you are running, 1045.1, needs to be upgraded, as it will be desupported "
        "on 20261215. The minimum supported version at that time will be 1050.1.")  # fmt: skip
ASKS = (2172, "The version of the application you are running, 1060.1, needs to be upgraded.")
SESSION = {
    "paper_sessions": (
        PaperSession.from_data(
            {"name": "open", "days": ["tue"], "time": "09:30", "zone": "America/New_York", "lead_minutes": 10,
             "max_minutes": 60}
        ),
    )
}  # fmt: skip
WEEK_CLOSES = new_york("2026-11-28 23:30")
SESSION_BEGINS = new_york("2026-11-24 09:20")
Strike = Callable[[World], object]


# Before


def down(world: World) -> None:
    """Never signed in; the reminders have been sent."""
    world.watcher.look()


def signed_in(world: World) -> None:
    world.ibc = SIGNED_IN
    world.act(sign_in)
    world.watcher.look()


def stopped(world: World) -> None:
    signed_in(world)
    world.act(Control.stop)
    world.watcher.look()


def blocked(world: World) -> None:
    signed_in(world)
    world.fake.exit(137)
    world.watcher.look()


def mended(world: World) -> None:
    """Blocked, told, signed in again."""
    blocked(world)
    world.act(sign_in)
    world.watch(3600)


def without_a_link(world: World) -> None:
    signed_in(world)
    world.api = answering(LINK_DOWN)
    world.watch(150)


def running(world: World) -> None:
    """A paper gateway that is ready, without an end."""
    world.ibc = PAPER
    world.act(lambda control: control.start(allow_signin=False))
    world.watch(60)


def in_a_session(world: World) -> None:
    """A paper gateway that the plan has started."""
    world.ibc = PAPER
    world.watch(60)


# Faults


def both(*strikes: Strike) -> Strike:
    def strike(world: World) -> None:
        for each in strikes:
            each(world)

    return strike


def writing(*script: tuple[float, str]) -> Strike:
    return lambda world: world.play(script)


def api(answer: Answer) -> Strike:
    return lambda world: setattr(world, "api", answer)


def sign_in(control: Control) -> None:
    control.sign_in(lambda _step, _text: None)


def signing_in(*script: tuple[float, str]) -> Strike:
    """An operator signs in, and IBC writes *script*."""

    def strike(world: World) -> None:
        world.ibc = script
        world.act(sign_in)

    return strike


def starting(*script: tuple[float, str]) -> Strike:
    """Somebody starts the paper gateway, and IBC writes *script*."""

    def strike(world: World) -> None:
        world.ibc = script
        world.act(lambda control: control.start(allow_signin=False))

    return strike


def killed_at(step: str, *script: tuple[float, str]) -> Strike:
    """An operator's sign-in is killed at *step*."""

    def strike(world: World) -> None:
        def attempt(control: Control) -> None:
            control.sign_in(lambda said, _text: world.kill(control) if said == step else None)

        world.ibc = script
        world.act(attempt)
        world.struck = world.time

    return strike


def stop_killed(ibc: Strike) -> Strike:
    """An operator's stop is killed just after it has sent STOP, which *ibc* obeys or not."""

    def strike(world: World) -> None:
        def attempt(control: Control) -> None:
            world.replies["STOP"] = ("OK Shutting down", lambda: (ibc(world), world.kill(control)))
            control.stop()

        world.act(attempt)
        world.replies["STOP"] = ("ERROR STOP already in progress", lambda: None)

    return strike


def two_operators(second: Callable[[Control], object]) -> Strike:
    """Bob does something while Ann waits for her push."""

    def strike(world: World) -> None:
        def bob() -> None:
            world.struck = world.time
            world.act(second, by="Bob")

        world.ibc = SIGNED_IN
        world.act(lambda ann: ann.sign_in(lambda step, _text: bob() if step == "push_sent" else None))

    return strike


def engine_away(seconds: float) -> Strike:
    def strike(world: World) -> None:
        world.engine_down = True
        world.later(seconds, lambda: setattr(world, "engine_down", False))

    return strike


def watcher_killed(_world: World) -> None:
    raise Killed


def clock_set(seconds: float) -> Strike:
    return lambda world: setattr(world, "jump", seconds)


def release(name: str) -> Strike:
    """The image has this release of the gateway."""
    return lambda world: setattr(world.fake, "environment", [*world.fake.environment, f"IB_GATEWAY_VERSION={name}"])


def link_cut(seconds: float, after: float = 0.0) -> Strike:
    def strike(world: World) -> None:
        world.later(after, lambda: api(answering(LINK_DOWN))(world))
        world.later(after + seconds, lambda: api(answering())(world))
        world.struck = world.time + after

    return strike


def hung_until_restart(world: World) -> None:
    def restart() -> None:
        world.log("IBC: CommandServer received command: RESTART")
        world.play(RESUMED)
        world.later(10, lambda: api(answering())(world))

    world.api = hung
    world.replies["RESTART"] = ("OK RESTART at 10:01 PM", restart)
