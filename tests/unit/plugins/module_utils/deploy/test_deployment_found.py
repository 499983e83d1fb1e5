# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that a deployment reads off the host, and what it refuses for it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.unit.plugins.deployments import STATES, Host, paused, request_of

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    store,
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.deployment import Found
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ({}, Found()),
        ({"": "running"}, Found(True, False, "r")),
        ({"": "restarting"}, Found(True, False, "r")),
        ({"": "paused"}, Found(True, True, "r")),
        ({"": "exited"}, Found(False, False, "r")),
        ({"": "exited", ".new": "created, running"}, Found(False, False, "r", was_running=True)),
        ({"": "exited", ".new": "created, down"}, Found(False, False, "r")),
        ({"": "running", ".new": "created, running"}, Found(True, False, "r")),
        # Between two renames, only the old one exists.
        ({".old": "exited", ".new": "created, running"}, Found(False, False, "r.old", was_running=True)),
        ({".old": "exited"}, Found(False, False, "r.old")),
        # Its user may need it.
        ({".old": "running"}, Found(True, False, "r.old", unproven=True)),
        # The new one has its name and was not started, or runs and is not proven.
        ({"": "created, running", ".old": "exited"}, Found(False, False, "r.old", was_running=True)),
        ({"": "exited, down", ".old": "exited"}, Found(False, False, "r.old")),
        ({"": "running, running", ".old": "exited"}, Found(True, False, "r", unproven=True)),
        # The label counts only after an interruption.
        ({"": "exited, running"}, Found(False, False, "r")),
    ],
)
def test_what_is_found(host: Host, containers: dict[str, str], expected: Found) -> None:
    for end, told in containers.items():
        status, _comma, replaces = told.partition(", ")
        labels = {"ibops.gateway.replaces": replaces} if replaces else {}
        host.engine.made(f"ibgw-paper{end}", f"r{end}", status, **labels)
    order = host.order()
    made = GatewayDeployment(order, host.control(order))
    found = made.found(store.Record("paper", "paper"), neighbours.around(host.engine))
    assert found == expected


def test_a_kept_sign_in_counts_while_the_live_gateway_is_down(host: Host) -> None:
    paused(host)
    order = host.order("live", "live")
    record = store.Store("live").load("live")

    def kept(mode: str) -> bool:
        order = host.order("live", mode)
        made = GatewayDeployment(order, host.control(order))
        return made.found(record, neighbours.around(host.engine)).kept

    assert (kept("live"), kept("paper")) == (True, False)
    host.engine.start(order.descriptor.container)
    assert kept("live") is False


def test_a_container_of_somebody_else_with_its_name_is_left_alone(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", "exited")
    host.engine.all["ibgw-paper"]["request"]["Labels"] = None
    with pytest.raises(Refused, match="gateway_name"):
        host.run(host.order())
    assert host.engine.calls == []


@pytest.mark.parametrize(("change", "refused"), [(False, True), (True, False)])
def test_the_mode_of_the_descriptor_counts_where_there_is_no_container(host: Host, change: bool, refused: bool) -> None:
    host.run(host.order("live", "live"))
    host.engine.all.clear()
    with (
        pytest.raises(Refused, match="gateway_mode: paper is wanted for gateway live, ")
        if refused
        else contextlib.nullcontext()
    ):
        host.run(host.order("live", "paper", change_mode=change))


def test_a_damaged_descriptor_is_written_anew(host: Host) -> None:
    host.run(host.order(revision="r1", config="one"))
    path = host.root / "etc/paper/gateway.json"
    path.write_text("{")
    host.run(host.order())
    assert json.loads(path.read_text())["revision"] == "r2"


def test_a_port_that_another_container_publishes_is_refused(host: Host) -> None:
    host.engine.all["web"] = {
        "Id": "web",
        "request": {**request_of("web", "", user="alice"), "Labels": {}},
        "status": "running",
    }
    with pytest.raises(Refused, match=r"gateway_port: 4001 .* container web"):
        host.run(host.order())


def test_what_needs_nothing_is_not_refused_for_its_neighbours(host: Host) -> None:
    host.engine.made("ibgw-paper", "r2")
    host.engine.made("ibgw-paper2", "r2")
    assert host.run(host.order()).step == "none"
    host.engine.made("ibgw-paper.old", "r1", "exited")
    assert host.run(host.order()).step == "prove"
    with pytest.raises(Refused, match="gateway_user: bob of gateway paper is the user of container ibgw-paper2 "):
        host.run(host.order(revision="r3"))


@pytest.mark.parametrize(("port", "refused"), [(4001, False), (4009, True)])
def test_a_port_is_its_own_while_its_container_runs_on_it(host: Host, port: int, refused: bool) -> None:
    host.engine.made("ibgw-paper", "r1")
    host.listeners[port] = "somebody (process 12)"
    order = host.order()
    order = replace(order, descriptor=replace(order.descriptor, port=port))
    if refused:
        with pytest.raises(Refused, match="gateway_port: on 4009"):
            host.run(order)
        assert host.engine.calls == []
    else:
        assert host.run(order).step == "replace"


@pytest.mark.parametrize(
    ("state", "mode", "more", "refused"),
    [
        ("down", "live", {}, True),
        ("down", "live", {"start": "never"}, False),
        ("running", "live", {"now": True}, True),
        ("running", "live", {}, False),
        ("paused", "live", {}, False),
        ("new", "paper", {}, False),
    ],
)
def test_in_the_closed_week_only_a_sign_in_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch, state: str, mode: str, more: dict[str, Any], refused: bool
) -> None:
    STATES[state](host)
    order = host.order("live", mode, **more)
    saturday = datetime(2026, 11, 21, 23, 45, tzinfo=week.NEW_YORK).timestamp()
    with host.control(order).acting("a test") as record:
        record.signed_in_at = saturday - 3600 if state == "paused" else record.signed_in_at
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: saturday, "Ann")
    with pytest.raises(Refused, match="Sunday") if refused else contextlib.nullcontext():
        GatewayDeployment(order, control, ("push",)).run(True)


def test_check_mode_waits_for_nobody(host: Host) -> None:
    with host.control(host.order(), "Bob").acting("a test"):
        assert host.run(host.order(), check=True).step == "make"
