# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.ibc import IBC
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.ibg_controller import IBG_CONTROLLER

OURS = {"com.ibg-controller.ib-gateway-version": "10.45.1j"}
ON = ["TRADING_MODE=live", "USE_IBG_CONTROLLER=yes"]


def test_each_controller_has_its_name() -> None:
    assert controllers.TABLES == {"ibc": IBC, "ibg-controller": IBG_CONTROLLER}
    assert controllers.by_name(controllers.DEFAULT) is IBC
    with pytest.raises(KeyError):
        controllers.by_name("ibctl")


@pytest.mark.parametrize(
    ("labels", "environment", "runs"),
    [
        (None, None, "ibc"),
        ({}, ON, "ibc"),
        (OURS, [], "ibc"),
        (OURS, ["USE_IBG_CONTROLLER=true"], "ibc"),
        (OURS, ON, "ibg-controller"),
    ],
)
def test_what_runs_is_read_off_the_image_and_its_switch(labels: Any, environment: Any, runs: str) -> None:
    config = {"Labels": labels, "Env": environment}
    assert controllers.controller_of(config) == runs
    other = ({"ibc", "ibg-controller"} - {runs}).pop()
    assert controllers.mixed(runs, config) is None
    assert controllers.by_name(runs).title in (controllers.mixed(other, config) or "")


def test_what_is_missing_is_named() -> None:
    assert "com.ibg-controller.ib-gateway-version" in (controllers.mixed("ibg-controller", {"Env": ON}) or "")
    assert "USE_IBG_CONTROLLER is not yes" in (controllers.mixed("ibg-controller", {"Labels": OURS}) or "")
