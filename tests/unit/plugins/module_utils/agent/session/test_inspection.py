# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.api_server import HEALTHY_NOTICES

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import ibc, milestones
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import log
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import inspection
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway, judge

RUNNING = {"name": "ibgw-paper", "exists": True, "running": True, "status": "running", "frozen": None}
PAUSED, FROZEN = RUNNING | {"status": "paused"}, RUNNING | {"frozen": "java"}
TO_CONFIGURED = [
    "IBC: Starting session: will exit if login dialog",
    "Login attempt: 1",
    "Login has completed",
    "Configuration tasks completed",
]


def verdict(api_state: str) -> dict[str, Any]:
    row = verdicts.describe(api_state)
    return {"api_state": api_state, "reason": row.meaning, "next_step": row.next_step, "final": row.final}


def exited(code: int, status: str = "exited") -> dict[str, Any]:
    return {
        "exists": True,
        "running": False,
        "status": status,
        "exit_code": code,
        "exit_meaning": ibc.IBC.exit_codes.get(code),
    }


@pytest.mark.parametrize(
    ("container", "lines", "api_state", "state", "final", "word"),
    [
        ({"exists": False, "running": False}, [], None, "stopped", True, "does not exist"),
        (exited(0), TO_CONFIGURED, None, "stopped", True, "code 0 (a clean close)"),
        (exited(143), [], "port_closed", "stopped", True, "SIGTERM"),
        (exited(42), [], None, "stopped", True, "code 42"),
        (exited(1), [".> Invalid TRADING_MODE: x"], None, "stopped", True, "refuses its settings"),
        (exited(0, "created"), [], None, "stopped", True, "never been started"),
        (exited(0, "restarting"), [], None, "starting", False, "about to start"),
        (exited(0, "dead"), [], None, "stopped", True, "is dead"),
        (exited(0, "removing"), [], None, "stopped", True, "being removed"),
        (exited(0, "new to us"), [], None, "stopped", True, "is new to us"),
        (PAUSED, TO_CONFIGURED, None, "degraded", False, "paused"),
        (PAUSED, TO_CONFIGURED, "no_handshake", "degraded", False, "paused"),
        (FROZEN, TO_CONFIGURED, "no_handshake", "degraded", False, "java is frozen"),
        (FROZEN, TO_CONFIGURED, None, "degraded", False, "java is frozen"),
        (FROZEN, TO_CONFIGURED, "ready", "ready", False, ""),
        (RUNNING, [], None, "starting", False, "JVM not yet"),
        (
            RUNNING,
            TO_CONFIGURED[:2],
            "proxy_up_gateway_down",
            "starting",
            False,
            "sign-in is under way; every connection",
        ),
        (RUNNING, TO_CONFIGURED[:3], "rejected:10141", "starting", False, "disclaimer"),
        (RUNNING, TO_CONFIGURED, None, "starting", False, "completed its configuration"),
        (RUNNING, TO_CONFIGURED, "proxy_up_gateway_down", "degraded", False, "completed its configuration; every"),
        (RUNNING, TO_CONFIGURED, "ready", "ready", False, "answers"),
        (RUNNING, TO_CONFIGURED, "link_down", "degraded", False, "lost its connection"),
        (RUNNING, TO_CONFIGURED, "rejected:326", "degraded", False, "client id"),
        (RUNNING, TO_CONFIGURED, "wrong_account", "blocked", True, "account"),
        (RUNNING, ["Second Factor Authentication initiated"], None, "waiting_2fa", False, "push 1"),
        (RUNNING, ["Second Factor Authentication initiated"], "proxy_up_gateway_down", "waiting_2fa", False, "push 1"),
        (RUNNING, ["Second Factor Authentication initiated"], "ready", "ready", False, ""),
        (
            RUNNING,
            ["Re-login after second factor authentication timeout not required"],
            None,
            "starting",
            False,
            "time is over",
        ),
        (RUNNING, ["Required PassKey is not supported"], "proxy_up_gateway_down", "blocked", True, "passkey"),
        (RUNNING, ["Too many failed login attempts. Please wait 3 minutes"], "ready", "ready", False, ""),
        (
            RUNNING,
            [*TO_CONFIGURED[:2], "detected dialog entitled: Existing session detected; event=Opened"],
            "proxy_up_gateway_down",
            "starting",
            False,
            'entitled "Existing session detected"',
        ),
        (None, [], "port_closed", "starting", False, "refused"),
        (None, [], "not_tws", "blocked", True, "does not speak"),
        (None, [], "ready", "ready", False, ""),
    ],
)
def test_judge(container: Any, lines: list[str], api_state: str | None, state: str, final: bool, word: str) -> None:
    summary = milestones.Summary()
    summary.feed(lines)
    judgement = judge(container, summary, verdict(api_state) if api_state else None)
    assert (judgement.state, judgement.final, word in judgement.reason) == (state, final, True), judgement
    assert judgement.next_step.endswith(".")


