# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.plugins.faults import FAULTS, PLAYED_SECONDS, Fault, World, markdown
from tests.unit.plugins.session_log import TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import look, states
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.alerts import Alert, Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.plan import from_data
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.store import SIGN_IN, Grant, Record

BY = ("started by", "stopped by")
WRONG = (states.DEGRADED, states.BLOCKED, states.STOPPED)
ACTS = ("blocked", "kill", "stop", "restart", "start")
SESSION = {
    "name": "noon", "days": ["tue"], "time": "12:00", "zone": "America/New_York",
    "lead_minutes": 10, "max_minutes": 300,
}  # fmt: skip


@pytest.fixture
def world(
    control: Callable[..., Any], fake_engine: Any, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], World]:
    """Make a gateway of a mode that has been ready for an hour."""

    def make(mode: str) -> World:
        there = control(mode)
        there.plan = from_data({} if mode == "live" else {"paper_sessions": [SESSION]})
        world = World(there, fake_engine, command_server, monkeypatch)
        monkeypatch.setattr(time, "time", lambda: world.now)
        monkeypatch.setattr(look, "probe", world.probe)
        put = Outbox.put

        def told(box: Outbox, alert: Alert, repeat: float | None) -> bool:
            world.told.append(alert.key)
            return put(box, alert, repeat)

        monkeypatch.setattr(Outbox, "put", told)
        world.now = TUESDAY - 3600
        record = Record(mode, mode)
        if mode == "live":
            record.grant = Grant(SIGN_IN, "Ann", world.now, world.now + 600)
            there.save(record)
            fake_engine.start()
            world.coming.clear()
            world.log("Login has completed", "Configuration tasks completed")
        world.play(3600)
        return world

    return make


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_befalls_a_gateway(world: Callable[[str], World], fault: Fault) -> None:
    there = world(fault.mode)
    store = there.watcher.control.store
    before = store.load(fault.mode)
    assert before.state == "ready"
    pushes, logins = there.pushes, there.logins
    fault.happens(there)
    since, known = there.now, len(store.history())
    there.play(PLAYED_SECONDS)

    found, history = store.load(fault.mode), store.history()[known:]
    does = [event for event in history if event["event"] in ACTS and not event["text"].startswith(BY)]
    wrong = [event for event in history if event in does or event.get("state") in WRONG]
    assert (found.state, found.blocked) == (fault.state, fault.cause)
    assert tuple(event["event"] for event in does) == fault.does
    assert (round(wrong[0]["at"] - since) if wrong else None) == fault.noticed
    assert (there.logins - logins, there.pushes - pushes) == (fault.logins, fault.pushes)
    assert any(key.startswith("state/") for key in there.told) is fault.told


DOCS = "docs/faults.md"


def test_the_documentation_has_these_faults(pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / DOCS).read_text()
    assert markdown() in text, (
        f"its table is old: python -c 'from tests.unit.plugins.faults import markdown; ...' > {DOCS}"
    )


def test_the_documentation_names_tests_that_exist(pytestconfig: pytest.Config) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (pytestconfig.rootpath / DOCS).read_text())
    assert len(named) > 5
    for path, function in named:
        assert f"def {function}(" in (pytestconfig.rootpath / path).read_text(), (path, function)


def test_no_push_is_sent_but_by_a_sign_in_and_no_refused_password_is_tried_thrice() -> None:
    assert sum(fault.pushes for fault in FAULTS if fault.cause != "sign_in_late") == 0
    assert max(fault.logins for fault in FAULTS if fault.cause == "refused_login") == 2
    assert len(FAULTS) >= 25
