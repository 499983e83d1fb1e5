# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real API clients, unmodified, against the stand-in at every framing level."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ibgw_standin.testing import running

HERE = Path(__file__).parent
LEVELS = (157, 176, 178, 187, 194, 200, 201, 207, 213, 219, 225)
"""Highest version of the server: the ends, each change of framing, and a gate of each kind."""

NEWEST = {"ib_async": 178, "ib_insync": 176, "ibapi": 157, "nautilus": 225}
"""Highest version of each client."""

SCRIPTS = {
    "ib_async": ("ib_family.py", "ib_async"),
    "ib_insync": ("ib_family.py", "ib_insync"),
    "ibapi": ("ibapi_family.py",),
    "nautilus": ("ibapi_family.py",),
}
HEALTHY = {2104, 2106, 2107, 2108, 2158}


def python_of(client: str) -> str:
    """Return the Python of the client's environment; an installation says so on standard error."""
    command = [sys.executable, "-m", "tests.clients.venvs", client]
    found = subprocess.run(command, cwd=HERE.parents[1], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.strip()


@pytest.fixture(scope="session", params=NEWEST)
def client(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    """A client's name and the command that runs it."""
    script, *arguments = SCRIPTS[request.param]
    return request.param, [python_of(request.param), "-W", "ignore", str(HERE / script), *arguments]


@pytest.mark.parametrize("level", LEVELS)
def test_a_whole_session(client: tuple[str, list[str]], level: int) -> None:
    name, command = client
    with running(max_version=level, accounts=["DU1234567", "DU7654321"]) as gateway:
        arguments = [*command, gateway.host, str(gateway.port)]
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        seen: dict[str, Any] = json.loads(ended.stdout)
        forms = {line["form"] for line in gateway.requests() if "form" in line}
    assert seen["version"] == min(level, NEWEST[name])
    assert seen["accounts"] == ["DU1234567", "DU7654321"]
    assert seen["next_id"] >= 1
    assert abs(seen["time"] - time.time()) < 60
    assert seen["positions"] == [[account, "AAPL", 10.0] for account in seen["accounts"]]
    assert seen["net_liquidation"] == ["1000000.00"] * 2
    assert seen["contract"] == [[265598, "APPLE INC", "America/New_York", 0.01]]
    assert seen["bars"] == [1.085] * 6
    assert "NetLiquidation" in seen["account_values"]
    assert set(seen["errors"]) <= HEALTHY
    assert ("protobuf" in forms) == (seen["version"] >= 203)
    if seen["version"] >= 219:
        assert seen["config"] == [False, gateway.port, ["127.0.0.1"]]


def test_one_account_has_a_portfolio(client: tuple[str, list[str]]) -> None:
    _, command = client
    with running() as gateway:
        arguments = [*command, gateway.host, str(gateway.port)]
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(ended.stdout)["portfolio"] == [[265598, 190.5]]
