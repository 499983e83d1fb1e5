# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pause keeps a live gateway's sign-in, and whatever starts the gateway resumes it without a push."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.controlled import DOORS
from tests.unit.plugins.session_log import (
    BEGUN,
    IN,
    ON_TOKEN,
    PUSH,
    TUESDAY,
    Said,
    new_york,
    signing_in,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import control as control_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import lifecycle, policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import (
    Refused,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import (
    SessionError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


def test_a_pause_keeps_the_sign_in_and_resumes_without_a_push(
    control: Any, fake_engine: Any, command_server: Any, tmp_path: Path
) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(BEGUN[0], "IBC: version: 3.24.1", *BEGUN[1:], PUSH, *IN)
    signing_in(live)
    assert live.pause(5).how == "pause"
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "autorestart").touch()
    fake_engine.on_start = lambda: fake_engine.log(*ON_TOKEN)
    live.resume(5)
    record = live.store.load("live")
    assert (record.stopped_by, record.counts["pushes"]) == ("", 1)
    with pytest.raises(Refused, match="is not paused"):
        live.resume(5)


def test_a_resumption_that_asks_for_a_push_is_killed_before_it_is_sent(
    control: Any, fake_engine: Any, tmp_path: Path
) -> None:
    live = control()
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "autorestart").touch()
    with live.acting("test") as record:
        record.stopped_by, record.signed_in_at = "PAUSE", live.now()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    with pytest.raises(SessionError, match="before a push was sent"):
        live.resume(5)
    assert fake_engine.exit_code == 137
    record = live.store.load("live")
    assert (record.blocked, record.stopped_by) == ("sign_in_asked", "")


def paused(live: Any, place: Path) -> None:
    """As a maintenance that was killed leaves it: PAUSEd, a token there, and nobody who resumes."""
    with live.acting("test") as record:
        record.stopped_by, record.signed_in_at = "PAUSE", live.now() - 3600
        record.valid_until = live.now() + 86400
    (place / "abc").mkdir()
    (place / "abc" / "autorestart").touch()


@pytest.mark.parametrize("door", DOORS)
def test_every_door_resumes_a_kept_sign_in(control: Any, fake_engine: Any, tmp_path: Path, door: str) -> None:
    live = control()
    fake_engine.exit(0)
    paused(live, tmp_path)
    fake_engine.on_start = lambda: fake_engine.log(*ON_TOKEN)
    DOORS[door](live)
    record = live.store.load("live")
    assert (record.stopped_by, record.counts.get("pushes", 0), record.grant) == ("", 0, None)
    assert (tmp_path / "abc" / "autorestart").exists()


@pytest.mark.parametrize("state", ["{", None])
@pytest.mark.parametrize("looked", [False, True])
@pytest.mark.parametrize("door", DOORS)
def test_a_lost_record_costs_no_kept_sign_in(
    control: Any, fake_engine: Any, command_server: Any, tmp_path: Path, door: str, looked: bool, state: str | None
) -> None:
    """The log, the token and the container's start still tell of the pause."""
    live = control()
    ticks = itertools.count()
    fake_engine.clock = lambda: TUESDAY + next(ticks) / 1000
    fake_engine.on_start = lambda: fake_engine.log(BEGUN[0], "IBC: version: 3.24.1", *BEGUN[1:], PUSH, *IN)
    signing_in(live)
    live.pause(5)
    fake_engine.log("IBC is paused")
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "autorestart").touch()
    place = Path(live.store.state_path)
    place.unlink() if state is None else place.write_text(state)
    live = control()
    if looked:
        Watcher(live).look()
        record = live.store.load("live")
        assert (record.stopped_by, record.signed_in_at, record.valid_until is None) == (
            "PAUSE", pytest.approx(fake_engine.started_at, abs=1), False
        )  # fmt: skip
    fake_engine.on_start = lambda: fake_engine.log(*ON_TOKEN)
    DOORS[door](live)
    record = live.store.load("live")
    assert (record.stopped_by, record.counts.get("pushes", 0), record.grant) == ("", 0, None)
    assert (tmp_path / "abc" / "autorestart").exists()


RESUMPTIONS: dict[str, Callable[[Any], lifecycle.Outcome]] = {
    "start": lambda live: live.start(allow_signin=False),
    "resume": lambda live: live.resume(300.0),
}


@pytest.mark.parametrize("door", RESUMPTIONS)
def test_a_resumption_is_waited_for_and_told(
    control: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, door: str
) -> None:
    live = control()
    paused(live, tmp_path)
    waits: list[tuple[str, float]] = []

    def ready(_gateway: Gateway, wanted: str, timeout: float, **_more: object) -> bool:
        waits.append((wanted, timeout))
        return True

    monkeypatch.setattr(control_module, "wait_for", ready)
    outcome = RESUMPTIONS[door](live)
    assert (outcome.changed, outcome.actions, waits) == (True, ["docker start"], [(verdicts.READY, 300.0)])
    assert [(each["event"], each["text"]) for each in live.store.history()] == [("resume", "resumed by Ann")]


