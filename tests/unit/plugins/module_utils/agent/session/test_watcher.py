# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import socket
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.access.authority import SERVER, Authority, days
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

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, descriptor, plan, watcher, week
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.alerts import Outbox
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


class Ended(Exception):
    """Ends a watcher that would watch for ever."""


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
    Watcher(live).look()
    (told,) = [event for event in live.store.history() if event["event"] == "alert_failed"]
    assert "webhook/0: ConnectionRefusedError" in told["text"]
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


# What it hears


@pytest.fixture
def ready(control: Any, fake_engine: Any) -> Control:
    """A live gateway that is signed in, a log that is at rest, and a clock that goes on from its sign-in."""
    live: Control = control()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    begun = time.monotonic()
    live.now = lambda: TUESDAY + time.monotonic() - begun
    return live


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
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)

        def run(self: Watcher, ended: Any) -> None:
            ran.append(self.control.by)
            self.alive()
            raise Ended

        monkeypatch.setattr(Watcher, "run", run)
        with pytest.raises(Ended):
            watcher.watch("live")
        assert [systemd.recv(100) for _each in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    assert ran == ["the watcher"]


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


# What it remembers and tells


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


def told(control: Control) -> list[str]:
    content = json.loads(Path(control.store.directory, "alerts.json").read_text())
    return [entry["alert"]["key"] for entry in content["pending"]]


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def telling(control: Any) -> tuple[Watcher, Clock]:
    """A live watcher with a clock of its own; its Outbox goes by the same."""
    clock = Clock(TUESDAY)
    live = control()
    live.now = clock
    watching = Watcher(live)
    watching.outbox = Outbox(live.store.directory, clock)
    return watching, clock


def record_of(state: str, since: float, **more: Any) -> Record:
    return Record("live", "live", state=state, since=since, signed_in_at=TUESDAY - 3600, **more)


def test_what_people_are_told(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    well, broken = record_of("ready", TUESDAY), record_of("degraded", TUESDAY)
    watching._tell(well, broken)
    clock.now += 30
    watching._tell(broken, broken)
    assert not Path(watching.outbox.path).exists(), "the first minute of a fault is nobody's business"
    clock.now += 60
    watching._tell(broken, broken)
    assert told(watching.control) == ["state/degraded"]
    watching._tell(broken, well)
    assert told(watching.control) == ["state/degraded", "state/ready"]
    watching._tell(well, well)
    watching._tell(record_of("starting", TUESDAY), well)
    assert told(watching.control) == ["state/degraded", "state/ready"]
    blocked = record_of("blocked", clock.now)
    watching._tell(well, blocked)
    assert told(watching.control)[-1] == "state/blocked"


def test_a_fault_that_comes_again_is_told_again(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    well, blocked = record_of("ready", TUESDAY), record_of("blocked", TUESDAY)
    watching._tell(well, blocked)
    watching._tell(blocked, well)
    assert "state/blocked" not in watching.outbox._told
    clock.now += 60
    watching._tell(well, blocked)
    assert "state/blocked" in watching.outbox._told


def test_a_fault_is_told_anew_after_a_sign_in_that_the_watcher_did_not_see(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    down, signed_in, blocked = (record_of(state, TUESDAY) for state in ("blocked", "ready", "blocked"))
    watching._tell(down, down)
    first = watching.outbox._told["state/blocked"]
    clock.now += 5
    watching._tell(signed_in, blocked)
    assert watching.outbox._told["state/blocked"] > first


def test_a_lost_link_in_ibkrs_reset_is_nobodys_fault(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    clock.now = new_york("2026-11-25 00:40")
    broken = record_of("degraded", clock.now - 600)
    watching._tell(broken, broken)
    assert not Path(watching.outbox.path).exists()


def test_the_weekly_reminder_is_told_once(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    clock.now = new_york("2026-11-29 12:05")
    stopped = record_of("stopped", clock.now)
    for _each in range(3):
        watching._tell(stopped, stopped)
    assert told(watching.control) == ["reminder/2026-11-29/noon"]
    paper = Record("paper", "paper", state="stopped")
    watching._tell(paper, paper)
    assert len(told(watching.control)) == 1


def test_the_end_of_a_release_is_told_at_once_and_more_urgently_in_its_last_week(
    telling: tuple[Watcher, Clock],
) -> None:
    watching, clock = telling
    gateway = watching.control.gateway
    ready = record_of("ready", clock.now)
    watching._tell(ready, ready)
    assert not watching.outbox._told
    gateway.verdict = {"api_state": "ready", "release_notice": "1045.1 will be desupported on 20261215: 1050.1"}
    watching._tell(ready, ready)
    (alert,) = (entry["alert"] for entry in json.loads(Path(watching.outbox.path).read_text())["pending"])
    assert (alert["key"], alert["severity"]) == ("release/warning", "warning")
    assert alert["title"] == "live: release 10.45.1 is accepted by IBKR until 2026-12-15; the minimum then is 10.50.1"
    assert "10.50.1 or later" in alert["next_step"]
    moments = []
    for day in ("11-25", "12-01 12:01", "12-07 23:00", "12-08", "12-08 12:00", "12-09 00:01", "12-20"):
        clock.now = new_york(f"2026-{day}" if " " in day else f"2026-{day} 00:00")
        before = dict(watching.outbox._told)
        watching._tell(ready, ready)
        moments += [
            (day, key) for key, at in watching.outbox._told.items() if before.get(key) != at and "release" in key
        ]
    assert moments == [
        ("12-01 12:01", "release/warning"),
        *((day, "release/critical") for day in ("12-08", "12-09 00:01", "12-20")),
    ]


def test_a_gateway_that_announces_another_end_each_time_is_told_once(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    ready = record_of("ready", clock.now)
    for day in range(10, 29):
        watching.control.gateway.verdict = {"api_state": "ready", "release_notice": f"desupported on 202712{day}"}
        watching._tell(ready, ready)
    assert told(watching.control) == ["release/warning"]


def test_the_end_of_a_certificate_is_told_in_three_steps(telling: tuple[Watcher, Clock]) -> None:
    watching, clock = telling
    place = Path(descriptor.ROOT, "live", "mtls")
    authority = Authority()
    authority.issue(place, "gateway", SERVER, ends=40, kind="server")
    authority.revoke(place / "clients.crl", ends=100)
    ends = f"{days(40).timestamp():.0f}"
    ready = record_of("ready", clock.now)
    seen = []
    for left in (22, 20.5, 20, 8, 6.9, 1, -0.5):
        clock.now = days(40 - left).timestamp()
        watching._tell(ready, ready)
        watching._tell(ready, ready)
        seen.append([key for key in watching.outbox._told if key.startswith("ends/")])
    steps = [f"ends/server.crt/{ends}/{limit}" for limit in (21, 7, 0)]
    assert seen == [[], steps[:1], steps[:1], steps[:1], steps[:2], steps[:2], steps]


def test_a_change_of_state_is_in_the_history(ready: Control, fake_engine: Any) -> None:
    watching = Watcher(ready)
    watching.look()
    fake_engine.exit(1)
    watching.look()
    assert ready.store.history()[-1]["state"] == "blocked"


def test_a_clock_that_is_put_back_does_not_put_it_to_sleep(ready: Control, fake_engine: Any) -> None:
    """A line that wakes nobody comes after the clock was put back: the rest of the minute is what it was."""
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


# Days away from now, since the clock of these tests is the machine's.
FAR = week.DAYS[(datetime.now(week.NEW_YORK).weekday() + 3) % 7]
SESSION = {"name": "a", "days": [FAR], "time": "09:30", "zone": "America/New_York", "lead_minutes": 5}
GOOD_PLAN = json.dumps({"paper_sessions": [SESSION | {"max_minutes": 60}]})
DAMAGED = ["{", "[]", json.dumps({"paper_sessions": [SESSION | {"max_minutes": 60, "zone": "Mars/Olympus"}]})]


def watched(monkeypatch: pytest.MonkeyPatch, *between: Any) -> list[Watcher]:
    """Watch gateway paper; after each look one of *between* happens, then the end. Return what looked."""
    seen: list[Watcher] = []
    left = list(between)

    def listen(self: Watcher, _until: float) -> None:
        seen.append(self)
        act()

    def act(_seconds: float = 0.0) -> None:
        if not left:
            raise Ended
        left.pop(0)()

    monkeypatch.setattr(Watcher, "listen", listen)
    with pytest.raises(Ended):
        watcher.watch("paper", sleep=act)
    return seen


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_plan_is_a_state_and_the_watcher_goes_on(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    paper = control("paper")
    path = Path(plan.path("paper"))
    records: list[Record] = []

    def note() -> None:
        records.append(paper.store.load("paper"))

    def damage() -> None:
        note()
        path.write_text(content)

    def mend() -> None:
        note()
        path.write_text(GOOD_PLAN + " ")

    path.write_text(GOOD_PLAN)
    watchers = watched(monkeypatch, damage, mend, note)
    assert [record.state for record in records] == [verdicts.STOPPED, verdicts.DEGRADED, verdicts.STOPPED]
    assert str(path) in records[1].reason
    assert "site.yml" in records[1].next_step
    # Told at once: it does not pass by itself.
    assert "state/degraded" in watchers[1].outbox._told
    # In the meantime the last good plan was in force, and after it the new one.
    assert [len(each.control.plan.paper_sessions) for each in watchers] == [1] * 4
    assert len({id(each) for each in watchers}) == 3
    assert fake_engine.status != "running"


def test_a_plan_that_was_damaged_from_the_start_starts_nothing_and_is_told_once(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(plan.path("paper"))
    path.write_text(DAMAGED[-1])
    watchers = watched(monkeypatch, *[lambda: None] * 3)
    assert all(each.control.plan == plan.Plan() for each in watchers)
    assert len({id(each) for each in watchers}) == 1
    record = paper.store.load("paper")
    assert record.state == verdicts.DEGRADED
    # It stands since the first look, and not since the last: an alert has its time.
    assert [event["event"] for event in paper.store.history()].count("state") == 1


def test_a_damaged_plan_is_told(ready: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Outbox, "put", lambda _self, alert, *_more: told.append(alert.key))
    watching = Watcher(ready, fault="session.json is damaged")
    begun = ready.now()
    for seconds in (0, 61):
        ready.now = lambda seconds=seconds: begun + seconds  # type: ignore[misc]  # bound now, not late
        watching.look()
    assert "state/degraded" in told
    record = ready.store.load("live")
    assert (record.state, record.since) == (verdicts.DEGRADED, begun)


def test_a_blocked_gateway_stays_blocked_whatever_its_plan(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = control()
    with live.acting("test") as record:
        record.signed_in_at = TUESDAY
    watching = Watcher(live, fault="session.json is damaged")
    watching.look()
    assert live.store.load("live").state == verdicts.BLOCKED


def test_a_damaged_descriptor_is_a_state_and_an_alert(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(descriptor.path("paper"))
    good = path.read_text()
    Path(alerts.path("paper")).write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/secret"}]')
    records: list[Record] = []

    def mend() -> None:
        records.append(paper.store.load("paper"))
        path.write_text(good)

    path.write_text("{")
    watchers = watched(monkeypatch, lambda: None, mend, lambda: records.append(paper.store.load("paper")))
    assert [record.state for record in records] == [verdicts.DEGRADED, verdicts.STOPPED]
    assert str(path) in records[0].reason
    assert len({id(each) for each in watchers}) == 1
    history = [event["event"] for event in paper.store.history()]
    assert history.count("alert_failed") >= 1
    assert history.count("state") == 2


def test_a_descriptor_that_is_damaged_later_leaves_the_watcher_with_the_good_one(
    control: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = control("paper")
    path = Path(descriptor.path("paper"))
    watchers = watched(monkeypatch, lambda: path.write_text("{"), lambda: path.unlink(), lambda: None)
    assert all(each.control.descriptor == paper.descriptor for each in watchers)
    assert [bool(each.fault) for each in watchers] == [False, True, True, True]
    assert paper.store.load("paper").state == verdicts.DEGRADED


def test_what_is_no_name_cannot_be_watched() -> None:
    with pytest.raises(descriptor.DescriptorError):
        watcher.watch("../etc")
