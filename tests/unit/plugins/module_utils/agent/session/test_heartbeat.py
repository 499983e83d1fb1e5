# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The heartbeat, against a real HTTP server: when it is sent, and when not."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.plugins.driven import World, hung
from tests.unit.plugins.session_log import BEGUN, IN, PUSH, TUESDAY, new_york

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import duty, heartbeat, policy, watching
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.heartbeat import Heartbeat
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant, Record

SECRET = "s3cr3t-token"
SCRIPT = [(float(second), line) for second, line in enumerate((*BEGUN, PUSH, *IN), 1)]


class Service:
    """A dead man's switch: it answers with *status*, and keeps what came."""

    def __init__(self) -> None:
        self.status = 200
        self.calls: list[tuple[str, str, dict[str, Any] | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.calls.append((self.command, self.path, json.loads(content) if content else None))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def called(deploy: Any) -> Callable[..., None]:
    """Write the settings of gateway live's heartbeat."""
    deploy(name="live", mode="live")

    def write(url: str, **more: Any) -> None:
        with open(heartbeat.path("live"), "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "url": url, **more}, file)

    return write


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def beats(clock: Clock, seconds: float = 0.0, one: Heartbeat | None = None, **body: Any) -> Heartbeat:
    clock.now += seconds
    made = one or Heartbeat("live", clock, lambda: TUESDAY + clock.now)
    made.beat(body)
    made.wait(5)
    return made


def test_it_is_called_with_the_state_and_not_more_often_than_set(called: Any, service: Service) -> None:
    called(service.url)
    clock = Clock()
    one = beats(clock, state="ready")
    for seconds in (10, 40, 10):
        beats(clock, seconds, one, state="ready")
    assert service.calls == [("POST", f"/{SECRET}", {"schema": 1, "state": "ready"})] * 2
    assert (one.sent, one.failed, one.last, one.fault) == (2, 0, TUESDAY + 60, "")


def test_get_sends_no_body(called: Any, service: Service) -> None:
    called(service.url, method="GET")
    beats(Clock(), state="ready")
    assert service.calls == [("GET", f"/{SECRET}", None)]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_one_that_is_not_taken_is_repeated_and_named_without_the_url(
    called: Any, service: Service, status: int
) -> None:
    called(service.url)
    service.status = status
    clock = Clock()
    one = beats(clock)
    assert (one.fault, one.failed) == (f"HTTP status {status}", 1)
    service.status = 200
    beats(clock, 5, one)
    assert len(service.calls) == 1
    beats(clock, heartbeat.RETRY_SECONDS, one)
    assert (one.fault, one.sent, [path for _method, path, _body in service.calls]) == ("", 1, [f"/{SECRET}"] * 2)


def test_a_service_that_is_not_there_is_named_without_the_url(called: Any) -> None:
    called(f"http://127.0.0.1:1/{SECRET}")
    one = beats(Clock())
    assert one.fault == "ConnectionRefusedError"


def test_one_that_drips_delays_nobody_and_is_given_up(called: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "CALL_SECONDS", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def drip() -> None:
        client, _peer = listener.accept()
        accepted.append(client)
        try:
            while True:
                client.sendall(b"H")
                time.sleep(0.05)
        except OSError:
            pass

    threading.Thread(target=drip, daemon=True).start()
    called(f"http://127.0.0.1:{listener.getsockname()[1]}/{SECRET}")
    one = Heartbeat("live")
    begun = time.monotonic()
    one.beat({})
    one.beat({})
    assert time.monotonic() - begun < 0.3
    one.wait(5)
    assert time.monotonic() - begun < 2
    assert (one.fault, one.failed, len(accepted)) == ("it did not answer in time", 1, 1)
    listener.close()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"url": "http://example.org/x"}',
        '{"url": "https://a", "every": 1}',
        '{"url": "https://a", "method": "PUT"}',
    ],
)
def test_settings_that_cannot_be_used_are_told(called: Any, content: str) -> None:
    called("https://a")
    with open(heartbeat.path("live"), "w", encoding="utf-8") as file:
        file.write(content)
    assert "ibops.gateway.site" in beats(Clock()).fault


def test_without_settings_nobody_is_called(deploy: Any) -> None:
    deploy(name="live", mode="live")
    one = beats(Clock())
    assert (one.sent, one.failed, one.fault) == (0, 0, "")


# By the watcher


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any, called: Any, service: Service
) -> World:
    """A live gateway that is signed in, watched in the driven time, with a heartbeat."""
    made = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY)
    made.ibc = SCRIPT
    called(service.url)
    made.act(lambda control: control.sign_in(lambda _step, _text: None))
    made.watch(120)
    settle(made)
    assert service.calls[-1][2] is not None
    assert service.calls[-1][2]["state"] == verdicts.READY
    return made


def settle(world: World) -> None:
    world.watcher.publisher.heartbeat.wait(5)


def count(world: World, service: Service, seconds: float) -> int:
    """How many calls come within *seconds* of the driven time."""
    settle(world)
    before = len(service.calls)
    end = world.time + seconds
    while world.time < end:
        world.watch(1)
        settle(world)
    return len(service.calls) - before


def test_a_healthy_gateway_is_told_each_minute_without_a_secret(world: World, service: Service) -> None:
    assert count(world, service, 600) in (9, 10, 11)
    text = json.dumps([body for _method, _path, body in service.calls])
    assert "U1234567" not in text
    assert SECRET not in text


