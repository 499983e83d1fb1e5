# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desktop image, as role gateway starts it: behaviour that it relies on, and behaviour that it prevents."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sandbox.machine.common import labelled
from tests.image.conftest import QUICK, ROOT, Container, docker
from tests.unit.plugins.made_images import CONFIG

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import probe
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import container as containers
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image as images
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.settings_files import DESKTOP_SCRIPTS

pytestmark = pytest.mark.docker

StartDesktop = Callable[..., Container]
# A connection request without a cookie (MS-RDPBCGR 2.2.1.1), and how its confirmation begins.
REQUEST, CONFIRMATION = bytes.fromhex("030000130ee000000000000100080003000000"), bytes.fromhex("030000130ed0")


@pytest.fixture(scope="module")
def desktop() -> str:
    """The image, built if anything in it changed."""
    build = [str(ROOT / "sandbox/gateway/build"), "--state", str(ROOT / ".sandbox"), "--program", "tws"]
    return subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]


@pytest.fixture
def start_desktop(desktop: str, tmp_path: Path) -> Iterator[StartDesktop]:
    """Start paper TWS with the role's files: ``start_desktop(**environment)``; a variable that is None is not set."""
    template = (ROOT / "sandbox/gateway/image/templates/config.ini.tmpl").read_text()
    template = template.replace("CommandServerPort=0", "CommandServerPort=7462")
    files = {"ibc/config.ini.tmpl": template, "secrets/tws_password": "secret", **DESKTOP_SCRIPTS}
    for place, text in files.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text)
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings").chmod(0o777)
    options = [
        "--cap-drop=ALL", *(f"--cap-add={each}" for each in containers.ROOT_CAPABILITIES),
        "--security-opt=no-new-privileges", "--pids-limit=500", "--publish=127.0.0.1::7499",
        "--tmpfs=/run/ibc:uid=1000,gid=1000,mode=0700,size=1m", "--tmpfs=/run/ibgw:mode=0700,size=1m",
        "--tmpfs=/config:uid=1000,gid=1000,mode=0755,size=256m,exec",
        f"--volume={tmp_path}/ibc:/etc/ibc:ro", f"--volume={tmp_path}/init:/custom-cont-init.d:ro",
        f"--volume={tmp_path}/secrets:/run/secrets:ro", f"--volume={tmp_path}/settings:/config/tws_settings",
    ]  # fmt: skip
    base = QUICK | {
        "TRADING_MODE": "paper", "TWS_USERID": "user", "TWS_PASSWORD_FILE": "/run/secrets/tws_password",
        "TWS_SETTINGS_PATH": "/config/tws_settings", "IBC_INI_TMPL": "/etc/ibc/config.ini.tmpl",
        "IBC_INI": "/run/ibc/config.ini", "TIME_ZONE": "America/New_York", "TZ": "America/New_York",
        "READ_ONLY_API": "yes", "PUID": "1000", "PGID": "1000", "PASSWD_FILE": "/proc/sys/kernel/random/uuid",
        "START_SCRIPTS": "../etc/ibc",
    }  # fmt: skip
    with ExitStack() as stack:

        def run(**environment: str | None) -> Container:
            values = {name: value for name, value in (base | environment).items() if value is not None}
            arguments = [f"--env={name}={value}" for name, value in values.items()]
            done = docker("run", "--detach", *labelled("test"), *options, *arguments, desktop)
            container = Container(done.stdout.strip())
            stack.callback(docker, "rm", "--force", "--volumes", container.id)
            return container

        yield run


def test_the_preflight_knows_the_image(desktop: str) -> None:
    engine = Engine()
    wanted = images.Wanted(1000, {}, CONFIG, (), engine.platform(), time.time(), "tws")
    report = images.examine(engine, desktop, wanted, "ibgw-test-desktop.image")
    assert report.refusals == []
    assert (report.controller, report.known) == ("ibc", "ghcr.io/gnzsnz/tws-rdesktop; digest of an index")
    as_gateway = images.examine(engine, desktop, wanted._replace(program="gateway"), "ibgw-test-desktop.image")
    assert any(each.startswith("program: GATEWAY_OR_TWS is 'tws'") for each in as_gateway.refusals)


def test_tws_as_deployed(start_desktop: StartDesktop) -> None:
    container = start_desktop()
    container.line("Configuration tasks completed")
    assert ".> Starting IBC/TWS" in container.log
    assert "Forking :::7497 onto 0.0.0.0:7499 > trading mode paper" in [line.strip() for line in container.log]

    def api() -> str:
        return str(probe("127.0.0.1", container.port(7499), mode="paper")["api_state"])

    assert api() == "proxy_up_gateway_down"
    ask = "exec 3<>/dev/tcp/127.0.0.1/7462; echo ENABLEAPI >&3; head -n 1 <&3"
    assert container.run("bash", "-c", ask) == "OK configured\n"
    assert api() == "ready"

    # Its RDP server is on the container's loopback alone, and the user's password is nobody's.
    viewer = ["docker", "exec", "--interactive", container.id, "timeout", "2", "socat", "STDIO", "TCP4:127.0.0.1:3389"]
    assert subprocess.run(viewer, input=REQUEST, capture_output=True, timeout=30).stdout.startswith(CONFIRMATION)
    inside = next(iter(container.inspect()["NetworkSettings"]["Networks"].values()))["IPAddress"]
    assert docker("exec", container.id, "socat", "-u", "/dev/null", f"TCP4:{inside}:3389", check=False).returncode != 0
    assert "3389/tcp" not in {port for port, bound in container.inspect()["NetworkSettings"]["Ports"].items() if bound}
    assert json.dumps(container.inspect()["Config"]["Env"]).count("uuid") == 1
    assert "error" in container.run("bash", "-c", "xrdp-sesrun abc <<<abc || true")

    assert container.command("STOP") == ["OK Shutting down: STOP command"]
    assert container.wait() == 0
    log = container.log
    assert (log.count(".> Starting IBC/TWS"), log.count(".> IBC has ended: ending the container")) == (1, 1)


@pytest.mark.parametrize("once", [True, False])
def test_ibc_is_started_again_where_nothing_keeps_the_init_from_it(start_desktop: StartDesktop, once: bool) -> None:
    container = start_desktop(STANDIN_FAULT="exit_at_once", START_SCRIPTS="../etc/ibc" if once else None)
    container.line(".> Starting IBC/TWS", 1 if once else 2)
    if once:
        assert container.wait() == 0
        assert container.log.count(".> Starting IBC/TWS") == 1
