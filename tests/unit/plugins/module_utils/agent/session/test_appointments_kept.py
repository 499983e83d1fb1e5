# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-ins by appointment, with the real watcher and the real ibgwctl, in a driven time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.session_log import MISSED, new_york
from tests.unit.plugins.strikes import ASKING, SIGNED_IN

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import background
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant

pytestmark = pytest.mark.thorough

UNANSWERED = [*SIGNED_IN[: len(ASKING) + 1], (192, MISSED)]
PLAN: dict[str, Any] = {"sign_in_at": ("sun 10:00",), "interval": 600}
MakeWorld = Callable[..., World]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any) -> MakeWorld:
    """A live gateway that is down since the end of a week, at a moment of New York's."""

    def make(moment: str, **settings: Any) -> World:
        world = World(monkeypatch, fake_engine, serve, deploy, "live", new_york(moment), **{**PLAN, **settings})
        world.ibc = SIGNED_IN
        return world

    return make


def until(world: World, moment: str) -> None:
    world.watch(new_york(moment) - world.time)


def sleep_until(world: World, moment: str) -> None:
    """Pass time in which nothing happens without looks."""
    world.wait(new_york(moment) - world.time)


def events(world: World, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in world.store.history(last=10_000) if event["event"] in kinds]


def told(world: World, part: str) -> list[str]:
    return [key for key in world.told if part in key]


def test_four_weeks_without_a_shell(made: MakeWorld) -> None:
    """A push that nobody answers, a week that is left out in the morning, a sign-in that misses all its pushes, and
    two changes of the clock."""
    world = made("2026-10-24 17:55", sign_in_at=("sun 16:00", "sun 20:00"), sign_in_zone="Europe/Berlin")
    approvals: list[str] = []

    def phone(answers: list[bool]) -> None:
        """The person's answers to the pushes that come."""

        def begin() -> None:
            world.answers = False
            approved = answers.pop(0)
            approvals.extend(["approved"] * approved)
            world.play(SIGNED_IN if approved else UNANSWERED)

        world.fake.on_start = begin

    sundays = [
        ("2026-10-25", "10:40", [False, True], "11:20"),
        ("2026-11-01", "09:40", [True], "10:10"),
        ("2026-11-08", "09:40", [True], "14:10"),
        ("2026-11-15", "09:40", [False, False, False, True], "14:10"),
    ]
    for sunday, begins, answers, ends in sundays:
        phone(answers)
        sleep_until(world, f"{sunday} {begins}")
        if sunday == "2026-11-08":
            until(world, f"{sunday} 09:50")
            # As a tap on the announcement's button does.
            world.run("skip", "live", "--by", "a tap of Ann")
        if ends == "14:10":
            until(world, f"{sunday} 10:20")
            sleep_until(world, f"{sunday} 13:40")
        until(world, f"{sunday} {ends}")
        assert not answers, (sunday, world.error)
        record = world.store.load("live")
        assert (record.state, record.blocked) == (verdicts.READY, None), (sunday, record.reason)
        sleep_until(world, f"{sunday[:-2]}{int(sunday[-2:]) + 6:02} 23:20")
        until(world, f"{sunday[:-2]}{int(sunday[-2:]) + 6:02} 23:45")
        assert world.store.load("live").state == verdicts.STOPPED
    assert len(approvals) == len(sundays)
    sent = events(world, "push")
    assert sum(event["pushes"] for event in sent) == len(world.pushes) == 8
    assert all(event["by"].startswith("the appointment on ") for event in sent)
    assert all(world.pushes), "a push that nobody has asked for"
    assert [event["by"] for event in events(world, "skip")] == ["a tap of Ann"]
    assert len(told(world, "appointment/")) == 6
    assert len(told(world, "sign-in/")) == 4


def test_it_is_told_a_quarter_of_an_hour_before(made: MakeWorld) -> None:
    world = made("2026-11-29 09:40")
    until(world, "2026-11-29 09:44")
    assert not told(world, "appointment/")
    until(world, "2026-11-29 09:46")
    (alert,) = alerts(world, "appointment/")
    assert "Sunday 2026-11-29 10:00 (America/New_York)" in alert["text"]
    assert "ibgwctl skip live" in alert["next_step"]
    assert world.pushes == []
    until(world, "2026-11-29 10:02")
    assert world.pushes == [True]
    (outcome,) = alerts(world, "sign-in/")
    assert (outcome["severity"], outcome["title"]) == ("info", "live: sign-in is done")
    assert world.store.load("live").state == verdicts.READY


def alerts(world: World, part: str) -> list[dict[str, Any]]:
    kept = json.loads(Path(world.watcher.outbox.path).read_text())["pending"]
    return [entry["alert"] for entry in kept if part in entry["alert"]["key"]]


def test_a_sign_in_by_hand_before_it_makes_it_needless(made: MakeWorld) -> None:
    world = made("2026-11-29 09:00")
    world.act(lambda control: control.sign_in(lambda _step, _text: None))
    until(world, "2026-11-29 11:30")
    assert (told(world, "appointment/"), world.pushes) == ([], [True])
    assert world.store.load("live").appointed == new_york("2026-11-29 10:00")