@pytest.mark.parametrize("api_state", [*verdicts.API_STATES, "rejected:326"])
@pytest.mark.parametrize("lines", [[], TO_CONFIGURED[:2], TO_CONFIGURED, ["Second Factor Authentication initiated"]])
def test_judge_knows_every_pair(api_state: str, lines: list[str]) -> None:
    summary = milestones.Summary()
    summary.feed(lines)
    assert judge(RUNNING, summary, verdict(api_state)).state in verdicts.GATEWAY_STATES


def test_look_at_a_gateway_that_is_ready(fake_engine: Any, deploy: Any, healthy_port: int) -> None:
    fake_engine.log(".> Starting IBC/IB gateway", *TO_CONFIGURED)
    found = deploy(port=healthy_port)
    gateway = Gateway(found.endpoint(), found)
    gateway.look()
    report = gateway.report()
    assert report["state"] == report["api_state"] == "ready"
    assert not report["pending"]
    assert report["container"]["image"] == "image@sha256:1"
    assert report["milestones"]["phase"] == "configured"
    assert report["engine"] == {"reachable": True, "reason": None}
    assert report["attempts"] == 1


@pytest.mark.parametrize(
    ("labels", "status", "pending"),
    [
        ({"ibops.gateway.revision": "r1"}, "running", False),
        ({"ibops.gateway.revision": "r0"}, "running", True),
        ({}, "running", True),
        (None, "running", True),
        ({"ibops.gateway.revision": "r0"}, "exited", False),
    ],
)
def test_pending(fake_engine: Any, deploy: Any, closed_port: int, labels: Any, status: str, pending: bool) -> None:
    fake_engine.labels, fake_engine.status = labels, status
    found = deploy(port=closed_port)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    assert gateway.report()["pending"] is pending


def test_an_engine_that_is_away_leaves_the_api(no_engine: Any, deploy: Any, healthy_port: int) -> None:
    found = deploy(port=healthy_port)
    gateway = Gateway(found.endpoint(), found)
    gateway.look()
    report = gateway.report()
    assert report["state"] == "ready"
    assert not report["engine"]["reachable"]
    assert report["container"] is None


@pytest.mark.parametrize("ask", [False, True])
def test_without_an_engine_and_an_answer_nothing_is_known(no_engine: Any, deploy: Any, ask: bool) -> None:
    found = deploy(port=1)
    gateway = Gateway(found.endpoint(), found)
    gateway.look(ask=ask)
    report = gateway.report()
    told = report["reason"] == gateway.engine_fault
    assert (report["state"], told) == (("starting", False) if ask else ("degraded", True))


@pytest.mark.parametrize("log_is_open", [False, True])
def test_a_container_that_is_replaced_within_a_look_is_looked_at_again(
    fake_engine: Any, deploy: Any, log_is_open: bool
) -> None:
    fake_engine.log(*TO_CONFIGURED)
    found = deploy()
    gateway = Gateway(found.endpoint(), found)
    if log_is_open:
        gateway.refresh()

    def replaced() -> None:
        fake_engine.gone.add(fake_engine.id)
        fake_engine.id, fake_engine.on_described = "decaf", lambda: None

    fake_engine.on_described = replaced
    gateway.refresh()
    assert gateway.engine_fault is None
    assert gateway.container is not None
    assert (gateway.container["id"], gateway.summary.phase) == ("decaf", "configured")


