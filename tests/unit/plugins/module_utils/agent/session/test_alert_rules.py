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
from tests.unit.plugins.prometheus import RULES, STEP, Prometheus, Scrape, scrape, series

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
# Alerts besides: of the state before, of the machine, of a clock that Prometheus, on another machine, does not share,
# and of a dialog that the driven watcher, which stands still while an operator acts, does not alert on.
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
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
    fake_engine: Any,
    serve: Any,
    deploy: Any,
    tmp_path: Path,
    promtool: str,
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


HOUR, DAY = 3600, 86400
NOW = {"last_look_timestamp_seconds": 0.0, "look_interval_seconds": 60.0, "healthy": 1.0}
# A rule, what of a gateway that is well is otherwise, for how many seconds it is so until the rule fires, and what is
# the nearest to it that is nobody's business. A moment is in seconds from now.
OTHERS: tuple[tuple[str, dict[str, float | None], int, dict[str, float | None]], ...] = (
    (
        "GatewayNotReadyInSession",
        {"window_open": 1, "state,state=ready": 0},
        600,
        {"window_open": 1, "state,state=ready": 1},
    ),
    (
        "GatewaySignInDue",
        {"sign_in_due_timestamp_seconds": 4 * HOUR},
        0,
        {"sign_in_due_timestamp_seconds": 4 * HOUR, "valid_until_timestamp_seconds": 5 * HOUR},
    ),
    (
        "GatewaySignInOverdue",
        {"sign_in_due_timestamp_seconds": -HOUR, "healthy": 0, "state,state=stopped": 1},
        300,
        {"sign_in_due_timestamp_seconds": -HOUR, "state,state=stopped": 1},
    ),
    (
        "GatewayCertificateEnding",
        {"certificate_end_timestamp_seconds,kind=certificate": 20 * DAY},
        0,
        {"certificate_end_timestamp_seconds,kind=certificate": 22 * DAY},
    ),
    (
        "GatewayCertificateEnds",
        {"certificate_end_timestamp_seconds,kind=revocation_list": 6 * DAY},
        0,
        {"certificate_end_timestamp_seconds,kind=revocation_list": 22 * DAY},
    ),
    ("GatewayDiskFilling", {"disk_free_ratio,filesystem=root": 0.09}, 600, {"disk_free_ratio,filesystem=root": 0.11}),
    ("GatewayDiskFull", {"disk_free_ratio,filesystem=docker": 0.04}, 60, {"disk_free_ratio,filesystem=docker": 0.11}),
    ("GatewayEngineDown", {"engine_up": 0}, 120, {"engine_up": 1}),
    ("GatewayClockWrong", {"clock_skew_seconds": -6}, 300, {"clock_skew_seconds": -4}),
    ("GatewayAlertsStuck", {"alerts_waiting": 1}, 1200, {"alerts_waiting": 0}),
    ("GatewayNotWatched", {"last_look_timestamp_seconds": -241}, 0, {"last_look_timestamp_seconds": -239}),
    ("GatewayMissing", dict.fromkeys(NOW), 300, {}),
)


def well(changed: dict[str, float | None], at: int) -> Scrape:
    """A scrape at second *at*; a change of None takes a series away."""
    found = {series("up"): 1.0}
    for name, value in {**NOW, **changed}.items():
        metric, *labels = name.split(",")
        if value is not None:
            moment = at if metric.endswith("_timestamp_seconds") else 0
            found[series(f"ibgw_{metric}", gateway="live", **dict(each.split("=") for each in labels))] = value + moment
    return found


@pytest.mark.parametrize(
    ("rule", "changed", "seconds", "harmless"), [pytest.param(*each, id=each[0]) for each in OTHERS]
)
def test_a_rule_waits_as_long_as_it_says(
    rule: str,
    changed: dict[str, float | None],
    seconds: int,
    harmless: dict[str, float | None],
    tmp_path: Path,
    promtool: str,
) -> None:
    prometheus = Prometheus(promtool, tmp_path, "live")
    for _each in range(1500 // STEP):
        prometheus.scrapes.append(well(harmless, prometheus.now))
    prometheus.fired(set(), since=0)
    begun = prometheus.now
    while prometheus.now < begun + seconds:
        prometheus.scrapes.append(well(changed, prometheus.now))
    prometheus.fires(set())
    for _each in range(2):
        prometheus.scrapes.append(well(changed, prometheus.now))
    prometheus.fires({rule})
    prometheus.scrapes.append(well(harmless, prometheus.now))
    prometheus.fires(set())
    assert prometheus.judge() == ""


@pytest.mark.parametrize(("rule", "counter"), [
    ("GatewayHeartbeatFails", "heartbeats_failed_total"),
    ("GatewayLooksFail", "looks_failed_total"),
    ("GatewayWatcherRestarts", "watcher_start_timestamp_seconds"),
])  # fmt: skip
def test_a_counter_that_rises_fires(rule: str, counter: str, tmp_path: Path, promtool: str) -> None:
    prometheus = Prometheus(promtool, tmp_path, "live")

    def add(value: float) -> None:
        seen = {series(f"ibgw_{counter}", gateway="live"): value}
        prometheus.scrapes.append(well({}, prometheus.now) | seen)

    for risen in (*[0] * 20, 1, 1, 1):
        add(risen)
    prometheus.fires(set())
    for risen in range(2, 8):
        add(risen)
    prometheus.fires({rule})
    for _each in range(16 * 60 // STEP):
        add(7)
    prometheus.fires(set())
    assert prometheus.judge() == ""


@pytest.mark.parametrize(("rule", "scrape", "seconds"), [
    ("GatewayNotScraped", {series("up"): 0.0}, 120),
    ("GatewayTextfileFails", well({}, 0) | {series("node_textfile_scrape_error"): 1.0}, 300),
])  # fmt: skip
def test_a_machine_that_tells_nothing_fires(
    rule: str, scrape: Scrape, seconds: int, tmp_path: Path, promtool: str
) -> None:
    prometheus = Prometheus(promtool, tmp_path, "live")
    while prometheus.now < seconds:
        prometheus.scrapes.append({**looked_at(scrape, prometheus.now)})
    prometheus.fires(set())
    for _each in range(2):
        prometheus.scrapes.append(looked_at(scrape, prometheus.now))
    prometheus.fires({rule})
    prometheus.scrapes.append(well({}, prometheus.now))
    prometheus.fires(set())
    assert prometheus.judge() == ""


def test_every_rule_is_tried() -> None:
    tried = {*RULE_OF.values(), *(each[0] for each in OTHERS), "Watchdog"}
    tried |= {"GatewayHeartbeatFails", "GatewayLooksFail", "GatewayNotScraped", "GatewayTextfileFails"}
    tried.add("GatewayWatcherRestarts")
    assert {each["alert"] for each in RULES["__observability_rules"]} == tried
