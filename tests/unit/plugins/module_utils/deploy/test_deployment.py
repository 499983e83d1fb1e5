# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment chooses its step, and refuses an image that it cannot trust."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.unit.plugins.deployments import IMAGE, Host, looked_at
from tests.unit.plugins.made_images import MadeImage

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import (
    week,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import deployment
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.deployment import Found
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.gateway import GatewayDeployment

THERE, SAME = Found(there=True, revision="r1"), Found(there=True, revision="r2")
DOWN, DOWN_SAME = Found(revision="r1"), Found(revision="r2")


@pytest.mark.parametrize(
    ("mode", "found", "wanted", "step", "makes", "starts"),
    [
        ("paper", Found(), {}, "make", True, True),
        ("paper", Found(), {"start": "if_running"}, "make", True, False),
        ("paper", SAME, {}, "none", False, False),
        ("paper", SAME, {"recreate": True}, "replace", True, True),
        ("paper", THERE, {}, "replace", True, True),
        ("paper", THERE, {"start": "if_running"}, "replace", True, True),
        ("paper", THERE, {"start": "never"}, "replace", True, False),
        ("paper", DOWN, {}, "make", True, True),
        ("paper", DOWN, {"start": "if_running"}, "make", True, False),
        ("paper", DOWN_SAME, {}, "start", False, True),
        ("paper", DOWN_SAME, {"start": "if_running"}, "none", False, False),
        ("paper", DOWN_SAME, {"recreate": True}, "make", True, True),
        ("paper", replace(DOWN, was_running=True), {"start": "if_running"}, "make", True, True),
        ("paper", replace(DOWN_SAME, was_running=True), {"start": "if_running"}, "start", False, True),
        ("paper", replace(DOWN, was_running=True), {"start": "never"}, "make", True, False),
        ("paper", replace(SAME, unproven=True), {}, "prove", False, False),
        ("paper", replace(THERE, unproven=True), {}, "replace", True, True),
        ("paper", replace(SAME, frozen=True), {}, "none", False, False),
        ("paper", replace(THERE, frozen=True), {}, "refuse", False, False),
        ("live", Found(), {}, "make", True, True),
        ("live", SAME, {}, "none", False, False),
        ("live", THERE, {}, "pending", False, False),
        ("live", SAME, {"recreate": True}, "pending", False, False),
        ("live", THERE, {"start": "never"}, "pending", False, False),
        ("live", THERE, {"now": True}, "replace", True, True),
        ("live", THERE, {"now": True, "start": "never"}, "replace", True, False),
        ("live", replace(THERE, frozen=True), {}, "pending", False, False),
        ("live", replace(THERE, frozen=True), {"now": True}, "refuse", False, False),
        ("live", DOWN, {}, "make", True, True),
        ("live", DOWN_SAME, {}, "start", False, True),
        ("live", replace(DOWN, was_running=True), {"start": "if_running"}, "make", True, False),
        ("live", replace(DOWN_SAME, kept=True), {}, "resume", False, True),
        ("live", replace(DOWN, kept=True), {}, "resume", True, True),
        ("live", replace(DOWN, kept=True), {"start": "never"}, "make", True, False),
        ("live", replace(DOWN_SAME, kept=True), {"start": "never"}, "none", False, False),
        *[
            ("live", found, {"asked": False, **wanted}, "refuse", False, False)
            for found in (Found(), THERE, DOWN, DOWN_SAME, replace(DOWN_SAME, kept=True), replace(SAME, unproven=True))
            for wanted in ({}, {"now": True}, {"recreate": True})
        ],
        ("live", SAME, {"asked": False}, "none", False, False),
    ],
)
def test_the_decision(
    host: Host, mode: str, found: Found, wanted: dict[str, Any], step: str, makes: bool, starts: bool
) -> None:
    decision = deployment.decide(found, host.order(mode, mode, **wanted))
    assert (decision.step, decision.makes, decision.starts) == (step, makes, starts)
    assert bool(re.match(f"(gateway |container ibgw-){mode} is", decision.why)) is (step == "refuse")


# The image is asked before it is trusted


def test_a_container_that_is_left_of_a_look_is_removed_by_the_next_run(host: Host) -> None:
    host.run(host.order())
    host.engine.create("ibgw-paper.image", {"Image": IMAGE, "HostConfig": {}})
    assert host.run(host.order()).step == "none"
    assert list(host.engine.all) == ["ibgw-paper"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("mode", "now"), [("paper", False), ("live", False), ("live", True)])
def test_an_image_that_is_refused_leaves_the_running_gateway_as_it_was(
    host: Host, mode: str, now: bool, check: bool
) -> None:
    name = f"ibgw-{mode}"
    host.run(host.order(mode, mode, revision="r1", config="one"))
    before = {
        path: path.read_bytes() for path in host.root.rglob("*") if path.is_file() and "session" not in path.parts
    }
    host.engine.made_image.config["User"] = "root"
    host.engine.calls.clear()
    with pytest.raises(
        Refused, match=r"gateway_image: image@sha256:1 is not what it must be \(user: .*Nothing was touched"
    ):
        host.run(host.order(mode, mode, now=now), check=check)
    assert (list(host.engine.all), host.engine.running()) == ([name], [name])
    assert host.engine.revision(name) == "r1"
    assert set(host.engine.calls) <= set(looked_at(name))
    assert before == {
        path: path.read_bytes() for path in host.root.rglob("*") if path.is_file() and "session" not in path.parts
    }
    assert host.stops == []


def test_what_the_operator_accepts_is_taken(host: Host) -> None:
    host.engine.made_image.config["User"] = "root"
    done = host.run(host.order(accept=("user",)))
    assert (done.step, host.engine.running()) == ("make", ["ibgw-paper"])
    assert done.image is not None
    assert ("user", False) in [(each.id, each.refused) for each in done.image.differences]


@pytest.mark.parametrize("made", ["gateway", "tws"])
@pytest.mark.parametrize("wanted", ["gateway", "tws"])
def test_the_image_has_to_be_that_of_the_program(host: Host, made: str, wanted: str) -> None:
    host.engine.made_image = MadeImage(os.getuid(), program=made)
    order = host.order()
    order = replace(order, descriptor=replace(order.descriptor, program=wanted))
    if made == wanted:
        assert host.run(order).step == "make"
    else:
        with pytest.raises(Refused, match=f"program: GATEWAY_OR_TWS is '{made}'"):
            host.run(order)


def test_a_setting_that_the_ibc_of_the_image_does_not_know_is_refused(host: Host) -> None:
    with pytest.raises(Refused, match="unknown_keys: its IBC has no NoSuchKey, which the settings have"):
        host.run(host.order(config="NoSuchKey=yes"))


DAY = datetime(2026, 12, 15, tzinfo=week.NEW_YORK).timestamp()


@pytest.mark.parametrize(
    ("status", "revision", "start", "now", "refused"),
    [
        # Before the day it is told, and on the day refused before anything is stopped.
        ("running", "r1", "always", DAY - 1, False),
        ("running", "r1", "always", DAY, True),
        ("exited", "r1", "if_running", DAY, True),
        # A container that is there is not started in vain, and one that runs is left alone.
        ("exited", "r2", "always", DAY - 1, False),
        ("exited", "r2", "always", DAY, True),
        ("exited", "r2", "if_running", DAY, False),
        # Made for the sign-in that follows, or left for it.
        ("exited", "r1", "never", DAY, True),
        ("exited", "r2", "never", DAY, True),
        ("exited", "r2", "never", DAY - 1, False),
        ("running", "r2", "never", DAY, False),
        ("running", "r2", "always", DAY, False),
    ],
)
def test_a_release_that_ibkr_does_not_accept_is_refused_before_anything_is_stopped(
    host: Host, status: str, revision: str, start: str, now: float, refused: bool
) -> None:
    host.engine.made_image = MadeImage(os.getuid(), "10.45.1j")
    host.engine.made("ibgw-paper", revision, status)
    order = host.order(start=start)
    control = Control(order.descriptor, Plan(), "the operator", host.engine, lambda: now, "Ann")
    if refused:
        with pytest.raises(
            Refused, match=r"release_not_accepted: release 10\.45\.1j has not been accepted by IBKR since"
        ):
            GatewayDeployment(order, control).run(False)
        assert set(host.engine.calls) <= set(looked_at("ibgw-paper"))
        assert host.engine.all["ibgw-paper"]["status"] == status
    else:
        done = GatewayDeployment(order, control).run(False)
        assert done.image is not None
        assert [each.id for each in done.image.differences][:1] == [
            "release_ends" if now < DAY else "release_not_accepted"
        ]


def test_a_container_that_is_there_is_started_though_the_role_would_not_make_it_of_such_an_image(host: Host) -> None:
    host.engine.made("ibgw-paper", "r2", "exited")
    host.engine.made_image.config["User"] = "root"
    assert host.run(host.order()).step == "start"
