# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a gateway: how looks change it, which attempts it counts, and how it is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from tests.unit.plugins.policy_cases import (
    DOWN,
    HUNG,
    IN_TIME,
    PLAN,
    READY,
    RESTARTING,
    SIGN_IN_LOG,
    SUNDAY,
    TUESDAY,
    at,
    granted,
    live,
    paper,
    stamp,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import (
    DIALOG_SECONDS,
    LAPSE_SECONDS,
    Gateway,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.policy import Seen
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import PAPER, SIGN_IN, Record


def test_a_blocked_gateway_says_why_and_what_to_do() -> None:
    record = live(blocked="session_lost")
    policy.observe(record, DOWN, PLAN, TUESDAY)
    assert record.state == verdicts.BLOCKED
    assert "ibops.gateway.live_signin" in record.next_step


def test_each_start_is_counted_once() -> None:
    record = paper()
    for started in ("2026-11-24T10:00:00.0Z", "2026-11-24T10:00:00.0Z", "2026-11-24T11:00:00.0Z"):
        policy.observe(record, dataclasses.replace(READY, started_at=started), Plan(), TUESDAY)
    assert record.counts == {"starts": 2}


def test_what_is_shown_of_a_record() -> None:
    found = policy.shown(live(valid_until=at("2026-11-29 01:00")), PLAN, TUESDAY)
    assert (found["valid_until_new_york"], found["week"]) == ("Sun 2026-11-29 01:00", "valid")
    assert policy.shown(live(), PLAN, TUESDAY)["week"] == "overdue"
    assert "week" not in policy.shown(paper(), PLAN, TUESDAY)


# Sign-ins are bounded


@pytest.mark.parametrize("said", [False, True], ids=["not said to succeed", "said to succeed"])
@pytest.mark.parametrize("evidence", ["attempts in one start", "starts without a word"])
def test_sign_ins_without_success_are_bounded_by_the_hour(evidence: str, said: bool) -> None:
    record, tried = paper(), 0
    silent = dataclasses.replace(RESTARTING, signed_in=said, api_state="proxy_up_gateway_down")
    for minute in range(50):
        tried += 1
        now = TUESDAY + minute * 60
        started, logins = (TUESDAY, tried) if evidence == "attempts in one start" else (now, 0)
        look = dataclasses.replace(silent, started_at=stamp(started), logins=logins)
        policy.observe(record, look, Plan(), now)
        if step := policy.decide(record, look, Plan(), now):
            break
    assert step is not None
    action = "stop" if said else "kill"
    assert (step.action, step.cause, tried) == (action, "too_many_attempts", policy.LOGINS_PER_HOUR + 1)


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
        # The API answers: what was tried up to here has succeeded.
        (
            live(logins_counted=3, logins=[TUESDAY - 1]), dataclasses.replace(READY, logins=4),
            {"logins": [], "logins_counted": 4},
        ),
        (
            live(logins_counted=4), dataclasses.replace(READY, logins=5, api_state="proxy_up_gateway_down"),
            {"logins": [TUESDAY], "logins_counted": 5},
        ),
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
        (live(stopped_by="Ann"), DOWN, {"valid_until": None, "next_step": policy.SIGN_IN_STEP}),
        (
            Record("live", "live", stopped_by="PAUSE"), DOWN,
            {"valid_until": None, "next_step": policy.SIGN_IN_STEP, "sign_in_due": at("2026-11-22 17:00")},
        ),
        (
            Record("live", "live", signed_in_at=SUNDAY - 7 * 86400, container_started_at=READY.started_at), READY,
            {"valid_until": None},
        ),
        (paper(), READY, {"valid_until": None, "sign_in_due": None, "signed_in_at": None}),
        # The cause is shown while it is down; its own state while it runs.
        (
            live(blocked="push_missed"), DOWN,
            {
                "state": verdicts.BLOCKED,
                "reason": policy.CAUSES["push_missed"].meaning,
                "next_step": policy.SIGN_IN_STEP,
            },
        ),
        (
            live(blocked="of a later release"), DOWN,
            {
                "state": verdicts.BLOCKED,
                "reason": policy.OTHER_CAUSE.meaning,
                "next_step": policy.OTHER_CAUSE.next_step,
            },
        ),
        (live(blocked="push_missed"), RESTARTING, {"state": verdicts.STARTING, "reason": "well", "next_step": ""}),
        # One that has ended by itself in a sign-in, with what its exit code means.
        *(
            (
                live(blocked=cause), dataclasses.replace(DOWN, exit_meaning=meaning),
                {"reason": policy.CAUSES[cause].meaning + told},
            )
            for cause, meaning, told in (
                ("sign_in_ended", "no memory", " (no memory)"),
                ("bad_settings", "no memory", " (no memory)"),
                ("sign_in_ended", "", ""),
                ("push_missed", "no memory", ""),
            )
        ),
        # A pause that only the log knows is one of a live gateway that is down; the sign-in was at the start or later.
        (
            Record("live", "live"), dataclasses.replace(DOWN, paused=True),
            {"stopped_by": "PAUSE", "signed_in_at": SUNDAY, "valid_until": at("2026-11-29 01:00")},
        ),
        (
            Record("live", "live"), dataclasses.replace(DOWN, paused=True, started_at=None),
            {"stopped_by": "PAUSE", "valid_until": None},
        ),
        (
            live(), dataclasses.replace(DOWN, paused=True, started_at=OLD),
            {"stopped_by": "", "signed_in_at": SUNDAY},
        ),
        (
            Record("live", "live"), dataclasses.replace(RESTARTING, paused=True),
            {"stopped_by": "", "signed_in_at": None},
        ),
        (paper(), dataclasses.replace(DOWN, paused=True), {"stopped_by": "", "signed_in_at": None}),
        # Times that lie ahead.
        (
            live(healed_at=TUESDAY, served_window=TUESDAY), READY,
            {"healed_at": TUESDAY, "served_window": TUESDAY},
        ),
        (
            live(healed_at=TUESDAY + 1, served_window=TUESDAY + 1), READY,
            {"healed_at": 0.0, "served_window": 0.0},
        ),
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
    fault = ("the plan is damaged", f"Run {playbooks.SITE}, which rewrites it.")
    assert (record.reason, record.next_step) == (fault if after == verdicts.DEGRADED else ("well", ""))


def test_a_look_shows_no_more_than_it_is_told() -> None:
    assert (READY.wanted, READY.exit_meaning, READY.settings_refused, READY.paused) == ("", "", False, False)


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
    ("running", "meaning", "told"), [(True, "no memory", ""), (False, "no memory", "no memory"), (False, None, "")]
)
def test_why_it_ended_is_seen_of_what_is_down(running: bool, meaning: str | None, told: str) -> None:
    gateway = Gateway({})
    gateway.container = {
        "exists": True, "running": running, "status": "", "frozen": None, "started_at": OLD, "exit_code": 137,
        "exit_meaning": meaning, "oom_killed": False,
    }  # fmt: skip
    assert policy.seen(gateway).exit_meaning == told


