# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record, Store
from ansible_collections.ibops.gateway.plugins.modules import gateway_info


def test_a_gateway_of_ours(run_module: Any, fake_engine: Any, deploy: Any, closed_port: int) -> None:
    deploy(port=closed_port)
    fake_engine.log(
        ".> Starting IBC/IB gateway", "IBC: Starting session: will exit if login dialog", "Login attempt: 1"
    )
    result = run_module(gateway_info.main, gateway_name="paper")
    assert not result.get("failed")
    assert (result["deployed"], result["state"], result["api_state"]) == (True, "starting", "port_closed")
    assert result["image_present"] is True
    assert result["container"]["exists"]
    assert result["pending"] is False


def test_a_name_that_is_not_deployed(run_module: Any, fake_engine: Any, deploy: Any) -> None:
    result = run_module(gateway_info.main, gateway_name="paper", image="image@sha256:2")
    assert not result.get("failed")
    assert (result["deployed"], result["image_present"], result["state"]) == (False, False, None)


def test_an_engine_that_is_away_is_a_finding(run_module: Any, no_engine: Any, deploy: Any, healthy_port: int) -> None:
    deploy(port=healthy_port)
    result = run_module(gateway_info.main, gateway_name="paper")
    assert not result.get("failed")
    assert result["engine"]["reachable"] is False
    assert result["image_present"] is None
    assert result["state"] == "ready"


def test_an_endpoint(run_module: Any, healthy_port: int) -> None:
    result = run_module(gateway_info.main, port=healthy_port, check=True)
    assert result["api_state"] == "ready"
    assert "image_present" not in result


def test_an_image_alone(run_module: Any, fake_engine: Any) -> None:
    assert run_module(gateway_info.main, image="image@sha256:1") == {"changed": False, "image_present": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of the following is required: port, gateway_name, image"),
        ({"port": 4002, "timeout": -1}, "timeout is -1.0"),
        ({"gateway_name": "a b"}, "is not a name of a gateway"),
    ],
)
def test_bad_options(run_module: Any, arguments: dict[str, Any], message: str) -> None:
    result = run_module(gateway_info.main, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_a_gateway_that_its_watcher_has_stopped_is_blocked(run_module: Any, fake_engine: Any, deploy: Any) -> None:
    found = deploy()
    fake_engine.exit(0)
    store = Store("paper")
    record = store.load(found.mode)
    record.blocked = "refused_login"
    store.save(record)
    report = run_module(gateway_info.main, gateway_name="paper", probe=False)
    assert (report["state"], report["session"]["blocked"]) == ("blocked", "refused_login")
    assert "IBKR refused the user or the password" in report["reason"]


@pytest.mark.parametrize("content", [b"\xff", b"[]", b'{"gateway": 1}'])
def test_what_is_remembered_and_damaged_is_warned_of(
    run_module: Any, fake_engine: Any, deploy: Any, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warned.append(text))
    deploy()
    store = Store("paper")
    store.save(Record("paper", "paper"))
    Path(plan.path("paper")).write_bytes(b'{"interval": "x"}')
    found = run_module(gateway_info.main, gateway_name="paper", probe=False)
    assert found["session"]["state"] == "stopped"
    assert ["session.json" in each for each in warned] == [True]
    Path(store.state_path).write_bytes(content)
    found = run_module(gateway_info.main, gateway_name="paper", probe=False)
    assert found["session"] is None
    assert ["state.json" in each for each in warned[1:]] == [True, False]
    assert Path(store.state_path).read_bytes() == content


def test_what_happened_is_told_where_it_is_asked_for(run_module: Any, deploy: Any, fake_engine: Any) -> None:
    fake_engine.exit(0)
    deploy()
    Store("paper").note("start", "by Ann for DU1234567", time.time() - 60)
    assert "history" not in run_module(gateway_info.main, gateway_name="paper")
    found = run_module(gateway_info.main, gateway_name="paper", history=True)
    assert [(each["event"], each["text"]) for each in found["history"]["events"]] == [("start", "by Ann for DU***67")]
    assert found["checked_at"] >= found["history"]["events"][0]["at"]
