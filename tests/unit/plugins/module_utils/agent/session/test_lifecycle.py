# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import commands
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError, LateError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import lifecycle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway

# The product's wait between two tries; the fixture `quick` shortens it.
RETRY_SECONDS = lifecycle._RETRY_SECONDS
UP = [
    ".> Starting IBC/IB gateway",
    "IBC: Starting session: will exit if login dialog",
    "Login attempt: 1",
    "Login has completed",
    "Configuration tasks completed",
]


@pytest.fixture
def gateway(fake_engine: Any, deploy: Any, command_server: Any, healthy_port: int) -> Gateway:
    """A ready paper gateway whose container ends with code 0 at STOP."""
    command_server.on_command = lambda command: fake_engine.exit(0) if command == "STOP" else None
    fake_engine.log(*UP)
    found = deploy(port=healthy_port, command_port=command_server.port)
    return Gateway(found.endpoint(), found)


def test_stop(gateway: Gateway, fake_engine: Any) -> None:
    outcome = lifecycle.stop(gateway, Engine(), 10, check=False)
    assert vars(outcome) == {"changed": True, "actions": ["IBC STOP"], "how": "ibc", "exit_code": 0}
    again = lifecycle.stop(gateway, Engine(), 10, check=False)
    assert vars(again) == {"changed": False, "actions": [], "how": None, "exit_code": None}


def test_stop_in_check_mode(gateway: Gateway, fake_engine: Any) -> None:
    assert lifecycle.stop(gateway, Engine(), 10, check=True).actions == ["IBC STOP"]
    assert fake_engine.status == "running"


