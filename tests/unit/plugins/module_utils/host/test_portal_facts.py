# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' facts on a Client Portal Gateway, and the live check of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox.client_portal import standin
from tests.unit.plugins.live_facts import thresholds

from ansible_collections.ibops.gateway.plugins.filter.gateway_table import gateway_page
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.watcher import PortalWatcher
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, health, store
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.report import live_check
from ansible_collections.ibops.gateway.plugins.modules import gateway_health, gateway_info


@pytest.fixture
def deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, portal_port: int
) -> Callable[[str], None]:
    for module in (place, descriptor):
        monkeypatch.setattr(module, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))
    unit = "Id=ibgw-watch@web.service\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\nSubState=running\n"
    shown = {"timedatectl": "NTP=yes\nNTPSynchronized=yes\n", "systemctl": unit}
    monkeypatch.setattr(health, "output", lambda *command: shown[command[0]])

    def write(mode: str) -> None:
        folder = tmp_path / "etc" / "web"
        folder.mkdir(parents=True)
        content = {"host": "127.0.0.1", "port": portal_port, "mode": mode, "accounts": ["DU1234567"]}
        (folder / "client_portal.json").write_text(json.dumps(content))

    return write


def watched(capsys: pytest.CaptureFixture[str]) -> None:
    """Have the watcher look once; what it tells the journal is not the module's output."""
    PortalWatcher("web", Plan()).look()
    capsys.readouterr()


@pytest.mark.usefixtures("portal_state")
def test_gateway_info(deployed: Any, run_module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    deployed("paper")
    watched(capsys)
    found = run_module(gateway_info.main, gateway_name="web", history=True)
    assert (found["deployed"], found["stack"], found["state"], found["accounts"]) == (
        True, "client_portal", "ready", ["DU***67"],
    )  # fmt: skip
    assert found["session"]["state"] == "ready"
    assert [each["state"] for each in found["history"]["events"]] == ["ready"]
    assert "DU1234567" not in json.dumps({**found, "invocation": None})
    page = gateway_page([{"inventory_hostname": "web", "gateway_mode": "paper", "gateway_look": found}])
    assert (page["counts"]["ok"], page["gateways"][0]["strip"].count("<rect")) == (1, 2)


def test_a_deployment_that_is_damaged(deployed: Any, run_module: Any) -> None:
    deployed("paper")
    Path(place.path("web")).write_text("{")
    for module in (gateway_info, gateway_health):
        assert "run site.yml to rewrite it" in run_module(module.main, gateway_name="web")["msg"]


@pytest.mark.parametrize(
    ("fault", "mode", "verdict", "said"),
    [
        ("", "paper", "ok", "web is fine and ready"),
        ("competing", "paper", "act", "the same IBKR user is in another session"),
        ("", "live", "act", "DU***67 is not a live account"),
        ("stopped", "paper", "act", "the container is stopped"),
    ],
)
def test_the_live_check_has_rows_for_it(
    deployed: Any, run_module: Any, portal_state: standin.State, fake_engine: Any,
    capsys: pytest.CaptureFixture[str], fault: str, mode: str, verdict: str, said: str,
) -> None:  # fmt: skip
    deployed(mode)
    portal_state.faults = {fault}
    if fault == "stopped":
        fake_engine.exit(143)
    watched(capsys)
    facts = run_module(gateway_health.main, gateway_name="web")
    found = live_check.report(facts, "web", thresholds(watcher=True, client_check=False))
    rows = {each["check"]: each["verdict"] for each in found["rows"]}
    assert {"state", "accounts", "watcher", "week", "clock", "timers", "drift"} <= rows.keys()
    assert (rows["state"], said in found["sentence"]) == (verdict, True), found["lines"]
    assert rows["watcher"] == "ok"
    assert "<svg" in found["picture"]
    assert not {"release", "secret", "session", "restarts"} & rows.keys()
