# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deep check with the real ib_async against the stand-in, and its failures."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.modules import gateway_client_check
from ibgw_standin import testing

pytestmark = pytest.mark.thorough

STEPS = ["connect", "current_time", "accounts", "positions", "account_summary", "contract"]


@pytest.fixture(scope="module")
def standin() -> Iterator[testing.Running]:
    with testing.running(extra=["--no-delays"]) as running:
        yield running


@pytest.fixture(autouse=True)
def no_fault(request: pytest.FixtureRequest) -> None:
    if "standin" in request.fixturenames:
        standin = request.getfixturevalue("standin")
        standin.set_fault(None)
        standin.control({"cmd": "reset"})


def check(run_module: Any, standin: testing.Running, **options: Any) -> Any:
    return run_module(
        gateway_client_check.main,
        **{
            "host": standin.host,
            "port": standin.port,
            "mode": "paper",
            "python": sys.executable,
            "step_timeout": 5,
            **options,
        },
    )


def test_every_step(run_module: Any, standin: testing.Running) -> None:
    result = check(run_module, standin)
    assert not result.get("failed"), result
    assert [step["name"] for step in result["steps"]] == STEPS
    assert all(step["ok"] for step in result["steps"])
    assert result["accounts"] == ["DU***67"]
    assert result["position_count"] == 1
    assert "account_values" not in result
    assert "1234567" not in str(result)
    asked = {line["request"] for line in standin.requests() if line["client_id"] == 918}
    assert not asked & {"placeOrder", "reqOpenOrders", "reqAllOpenOrders", "reqCompletedOrders", "reqAccountUpdates"}
    assert standin.status()["dialog_shown"] == 0


def test_amounts_on_request(run_module: Any, standin: testing.Running) -> None:
    values = check(run_module, standin, amounts=True)["account_values"]
    assert {"account": "DU***67", "tag": "NetLiquidation", "value": "1000000.00", "currency": "USD"} in values


@pytest.mark.parametrize(
    ("options", "step", "detail"),
    [
        ({"mode": "live"}, "accounts", "DU***67 is not a live account"),
        ({"accounts": ["DU7654321"]}, "accounts", "not among the 1 allowed"),
        (
            {"contract": {"secType": "STK", "symbol": "NOSUCH", "exchange": "SMART", "currency": "USD"}},
            "contract",
            "unknown",
        ),
        ({"contract": {"nonsense": 1}}, "contract", "TypeError"),
    ],
)
def test_a_step_that_fails(run_module: Any, standin: testing.Running, options: Any, step: str, detail: str) -> None:
    result = check(run_module, standin, **options)
    assert result["failed"]
    failed = [found for found in result["steps"] if not found["ok"]]
    assert [found["name"] for found in failed] == [step]
    assert detail in failed[0]["detail"]
    assert f"failed at {step}: " in result["msg"]
    assert len(result["steps"]) == len(STEPS)


@pytest.mark.parametrize("fault", ["unresponsive", "silent", "client_id_in_use"])
def test_a_gateway_that_hangs_is_bounded(run_module: Any, standin: testing.Running, fault: str) -> None:
    standin.set_fault(fault)
    result = check(run_module, standin, timeout=3, step_timeout=1)
    assert result["failed"]
    assert not result["steps"][0]["ok"]
    assert result["elapsed"] < 3 + gateway_client_check.START_SECONDS


def test_nothing_listens(run_module: Any, closed_port: int) -> None:
    result = run_module(gateway_client_check.main, port=closed_port, python=sys.executable)
    assert result["failed"]
    assert "ConnectionRefusedError" in result["steps"][0]["detail"]


def test_no_interpreter(run_module: Any, closed_port: int) -> None:
    result = run_module(gateway_client_check.main, port=closed_port, python="/no/such/python")
    assert "cannot run /no/such/python (No such file or directory): role gateway installs it" in result["msg"]


def test_an_interpreter_without_ib_async(run_module: Any, closed_port: int, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S -I "$@"\n')
    python.chmod(0o755)
    result = run_module(gateway_client_check.main, port=closed_port, python=str(python))
    assert result["msg"] == "the check broke off: ModuleNotFoundError: No module named 'ib_async'"


def test_a_check_that_does_not_end_is_killed(
    run_module: Any, closed_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_client_check, "START_SECONDS", 0.1)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 30\n")
    python.chmod(0o755)
    result = run_module(gateway_client_check.main, port=closed_port, python=str(python), timeout=0.1)
    assert "was killed" in result["msg"]


def test_by_name(run_module: Any, standin: testing.Running, deploy: Any) -> None:
    deploy(port=standin.port)
    result = run_module(gateway_client_check.main, gateway_name="paper", python=sys.executable)
    assert not result.get("failed"), result
    assert {line["client_id"] for line in standin.requests() if line["request"] == "startApi"} == {918}
    assert run_module(gateway_client_check.main, gateway_name="none")["failed"]
    json.dumps(result)
