# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher tells people of a fault once, and again when it comes again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.access.authority import SERVER, Authority, days
from tests.unit.plugins.session_log import (
    BEGUN,
    TUESDAY,
    new_york,
)
from tests.unit.plugins.watched import told

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, inspection
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def telling(control: Any) -> tuple[Watcher, Clock]:
    """A live watcher with a clock of its own; its Outbox goes by the same."""
    clock = Clock(TUESDAY)
    live = control()
    live.now = clock
    watching = Watcher(live)
    watching.outbox = watching.delivery.outbox = Outbox(live.store.directory, clock)
    return watching, clock


def record_of(state: str, since: float, **more: Any) -> Record:
    return Record("live", "live", state=state, since=since, signed_in_at=TUESDAY - 3600, **more)


def test_what_people_are_told(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    well, broken = record_of("ready", TUESDAY), record_of("degraded", TUESDAY)
    watching._tell(well, broken)
    clock.now += 30
    watching._tell(broken, broken)
    assert not Path(watching.outbox.path).exists(), "the first minute of a fault is nobody's business"
    clock.now += 60
    watching._tell(broken, broken)
    assert told(watching.control) == ["state/degraded"]
    watching._tell(broken, well)
    assert told(watching.control) == ["state/degraded", "state/ready"]
    watching._tell(well, well)
    watching._tell(record_of("starting", TUESDAY), well)
    assert told(watching.control) == ["state/degraded", "state/ready"]
    blocked = record_of("blocked", clock.now)
    watching._tell(well, blocked)
    assert told(watching.control)[-1] == "state/blocked"


def test_each_recovery_is_told(telling: tuple[Watcher, Clock], monkeypatch: pytest.MonkeyPatch) -> None:
    watching, clock = telling
    put, queued = watching.outbox.put, []
    monkeypatch.setattr(watching.outbox, "put", lambda alert, *more: queued.append((alert.key, put(alert, *more))))
    well, blocked = record_of("ready", TUESDAY), record_of("blocked", TUESDAY)
    for _time in range(2):
        watching._tell(well, blocked)
        watching._tell(blocked, well)
        clock.now += 3600
    assert queued == [("state/blocked", True), ("state/ready", True)] * 2


def test_a_fault_that_comes_again_is_told_again(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    well, blocked = record_of("ready", TUESDAY), record_of("blocked", TUESDAY)
    watching._tell(well, blocked)
    watching._tell(blocked, well)
    assert "state/blocked" not in watching.outbox._told
    clock.now += 60
    watching._tell(well, blocked)
    assert "state/blocked" in watching.outbox._told


def test_a_fault_is_told_anew_after_a_sign_in_that_the_watcher_did_not_see(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    down, signed_in, blocked = (record_of(state, TUESDAY) for state in ("blocked", "ready", "blocked"))
    watching._tell(down, down)
    first = watching.outbox._told["state/blocked"]
    clock.now += 5
    watching._tell(signed_in, blocked)
    assert watching.outbox._told["state/blocked"] > first


def test_a_gateway_that_is_blocked_again_before_it_was_ready_is_told_again(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    put: list[bool] = []
    starting = record_of("starting", TUESDAY)
    for _time in range(2):
        blocked = record_of("blocked", clock.now)
        before = starting
        for seconds in (0, 1, 30, 3600):
            clock.now = blocked.since + seconds
            earlier = watching.outbox._told.get("state/blocked")
            watching._tell(before, blocked)
            put.append(watching.outbox._told["state/blocked"] != earlier)
            before = blocked
        clock.now += 60
        watching._tell(blocked, starting)
    assert put == [True, False, False, False] * 2


def test_a_lost_link_in_ibkrs_reset_is_nobodys_fault(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    clock.now = new_york("2026-11-25 00:40")
    broken = record_of("degraded", clock.now - 600)
    watching._tell(broken, broken)
    assert not Path(watching.outbox.path).exists()


def test_the_weekly_reminder_is_told_once(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    clock.now = new_york("2026-11-29 12:05")
    stopped = record_of("stopped", clock.now)
    for _each in range(3):
        watching._tell(stopped, stopped)
    assert told(watching.control) == ["reminder/2026-11-29/noon"]
    paper = Record("paper", "paper", state="stopped")
    watching._tell(paper, paper)
    assert len(told(watching.control)) == 1


def test_the_end_of_a_release_is_told_at_once_and_more_urgently_in_its_last_week(
    telling: tuple[Watcher, Clock],
) -> None:
    watching, clock = telling
    gateway = watching.control.gateway
    ready = record_of("ready", clock.now)
    watching._tell(ready, ready)
    assert not watching.outbox._told
    gateway.verdict = {"api_state": "ready", "release_notice": "1045.1 will be desupported on 20261215: 1050.1"}
    watching._tell(ready, ready)
    (alert,) = (entry["alert"] for entry in json.loads(Path(watching.outbox.path).read_text())["pending"])
    assert (alert["key"], alert["severity"]) == ("release/warning", "warning")
    assert alert["title"] == "live: release 10.45.1 is accepted by IBKR until 2026-12-15; the minimum then is 10.50.1"
    assert "10.50.1 or later" in alert["next_step"]
    moments = []
    for day in ("11-25", "12-01 12:01", "12-07 23:00", "12-08", "12-08 12:00", "12-09 00:01", "12-20"):
        clock.now = new_york(f"2026-{day}" if " " in day else f"2026-{day} 00:00")
        before = dict(watching.outbox._told)
        watching._tell(ready, ready)
        moments += [
            (day, key) for key, at in watching.outbox._told.items() if before.get(key) != at and "release" in key
        ]
    assert moments == [
        ("12-01 12:01", "release/warning"),
        *((day, "release/critical") for day in ("12-08", "12-09 00:01", "12-20")),
    ]


def test_a_gateway_that_announces_another_end_each_time_is_told_once(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    ready = record_of("ready", clock.now)
    for day in range(10, 29):
        watching.control.gateway.verdict = {"api_state": "ready", "release_notice": f"desupported on 202712{day}"}
        watching._tell(ready, ready)
    assert told(watching.control) == ["release/warning"]


def test_the_end_of_a_certificate_is_told_in_three_steps(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    place = Path(descriptor.ROOT, "live", "mtls")
    authority = Authority()
    authority.issue(place, "gateway", SERVER, ends=40, kind="server")
    authority.revoke(place / "clients.crl", ends=100)
    ends = f"{days(40).timestamp():.0f}"
    ready = record_of("ready", clock.now)
    seen = []
    for left in (22, 20.5, 20, 8, 6.9, 1, -0.5):
        clock.now = days(40 - left).timestamp()
        watching._tell(ready, ready)
        watching._tell(ready, ready)
        seen.append([key for key in watching.outbox._told if key.startswith("ends/")])
    steps = [f"ends/server.crt/{ends}/{limit}" for limit in (21, 7, 0)]
    assert seen == [[], steps[:1], steps[:1], steps[:1], steps[:2], steps[:2], steps]


def test_an_account_id_in_a_title_is_told_nowhere(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inspection, "DIALOG_SECONDS", 0.0)
    paper = control("paper")
    fake_engine.on_start = lambda: fake_engine.log(
        *BEGUN, "IBC: detected dialog entitled: Notice for U9998887 and F7776665; event=Opened"
    )
    paper.engine.start(paper.descriptor.container)
    watching = Watcher(paper)
    monkeypatch.setattr(paper.gateway, "ask", lambda: None)
    watching.look()
    watching.delivery.wait(5)
    kept = "".join(path.read_text() for path in Path(paper.store.directory).iterdir() if path.is_file())
    everything = kept + capsys.readouterr().out + watching.publisher.health().content
    assert everything.count("Notice for U***87 and F***65") >= 4
    assert not any(each in everything for each in ("U9998887", "F7776665"))