def test_a_container_that_is_renamed_within_a_look_keeps_its_log(fake_engine: Any, deploy: Any) -> None:
    fake_engine.log(*TO_CONFIGURED)
    found = deploy()
    gateway = Gateway(found.endpoint(), found)
    fake_engine.on_described = lambda: fake_engine.gone.add(found.container)
    gateway.refresh()
    assert (gateway.engine_fault, gateway.summary.phase) == (None, "configured")


def test_an_endpoint_alone(healthy_port: int) -> None:
    gateway = Gateway({"host": "127.0.0.1", "port": healthy_port})
    gateway.look()
    assert gateway.report()["api_state"] == "ready"
    assert "state" not in gateway.report()
    with pytest.raises(ValueError, match="endpoint only"):
        gateway.deployed()


def test_only_the_log_of_the_last_start_counts(fake_engine: Any, deploy: Any) -> None:
    fake_engine.log(*TO_CONFIGURED)
    fake_engine.started_at += 60
    found = deploy()
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    assert gateway.summary.phase == milestones.NO_RUN


def test_a_new_run_of_the_jvm_forgets_the_verdict(fake_engine: Any, deploy: Any) -> None:
    found = deploy()
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    for line, forgotten in (("Login attempt: 1", False), ("IBC: Re-starting session", True)):
        gateway.verdict = verdict("ready")
        fake_engine.log(line)
        gateway.refresh()
        assert (gateway.verdict is None) is forgotten


@pytest.mark.parametrize(
    ("wanted", "log", "refused", "state"),
    [
        (False, "already set to: true", None, "degraded"),
        (False, "now set to: false", None, "ready"),
        (True, "now set to: false", None, "degraded"),
        (True, "already set to: true", None, "ready"),
        (None, "already set to: true", None, "ready"),
        (False, "now set to: false", True, "degraded"),
    ],
)
def test_a_read_only_api(
    fake_engine: Any, deploy: Any, wanted: bool | None, log: str, refused: bool | None, state: str
) -> None:
    fake_engine.log(*TO_CONFIGURED, f"IBC: Read-Only API checkbox is {log}")
    found = deploy(read_only_api=wanted)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    gateway.verdict = verdict("ready") | {"read_only": refused}
    assert gateway.judgement().state == state
    fake_engine.log("IBC: API client needs write access action confirmation")
    gateway.refresh()
    assert gateway.judgement().state == ("degraded" if wanted is False else "ready")


@pytest.mark.parametrize(
    ("lines", "seconds", "mode", "state", "finding"),
    [
        (["detected dialog entitled: Enter security code; event=Opened"], 5, "paper", "starting", None),
        (["detected dialog entitled: Enter security code; event=Opened"], 11, "paper", "degraded", None),
        (
            [f"detected dialog entitled: Notice; event={event}" for event in ("Opened", "Closed")],
            11, "paper", "starting", None,
        ),
        (
            ["detected dialog entitled: Enter security code; event=Opened",
             *(f"detected dialog entitled: Notice; event={event}" for event in ("Opened", "Closed"))],
            11, "live", "degraded", None,
        ),
        (["IBC: Re-starting session", "LoginState is LOGGED_OUT"], 100, "paper", "starting", None),
        (["IBC: Re-starting session", "LoginState is LOGGED_OUT"], 181, "paper", "blocked", "stale_token"),
        (["IBC: Re-starting session", "LoginState is LOGGED_OUT"], 181, "live", "degraded", None),
        (
            ["Second Factor Authentication initiated",
             "detected dialog entitled: Second Factor Authentication; event=Closed"],
            5, "live", "starting", None,
        ),
    ],
)  # fmt: skip
def test_what_waits(
    fake_engine: Any, deploy: Any, lines: list[str], seconds: float, mode: str, state: str, finding: str | None
) -> None:
    fake_engine.log(*TO_CONFIGURED[:2], *lines)
    found, later = deploy(mode=mode), [0.0]
    gateway = Gateway(found.endpoint(), found, clock=lambda: time.monotonic() + later[0])
    gateway.refresh()
    later[0] = seconds
    assert (gateway.judgement().state, gateway.finding) == (state, finding)


