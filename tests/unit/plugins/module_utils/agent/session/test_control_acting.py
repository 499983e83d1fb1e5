# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every actor on a gateway holds its lease, under a name and for a purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.plugins.controlled import spied_stops
from tests.unit.plugins.session_log import (
    TUESDAY,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import (
    Control,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN

ACTS: dict[str, Callable[[Control], object]] = {
    "start": lambda live: live.start(True),
    "stop": lambda live: live.stop(),
    "restart": lambda live: live.restart(60),
    "pause": lambda live: live.pause(60),
    "resume": lambda live: live.resume(60),
    "sign-in": lambda live: live.sign_in(lambda _step, _text: None),
}


@pytest.mark.parametrize("door", ACTS)
def test_whoever_acts_says_who_he_is_and_what_for(control: Any, monkeypatch: pytest.MonkeyPatch, door: str) -> None:
    live = control()
    asked: list[Any] = []

    def held(*arguments: object) -> object:
        asked.append(arguments)
        raise BusyError("somebody else")

    monkeypatch.setattr(live.store.lease, "held", held)
    with pytest.raises(BusyError, match="somebody else"):
        ACTS[door](live)
    [(owner, what, patience, keep, take_over)] = asked
    assert (owner, what, patience, keep()) == (f"Ann (process {os.getpid()})", door, 30.0, 0.0)
    # A run that keeps the lease between its tasks keeps nobody from stopping.
    assert take_over is (door == "stop")


def test_who_acts_unless_he_says_so(control: Any) -> None:
    live = control()
    plain = Control(live.descriptor, live.plan)
    assert (plain.by, plain.keep, plain.now) == ("the operator", 0.0, time.time)
    assert plain.owner == f"the operator (process {os.getpid()})"
    assert Control(live.descriptor, live.plan, owner="run 7").owner == "run 7"
    assert plain.grant(None).kind == SIGN_IN
    assert control("paper").grant(None) is None


def test_the_container_is_looked_at_by_the_same_engine(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = control()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert live.gateway.seen()["exists"]


def test_whoever_ends_the_lease_of_another_run_notes_it(control: Any) -> None:
    live = control()
    run = Control(live.descriptor, live.plan, owner="run 7", keep=300.0, now=live.now)
    with run.acting("a deployment"):
        pass
    live.stop()
    [event] = live.store.history()
    assert (event["event"], event["at"]) == ("taken_over", TUESDAY)
    assert "a deployment by run 7" in event["text"]


def test_a_stop_has_a_minute_for_ibc(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = spied_stops(monkeypatch)
    control().stop()
    assert stops == [(60.0, False)]
