# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import channel, session
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.engine import Engine, EngineError, LateError
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.look import Gateway

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
    outcome = session.stop(gateway, Engine(), 10, check=False)
    assert vars(outcome) == {"changed": True, "actions": ["IBC STOP"], "how": "ibc", "exit_code": 0}
    again = session.stop(gateway, Engine(), 10, check=False)
    assert vars(again) == {"changed": False, "actions": [], "how": None, "exit_code": None}


def test_stop_in_check_mode(gateway: Gateway, fake_engine: Any) -> None:
    assert session.stop(gateway, Engine(), 10, check=True).actions == ["IBC STOP"]
    assert fake_engine.status == "running"


def test_stop_of_a_gateway_that_does_not_end(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.on_command = lambda _command: None
    outcome = session.stop(gateway, Engine(), 0.1, check=False)
    assert outcome.how == "docker"
    assert outcome.actions == ["IBC STOP", "docker stop -t 90"]
    assert outcome.exit_code == 143


def test_stop_where_ibc_does_not_listen_yet_keeps_to_its_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, command_server: Any
) -> None:
    monkeypatch.setattr(session, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(session, "COMMAND_PATIENCE", 0.1)
    command_server.close()
    outcome = session.stop(gateway, Engine(), 7, check=False)
    assert outcome.actions[1:] == ["docker stop -t 7"]
    assert outcome.exit_code == 143


def test_stop_that_ibc_refuses(gateway: Gateway, command_server: Any) -> None:
    command_server.replies["STOP"] = ["ERROR Command invalid"]
    command_server.on_command = lambda _command: None
    outcome = session.stop(gateway, Engine(), 5, check=False)
    assert outcome.how == "docker"
    assert outcome.actions[0] == "IBC STOP failed: IBC answered STOP with: ERROR Command invalid"


def test_stop_beside_one_that_is_under_way_sends_no_signal(
    gateway: Gateway, fake_engine: Any, command_server: Any
) -> None:
    command_server.replies["STOP"] = ["ERROR STOP already in progress"]
    command_server.on_command = lambda _command: threading.Timer(0.3, fake_engine.exit, (0,)).start()
    outcome = session.stop(gateway, Engine(), 5, check=False)
    assert (outcome.how, outcome.exit_code, outcome.actions) == ("ibc", 0, ["IBC STOP (already in progress)"])


def test_stop_during_the_start_waits_for_the_command_server(
    gateway: Gateway, fake_engine: Any, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_RETRY_SECONDS", 0.05)
    real, failures = channel.send, iter([True, True, False])

    def late(*arguments: Any) -> list[str]:
        if next(failures, False):
            raise channel.NoServerError("nothing listens")
        return real(*arguments)

    monkeypatch.setattr(channel, "send", late)
    assert vars(session.stop(gateway, Engine(), 10, check=False))["how"] == "ibc"


def test_stop_without_a_command_server(gateway: Gateway, command_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "COMMAND_PATIENCE", 0.0)
    command_server.close()
    outcome = session.stop(gateway, Engine(), 5, check=False)
    assert outcome.how == "docker"
    assert "nothing answers on 127.0.0.1" in outcome.actions[0]


def test_a_container_that_ends_by_itself_meanwhile(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.close()
    threading.Timer(0.2, fake_engine.exit, (1,)).start()
    outcome = session.stop(gateway, Engine(), 10, check=False)
    assert (outcome.how, outcome.exit_code, outcome.actions) == (None, 1, [])


def test_a_container_that_nothing_stops(
    gateway: Gateway, fake_engine: Any, command_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_KILL_SECONDS", 0.1)
    command_server.on_command = lambda _command: None
    fake_engine.on_stop = lambda: None
    fake_engine.exit = lambda _code: None
    with pytest.raises(session.SessionError, match="still runs after"):
        session.stop(gateway, Engine(), 0.1, check=False)


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
    outcome = session.restart(gateway, Engine(), 20, check=False)
    assert outcome.actions == ["IBC RESTART", "OK RESTART in progress", "OK RESTART at 10:01 PM", "ready again"]
    assert gateway.summary.full_authentication is False
    assert gateway.attempts == 1


def test_a_second_restart_in_one_run_is_refused(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    fake_engine.log("IBC: CommandServer received command: RESTART")
    with pytest.raises(session.SessionError, match="has had its RESTART: IBC takes one"):
        session.restart(gateway, Engine(), 5, check=False)
    assert command_server.received.empty()


def test_restart_that_does_not_happen(gateway: Gateway) -> None:
    with pytest.raises(session.SessionError, match=r"RESTART \(OK RESTART at 10:01 PM\), but no restart began"):
        session.restart(gateway, Engine(), 0.2, check=False)


def test_restart_that_does_not_come_back(gateway: Gateway, fake_engine: Any, command_server: Any) -> None:
    command_server.on_command = lambda _command: fake_engine.log(
        "IBC: Re-starting session", "Re-login after second factor authentication timeout not required"
    )
    with pytest.raises(session.SessionError, match="restarted but is blocked: the push was not approved"):
        session.restart(gateway, Engine(), 5, check=False)


def test_restart_of_a_gateway_that_has_not_signed_in(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.log("IBC: Re-starting session")
    with pytest.raises(session.SessionError, match=r"not signed in \(phase launched\)"):
        session.restart(gateway, Engine(), 5, check=False)


def test_restart_of_a_stopped_gateway(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.exit(0)
    with pytest.raises(session.SessionError, match="is stopped: RESTART needs a signed-in gateway"):
        session.restart(gateway, Engine(), 5, check=False)


def test_restart_in_check_mode(gateway: Gateway, command_server: Any) -> None:
    assert session.restart(gateway, Engine(), 5, check=True).changed
    assert command_server.received.empty()


@pytest.mark.parametrize(
    ("mode", "allowed", "check", "status"),
    [
        ("paper", False, False, "running"),
        ("paper", False, True, "exited"),
        ("live", True, False, "running"),
    ],
)
def test_start(fake_engine: Any, deploy: Any, mode: str, allowed: bool, check: bool, status: str) -> None:
    fake_engine.exit(0)
    found = deploy(mode=mode)
    outcome = session.start(Gateway(found.endpoint(), found), Engine(), allowed, check)
    assert outcome.actions == ["docker start"]
    assert fake_engine.status == status


def test_start_of_a_running_gateway(fake_engine: Any, deploy: Any) -> None:
    found = deploy(mode="live")
    assert not session.start(Gateway(found.endpoint(), found), Engine(), False, False).changed


def test_start_of_live_without_leave(fake_engine: Any, deploy: Any) -> None:
    fake_engine.exit(0)
    found = deploy(mode="live")
    with pytest.raises(session.SessionError, match="sends a push to somebody's phone; set allow_signin: true"):
        session.start(Gateway(found.endpoint(), found), Engine(), False, False)


def test_start_without_a_container(fake_engine: Any, deploy: Any) -> None:
    fake_engine.exists = False
    found = deploy()
    with pytest.raises(session.SessionError, match=r"ibgw-paper does not exist: run site.yml"):
        session.start(Gateway(found.endpoint(), found), Engine(), False, False)


def test_without_an_engine(no_engine: Any, deploy: Any) -> None:
    found = deploy()
    with pytest.raises(EngineError, match="unreachable"):
        session.stop(Gateway(found.endpoint(), found), Engine(), 5, False)


@pytest.mark.parametrize("grace", [6, None])
@pytest.mark.parametrize("ibc", ["answers and does nothing", "drips", "hangs up", "is not there"])
def test_a_stop_ends_in_its_time(
    gateway: Gateway,
    fake_engine: Any,
    command_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    ibc: str,
    grace: int | None,
) -> None:
    """Whatever IBC does, and though SIGTERM changes nothing: on a clock that only the waits move."""
    time, wait = [0.0], Engine.wait

    def waits(engine: Engine, name: str, timeout: float) -> int | None:
        time[0] += timeout
        return wait(engine, name, 0.01 if fake_engine.status == "running" else 5.0)

    def stops(_engine: Engine, _name: str, patience: int, timeout: float) -> None:
        assert 0 < patience <= timeout
        time[0] += timeout
        raise LateError("late")

    def sends(*_arguments: object) -> list[str]:
        time[0] += channel.TALK_SECONDS if ibc == "drips" else 0.1
        if ibc == "answers and does nothing":
            return ["OK"]
        raise {"is not there": channel.NoServerError, "hangs up": EngineError, "drips": channel.ChannelError}[ibc](ibc)

    monkeypatch.setattr(Engine, "wait", waits)
    monkeypatch.setattr(Engine, "stop", stops)
    monkeypatch.setattr(channel, "send", sends)
    monkeypatch.setattr(session, "_RETRY_SECONDS", 1.0)
    gateway.clock = lambda: time[0]
    fake_engine.stop_grace = grace
    outcome = session.stop(gateway, Engine(), 600, check=False)
    assert (outcome.exit_code, outcome.actions[-1]) == (137, "docker kill")
    assert time[0] <= (grace or session.STOP_GRACE) + session.STOP_MARGIN


def test_a_paused_container_goes_on_to_be_signed_off(gateway: Gateway, fake_engine: Any) -> None:
    fake_engine.status = "paused"
    outcome = session.stop(gateway, Engine(), 10, check=False)
    assert (outcome.actions, outcome.how) == (["docker unpause", "IBC STOP"], "ibc")
