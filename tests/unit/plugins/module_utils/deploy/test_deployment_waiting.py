# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment waits for a gateway to be ready, as long as its session allows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.plugins.deployments import MONDAY, Host, events, paused

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    EngineError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    lifecycle,
    policy,
    store,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import Outcome, SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import gateway
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment


class Judged:
    """The verdict of the session's rules on a start, and the engine's calls that follow."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, step: policy.Step | None) -> None:
        self.looks = 0

        def waits(*_arguments: Any, tell: Callable[[], None] = lambda: None, **_more: Any) -> bool:
            tell()
            self.looks += 1
            return True

        monkeypatch.setattr(gateway, "wait_for", waits)
        self.asked: list[tuple[store.Record, policy.Seen, Plan, float]] = []

        def decide(record: store.Record, look: policy.Seen, plan: Plan, now: float) -> policy.Step | None:
            self.asked.append((record, look, plan, now))
            return step

        monkeypatch.setattr(policy, "decide", decide)
        self.observed: list[bool] = []
        observe = policy.observe

        def observes(record: store.Record, look: policy.Seen, plan: Plan, now: float) -> None:
            self.observed.append(look.asked)
            observe(record, look, plan, now)

        monkeypatch.setattr(policy, "observe", observes)


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("cause", ["sign_in_asked", None])
def test_a_rule_of_the_session_ends_a_start(
    host: Host, monkeypatch: pytest.MonkeyPatch, action: str, cause: str | None
) -> None:
    killed: list[str] = []

    def kill(name: str) -> None:
        killed.append(name)
        host.engine.stop(name, 0)

    monkeypatch.setattr(host.engine, "kill", kill)
    Judged(host, monkeypatch, policy.Step(action, "a reason", cause))
    with pytest.raises(SessionError, match=r"not ready but .* Next step: .* The gateway is down\.$"):
        host.run(host.order("live", "live"))
    assert killed == (["ibgw-live"] if action == "kill" else [])
    assert host.engine.running() == []
    record = store.Store("live").load("live")
    assert (record.blocked, record.stopped_by, record.grant) == (cause, "the operator", None)
    blocked = [each for each in store.Store("live").history() if each["event"] == "blocked"]
    assert [(each["text"], each["cause"]) for each in blocked] == ([("a reason", cause)] if cause else [])


@pytest.mark.parametrize("step", [None, policy.Step("restart", "hung"), policy.Step("blocked", "x", "session_lost")])
def test_what_is_no_end_of_a_session_ends_no_start(
    host: Host, monkeypatch: pytest.MonkeyPatch, step: policy.Step | None
) -> None:
    judged = Judged(host, monkeypatch, step)
    host.run(host.order("live", "live"))
    assert (judged.looks, host.engine.running()) == (1, ["ibgw-live"])
    assert judged.observed == [False]
    [(record, look, plan, now)] = judged.asked
    assert (record.gateway, record.checked_at, look.asked, plan, now) == ("live", MONDAY, False, Plan(), MONDAY)
    assert events(host, "live") == ["start"]


def test_whoever_is_waited_for_is_asked_to_open_its_api(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Judged(host, monkeypatch, None)
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(lifecycle, "enable_api", lambda *given: asked.append(given))
    order = host.order()
    control = host.control(order)
    GatewayDeployment(order, control).run(False)
    assert asked == [(control.gateway, host.engine)]


def test_a_push_has_the_name_of_who_deploys(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(asked: Any, *_arguments: Any, tell: Callable[[], None], **_more: Any) -> bool:
        asked.summary.pushes = 1
        tell()
        return True

    monkeypatch.setattr(gateway, "wait_for", waits)
    host.run(host.order("live", "live"))
    pushes = [each for each in store.Store("live").history() if each["event"] == "push"]
    assert [(each["by"], each["pushes"]) for each in pushes] == [("Ann", 1)]


@pytest.mark.parametrize(("state", "kept"), [("degraded", True), ("starting", False), ("blocked", False)])
@pytest.mark.parametrize("phase", ["configured", "signed_in", "waiting_2fa"])
def test_an_approved_push_is_not_thrown_away_for_what_is_behind_the_api(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, kept: bool, phase: str
) -> None:
    host.engine.made("ibgw-live", "r1", "exited", "live")
    host.ready = lambda: False
    order = host.order("live", "live")
    control = host.control(order)
    control.gateway.summary.phase = phase
    judgement = replace(control.gateway.judgement(), state=state)
    monkeypatch.setattr(control.gateway, "judgement", lambda: judgement)
    kept = kept and phase != "waiting_2fa"
    put_back = "" if kept else " The container before is back, and down."
    with pytest.raises(SessionError, match=f"is not ready but {state}: .*{re.escape(judgement.next_step + put_back)}$"):
        GatewayDeployment(order, control, ("push",)).run(False)
    assert list(host.engine.all) == ["ibgw-live"]
    assert host.engine.revision("ibgw-live") == ("r2" if kept else "r1")
    assert host.engine.running() == (["ibgw-live"] if kept else [])
    assert ("put_back" in events(host, "live")) is not kept


def test_what_is_put_back_runs_with_what_let_it_run(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    grant = store.Grant(store.MANUAL, "Bob", MONDAY, MONDAY + 600)
    with host.control(host.order()).acting("a test") as record:
        record.grant = grant
    host.ready = lambda: False
    with pytest.raises(SessionError, match="is back, and starting"):
        host.run(host.order())
    record = store.Store("paper").load("paper")
    assert (record.grant, record.stopped_by, host.engine.running()) == (grant, "", ["ibgw-paper"])
    assert events(host, "paper") == ["start", "stop", "start", "stop", "put_back"]


def test_what_runs_and_is_not_proven_is_judged_by_its_record_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.engine.made("ibgw-paper.old", "r1", "exited")
    host.engine.made("ibgw-paper", "r2", "running")
    judged = Judged(host, monkeypatch, None)
    assert host.run(host.order()).step == "prove"
    assert [each[0].gateway for each in judged.asked] == ["paper"]
    assert list(host.engine.all) == ["ibgw-paper"]


@pytest.mark.parametrize("step", ["none", "make", "prove", "resume"])
def test_how_long_it_may_take_to_be_ready(host: Host, step: str) -> None:
    mode = "live" if step == "resume" else "paper"
    order = host.order(mode, mode, ready_seconds=33.0)
    if step == "resume":
        paused(host)
    elif step != "make":
        host.engine.made("ibgw-paper", "r2", "running")
    if step == "prove":
        host.engine.made("ibgw-paper.old", "r1", "exited")
    control = host.control(order)
    assert GatewayDeployment(order, control).run(False).step == step
    assert host.waits == [(control.gateway, "ready", 33.0)]


def test_how_a_replacement_that_fails_is_stopped(host: Host) -> None:
    host.run(host.order(revision="r1", config="one", stop_seconds=11.0))
    host.stops.clear()
    host.ready = lambda: False
    with pytest.raises(SessionError):
        host.run(host.order(stop_seconds=22.0))
    # The old one with the settings that it was deployed with; the new one with its own.
    assert [(found.revision, *rest) for found, *rest in host.stops] == [
        ("r1", host.engine, 22.0, False),
        ("r2", host.engine, 22.0, False),
    ]
    noted = [(each["event"], each["text"], each["at"]) for each in store.Store("paper").history()]
    assert noted == [
        ("start", "started by the operator", MONDAY),
        ("stop", "stopped by the operator (IBC STOP)", MONDAY),
        ("start", "started by the operator", MONDAY),
        ("stop", "stopped by the operator (IBC STOP)", MONDAY),
        ("put_back", "the container before is put back by the operator", MONDAY),
    ]


def test_an_engine_that_does_not_stop_the_replacement_keeps_nobody_from_putting_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.run(host.order(revision="r1", config="one"))

    def fails() -> bool:
        host.engine.all["ibgw-paper"]["status"] = "exited"
        monkeypatch.setattr(lifecycle, "stop", refuses)
        return False

    def refuses(*_arguments: Any, **_more: Any) -> Outcome:
        raise EngineError("the engine does not answer")

    host.ready = fails
    with pytest.raises(SessionError, match="is back, and starting"):
        host.run(host.order())
    assert (host.engine.revision("ibgw-paper"), host.engine.running()) == ("r1", ["ibgw-paper"])
