# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import ctl, plan, session, states, watcher
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.session import BlockedError, SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.watcher import Watcher

BEGUN = (
    ".> Starting IBC/IB gateway",
    "autorestart file not found: full authentication will be required",
    "IBC: Starting session: will exit if login dialog",
    "LoginState is LOGGED_OUT",
    "Login attempt: 1",
)
PUSH = "Second Factor Authentication initiated"
IN = ("Login has completed", "Configuration tasks completed")
MISSED = "Re-login after second factor authentication timeout not required"
ON_TOKEN = (
    ".> Starting IBC/IB gateway",
    "autorestart file found at x: authentication will not be required",
    "IBC: Re-starting session",
    *IN,
)


FARM_OK, FARM_BROKEN = (2104, "OK:usfarm"), (2103, "broken:usfarm")


def new_york(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


TUESDAY = new_york("2026-11-24 12:00")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(watcher, "BUSY_SECONDS", 0.02)


@pytest.fixture
def control(fake_engine: Any, deploy: Any, command_server: Any, serve: Any) -> Callable[..., Control]:
    """Make a control of a stopped gateway of mode *mode*; its API is healthy and its clock stands at *now*."""

    def healthy(script: Any) -> None:
        script.start(accounts={"live": "U1234567", "paper": "DU1234567"}[mode[0]])
        for code, text in notices:
            script.notice(code, text)
        script.answer_time()
        script.stay()

    mode = ["live"]
    notices: list[tuple[int, str]] = []

    def make(of: str = "live", now: float = TUESDAY, said: tuple[int, str] = FARM_OK, **settings: Any) -> Control:
        mode[0], notices[:] = of, [said, (2106, "OK:ushmds"), (2158, "OK:secdefil")]
        fake_engine.exit(0)
        command_server.on_command = lambda command: fake_engine.exit(0) if command in ("STOP", "PAUSE") else None
        command_server.replies["PAUSE"] = ["OK PAUSE in progress", "OK PAUSE at 10:01 PM"]
        found = deploy(name=of, mode=of, container=f"ibgw-{of}", port=serve(healthy), command_port=command_server.port)
        return Control(found, Plan(**settings), by="Ann", now=lambda: now)

    return make


Said = list[tuple[str, str]]


def signing_in(control: Control, said: Said | None = None) -> None:
    steps: Said = [] if said is None else said
    control.sign_in(lambda step, text: steps.append((step, text)))


def test_a_sign_in_step_by_step(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    stale = [tmp_path / "abc" / "autorestart", tmp_path / "PAUSE1", tmp_path / "COLDRESTART1"]
    stale[0].parent.mkdir()
    for path in stale:
        path.touch()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    said: Said = []
    signing_in(live, said)
    assert [step for step, _text in said] == [
        "cleaned", "cleaned", "cleaned", "starting", "login_window", "signing_in", "push_sent", "signed_in",
        "configured", "verified", "valid",
    ]  # fmt: skip
    assert said[-1][1] == "valid until Sunday 2026-11-29 01:00 New York time"
    assert "U1234567" not in str(said)
    assert not any(path.exists() for path in stale)
    record = live.store.load("live")
    assert (record.state, record.grant, record.counts["pushes"]) == (states.READY, None, 1)
    again: Said = []
    signing_in(live, again)
    assert [step for step, _text in again] == ["already"]


def test_an_approved_push_is_not_lost_to_a_broken_data_farm(control: Any, fake_engine: Any) -> None:
    live = control(said=FARM_BROKEN, sign_in_minutes=0.1)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    said: Said = []
    signing_in(live, said)
    assert "usfarm" in dict(said)["verified"]
    record = live.store.load("live")
    assert (fake_engine.status, record.state, record.blocked) == ("running", states.DEGRADED, None)
    assert record.valid_until == new_york("2026-11-29 01:00")


def test_missed_pushes_are_bounded_and_end_in_blocked(control: Any, fake_engine: Any) -> None:
    live = control(pushes=3)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, MISSED)
    said: Said = []
    with pytest.raises(BlockedError, match="no push was approved within the bounds"):
        signing_in(live, said)
    assert [step for step, _text in said].count("push_missed") == 3
    record = live.store.load("live")
    assert (record.state, record.blocked, record.counts["pushes"]) == (states.BLOCKED, "push_missed", 3)
    assert fake_engine.status == "exited"


def test_a_controller_that_sends_push_after_push_is_bounded_too(control: Any, fake_engine: Any) -> None:
    live = control(pushes=3)
    again = "Re-login after second factor authentication timeout in 5 second"
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, again, BEGUN[-1], PUSH, again, BEGUN[-1], PUSH, again)
    with pytest.raises(BlockedError, match="no push was approved within the bounds"):
        signing_in(live)
    record = live.store.load("live")
    assert (record.counts["pushes"], record.blocked, fake_engine.status) == (3, "push_missed", "exited")


