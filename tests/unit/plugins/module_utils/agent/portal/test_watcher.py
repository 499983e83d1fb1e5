# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox.client_portal import standin
from tests.unit.plugins import exposition

from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import client, place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.control import PortalControl
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.watcher import (
    REOPENS,
    REOPENS_AN_HOUR,
    PortalWatcher,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, store, watcher
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan

pytestmark = pytest.mark.thorough

Make = Callable[..., PortalWatcher]


class Clock:
    """Moments of the wall and of the machine, which go on together, from tomorrow's 16:00 UTC on: after the container's
    start, and outside of IBKR's resets, in which nobody is told of a lost link."""

    def __init__(self) -> None:
        self.now = (time.time() // 86400 + 1) * 86400 + 16 * 3600

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, portal_port: int, clock: Clock) -> Make:
    """Make the watcher of a paper gateway, the stand-in."""
    for module in (place, descriptor):
        monkeypatch.setattr(module, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))

    def made(mode: str = "paper", listed: tuple[str, ...] = (), **settings: Any) -> PortalWatcher:
        place = tmp_path / "etc" / "paper"
        place.mkdir(parents=True, exist_ok=True)
        content = {"host": "127.0.0.1", "port": portal_port, "mode": mode, "accounts": listed}
        (place / "client_portal.json").write_text(json.dumps(content))
        watching = PortalWatcher("paper", Plan(host="gw1", **settings), now=clock)
        watching.gateway.clock = clock
        return watching

    return made


def told(watching: PortalWatcher) -> list[str]:
    watching.delivery.wait(5)
    path = Path(watching.delivery.outbox.path)
    return [each["alert"]["key"] for each in json.loads(path.read_text())["pending"]] if path.exists() else []


@pytest.mark.parametrize(
    ("faults", "state"),
    [
        ("", "ready"),
        ("competing", "degraded"),
        ("unauthenticated", "degraded"),
        ("no_brokerage", "degraded"),
        ("link_lost", "degraded"),
        ("server_error", "degraded"),
        ("websocket_unauthenticated", "degraded"),
    ],
)
def test_each_state_is_remembered_and_told_once_it_lasts(
    make: Make, portal_state: standin.State, clock: Clock, faults: str, state: str
) -> None:
    watching = make()
    portal_state.faults = set(faults.split())
    record = watching.look()
    assert (record.state, record.reason) == (state, watching.store.load("paper").reason)
    assert told(watching) == []
    clock.now += 61
    assert watching.look().since == record.since
    assert told(watching) == ([] if state == "ready" else ["state/degraded"])
    portal_state.faults = set()
    clock.now += 61
    assert watching.look().state == "ready"
    assert told(watching) == ([] if state == "ready" else ["state/degraded", "state/ready"])


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        *((lambda engine, code=code: engine.exit(code), f"ended with exit code {code}") for code in (0, 1, 137, 143)),
        (lambda engine: setattr(engine, "exists", False), "the container does not exist"),
    ],
)
def test_a_container_that_nobody_has_stopped_is_a_persons_business(
    make: Make, fake_engine: Any, arrange: Any, said: str
) -> None:
    watching = make()
    watching.look()
    arrange(fake_engine)
    record = watching.look()
    assert (record.state, said in record.reason) == ("blocked", True)
    assert told(watching) == ["state/blocked"]
    assert watching.publisher.health().status == 503


def test_a_container_that_an_operator_has_stopped_rests_until_it_runs_again(make: Make, fake_engine: Any) -> None:
    watching = make()
    watching.look()
    control = PortalControl("paper", watching.plan, "Ann", watching.now)
    assert control.stop(60).changed
    assert not control.stop(60).changed
    assert (watching.look().state, told(watching)) == ("stopped", [])
    assert watching.publisher.health().status == 200
    assert [each["text"] for each in watching.store.history() if each["event"] == "stop"] == [
        "stopped by Ann (docker stop -t 60)"
    ]
    fake_engine.start()
    assert watching.look().state == "ready"
    fake_engine.exit(143)
    assert watching.look().state == "blocked"


def test_a_stop_that_was_killed_counts(make: Make, fake_engine: Any) -> None:
    watching = make()
    record = watching.look()
    record.stopping = "the operator"
    watching.store.save(record)
    fake_engine.exit(143)
    assert watching.look().state == "stopped"


def test_a_start_is_given_time(make: Make, portal_state: standin.State, clock: Clock) -> None:
    watching = make()
    clock.now = time.time() + 60
    portal_state.faults = {"unauthenticated"}
    assert watching.look().state == "starting"


