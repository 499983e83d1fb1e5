# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded logs of IBC and of ibg-controller, and a gateway whose container writes one, as the watcher takes it."""

from __future__ import annotations

import functools
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.plugins.session_log import PUSH

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import ibc, ibg_controller, milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.marks import Controller
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import Descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant, Record

ROOT = Path(__file__).parents[3] / "tests" / "transcripts"
BEGAN = 1_795_000_000.0
FULL = "Starting session: will exit if login dialog"
PATIENCE = 900.0
ENDED = "IBC returned exit status"
SILENCE, EXIT = "silence", "exit"
"""Stand for the line where none decided: the log was quiet for a while, or the container ended."""


@dataclass(frozen=True)
class Recorded:
    """A controller's recordings: where they are, with *more* of the same form where that variable says, and what the
    tests themselves read in them.

    *full*: the line by which a full sign-in is known from one on a token. *push*: a line or, of a controller that does
    not name each push, an action of the gateway's window that the recording's header has with its time. *refused*: a
    login. *done*: a sign-in is complete. *anew*: one begins. *window*: the action of the window that opens for a push.
    """

    controller: Controller
    place: Path
    more: str
    full: str
    push: str
    login: str
    refused: tuple[str, ...]
    done: tuple[str, ...]
    anew: tuple[str, ...]
    window: str

    def files(self) -> list[Path]:
        places = (Path(os.environ.get(self.more) or self.place), self.place)
        return sorted({each.name: each for place in places for each in place.glob("*.log")}.values())


RECORDED = (
    Recorded(
        ibc.IBC,
        ROOT,
        "IBC_TRANSCRIPTS",
        full=FULL,
        push=PUSH,
        login="Login attempt:",
        refused=("Login failed", "Login error message"),
        done=("Login has completed",),
        anew=(FULL, "Re-starting session", "Starting IBC/IB gateway"),
        window="dialog opens: Second Factor Authentication / Notification sent",
    ),
    Recorded(
        ibg_controller.IBG_CONTROLLER,
        ROOT / "ibg",
        "IBG_TRANSCRIPTS",
        full="Gateway PID: ",
        push="dialog opens: Second Factor Authentication",
        login="Log In clicked successfully",
        refused=('reason="bad-credentials"',),
        done=("accepting connections after", "IB Key approval succeeded", "Readiness signal: "),
        anew=("Gateway PID: ", "adopted Gateway pid=", "Waiting for login dialog", "Starting IBC/IB gateway"),
        window="dialog opens: Second Factor Authentication",
    ),
)
OF = {path: recorded for recorded in RECORDED for path in recorded.files()}
FILES = list(OF)


def named(path: Path) -> str:
    return path.stem if OF[path] is RECORDED[0] else f"ibg-{path.stem}"


def among(texts: tuple[str, ...], line: str) -> bool:
    return any(text in line for text in texts)


@dataclass(frozen=True)
class Recording:
    """A file of these: *lines* and actions of the gateway's *windows* with their seconds, and the container's exit code
    (None: it ran on)."""

    mode: str
    exit_code: int | None
    lines: tuple[tuple[float, str], ...]
    windows: tuple[tuple[float, str], ...]


