# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' facts on a Client Portal Gateway, and the live check of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox.client_portal import standin
from tests.unit.plugins.live_facts import thresholds

from ansible_collections.ibops.gateway.plugins.filter.gateway_table import gateway_page
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.control import PortalControl
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.watcher import PortalWatcher
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.report import live_check
from ansible_collections.ibops.gateway.plugins.modules import gateway_health, gateway_info

pytestmark = pytest.mark.thorough


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
        assert "ibops.gateway.site" in run_module(module.main, gateway_name="web")["msg"]


@pytest.mark.parametrize(
    ("fault", "mode", "verdict", "said"),
    [
        ("", "paper", "ok", "web is fine and ready"),
        ("competing", "paper", "act", "the same IBKR user is in another session"),
        ("", "live", "act", "DU***67 is not a live account"),
        ("ended", "paper", "act", "nobody has stopped it by ibgwctl"),
        ("stopped", "paper", "warn", "web is fine and stopped"),
    ],
)
def test_the_live_check_has_rows_for_it(
    deployed: Any, run_module: Any, portal_state: standin.State, fake_engine: Any,
    capsys: pytest.CaptureFixture[str], fault: str, mode: str, verdict: str, said: str,
) -> None:  # fmt: skip
    deployed(mode)
    portal_state.faults = {fault}
    if fault == "ended":
        fake_engine.exit(143)
    if fault == "stopped":
        PortalControl("web", Plan()).stop(60)
    watched(capsys)
    facts = run_module(gateway_health.main, gateway_name="web")
    # Within it nobody has to act; the test may run at that hour.
    facts["session"]["reset_until"] = None
    found = live_check.report(facts, "web", thresholds(watcher=True, client_check=False))
    rows = {each["check"]: each["verdict"] for each in found["rows"]}
    expected = {"state", "watcher", "week", "image", "log", "clock", "secret", "timers", "drift"}
    expected |= set() if fault == "stopped" else {"accounts"}
    assert expected <= rows.keys()
    assert not {"session", "deep check", "release", "restarts"} & rows.keys()
    assert ("settings" in rows) == (fault not in ("ended", "stopped"))
    assert (rows["state"], said in found["sentence"]) == (verdict, True), found["lines"]
    assert rows["watcher"] == "ok"
    assert "<svg" in found["picture"]
    assert not {"release", "session", "restarts", "deep check"} & rows.keys()


@pytest.mark.parametrize(
    ("mode", "changes", "row", "verdict", "step"),
    [
        ("paper", {}, "settings", "ok", ""),
        ("paper", {"revision": "r2"}, "settings", "warn", "ibops.gateway.site -i INVENTORY -l web"),
        ("live", {"revision": "r2"}, "settings", "warn", "-e gateway_apply=now"),
        # As an older release wrote it.
        ("paper", {"revision": ""}, "settings", "ok", ""),
        ("paper", {"image": ""}, "image", "warn", "ibops.gateway.site -i INVENTORY -l web"),
        ("paper", {}, "image", "ok", ""),
        ("paper", {"image": "image@sha256:2"}, "image", "warn", "ibops.gateway.site -i INVENTORY -l web"),
        ("paper", {"image": "image:latest"}, "image", "warn", "Set gateway_image to a digest."),
    ],
)
def test_what_waits_for_the_next_sign_in_is_told(
    deployed: Any, run_module: Any, mode: str, changes: dict[str, str], row: str, verdict: str, step: str
) -> None:
    deployed(mode, **changes)
    facts = run_module(gateway_health.main, gateway_name="web")
    found = live_check.report(facts, "web", thresholds(watcher=True, client_check=False))
    (told,) = [each for each in found["rows"] if each["check"] == row]
    assert (told["verdict"], step in told["next_step"]) == (verdict, True), told
    look = run_module(gateway_info.main, gateway_name="web")
    assert look["pending"] == (changes.get("revision") == "r2")


@pytest.mark.parametrize(("mode", "said"), [(0o440, "mode 0440"), (0o444, "others may read"), (None, "No such file")])
def test_the_file_of_its_password_is_looked_at(deployed: Any, run_module: Any, mode: int | None, said: str) -> None:
    path = deployed() / "secrets" / "ibkr_password"
    path.chmod(mode) if mode else path.unlink()
    facts = run_module(gateway_health.main, gateway_name="web")
    (row,) = [
        each
        for each in live_check.report(facts, "web", thresholds(watcher=True, client_check=False))["rows"]
        if each["check"] == "secret"
    ]
    assert said in row["text"]
    if mode != 0o440:
        assert row["verdict"] == "act"
