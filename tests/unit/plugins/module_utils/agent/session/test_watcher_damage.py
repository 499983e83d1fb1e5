# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A damaged plan or descriptor is a state and an alert, and the watcher goes on."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.session_log import (
    TUESDAY,
)
from tests.unit.plugins.watched import Ended

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, descriptor, plan, watcher, week
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher

# Not today: these watchers go by the machine's own clock, and none of them is to start its gateway.
DAY = week.DAYS[(datetime.now(week.NEW_YORK).weekday() + 3) % 7]
SESSION = {"name": "a", "days": [DAY], "time": "09:30", "zone": "America/New_York", "lead_minutes": 5}
GOOD_PLAN = json.dumps({"paper_sessions": [SESSION | {"max_minutes": 60}]})
DAMAGED = ["{", "[]", json.dumps({"paper_sessions": [SESSION | {"max_minutes": 60, "zone": "Mars/Olympus"}]})]


def watched(monkeypatch: pytest.MonkeyPatch, *between: Any) -> list[Watcher]:
    """Watch gateway paper; after each look one of *between* happens, then the end. Return what looked."""
    seen: list[Watcher] = []
    left = list(between)

    def listen(self: Watcher, _until: float) -> None:
        seen.append(self)
        act()

    def act(_seconds: float = 0.0) -> None:
        if not left:
            raise Ended
        left.pop(0)()

    monkeypatch.setattr(Watcher, "listen", listen)
    with pytest.raises(Ended):
        watcher.watch("paper", sleep=act)
    return seen


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_plan_is_a_state_and_the_watcher_goes_on(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    paper = control("paper")
    path = Path(plan.path("paper"))
    records: list[Record] = []

    def note() -> None:
        records.append(paper.store.load("paper"))

    def damage() -> None:
        note()
        path.write_text(content)

    def mend() -> None:
        note()
        path.write_text(GOOD_PLAN + " ")

    path.write_text(GOOD_PLAN)
    watchers = watched(monkeypatch, damage, mend, note)
    assert [record.state for record in records] == [verdicts.STOPPED, verdicts.DEGRADED, verdicts.STOPPED]
    assert str(path) in records[1].reason
    assert "ibops.gateway.site" in records[1].next_step
    # Told at once: it does not pass by itself.
    assert "state/degraded" in watchers[1].outbox._told
    # In the meantime the last good plan was in force, and after it the new one.
    assert [len(each.control.plan.paper_sessions) for each in watchers] == [1] * 4
    assert len({id(each) for each in watchers}) == 3
    assert fake_engine.status != "running"


def test_a_plan_that_was_damaged_from_the_start_starts_nothing_and_is_told_once(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(plan.path("paper"))
    path.write_text(DAMAGED[-1])
    watchers = watched(monkeypatch, *[lambda: None] * 3)
    assert all(each.control.plan == plan.Plan() for each in watchers)
    assert len({id(each) for each in watchers}) == 1
    record = paper.store.load("paper")
    assert record.state == verdicts.DEGRADED
    # It stands since the first look, and not since the last: an alert has its time.
    assert [event["event"] for event in paper.store.history()].count("state") == 1


def test_a_damaged_plan_is_told(ready: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Outbox, "put", lambda _self, alert, *_more: told.append(alert.key))
    watching = Watcher(ready, fault="session.json is damaged")
    begun = ready.now()
    for seconds in (0, 61):
        ready.now = lambda seconds=seconds: begun + seconds  # type: ignore[misc]  # bound now, not late
        watching.look()
    assert "state/degraded" in told
    record = ready.store.load("live")
    assert (record.state, record.since) == (verdicts.DEGRADED, begun)


def test_a_blocked_gateway_stays_blocked_whatever_its_plan(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = control()
    with live.acting("test") as record:
        record.signed_in_at = TUESDAY
    watching = Watcher(live, fault="session.json is damaged")
    watching.look()
    assert live.store.load("live").state == verdicts.BLOCKED


def test_a_damaged_descriptor_is_a_state_and_an_alert(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(descriptor.path("paper"))
    good = path.read_text()
    Path(alerts.path("paper")).write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/secret"}]')
    records: list[Record] = []

    def mend() -> None:
        records.append(paper.store.load("paper"))
        path.write_text(good)

    path.write_text("{")
    watchers = watched(monkeypatch, lambda: None, mend, lambda: records.append(paper.store.load("paper")))
    assert [record.state for record in records] == [verdicts.DEGRADED, verdicts.STOPPED]
    assert str(path) in records[0].reason
    assert len({id(each) for each in watchers}) == 1
    history = [event["event"] for event in paper.store.history()]
    assert history.count("alert_failed") >= 1
    assert history.count("state") == 2


def test_a_descriptor_that_is_damaged_later_leaves_the_watcher_with_the_good_one(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(descriptor.path("paper"))
    watchers = watched(monkeypatch, lambda: path.write_text("{"), lambda: path.unlink(), lambda: None)
    assert all(each.control.descriptor == paper.descriptor for each in watchers)
    assert [bool(each.fault) for each in watchers] == [False, True, True, True]
    assert paper.store.load("paper").state == verdicts.DEGRADED


def test_what_is_no_name_cannot_be_watched() -> None:
    with pytest.raises(descriptor.DescriptorError):
        watcher.watch("../etc")