def test_the_wrong_account_is_a_persons_business_and_masked(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    watching = make("live")
    assert watching.look().state == "blocked"
    assert told(watching) == ["state/blocked"]
    everything = "".join(each.read_text() for each in Path(watching.store.directory).iterdir() if each.is_file())
    assert "DU1234567" not in everything + capsys.readouterr().out + watching.publisher.health().content


def test_a_lost_session_is_asked_for_a_few_times(make: Make, portal_state: standin.State, clock: Clock) -> None:
    watching = make()
    portal_state.faults = {"no_brokerage"}
    asked = "POST /iserver/auth/ssodh/init"
    for _look in range(20):
        watching.look()
        clock.now += 61
    assert portal_state.requests.count(asked) == REOPENS
    assert [each["event"] for each in watching.store.history()].count("reopen") == REOPENS
    portal_state.faults = set()
    watching.look()
    portal_state.faults = {"no_brokerage"}
    watching.look()
    assert portal_state.requests.count(asked) == REOPENS + 1


def test_a_session_that_comes_and_goes_is_not_asked_for_without_end(
    make: Make, portal_state: standin.State, clock: Clock
) -> None:
    for look in range(20):
        # Also a watcher that is restarted each time counts on.
        watching = make()
        portal_state.faults = {"no_brokerage"} if look % 2 else set()
        watching.look()
        clock.now += 61
    assert portal_state.requests.count("POST /iserver/auth/ssodh/init") == REOPENS_AN_HOUR
    assert told(watching) == ["reopens"]
    clock.now += 3600
    watching.look()
    assert portal_state.requests.count("POST /iserver/auth/ssodh/init") == REOPENS_AN_HOUR + 1


@pytest.mark.parametrize("faults", ["", "unauthenticated", "competing", "link_lost", "server_error"])
def test_nothing_else_is_asked_for(make: Make, portal_state: standin.State, faults: str) -> None:
    watching = make()
    portal_state.faults = set(faults.split())
    watching.look()
    assert not [each for each in portal_state.requests if "ssodh" in each or "logout" in each or "reauth" in each]


def test_programs_are_told(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metrics").mkdir()
    watching = make(metrics_directory=str(tmp_path / "metrics"))
    watching.look()
    types, found = exposition.read((tmp_path / "metrics" / "ibgw_paper.prom").read_text())
    assert len(types) >= 20
    assert found["ibgw_state"][("gateway", "paper"), ("state", "ready")] == 1
    assert found["ibgw_api_state"][("gateway", "paper"), ("state", "ready")] == 1
    assert found["ibgw_accounts"][(("gateway", "paper"),)] == 1
    # Nothing is claimed of a log that nobody reads.
    assert not [name for name in found if "push" in name or "login_attempts" in name]
    assert watching.publisher.health().status == watching.publisher.ready().status == 200
    line = json.loads(capsys.readouterr().out.splitlines()[0][3:])
    assert (line["gateway"], line["to"], line["host"]) == ("paper", "ready", "gw1")


def test_a_look_that_fails_is_a_state_and_an_alert(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = make()

    def broken(_portal: client.Portal) -> client.Verdict:
        raise RuntimeError("odd")

    monkeypatch.setattr(client.Portal, "look", broken)
    rounds = iter((False, False, True, True))
    watching.run(lambda: None, lambda: next(rounds), lambda _seconds: None)
    assert watching.store.load("paper").state == "degraded"
    assert told(watching) == ["state/degraded"]
    assert watching.publisher.tally.looks_failed == 1


class Ended(Exception):
    pass


def test_the_one_watch_command_watches_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_seconds: float) -> None:
        raise Ended

    watching = make()
    monkeypatch.setattr(watcher.watching, "unit", lambda _name: {"restarts": 3})
    with pytest.raises(Ended):
        watcher.watch("paper", end)
    assert told(watching) == ["watcher"]
    assert store.Store("paper").load("paper").state == "ready"
    Path(place.path("paper")).write_text("{")
    with pytest.raises(Ended):
        watcher.watch("paper", end)
    assert store.Store("paper").load("paper").reason.startswith(place.path("paper"))


def test_a_run_that_acts_keeps_the_record(make: Make, portal_state: standin.State) -> None:
    watching = make()
    before = watching.look()
    portal_state.faults = {"competing"}
    with watching.store.lease.held("Ann", "a deployment"):
        with pytest.raises(BusyError):
            watching.look()
        ends = iter([False, True, True])
        watching.run(lambda: None, lambda: next(ends), lambda _seconds: None)
        assert watching.store.load("paper") == before
    assert watching.publisher.tally.looks_failed == 0
    assert watching.look().state == "degraded"
