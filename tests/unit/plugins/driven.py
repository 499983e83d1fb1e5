# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One gateway with its watcher and its operators, in a time that passes only where somebody waits.

Watcher, control, store, policy, the engine's client and the probe are the real ones. Driven are the clock, what IBC
writes and when, and what the API answers.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import queue
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from tests.unit.plugins.api_server import HEALTHY_NOTICES
from tests.unit.plugins.ibg_words import NAMED, NAMED_AFTER, spoken
from tests.unit.plugins.session_log import PUSH

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import probe
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers, password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import client
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    acting,
    background,
    control,
    ctl,
    inspection,
    lifecycle,
    policy,
    store,
    watcher,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Alert, Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Record

Action = Callable[[], object]
# IBC's lines after a start: seconds since then, and the line.
Script = Sequence[tuple[float, str]]
Answer = Callable[[Any, str], None]
# From the end of the watcher's process to the next one (RestartSec of its unit).
RESTART_SECONDS = 2.0
# Real seconds to wait for something that never answers; in driven time it takes its whole timeout.
SILENCE_SECONDS = 0.1
PASSWORD = "secret"
ACCOUNTS = {"live": "U1234567", "paper": "DU1234567"}


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Lines(queue.Queue["bytes | None"]):
    """An engine's stream of events; *heard* gives the next item in a tuple, None while there is nothing."""

    def __init__(self, world: World, heard: Callable[[], tuple[bytes | None] | None]) -> None:
        super().__init__()
        self._world, self._heard, self._ended = world, heard, False

    def get(self, block: bool = True, timeout: float | None = None) -> bytes | None:
        found = None if self._ended else self._world.wait(timeout or 0.0, self._heard)
        if found is None:
            raise queue.Empty
        self._ended = found == (None,)
        return found[0]


