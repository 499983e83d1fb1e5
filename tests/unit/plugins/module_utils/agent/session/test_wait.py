# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting on the tests' own clock: when the gateway is asked, and how the wait ends."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import inspection
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.wait import wait_for

START = ["IBC: Starting session: will exit if login dialog", "Login attempt: 1"]
SIGNED_IN, CONFIGURED = "Login has completed", "Configuration tasks completed"
PUSH = "Second Factor Authentication initiated"


class World:
    """A clock, a log that is written at its times, an API whose answer depends on the time."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        log: dict[float, list[str]],
        api: dict[float, str],
        exits_at: float | None = None,
        descriptor: Any = None,
    ) -> None:
        self.time = 1000.0
        self.begin = self.time
        self.started = self.begin + min([0.0, *log])
        self.log, self.api, self.exits_at = log, api, exits_at
        self.asked: list[float] = []
        self.fault: str | None = None
        self.takes: Callable[[float], float] = lambda _at: 0.01
        monkeypatch.setattr(inspection, "probe", self.probe)
        self.gateway = Gateway({}, descriptor, self, self.clock, self.clock, self.sleep)  # type: ignore[arg-type]  # this world plays the engine
        monkeypatch.setattr(inspection, "container_facts", lambda _engine, _name: self.facts())
        self.written: list[tuple[float, str]] = [
            (self.begin + at, line) for at, lines in sorted(log.items()) for line in lines
        ]

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def stamped(self, moment: float, line: str) -> str:
        return f"1970-01-01T00:{int(moment // 60 % 60):02d}:{moment % 60:09.6f}000Z {line}"

    def facts(self) -> dict[str, Any]:
        if self.fault:
            raise EngineError(self.fault)
        running = self.exits_at is None or self.time < self.begin + self.exits_at
        return {
            "name": "ibgw-paper",
            "id": "c0ffee",
            "frozen": None,
            "exists": True,
            "running": running,
            "status": "running" if running else "exited",
            "exit_code": 0,
            "exit_meaning": None,
            "started_at": self.stamped(self.started, "").strip(),
            "finished_at": None,
            "revision": "r1",
        }

    def probe(self, timeout: float, **_endpoint: Any) -> dict[str, Any]:
        self.asked.append(round(self.time - self.begin, 3))
        takes = self.takes(self.time - self.begin)
        self.time += min(takes, timeout)
        api_state = (
            "no_handshake"
            if takes > timeout
            else [state for at, state in sorted(self.api.items()) if self.begin + at <= self.time][-1]
        )
        row = verdicts.describe(api_state)
        return {"api_state": api_state, "reason": row.meaning, "next_step": row.next_step, "final": row.final}

    # As the engine

    def last_line(self, _name: str) -> bytes:
        return [b"", *(self.stamped(at, line).encode() for at, line in self.written if at <= self.time)][-1]

    @contextlib.contextmanager
    def follow(self, _name: str, _tail: int) -> Iterator[Any]:
        world, coming = self, list(self.written)

        class Lines:
            def get(self, timeout: float) -> bytes | None:
                until = world.time + timeout
                ends = world.begin + world.exits_at if world.exits_at is not None else float("inf")
                if coming and coming[0][0] <= min(until, ends):
                    at, line = coming.pop(0)
                    world.time = max(world.time, at)
                    return world.stamped(at, line).encode() + b"\n"
                if ends <= until:
                    world.time = max(world.time, ends)
                    return None
                world.time = until
                raise queue.Empty

        yield Lines()


@pytest.mark.parametrize(
    ("log", "api", "wanted", "met", "asked", "ends"),
    [
        # the API is asked at the milestone that makes it possible, and once
        (
            {1: START, 5: [SIGNED_IN], 6: [CONFIGURED]},
            {0: "proxy_up_gateway_down", 5.5: "ready"},
            "ready",
            True,
            [6],
            6.01,
        ),
        # up already
        ({-50: [*START, SIGNED_IN, CONFIGURED]}, {0: "ready"}, "ready", True, [0], 0.01),
        # not quite yet: the next attempt is 2 s after the first
        ({1: [*START, SIGNED_IN, CONFIGURED]}, {0: "rejected:10141", 2: "ready"}, "ready", True, [1, 3.01], 3.02),
        # a milestone that never comes: asked all the same, 5 s after the sign-in
        ({1: [*START, SIGNED_IN]}, {0: "no_accounts", 4: "ready"}, "ready", True, [6], 6.01),
        # a log that says nothing: asked after 10 s, then every 10 s
        ({}, {0: "port_closed", 25: "ready"}, "ready", True, [10, 20.01, 30.02], 30.03),
        # nobody approves: asked now and then, until the time is over
        ({1: [*START, PUSH]}, {0: "proxy_up_gateway_down"}, "ready", False, [61, 91.01], 100),
        ({1: [*START, PUSH], 40: [SIGNED_IN], 41: [CONFIGURED]}, {0: "ready"}, "ready", True, [41], 41.01),
        # never, and known at once
        ({1: START, 3: ["Required PassKey is not supported"]}, {0: "port_closed"}, "ready", False, [], 3),
        ({1: [*START, SIGNED_IN, CONFIGURED]}, {0: "wrong_account"}, "ready", False, [1], 1.01),
        ({1: [*START, SIGNED_IN, CONFIGURED]}, {0: "not_tws"}, "ready", False, [1], 1.01),
        # a degraded gateway is asked again until the time is over
        (
            {-9: [*START, SIGNED_IN, CONFIGURED]},
            {0: "link_down", 5: "ready"},
            "ready",
            True,
            [0, 2.01, 4.02, 6.03],
            6.04,
        ),
        # other states
        ({1: START, 5: [PUSH]}, {0: "port_closed"}, "waiting_2fa", True, [], 5),
        ({1: START}, {0: "port_closed"}, "waiting_2fa", False, [], 100),
        ({-9: [*START, SIGNED_IN, CONFIGURED]}, {0: "link_down"}, "degraded", True, [0], 0.01),
        ({1: START, 3: ["Required PassKey is not supported"]}, {0: "port_closed"}, "blocked", True, [], 3),
    ],
)
def test_waiting(
    monkeypatch: pytest.MonkeyPatch,
    deploy: Any,
    log: Any,
    api: Any,
    wanted: str,
    met: bool,
    asked: list[float],
    ends: float,
) -> None:
    world = World(monkeypatch, log, api, descriptor=deploy())
    assert wait_for(world.gateway, wanted, 100) is met
    assert world.asked == asked
    assert world.time - world.begin == pytest.approx(ends)


@pytest.mark.parametrize(("wanted", "met"), [("ready", False), ("stopped", True), ("blocked", False)])
def test_the_container_exits_meanwhile(monkeypatch: pytest.MonkeyPatch, deploy: Any, wanted: str, met: bool) -> None:
    world = World(monkeypatch, {1: START}, {0: "port_closed"}, exits_at=4, descriptor=deploy())
    assert wait_for(world.gateway, wanted, 100) is met
    assert world.time - world.begin < 5
    assert world.gateway.judgement().state == "stopped"


def test_a_restart_counts_only_in_the_next_run(monkeypatch: pytest.MonkeyPatch, deploy: Any) -> None:
    up = [*START, SIGNED_IN, CONFIGURED]
    world = World(monkeypatch, {-9: up, 50: up}, {0: "ready"}, descriptor=deploy())
    assert wait_for(world.gateway, "ready", 100, after_run=1)
    assert world.asked == [50]


def test_the_engine_goes_away_while_waiting(monkeypatch: pytest.MonkeyPatch, deploy: Any) -> None:
    world = World(monkeypatch, {}, {0: "port_closed", 9: "ready"}, descriptor=deploy())
    world.fault = "away"
    assert wait_for(world.gateway, "ready", 100)
    gaps = [later - earlier for earlier, later in itertools.pairwise(world.asked)]
    assert min(gaps) >= 2
    assert max(gaps) < 3
    assert world.gateway.report()["engine"] == {"reachable": False, "reason": "away"}


def test_the_log_ends_though_the_container_runs(monkeypatch: pytest.MonkeyPatch, deploy: Any) -> None:
    world = World(monkeypatch, {1: START, 8: [SIGNED_IN, CONFIGURED]}, {0: "ready"}, descriptor=deploy())
    kept, broken = world.gateway.listen, iter([True, True])

    def breaking(timeout: float) -> bool:
        return kept(timeout) and not next(broken, False)

    world.gateway.listen = breaking  # type: ignore[method-assign]  # for this test only
    assert wait_for(world.gateway, "ready", 100)
    assert world.asked == [8.2]


def test_an_endpoint_alone_is_asked_every_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {}, {0: "port_closed", 7: "ready"})
    assert wait_for(world.gateway, "ready", 100, delay=3)
    assert world.asked == [0, 3.01, 6.02, 9.03]


def test_an_attempt_never_outlives_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, {}, {0: "port_closed"})
    timeouts: list[float] = []
    original = world.gateway.ask
    monkeypatch.setattr(world.gateway, "ask", lambda timeout: (timeouts.append(timeout), original(timeout)))
    assert not wait_for(world.gateway, "ready", 6.0)
    assert timeouts == [pytest.approx(6.0), pytest.approx(3.99), pytest.approx(1.98)]


@pytest.mark.parametrize(
    ("needs", "timeout", "met", "asked", "api_state"),
    [
        (4, 180, True, [0], "ready"),
        (6, 180, True, [0, 7], "ready"),
        (12, 180, True, [0, 7, 19], "ready"),
        (39, 180, True, [0, 7, 19, 41], "ready"),
        (6, 7, True, [0], "ready"),
        (12, 14, True, [0], "ready"),
        # the first attempt leaves room for one of twice its length, which takes what is left
        (6, 20, True, [0, 7], "ready"),
        (12, 20, True, [0, 7], "ready"),
        (6, 5, False, [0], "no_handshake"),
        # an attempt never keeps the log unheard for longer than 40 s
        (60, 150, False, [0, 7, 19, 41, 83, 125], "no_handshake"),
    ],
)
def test_a_slow_gateway_gets_longer_attempts(
    monkeypatch: pytest.MonkeyPatch,
    deploy: Any,
    needs: float,
    timeout: float,
    met: bool,
    asked: list[float],
    api_state: str,
) -> None:
    world = World(monkeypatch, {-9: [*START, SIGNED_IN, CONFIGURED]}, {0: "ready"}, descriptor=deploy())
    world.takes = lambda _at: needs
    assert wait_for(world.gateway, "ready", timeout) is met
    assert world.asked == asked
    assert world.gateway.report()["api_state"] == api_state
    assert world.time - world.begin <= timeout + 0.1


@pytest.mark.parametrize(
    ("known", "last", "kept"),
    [
        ("link_down", "ready", "link_down"),
        ("rejected:326", "ready", "rejected:326"),
        # what was seen in time is newer than what was known, however short the attempt
        ("link_down", "port_closed", "port_closed"),
    ],
)
def test_a_last_attempt_that_is_cut_short_does_not_replace_the_verdict(
    monkeypatch: pytest.MonkeyPatch, deploy: Any, known: str, last: str, kept: str
) -> None:
    log = {-9: [*START, SIGNED_IN, CONFIGURED]}
    world = World(monkeypatch, log, {0: known, 4: last}, descriptor=deploy())
    world.takes = lambda at: 4.0 if at >= 4 and last == "ready" else 0.01
    assert not wait_for(world.gateway, "ready", 6)
    assert world.gateway.report()["api_state"] == kept


def test_against_an_engine_and_an_api(fake_engine: Any, deploy: Any, serve: Any) -> None:
    """The same with sockets: the verdict follows the milestone within moments."""
    usable = threading.Event()

    def behaviour(script: Any) -> None:
        if not usable.is_set():
            return
        script.start()
        for code, text in ((2104, "a:b"), (2106, "a:b"), (2158, "a:b")):
            script.notice(code, text)
        script.answer_time()
        script.stay()

    found = deploy(port=serve(behaviour))
    fake_engine.log(".> Starting IBC/IB gateway", *START)
    gateway = Gateway(found.endpoint(), found)

    def come_up() -> None:
        usable.set()
        fake_engine.log(SIGNED_IN, CONFIGURED)

    threading.Timer(0.3, come_up).start()
    assert wait_for(gateway, "ready", 20)
    assert gateway.attempts == 1


def test_against_an_engine_whose_container_exits(fake_engine: Any, deploy: Any, closed_port: int) -> None:
    found = deploy(port=closed_port)
    fake_engine.log(".> Starting IBC/IB gateway", *START)
    gateway = Gateway(found.endpoint(), found)
    threading.Timer(0.3, fake_engine.exit, (83,)).start()
    assert not wait_for(gateway, "ready", 20)
    assert gateway.judgement().reason.startswith("its container has exited with code 83 (IBC and this release")
