# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next action after a look at a gateway."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from tests.unit.plugins.policy_cases import (
    ASKING,
    DOWN,
    HUNG,
    IN_TIME,
    PLAN,
    READY,
    RESTARTING,
    SATURDAY,
    SIGN_IN_LOG,
    SUNDAY,
    TOO_LATE,
    TUESDAY,
    WINDOW,
    at,
    granted,
    live,
    paper,
    stamp,
)
from tests.unit.plugins.session_log import new_york

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.findings import FINDINGS
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.policy import Seen
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import PAPER, SIGN_IN, Grant, Record


@pytest.mark.parametrize(
    ("record", "look", "now", "action", "cause"),
    [
        pytest.param(live(), READY, TUESDAY, None, None, id="live, all well"),
        pytest.param(live(), RESTARTING, TUESDAY, None, None, id="live restarts on its token"),
        pytest.param(live(), ASKING, TUESDAY, "kill", "sign_in_asked", id="live asks for a sign-in by itself"),
        pytest.param(live(grant=IN_TIME), ASKING, TUESDAY, None, None, id="live asks within a sign-in"),
        pytest.param(live(grant=TOO_LATE), ASKING, TUESDAY, "kill", "sign_in_late", id="the sign-in's time is over"),
        pytest.param(live(), DOWN, TUESDAY, "blocked", "session_lost", id="live went down"),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(ASKING, pushes_missed=3), TUESDAY, "stop", "push_missed",
            id="IBC sends push after push",
        ),
        pytest.param(live(stopped_by="Ann"), DOWN, TUESDAY, None, None, id="live was stopped by a person"),
        pytest.param(live(stopped_by="PAUSE"), DOWN, TUESDAY, None, None, id="live is paused"),
        pytest.param(live(blocked="session_lost"), DOWN, TUESDAY, None, None, id="live is blocked already"),
        pytest.param(Record("live", "live"), DOWN, TUESDAY, None, None, id="live was never signed in"),
        pytest.param(live(), READY, SATURDAY, "stop", None, id="the week's close"),
        pytest.param(live(), RESTARTING, SATURDAY, "kill", None, id="the week's close, not signed in"),
        pytest.param(live(), READY, at("2026-11-29 02:00"), "stop", None, id="the close was missed"),
        pytest.param(live(hung_looks=1), HUNG, TUESDAY, "restart", None, id="hung twice"),
        pytest.param(live(hung_looks=0), HUNG, TUESDAY, None, None, id="hung once"),
        pytest.param(live(hung_looks=5, healed_at=TUESDAY - 60), HUNG, TUESDAY, None, None, id="restarted today"),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(ASKING, finding="refused_login"), TUESDAY, "kill", "refused_login",
            id="a refused password within a sign-in",
        ),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(ASKING, finding="push_denied"), TUESDAY, "kill", "push_denied",
            id="a denied push, and the next one seconds away",
        ),
        pytest.param(
            live(), dataclasses.replace(READY, state=verdicts.BLOCKED, api_state="wrong_account"), TUESDAY,
            "stop", "wrong_account", id="the wrong account",
        ),
        pytest.param(live(), dataclasses.replace(READY, fault="no engine"), TUESDAY, None, None, id="no engine to ask"),
        pytest.param(paper(), DOWN, WINDOW - 1, None, None, id="paper, a second too early"),
        pytest.param(paper(), DOWN, WINDOW, "start", None, id="paper, its window begins"),
        pytest.param(paper(), DOWN, WINDOW + 3000, "start", None, id="paper, late into its window"),
        pytest.param(paper(), DOWN, WINDOW + 3600, None, None, id="paper, its window is over"),
        pytest.param(paper(), DOWN, at("2026-11-26 09:25"), None, None, id="paper, a holiday"),
        pytest.param(paper(), DOWN, at("2026-11-28 09:25"), None, None, id="paper, a Saturday"),
        pytest.param(
            paper(served_window=WINDOW, stopped_by="Ann"), DOWN, WINDOW + 600, None, None, id="the pipeline was done"
        ),
        pytest.param(
            paper(served_window=WINDOW, window_starts=1, since=WINDOW + 500), DOWN, WINDOW + 600, "start", None,
            id="it ended by itself: once more",
        ),
        pytest.param(
            paper(served_window=WINDOW, window_starts=1, since=WINDOW + 590), DOWN, WINDOW + 600, None, None,
            id="it ended by itself just now",
        ),
        pytest.param(
            paper(served_window=WINDOW, window_starts=2, since=WINDOW + 590), DOWN, WINDOW + 600, "blocked",
            "ended_twice", id="it ended by itself twice",
        ),
        pytest.param(
            paper(served_window=WINDOW - 86400, window_starts=2, blocked="ended_twice"), DOWN, WINDOW, "start", None,
            id="it ended by itself twice, yesterday",
        ),
        pytest.param(paper(container_started_at="T"), DOWN, TUESDAY, "blocked", "ended", id="paper ended by itself"),
        pytest.param(
            paper(container_started_at="T", grant=granted(PAPER, TUESDAY + 9)), DOWN, TUESDAY, "blocked", "ended",
            id="paper that a person started ended by itself",
        ),
        pytest.param(
            paper(container_started_at="T", stopped_by="Ann"), DOWN, TUESDAY, None, None, id="a person stopped paper"
        ),
        pytest.param(
            paper(container_started_at="T", stopping="Ann"), DOWN, TUESDAY, None, None, id="a killed stop ended paper"
        ),
        pytest.param(
            paper(container_started_at="T", stopped_by="the plan"), DOWN, TUESDAY, None, None,
            id="the plan stopped paper",
        ),
        pytest.param(
            paper(container_started_at="T"), dataclasses.replace(DOWN, closed=True), TUESDAY, None, None,
            id="paper closed at a time of its settings",
        ),
        pytest.param(paper(), DOWN, TUESDAY, None, None, id="paper never ran"),
        pytest.param(paper(blocked="ended"), DOWN, WINDOW, "start", None, id="its next session starts it"),
        pytest.param(paper(blocked="refused_login"), DOWN, WINDOW, None, None, id="a refused password lasts"),
        pytest.param(paper(blocked="server_unreachable"), DOWN, WINDOW, "start", None, id="an outage is over, perhaps"),
        pytest.param(paper(blocked="login_window_loop"), DOWN, WINDOW, "start", None, id="a slow machine tries again"),
        pytest.param(paper(grant=granted(PAPER, TUESDAY)), READY, TUESDAY, "stop", None, id="paper, its time is over"),
        pytest.param(paper(grant=granted(PAPER, TUESDAY + 1)), READY, TUESDAY, None, None, id="paper, within its time"),
        pytest.param(live(), dataclasses.replace(DOWN, exists=False), TUESDAY, None, None, id="live, no container"),
        pytest.param(live(stopping="Ann"), READY, TUESDAY, "stop", None, id="a stop did not end"),
        pytest.param(live(stopping="Ann"), DOWN, TUESDAY, None, None, id="a stop ended, its process was killed"),
        pytest.param(live(stopping="PAUSE"), READY, TUESDAY, None, None, id="a pause is on its way"),
        pytest.param(
            live(stopped_by="Ann"), dataclasses.replace(DOWN, finding="refused_login"), TUESDAY, None, None,
            id="an old finding of one that is down",
        ),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(RESTARTING, finding="of a later release"), TUESDAY, None, None,
            id="an unknown finding",
        ),
        pytest.param(
            live(grant=IN_TIME, logins=[TUESDAY - 10.0] * 9, logins_counted=1), RESTARTING, TUESDAY,
            "kill", "too_many_attempts", id="the ninth sign-in of the hour",
        ),
        pytest.param(
            live(grant=IN_TIME, logins=[TUESDAY - 10.0] * 8, logins_counted=1), RESTARTING, TUESDAY, None, None,
            id="the eighth sign-in of the hour",
        ),
        pytest.param(
            live(grant=TOO_LATE), HUNG, TUESDAY, "stop", "sign_in_late", id="signed in too late, and does not answer",
        ),
        pytest.param(paper(grant=granted(PAPER, TUESDAY)), DOWN, TUESDAY, None, None, id="paper, over and down"),
        pytest.param(live(grant=IN_TIME), DOWN, TUESDAY, "blocked", "sign_in_ended", id="it went down in a sign-in"),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(DOWN, settings_refused=True), TUESDAY, "blocked", "bad_settings",
            id="its settings are refused in a sign-in",
        ),
        pytest.param(
            live(grant=granted(PAPER, TUESDAY + 60)), DOWN, TUESDAY, "blocked", "session_lost",
            id="it went down with a grant that is not for a sign-in",
        ),
        pytest.param(
            live(grant=IN_TIME), dataclasses.replace(ASKING, pushes_missed=2), TUESDAY, None, None, id="a push is left"
        ),
        pytest.param(
            live(), dataclasses.replace(RESTARTING, pushes_missed=3), TUESDAY, None, None, id="pushes of before"
        ),
        pytest.param(
            live(grant=granted(SIGN_IN, at("2026-11-29 02:05"))), ASKING, at("2026-11-29 02:00"), None, None,
            id="a sign-in of the new week",
        ),
        pytest.param(live(), ASKING, at("2026-11-29 02:00"), "kill", None, id="the old week's asks in the new one"),
        pytest.param(
            paper(), dataclasses.replace(READY, started_at=stamp(WINDOW - 60)), WINDOW, None, None,
            id="paper, runs when its window begins",
        ),
        pytest.param(paper(served_window=WINDOW + 1), DOWN, WINDOW + 600, None, None, id="paper, of a later window"),
        pytest.param(
            paper(served_window=WINDOW, window_starts=1, since=WINDOW + 540), DOWN, WINDOW + 600, "start", None,
            id="it ended by itself a minute ago",
        ),
        pytest.param(
            paper(served_window=WINDOW, window_starts=1, blocked="ended_twice"), DOWN, WINDOW + 600, None, None,
            id="it is blocked in this window",
        ),
        pytest.param(
            live(hung_looks=1, healed_at=TUESDAY - 86400), HUNG, TUESDAY, "restart", None, id="restarted a day ago"
        ),
        pytest.param(
            live(hung_looks=1, healed_at=TUESDAY - 86399), HUNG, TUESDAY, None, None, id="restarted not yet a day ago"
        ),
        pytest.param(
            live(hung_looks=1), dataclasses.replace(HUNG, restart_used=True), TUESDAY, None, None,
            id="hung, and IBC takes no RESTART",
        ),
        pytest.param(
            live(hung_looks=1), dataclasses.replace(HUNG, restarts=False), TUESDAY, None, None,
            id="hung, and a restart is a sign-in",
        ),
        pytest.param(
            live(hung_looks=1), dataclasses.replace(HUNG, signed_in=False), TUESDAY, None, None,
            id="hung before it has signed in",
        ),
        pytest.param(
            paper(grant=granted(PAPER, TUESDAY + 1), container_started_at=READY.started_at, hung_looks=1), HUNG,
            TUESDAY, "restart", None, id="paper hung twice",
        ),
    ],
)  # fmt: skip
def test_decisions(record: Record, look: Seen, now: float, action: str | None, cause: str | None) -> None:
    before = record.since
    policy.observe(record, look, PLAN, now)
    record.since = before
    step = policy.decide(record, look, PLAN, now)
    assert (step.action if step else None, step.cause if step else None) == (action, cause)
    if step and step.cause:
        assert step.why == policy.CAUSES[step.cause].meaning