def test_stop_of_a_gateway_that_does_not_end(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.on_command = lambda _command: None
    outcome = lifecycle.stop(gateway, Engine(), 0.1, check=False)
    assert outcome.how == "docker"
    assert outcome.actions == ["IBC STOP", "docker stop -t 90"]
    assert outcome.exit_code == 143


def test_stop_where_ibc_does_not_listen_yet_keeps_to_its_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, command_server: Any
) -> None:
    monkeypatch.setattr(lifecycle, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(lifecycle, "COMMAND_PATIENCE", 0.1)
    command_server.close()
    outcome = lifecycle.stop(gateway, Engine(), 7, check=False)
    assert outcome.actions[1:] == ["docker stop -t 7"]
    assert outcome.exit_code == 143


def test_stop_that_ibc_refuses(gateway: Gateway, command_server: Any) -> None:
    command_server.replies["STOP"] = ["ERROR Command invalid"]
    command_server.on_command = lambda _command: None
    outcome = lifecycle.stop(gateway, Engine(), 5, check=False)
    assert outcome.how == "docker"
    assert outcome.actions[0] == "IBC STOP failed: IBC answered STOP with: ERROR Command invalid"


def test_stop_beside_one_that_is_under_way_sends_no_signal(
    gateway: Gateway, fake_engine: Any, command_server: Any
) -> None:
    command_server.replies["STOP"] = ["ERROR STOP already in progress"]
    command_server.on_command = lambda _command: threading.Timer(0.3, fake_engine.exit, (0,)).start()
    outcome = lifecycle.stop(gateway, Engine(), 5, check=False)
    assert (outcome.how, outcome.exit_code, outcome.actions) == ("ibc", 0, ["IBC STOP (already in progress)"])


def test_stop_during_the_start_waits_for_the_command_server(
    gateway: Gateway, fake_engine: Any, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_RETRY_SECONDS", 0.05)
    real, failures = commands.send, iter([True, True, False])

    def late(*arguments: Any) -> list[str]:
        if next(failures, False):
            raise commands.NoServerError("nothing listens")
        return real(*arguments)

    monkeypatch.setattr(commands, "send", late)
    assert vars(lifecycle.stop(gateway, Engine(), 10, check=False))["how"] == "ibc"


def test_stop_without_a_command_server(gateway: Gateway, command_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "COMMAND_PATIENCE", 0.0)
    command_server.close()
    outcome = lifecycle.stop(gateway, Engine(), 5, check=False)
    assert outcome.how == "docker"
    assert "nothing answers on 127.0.0.1" in outcome.actions[0]


def test_a_container_that_ends_by_itself_meanwhile(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.close()
    threading.Timer(0.2, fake_engine.exit, (1,)).start()
    outcome = lifecycle.stop(gateway, Engine(), 10, check=False)
    assert (outcome.how, outcome.exit_code, outcome.actions) == (None, 1, [])


def test_a_container_that_nothing_stops(
    gateway: Gateway, fake_engine: Any, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_KILL_SECONDS", 0.1)
    command_server.on_command = lambda _command: None
    fake_engine.on_stop = lambda: None
    fake_engine.exit = lambda _code: None
    with pytest.raises(lifecycle.SessionError, match="still runs after"):
        lifecycle.stop(gateway, Engine(), 0.1, check=False)


def test_restart_keeps_the_sign_in(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    def at_the_full_minute() -> None:
        fake_engine.log(
            "IBC returned exit status 0",
            "autorestart file found at /x: authentication will not be required",
            "IBC: Re-starting session",
            "Login has completed",
            "Configuration tasks completed",
        )

    def received(_command: str) -> None:
        fake_engine.log("IBC: CommandServer received command: RESTART")
        threading.Timer(0.2, at_the_full_minute).start()

    command_server.on_command = received
    outcome = lifecycle.restart(gateway, Engine(), 20, check=False)
    assert outcome.actions == ["IBC RESTART", "OK RESTART in progress", "OK RESTART at 10:01 PM", "ready again"]
    assert gateway.summary.full_authentication is False
    assert gateway.attempts == 1


def test_a_second_restart_in_one_run_is_refused(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    fake_engine.log("IBC: CommandServer received command: RESTART")
    with pytest.raises(lifecycle.SessionError, match="has had its RESTART: IBC takes one"):
        lifecycle.restart(gateway, Engine(), 5, check=False)
    assert command_server.received.empty()


def test_restart_that_does_not_happen(gateway: Gateway) -> None:
    with pytest.raises(lifecycle.SessionError, match=r"RESTART \(OK RESTART at 10:01 PM\), but no restart began"):
        lifecycle.restart(gateway, Engine(), 0.2, check=False)


def test_restart_that_does_not_come_back(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.on_command = lambda _command: fake_engine.log(
        "IBC: Re-starting session", "Too many failed login attempts"
    )
    with pytest.raises(lifecycle.SessionError, match="restarted but is blocked: "):
        lifecycle.restart(gateway, Engine(), 5, check=False)


def test_restart_of_a_gateway_that_has_not_signed_in(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.log("IBC: Re-starting session")
    with pytest.raises(lifecycle.SessionError, match=r"not signed in \(phase launched\)"):
        lifecycle.restart(gateway, Engine(), 5, check=False)


def test_restart_of_a_stopped_gateway(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.exit(0)
    with pytest.raises(lifecycle.SessionError, match="is stopped: RESTART needs a signed-in gateway"):
        lifecycle.restart(gateway, Engine(), 5, check=False)


def test_restart_in_check_mode(gateway: Gateway, command_server: Any) -> None:
    assert lifecycle.restart(gateway, Engine(), 5, check=True).changed
    assert command_server.received.empty()


@pytest.mark.parametrize(("mode", "allowed"), [("paper", False), ("live", True)])
def test_start(fake_engine: Any, deploy: Any, mode: str, allowed: bool) -> None:
    fake_engine.exit(0)
    found = deploy(mode=mode)
    assert lifecycle.start(Gateway(found.endpoint(), found), allowed).actions == ["docker start"]
    assert fake_engine.status == "exited"


def test_start_of_a_running_gateway(fake_engine: Any, deploy: Any) -> None:
    found = deploy(mode="live")
    assert not lifecycle.start(Gateway(found.endpoint(), found), False).changed


def test_start_of_live_without_leave(fake_engine: Any, deploy: Any) -> None:
    fake_engine.exit(0)
    found = deploy(mode="live")
    with pytest.raises(lifecycle.SessionError, match="sends a push to somebody's phone; set allow_signin: true"):
        lifecycle.start(Gateway(found.endpoint(), found), False)


def test_start_without_a_container(fake_engine: Any, deploy: Any) -> None:
    fake_engine.exists = False
    found = deploy()
    with pytest.raises(lifecycle.SessionError, match=r"ibgw-paper does not exist: run .*ibops\.gateway\.site"):
        lifecycle.start(Gateway(found.endpoint(), found), False)


def test_without_an_engine(no_engine: Any, deploy: Any) -> None:
    found = deploy()
    with pytest.raises(EngineError, match="unreachable"):
        lifecycle.stop(Gateway(found.endpoint(), found), Engine(), 5, False)


class Stubborn:
    """A gateway on a clock that only waiting moves. IBC is as *ibc* says, and SIGTERM changes nothing; *calls* are what
    was asked of IBC and of the engine, with the seconds given."""

    def __init__(self, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, ibc: str) -> None:
        self.engine, self.ibc, self.now = fake_engine, ibc, 1000.0
        self.calls: list[tuple[str, float]] = []
        self.ends_at = float("inf")
        really = Engine.wait

        def waits(engine: Engine, name: str, timeout: float) -> int | None:
            self.calls.append(("wait", round(timeout, 1)))
            self.now += timeout
            if self.now >= self.ends_at:
                fake_engine.exit(7)
            return really(engine, name, 0.01 if fake_engine.status == "running" else 5.0)

        def stops(_engine: Engine, _name: str, patience: int, timeout: float) -> None:
            assert 0 < patience <= timeout
            self.calls.append(("stop", patience))
            self.now += timeout
            raise LateError("late")

        monkeypatch.setattr(Engine, "wait", waits)
        monkeypatch.setattr(Engine, "stop", stops)
        monkeypatch.setattr(commands, "send", self.send)
        monkeypatch.setattr(lifecycle, "_RETRY_SECONDS", RETRY_SECONDS)

    def send(self, *_arguments: object) -> list[str]:
        self.calls.append(("send", 0))
        self.now += commands.TALK_SECONDS if self.ibc == "drips" else 0.0
        if self.ibc == "answers and does nothing":
            return ["OK"]
        if self.ibc == "ends":
            self.engine.exit(7)
        raise {
            "is not there": commands.NoServerError,
            "is at it": commands.UnderWayError,
            "hangs up": EngineError,
            "ends": EngineError,
            "drips": commands.ChannelError,
        }[self.ibc](self.ibc)

    def stop(self, gateway: Gateway, timeout: float, grace: int | None) -> lifecycle.Outcome:
        gateway.clock = lambda: self.now
        self.engine.stop_grace = grace
        return lifecycle.stop(gateway, Engine(), timeout, check=False)


@pytest.mark.parametrize("grace", [6, None])
@pytest.mark.parametrize("ibc", ["answers and does nothing", "is at it", "drips", "hangs up", "is not there"])
def test_a_stop_ends_in_its_time(
    gateway: Gateway, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, ibc: str, grace: int | None
) -> None:
    world = Stubborn(fake_engine, monkeypatch, ibc)
    outcome = world.stop(gateway, 600, grace)
    assert (outcome.exit_code, outcome.how, outcome.actions[-1]) == (137, "docker", "docker kill")
    assert world.now - 1000.0 <= (grace or 90) + 15


# After the kill; a stop that fails is followed by it at once.
KILL = [("wait", 4.0)]


@pytest.mark.parametrize(
    ("ibc", "timeout", "grace", "calls"),
    [
        # IBC has two thirds of the grace, or what the caller gives; SIGTERM has the rest.
        ("answers and does nothing", 600, 90, [("send", 0), ("wait", 60.0), ("stop", 30), *KILL]),
        ("answers and does nothing", 600, None, [("send", 0), ("wait", 60.0), ("stop", 30), *KILL]),
        ("answers and does nothing", 10, 90, [("send", 0), ("wait", 10.0), ("stop", 80), *KILL]),
        ("answers and does nothing", 600, 1, [("send", 0), ("wait", 1.0), ("stop", 1), *KILL]),
        ("is at it", 600, 90, [("send", 0), ("wait", 60.0), ("stop", 30), *KILL]),
        # There may be a session behind an IBC that talks nonsense: SIGTERM has all of the grace to log it off.
        ("hangs up", 600, 90, [("send", 0), ("stop", 90), *KILL]),
        # Without a command server there is none.
        (
            "is not there",
            600,
            90,
            [*[("send", 0), ("wait", 1.0)] * 20, ("send", 0), ("stop", 40), *KILL],
        ),
        ("is not there", 3, 90, [*[("send", 0), ("wait", 1.0)] * 3, ("send", 0), ("stop", 1), *KILL]),
    ],
)
def test_who_has_how_long(
    gateway: Gateway,
    fake_engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    ibc: str,
    timeout: float,
    grace: int | None,
    calls: list[tuple[str, float]],
) -> None:
    world = Stubborn(fake_engine, monkeypatch, ibc)
    world.stop(gateway, timeout, grace)
    assert world.calls == calls


def test_an_exit_code_that_comes_late_is_no_reason_to_kill(
    gateway: Gateway, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Stubborn(fake_engine, monkeypatch, "hangs up")
    monkeypatch.setattr(Engine, "stop", lambda *_arguments: setattr(world, "ends_at", world.now + 3.0))
    outcome = world.stop(gateway, 600, 90)
    assert (outcome.actions[1:], outcome.exit_code) == (["docker stop -t 90"], 7)


def test_one_that_ends_before_ibc_listens_is_asked_no_more(
    gateway: Gateway, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Stubborn(fake_engine, monkeypatch, "is not there")
    world.ends_at = world.now + 2.0
    assert vars(world.stop(gateway, 600, 90)) == {"changed": False, "actions": [], "how": None, "exit_code": 7}
    assert world.calls == [("send", 0), ("wait", 1.0)] * 2


def test_one_that_ends_while_it_is_asked_is_not_stopped_again(
    gateway: Gateway, fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Stubborn(fake_engine, monkeypatch, "ends")
    assert vars(world.stop(gateway, 600, 90)) == {"changed": False, "actions": [], "how": None, "exit_code": 7}
    assert world.calls == [("send", 0)]


@pytest.mark.parametrize("call", ["unpause", "kill"])
def test_an_engine_that_refuses_a_step_does_not_end_the_stop(
    gateway: Gateway, fake_engine: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuses(*_arguments: object) -> None:
        raise EngineError("refused")

    world = Stubborn(fake_engine, monkeypatch, "answers and does nothing")
    fake_engine.status = "paused"
    monkeypatch.setattr(Engine, call, refuses)
    if call == "kill":
        with pytest.raises(lifecycle.SessionError, match="still runs after"):
            world.stop(gateway, 600, 90)
    else:
        outcome = world.stop(gateway, 600, 90)
        assert (outcome.actions, outcome.exit_code) == (["IBC STOP", "docker stop -t 30", "docker kill"], 137)


def test_a_paused_container_goes_on_to_be_signed_off(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.status = "paused"
    outcome = lifecycle.stop(gateway, Engine(), 10, check=False)
    assert (outcome.actions, outcome.how) == (["docker unpause", "IBC STOP"], "ibc")


@pytest.mark.parametrize(
    ("version", "knows"),
    [("3.24.0", True), ("3.24.1", True), ("4.0", True), ("3.23.9", False), ("3.24", False), ("", False)],
)
def test_which_ibc_knows_a_pause(gateway: Gateway, fake_engine: Any, version: str, knows: bool) -> None:
    fake_engine.log(*[f"IBC: version: {version}"] * bool(version))
    gateway.look()
    with (
        contextlib.nullcontext() if knows else pytest.raises(lifecycle.SessionError, match=r"PAUSE came with 3\.24\.0")
    ):
        assert lifecycle.pause(gateway, Engine(), 5, check=True).actions == ["IBC PAUSE"]


def test_a_pause_that_does_not_happen_is_waited_for_in_bounds(
    gateway: Gateway, fake_engine: Any, command_server: Any
) -> None:
    command_server.replies["PAUSE"] = ["OK PAUSE in progress"]
    fake_engine.log("IBC: version: 3.24.1")
    gateway.look()
    accepted: list[bool] = []
    with pytest.raises(lifecycle.SessionError, match="still runs after 0 s"):
        lifecycle.pause(gateway, Engine(), 0.1, check=False, accepted=lambda: accepted.append(True))
    assert accepted == [True]


IBG_START = [".> Starting IBC/IB gateway", "Gateway PID: 21 (JVM console -> /tmp/jvm_console_live.log)"]
IBG_LOGIN = ["Waiting for login dialog (JPasswordField in showing Window)", "Log In clicked successfully"]
IBG_UP = [*IBG_START, *IBG_LOGIN, "API port 4001 accepting connections after 0s", "Readiness signal: /tmp/x"]


@pytest.fixture
def ibg(fake_engine: Any, deploy: Any, command_server: Any, healthy_port: int) -> Gateway:
    """A live gateway that ibg-controller drives, its command server open; the container ends with 0 at STOP."""
    command_server.on_command = lambda command: fake_engine.exit(0) if command == "STOP" else None
    command_server.replies["STOP"] = ["OK STOP"]
    found = deploy(
        name="live", mode="live", port=healthy_port, command_port=command_server.port, controller="ibg-controller"
    )
    return Gateway(found.endpoint(), found)


def test_ibg_controller_signs_off_by_stop(ibg: Gateway, fake_engine: Any) -> None:
    fake_engine.log(*IBG_UP)
    outcome = lifecycle.stop(ibg, Engine(), 10, check=False)
    assert vars(outcome) == {
        "changed": True,
        "actions": ["ibg-controller STOP"],
        "how": "ibg-controller",
        "exit_code": 0,
    }


def test_ibg_controllers_refusal_is_one(ibg: Gateway, fake_engine: Any, command_server: Any) -> None:
    fake_engine.log(*IBG_UP)
    command_server.replies["STOP"] = ["ERR auth_required"]
    command_server.on_command = lambda _command: None
    outcome = lifecycle.stop(ibg, Engine(), 5, check=False)
    assert outcome.actions[0] == ("ibg-controller STOP failed: ibg-controller answered STOP with: ERR auth_required")
    assert outcome.how == "docker"


@pytest.mark.parametrize(
    "lines",
    [
        IBG_START,
        [*IBG_START, *IBG_LOGIN],
        [*IBG_START, *IBG_LOGIN, "Waiting for IB Key mobile approval"],
        [*IBG_START, *IBG_LOGIN, "2FA dialog dismissed"],
        [".> Starting IBC/IB gateway", "TWS_USERID and TWS_PASSWORD must be set"],
    ],
)
def test_before_its_first_sign_in_ibg_controllers_container_is_killed(
    ibg: Gateway, fake_engine: Any, command_server: Any, lines: list[str]
) -> None:
    """A docker stop would take all of its time, and the push would stand meanwhile."""
    command_server.close()
    fake_engine.log(*lines)
    outcome = lifecycle.stop(ibg, Engine(), 60, check=False)
    assert (outcome.actions[1:], outcome.how, outcome.exit_code) == (["docker kill"], "docker", 137)


@pytest.mark.parametrize("lines", [IBG_UP, [], [*IBG_UP, "Received signal 15 (SIGTERM), shutting down Gateway"]])
def test_what_may_have_a_session_of_ibg_controller_is_given_its_time(
    ibg: Gateway, fake_engine: Any, command_server: Any, lines: list[str]
) -> None:
    command_server.close()
    fake_engine.log(*lines)
    outcome = lifecycle.stop(ibg, Engine(), 60, check=False)
    assert outcome.actions[1:] == ["docker stop -t 90"]


def test_ibg_controller_is_asked_for_no_restart_and_no_pause(
    ibg: Gateway, fake_engine: Any, command_server: Any
) -> None:
    fake_engine.log(*IBG_UP)
    for request in (
        lambda: lifecycle.restart(ibg, Engine(), 1, check=True),
        lambda: lifecycle.restart(ibg, Engine(), 1, check=False),
        lambda: lifecycle.pause(ibg, Engine(), 1, check=False),
        lambda: lifecycle.request_restart(ibg, Engine()),
    ):
        with pytest.raises(lifecycle.SessionError, match=r"gateway live is driven by ibg-controller.*Nothing was"):
            request()
    assert command_server.received.empty()
    assert fake_engine.status == "running"


@pytest.mark.parametrize(
    ("program", "api_state", "lines", "asked"),
    [
        ("tws", "proxy_up_gateway_down", UP, True),
        ("tws", "proxy_up_gateway_down", UP[:-1], False),
        ("tws", "ready", UP, False),
        ("tws", "proxy_up_gateway_down", [*UP, "CommandServer received command: ENABLEAPI"], False),
        ("gateway", "proxy_up_gateway_down", UP, False),
    ],
)
def test_the_api_of_tws_is_switched_on_once_it_is_signed_in(
    fake_engine: Any, deploy: Any, command_server: Any, program: str, api_state: str, lines: list[str], asked: bool
) -> None:
    fake_engine.log(*lines)
    command_server.replies["ENABLEAPI"] = ["OK configured"]
    found = deploy(command_port=command_server.port, program=program)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    gateway.verdict = {"api_state": api_state}
    lifecycle.enable_api(gateway, Engine())
    assert [command_server.received.get(timeout=5) for _each in range(command_server.received.qsize())] == (
        ["ENABLEAPI"] * asked
    )


def test_an_api_that_cannot_be_switched_on_is_left_to_a_person(
    fake_engine: Any, deploy: Any, command_server: Any
) -> None:
    fake_engine.log(*UP)
    command_server.replies["ENABLEAPI"] = ["ERROR could not find Enable ActiveX checkbox"]
    found = deploy(command_port=command_server.port, program="tws")
    now = [0.0]
    gateway = Gateway(found.endpoint(), found, clock=lambda: now[0])
    gateway.refresh()
    gateway.verdict = {"api_state": "proxy_up_gateway_down", "final": False, "reason": "x", "next_step": "y"}
    for _look in range(100):
        lifecycle.enable_api(gateway, Engine())
        now[0] += 1
    heard = [command_server.received.get(timeout=5) for _each in range(command_server.received.qsize())]
    assert heard == ["ENABLEAPI"] * 3
    assert gateway.enable_requests == [0.0, 20.0, 40.0]
    assert gateway.judgement().next_step.startswith("Switch on Enable ActiveX and Socket Clients in TWS")
    # The next run of the JVM is asked again.
    fake_engine.log("IBC: Re-starting session")
    gateway.refresh()
    assert gateway.enable_requests == []


def test_an_engine_that_is_away_is_no_fault_of_the_api(fake_engine: Any, deploy: Any) -> None:
    fake_engine.log(*UP)
    found = deploy(program="tws")
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    gateway.verdict = {"api_state": "proxy_up_gateway_down"}
    lifecycle.enable_api(gateway, Engine("/nowhere"))
    assert len(gateway.enable_requests) == 1