def test_the_state_file_follows_a_sign_in(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH)
    states_seen = []

    def say(step: str, _text: str) -> None:
        states_seen.append(live.store.load("live").state)
        if step == "push_sent":
            threading.Timer(0.2, lambda: fake_engine.log(*IN)).start()

    live.sign_in(say)
    assert states.WAITING_2FA in states_seen


def test_a_refused_password_is_not_tried_again(control: Any, fake_engine: Any) -> None:
    live = control()
    starts = []
    fake_engine.on_start = lambda: (
        starts.append(1),
        fake_engine.log(*BEGUN, "Login failed", "Cold restart in progress", *BEGUN[2:], "Login failed"),
    )
    with pytest.raises(BlockedError, match="refused the user or the password"):
        signing_in(live)
    assert (len(starts), live.store.load("live").blocked) == (1, "refused_login")


def test_a_sign_in_ends_with_its_time(control: Any, fake_engine: Any) -> None:
    live = control(sign_in_minutes=0.005)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH)
    with pytest.raises(BlockedError, match="did not complete in its time"):
        signing_in(live)
    assert fake_engine.status == "exited"


@pytest.mark.parametrize(
    ("mode", "now", "message"),
    [
        ("paper", TUESDAY, "signs in by itself"),
        ("live", new_york("2026-11-28 23:40"), "sign in from Sunday 01:15 on"),
        ("live", new_york("2026-11-29 01:14"), "sign in from Sunday 01:15 on"),
    ],
)
def test_what_is_refused_before_anything_is_touched(
    control: Any, fake_engine: Any, mode: str, now: float, message: str
) -> None:
    refusing = control(mode, now)
    with pytest.raises(Refused, match=message):
        signing_in(refusing)
    assert not any("start" in call for call in fake_engine.calls)


def test_a_start_of_paper_has_an_end_where_there_are_sessions(control: Any) -> None:
    paper = control("paper")
    paper.start(allow_signin=False, minutes=5)
    record = paper.store.load("paper")
    assert (record.grant.by, record.grant.ends_at, record.state) == ("Ann", TUESDAY + 300, states.STARTING)
    paper.stop()
    record = paper.store.load("paper")
    assert (record.grant, record.stopped_by, record.state) == (None, "Ann", states.STOPPED)
    paper.start(allow_signin=False)
    assert paper.store.load("paper").grant is None


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
        record.stopped_by = "PAUSE"
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    with pytest.raises(SessionError, match="before a push was sent"):
        live.resume(5)
    assert fake_engine.exit_code == 137
    assert live.store.load("live").blocked == "sign_in_asked"


def test_a_pause_is_refused_without_a_sign_in_that_lasts(control: Any) -> None:
    with pytest.raises(Refused, match="there is none that lasts"):
        control().pause(5)