ON_TOKEN = ("autorestart file found at x: authentication will not be required", "IBC: Re-starting session")
NEW_LOGIN = (
    "autorestart file not found: full authentication will be required",
    "IBC: Starting session: will exit if login dialog",
)


@pytest.mark.parametrize(
    ("after", "killed_at"),
    [
        pytest.param(("IBC returned exit status 0", *ON_TOKEN, *SIGN_IN_LOG[-2:]), None, id="the daily restart"),
        pytest.param(("Gateway finished",), None, id="a stop"),
        pytest.param(("Received SIGINT or SIGTERM",), None, id="docker stop"),
        pytest.param(("IBC is paused",), None, id="a pause"),
        pytest.param(("IBC returned exit status 0", *NEW_LOGIN), NEW_LOGIN[-1], id="a restart without its token"),
        pytest.param(
            ("IBC returned exit status 0", *ON_TOKEN, "token was refused: full authentication will be required",
             "Cold restart in progress", "IBC returned exit status 0", NEW_LOGIN[-1]),
            NEW_LOGIN[-1], id="a token that IBKR refuses",
        ),
        pytest.param(
            ("IBC returned exit status 0", *ON_TOKEN, "Second Factor Authentication initiated"),
            "Second Factor Authentication initiated", id="a push in spite of a token",
        ),
    ],
)  # fmt: skip
def test_line_by_line_only_a_gateway_that_asks_is_killed(after: tuple[str, ...], killed_at: str | None) -> None:
    """From a completed sign-in on, with a decision after each line of the log."""
    gateway = Gateway({})
    gateway.container = {
        "exists": True, "running": True, "status": "running", "frozen": None, "started_at": READY.started_at
    }  # fmt: skip
    gateway.summary.feed(SIGN_IN_LOG)
    for line in after:
        gateway.summary.feed([line])
        record = live()
        look = policy.seen(gateway, asked=False)
        policy.observe(record, look, PLAN, TUESDAY)
        step = policy.decide(record, look, PLAN, TUESDAY)
        assert (step.cause if step else None) == ("sign_in_asked" if line == killed_at else None), line


