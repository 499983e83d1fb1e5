# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recorded log with its lines dropped, doubled, delayed and reordered, before the watcher's policy.

The gateway does what the recording has, at the recording's times; only what the watcher hears of it is changed. What
it decides takes effect REACTION (a kill) or GENTLE (a stop) seconds later, and what the gateway does by then counts.

An *unrequested push* is one for which the gateway's window opens
- at a moment without a grant to sign in, and
- before the container has ended, and
- out of a process that was given the password: IBC reads it when a JVM begins, ibg-controller when the container does,
  and it is there from the grant to the end of the first look without one.
There are two walls before it, and each is tried without the other: the password alone (nothing is ever killed), and the
kill alone (the password is always there).

An *approved push* is one after which the same process signs in. It is *thrown away* by a stop or a kill between the
two, or just behind them. IBC prints what its windows do in one thread (GuiDeferredExecutor, TwsListener), so that these
lines keep their order; those of its command server and of the pool that applies the settings fall anywhere between.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.plugins.recordings import (
    BEGAN,
    ENDED,
    FILES,
    OF,
    PATIENCE,
    RECORDED,
    Replay,
    named,
    pushes,
    read,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import ENDS

pytestmark = pytest.mark.thorough

# From a line to what is done about it (bench/reaction.py); a stop asks the controller first.
REACTION, GENTLE = 0.3, 2.0
# A sign-in that is done is left alone for so long at least.
AFTERWARDS = 2.0
SEEDS = 2
IBC, IBG = RECORDED
# Events of one moment, in this order: a process begins, a login, a push, and the watcher reads a line.
RUN, LOGIN, PUSH, HEARD = range(4)
BESIDE = re.compile(
    r"IBC: (Getting|Creating|Waiting for|Got) (config dialog|main window)|IBC: Main window already found"
    r"|IBC: Invoking config dialog menu|IBC: CommandServer |IBC: Configuration tasks completed"
    r"|IBC: (Setting ReadOnlyApi|Read-Only API checkbox)|Forking :::"
)
# When IBC's process reads its settings, and the password with them.
BEGUN = "IBC Settings:"
CLOSED = "entitled: Second Factor Authentication; event=Closed"
LAPSED = "Re-login after second factor authentication timeout"

Lines = list[tuple[float, str]]
Change = Callable[[Lines, random.Random], Lines]


@dataclasses.dataclass(frozen=True)
class Push:
    """A window that asks for one, *at* so many seconds; *done* is when the same process has signed in."""

    at: float
    asked: bool
    password: bool
    done: float


@dataclasses.dataclass
class Gateway:
    """Its own actions, in seconds from its start: processes that begin, logins, pushes with the end of each."""

    runs: list[float]
    logins: list[float]
    pushes: list[tuple[float, float]]


@functools.cache
def does(path: Path) -> Gateway:
    """Read it in a recording."""
    of, lines = OF[path], read(path).lines
    return Gateway(
        [at for at, line in lines if BEGUN in line],
        [at for at, line in lines if of.login in line],
        [*pushes(path)],
    )


@functools.cache
def telling(path: Path) -> tuple[tuple[float, str], ...]:
    """The lines that tell the watcher something, and some of the others: those of settings and properties say
    nothing."""
    events = OF[path].controller.events
    lines = enumerate(read(path).lines)
    return tuple(
        each
        for number, each in lines
        if number % 20 == 0 or any(events(each[1].encode("utf-8", "surrogateescape") + b"\n"))
    )


@dataclasses.dataclass
class Mutated(Replay):
    """A replay whose watcher hears something else than what happens; the walls that stand."""

    kill: bool = True
    withdrawn: bool = True
    happened: list[Push] = dataclasses.field(default_factory=list)
    tried: int = 0
    ends_at: float = math.inf
    looked_at: float = -math.inf

    def moments(self) -> Iterator[tuple[float, str | None]]:
        at = last = 0.0
        for seconds, line in self.lines:
            while at + 60 < seconds:
                at += 60
                yield at, None
            last = seconds
            yield seconds, line
        if self.exit_code is None:
            for more in range(1, int(PATIENCE / 60)):
                yield last + 60.0 * more, None

    def listen(self, at: float, line: str | None) -> None:
        """Hear a line (None: nothing, for a minute), look when it tells something, and decide."""
        before = self.heard()
        if line is not None:
            self.hear(line)
        if line is not None and self.heard() == before:
            return
        self.look()
        self.looked_at = at
        if self.step is not None and self.kill and self.step.action in ENDS:
            self.ends_at = at + (REACTION if self.step.action == "kill" else GENTLE)
        else:
            self.step = None

    def run_through(self, gateway: Gateway) -> Mutated:
        """Let the gateway do what it does, and the watcher hear the lines, until its decision has taken effect."""
        live, late = self.mode == "live", math.inf
        password = given = self.granted or not live or not self.withdrawn
        deeds = [
            *((at, RUN, None, math.inf) for at in gateway.runs),
            *((at, LOGIN, None, math.inf) for at in gateway.logins),
            *((at, PUSH, None, done) for at, done in gateway.pushes),
            *((at, HEARD, line, math.inf) for at, line in self.moments()),
        ]
        for at, deed, line, done in sorted(deeds, key=lambda each: each[:2]):
            if at >= self.ends_at:
                break
            self.now = BEGAN + at
            password = password and at < late
            if deed == RUN and self.of is IBC:
                given = password
            elif deed == LOGIN:
                self.tried += given
            elif deed == PUSH:
                self.happened.append(Push(at, self.record.granted(self.now, SIGN_IN), given, done))
            elif deed == HEARD and self.step is None:
                self.listen(at, line)
                if live and self.withdrawn and self.looked_at == at and not self.record.granted(self.now, SIGN_IN):
                    late = min(late, at + REACTION)
        return self

    @property
    def unasked(self) -> list[Push]:
        return [push for push in self.happened if not push.asked and push.password]

    @property
    def thrown_away(self) -> list[Push]:
        """Approved pushes that a decision has cut short."""
        decided = self.stepped_at - BEGAN if self.step else math.inf
        return [
            push
            for push in self.happened
            if push.asked and push.done < math.inf and push.at <= decided <= push.done + AFTERWARDS
        ]


def dropped(lines: Lines, chance: random.Random) -> Lines:
    return [each for each in lines if chance.random() > 0.1]


def doubled(lines: Lines, chance: random.Random) -> Lines:
    return [each for each in lines for _time in range(1 + (chance.random() < 0.2))]


def delayed(lines: Lines, chance: random.Random) -> Lines:
    """Each by itself, which changes their order too."""
    return sorted(((at + 0.7 * chance.random(), line) for at, line in lines), key=lambda each: each[0])


def reordered(lines: Lines, chance: random.Random) -> Lines:
    """The lines change places within a second; the times stay."""
    order = sorted(lines, key=lambda each: each[0] + chance.uniform(-0.5, 0.5))
    return [(at, line) for (at, _line), (_at, line) in zip(lines, order, strict=True)]


def all_of_it(lines: Lines, chance: random.Random) -> Lines:
    return reordered(delayed(doubled(dropped(lines, chance), chance), chance), chance)


def held_up(lines: Lines, chance: random.Random) -> Lines:
    """The engine hands the log over in bursts, as a loaded one does: late, and in order."""
    found, until = [], 0.0
    for at, line in lines:
        if at > until and chance.random() < 0.1:
            until = at + 0.7 * chance.random()
        found.append((max(at, until), line))
    return found


def raced(lines: Lines, chance: random.Random) -> Lines:
    """The lines of the other threads fall elsewhere within a second, and not into another process."""
    found, process = [], 0
    for number, (at, line) in enumerate(lines):
        process += ENDED in line or "Starting IBC version" in line
        shift = chance.uniform(-0.5, 0.5) if BESIDE.search(line) else 0.0
        found.append((process, at + shift, number, line))
    return sorted(((at, line) for _process, at, _number, line in sorted(found)), key=lambda each: each[0])


def answered(path: Path) -> list[tuple[float, float, float]]:
    """Return of each approved push of a recording when Log In was pressed, its dialog closed, and it was done."""
    lines, found = telling(path), []
    for push, done in does(path).pushes:
        closed = [at for at, line in lines if CLOSED in line and push < at < done]
        if done < math.inf and closed:
            found.append((max(at for at in does(path).logins if at < push), closed[0], done))
    return found


def later(seconds: float, after: float, lines: Lines, gateway: Gateway) -> tuple[Lines, Gateway]:
    """The same with what comes after that moment so much later."""

    def moved(at: float) -> float:
        return at + seconds * (at >= after)

    return [(moved(at), line) for at, line in lines], Gateway(
        [*map(moved, gateway.runs)],
        [*map(moved, gateway.logins)],
        [(moved(push), moved(done)) for push, done in gateway.pushes],
    )


def inserted(lines: Lines, after: float, *texts: str) -> Lines:
    """*texts* behind the closing of the push's dialog at that moment."""
    place = next(number for number, (at, line) in enumerate(lines) if at == after and CLOSED in line) + 1
    return [*lines[:place], *((after, text) for text in texts), *lines[place:]]


def at_the_last_moment(path: Path, lapsed: str) -> tuple[Lines, Gateway]:
    """The push is approved when IBC's time for it is over: LoginManager.secondFactorAuthenticationDialogClosed counts
    from the click on Log In, and takes the closing of the dialog after 180 s for a push that was missed."""
    login, closed, _done = answered(path)[0]
    seconds = 181.0 - (closed - login)
    lines, gateway = later(seconds, closed, [*telling(path)], does(path))
    return inserted(lines, closed + seconds, f"IBC: {LAPSED} {lapsed}"), gateway


def handed_over(path: Path) -> tuple[Lines, Gateway]:
    """Behind the approval IBC ends the user's other session (TradingLoginHandoffDialogHandler with action primary); it
    prints the same words as for a dialog that waits for a person."""
    _login, closed, _done = answered(path)[0]
    title = "IBC: detected dialog entitled: Trading Login Handoff; event="
    texts = (f"{title}Opened", "IBC: Trading Login Handoff dialog; {}", "IBC: Click button: Disconnect Other Session")
    return inserted([*telling(path)], closed, *texts, f"{title}Closed"), does(path)


def plain(path: Path) -> Mutated:
    """The recording as it is, after a grant."""
    return Mutated(path, granted=True).run_through(does(path))


ANY: tuple[Change, ...] = (dropped, doubled, delayed, reordered, all_of_it)
ALLOWED: tuple[Change, ...] = (held_up, raced)


def replays(
    path: Path, changes: tuple[Change, ...], seeds: int = SEEDS, **walls: bool
) -> Iterator[tuple[str, Mutated]]:
    """Play the recording with each change, after a grant and without one."""
    for change in changes:
        for seed in range(seeds):
            for granted in (True, False) if read(path).mode == "live" else (True,):
                replay = Mutated(path, granted, **walls)
                replay.lines = change([*telling(path)], random.Random(f"{path.name} {change.__name__} {seed}"))
                yield f"{change.__name__} {seed} {'asked' if granted else 'unasked'}", replay.run_through(does(path))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_kill_alone_keeps_every_push_that_nobody_asked_for_back(path: Path) -> None:
    """The second wall, the password being there all the time; and what holds beside it."""
    for what, replay in replays(path, (*ANY, *ALLOWED), withdrawn=False):
        assert not replay.unasked, what
        assert not replay.thrown_away, (what, replay.step)
        assert replay.tried <= milestones.MAX_TRIES, what


@pytest.mark.parametrize("path", IBC.files(), ids=named)
def test_without_its_password_ibc_sends_no_push(path: Path) -> None:
    """The first wall alone: nothing is killed."""
    for what, replay in replays(path, (all_of_it,), kill=False):
        assert not replay.unasked, what


def test_enough_is_tried() -> None:
    """Of the recordings that ask for a push at all, more than five hundred changed ones with IBC alone."""
    asking = [path for path in IBC.files() if does(path).pushes]
    assert len(asking) * len((*ANY, *ALLOWED)) * 2 * SEEDS >= 500


# The policy stops the others before their push is there.
APPROVED = [
    path for path in IBC.files() if answered(path) and any(each.done < math.inf for each in plain(path).happened)
]


@pytest.mark.parametrize("lapsed", ["not required", "in 5 second"])
@pytest.mark.parametrize("path", APPROVED, ids=named)
def test_a_push_that_is_approved_at_the_last_moment_counts(path: Path, lapsed: str) -> None:
    replay = Mutated(path, granted=True)
    replay.lines, gateway = at_the_last_moment(path, lapsed)
    replay.run_through(gateway)
    assert any(push.asked and push.done < math.inf for push in replay.happened)
    assert not replay.thrown_away, replay.step


@pytest.mark.parametrize("path", APPROVED, ids=named)
def test_ending_the_users_other_session_does_not_throw_the_push_away(path: Path) -> None:
    replay = Mutated(path, granted=True)
    replay.lines, gateway = handed_over(path)
    replay.run_through(gateway)
    assert any(push.asked and push.done < math.inf for push in replay.happened)
    assert not replay.thrown_away, replay.step
