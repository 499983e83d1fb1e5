# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of a deployment is read off its image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.plugins.deployments import IMAGE, Host

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Refused
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import gateway
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.deployment import Order


def ibg_order(host: Host, mode: str = "paper", **more: Any) -> Order:
    order = host.order(mode=mode, **more)
    request = {**order.request, "Env": [*order.request["Env"], "USE_IBG_CONTROLLER=yes"]}
    return replace(order, request=request, descriptor=replace(order.descriptor, controller="ibg-controller"))


def test_the_controller_is_that_of_the_image(host: Host) -> None:
    assert gateway.controller_of(host.engine, "paper", IMAGE) == "ibc"
    host.engine.made_image.have_ibg_controller()
    assert gateway.controller_of(host.engine, "paper", IMAGE) == "ibg-controller"


def test_of_an_image_that_is_not_here_it_is_what_is_deployed(host: Host) -> None:
    assert gateway.controller_of(host.engine, "paper", "another") == "ibc"
    order = host.order()
    described = {**order.parameters["descriptor"], "controller": "ibg-controller"}
    host.run(replace(order, parameters={**order.parameters, "descriptor": described}))
    assert gateway.controller_of(host.engine, "paper", "another") == "ibg-controller"


def test_a_running_live_gateway_does_not_change_its_controller_at_its_next_sign_in(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", mode="live")
    host.engine.made_image.have_ibg_controller()
    order = ibg_order(host, "live", accept=("live_costs",))
    for check in (True, False):
        with pytest.raises(Refused, match=r"runs with IBC, and image@sha256:1 has ibg-controller\. Stop it"):
            host.run(order, check)
    assert host.engine.calls == []
    assert not (host.root / "etc" / "paper").exists()
    # At once, by who has the phone at hand; and while it is down.
    assert host.run(replace(order, now=True)).step == "replace"


def test_an_image_that_would_wait_is_fetched_before_it_is_asked(host: Host) -> None:
    host.engine.made("ibgw-paper", "r1", mode="live")
    host.engine.images.clear()
    done = host.run(host.order(mode="live"))
    assert (done.step, done.needs, host.engine.calls) == ("pending", "image", [])
    assert not (host.root / "etc" / "paper").exists()


def test_the_same_controller_waits_for_the_next_sign_in(host: Host) -> None:
    host.engine.made_image.have_ibg_controller()
    host.engine.create("ibgw-paper", ibg_order(host, "live").request)
    host.engine.all["ibgw-paper"]["status"] = "running"
    assert host.run(ibg_order(host, "live", accept=("live_costs",))).step == "pending"


def test_a_paper_gateway_changes_its_controller_as_any_image(host: Host) -> None:
    host.run(host.order(revision="r1"))
    host.engine.made_image.have_ibg_controller()
    done = host.run(ibg_order(host))
    assert (done.step, done.starts) == ("replace", True)
    assert controllers.controller_of(host.engine.inspect("ibgw-paper")["Config"]) == "ibg-controller"


def test_on_live_ibg_controller_has_to_be_accepted(host: Host) -> None:
    host.engine.made_image.have_ibg_controller()
    with pytest.raises(Refused, match=r"live_costs: ibg-controller does not keep on live: .*Nothing was touched"):
        host.run(ibg_order(host, "live"))
    assert host.run(ibg_order(host, "live", accept=("live_costs",))).step == "make"
