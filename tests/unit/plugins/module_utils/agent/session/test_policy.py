# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan as plans
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import LAPSE_SECONDS, Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.policy import Seen
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import PAPER, SIGN_IN, Grant, Record

NEW_YORK = ZoneInfo("America/New_York")
SESSION = {
    "name": "open", "days": ["mon", "tue", "wed", "thu", "fri"], "time": "09:30", "zone": "America/New_York",
    "lead_minutes": 10, "max_minutes": 60, "except_dates": ["2026-11-26"],
}  # fmt: skip
PLAN = plans.from_data({"paper_sessions": [SESSION]})


def at(text: str) -> float:
    """Epoch seconds of a New York wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


READY = Seen(verdicts.READY, "well", "", True, True, stamp(at("2026-11-22 10:00")), True, False, None, "ready")
DOWN = dataclasses.replace(READY, state=verdicts.STOPPED, running=False, signed_in=False, api_state=None)
RESTARTING = dataclasses.replace(READY, state=verdicts.STARTING, signed_in=False, api_state=None)
ASKING = dataclasses.replace(RESTARTING, asks_for_sign_in=True)
HUNG = dataclasses.replace(READY, state=verdicts.DEGRADED, api_state="no_handshake")
SUNDAY, TUESDAY, SATURDAY = at("2026-11-22 10:00"), at("2026-11-24 12:00"), at("2026-11-28 23:45")


def live(**more: Any) -> Record:
    return Record("live", "live", signed_in_at=SUNDAY, container_started_at=READY.started_at, **more)


def paper(**more: Any) -> Record:
    return Record("paper", "paper", **more)


def granted(kind: str, until: float) -> Grant:
    return Grant(kind, "me", until - 600, until)


IN_TIME, TOO_LATE = granted(SIGN_IN, TUESDAY + 60), granted(SIGN_IN, TUESDAY)
WINDOW = at("2026-11-24 09:20")


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
            live(grant=IN_TIME), dataclasses.replace(ASKING, finding="refused_login"), TUESDAY, "stop", "refused_login",
            id="a refused password within a sign-in",
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
        pytest.param(paper(blocked="refused_login"), DOWN, WINDOW, None, None, id="a refused password lasts"),
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
        assert step.why == policy.CAUSES[step.cause][0]


SIGN_IN_LOG = (
    ".> Starting IBC/IB gateway",
    "autorestart file not found: full authentication will be required",
    "IBC: Starting session: will exit if login dialog",
    "LoginState is LOGGED_OUT",
    "Login attempt: 1",
    "Second Factor Authentication initiated",
    "Login has completed",
    "Configuration tasks completed",
)
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
    assert "live_signin.yml" in record.next_step


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


def test_a_blocked_gateway_says_why_and_what_to_do() -> None:
    record = live(blocked="session_lost")
    policy.observe(record, DOWN, PLAN, TUESDAY)
    assert record.state == verdicts.BLOCKED
    assert "live_signin.yml" in record.next_step


def test_only_a_look_that_asked_counts_a_hung_api() -> None:
    record = live()
    for asked in (True, False, False):
        policy.observe(record, dataclasses.replace(HUNG, asked=asked), PLAN, TUESDAY)
    assert record.hung_looks == 1
    policy.observe(record, READY, PLAN, TUESDAY)
    assert record.hung_looks == 0


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


def test_each_start_is_counted_once() -> None:
    record = paper()
    for started in ("2026-11-24T10:00:00.0Z", "2026-11-24T10:00:00.0Z", "2026-11-24T11:00:00.0Z"):
        policy.observe(record, dataclasses.replace(READY, started_at=started), Plan(), TUESDAY)
    assert record.counts == {"starts": 2}


@pytest.mark.parametrize(("record", "step"), [(paper(), "Start it."), (live(stopped_by="Ann"), "live_signin.yml")])
def test_what_a_person_does_with_a_gateway_that_is_down(record: Record, step: str) -> None:
    policy.observe(record, dataclasses.replace(DOWN, next_step="Start it."), PLAN, TUESDAY)
    assert step in record.next_step


def test_what_is_shown_of_a_record() -> None:
    found = policy.shown(live(valid_until=at("2026-11-29 01:00")), PLAN, TUESDAY)
    assert (found["valid_until_new_york"], found["week"]) == ("Sun 2026-11-29 01:00", "valid")
    assert policy.shown(live(), PLAN, TUESDAY)["week"] == "overdue"
    assert "week" not in policy.shown(paper(), PLAN, TUESDAY)


# Sign-ins are bounded


@pytest.mark.parametrize("evidence", ["attempts in one start", "starts without a word"])
def test_sign_ins_without_success_are_bounded_by_the_hour(evidence: str) -> None:
    record, tried = paper(), 0
    for minute in range(50):
        tried += 1
        now = TUESDAY + minute * 60
        started, logins = (TUESDAY, tried) if evidence == "attempts in one start" else (now, 0)
        look = dataclasses.replace(RESTARTING, started_at=stamp(started), logins=logins)
        policy.observe(record, look, Plan(), now)
        if step := policy.decide(record, look, Plan(), now):
            break
    assert step is not None
    assert (step.action, step.cause, tried) == ("kill", "too_many_attempts", policy.LOGINS_PER_HOUR + 1)


def test_a_sign_in_and_an_hour_clear_what_was_tried() -> None:
    record = paper(logins=[TUESDAY - 10.0] * 5)
    policy.observe(record, READY, Plan(), TUESDAY)
    assert record.logins == []
    record = paper(logins=[TUESDAY - 3601.0, TUESDAY - 10.0, TUESDAY + 5000.0])
    policy.observe(record, DOWN, Plan(), TUESDAY)
    assert record.logins == [TUESDAY - 10.0]


def test_what_is_remembered_of_sign_ins_is_bounded() -> None:
    record = paper()
    look = dataclasses.replace(RESTARTING, logins=10**9)
    policy.observe(record, look, Plan(), TUESDAY)
    assert len(record.logins) == 2 * policy.LOGINS_PER_HOUR
    record = paper(logins=[TUESDAY - 1] * 10)
    policy.observe(record, look, Plan(), TUESDAY)
    assert record.logins == [TUESDAY] * (2 * policy.LOGINS_PER_HOUR)


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


OLD = "2026-11-20T10:00:00.000000000Z"


@pytest.mark.parametrize(
    ("record", "look", "after"),
    [
        (live(stopped_by="Ann", stopping="Ann"), READY, {"stopped_by": "", "stopping": "Ann"}),
        (live(stopping="Ann"), DOWN, {"stopped_by": "Ann", "stopping": ""}),
        (live(stopped_by="Ann"), DOWN, {"stopped_by": "Ann", "stopping": ""}),
        # Another start of the container, and the same one.
        (
            live(hung_looks=1, logins_counted=3, logins=[TUESDAY - 1]),
            dataclasses.replace(RESTARTING, started_at=OLD, logins=2),
            {
                "counts": {"starts": 1}, "container_started_at": OLD, "hung_looks": 0, "logins_counted": 2,
                "logins": [TUESDAY - 1, TUESDAY, TUESDAY],
            },
        ),
        (
            live(hung_looks=1, logins_counted=3, logins=[TUESDAY - 1]),
            dataclasses.replace(RESTARTING, logins=5, asked=False),
            {"counts": {}, "hung_looks": 1, "logins_counted": 5, "logins": [TUESDAY - 1, TUESDAY, TUESDAY]},
        ),
        # Fewer than were counted are none more; what is down has tried none.
        (live(logins_counted=3), dataclasses.replace(RESTARTING, logins=2), {"logins": [], "logins_counted": 2}),
        (live(logins_counted=3), dataclasses.replace(DOWN, logins=9), {"logins": [], "logins_counted": 3}),
        (live(logins_counted=3, logins=[TUESDAY - 1]), READY, {"logins": [], "logins_counted": 0}),
        (
            live(logins=[TUESDAY - 3600, TUESDAY - 3599, TUESDAY]),
            DOWN,
            {"logins": [TUESDAY - 3599, TUESDAY]},
        ),
        (live(), dataclasses.replace(DOWN, started_at=OLD), {"counts": {}, "container_started_at": READY.started_at}),
        # Signing in ends a block; a mere start does not.
        (live(blocked="session_lost"), READY, {"blocked": None, "signed_in_at": SUNDAY, "counts": {}}),
        (live(blocked="session_lost"), RESTARTING, {"blocked": "session_lost"}),
        (live(blocked="session_lost"), dataclasses.replace(READY, running=False), {"blocked": "session_lost"}),
        (paper(blocked="ended_twice"), READY, {"blocked": None, "signed_in_at": None}),
        # A sign-in counts from the look that saw it, and not from after its time.
        (live(grant=IN_TIME), READY, {"signed_in_at": TUESDAY, "grant": None, "counts": {"sign_ins": 1}}),
        (
            live(grant=granted(SIGN_IN, TUESDAY - 60)), READY,
            {"signed_in_at": TUESDAY - 60, "grant": None, "counts": {"sign_ins": 1}},
        ),
        # Hung is what answers nothing, look by look.
        (live(hung_looks=1), HUNG, {"hung_looks": 2}),
        (live(hung_looks=1), READY, {"hung_looks": 0}),
        (live(hung_looks=1), dataclasses.replace(HUNG, running=False), {"hung_looks": 0}),
        (live(hung_looks=1), dataclasses.replace(HUNG, running=False, asked=False), {"hung_looks": 0}),
        (live(hung_looks=1), dataclasses.replace(READY, asked=False), {"hung_looks": 1}),
        # The week of a sign-in.
        (live(), READY, {"valid_until": at("2026-11-29 01:00"), "sign_in_due": at("2026-11-29 17:00")}),
        (
            live(stopped_by="PAUSE"), DOWN,
            {"valid_until": at("2026-11-29 01:00"), "next_step": policy._RESUME, "state": verdicts.STOPPED},
        ),
        (live(stopped_by="Ann"), DOWN, {"valid_until": None, "next_step": policy._SIGN_IN}),
        (
            Record("live", "live", stopped_by="PAUSE"), DOWN,
            {"valid_until": None, "next_step": policy._SIGN_IN, "sign_in_due": at("2026-11-22 17:00")},
        ),
        (
            Record("live", "live", signed_in_at=SUNDAY - 7 * 86400, container_started_at=READY.started_at), READY,
            {"valid_until": None},
        ),
        (paper(), READY, {"valid_until": None, "sign_in_due": None, "signed_in_at": None}),
        # The cause is shown while it is down; its own state while it runs.
        (
            live(blocked="push_missed"), DOWN,
            {"state": verdicts.BLOCKED, "reason": policy.CAUSES["push_missed"][0], "next_step": policy._SIGN_IN},
        ),
        (
            live(blocked="of a later release"), DOWN,
            {"state": verdicts.BLOCKED, "reason": policy.OTHER_CAUSE[0], "next_step": policy.OTHER_CAUSE[1]},
        ),
        (live(blocked="push_missed"), RESTARTING, {"state": verdicts.STARTING, "reason": "well", "next_step": ""}),
        (
            live(), dataclasses.replace(READY, fault="no engine"),
            {"state": verdicts.DEGRADED, "reason": "no engine", "since": TUESDAY},
        ),
    ],
)  # fmt: skip
def test_what_a_look_changes(record: Record, look: Seen, after: dict[str, Any]) -> None:
    policy.observe(record, look, PLAN, TUESDAY)
    assert {name: getattr(record, name) for name in after} == after
    assert record.checked_at == TUESDAY


@pytest.mark.parametrize("started_at", [None, "", "no time"])
def test_a_start_that_nobody_knows_gives_a_paper_gateway_its_time_from_now_on(started_at: str | None) -> None:
    record = paper()
    policy.observe(record, dataclasses.replace(READY, started_at=started_at), PLAN, TUESDAY)
    assert record.grant == policy.outside_of_sessions(PLAN, "somebody", TUESDAY)


def test_what_a_start_outside_of_the_sessions_may() -> None:
    grant = policy.outside_of_sessions(dataclasses.replace(PLAN, manual_minutes=30), "Ann", TUESDAY)
    assert grant == Grant("manual", "Ann", TUESDAY, TUESDAY + 1800, "outside of the sessions")
    # A person's own limit stays where the plan has no sessions; that of the sessions does not.
    record = paper(grant=dataclasses.replace(grant, name=""))
    policy.observe(record, READY, Plan(), TUESDAY)
    assert record.grant is not None


def test_since_when_a_state_lasts() -> None:
    record = live()
    policy.observe(record, READY, PLAN, TUESDAY)
    policy.observe(record, dataclasses.replace(READY, reason="other"), PLAN, TUESDAY + 60)
    assert (record.state, record.since, record.reason) == (verdicts.READY, TUESDAY, "other")
    policy.fail(record, "the look broke", TUESDAY + 120)
    assert (record.state, record.since, record.reason) == (verdicts.DEGRADED, TUESDAY + 120, "the look broke")
    assert record.next_step


@pytest.mark.parametrize(
    ("before", "looked", "after", "since"),
    [
        (verdicts.READY, verdicts.READY, verdicts.DEGRADED, TUESDAY),
        # Each look finds the API well, and the settings as they were.
        (verdicts.DEGRADED, verdicts.READY, verdicts.DEGRADED, SUNDAY),
        (verdicts.DEGRADED, verdicts.DEGRADED, verdicts.DEGRADED, SUNDAY),
        (verdicts.READY, verdicts.BLOCKED, verdicts.BLOCKED, TUESDAY),
        (verdicts.DEGRADED, verdicts.BLOCKED, verdicts.BLOCKED, TUESDAY),
    ],
)
def test_settings_that_cannot_be_read_degrade_what_is_not_blocked(
    before: str, looked: str, after: str, since: float
) -> None:
    record = live(state=before, since=SUNDAY)
    earlier = dataclasses.replace(record)
    policy.observe(record, dataclasses.replace(READY, state=looked), PLAN, TUESDAY)
    policy.unreadable(record, "the plan is damaged", earlier, TUESDAY)
    assert (record.state, record.since) == (after, since)
    fault = ("the plan is damaged", "Run site.yml, which rewrites it.")
    assert (record.reason, record.next_step) == (fault if after == verdicts.DEGRADED else ("well", ""))


def test_a_look_as_the_rules_see_it() -> None:
    nothing = policy.seen(Gateway({}))
    assert (nothing.exists, nothing.running, nothing.started_at, nothing.api_state) == (False, False, None, None)
    assert (nothing.signed_in, nothing.asked, nothing.fault, nothing.logins) == (False, True, None, 0)
    gateway = Gateway({})
    gateway.container = {
        "exists": True, "running": True, "status": "running", "frozen": None, "started_at": OLD
    }  # fmt: skip
    gateway.summary.feed([*SIGN_IN_LOG[:6], "IBC: CommandServer received command: RESTART"])
    found = policy.seen(gateway, asked=False)
    assert (found.exists, found.running, found.started_at, found.asked) == (True, True, OLD, False)
    assert (found.signed_in, found.asks_for_sign_in, found.restart_used, found.logins) == (False, True, True, 1)
    judgement = gateway.judgement()
    assert (found.state, found.reason, found.next_step) == (judgement.state, judgement.reason, judgement.next_step)
    gateway.summary.feed(["Re-login after second factor authentication timeout not required"])
    assert (policy.seen(gateway).pushes_missed, policy.seen(gateway).finding) == (0, None)
    since = gateway.phase_since
    gateway.clock = lambda: since + LAPSE_SECONDS
    assert policy.seen(gateway).pushes_missed == 1
    assert policy.seen(gateway).finding == gateway.finding == "push_missed"
    for line in SIGN_IN_LOG[6:]:
        gateway.summary.feed([line])
        assert policy.seen(gateway).signed_in
    gateway.verdict = {"api_state": "link_down", "final": False, "reason": "", "next_step": "", "connectivity": None}
    gateway.engine_fault = "no engine"
    assert (policy.seen(gateway).api_state, policy.seen(gateway).fault) == ("link_down", "no engine")


@pytest.mark.parametrize(
    ("lines", "api_state", "signed_in"),
    [
        # The engine has dropped the lines of a sign-in that is days old.
        ((), "ready", True),
        ((), "link_down", True),
        ((), "no_handshake", False),
        ((), None, False),
        # The log takes precedence over the API.
        (SIGN_IN_LOG[:6], "ready", False),
        (SIGN_IN_LOG, None, True),
    ],
)
def test_an_api_that_answers_stands_for_a_sign_in_that_the_log_has_no_more(
    lines: tuple[str, ...], api_state: str | None, signed_in: bool
) -> None:
    gateway = Gateway({})
    gateway.summary.feed(lines)
    if api_state:
        gateway.verdict = {"api_state": api_state, "final": False, "reason": "", "next_step": "", "connectivity": None}
    assert policy.seen(gateway).signed_in is signed_in


@pytest.mark.parametrize(
    ("record", "ago", "late"),
    [
        (paper(), 140.0, 0.0),
        (paper(), 141.0, 1.0),
        (paper(), 10.0, 0.0),
        (live(grant=granted(SIGN_IN, TUESDAY + 60)), 500.0, 0.0),
        (live(grant=granted(PAPER, TUESDAY + 60)), 500.0, 360.0),
    ],
)
def test_how_late_a_look_is(record: Record, ago: float, late: float) -> None:
    record.checked_at = TUESDAY - ago
    assert policy.late_seconds(record, dataclasses.replace(PLAN, interval=60), TUESDAY) == late


@pytest.mark.parametrize(
    ("cause", "container", "told"),
    [
        ("push_missed", {"running": False}, True),
        ("push_missed", {"running": True}, False),
        ("push_missed", None, False),
        (None, {"running": False}, False),
        ("of a later release", {"running": False}, False),
    ],
)
def test_what_a_cause_makes_of_a_report(cause: str | None, container: dict[str, Any] | None, told: bool) -> None:
    reason, next_step = policy.CAUSES["push_missed"]
    expected = {"state": verdicts.BLOCKED, "reason": reason, "next_step": next_step} if told else {}
    assert policy.blocked(cause, container) == expected


def test_the_next_moment_is_after_this_one() -> None:
    assert policy.next_moment(paper(grant=granted(PAPER, TUESDAY)), PLAN, TUESDAY) == TUESDAY + 60
    assert policy.next_moment(paper(), Plan(), WINDOW - 20) == WINDOW + 40
    # A live gateway has no sessions.
    assert policy.next_moment(live(), PLAN, WINDOW - 20) == WINDOW + 40


def test_every_cause_of_the_log_and_of_the_api_has_its_words() -> None:
    assert set(milestones.FINDINGS) <= set(policy.CAUSES)
    assert set(policy.PASSING) <= set(policy.CAUSES)
    assert all(reason and next_step for reason, next_step in policy.CAUSES.values())


def test_what_is_shown_has_all_of_the_record() -> None:
    record = live(valid_until=at("2026-11-29 01:00"), sign_in_due=at("2026-11-29 17:00"))
    found = policy.shown(record, PLAN, TUESDAY)
    assert found.items() >= dataclasses.asdict(record).items()
    assert found["sign_in_due_new_york"] == "Sun 2026-11-29 17:00"
    bare = policy.shown(Record("live", "live"), PLAN, TUESDAY)
    assert (bare["valid_until_new_york"], bare["sign_in_due_new_york"]) == (None, None)


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
