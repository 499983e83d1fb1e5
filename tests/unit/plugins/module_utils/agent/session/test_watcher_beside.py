# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher and the operator while another run keeps the lease between its tasks, or a stuck one holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.session_log import PUSH, TUESDAY
from tests.unit.plugins.strikes import PAPER, PUSHED, SESSION, SESSION_BEGINS, SIGNED_IN

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import log
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import store

Make = Callable[..., World]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any) -> Make:
    def made(mode: str, moment: float = TUESDAY, **settings: Any) -> World:
        return World(monkeypatch, fake_engine, serve, deploy, mode, moment, **settings)

    return made


def keep(world: World, seconds: float = 3000.0) -> None:
    """Be a run that died between two of its tasks."""
    with world.store.lease.held("Ann (a run that died)", "a maintenance", keep=lambda: seconds):
        pass


def events(world: World) -> list[str]:
    return [event["event"] for event in world.store.history()]


def test_a_stop_takes_a_kept_lease_over(make: Make, fake_engine: Any) -> None:
    world = make("paper")
    world.ibc = PAPER
    world.act(lambda control: control.start(allow_signin=True))
    world.watch(60)
    keep(world)
    world.act(lambda control: control.start(allow_signin=True), by="Bob")
    assert "a maintenance by Ann" in str(world.error)
    world.error = None
    world.act(lambda control: control.stop(), by="Bob")
    assert (world.error, fake_engine.status) == (None, "exited")
    assert "taken_over" in events(world)
    world.act(lambda control: control.start(allow_signin=True), by="Bob")
    assert world.error is None


def test_a_kept_lease_keeps_no_push_and_no_end_from_the_watcher(make: Make, fake_engine: Any) -> None:
    world = make("live")
    world.ibc = SIGNED_IN
    keep(world)
    world.later(5, fake_engine.start)
    world.watch(120)
    assert (fake_engine.status, world.pushes) == ("exited", [])
    assert world.store.load("live").blocked == "sign_in_asked"


def test_a_kept_lease_keeps_no_paper_gateway_beyond_its_time(make: Make, fake_engine: Any) -> None:
    world = make("paper", SESSION_BEGINS - 30, **SESSION)
    world.ibc = PAPER
    world.watch(60)
    assert fake_engine.status == "running"
    keep(world)
    record = world.store.load("paper")
    assert record.grant is not None
    record.grant.ends_at = world.time + 100
    world.store.save(record)
    world.watch(200)
    assert fake_engine.status == "exited"


def test_nothing_is_started_under_a_lease_that_another_keeps(make: Make, fake_engine: Any) -> None:
    world = make("paper", SESSION_BEGINS - 30, **SESSION)
    world.ibc = PAPER
    keep(world)
    world.watch(200)
    assert fake_engine.status == "exited"
    world.store.lease.release("Ann (a run that died)")
    world.watch(120)
    assert fake_engine.status == "running"


@pytest.mark.parametrize("granted", [False, True])
def test_a_stuck_process_lets_no_unasked_push_through(make: Make, fake_engine: Any, granted: bool) -> None:
    world = make("live")
    world.ibc = PUSHED
    world.watch(1)
    record = world.store.load("live")
    if granted:
        record.grant = store.Grant(store.SIGN_IN, "Ann", world.time, world.time + 600)
    world.store.save(record)
    with world.store.lease.held("Ann", "a deployment"):
        world.later(5, fake_engine.start)
        world.watch(60)
    assert fake_engine.status == ("running" if granted else "exited")
    assert sum(line == PUSH for line in world.written) == granted


def test_lines_that_were_lost_are_told(make: Make, fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make("paper")
    world.ibc = PAPER
    world.act(lambda control: control.start(allow_signin=True))
    world.watch(60)
    monkeypatch.setattr(log, "TAILS", (1, 2))
    world.watcher = world.new_watcher()
    fake_engine.log(*["noise"] * 50)
    fake_engine.forget(40)
    world.watch(70)
    assert (events(world).count("log_gap"), world.told.count("log_gap")) == (1, 1)
    assert world.watcher.control.gateway.report()["milestones"]["log_gaps"] == 1
    world.watch(200)
    assert events(world).count("log_gap") == 1


@pytest.mark.parametrize("forgotten", ["state", "state and log"])
def test_a_signed_in_gateway_whose_state_is_lost_runs_on(make: Make, fake_engine: Any, forgotten: str) -> None:
    """A lost record is rebuilt from the engine, the log and the API."""
    world = make("live")
    world.ibc = SIGNED_IN
    world.act(lambda control: control.sign_in(lambda step, text: None))
    before = world.store.load("live")
    with open(world.store.state_path, "w", encoding="utf-8") as file:
        file.write("{")
    if "log" in forgotten:
        fake_engine.forget(1000)
        fake_engine.log("noise")
    world.watcher = world.new_watcher()
    world.watch(200)
    after = world.store.load("live")
    assert (fake_engine.status, after.state, after.blocked) == ("running", "ready", None)
    assert (after.valid_until, len(world.pushes)) == (before.valid_until, 1)
    assert "damaged" in events(world)