def test_a_process_that_a_signal_has_stopped_is_named() -> None:
    with subprocess.Popen(["bash", "-c", "sleep 60 & wait"]) as parent:
        while not (child := Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().strip()):
            time.sleep(0.01)
        assert inspection.frozen(parent.pid) is None
        os.kill(int(child), signal.SIGSTOP)
        while inspection.frozen(parent.pid) is None:
            time.sleep(0.01)
        assert inspection.frozen(parent.pid) in ("sleep", "bash")
        os.kill(int(child), signal.SIGKILL)
        parent.kill()
    assert inspection.frozen(0) is None


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-01T00:00:01.500000000Z", 1.5),
        ("2026-11-20T09:43:55Z", 1795167835.0),
        ("2026-11-20T09:43:55.123456789Z", 1795167835.123456),
        ("", 0.0),
        ("garbage", 0.0),
    ],
)
def test_epoch(stamp: str, seconds: float) -> None:
    assert log.epoch(stamp) == seconds


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        (TO_CONFIGURED, ibc.UNDER_JAVA),
        ([".> Starting IBC/IB gateway"], "no Java, or settings that the image refuses"),
    ],
)
def test_what_docker_stop_leaves_is_not_a_missing_java(
    fake_engine: Any, deploy: Any, lines: list[str], meaning: str
) -> None:
    fake_engine.log(*lines)
    fake_engine.exit(1)
    found = deploy()
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    assert gateway.container is not None
    assert gateway.container["exit_meaning"] == meaning
    assert (gateway.judgement().next_step == "Start it.") == (meaning == ibc.UNDER_JAVA)


NOTICE = (
    "The version of the application you are running, 1045.1, needs to be upgraded, as it will be desupported on "
    "20261215. The minimum supported version at that time will be 1050.1."
)
DECEMBER = 1796101200.0


def test_a_release_that_ibkr_will_not_accept_is_a_warning_and_the_gateway_stays_ready(
    fake_engine: Any, deploy: Any, serve: Any
) -> None:
    def announcing(script: Any) -> None:
        script.start()
        for notice in (*HEALTHY_NOTICES, (2172, NOTICE)):
            script.notice(*notice)
        script.answer_time()
        script.stay()

    found = deploy(port=serve(announcing))
    fake_engine.environment = ["IB_GATEWAY_VERSION=10.45.1j"]
    fake_engine.log(*TO_CONFIGURED)
    gateway = Gateway(found.endpoint(), found, now=lambda: DECEMBER)
    gateway.look()
    report = gateway.report()
    assert (report["state"], report["api_state"], report["release_notice"]) == ("ready", "ready", NOTICE)
    assert report["release"] == {
        "release": "10.45.1j",
        "accepted_until": "2026-12-15",
        "days_left": 14.0,
        "minimum": "10.50.1",
        "severity": "warning",
        "text": "release 10.45.1j is accepted by IBKR until 2026-12-15; the minimum then is 10.50.1",
        "next_step": f"Set gateway_image to a digest of release 10.50.1 or later, then run {playbooks.UPGRADE}.",
    }