@pytest.mark.parametrize(
    ("code", "lines", "refused"),
    [
        *((code, SIGN_IN_LOG[:2], True) for code in (1, 2, 3, 4, 5, 6, 7, 79, 80, 81, 82, 84, 85)),
        *((code, SIGN_IN_LOG[:2], False) for code in (0, 76, 77, 83, 86, 87, 88, 137, 143)),
        # docker stop ends Java with 1.
        (1, SIGN_IN_LOG[:3], False),
        (81, SIGN_IN_LOG[:5], True),
        (81, SIGN_IN_LOG[:6], False),
    ],
)
def test_settings_are_refused_before_a_push(code: int, lines: tuple[str, ...], refused: bool) -> None:
    gateway = Gateway({})
    gateway.summary.feed(lines)
    meaning = gateway._exit_meaning(code)
    gateway.container = {
        "exists": True, "running": False, "status": "exited", "started_at": READY.started_at, "exit_code": code,
        "exit_meaning": meaning,
    }  # fmt: skip
    look = policy.seen(gateway)
    assert (look.settings_refused, look.exit_meaning) == (refused, meaning)
    record = live(blocked="bad_settings")
    policy.observe(record, look, PLAN, TUESDAY)
    assert meaning is not None
    assert meaning in record.reason
    assert record.next_step == policy.CAUSES["bad_settings"].next_step


