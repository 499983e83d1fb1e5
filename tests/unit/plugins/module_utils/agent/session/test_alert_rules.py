# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for Prometheus, with their real times, over the metrics that the real watcher writes in each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.faults import FAULTS, Fault
from tests.unit.plugins.prometheus import STEP, Prometheus, Scrape, scrape, series

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import metrics
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control

pytestmark = pytest.mark.programs

# The rule that fires where the watcher itself alerts.
RULE_OF = {
    "state/blocked": "GatewayBlocked",
    "state/degraded": "GatewayDegraded",
    "release/warning": "GatewayReleaseEnding",
    "release/critical": "GatewayReleaseEnds",
}
# Alerts besides: of the state before, of the machine, of a clock that Prometheus, on another machine, does not share, and
# of a dialog that the driven watcher, which stands still while an operator acts, does not alert on.
ALSO = {
    "a code or a security question is asked for": {"GatewayDegraded"},
    "the host reboots: degraded": {"GatewayDegraded"},
    "the host reboots: blocked": {"GatewayBlocked"},
    "dockerd is away for 5 minutes, and the container ends meanwhile": {"GatewayEngineDown"},
    "the clock is set an hour back, and the API hangs": {"GatewayNotWatched"},
    "the clock is set back to before the container's start, and another session takes over": {"GatewayNotWatched"},
}


def expected(fault: Fault) -> set[str]:
    return {RULE_OF[key] for key in fault.told if key in RULE_OF} | ALSO.get(fault.what, set())


def publishing(world: World) -> None:
    """Have the watcher publish also while an operator acts, who in the driven world stops it."""
    act = world.act

    def acting(what: Callable[[Control], object], by: str = "Ann") -> None:
        ended = False

        def publish() -> None:
            if not ended:
                world.watcher.publisher.publish(world.store.load(world.mode))
                world.later(STEP, publish)

        world.later(STEP, publish)
        try:
            act(what, by)
        finally:
            ended = True

    world.act = acting  # type: ignore[method-assign]  # of this one world


def looked_at(healthy: Scrape, now: float) -> Scrape:
    """A scrape of a gateway that is well, at another moment."""
    return {name: now if name.startswith("ibgw_last_look_") else value for name, value in healthy.items()}


@pytest.mark.parametrize("fault", [pytest.param(each, id=f"{each.mode}: {each.what}") for each in FAULTS])
def test_a_fault_fires_its_rule_and_resolves(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any, tmp_path: Path, promtool: str
) -> None:
    written: list[tuple[float, str]] = []
    monkeypatch.setattr(metrics, "write", lambda _directory, _name, text: written.append((world.time, text)))
    world = World(
        monkeypatch, fake_engine, serve, deploy, fault.mode, fault.now, metrics_directory="/textfiles", **fault.settings
    )
    publishing(world)
    world.watcher.look()
    fault.before(world)
    prometheus, begun = Prometheus(promtool, tmp_path, fault.mode), world.time
    world.strike_soon(fault.strike, fault.shows)
    world.watch(fault.lasts)
    well = series("ibgw_healthy", gateway=fault.mode)
    healthy = next(each for each in (scrape(text, begun) for _at, text in written) if each[well])
    for at in range(0, int(fault.lasts), STEP):
        prometheus.scrapes.append(scrape([text for moment, text in written if moment - begun <= at][-1], begun))
    prometheus.fired(expected(fault), since=0)
    for _each in range(2):
        prometheus.scrapes.append(looked_at(healthy, prometheus.now))
    prometheus.fires(set())
    assert prometheus.judge() == ""
