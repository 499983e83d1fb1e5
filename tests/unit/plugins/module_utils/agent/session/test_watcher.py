# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.plugins.session_log import (
    BEGUN,
    IN,
    MISSED,
    ON_TOKEN,
    PUSH,
    TUESDAY,
    events,
    new_york,
    signing_in,
)
from tests.unit.plugins.watched import Ended

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan, watcher
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import Alert
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


def test_the_watcher_kills_a_live_gateway_that_asks_by_itself_and_sends_no_push(control: Any, fake_engine: Any) -> None:
    live = control()
    live.by = "the watcher"
    watching = Watcher(live)
    watching.look()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    fake_engine.start()
    watching.look()
    record = live.store.load("live")
    assert (record.state, record.blocked, fake_engine.exit_code) == (verdicts.BLOCKED, "sign_in_asked", 137)
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
    watching = Watcher(live)
    watching.look()
    watching.delivery.wait(10)
    watching.look()
    (told,) = [event for event in live.store.history() if event["event"] == "alert_failed"]
    assert "webhook/0: ConnectionRefusedError" in told["text"]
    assert "secret" not in told["text"]


def test_a_channel_that_never_answers_holds_up_no_kill(
    control: Any, fake_engine: Any, tmp_path: Path, silent: int
) -> None:
    """The alert on the gateway that is down is on its way for ten seconds; the start comes within them."""
    live = control()
    live.by = "the watcher"
    channel = {"kind": "webhook", "url": f"http://127.0.0.1:{silent}/"}
    (tmp_path / "etc" / "live" / "alerts.json").write_text(json.dumps([channel]))
    with live.acting("test") as record:
        record.signed_in_at = TUESDAY
    watching = Watcher(live)
    watching.look()
    assert watching.delivery.is_under_way
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    fake_engine.start()
    watching.look()
    assert watching.delivery.is_under_way
    assert (live.store.load("live").blocked, fake_engine.exit_code) == ("sign_in_asked", 137)


def test_the_settings_are_read_again_and_what_is_under_way_is_sent_once(
    control: Any, tmp_path: Path, silent: int
) -> None:
    live = control()
    channel = {"kind": "webhook", "url": f"http://127.0.0.1:{silent}/"}
    (tmp_path / "etc" / "live" / "alerts.json").write_text(json.dumps([channel]))
    before = Watcher(live)
    before.outbox.put(Alert("key", "live", "", "warning", "title", "", "", TUESDAY))
    before.delivery.begin(TUESDAY)
    under_way = before.delivery._round
    after = Watcher(live, delivery=before.delivery)
    after.look()
    assert under_way.is_alive()
    assert after.delivery._round is under_way


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
    assert paper.store.load("paper").state == verdicts.READY
    paper.now = lambda: new_york("2026-11-24 10:21")
    watching.look()
    record = paper.store.load("paper")
    assert (fake_engine.status, record.state, record.grant) == ("exited", verdicts.STOPPED, None)


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


# Its input


@pytest.mark.parametrize(
    ("line", "wakes"),
    [
        ("IBC returned exit status 0", True),
        ("Second Factor Authentication initiated", True),
        ("a line that says nothing", False),
    ],
)
def test_it_wakes_for_what_may_change_a_decision_and_for_nothing_else(
    ready: Control, fake_engine: Any, line: str, wakes: bool
) -> None:
    watching = Watcher(ready)
    with ready.gateway.listening():
        ready.gateway.refresh()
        threading.Timer(0.1, lambda: fake_engine.log(line)).start()
        begun = time.monotonic()
        watching.listen(ready.now() + 0.6)
    assert (time.monotonic() - begun < 0.5) is wakes


def test_it_wakes_for_a_start(ready: Control, fake_engine: Any) -> None:
    fake_engine.exit(0)
    ready.gateway.refresh()
    threading.Timer(0.2, fake_engine.start).start()
    begun = time.monotonic()
    Watcher(ready).listen(ready.now() + 3)
    assert 0.1 < time.monotonic() - begun < 2


@pytest.mark.parametrize("seconds", [0.5, 0.0])
def test_a_hung_engine_keeps_it_no_longer_than_until_the_next_look(
    ready: Control, fake_engine: Any, hung_engine: str, seconds: float
) -> None:
    fake_engine.exit(0)
    ready.gateway.refresh()
    ready.engine = Engine(hung_engine)
    begun = time.monotonic()
    Watcher(ready).listen(ready.now() + seconds)
    assert seconds - 0.05 <= time.monotonic() - begun < seconds + 2