def test_a_signed_in_gateway_is_valid_until_the_week_ends() -> None:
    record = Record("live", "live", grant=granted(SIGN_IN, SUNDAY + 60), blocked="session_lost")
    policy.observe(record, READY, PLAN, SUNDAY)
    assert (record.signed_in_at, record.valid_until) == (SUNDAY, at("2026-11-29 01:00"))
    assert (record.state, record.blocked, record.grant) == (verdicts.READY, None, None)
    assert record.sign_in_due == at("2026-11-29 17:00")
    policy.observe(record, DOWN, PLAN, TUESDAY)
    assert (record.valid_until, record.sign_in_due) == (None, at("2026-11-22 17:00"))


def test_a_gateway_that_was_signed_in_before_anybody_watched_is_valid_from_its_start() -> None:
    record = Record("live", "live")
    policy.observe(record, READY, PLAN, TUESDAY)
    assert (record.signed_in_at, record.valid_until) == (SUNDAY, at("2026-11-29 01:00"))


def test_a_sign_in_that_was_ready_in_time_is_not_ended_by_a_late_look() -> None:
    record = live(grant=TOO_LATE)
    policy.observe(record, READY, PLAN, TUESDAY + 3600)
    assert record.signed_in_at == TUESDAY
    assert policy.decide(record, READY, PLAN, TUESDAY + 3600) is None


