# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of the stand-in against gateway_ready: each has a name, a reason, a next step, and does no harm."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import __main__ as command
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import probe
from ansible_collections.ibops.gateway.plugins.modules import gateway_ready
from ibgw_standin import faults, testing

pytestmark = pytest.mark.thorough

# Faults of layer login all close the port of a stand-in that serves the API alone.
EXPECTED = {
    **{name: "port_closed" for name, fault in faults.FAULTS.items() if fault.layer == "login"},
    **{name: "ready" for name, fault in faults.FAULTS.items() if fault.layer == "window"},
    "closed_on_accept": "proxy_up_gateway_down",
    "reset_on_accept": "closed_before_handshake",
    "too_many_clients": "proxy_up_gateway_down",
    "hung_api": "no_handshake",
    "silent": "no_handshake",
    "closed_after_hello": "closed_before_handshake",
    "reset_after_hello": "closed_before_handshake",
    "version_then_silent": "no_accounts",
    "garbage": "not_tws",
    "http": "not_tws",
    "huge_length": "not_tws",
    "huge_stream": "not_tws",
    "zero_frames": "not_tws",
    "trickle": "no_handshake",
    "non_numeric_version": "not_tws",
    "old_version": "unsupported_version",
    "ignores_client_max": "unsupported_version",
    "disclaimer": "rejected:10141",
    "client_id_in_use": "rejected:326",
    "no_accounts": "no_accounts",
    "empty_accounts": "no_accounts",
    "no_valid_id": "no_valid_id",
    "bad_utf8_accounts": "not_tws",
    "endless_notices": "no_accounts",
    "unresponsive": "unresponsive",
    "closes_during_sync": "closed_after_handshake",
    "port_reset": "port_moved",
    "slow": "ready",
    "notice_before_version": "ready",
    "link_down": "link_down",
    "link_lost": "ready",  # the link goes after the look, which cannot foresee it; test_a_link_that_goes sees it
    "farm_broken": "degraded",
    "hmds_broken": "degraded",
    "secdef_broken": "degraded",
    "read_only": "ready",
    "competing_session": "degraded",
    "desupport_notice": "ready",  # with a warning; test_the_end_of_a_release sees it
    "wrong_account_prefix": "wrong_account",
    "link_restored": "ready",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "slow": {"seconds": 0.02},
    "competing_session": {"announce": True},
    "endless_notices": {"bytes": 4 << 20},
    "huge_stream": {"bytes": 4 << 20},
    "zero_frames": {"bytes": 4 << 20},
}


@pytest.fixture(scope="module")
def running() -> Iterator[testing.Running]:
    with testing.running(extra=["--no-delays"]) as one:
        yield one


@pytest.fixture
def standin(running: testing.Running) -> testing.Running:
    running.set_fault(None)
    running.control({"cmd": "set", "max_version": 225})
    running.control({"cmd": "reset"})
    return running


def test_the_table_is_complete() -> None:
    assert EXPECTED.keys() == faults.FAULTS.keys()


@pytest.mark.parametrize("fault", EXPECTED)
def test_fault(run_module: Any, standin: testing.Running, fault: str) -> None:
    standin.set_fault(fault, **ARGUMENTS.get(fault, {}))
    started = time.monotonic()
    result = run_module(gateway_ready.main, host=standin.host, port=standin.port, mode="paper", timeout=0.3)
    assert time.monotonic() - started < 0.3 + 0.25 + 0.5 + 2
    assert result["api_state"] == EXPECTED[fault]
    assert bool(result.get("failed")) is (EXPECTED[fault] != "ready")
    assert result["reason"]
    assert result["next_step"]
    assert "1234567" not in str(result)
    standin.control({"cmd": "clear"})
    assert standin.status()["dialog_shown"] == 0
    assert probe(standin.host, standin.port, timeout=5)["api_state"] == "ready"


def test_a_link_that_goes_while_the_probe_listens(standin: testing.Running) -> None:
    standin.set_fault("link_lost", delay=0.05)
    standin.control({"cmd": "fault", "name": "hmds_broken", "add": True})  # so that the settling is not cut short
    assert probe(standin.host, standin.port, timeout=5, settle=1)["api_state"] == "link_down"


@pytest.mark.parametrize("_each", range(5))
def test_the_end_of_a_release(run_module: Any, standin: testing.Running, _each: int) -> None:
    standin.set_fault("desupport_notice", day="20271215")
    result = run_module(gateway_ready.main, host=standin.host, port=standin.port, mode="paper")
    assert (result["api_state"], result["release"]["severity"]) == ("ready", "warning")
    assert (result["release"]["accepted_until"], result["release"]["minimum"]) == ("2027-12-15", "10.50.1")
    assert 2172 in [notice["code"] for notice in result["notices"]]


def test_a_frozen_gateway(standin: testing.Running) -> None:
    standin.freeze()
    try:
        assert probe(standin.host, standin.port, timeout=0.3)["api_state"] == "no_handshake"
    finally:
        standin.thaw()


@pytest.mark.parametrize("version", [157, 176, 178, 194, 201, 213, 225])
def test_every_version_of_the_gateway(standin: testing.Running, version: int) -> None:
    standin.control({"cmd": "set", "max_version": version})
    result = probe(standin.host, standin.port)
    assert (result["api_state"], result["server_version"]) == ("ready", min(version, 178))


def test_only_harmless_requests(standin: testing.Running) -> None:
    assert probe(standin.host, standin.port, client_id=5)["api_state"] == "ready"
    assert [(line["request"], line["client_id"]) for line in standin.requests()] == [
        ("hello", None),
        ("startApi", 5),
        ("reqCurrentTime", 5),
    ]


def test_fifty_probes_with_one_client_id_never_meet_themselves(standin: testing.Running) -> None:
    assert {probe(standin.host, standin.port)["api_state"] for _n in range(50)} == {"ready"}


def test_a_wait_across_a_restart(run_module: Any, standin: testing.Running) -> None:
    standin.control({"cmd": "restart", "seconds": 0.3, "disclaimer_seconds": 0.2})
    result = run_module(gateway_ready.main, port=standin.port, mode="paper", timeout=20)
    assert result["api_state"] == "ready"
    assert result["attempts"] == 2


@pytest.mark.parametrize("fault", ["huge_stream", "zero_frames", "endless_notices", "garbage", "trickle"])
def test_a_hostile_server_does_not_fill_the_memory(standin: testing.Running, fault: str) -> None:
    standin.set_fault(fault)
    script = (
        "import resource, runpy, sys; sys.argv = sys.argv[1:]\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    arguments = [str(command.__file__), standin.host, str(standin.port), "--timeout", "1"]
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-S", "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert time.monotonic() - started < 10
    assert int(done.stdout.split()[-1]) < 12 << 10  # KiB
    assert done.stdout.startswith(EXPECTED[fault])
