# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as ibg-controller in containers: what a role asks of the image, and what a stop meets of process 1."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import commands, controllers
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import Descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import stop
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.wait import wait_for
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import controller_settings
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image as preflight

pytestmark = pytest.mark.docker

Start = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]
IBG = controllers.IBG_CONTROLLER.name
OWN = {**controller_settings.TABLES[IBG].fixed, "CONTROLLER_COMMAND_SERVER_PORT": "7462", "STANDIN_SPEED": "20"}
PUSHED = "Log In clicked successfully"


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the other controller, which fixture ``start`` then starts."""
    build = [str(ROOT / "sandbox/gateway/build"), "--state", str(ROOT / ".sandbox"), "--controller", IBG]
    return subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]


def gateway(container: Any, mode: str) -> Gateway:
    """The gateway in *container*, as its host knows it."""
    relay = {"live": 4003, "paper": 4004}[mode]
    found = Descriptor(
        name=mode, mode=mode, container=container.id, image="image", host="127.0.0.1", port=container.port(relay),
        client_id=917, accounts=[], command_port=7462, settings_dir="/nowhere", revision="r", controller=IBG,
    )  # fmt: skip
    return Gateway(found.endpoint(), found, Engine())


def test_the_image_is_what_the_role_assumes(image: str) -> None:
    engine = Engine()
    wanted = preflight.Wanted(1000, {"TRADING_MODE": "paper"}, "", (), engine.platform(), time.time())
    report = preflight.examine(engine, image, wanted, "ibgw-standin-ibg.image")
    assert (report.controller, report.refusals) == (IBG, [])
    assert {each.id for each in report.differences} <= {"unknown_image"}


def test_paper_signs_in_takes_commands_and_stops(start: Start) -> None:
    container = start(**OWN)
    container.line("Command server: listening on 127.0.0.1:7462")
    one = gateway(container, "paper")
    assert wait_for(one, "ready", 60), one.judgement()
    assert controllers.controller_of(container.inspect()["Config"]) == IBG
    with pytest.raises(commands.ChannelError, match="ERR unknown_command: PAUSE"):
        commands.send(Engine(), container.id, 7462, "PAUSE", "ibg-controller")
    outcome = stop(one, Engine(), 60, check=False)
    assert (outcome.how, outcome.exit_code) == (IBG, 0)


def test_a_stop_in_the_push_is_a_kill_and_takes_no_time(start: Start) -> None:
    container = start("--stop-timeout=60", **OWN | {"STANDIN_SPEED": "1"}, TRADING_MODE="live")
    container.line(PUSHED)
    one = gateway(container, "live")
    one.refresh()
    assert one.judgement().state == "waiting_2fa"
    begun = time.monotonic()
    outcome = stop(one, Engine(), 60, check=False)
    assert (outcome.actions[-1], outcome.exit_code) == ("docker kill", 137)
    assert time.monotonic() - begun < 15


def test_docker_stop_in_the_push_is_not_heard(start: Start) -> None:
    """08-docker-stop-during-push: bash as process 1 has no trap until then."""
    container = start("--stop-timeout=3", **OWN | {"STANDIN_SPEED": "1"}, TRADING_MODE="live")
    container.line(PUSHED)
    subprocess.run(["docker", "stop", container.id], capture_output=True, check=True, timeout=60)
    assert container.wait() == 137
    assert not any("ALERT_SHUTDOWN" in line for line in container.log)


def test_docker_stop_of_a_signed_in_one_ends_with_143(start: Start) -> None:
    container = start(**OWN, TRADING_MODE="live", STANDIN_APPROVE_AFTER="8")
    container.line("Forking :::4001")
    time.sleep(0.5)
    subprocess.run(["docker", "stop", container.id], capture_output=True, check=True, timeout=60)
    assert container.wait() == 143
    assert any("ALERT_SHUTDOWN" in line for line in container.log)


def test_without_a_password_nothing_is_pressed(start: Start) -> None:
    """11-no-password: a start that nobody granted."""
    container = start(**OWN, TRADING_MODE="live", TWS_PASSWORD="")
    one = gateway(container, "live")
    container.line("TWS_USERID and TWS_PASSWORD must be set")
    assert container.wait() == 2
    assert not any(PUSHED in line for line in container.log)
    one.refresh()
    assert one.finding == "password_empty"