@pytest.mark.parametrize("api_state", ["degraded", "link_down"])
def test_a_sign_in_counts_also_where_a_farm_or_the_link_is_down(api_state: str) -> None:
    record = Record("live", "live", grant=IN_TIME)
    policy.observe(record, dataclasses.replace(READY, state=verdicts.DEGRADED, api_state=api_state), PLAN, TUESDAY)
    assert (record.signed_in_at, record.grant) == (TUESDAY, None)


def test_a_live_gateway_that_is_down_is_not_told_to_be_started() -> None:
    record = live(stopped_by="the plan")
    policy.observe(record, DOWN, PLAN, SATURDAY)
    assert record.state == verdicts.STOPPED
    assert "ibops.gateway.live_signin" in record.next_step


def test_a_paper_gateway_that_somebody_started_has_an_end_too() -> None:
    record = paper()
    policy.observe(record, READY, PLAN, TUESDAY)
    assert record.grant == policy.outside_of_sessions(PLAN, "somebody", SUNDAY)
    assert record.grant.ends_at == SUNDAY + 240 * 60
    policy.observe(record, READY, Plan(), TUESDAY)
    assert record.grant is None
    alone = paper()
    policy.observe(alone, READY, Plan(), TUESDAY)
    assert alone.grant is None


def test_only_a_look_that_asked_counts_a_hung_api() -> None:
    record = live()
    for asked in (True, False, False):
        policy.observe(record, dataclasses.replace(HUNG, asked=asked), PLAN, TUESDAY)
    assert record.hung_looks == 1
    policy.observe(record, READY, PLAN, TUESDAY)
    assert record.hung_looks == 0


def test_the_next_moment_is_never_later_than_what_is_due() -> None:
    record = paper(grant=granted(PAPER, TUESDAY + 5))
    assert policy.next_moment(record, PLAN, TUESDAY) == TUESDAY + 5
    assert policy.next_moment(paper(), PLAN, WINDOW - 20) == WINDOW
    assert policy.next_moment(live(), PLAN, at("2026-11-28 23:29:50")) == at("2026-11-28 23:30")
    assert policy.next_moment(live(), PLAN, TUESDAY) == TUESDAY + 60


def test_without_an_engine_to_ask_it_says_so_and_forgets_nothing() -> None:
    record = live(valid_until=SUNDAY + 1)
    policy.observe(record, dataclasses.replace(DOWN, fault="the engine is unreachable"), PLAN, TUESDAY)
    assert (record.state, record.reason) == (verdicts.DEGRADED, "the engine is unreachable")
    assert (record.signed_in_at, record.valid_until) == (SUNDAY, SUNDAY + 1)


def test_an_api_that_answers_before_the_log_says_so_is_no_sign_in_yet() -> None:
    record = Record("live", "live", grant=IN_TIME)
    early = dataclasses.replace(RESTARTING, state=verdicts.DEGRADED, api_state="link_down")
    policy.observe(record, early, PLAN, TUESDAY)
    assert (record.signed_in_at, record.grant) == (None, IN_TIME)


