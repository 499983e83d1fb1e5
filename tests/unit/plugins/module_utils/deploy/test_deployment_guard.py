# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment leaves a gateway alone that is signed in, paused, or held by another run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.unit.plugins.deployments import IMAGE, STATES, Host, paused

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place, tickle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    acting,
    store,
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.portal import PortalActor, PortalDeployment

WAYS: dict[str, dict[str, Any]] = {
    "no limit": {"name": "live", "mode": "live", "asked": False},
    "no limit, at once": {"name": "live", "mode": "live", "asked": False, "now": True},
    "no limit, anew": {"name": "live", "mode": "live", "asked": False, "recreate": True, "now": True},
    "as paper": {"name": "live", "mode": "paper"},
    "as paper, anew": {"name": "live", "mode": "paper", "recreate": True, "now": True},
    "another name": {"name": "live2", "mode": "live"},
    "another name, at once": {"name": "live2", "mode": "live", "now": True},
    "another name, as paper": {"name": "live2", "mode": "paper"},
}


@pytest.mark.parametrize(
    ("state", "way"), [(state, way) for state in STATES for way in WAYS if state != "new" or way.startswith("no limit")]
)
def test_no_way_past_the_guard(host: Host, state: str, way: str) -> None:
    STATES[state](host)
    before = {name: found["status"] for name, found in host.engine.all.items()}
    for check in (True, False):
        with pytest.raises(Refused, match="Nothing was touched"):
            host.run(host.order(**WAYS[way]), check)
    assert host.engine.calls == []
    assert {name: found["status"] for name, found in host.engine.all.items()} == before
    assert not (host.root / "etc").exists()


def test_a_client_portal_gateway_that_is_down_takes_a_push(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOT", str(host.root / "etc"))
    host.engine.made("ibgw-web", "r2", "exited", "live", **{neighbours.STACK_LABEL: neighbours.PORTAL})
    deployed = tickle.Deployed("web", port=4001, mode="live", image=IMAGE, revision="r2")
    order = replace(host.order("web", "live"), descriptor=deployed)
    order = replace(order, parameters={**order.parameters, "files": {}})
    done = PortalDeployment(order, PortalActor(deployed, "Ann", engine=host.engine)).run(False)
    assert (done.step, done.needs, host.engine.calls) == ("start", "push", [])


def test_another_run_is_told_who_is_at_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "PATIENCE", 0.0)
    order = host.order("live", "live")
    with host.control(order, "Ann").acting("a sign-in"), pytest.raises(BusyError, match="a sign-in by Ann"):
        host.run(order, owner="Bob")
    assert host.engine.calls == []


def test_a_program_that_holds_the_port_is_named(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.listeners[4001] = "nginx (process 12)"
    with pytest.raises(Refused, match=r"gateway_port: on 4001 of this host nginx \(process 12\) listens"):
        host.run(host.order())
    assert host.engine.calls == []


def test_its_own_port_is_no_fault(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1")
    host.listeners[4001] = "docker-proxy (process 12)"
    assert host.run(host.order()).step == "replace"


def test_a_mode_is_changed_when_it_is_down_and_the_operator_says_so(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "exited", "live")
    host.run(host.order("live", "paper", change_mode=True))
    assert host.engine.running() == ["ibgw-live"]


def test_a_week_that_is_over_takes_no_sign_in_and_loses_no_container(host: Host) -> None:
    host.engine.made("ibgw-live", "r1", "running", "live")
    order = host.order("live", "live", now=True)
    saturday_night = datetime(2026, 11, 28, 23, 45, tzinfo=week.NEW_YORK).timestamp()
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: saturday_night, "Ann")
    with pytest.raises(Refused, match="Sunday"):
        GatewayDeployment(order, control, ("push",)).run(False)
    assert host.engine.calls == []


def test_a_killed_maintenance_is_resumed_and_no_push_is_asked_for(host: Host) -> None:
    paused(host)
    host.engine.all["ibgw-live"]["request"]["Labels"]["ibops.gateway.revision"] = "r1"
    order = host.order("live", "live")
    done = GatewayDeployment(order, host.control(order)).run(False)
    assert (done.step, done.needs) == ("resume", "")
    assert host.engine.revision("ibgw-live") == "r2"
    record = store.Store("live").load("live")
    assert (record.stopped_by, record.grant, record.blocked) == ("", None, None)
