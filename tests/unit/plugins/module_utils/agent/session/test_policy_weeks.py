# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weeks and months of a driven clock under the policy."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest
from tests.unit.plugins.policy_cases import DOWN, NEW_YORK, PLAN, READY, at, stamp

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.policy import Seen
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant, Record

pytestmark = pytest.mark.thorough


class World:
    """A gateway, IBKR's token and a watcher that looks each minute of a driven clock."""

    def __init__(self, mode: str, plan: Plan, start: float) -> None:
        self.record, self.plan, self.now, self.live = Record(mode, mode), plan, start, mode == "live"
        self.look = DOWN
        self.runs: list[tuple[float, float]] = []
        self._began = 0.0

    def begin(self, grant: Grant | None, look: Seen = READY) -> None:
        self.record.grant, self.record.blocked, self.record.stopped_by = grant, None, ""
        self.look = dataclasses.replace(look, started_at=stamp(self.now))
        self._began = self.now

    def end(self) -> None:
        if self.look.running:
            self.runs.append((self._began, self.now))
        self.look = DOWN

    def minute(self) -> None:
        self.now += 60
        policy.observe(self.record, self.look, self.plan, self.now)
        step = policy.decide(self.record, self.look, self.plan, self.now)
        if step is None:
            return
        self.record.blocked = step.cause or self.record.blocked
        if step.action in ("stop", "kill"):
            self.end()
            self.record.grant = None
            self.record.stopped_by = "" if step.cause else "the plan"
        elif step.action == "start":
            assert step.grant is not None
            self.record.served_window, self.record.window_starts = step.grant.window, 1
            self.begin(step.grant)

    def until(self, end: float) -> None:
        while self.now < end:
            self.minute()


@pytest.mark.long
@pytest.mark.parametrize("sunday", ["2026-03-01", "2026-03-08", "2026-10-25", "2026-11-01", "2026-11-22"])
def test_a_live_week_is_closed_in_time_whatever_the_clocks_do(sunday: str) -> None:
    """Three Sundays around each change of the clocks: a sign-in at ten, closed before its token dies, and again."""
    day = datetime.fromisoformat(f"{sunday} 10:00").replace(tzinfo=NEW_YORK)
    world = World("live", Plan(), day.timestamp())
    for number in range(3):
        sign_in = (day + timedelta(days=7 * number)).replace(tzinfo=NEW_YORK).timestamp()
        world.until(sign_in)
        world.begin(Grant(SIGN_IN, "Ann", world.now, world.now + 600))
        world.until(sign_in + 3600)
        death = (day + timedelta(days=7 * (number + 1))).replace(hour=1, minute=0).timestamp()
        assert world.record.valid_until == death
        world.until(death)
        began, ended = world.runs[-1]
        assert (began, len(world.runs)) == (sign_in, number + 1)
        assert death - 3 * 3600 < ended < death - 1800
        assert world.record.state == verdicts.STOPPED
    assert world.record.counts["sign_ins"] == 3


@pytest.mark.long
def test_a_paper_month_runs_on_its_days_only_and_never_longer() -> None:
    """November 2026, in which the clocks change on the 1st and Thanksgiving is the 26th."""
    world = World("paper", PLAN, at("2026-10-31 12:00"))
    world.until(at("2026-12-01 00:00"))
    begun = [datetime.fromtimestamp(began, NEW_YORK) for began, _ended in world.runs]
    weekdays = [day for day in range(1, 31) if datetime(2026, 11, day).weekday() < 5 and day != 26]
    assert [moment.day for moment in begun] == weekdays
    assert {(moment.hour, moment.minute) for moment in begun} <= {(9, 20), (9, 21)}
    assert all(ended - began <= 3600 + 60 for began, ended in world.runs)


def test_a_watcher_that_was_away_ends_what_is_overdue_at_once() -> None:
    world = World("paper", PLAN, at("2026-11-24 09:20"))
    world.minute()
    assert world.look.running
    world.now += 3 * 3600
    world.minute()
    assert not world.look.running