@pytest.mark.parametrize(
    ("record", "step"), [(paper(), "Start it."), (live(stopped_by="Ann"), "ibops.gateway.live_signin")]
)
def test_what_a_person_does_with_a_gateway_that_is_down(record: Record, step: str) -> None:
    policy.observe(record, dataclasses.replace(DOWN, next_step="Start it."), PLAN, TUESDAY)
    assert step in record.next_step


@pytest.mark.parametrize(("look", "now"), [(READY, SATURDAY), (RESTARTING, SATURDAY), (READY, at("2026-11-29 02:00"))])
def test_a_plan_without_a_weekly_close_leaves_the_week_to_ibkr(look: Seen, now: float) -> None:
    record, plan = live(), Plan(weekly_close=False)
    policy.observe(record, look, plan, now)
    assert policy.decide(record, look, plan, now) is None


def test_a_session_starts_with_what_lets_it_run_until_its_end() -> None:
    step = policy.decide(paper(), DOWN, PLAN, WINDOW + 60)
    assert step is not None
    assert step.grant == Grant(PAPER, "the plan", WINDOW + 60, WINDOW + 3600, "open", WINDOW)
    again = policy.decide(paper(served_window=WINDOW, window_starts=1), DOWN, PLAN, WINDOW + 120)
    assert again is not None
    assert again.grant == Grant(PAPER, "the plan", WINDOW + 120, WINDOW + 3600, "open", WINDOW)


def test_what_a_start_outside_of_the_sessions_may() -> None:
    grant = policy.outside_of_sessions(dataclasses.replace(PLAN, manual_minutes=30), "Ann", TUESDAY)
    assert grant == Grant("manual", "Ann", TUESDAY, TUESDAY + 1800, "outside of the sessions")
    # A person's own limit stays where the plan has no sessions; that of the sessions does not.
    record = paper(grant=dataclasses.replace(grant, name=""))
    policy.observe(record, READY, Plan(), TUESDAY)
    assert record.grant is not None


def test_the_next_moment_is_after_this_one() -> None:
    assert policy.next_moment(paper(grant=granted(PAPER, TUESDAY)), PLAN, TUESDAY) == TUESDAY + 60
    assert policy.next_moment(paper(), Plan(), WINDOW - 20) == WINDOW + 40
    # A live gateway has no sessions.
    assert policy.next_moment(live(), PLAN, WINDOW - 20) == WINDOW + 40


def test_every_cause_of_the_log_and_of_the_api_has_its_words() -> None:
    assert set(FINDINGS) <= set(policy.CAUSES)
    assert all(row.meaning and row.next_step for row in (*policy.CAUSES.values(), policy.OTHER_CAUSE))


def test_a_paper_window_tries_again_after_what_may_pass() -> None:
    started = {cause for cause in policy.CAUSES if policy.decide(paper(blocked=cause), DOWN, PLAN, WINDOW)}
    assert started == {
        *(
            "ended",
            "ended_twice",
            "no_password",
            "release_not_accepted",
            "login_window_loop",
            "stale_token",
            "password_empty",
        ),
        *("session_choice", "session_taken", "session_contest", "program_unready", "server_silent"),
        *("no_progress", "gave_up", "server_unreachable"),
    }


def test_a_tap_tries_again_after_a_lost_sign_in() -> None:
    offered = {cause for cause in policy.CAUSES if policy.offered(live(blocked=cause), False, TUESDAY)}
    assert offered == {
        *("session_lost", "sign_in_asked", "sign_in_ended", "sign_in_late", "push_missed", "push_denied"),
        *("push_closed", "no_progress", "gave_up", "session_taken", "server_unreachable"),
    }


def test_an_appointment_is_kept_after_a_lost_sign_in() -> None:
    plan, sunday = Plan(sign_in_at=("sun 10:00",)), new_york("2026-11-29 09:50")
    steps = {cause: policy.decide(live(blocked=cause), DOWN, plan, sunday) for cause in policy.CAUSES}
    assert {step.action for step in steps.values() if step} == {"announce", "miss"}
    announced = {cause for cause, step in steps.items() if step and step.action == "announce"}
    assert announced == {"session_lost", "sign_in_asked", "sign_in_ended", "sign_in_late", "push_missed"}