def test_a_resumption_that_does_not_get_ready_says_how_far_it_came(
    control: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live = control()
    paused(live, tmp_path)
    monkeypatch.setattr(control_module, "wait_for", lambda gateway, *_a, **_k: gateway.refresh())
    with pytest.raises(SessionError, match="resumed but starting: "):
        live.resume(5)


def test_a_sign_in_of_a_paused_gateway_is_told_though_its_api_is_asked_anew(
    control: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live = control()
    paused(live, tmp_path)
    monkeypatch.setattr(live, "resume_kept", lambda _record, _timeout: setattr(live.gateway, "verdict", None))
    said: Said = []
    signing_in(live, said)
    assert [step for step, _text in said] == ["resuming", "verified", "valid"]


@pytest.mark.parametrize("door", DOORS)
def test_no_door_sends_a_push_in_the_place_of_a_kept_sign_in(
    control: Any, fake_engine: Any, tmp_path: Path, door: str
) -> None:
    live = control()
    fake_engine.exit(0)
    paused(live, tmp_path)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    with pytest.raises(SessionError, match="before a push was sent"):
        DOORS[door](live)
    assert fake_engine.exit_code == 137


def test_told_so_a_kept_sign_in_is_given_up(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    fake_engine.exit(0)
    paused(live, tmp_path)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    live.sign_in(lambda _step, _text: None, force=True)
    assert live.store.load("live").counts["pushes"] == 1


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"stopped_by": "the operator"}, False),
        ({"signed_in_at": None}, False),
        ({"signed_in_at": TUESDAY - 8 * 86400}, False),
    ],
)
def test_what_a_kept_sign_in_is(control: Any, tmp_path: Path, change: dict[str, Any], kept: bool) -> None:
    live = control()
    paused(live, tmp_path)
    record = live.store.load("live")
    vars(record).update(change)
    assert live.kept(record) is kept
    (tmp_path / "abc" / "autorestart").unlink()
    assert not live.kept(record)


@pytest.mark.parametrize(("at", "kept"), [("2026-11-29 00:59", True), ("2026-11-29 01:00", False)])
def test_a_kept_sign_in_ends_with_its_week(control: Any, tmp_path: Path, at: str, kept: bool) -> None:
    live = control()
    paused(live, tmp_path)
    live.now = lambda: new_york(at)
    assert live.kept(live.store.load("live")) is kept


def test_the_next_step_of_a_kept_sign_in_is_to_resume(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    fake_engine.exit(0)
    paused(live, tmp_path)
    record = live.store.load("live")
    live.gateway.look()
    policy.observe(record, policy.seen(live.gateway), live.plan, live.now())
    assert "ibgwctl resume" in record.next_step
    record.signed_in_at = live.now() - 8 * 86400
    policy.observe(record, policy.seen(live.gateway), live.plan, live.now())
    assert "ibops.gateway.live_signin" in record.next_step


def test_the_watcher_leaves_a_pause_that_ibc_has_accepted(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    record = live.store.load("live")
    record.stopping = "PAUSE"
    look = policy.seen(live.gateway)
    assert policy.decide(record, look, live.plan, live.now()) is None
    record.stopping = "the operator"
    step = policy.decide(record, look, live.plan, live.now())
    assert step is not None
    assert step.action == "stop"


def test_a_pause_is_refused_without_a_sign_in_that_lasts(control: Any) -> None:
    with pytest.raises(Refused, match="there is none that lasts"):
        control().pause(5)


@pytest.mark.parametrize(("left", "refused"), [(1800, False), (1799, True)])
def test_a_pause_needs_half_an_hour_of_the_week(control: Any, tmp_path: Path, left: int, refused: bool) -> None:
    live = control(now=new_york("2026-11-29 01:00") - left)
    paused(live, tmp_path)
    with pytest.raises(Refused if refused else SessionError, match="none that lasts" if refused else "is stopped"):
        live.pause(5)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("check", [False, True])
def test_a_pause_is_written_down_when_ibc_accepts_it(
    control: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: bool, fails: bool
) -> None:
    live, asked, meanwhile = control(), [], []
    paused(live, tmp_path)

    def pause(
        gateway: object, engine: object, timeout: float, check: bool, accepted: Callable[[], None] = lambda: None
    ) -> lifecycle.Outcome:
        asked.append((gateway, engine, timeout, check))
        accepted()
        meanwhile.append(live.store.load("live").stopping)
        if fails:
            raise SessionError("IBC accepted PAUSE, but it still runs")
        return lifecycle.Outcome(True, ["done"])

    monkeypatch.setattr(lifecycle, "pause", pause)
    with pytest.raises(SessionError, match="still runs") if fails else contextlib.nullcontext():
        live.pause(17.0, check)
    assert asked == [(live.gateway, live.engine, 17.0, check)]
    assert meanwhile == ["" if check else policy.PAUSE]
    assert live.store.load("live").stopping == ""
    noted = [(each["event"], each["text"], each["at"]) for each in live.store.history()]
    assert noted == ([] if check or fails else [("pause", "PAUSE by Ann", TUESDAY)])


def test_a_pause_needs_an_ibc_that_knows_it(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log("IBC: version: 3.23.0", *BEGUN[1:], PUSH, *IN)
    signing_in(live)
    with pytest.raises(SessionError, match=r"has IBC 3\.23\.0, and PAUSE came with 3\.24\.0"):
        live.pause(5)
