# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.action import gateway_sign_in as action
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import week
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Store
from ansible_collections.ibops.gateway.plugins.modules import gateway_sign_in

LIVE = {"name": "live", "mode": "live", "container": "ibgw-live"}


@pytest.fixture(autouse=True)
def midweek(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(week, "closing", lambda _at: False)


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Units of systemd that run; systemd-run adds one."""
    running: list[str] = []

    def run_command(_module: object, command: list[str]) -> tuple[int, str, str]:
        running.append(command[3].partition("=")[2])
        return 0, "", ""

    monkeypatch.setattr(gateway_sign_in.AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(gateway_sign_in, "is_running", lambda name: name in running)
    return running


def test_it_is_begun_and_followed_to_its_end(run_module: Any, fake_engine: Any, deploy: Any, unit: list[str]) -> None:
    fake_engine.exit(0)
    deploy(**LIVE)
    foreseen = run_module(gateway_sign_in.main, check=True, gateway_name="live")
    assert (foreseen["changed"], foreseen["ended"], unit) == (True, True, [])
    unasked = run_module(gateway_sign_in.main, gateway_name="live")
    assert ("-l live" in unasked["msg"], unit) == (True, [])
    begun = run_module(gateway_sign_in.main, gateway_name="live", names_live=True)
    assert (begun["ended"], unit) == (False, ["ibgw-sign-in-live.service"])
    store, since = Store("live"), begun["since"]
    quiet = run_module(gateway_sign_in.main, gateway_name="live", step="follow", since=since, wait=0.1)
    assert (quiet["steps"], quiet["ended"]) == ([], False)
    store.note("sign_in_step", "a push was sent", since + 1, step="push_sent")
    store.note("state", "another event", since + 2)
    told = run_module(gateway_sign_in.main, gateway_name="live", step="follow", since=since)
    assert [step["text"] for step in told["steps"]] == ["a push was sent"]
    store.note("sign_in_step", "", since + 3, step="ended")
    unit.clear()
    done = run_module(gateway_sign_in.main, gateway_name="live", step="follow", since=told["steps"][-1]["at"])
    assert (done["steps"], done["ended"], done["changed"]) == ([], True, True)


@pytest.mark.parametrize(("refusal", "left"), [("", "secret"), ("Failed to start", None), ("already exists", "secret")])
def test_the_password_waits_for_the_unit_and_not_for_one_that_does_not_come(
    run_module: Any, fake_engine: Any, deploy: Any, monkeypatch: pytest.MonkeyPatch, refusal: str, left: str | None
) -> None:
    fake_engine.exit(0)
    deploy(**LIVE)
    answer = (1, "", refusal) if refusal else (0, "", "")
    monkeypatch.setattr(gateway_sign_in.AnsibleModule, "run_command", lambda _module, _command: answer)
    result = run_module(gateway_sign_in.main, gateway_name="live", names_live=True, password="secret")
    assert bool(result.get("failed")) is (left is None)
    assert password.take("live") == left
    assert "secret" not in str(result)


@pytest.mark.parametrize(
    ("step", "said"),
    [("failed", "no push was approved"), ("push_sent", "ended without a word: see journalctl -u ibgw-")],
)
def test_a_sign_in_that_fails_or_dies_is_the_tasks_failure(
    run_module: Any, fake_engine: Any, deploy: Any, unit: list[str], step: str, said: str
) -> None:
    deploy(**LIVE)
    Store("live").note("sign_in_step", "no push was approved", 5.0, step=step)
    result = run_module(gateway_sign_in.main, gateway_name="live", step="follow", since=1.0)
    assert result["failed"]
    assert said in result["msg"]


def test_paper_signs_in_by_itself(run_module: Any, fake_engine: Any, deploy: Any, unit: list[str]) -> None:
    deploy()
    result = run_module(gateway_sign_in.main, gateway_name="paper")
    assert "is a paper gateway" in result["msg"]


def test_in_the_closing_hours_it_is_refused(
    run_module: Any, fake_engine: Any, deploy: Any, unit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week, "closing", lambda _at: True)
    deploy(**LIVE)
    result = run_module(gateway_sign_in.main, gateway_name="live")
    assert "sign in from Sunday 01:15 on" in result["msg"]
    assert unit == []


Answers = list[dict[str, Any]]


@pytest.mark.parametrize(
    ("answers", "shown", "failed"),
    [
        ([{"changed": False, "ended": True, "steps": [{"at": 1.0, "text": "it is ready"}]}], ["it is ready"], False),
        (
            [
                {"changed": True, "ended": False, "since": 1.0, "steps": []},
                {"changed": True, "ended": False, "steps": []},
                {"changed": True, "ended": False, "steps": [{"at": 2.0, "text": "push sent"}]},
                {"changed": True, "ended": True, "steps": [{"at": 3.0, "text": "valid"}]},
            ],
            ["push sent", "valid"],
            False,
        ),
        ([{"changed": True, "ended": False, "since": 1.0}, {"failed": True, "msg": "no"}], [], True),
        (
            [
                {"changed": True, "ended": False, "since": 1.0},
                {
                    "failed": True,
                    "msg": "no push was approved",
                    "steps": [
                        {"at": 2.0, "text": "push sent"},
                        {"at": 3.0, "step": "failed", "text": "no push was approved"},
                    ],
                },
            ],
            ["push sent"],
            True,
        ),
    ],
)
def test_the_action_shows_each_step_once(
    monkeypatch: pytest.MonkeyPatch, answers: Answers, shown: list[str], failed: bool
) -> None:
    asked: Answers = []
    printed: list[str] = []
    left = iter(answers)

    def execute(module_name: str, module_args: dict[str, Any], task_vars: object) -> dict[str, Any]:
        asked.append(module_args)
        return dict(next(left))

    plugin: Any = action.ActionModule.__new__(action.ActionModule)
    plugin._task = SimpleNamespace(args={"gateway_name": "live"}, async_val=0, check_mode=False, diff=False)
    plugin._display = SimpleNamespace(display=printed.append)
    plugin._execute_module = execute
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(action.ActionBase, "run", lambda *_arguments, **_more: {})
    steps = [step for answer in answers for step in answer.get("steps", ()) if step.get("step") != "failed"]
    result = plugin.run(task_vars={"inventory_hostname": "l1"})
    assert printed == [f"l1: 00:00:0{step['at']:.0f} UTC  {step['text']}" for step in steps]
    assert [step["text"] for step in steps] == shown
    assert result.get("failed", False) is failed
    assert [step["text"] for step in result["steps"]][: len(shown)] == shown
    assert [arguments["step"] for arguments in asked] == ["begin"] + ["follow"] * (len(answers) - 1)
    assert next(left, None) is None