@functools.cache
def read(path: Path) -> Recording:
    """Read one; of the windows' actions only those that are pushes."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    header = dict(re.findall(r"^# ([^:\n]+): (.*)$", text, re.MULTILINE))
    code = re.match(r"\d+", header["exit code of the container (run.sh)"])
    lines = re.findall(r"^(\d+\.\d+)\t(.*)$", text, re.MULTILINE)
    windows = re.findall(r"^# window \(process \d+\): (\d+\.\d+) (.*)$", text, re.MULTILINE)
    return Recording(
        header["mode"].split()[0],
        int(code[0]) if code else None,
        tuple((float(at), line) for at, line in lines),
        tuple((float(at), what) for at, what in windows if OF[path].window in what),
    )


@functools.cache
def pushes(path: Path) -> tuple[tuple[float, float], ...]:
    """Return of each push of a live gateway when its window opens, which is before the log names it, and when the same
    process has signed in (infinite: it does not)."""
    of, recorded = OF[path], read(path)
    lines, opened = recorded.lines, [at for at, _what in recorded.windows]
    if of.controller is ibc.IBC:
        # Some windows with this text are codes to type in, or were closed by IBC before they asked.
        told = [at for at, line in lines if of.push in line]
        opened = [max([at for at in opened if at <= line], default=line) for line in told]
    ends = [*(at for at, line in lines if ENDED in line or among(of.anew, line)), *opened, math.inf]
    done = [at for at, line in lines if among(of.done, line) and "exiting" not in line]
    found = []
    for push in opened if recorded.mode == "live" else []:
        end = min(each for each in ends if each > push)
        found.append((push, min([at for at in done if push < at < end], default=math.inf)))
    return tuple(found)


@dataclass
class Replay:
    """One gateway whose container writes a transcript; *granted* when somebody has asked for the first sign-in."""

    path: Path
    granted: bool
    now: float = BEGAN
    seen: list[tuple[float, Record]] = field(default_factory=list)
    step: policy.Step | None = None
    pushes: list[bool] = field(default_factory=list)
    # Of each, whether the log had refused one before.
    logins: list[bool] = field(default_factory=list)
    stepped_at: float = 0.0
    # The line that the look at hand follows, or SILENCE or EXIT.
    heard_last: str = ""
    # The same of the first look that found the present state.
    told_by: str = ""

    def __post_init__(self) -> None:
        self.of = OF[self.path]
        recorded = read(self.path)
        self.mode, self.exit_code = recorded.mode, recorded.exit_code
        self.lines, self.windows = [*recorded.lines], [*recorded.windows]
        found = Descriptor(
            "gateway", self.mode, "ibgw", "image", "127.0.0.1", 4001, 900, [], 7462, "/nowhere", "r1",
            controller=self.of.controller.name,
        )  # fmt: skip
        self.gateway = Gateway(found.endpoint(), found, clock=lambda: self.now, now=lambda: self.now)
        self.gateway.container = {
            "exists": True, "running": True, "status": "running", "frozen": None, "name": "ibgw", "revision": "r1",
            "started_at": self.stamp()[:-1] + "Z", "exit_code": None, "exit_meaning": None,
        }  # fmt: skip
        self.plan, self.record = Plan(), Record("gateway", self.mode)
        if self.granted and self.mode == "live":
            self.record.grant = Grant(SIGN_IN, "Ann", BEGAN, BEGAN + self.plan.sign_in_minutes * 60)

    def stamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.now)) + f".{int(self.now % 1 * 1e9):09d}Z"

    def look(self) -> None:
        """Look as the watcher does, the API answering from the sign-in to the JVM's end."""
        gateway, summary = self.gateway, self.gateway.summary
        signed_in = summary.phase in (milestones.SIGNED_IN, milestones.CONFIGURED)
        api_state = "ready" if summary.usable and signed_in else "proxy_up_gateway_down"
        row = verdicts.describe(api_state)
        gateway.verdict = {"api_state": api_state, "final": row.final, "reason": row.meaning, "next_step": "",
                           "read_only": None}  # fmt: skip
        shows = policy.seen(gateway)
        before = self.record.state
        policy.observe(self.record, shows, self.plan, self.now)
        if self.record.state != before:
            self.told_by = self.heard_last
        self.step = policy.decide(self.record, shows, self.plan, self.now)
        self.stepped_at = self.now
        if self.step is not None:
            self.told_by = self.heard_last
        self.seen.append((self.now - BEGAN, Record(**vars(self.record))))

    def hear(self, line: str) -> None:
        """Have the engine hand a line over now."""
        framed = f"{self.stamp()} {line}\n".encode("utf-8", "surrogateescape")
        self.gateway._log.feed(b"\1\0\0\0" + len(framed).to_bytes(4, "big") + framed)

    def heard(self) -> tuple[object, ...]:
        summary = self.gateway.summary
        return (summary.phase, summary.jvm_runs, summary.pushes, summary.finding, summary.asks_for_sign_in,
                summary.open_dialog)  # fmt: skip

    def moments(self) -> Iterator[tuple[float, str | None]]:
        """The lines, the looks of each minute in between, and those of a while after the last line.

        What a window shows stands before the lines of the same moment.
        """
        at = 0.0
        for seconds, line in sorted([*self.windows, *self.lines], key=lambda each: each[0]):
            while at + 60 < seconds:
                at += 60
                yield at, None
            yield seconds, line
        if self.exit_code is None:
            for more in range(1, int(PATIENCE / 20)):
                yield seconds + 20.0 * more, None

    def play(self) -> Replay:
        """Play until the watcher acts, or to the end."""
        refused = False
        for seconds, line in self.moments():
            self.now = BEGAN + seconds
            self.heard_last = SILENCE if line is None else line
            before = self.heard()
            if line is not None and self.of.push in line:
                self.pushes.append(self.record.granted(self.now, SIGN_IN))
            if line is not None and (seconds, line) not in self.windows:
                self.logins += [refused] * (self.of.login in line)
                refused = refused or among(self.of.refused, line)
                self.hear(line)
            if line is None or self.heard() != before:
                self.look()
            if self.step is not None:
                return self
        if self.exit_code is not None and self.gateway.container:
            self.gateway.container |= {"running": False, "status": "exited", "exit_code": self.exit_code,
                                       "exit_meaning": self.gateway._exit_meaning(self.exit_code)}  # fmt: skip
            self.heard_last = EXIT
            self.look()
        return self
