# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.modules import gateway_session


@pytest.fixture
def paper(fake_engine: Any, deploy: Any, command_server: Any) -> Any:
    command_server.on_command = lambda _command: fake_engine.exit(0)
    fake_engine.log(
        ".> Starting IBC/IB gateway", "IBC: Starting session: will exit if login dialog", "Login attempt: 1"
    )
    return deploy(command_port=command_server.port)


def test_check_do_repeat_undo(run_module: Any, fake_engine: Any, paper: Any) -> None:
    wanted = {"gateway_name": "paper", "state": "stopped"}
    foreseen = run_module(gateway_session.main, check=True, **wanted)
    assert (foreseen["changed"], foreseen["actions"], foreseen["state"]) == (True, ["IBC STOP"], "starting")
    done = run_module(gateway_session.main, **wanted)
    assert (done["changed"], done["how"], done["exit_code"], done["state"]) == (True, "ibc", 0, "stopped")
    again = run_module(gateway_session.main, **wanted)
    assert (again["changed"], again["actions"], again["state"]) == (False, [], "stopped")
    started = run_module(gateway_session.main, gateway_name="paper", state="started")
    assert (started["changed"], started["state"]) == (True, "starting")
    assert not run_module(gateway_session.main, gateway_name="paper", state="started")["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": "stopped"}, "missing required arguments: gateway_name"),
        ({"gateway_name": "paper", "state": "killed"}, "must be one of: started, stopped, restarted"),
        ({"gateway_name": "paper", "state": "stopped", "timeout": -1}, "must not be negative"),
        ({"gateway_name": "other", "state": "stopped"}, "gateway other is not deployed on this host"),
        ({"gateway_name": "paper", "state": "restarted"}, "not signed in (phase signing_in)"),
    ],
)
def test_failures(run_module: Any, paper: Any, arguments: dict[str, Any], message: str) -> None:
    result = run_module(gateway_session.main, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_an_engine_that_is_away(run_module: Any, deploy: Any, no_engine: Any) -> None:
    deploy()
    result = run_module(gateway_session.main, gateway_name="paper", state="stopped")
    assert result["failed"]
    assert "is the docker service running?" in result["msg"]
