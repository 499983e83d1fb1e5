# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.session_log import (
    BEGUN,
    IN,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import acting, alerts, ctl, plan, week


@pytest.fixture
def run(control: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Run ibgwctl; return its status, the JSON of its last line, and its standard error."""

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


@pytest.mark.parametrize(("host", "limit"), [("", "HOST"), ("gw1", "gw1")])
def test_commands_name_the_host_that_the_plan_names(
    control: Any, capsys: pytest.CaptureFixture[str], fake_engine: Any, host: str, limit: str
) -> None:
    control("paper")
    fake_engine.exists = False
    Path(plan.path("paper")).write_text(json.dumps({"host": host}))
    command = f"ansible-playbook ibops.gateway.site -i INVENTORY -l {limit}"
    for more in ([], ["--json"]):
        ctl.main(["status", "paper", *more])
        ctl.main(["start", "paper", *more])
        printed = capsys.readouterr()
        assert (printed.out + printed.err).count(command) == 2, printed


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


@pytest.mark.parametrize(
    ("handed", "options", "typed", "used"),
    [
        ("handed", (), "", "handed"),
        (None, ("--password-stdin",), "piped\nmore\n", "piped"),
        (None, (), "typed", "typed"),
    ],
)
def test_where_the_password_of_a_sign_in_comes_from(
    control: Any, run: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch,
    handed: str | None, options: tuple[str, ...], typed: str, used: str,
) -> None:  # fmt: skip
    control()
    read: list[str] = []

    def begin() -> None:
        read.append(Path(password.path("live")).read_text())
        fake_engine.log(*BEGUN, *IN)

    fake_engine.on_start = begin
    monkeypatch.setattr(week, "closing", lambda _at: False)
    terminal = io.StringIO(typed)
    terminal.isatty = lambda: not options  # type: ignore[method-assign]  # as the case wants it
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: typed)
    if handed:
        password.hand_over("live", handed)
    assert run("sign-in", "live", *options)[0] == 0
    assert (read, password.take("live")) == ([used], None)


def test_damaged_settings_are_a_state(control: Any, run: Any, fake_engine: Any) -> None:
    control("paper")
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, *IN, "Click button: I understand and accept")
    assert run("start", "paper", "--json")[0] == 0
    Path(plan.path("paper")).write_text("{")
    code, found, _said = run("status", "paper", "--json")
    assert (code, found["state"], found["reason"]) == (ctl.NOT_SO, "degraded", found["plan_fault"])
    assert plan.path("paper") in found["reason"]


def test_a_second_operator_is_told_who_is_at_it(control: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "PATIENCE", 0.0)
    paper = control("paper")
    with paper.acting("a pipeline"):
        code, _result, said = run("stop", "paper")
    assert code == ctl.BUSY
    assert "a pipeline by Ann" in said


def test_status_says_until_when_ibkr_accepts_the_release(
    control: Any, fake_engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    control("paper")
    fake_engine.environment = ["IB_GATEWAY_VERSION=10.19.1"]
    ctl.main(["status", "paper"])
    assert "release 10.19.1 has not been accepted by IBKR since 2023-07-18; the minimum is 10.19.2" in (
        capsys.readouterr().out.splitlines()
    )
    fake_engine.environment = ["IB_GATEWAY_VERSION=10.50.1d"]
    ctl.main(["status", "paper"])
    assert "accepted by IBKR" not in capsys.readouterr().out


def taking(script: Any) -> None:
    script.connection.recv(1 << 16)
    script.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def dripping(script: Any) -> None:
    """The first line of an answer, without an end: each byte is in time for a limit on silence alone."""
    while True:
        script.connection.sendall(b"2")
        time.sleep(0.2)


def test_alert_test_ends_within_ten_seconds_with_a_verdict_for_each_channel(control: Any, run: Any, serve: Any) -> None:
    """In real time, by the limits that it has."""
    control("paper")
    drips, silent, well = serve(dripping), serve(lambda _script: time.sleep(30)), serve(taking)
    mail = {"kind": "email", "from": "a@b.c", "to": ["d@e.f"], "host": "127.0.0.1", "security": "none"}
    channels = [
        {**mail, "port": drips},
        {**mail, "port": silent},
        {"kind": "webhook", "url": f"http://127.0.0.1:{drips}/"},
        {"kind": "slack", "url": f"http://127.0.0.1:{silent}/"},
        {"kind": "ntfy", "url": f"http://127.0.0.1:{drips}", "topic": "t"},
        {"kind": "webhook", "url": f"http://127.0.0.1:{well}/"},
    ]
    Path(alerts.path("paper")).write_text(json.dumps(channels))
    begun = time.monotonic()
    code, found, _said = run("alert-test", "paper", "--json")
    assert time.monotonic() - begun <= 10
    late = {"delivered": False, "answer": alerts.LATE.said}
    names = ["email/0", "email/1", "webhook/2", "slack/3", "ntfy/4"]
    assert code == ctl.NOT_SO
    assert found["channels"] == [
        *({"channel": name, **late} for name in names),
        {"channel": "webhook/5", "delivered": True, "answer": "HTTP status 200"},
    ]


def test_alert_test_tells_what_each_channel_answered(
    control: Any, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = control("paper")
    code, found, _said = run("alert-test", "paper", "--json")
    assert (code, "set session_alerts" in found["error"]) == (1, True)
    Path(alerts.path("paper")).write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/s3cr3t"}]')
    code, found, _said = run("alert-test", "paper", "--json")
    assert (code, found["channels"]) == (
        1, [{"channel": "webhook/0", "delivered": False, "answer": "ConnectionRefusedError"}],
    )  # fmt: skip
    ctl.main(["alert-test", "paper"])
    assert capsys.readouterr().out == "webhook/0        FAILED  ConnectionRefusedError\n"
    told = [event for event in paper.store.history() if event["event"] == "alert_test"]
    assert [each["text"] for each in told] == ["not delivered by webhook/0"] * 2
    Path(alerts.path("paper")).write_text("[1]")
    assert "ibops.gateway.site" in run("alert-test", "paper", "--json")[1]["error"]