@pytest.mark.parametrize(
    ("environment", "lines", "severity", "release"),
    [
        ([], [], "ok", None),
        ([], [".>\t\tVersion: 10.45.1j"], "warning", "10.45.1j"),
        (["IB_GATEWAY_VERSION=10.50.1d"], [".>\t\tVersion: 10.45.1j"], "ok", "10.50.1d"),
        (["IB_GATEWAY_VERSION="], [".>\t\tVersion: 10.45.1j"], "warning", "10.45.1j"),
        (["IB_GATEWAY_VERSION=latest"], [], "ok", None),
        (["IB_GATEWAY_VERSION=10.50.1d"], [f"IBC: {NOTICE}"], "warning", "10.50.1d"),
        (["X=IB_GATEWAY_VERSION=10.45.1j", "IB_GATEWAY_VERSION"], [], "ok", None),
    ],
)
def test_the_release_is_the_images_else_the_logs(
    fake_engine: Any, deploy: Any, environment: list[str], lines: list[str], severity: str, release: str | None
) -> None:
    found = deploy()
    fake_engine.environment = environment
    fake_engine.log(*TO_CONFIGURED[:1], *lines)
    gateway = Gateway(found.endpoint(), found)
    gateway.look(ask=False)
    assert (gateway.release(DECEMBER).severity, gateway.release(DECEMBER).release) == (severity, release)


@pytest.mark.parametrize("cut", [0, 65, 75, 103, 150])
def test_the_dialog_that_announces_it_is_known_in_any_lines(fake_engine: Any, deploy: Any, cut: int) -> None:
    now = time.monotonic()
    found = deploy()
    gateway = Gateway(found.endpoint(), found, clock=lambda: now, now=lambda: DECEMBER)
    text = [f"IBC: {NOTICE}"] if not cut else [f"IBC: {NOTICE[:cut]}", NOTICE[cut:]]
    fake_engine.log(*TO_CONFIGURED[:2], "detected dialog entitled: IBKR Gateway; event=Opened", *text)
    gateway.look(ask=False)
    now += inspection.DIALOG_SECONDS
    gateway.look(ask=False)
    ends, judgement = gateway.release(DECEMBER), gateway.judgement()
    assert (ends.accepted_until, ends.minimum) == ("2026-12-15", "10.50.1")
    assert (judgement.state, judgement.final) == ("degraded", False)
    assert 'a dialog entitled "IBKR Gateway" waits in the sign-in; it announces: release 10.45.1' in judgement.reason
    assert judgement.next_step.startswith(f"Press its OK ({playbooks.DESKTOP}). Set gateway_image")
    fake_engine.log(*TO_CONFIGURED[:1])
    gateway.look(ask=False)
    assert gateway.release(DECEMBER).severity == "ok"


LOG_IN = ["Gateway PID: 21 (JVM console -> x)", "Waiting for login dialog (x)", "Log In clicked successfully"]


@pytest.mark.parametrize(
    ("controller", "code", "meaning"),
    [
        ("ibc", 1, ibc.UNDER_JAVA),
        ("ibc", 255, ibc.UNDER_JAVA),
        ("ibg-controller", 1, "the sign-in failed, or ibg-controller gave up"),
        ("ibg-controller", 2, "no user or password, or a code secret that is none"),
        ("ibg-controller", 99, None),
    ],
)
def test_an_exit_code_means_what_its_controller_says(
    fake_engine: Any, deploy: Any, controller: str, code: int, meaning: str | None
) -> None:
    fake_engine.log(*(TO_CONFIGURED if controller == "ibc" else LOG_IN))
    fake_engine.exit(code)
    found = deploy(controller=controller)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    assert gateway.container is not None
    assert gateway.container["exit_meaning"] == meaning


@pytest.mark.parametrize(
    ("mode", "lines", "state"),
    [("live", LOG_IN, "waiting_2fa"), ("live", LOG_IN[:2], "starting"), ("paper", LOG_IN, "starting")],
)
def test_a_push_that_has_no_name_yet_is_told(
    fake_engine: Any, deploy: Any, mode: str, lines: list[str], state: str
) -> None:
    fake_engine.log(".> Starting IBC/IB gateway", *lines)
    found = deploy(name=mode, mode=mode, controller="ibg-controller")
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    judgement = gateway.judgement()
    assert judgement.state == state
    assert ("a push may be on the phone" in judgement.reason) == (state == "waiting_2fa")


