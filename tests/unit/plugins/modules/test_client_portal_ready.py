# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from sandbox.client_portal import standin

from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import client, tickle
from ansible_collections.ibops.gateway.plugins.modules import client_portal_ready


@pytest.fixture
def deploy(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, portal_port: int) -> None:
    monkeypatch.setattr(tickle.place, "ROOT", str(tmp_path))
    (tmp_path / "paper").mkdir()
    found = {"host": "127.0.0.1", "port": portal_port, "ca_path": None, "mode": "paper", "accounts": []}
    (tmp_path / "paper/client_portal.json").write_text(json.dumps(found))


def ready(run_module: Any, **options: object) -> Any:
    return run_module(client_portal_ready.main, **options)


@pytest.mark.usefixtures("deploy")
def test_a_gateway_of_ours(run_module: Any, portal_port: int) -> None:
    result = ready(run_module, gateway_name="paper", timeout=5)
    assert (result["state"], result["changed"], result["attempts"]) == ("ready", False, 1)
    assert (result["accounts"], result["port"]) == (["DU***67"], portal_port)


@pytest.mark.usefixtures("deploy")
def test_an_option_wins_over_what_is_deployed(run_module: Any) -> None:
    result = ready(run_module, gateway_name="paper", mode="live")
    assert result["failed"]
    assert "is not ready after" in result["msg"]
    assert "connected: signed in to the wrong account" in result["msg"]


def test_any_endpoint_in_another_state(run_module: Any, portal_state: standin.State, portal_port: int) -> None:
    portal_state.faults = {"competing"}
    assert ready(run_module, port=portal_port, state="competing", timeout=5)["state"] == "competing"
    result = ready(run_module, port=portal_port, timeout=0.1)
    assert result["failed"]
    assert "Next step: End the other session" in result["msg"]


def test_it_waits(
    run_module: Any, portal_state: standin.State, portal_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal_state.faults = {"unauthenticated"}
    monkeypatch.setattr(client_portal_ready.time, "sleep", lambda _seconds: portal_state.faults.clear())
    assert ready(run_module, port=portal_port, timeout=60)["attempts"] == 2


def test_check_mode_looks_once_and_never_fails(run_module: Any, portal_state: standin.State, portal_port: int) -> None:
    portal_state.faults = {"unauthenticated"}
    result = ready(run_module, check=True, port=portal_port)
    assert (result.get("failed"), result["state"], result["attempts"]) == (None, "unauthenticated", 1)
    assert not ready(run_module, check=True, gateway_name="nowhere").get("failed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 0}, "timeout is 0.0"),
        ({"delay": 1}, "delay is 1.0: it must be at least 2.0"),
        ({"port": 0}, "port 0 is not a TCP port"),
        ({"host": "192.0.2.1"}, "host 192.0.2.1 is not the loopback"),
        ({"ca_path": "/nowhere"}, "No such file"),
        ({"gateway_name": "../x"}, "is not a name of a gateway"),
        ({"gateway_name": "nowhere"}, "no Client Portal Gateway nowhere is deployed"),
    ],
)
def test_bad_input_is_refused(run_module: Any, options: dict[str, object], said: str) -> None:
    result = ready(run_module, **options)
    assert result["failed"]
    assert said in result["msg"]


@pytest.mark.usefixtures("deploy")
def test_what_keeps_a_session(portal_state: standin.State, tmp_path: pathlib.Path) -> None:
    assert tickle.keep("paper") == "HTTP 200, authenticated"
    assert portal_state.requests == ["POST /tickle"]
    portal_state.faults = {"competing"}
    assert tickle.keep("paper") == "HTTP 200, not authenticated, competing"
    (tmp_path / "paper/client_portal.json").write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        tickle.keep("paper")


@pytest.mark.usefixtures("deploy")
@pytest.mark.parametrize("told", [{}, {"iserver": [1]}, {"iserver": None}, {"iserver": {"authStatus": "x"}}])
def test_an_answer_of_another_form_is_told(monkeypatch: pytest.MonkeyPatch, told: dict[str, object]) -> None:
    monkeypatch.setattr(client, "tickle", lambda _endpoint: client.Answer(200, told))
    assert tickle.keep("paper") == "HTTP 200, not authenticated"


def test_nothing_to_keep(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    monkeypatch.setattr(tickle, "load", lambda _name: tickle.Deployed(port=closed_port))
    assert tickle.keep("paper") == "no session to keep: nothing listens on the port"
