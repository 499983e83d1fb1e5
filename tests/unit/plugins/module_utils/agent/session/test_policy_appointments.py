# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for sign-ins by appointment, without a watcher: test_appointments_kept.py has them with one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plugins.policy_cases import DOWN, RESTARTING, at, granted

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import keeping, policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Appointment, Record

PLAN = Plan(sign_in_at=("sun 10:00",))
WEEK_BEGINS, TEN = at("2026-11-29 01:00"), at("2026-11-29 10:00")
LEAD, GRACE = keeping.LEAD_SECONDS, keeping.GRACE_SECONDS
TOLD = Appointment(TEN, TEN, TEN - LEAD)


def live(**more: Any) -> Record:
    """A live gateway of the week before, which is down."""
    return Record("live", "live", **more)


@pytest.mark.parametrize(
    ("record", "now", "action", "appointment"),
    [
        (live(), TEN - LEAD - 1, None, None),
        (live(), TEN - LEAD, "announce", TOLD),
        # Nobody watched: there is as much time to answer as ever.
        (live(), TEN + 60, "announce", Appointment(TEN, TEN + 60 + LEAD, TEN + 60)),
        (live(appointment=TOLD), TEN - 1, None, None),
        (live(appointment=TOLD), TEN, "sign_in", TOLD),
        (live(appointment=TOLD), TEN + GRACE, "sign_in", TOLD),
        (live(appointment=TOLD), TEN + GRACE + 1, "miss", TOLD),
        # A person who has stopped it in this week wants it down.
        (live(appointment=TOLD, stopped_by="Ann", since=WEEK_BEGINS), TEN, "miss", TOLD),
        (live(appointment=TOLD, stopped_by="Ann", since=WEEK_BEGINS - 1), TEN, "sign_in", TOLD),
        (live(appointment=TOLD, stopped_by=policy.PLANNED, since=WEEK_BEGINS), TEN, "sign_in", TOLD),
        (live(appointment=TOLD, since=WEEK_BEGINS), TEN, "sign_in", TOLD),
    ],
)
def test_what_is_due(record: Record, now: float, action: str | None, appointment: Appointment | None) -> None:
    step = policy.decide(record, DOWN, PLAN, now)
    assert (step and step.action, step and step.appointment) == (action, appointment)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (live(appointment=TOLD, blocked="refused_login"), policy.CAUSES["refused_login"].meaning),
        (live(appointment=TOLD, stopped_by="Ann", since=TEN), "Ann has stopped it"),
    ],
)
def test_what_is_missed_has_its_reason(record: Record, why: str) -> None:
    step = policy.decide(record, DOWN, PLAN, TEN)
    assert step
    assert (step.action, step.why.startswith(why)) == ("miss", True)


@pytest.mark.parametrize(("signing_in", "action"), [(False, "sign_in"), (True, None)])
def test_one_that_runs_has_no_other_sign_in(signing_in: bool, action: str | None) -> None:
    record = live(appointment=TOLD, grant=granted(SIGN_IN, TEN + 300) if signing_in else None)
    step = policy.decide(record, RESTARTING, PLAN, TEN)
    assert (step.action if step else None) == action


def test_a_step_without_an_appointment_has_none() -> None:
    step = policy.decide(live(signed_in_at=WEEK_BEGINS), DOWN, PLAN, TEN)
    assert step
    assert (step.cause, step.appointment) == ("session_lost", None)


@pytest.mark.parametrize(("signed_in_at", "settled"), [(at("2026-11-29 08:00"), TEN), (at("2026-11-22 08:00"), 0.0)])
def test_a_sign_in_by_hand_settles_it(signed_in_at: float, settled: float) -> None:
    record = live(signed_in_at=signed_in_at, appointment=TOLD)
    policy.observe(record, RESTARTING, PLAN, at("2026-11-29 09:50"))
    assert (record.appointed, record.appointment) == (settled, None if settled else TOLD)


@pytest.mark.parametrize(
    ("now", "interval", "moment"),
    [
        (TEN - 3600, 86400, TEN - LEAD),
        (TEN - LEAD, 86400, TEN),
        (TEN - 3600, 600, TEN - 3000),
    ],
)
def test_the_next_moment_is_no_later_than_its_announcement_and_its_time(
    now: float, interval: int, moment: float
) -> None:
    assert policy.next_moment(live(), Plan(sign_in_at=("sun 10:00",), interval=interval), now) == moment


def test_it_is_shown() -> None:
    shown = policy.shown(live(), PLAN, TEN - 3600)
    assert shown["signs_in_at"] == "Sunday 2026-11-29 10:00 (America/New_York)"
    assert policy.shown(live(), Plan(), TEN - 3600)["signs_in_at"] is None