def test_what_would_go_on_in_a_gentle_stop_is_killed() -> None:
    asking = {cause: dataclasses.replace(READY, finding=cause, signed_in=False) for cause in policy.CAUSES}
    steps = {cause: policy.decide(live(), look, PLAN, TUESDAY) for cause, look in asking.items()}
    killed = {cause for cause, step in steps.items() if step and step.action == "kill"}
    assert killed == {
        "refused_login", "server_unreachable", "too_many_attempts", "push_denied", "other_controller",
    }  # fmt: skip


@pytest.mark.parametrize("api_state", ["no_handshake", "no_valid_id", "unresponsive", "tcp_timeout"])
def test_an_api_that_hangs(api_state: str) -> None:
    record = live(hung_looks=1)
    look = dataclasses.replace(HUNG, api_state=api_state)
    policy.observe(record, look, PLAN, TUESDAY)
    step = policy.decide(record, look, PLAN, TUESDAY)
    assert (record.hung_looks, step and step.action) == (2, "restart")


def test_a_look_that_says_no_more_says_nothing() -> None:
    assert (READY.restart_used, READY.pushes_missed, READY.logins, READY.fault) == (False, 0, 0, None)
    assert policy.Step("stop", "why").grant is None
    assert policy.moment(0.0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_plans_own_deadline_for_a_sign_in() -> None:
    record, plan = live(), Plan(sign_in_deadline="20:00")
    policy.observe(record, READY, plan, TUESDAY)
    assert record.sign_in_due == at("2026-11-29 20:00")
    late = at("2026-11-22 18:00")
    assert [policy.shown(Record("live", "live"), each, late)["week"] for each in (plan, PLAN)] == [
        "sign_in_due",
        "overdue",
    ]


def test_a_sign_in_is_void_from_the_moment_at_which_its_week_ends() -> None:
    record = live()
    policy.observe(record, READY, PLAN, at("2026-11-29 01:00"))
    assert record.valid_until is None


@pytest.mark.parametrize(
    ("record", "running", "now", "offered"),
    [
        (live(blocked="session_lost"), False, TUESDAY, ("sign_in", "later")),
        (live(blocked="push_missed"), False, TUESDAY, ("sign_in", "later")),
        (live(blocked="server_unreachable"), False, TUESDAY, ("sign_in", "later")),
        (live(), False, SUNDAY, ("sign_in", "later")),
        (live(), True, TUESDAY, ("stop",)),
        # A password that was refused is not tried again by a tap, and no push is worth anything in the closed week.
        (live(blocked="refused_login"), False, TUESDAY, ()),
        (live(), False, SATURDAY, ()),
        (paper(blocked="ended_twice"), False, TUESDAY, ()),
        (paper(), True, TUESDAY, ()),
    ],
)
def test_what_one_tap_may_do(record: Record, running: bool, now: float, offered: tuple[str, ...]) -> None:
    assert policy.offered(record, running, now) == offered


@pytest.mark.parametrize(
    ("record", "look", "now", "action"),
    [
        (paper(served_window=WINDOW + 86_400, window_starts=1), DOWN, WINDOW + 60, "start"),
        (paper(served_window=WINDOW, window_starts=1, since=WINDOW + 86_400), DOWN, WINDOW + 60, None),
        (live(hung_looks=4, healed_at=TUESDAY + 86_400), HUNG, TUESDAY, "restart"),
    ],
)
def test_a_clock_that_was_set_back_holds_up_nothing(record: Record, look: Seen, now: float, action: str | None) -> None:
    policy.observe(record, look, PLAN, now)
    assert record.since <= now
    step = policy.decide(record, look, PLAN, now)
    assert (step.action if step else None) == action
