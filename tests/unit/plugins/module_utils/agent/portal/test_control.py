# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ibgwctl` and the modules on a Client Portal Gateway: each works, or refuses by name with what to do instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox.client_portal import standin
from tests.unit.plugins.archives import contents
from tests.unit.plugins.module_utils.agent.portal.conftest import KEYSTORE, PASSWORD, USER

from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import control, instead, place, watched
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import alerts, bundle, ctl, descriptor, plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.modules import (
    gateway_adoption,
    gateway_client_check,
    gateway_ready,
    gateway_session,
    gateway_sign_in,
)

pytestmark = pytest.mark.thorough

Run = Callable[..., tuple[int, dict[str, Any]]]
ACCOUNT = "DU1234567"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ibgwctl with --json; returns its status, and what it printed."""

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = ctl.main([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return call


# Every command, its status, and a field of its result.
COMMANDS = {
    "status": (ctl.DONE, "state"),
    "wait-ready": (ctl.DONE, "state"),
    "history": (ctl.DONE, "events"),
    "alert-test": (ctl.NOT_SO, "channels"),
    "support-bundle": (ctl.DONE, "file"),
    "stop": (ctl.DONE, "actions"),
    **dict.fromkeys(instead.INSTEAD, (ctl.REFUSED, "error")),
}


def test_no_command_is_left_out() -> None:
    assert {*COMMANDS} == {*ctl.OF_EVERY, *ctl.OF_IB_GATEWAY, "answers"}
    assert {*instead.INSTEAD} == {*ctl.OF_IB_GATEWAY, "answers"}


@pytest.mark.usefixtures("portal_state")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works_or_says_what_to_do_instead(
    deployed: Any, run: Run, fake_engine: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder = deployed()
    (folder / "alerts.json").write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/s3cr3t"}]')
    code, field = COMMANDS[command]
    if command == "answers":
        assert (ctl.main(["answers", "web"]), instead.refusal("web", "answers") in capsys.readouterr().err) == (5, True)
        return
    more = ("--output", str(tmp_path / "out")) if command == "support-bundle" else ()
    found, result = run(command, "web", *more)
    assert (found, field in result) == (code, True), result
    if code == ctl.REFUSED:
        assert result["error"] == instead.refusal("web", command)
        assert (fake_engine.calls, list(tmp_path.glob("var/web"))) == ([], [])


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        ("", ctl.DONE, "ready"),
        ("competing", ctl.NOT_SO, "degraded"),
        ("no_brokerage", ctl.NOT_SO, "degraded"),
        ("stopped", ctl.NOT_SO, "stopped"),
        ("ended", ctl.NEEDS_PERSON, "blocked"),
        ("killed", ctl.NEEDS_PERSON, "blocked"),
        ("gone", ctl.NEEDS_PERSON, "blocked"),
    ],
)
def test_status_and_wait_ready_tell_the_state(
    deployed: Any, run: Run, fake_engine: Any, portal_state: standin.State, monkeypatch: pytest.MonkeyPatch,
    fault: str, code: int, state: str,
) -> None:  # fmt: skip
    deployed()
    fake_engine.started_at -= 3600
    portal_state.faults = {fault}
    if fault == "stopped":
        run("stop", "web")
    if fault in ("ended", "killed"):
        fake_engine.exit(137 if fault == "killed" else 1)
    fake_engine.exists = fault != "gone"
    monkeypatch.setattr(watched, "WAIT_SECONDS", 1e9)
    found, result = run("status")
    assert (found, result["state"], result["gateway"], "week" in result) == (code, state, "web", False)
    final = state in ("stopped", "blocked")
    found, waited = run("wait-ready", "web")
    assert (found, waited["state"]) == (ctl.DONE if not code else ctl.NEEDS_PERSON if final else ctl.NOT_SO, state)
    # It asks for nothing, and keeps nothing.
    assert not [each for each in portal_state.requests if "ssodh" in each]
    stop = ["stop"] if fault == "stopped" else []
    assert [each["event"] for each in run("history", "web")[1]["events"]] == stop
    assert ACCOUNT not in json.dumps([result, waited])


def test_a_wait_ends_when_it_is_ready(deployed: Any, portal_state: standin.State) -> None:
    deployed()
    portal_state.faults = {"no_brokerage"}

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        portal_state.faults = set()

    slept: list[float] = []
    ready, final, report = control.PortalControl("web", Plan(), sleep=sleep).await_ready(60)
    assert (ready, final, report["state"], slept) == (True, False, "ready", [watched.WAIT_SECONDS])


def test_a_live_one_has_no_week(deployed: Any, run: Run) -> None:
    deployed("live", accounts=[])
    code, result = run("status", "web")
    assert (code, result["mode"], "week" in result) == (ctl.NEEDS_PERSON, "live", False)


def test_a_host_with_both_kinds(deployed: Any, deploy: Any, run: Run) -> None:
    deployed()
    deploy(name="paper")
    assert descriptor.all_deployed() == ["paper", "web"]
    for arguments in (("status",), ("status", "other")):
        code, result = run(*arguments)
        assert (code, "paper, web" in result["error"]) == (ctl.NOT_SO, True)
    assert run("status", "web")[1]["state"] == "ready"


def test_damaged_files_are_told(deployed: Any, run: Run) -> None:
    folder = deployed()
    Path(plan.path("web")).write_text("{")
    code, result = run("status", "web")
    assert (code, result["state"], result["reason"]) == (ctl.NOT_SO, "degraded", result["plan_fault"])
    (folder / place.FILE).chmod(0o600)
    (folder / place.FILE).write_text("{")
    code, result = run("status", "web")
    assert (code, "ibops.gateway.site" in result["error"]) == (ctl.NOT_SO, True)


def test_its_support_bundle(deployed: Any, fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = deployed()
    secrets = (USER, PASSWORD, KEYSTORE, ACCOUNT, "trading-prod-1")
    fake_engine.environment = ["IBEAM_ACCOUNT=/run/secrets/ibkr_user", "MY_TOKEN=t0psecret9"]
    fake_engine.log(*(f"it said {each}" for each in (*secrets, "t0psecret9")))
    (folder / "alerts.json").write_text("[]")
    asked: list[tuple[str, ...]] = []

    def output(*command: str) -> str:
        asked.append(command)
        return " ".join(secrets)

    monkeypatch.setattr(bundle.health, "output", output)
    made = bundle.make(control.PortalControl("web", Plan(host="trading-prod-1")), 1_795_791_600.0)
    found = contents(made)
    assert list(found) == list(bundle.PARTS)
    assert not [name for name, text in found.items() if text.startswith("not had")]
    assert not [(name, each) for name, text in found.items() for each in (*secrets, "t0psecret9") if each in text]
    settings = json.loads(found["settings.json"])
    assert (settings["client_portal.json"]["accounts"], "gateway.json" in settings) == (1, False)
    assert json.loads(found["versions.json"])["controller"] == "client_portal"
    assert json.loads(found["facts.json"])["look"]["state"] == "ready"
    assert "it said" in found["container.log"]
    (journal,) = [command for command in asked if command[0] == "journalctl"]
    assert journal[-2:] == ("--unit=ibgw-watch@web.service", "--unit=ibgw-tickle-web.service")


def test_the_tests_of_channels_are_in_its_history(deployed: Any, run: Run) -> None:
    deployed()
    assert "set session_alerts" in run("alert-test", "web")[1]["error"]
    Path(alerts.path("web")).write_text('[{"kind": "webhook", "url": "http://127.0.0.1:1/s3cr3t"}]')
    assert run("alert-test", "web")[1]["channels"][0]["channel"] == "webhook/0"
    assert [each["event"] for each in run("history", "web")[1]["events"]] == ["alert_test"]


@pytest.mark.usefixtures("portal_state")
@pytest.mark.parametrize(
    ("main", "arguments", "command"),
    [
        *((gateway_session.main, {"state": state}, command) for state, command in gateway_session.COMMANDS.items()),
        (gateway_sign_in.main, {}, "sign-in"),
        (gateway_ready.main, {}, ""),
        (gateway_client_check.main, {}, ""),
        (gateway_adoption.main, {"mode": "paper", "container": "ib-gateway"}, ""),
    ],
)
def test_modules_for_ib_gateway_refuse_it_by_name(
    deployed: Any, run_module: Any, fake_engine: Any, main: Any, arguments: dict[str, Any], command: str
) -> None:
    deployed()
    for check in (False, True):
        found = run_module(main, check=check, gateway_name="web", **arguments)
        assert (found["failed"], instead.refusal("web", command) in found["msg"]) == (True, True), found
    assert fake_engine.calls == []
