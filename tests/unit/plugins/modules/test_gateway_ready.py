# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.modules import gateway_ready

UP = [
    ".> Starting IBC/IB gateway",
    "IBC: Starting session: will exit if login dialog",
    "Login attempt: 1",
    "Login has completed",
    "Configuration tasks completed",
]


def test_any_endpoint(run_module: Any, healthy_port: int) -> None:
    result = run_module(gateway_ready.main, host="127.0.0.1", port=healthy_port, timeout=5)
    assert not result.get("failed")
    assert result["changed"] is False
    assert result["api_state"] == "ready"
    assert result["attempts"] == 1
    assert result["elapsed"] < 5
    assert result["accounts"] == ["DU***67"]
    assert "state" not in result


def test_an_endpoint_that_is_not_ready(run_module: Any, closed_port: int) -> None:
    result = run_module(gateway_ready.main, port=closed_port, timeout=0.2)
    assert result["failed"]
    assert result["api_state"] == "port_closed"
    assert result["msg"].startswith(
        f"the API at 127.0.0.1:{closed_port} is not ready after 0.2 s but port_closed: nothing"
    )
    assert "Next step: Start the gateway" in result["msg"]


def test_check_mode_looks_once_and_never_fails(run_module: Any, closed_port: int) -> None:
    result = run_module(gateway_ready.main, check=True, port=closed_port)
    assert not result.get("failed")
    assert (result["api_state"], result["attempts"], result["changed"]) == ("port_closed", 1, False)


def test_a_gateway_of_ours(run_module: Any, fake_engine: Any, deploy: Any, healthy_port: int) -> None:
    deploy(port=healthy_port)
    fake_engine.log(*UP)
    result = run_module(gateway_ready.main, gateway_name="paper", timeout=5)
    assert (result["state"], result["api_state"], result["mode"]) == ("ready", "ready", "paper")
    assert result["milestones"]["phase"] == "configured"
    assert result["container"]["running"]


def test_a_gateway_that_has_exited_ends_the_wait(
    run_module: Any, fake_engine: Any, deploy: Any, closed_port: int
) -> None:
    deploy(port=closed_port)
    fake_engine.log(*UP)
    fake_engine.exit(143)
    result = run_module(gateway_ready.main, gateway_name="paper", timeout=60)
    assert result["failed"]
    assert result["elapsed"] < 30
    assert (result["state"], result["final"]) == ("stopped", True)
    assert result["msg"].startswith("gateway paper is not ready after 0.")
    assert "exited with code 143 (stopped by SIGTERM" in result["msg"]


def test_options_win_over_the_descriptor(run_module: Any, fake_engine: Any, deploy: Any, healthy_port: int) -> None:
    deploy(port=1, mode="live")
    fake_engine.log(*UP)
    result = run_module(gateway_ready.main, gateway_name="paper", port=healthy_port, mode="paper", timeout=5)
    assert result["api_state"] == "ready"


@pytest.mark.parametrize(("wanted", "met"), [("stopped", True), ("waiting_2fa", False)])
def test_other_states(run_module: Any, fake_engine: Any, deploy: Any, wanted: str, met: bool) -> None:
    deploy()
    fake_engine.exit(0)
    result = run_module(gateway_ready.main, gateway_name="paper", state=wanted, timeout=5)
    assert bool(result.get("failed")) is not met
    assert result["api_state"] is None


def test_the_account_must_be_allowed(run_module: Any, healthy_port: int) -> None:
    result = run_module(gateway_ready.main, port=healthy_port, mode="paper", accounts=["DU7654321"], timeout=5)
    assert result["failed"]
    assert result["api_state"] == "wrong_account"
    assert result["elapsed"] < 4
    assert "1234567" not in str(result)
    assert "7654321" not in str(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of the following is required: port, gateway_name"),
        ({"port": 0}, "port 0 is not a TCP port"),
        ({"port": 65536}, "port 65536 is not a TCP port"),
        ({"port": 4002, "client_id": 0}, "client_id 0 would take over orders"),
        ({"port": 4002, "timeout": 0}, "timeout is 0.0: it must be more than 0 seconds"),
        ({"port": 4002, "delay": 1}, "delay is 1.0: it must be at least 2.0 seconds"),
        ({"port": 4002, "timeout": "nan"}, "timeout is nan"),
        ({"port": 4002, "accounts": ["u1234567"]}, "accounts: U***67 is written in lower case"),
        ({"port": 4002, "mode": "paper", "accounts": ["U1234567"]}, "is not an account of mode paper"),
        ({"port": 4002, "mode": "demo"}, "value of mode must be one of: live, paper"),
        ({"port": 4002, "state": "stopped"}, "add gateway_name"),
        ({"gateway_name": "absent"}, "gateway absent is not deployed on this host"),
        ({"gateway_name": "../x"}, "is not a name of a gateway"),
    ],
)
def test_bad_options(run_module: Any, deploy: Any, arguments: dict[str, Any], message: str) -> None:
    result = run_module(gateway_ready.main, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_a_virgin_host_in_check_mode(run_module: Any, deploy: Any) -> None:
    result = run_module(gateway_ready.main, check=True, gateway_name="paper")
    assert not result.get("failed")
    assert result["deployed"] is False