def test_each_round_looks_and_listens_and_tells_systemd(ready: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    watching = Watcher(ready, alive=lambda: done.append("alive"))
    monkeypatch.setattr(watching, "look", lambda: done.append("look") or 7.0)
    monkeypatch.setattr(watching, "listen", lambda until: done.append(f"listen {until}"))
    watching.run(rounds=2)
    assert done == ["alive", "look", "alive", "listen 7.0"] * 2


def test_systemd_is_told_that_it_is_ready(ready: Control, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    ran: list[str] = []
    monkeypatch.setattr(watcher.watching, "unit", lambda name: {"restarts": 3} if name == "live" else None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)

        def run(self: Watcher, ended: Any) -> None:
            restarts = self.publisher.restarts
            ran.extend((self.control.by, restarts.fault() if restarts else ""))
            self.alive()
            raise Ended

        monkeypatch.setattr(Watcher, "run", run)
        with pytest.raises(Ended):
            watcher.watch("live")
        assert [systemd.recv(100) for _each in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    assert ran == ["the watcher", "its watcher ended by itself and was restarted 3 times"]


@pytest.mark.parametrize(
    ("answer", "rested", "asks"),
    [("ready", 30.0, False), ("ready", 61.0, True), ("no_handshake", 3.0, False), ("no_handshake", 6.0, True)],
)
def test_the_api_is_asked_each_minute_and_sooner_where_it_does_not_answer(
    ready: Control, monkeypatch: pytest.MonkeyPatch, answer: str, rested: float, asks: bool
) -> None:
    watching, asked = Watcher(ready), []
    watching._refresh(watching._known())
    ready.gateway.verdict = {"api_state": answer, "final": False, "reason": "", "next_step": ""}
    watching._asked_at = ready.gateway.clock() - rested
    monkeypatch.setattr(ready.gateway, "ask", lambda: asked.append(1))
    watching._observe()
    assert bool(asked) is asks


@pytest.mark.parametrize(("seconds", "soon"), [(0.0, True), (59.0, True), (61.0, False)])
def test_an_api_that_opens_after_the_sign_in_is_looked_at_again_soon(
    ready: Control, monkeypatch: pytest.MonkeyPatch, seconds: float, soon: bool
) -> None:
    gateway = ready.gateway
    closed = {"api_state": "proxy_up_gateway_down", "final": False, "reason": "", "next_step": "", "read_only": None}
    monkeypatch.setattr(gateway, "ask", lambda: setattr(gateway, "verdict", closed))
    watching, clock = Watcher(ready), gateway.clock
    watching.look()
    gateway.clock = lambda: clock() + seconds
    assert (watching.look() - ready.now() <= watcher.SOON_SECONDS) is soon
    assert ready.store.load("live").state == verdicts.DEGRADED


# Its records and alerts


def test_a_stop_by_the_plan_is_no_loss_and_one_with_a_cause_is_a_block(control: Any, fake_engine: Any) -> None:
    paper = control("paper")
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN)
    paper.start(allow_signin=False, minutes=0)
    Watcher(paper).look()
    record = paper.store.load("paper")
    assert (fake_engine.status, record.stopped_by, record.blocked) == ("exited", "the plan", None)
    paper.start(allow_signin=False)
    fake_engine.log("Login failed", *BEGUN[2:], "Login failed")
    Watcher(paper).look()
    record = paper.store.load("paper")
    assert (fake_engine.status, record.stopped_by, record.blocked) == ("exited", "", "refused_login")


def test_a_session_that_ends_by_itself_is_begun_once_more(control: Any, fake_engine: Any) -> None:
    begin = new_york("2026-11-24 09:20")
    paper = control("paper", begin)
    session = {"name": "open", "days": ["tue"], "time": "09:30", "zone": "America/New_York", "lead_minutes": 10}
    paper.plan = plan.from_data({"paper_sessions": [session | {"max_minutes": 60}]})
    watching = Watcher(paper)
    for minute, starts in ((0, 1), (5, 2), (10, 2)):
        paper.now = lambda minute=minute: begin + minute * 60
        watching.look()
        assert paper.store.load("paper").window_starts == starts
        fake_engine.exit(1)
        watching.look()


def test_a_change_of_state_is_in_the_history(ready: Control, fake_engine: Any) -> None:
    watching = Watcher(ready)
    watching.look()
    fake_engine.exit(1)
    watching.look()
    assert ready.store.history()[-1]["state"] == "blocked"


def test_a_clock_that_is_put_back_does_not_put_it_to_sleep(ready: Control, fake_engine: Any) -> None:
    """An unimportant line comes after the clock was put back: the rest of the minute stays the same."""
    watching = Watcher(ready)
    ready.gateway.refresh()

    def put_back() -> None:
        ready.now = lambda: TUESDAY - 3600
        fake_engine.log("a line that says nothing")

    threading.Timer(0.1, put_back).start()
    begun = time.monotonic()
    watching.listen(ready.now() + 0.5)
    assert time.monotonic() - begun < 5


def test_a_new_run_is_not_judged_by_the_last_lines_of_the_one_before(control: Any, fake_engine: Any) -> None:
    """A missed push, a stop and a start within a second, and the new run has written nothing yet."""
    live = control()
    fake_engine.start()
    fake_engine.log(*BEGUN, PUSH, MISSED)
    fake_engine.exit(0)
    fake_engine.start()
    live.gateway.refresh()
    assert (live.gateway.summary.finding, live.gateway.summary.pushes) == (None, 0)


def test_a_look_that_fails_is_a_state_an_alert_and_no_end(
    ready: Control, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, waits = Watcher(ready), []

    def fails(*_arguments: object) -> None:
        raise RuntimeError("\x1b[31m")

    monkeypatch.setattr(watching, "_observe", fails)
    monkeypatch.setattr(watching, "listen", lambda until: waits.append(until - ready.now()))
    watching.run(rounds=3)
    record = ready.store.load("live")
    assert (record.state, "RuntimeError" in record.reason) == (verdicts.DEGRADED, True)
    assert min(waits) > 50
    assert events(ready).count("failed") == 3
    assert all(event["text"].isprintable() for event in ready.store.history())


def test_a_look_that_fails_where_nothing_can_be_written_is_told_and_guarded_all_the_same(
    ready: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, told, guarded = Watcher(ready), [], []

    def fails(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(watching, "_observe", fails)
    monkeypatch.setattr(watching, "_guard", lambda: guarded.append(True))
    monkeypatch.setattr(watching, "listen", lambda _until: None)
    monkeypatch.setattr(ready.store, "save", fails)
    monkeypatch.setattr(watching.outbox, "put", lambda alert, *_more: told.append(alert.key))
    watching.run(rounds=2)
    assert (told, guarded) == (["state/degraded"] * 2, [True] * 2)


def test_a_listener_is_alive_within_the_service_managers_patience(
    ready: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, waits = Watcher(ready), []
    monkeypatch.setattr(watching, "look", lambda: ready.now() + 600)
    monkeypatch.setattr(watching, "listen", lambda until: waits.append(until - ready.now()))
    watching.run(rounds=1)
    assert 0 < waits[0] <= watcher.LISTEN_SECONDS + 1


def test_what_is_read_of_the_log_is_in_the_record(ready: Control, fake_engine: Any) -> None:
    Watcher(ready).look()
    assert ready.store.log() == ready.gateway.log_state()
    assert (ready.store.log() or {})["summary"]["phase"] == "configured"


@given(st.text(st.characters(), max_size=50))
def test_nothing_foreign_reaches_a_report_as_it_is(said: str) -> None:
    gateway = Gateway({"host": "h", "port": 1})
    gateway.container = {
        "exists": True, "running": True, "status": "running", "frozen": None, "name": "c", "exit_code": None
    }  # fmt: skip
    line = said.replace("\n", "")
    gateway.summary.feed([
        "Starting session: will exit if login dialog", f"detected dialog entitled: {line}; event=Opened",
        f".> Invalid TRADING_MODE: {line}",
    ])  # fmt: skip
    for finding in (None, "bad_settings"):
        gateway.summary.finding = finding
        gateway.verdict = {"api_state": "port_closed", "final": False, "reason": "refused", "next_step": ""}
        judgement = gateway.judgement()
        assert (judgement.reason + judgement.next_step).isprintable()
        assert all(text.isprintable() for text in gateway.summary.as_dict().values() if isinstance(text, str))