class DrivenEngine(client.Engine):
    """The engine's client; its waits pass in the driven time, and nobody answers while ``world.engine_down``."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _open(self, *arguments: Any, **more: Any) -> Any:
        if self._world.engine_down:
            raise EngineError("the Docker engine is unreachable")
        return super()._open(*arguments, **more)

    def wait(self, container: str, timeout: float) -> int | None:
        fake = self._world.fake
        return self._world.wait(timeout, lambda: None if fake.status == "running" else fake.exit_code)

    @contextlib.contextmanager
    def follow(self, container: str, tail: int) -> Iterator[Lines]:
        self.inspect(container)
        position = max(len(list(self._world.fake.lines(1 << 30, follow=False))) - tail, 0)

        def heard() -> tuple[bytes | None] | None:
            nonlocal position
            lines = list(self._world.fake.lines(1 << 30, follow=False))
            if self._world.engine_down:
                return (None,)
            if position < len(lines):
                position += 1
                return (lines[position - 1],)
            return None if self._world.fake.status in ("running", "paused") else (None,)

        yield Lines(self._world, heard)

    @contextlib.contextmanager
    def starts(self, container: str, timeout: float) -> Iterator[Lines]:
        self.inspect(container)
        before = self._world.fake.started_at

        def heard() -> tuple[bytes | None] | None:
            if self._world.engine_down:
                return (None,)
            return (b"start",) if self._world.fake.started_at != before else None

        yield Lines(self._world, heard)


class World:
    """The world in which faults are tried: *moment* is when it begins, *settings* are those of the plan."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, fake: Any, serve: Any, deploy: Any, mode: str, moment: float,
        controller: str = "ibc", **settings: Any,
    ) -> None:  # fmt: skip
        self.time, self.jump = moment, 0.0
        self.fake, self.mode, self.plan = fake, mode, Plan(**settings)
        self.engine_down = False
        self.ibc: Script = ()
        self.replies: dict[str, tuple[str, Action]] = {
            "STOP": ("OK Shutting down", lambda: self.later(2.0, lambda: fake.exit(0)))
        }
        self.api = answering()
        self.answers = False
        # IBC takes commands at any time, ibg-controller from the line on that says so.
        self.listens = controller == "ibc"
        # Scripts of IBC's lines are written in ibg-controller's words.
        self.translates = False
        self.struck: float | None = None
        self.shows = ""
        self.seen: list[tuple[float, Record]] = []
        self.told: list[str] = []
        # For each push whether somebody had asked for it.
        self.pushes: list[bool] = []
        self.logins: list[str] = []
        self.written: list[str] = []
        self.error: Exception | None = None
        self._events: list[tuple[float, int, Action]] = []
        self._order, self._ticks = itertools.count(), itertools.count(1)
        self._monkeypatch, self._write = monkeypatch, files.write

        monkeypatch.setattr(inspection, "probe", self.probe)
        monkeypatch.setattr(acting, "PATIENCE", 0.0)
        monkeypatch.setattr(lifecycle, "_RETRY_SECONDS", 1.0)
        monkeypatch.setattr(watcher, "BUSY_SECONDS", 2.0)
        monkeypatch.setattr(background, "begin", self.run)
        fake.clock, fake.name = self.stamp, f"ibgw-{mode}"
        fake.exit(0)
        fake.on_start, fake.execute = self.begin, self.talk
        port = serve(lambda script: (self.api if self.answers else closing)(script, ACCOUNTS[mode]))
        self.descriptor = deploy(name=mode, mode=mode, container=f"ibgw-{mode}", port=port, controller=controller)
        if controller == "ibg-controller":
            fake.labels = {**fake.labels, controllers.IBG_LABEL: "10.45.1j"}
            fake.environment = [*fake.environment, f"{controllers.IBG_SWITCH}=yes"]
        self.store = store.Store(mode)
        self.watcher = self.new_watcher()

    # Time

    def now(self) -> float:
        """The wall's clock, which can be set."""
        return self.time + self.jump

    def stamp(self) -> float:
        """The wall clock of the engine; no two of its stamps are the same."""
        return self.now() + next(self._ticks) * 1e-5

    def later(self, seconds: float, action: Action) -> None:
        heapq.heappush(self._events, (self.time + seconds, next(self._order), action))

    def strike_soon(self, strike: Callable[[World], object], shows: str = "") -> None:
        """Have the fault happen just after a look; with *shows* it begins when the log says so."""
        self.shows = shows

        def now() -> None:
            self.struck = None if shows else self.time
            strike(self)

        self.later(0.001, now)

    def wait(self, seconds: float, heard: Callable[[], Any] = lambda: None) -> Any:
        """Let time pass until *heard* returns something, up to a limit in seconds; return that."""
        # A wait takes time, also one that is too short for the clock's digits.
        end = max(self.time + seconds, math.nextafter(self.time, math.inf)) if seconds > 0 else self.time
        while (found := heard()) is None:
            if not self._events or self._events[0][0] > end:
                self.time = max(self.time, end)
                return None
            at, _order, action = heapq.heappop(self._events)
            self.time = max(self.time, at)
            action()
        return found

    # The gateway

    def begin(self) -> None:
        """The container has started: IBC writes its script, until the container ends."""
        self.answers = False
        self.listens = self.descriptor.controller == "ibc"
        self.play(self.ibc)

    def play(self, script: Script) -> None:
        run = self.fake.started_at

        def write(line: str) -> None:
            if self.fake.status == "running" and self.fake.started_at == run:
                self.log(line)

        for seconds, line in script:
            self.later(seconds, lambda line=line: write(line))

    def log(self, line: str) -> None:
        if self.shows and self.shows in line and self.struck is None:
            self.struck = self.time
        if line == PUSH:
            record = self.store.load(self.mode)
            self.pushes.append(record.granted(self.time, SIGN_IN))
        if "Login" in line or "ogin failed" in line:
            self.logins.append(line)
        if "session: will exit" in line or "Re-starting" in line or "returned exit status" in line:
            self.answers = False
        self.answers = self.answers or line == "Login has completed" or "Readiness signal: " in line
        self.written.append(line)
        lines = [line]
        if self.translates:
            lines = spoken(line, self.mode)
            if line == PUSH:
                self.later(NAMED_AFTER, self.name_the_push)
        self.listens = self.listens or any("Command server: listening on" in each for each in lines)
        self.fake.log(*lines)

    def name_the_push(self) -> None:
        if self.fake.status == "running" and not self.answers:
            self.fake.log(f"10:00:00 [INFO] [{self.mode}] {NAMED}")

    def talk(self, command: list[str]) -> tuple[int, bytes]:
        """The controller's command server, as the client in the container sees it."""
        if not self.listens:
            return 7, b""
        reply, action = self.replies.get(command[-1], ("ERROR Command invalid", lambda: None))
        self.later(0.0, action)
        return 0, f"{reply}\n".encode()

    def probe(self, timeout: float, **endpoint: Any) -> dict[str, Any]:
        silent = self.answers and self.api in (hung, zombie)
        verdict = probe.probe(**{**endpoint, "settle": 0.05}, timeout=SILENCE_SECONDS if silent else timeout)
        if verdict["api_state"] in policy.HUNG:
            self.wait(timeout)
        return verdict

    @property
    def runs(self) -> int:
        """How many JVMs have begun, in all containers."""
        return sum("session: will exit" in line or "Re-starting" in line for line in self.written)

    # Its watcher

    def new_control(self, by: str) -> control.Control:
        made = control.Control(self.descriptor, self.plan, by, DrivenEngine(self), self.now, password=PASSWORD)
        made.gateway.clock, made.gateway.sleep, made.gateway._now = lambda: self.time, self.wait, self.now
        return made

    def new_watcher(self) -> watcher.Watcher:
        world = self

        class Watching(watcher.Watcher):
            def look(self) -> float:
                next_look = super().look()
                world.saw()
                return next_look

        made = Watching(self.new_control("the watcher"))
        made.outbox = made.delivery.outbox = Outbox(self.store.directory, self.now, made.outbox.offer)
        put = made.outbox.put

        def telling(alert: Alert, repeat_after: float | None = None) -> bool:
            told = put(alert, repeat_after)
            if told:
                self.told.append(alert.key)
            return told

        made.outbox.put = telling  # type: ignore[method-assign]  # listens in
        return made

    def saw(self) -> None:
        self.seen.append((self.time, self.store.load(self.mode)))

    def watch(self, seconds: float) -> None:
        """Have the watcher look and listen for this long; systemd restarts a killed one."""
        end = self.time + seconds
        while self.time < end:
            try:
                self.watcher.run(rounds=1)
            except Killed:
                self.wait(RESTART_SECONDS)
                self.watcher = self.new_watcher()

    def act(self, what: Callable[[control.Control], object], by: str = "Ann") -> None:
        """Let an operator act; an exception is kept in ``error``."""
        try:
            what(self.new_control(by))
        except (SessionError, EngineError, BusyError) as error:
            self.error = error
        except Killed:
            pass
        self.saw()

    def run(self, *words: str) -> str:
        """Run a command of ibgwctl as systemd does, a moment later."""
        options = ctl.parser().parse_args(words)

        def command(made: control.Control) -> None:
            made.until = options.until
            # In place of Secret Manager's.
            password.hand_over(made.descriptor.name, PASSWORD)
            ctl.carry_out(made, options)

        self.later(0.5, lambda: self.act(command, options.by))
        return ""

    def kill(self, process: control.Control) -> None:
        """End an operator's process, which then saves nothing any more."""
        process.save = lambda _record: None  # type: ignore[method-assign]  # of this one process
        raise Killed

    def reboot(self) -> None:
        """The host goes away with everything on it, and is back a minute later."""
        self.struck = self.time
        self.fake.exit(255)
        self.wait(60.0)
        self.watcher = self.new_watcher()

    def fill_disk(self) -> None:
        def full(*_arguments: object) -> None:
            raise OSError(28, "No space left on device")

        self._monkeypatch.setattr(files, "write", full)

    def free_disk(self) -> None:
        self._monkeypatch.setattr(files, "write", self._write)


# The API's answers


def answering(*notices: tuple[int, str], accounts: str = "") -> Answer:
    """An API that serves an account (the mode's own where none is given) and reports *notices* of trouble."""

    def answer(script: Any, account: str) -> None:
        script.start(accounts=accounts or account)
        for notice in (*notices, *HEALTHY_NOTICES):
            script.notice(*notice)
        script.answer_time()
        script.stay()

    return answer


def hung(script: Any, _account: str) -> None:
    """The port accepts, and nobody answers."""
    script.stay()


def zombie(script: Any, account: str) -> None:
    """Sessions open, and no request is answered."""
    script.start(accounts=account)
    script.stay()


def disclaimed(script: Any, _account: str) -> None:
    script.greet()
    script.notice(10141, "Paper trading disclaimer must first be accepted for API connection.")


def closing(_script: Any, _account: str) -> None:
    """Every connection is closed at once, as the image's relay does where no gateway listens behind it."""