@pytest.mark.parametrize(
    ("lines", "after", "state"),
    [
        ([], 200.0, "degraded"),
        (["ALERT_IBKR_MAINTENANCE_RECOVERY delay_seconds=480 mode=paper"], 200.0, "starting"),
        (["ALERT_IBKR_MAINTENANCE_RECOVERY delay_seconds=480 mode=paper"], 700.0, "degraded"),
    ],
)
def test_a_wait_that_its_controller_announces_is_told(
    fake_engine: Any, deploy: Any, lines: list[str], after: float, state: str
) -> None:
    fake_engine.log(".> Starting IBC/IB gateway", "Gateway PID: 20", *lines)
    found = deploy(controller="ibg-controller")
    now = [1000.0]
    gateway = Gateway(found.endpoint(), found, clock=lambda: now[0])
    gateway.refresh()
    now[0] += after
    judgement = gateway.judgement()
    assert judgement.state == state
    assert ("it waits 480 s for the end of IBKR's nightly maintenance" in judgement.reason) == bool(lines)


@pytest.mark.parametrize("api_state", ["no_handshake", "no_valid_id", "unresponsive"])
@pytest.mark.parametrize("controller", ["ibc", "ibg-controller"])
def test_nobody_is_sent_to_a_restart_that_is_a_sign_in(
    fake_engine: Any, deploy: Any, controller: str, api_state: str
) -> None:
    fake_engine.log(*(TO_CONFIGURED if controller == "ibc" else ["Readiness signal: x"]))
    found = deploy(controller=controller)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    gateway.verdict = verdict(api_state)
    step = gateway.judgement().next_step
    assert ("IBC's RESTART" in step, "Stop it and start it" in step) == (controller == "ibc", controller != "ibc")


FINISHED = ["IBC returned exit status 87", "TWS finished"]


@pytest.mark.parametrize(
    ("program", "lines", "code"),
    [
        ("tws", [*TO_CONFIGURED, *FINISHED], 87),
        ("tws", [*TO_CONFIGURED], 143),
        ("tws", [*TO_CONFIGURED, "IBC returned exit status 0", "IBC: Re-starting session"], 143),
        ("tws", [], 0),
        ("gateway", [*TO_CONFIGURED, *FINISHED], 0),
    ],
)
def test_the_exit_code_of_the_desktop_is_ibcs(
    fake_engine: Any, deploy: Any, program: str, lines: list[str], code: int
) -> None:
    fake_engine.log(".> Starting IBC/TWS", *lines)
    fake_engine.exit(0)
    found = deploy(program=program)
    gateway = Gateway(found.endpoint(), found)
    gateway.refresh()
    assert gateway.container is not None
    assert gateway.container["exit_code"] == code


@pytest.mark.parametrize(
    ("words", "seconds", "finding", "final"),
    [
        ("timeout not required", inspection.LAPSE_SECONDS, "push_missed", True),
        ("timeout in 5 second", inspection.LAPSE_SECONDS_AGAIN, None, False),
    ],
)
def test_a_push_counts_as_missed_when_no_sign_in_has_followed(
    words: str, seconds: float, finding: str | None, final: bool
) -> None:
    """It may have been approved at its last moment, which IBC's words do not tell."""
    moment = [100.0]
    gateway = Gateway({}, clock=lambda: moment[0], now=lambda: moment[0])
    gateway.container = {**RUNNING, "started_at": "2026-11-20T09:43:55Z"}
    gateway.summary.feed(["IBC: Second Factor Authentication initiated"])
    gateway._log.feed(f"IBC: Re-login after second factor authentication {words}\n".encode())
    assert (gateway.finding, gateway.pushes_missed, gateway.turns_at) == (None, 0, 100.0 + seconds)
    moment[0] += seconds
    assert (gateway.finding, gateway.pushes_missed, gateway.turns_at) == (finding, 1, float("inf"))
    assert gateway.judgement().final is final
    gateway.summary.feed(["IBC: Login has completed"])
    assert (gateway.finding, gateway.pushes_missed) == (None, 0)