def test_later_puts_it_off_and_tells_of_it_again(made: MakeWorld) -> None:
    world = made("2026-11-29 09:40")
    until(world, "2026-11-29 09:50")
    world.act(Control.later)
    until(world, "2026-11-29 10:44")
    assert world.pushes == []
    until(world, "2026-11-29 11:02")
    assert world.pushes == [True]
    assert len(told(world, "appointment/")) == 2


def test_later_is_never_after_the_deadline(made: MakeWorld) -> None:
    world = made("2026-11-29 15:40", sign_in_at=("sun 16:00",))
    until(world, "2026-11-29 15:50")
    world.act(Control.later)
    assert isinstance(world.error, Refused)
    until(world, "2026-11-29 16:02")
    assert world.pushes == [True]


def test_a_sign_in_by_appointment_ends_at_the_deadline(made: MakeWorld) -> None:
    world = made("2026-11-29 16:30", sign_in_at=("sun 16:50",))
    world.ibc = ASKING
    until(world, "2026-11-29 17:30")
    record = world.store.load("live")
    assert (record.state, record.blocked, world.fake.status) == (verdicts.BLOCKED, "sign_in_late", "exited")
    assert events(world, "blocked")[0]["at"] <= new_york("2026-11-29 17:00") + 20


def late(world: World) -> None:
    sleep_until(world, "2026-11-29 11:01")


def refused(world: World) -> None:
    record = world.store.load("live")
    record.blocked, record.state = "refused_login", verdicts.BLOCKED
    world.store.save(record)


def stopped(world: World) -> None:
    record = world.store.load("live")
    record.stopped_by, record.state, record.since = "Ann", verdicts.STOPPED, world.time
    world.store.save(record)


def without_systemd(world: World) -> None:
    world._monkeypatch.setattr(background, "begin", lambda *_words: "no bus")


@pytest.mark.parametrize(
    ("before", "hinder", "says"),
    [
        ("09:46", late, "nobody watched at its time"),
        ("09:30", refused, "IBKR refused the user or the password"),
        ("09:30", stopped, "Ann has stopped it since the week began"),
        ("09:46", without_systemd, "no bus"),
    ],
)
def test_one_that_cannot_be_kept_is_told_and_over(
    made: MakeWorld, before: str, hinder: Callable[[World], None], says: str
) -> None:
    world = made("2026-11-29 09:20")
    until(world, f"2026-11-29 {before}")
    hinder(world)
    until(world, "2026-11-29 11:40")
    (alert,) = alerts(world, "/missed")
    assert says in alert["text"]
    assert world.pushes == []


def test_a_host_that_was_down_tells_first_and_signs_in_a_quarter_later(made: MakeWorld) -> None:
    world = made("2026-11-29 10:20")
    until(world, "2026-11-29 10:34")
    assert (len(told(world, "appointment/")), world.pushes) == (1, [])
    until(world, "2026-11-29 10:37")
    assert world.pushes == [True]


def test_an_appointment_that_was_over_before_anybody_watched_is_nobody_s(made: MakeWorld) -> None:
    world = made("2026-11-29 11:10")
    until(world, "2026-11-29 13:00")
    assert (told(world, "appointment/"), world.pushes) == ([], [])


def test_on_a_full_disk_nobody_is_signed_in(made: MakeWorld) -> None:
    world = made("2026-11-29 09:40")
    until(world, "2026-11-29 09:50")
    world.fill_disk()
    until(world, "2026-11-29 10:30")
    assert world.pushes == []
    world.free_disk()


def test_it_waits_for_a_sign_in_by_hand(made: MakeWorld) -> None:
    world = made("2026-11-29 09:40")
    until(world, "2026-11-29 09:59")
    record = world.store.load("live")
    record.grant = Grant(SIGN_IN, "Ann", world.time, world.time + 600)
    world.store.save(record)
    world.fake.on_start, world.answers = (lambda: None), False
    world.fake.start()
    until(world, "2026-11-29 10:02")
    assert not events(world, "sign_in")
    assert world.store.load("live").appointed == 0.0


@pytest.mark.parametrize("command", [Control.skip, Control.later])
def test_there_has_to_be_something_to_leave_out_or_put_off(made: MakeWorld, command: Any) -> None:
    world = made("2026-11-24 12:00", sign_in_at=())
    world.act(lambda control: control.sign_in(lambda _step, _text: None))
    world.act(command)
    assert isinstance(world.error, Refused)


def test_without_appointments_later_reminds_in_an_hour(made: MakeWorld) -> None:
    world = made("2026-11-29 12:01", sign_in_at=(), interval=60)
    until(world, "2026-11-29 12:05")
    world.act(Control.later)
    until(world, "2026-11-29 13:04")
    assert len(told(world, "reminder/")) == 1
    until(world, "2026-11-29 13:06")
    assert told(world, "reminder/")[1:] == [f"reminder/{new_york('2026-11-29 13:05'):.0f}"]