def test_a_pause_needs_an_ibc_that_knows_it(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log("IBC: version: 3.23.0", *BEGUN[1:], PUSH, *IN)
    signing_in(live)
    with pytest.raises(SessionError, match=r"has IBC 3\.23\.0, and PAUSE came with 3\.24\.0"):
        live.pause(5)


# The watcher


def events(control: Control) -> list[str]:
    return [event["event"] for event in control.store.history()]


def test_the_watcher_kills_a_live_gateway_that_asks_by_itself_and_sends_no_push(control: Any, fake_engine: Any) -> None:
    live = control()
    live.by = "the watcher"
    watching = Watcher(live)
    watching.look()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    fake_engine.start()
    watching.run(rounds=2)
    record = live.store.load("live")
    assert (record.state, record.blocked, fake_engine.exit_code) == (states.BLOCKED, "sign_in_asked", 137)
    assert "kill" in events(live)


def test_the_watcher_lets_the_daily_restart_happen(control: Any, fake_engine: Any) -> None:
    """The watcher looks just when the JVM has ended and its successor has not begun."""
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    watching = Watcher(live)
    watching.look()
    fake_engine.log("IBC returned exit status 0")
    watching.look()
    assert fake_engine.status == "running"
    fake_engine.log(*ON_TOKEN[1:])
    watching.look()
    assert fake_engine.status == "running"
    assert "kill" not in events(live)


def test_the_watcher_hears_an_end_at_once(control: Any, fake_engine: Any) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    watching = Watcher(live)
    until = watching.look()
    fake_engine.exit(1)
    begun = time.monotonic()
    watching.listen(until)
    watching.look()
    assert time.monotonic() - begun < 2
    assert live.store.load("live").blocked == "session_lost"


def test_a_hung_gateway_whose_ibc_refuses_does_not_end_the_watcher(
    control: Any, fake_engine: Any, command_server: Any
) -> None:
    live = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    command_server.replies["RESTART"] = ["ERROR RESTART already in progress"]
    with live.acting("test") as record:
        record.hung_looks = 1
    live.gateway.ask = lambda *_arguments: setattr(
        live.gateway, "verdict", {"api_state": "no_handshake", "final": False, "reason": "hung", "next_step": ""}
    )
    Watcher(live).look()
    assert {"restart", "failed"} <= set(events(live))
    assert fake_engine.status == "running"


def test_an_alert_that_cannot_be_delivered_is_in_the_history(control: Any, fake_engine: Any, tmp_path: Path) -> None:
    live = control()
    (tmp_path / "etc" / "live" / "alerts.json").write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/secret"}]')
    with live.acting("test") as record:
        record.signed_in_at = TUESDAY
    Watcher(live).look()
    (told,) = [event for event in live.store.history() if event["event"] == "alert_failed"]
    assert "webhook/0: URLError" in told["text"]
    assert "secret" not in told["text"]


def test_the_watcher_starts_and_stops_a_paper_session(control: Any, fake_engine: Any) -> None:
    paper = control("paper", new_york("2026-11-24 09:25"))
    paper.plan = plan.from_data(
        {
            "paper_sessions": [
                {"name": "open", "days": ["tue"], "time": "09:30", "zone": "America/New_York", "lead_minutes": 10,
                 "max_minutes": 60, "except_dates": []}
            ]
        }
    )  # fmt: skip
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN, "Click button: I understand and accept")
    watching = Watcher(paper)
    watching.look()
    assert fake_engine.status == "running"
    watching.look()
    assert paper.store.load("paper").state == states.READY
    paper.now = lambda: new_york("2026-11-24 10:21")
    watching.look()
    record = paper.store.load("paper")
    assert (fake_engine.status, record.state, record.grant) == ("exited", states.STOPPED, None)


def test_the_watcher_leaves_a_gateway_alone_on_which_somebody_acts(control: Any, fake_engine: Any) -> None:
    live = control()
    watching = Watcher(live)
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    with live.acting("a sign-in"):
        fake_engine.start()
        watching.run(rounds=3)
        assert fake_engine.status == "running"


def test_without_a_place_for_the_grant_nothing_is_started(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = control()

    def full(_record: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(live.store, "save", full)
    with pytest.raises(SessionError, match="No space left on device"):
        signing_in(live)
    assert not any("start" in call for call in fake_engine.calls)


# ibgwctl


@pytest.fixture
def run(control: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Run ibgwctl; returns its status, the JSON of its last line, and what it said on stderr."""

    def call(*arguments: str) -> tuple[int, dict[str, Any], str]:
        code = ctl.main([*arguments])
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        return code, json.loads(lines[-1]) if "--json" in arguments else {}, printed.err

    return call


def test_ibgwctl(control: Any, run: Any, fake_engine: Any) -> None:
    control("paper")
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN, "Click button: I understand and accept")
    assert run("status", "--json")[0] == 1
    assert run("start", "paper", "--json")[:2] == (
        0, {"changed": True, "actions": ["docker start"], "how": None, "exit_code": None},
    )  # fmt: skip
    assert run("wait-ready", "paper", "--json")[1]["state"] == "ready"
    code, found, _said = run("status", "paper", "--json")
    assert (code, found["state"], found["gateway"]) == (0, "ready", "paper")
    assert run("stop", "paper", "--json")[1]["how"] == "ibc"
    code, found, _said = run("history", "paper", "--json")
    assert [event["event"] for event in found["events"]] == ["start", "stop"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("status", "other"), 1, "gateway other is not deployed on this host"),
        (("sign-in", "paper"), 5, "signs in by itself"),
        (("resume", "paper"), 5, "is not paused"),
        (("restart", "paper"), 1, "is stopped"),
    ],
)
def test_ibgwctl_says_what_is_wrong(control: Any, run: Any, arguments: tuple[str, ...], code: int, said: str) -> None:
    control("paper")
    found, _result, printed = run(*arguments)
    assert found == code
    assert said in printed


def test_a_second_operator_is_told_who_is_at_it(control: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.ibops.gateway.plugins.module_utils.gateway import control as controls

    monkeypatch.setattr(controls, "PATIENCE", 0.0)
    paper = control("paper")
    with paper.acting("a pipeline"):
        code, _result, said = run("stop", "paper")
    assert code == ctl.BUSY
    assert "a pipeline by Ann" in said