def test_a_pause_is_seen_in_the_log() -> None:
    gateway = Gateway({})
    gateway.summary.feed(SIGN_IN_LOG)
    assert not policy.seen(gateway).paused
    gateway.summary.feed(["IBC is paused"])
    assert policy.seen(gateway).paused


@pytest.mark.parametrize(("controller", "restarts"), [("ibc", True), ("ibg-controller", False)])
def test_whether_a_restart_costs_no_sign_in_is_the_controllers(deploy: Any, controller: str, restarts: bool) -> None:
    found = deploy(controller=controller)
    assert policy.seen(Gateway(found.endpoint(), found)).restarts is restarts


def test_a_code_that_has_to_be_typed_is_seen() -> None:
    gateway = Gateway({})
    gateway.container = {
        "exists": True, "running": True, "status": "running", "frozen": None, "started_at": OLD
    }  # fmt: skip
    gateway.summary.feed([*SIGN_IN_LOG[:5], "IBC: detected dialog entitled: Enter security code; event=Opened"])
    assert policy.seen(gateway).wanted == ""
    opened = gateway.phase_since
    gateway.clock = lambda: opened + DIALOG_SECONDS
    assert policy.seen(gateway).wanted == "code_wanted"


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
    reason, next_step = policy.CAUSES["push_missed"][:2]
    expected = {"state": verdicts.BLOCKED, "reason": reason, "next_step": next_step} if told else {}
    assert policy.blocked(cause, container) == expected


def test_what_is_shown_has_all_of_the_record() -> None:
    record = live(valid_until=at("2026-11-29 01:00"), sign_in_due=at("2026-11-29 17:00"))
    found = policy.shown(record, PLAN, TUESDAY)
    assert found.items() >= dataclasses.asdict(record).items()
    assert found["sign_in_due_new_york"] == "Sun 2026-11-29 17:00"
    bare = policy.shown(Record("live", "live"), PLAN, TUESDAY)
    assert (bare["valid_until_new_york"], bare["sign_in_due_new_york"]) == (None, None)