def test_none_for_a_while_after_systemd_had_to_restart_the_watcher(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "unit", lambda _name: {"restarts": 1})
    world.watcher.publisher.restarts = watching.Restarts("live", lambda: world.time)
    assert count(world, service, watching.SUSPECT_SECONDS - 10) == 0
    assert world.told == ["watcher"]
    assert count(world, service, 130) >= 1


def test_none_while_the_gateway_hangs(world: World, service: Service) -> None:
    world.api = hung
    world.replies["RESTART"] = ("ERROR RESTART refused", lambda: None)
    count(world, service, 200)
    assert count(world, service, 600) == 0


def test_none_while_it_is_blocked_and_again_when_a_person_has_helped(world: World, service: Service) -> None:
    world.fake.exit(137)
    assert count(world, service, 600) == 0
    assert world.store.load("live").state == verdicts.BLOCKED
    world.act(lambda control: control.sign_in(lambda _step, _text: None))
    assert count(world, service, 180) >= 2


def test_none_while_the_disk_is_full(world: World, service: Service) -> None:
    world.fill_disk()
    assert count(world, service, 600) == 0
    world.free_disk()
    assert count(world, service, 180) >= 2


def test_none_from_a_watcher_whose_looks_fail(world: World, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise RuntimeError("no look")

    monkeypatch.setattr(policy, "decide", fails)
    assert count(world, service, 600) == 0
    assert world.watcher.publisher.tally.looks_failed >= 9


def test_none_from_a_watcher_whose_look_hangs(world: World, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called from a look alone: no thread of its own goes on where a look does not end."""
    hangs, goes_on = threading.Event(), threading.Event()

    def hang(*_arguments: object) -> None:
        hangs.set()
        goes_on.wait(10)

    monkeypatch.setattr(policy, "decide", hang)
    before = len(service.calls)
    looking = threading.Thread(target=world.watcher.look, daemon=True)
    looking.start()
    assert hangs.wait(5)
    world.time += 3600
    time.sleep(0.3)
    assert len(service.calls) == before
    health = world.watcher.publisher.health()
    assert (health.status, "overdue" in health.content) == (503, True)
    goes_on.set()
    looking.join(10)


def test_none_without_a_network_and_the_look_goes_on(world: World, service: Service) -> None:
    service.server.shutdown()
    service.server.server_close()
    looks = world.watcher.publisher.tally.looks
    assert count(world, service, 300) == 0
    assert world.watcher.publisher.tally.looks >= looks + 4
    (told, *_more) = [each["text"] for each in world.store.history() if each["event"] == "publish_failed"]
    assert told.startswith("heartbeat: ")
    assert SECRET not in told


def test_a_gateway_that_a_person_stopped_is_as_it_should_be(world: World, service: Service) -> None:
    world.act(lambda control: control.stop(60))
    assert count(world, service, 300) >= 4


# Conditions for the heartbeat


def live(**changes: Any) -> Record:
    fields = {"state": verdicts.READY, "since": TUESDAY - 3600, "checked_at": TUESDAY, "signed_in_at": TUESDAY - 7200,
              "valid_until": TUESDAY + 86400}  # fmt: skip
    return Record("live", "live", **{**fields, **changes})


SUNDAY_EVENING = new_york("2026-11-29 18:00")


@pytest.mark.parametrize(
    ("record", "now", "said"),
    [
        (live(), TUESDAY, ""),
        (live(), TUESDAY + 139, ""),
        (live(), TUESDAY + 150, "overdue"),
        (live(grant=Grant(SIGN_IN, "Ann", TUESDAY, TUESDAY + 600)), TUESDAY + 300, ""),
        (live(state=verdicts.BLOCKED, reason="why"), TUESDAY, "blocked: why"),
        (live(state=verdicts.DEGRADED, reason="why"), TUESDAY, "degraded: why"),
        (live(state=verdicts.DEGRADED, since=TUESDAY - 59), TUESDAY, ""),
        (live(state=verdicts.STOPPED, stopped_by="the operator"), TUESDAY, ""),
        (live(state=verdicts.STOPPED, valid_until=None, stopped_by="the plan", checked_at=SUNDAY_EVENING),
         SUNDAY_EVENING, "the weekly sign-in is overdue"),
        (live(state=verdicts.STOPPED, valid_until=None, stopped_by="the plan", checked_at=SUNDAY_EVENING - 7200),
         SUNDAY_EVENING - 7200, ""),
        (live(state=verdicts.STOPPED, valid_until=None, stopped_by="the operator", checked_at=SUNDAY_EVENING),
         SUNDAY_EVENING, ""),
        (live(state=verdicts.STOPPED, signed_in_at=None, valid_until=None, checked_at=SUNDAY_EVENING),
         SUNDAY_EVENING, ""),
    ],
)  # fmt: skip
def test_a_fault(record: Record, now: float, said: str) -> None:
    fault = duty.fault(record, Plan(), now)
    assert said in fault
    assert bool(said) is bool(fault)


def test_a_reset_of_ibkr_is_no_fault_and_an_alert_that_nobody_gets_is_one() -> None:
    night = new_york("2026-11-24 00:30")
    down = live(state=verdicts.DEGRADED, since=night - 600, checked_at=night)
    assert duty.fault(down, Plan(), night) == ""
    assert duty.fault(live(), Plan(), TUESDAY, alert_since=TUESDAY - 800) == ""
    assert (
        duty.fault(live(), Plan(), TUESDAY, alert_since=TUESDAY - 1000)
        == "an alert has waited 17 minutes for its channel"
    )
    assert duty.fault(live(), Plan(), TUESDAY, "the disk is full") == "the disk is full"
