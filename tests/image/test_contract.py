# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image keeps the contract of the real one: what a role, an operator and a probe rely on."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ib_async import IB

pytestmark = pytest.mark.docker

Start = Callable[..., Any]
Deployed = tuple[tuple[str, ...], dict[str, str | None]]
BUILD = Path(__file__).resolve().parents[2] / "sandbox" / "gateway" / "build"
RELEASE = "10.50.1d"
PASSWORD_SHA256 = hashlib.sha256("pa\\ss$w€#!".encode()).hexdigest()

START_LINES = (
    ".> Starting IBC/IB gateway", ".> Starting Xvfb server", ".> SSH tunnel disabled",
    ".> Usign default Java heap size 768m.", ".> Waiting for Xvfb socket on :1...", ".> Xvfb socket ready!",
    ".> VNC server disabled", ".> API_PORT set to: 4002", ".> SOCAT_PORT set to: 4004",
    ".> Appling settings to IBC's config.ini", ".> Settings directory set to: /home/ibgateway/tws_settings",
    ".> Setting timezone in /home/ibgateway/tws_settings/jts.ini", ".> Starting Port Forwarding.",
    ".> Starting socat", ".> Starting IBC in paper mode, with params:",
)  # fmt: skip
IBC_LINES = (
    "Finding autorestart file", "Starting session: will exit if login dialog is not displayed within 60 seconds",
    "Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT", "Login attempt: 1", "Click button: Paper Log In",
    "Login has completed", "Configuration tasks completed",
)  # fmt: skip


def in_order(lines: list[str], texts: tuple[str, ...]) -> None:
    """Assert that these texts occur one after the other."""
    rest = iter(lines)
    for text in texts:
        assert any(text in line for line in rest), f"{text!r} is missing, or out of order, in\n" + "\n".join(lines)


def test_what_the_image_declares(image: str) -> None:
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True)
    config = json.loads(done.stdout)[0]["Config"]
    environment = dict(value.partition("=")[::2] for value in config["Env"])
    environment.pop("PATH", None)
    assert environment == {
        "IB_GATEWAY_VERSION": RELEASE,
        "TWS_MAJOR_VRSN": RELEASE,
        "HOME": "/home/ibgateway",
        "TWS_PATH": "/home/ibgateway/Jts",
        "TWS_INI": "jts.ini",
        "TWS_INI_TMPL": "jts.ini.tmpl",
        "IBC_PATH": "/home/ibgateway/ibc",
        "IBC_INI": "/home/ibgateway/ibc/config.ini",
        "IBC_INI_TMPL": "/home/ibgateway/ibc/config.ini.tmpl",
        "SCRIPT_PATH": "/home/ibgateway/scripts",
        "GATEWAY_OR_TWS": "gateway",
    }
    assert config["User"] == "1000:1000"
    assert config["WorkingDir"] == "/home/ibgateway"
    assert config["Cmd"] == ["/home/ibgateway/scripts/run.sh"]
    assert config["Labels"]["ibops.gateway.sandbox"] == "image"
    assert not any(config.get(name) for name in ("Entrypoint", "Healthcheck", "ExposedPorts", "Volumes", "StopSignal"))


def test_an_older_release_is_made_when_asked_for_and_announces_its_end() -> None:
    done = subprocess.run([BUILD, "--release", "10.45.1j"], capture_output=True, text=True, check=True)
    inspected = subprocess.run(
        ["docker", "image", "inspect", done.stdout.split()[-1]], capture_output=True, text=True, check=True
    )
    variables = json.loads(inspected.stdout)[0]["Config"]["Env"]
    assert {"IB_GATEWAY_VERSION=10.45.1j", "TWS_MAJOR_VRSN=10.45.1j"} <= set(variables)
    assert "STANDIN_FAULT=desupport_notice" in variables


def test_what_the_image_contains(start: Start) -> None:
    script = (
        "id -un; cat ibc/version; stat -c %U:%a scripts/run.sh Jts/jts.ini.tmpl ibc/config.ini.tmpl;"
        "for tool in bash envsubst socat telnet pgrep pkill ssh sshpass sudo; do command -v $tool; done | wc -l;"
        "for tool in curl wget nc jq; do command -v $tool; done | wc -l; ls ibc/*.sh ibc/scripts"
    )
    container = start(command=("bash", "-c", script))
    assert container.wait() == 0
    lines = container.log
    assert lines[:2] == ["ibgateway", "3.24.1"]
    assert lines[2:5] == ["ibgateway:755", "ibgateway:644", "ibgateway:644"]
    assert lines[5:7] == ["9", "0"]
    assert {"ibc/stop.sh", "ibc/restart.sh", "ibc/pause.sh", "ibcstart.sh", "commandsend.sh"} <= set(lines)


def test_a_paper_gateway_as_deployed(start: Start, as_deployed: Deployed, settings_dir: Path) -> None:
    options, environment = as_deployed
    container = start(*options, **environment | {"STANDIN_USER": "user", "STANDIN_PASSWORD_SHA256": PASSWORD_SHA256})
    container.line("Configuration tasks completed")
    in_order(container.log, START_LINES)
    in_order(container.log, IBC_LINES)
    in_order(container.log, ("Forking :::4002 onto 0.0.0.0:4004 > trading mode paper",))
    assert container.run("stat", "-c", "%a %U", "/run/ibc/config.ini").split() == ["600", "ibgateway"]
    assert "pa\\\\ss$w" in container.run("cat", "/run/ibc/config.ini")
    spied = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    assert "pa\\\\ss" not in container.run("bash", "-c", spied)
    assert not any("pa\\" in line for line in container.log)
    assert container.run("pgrep", "-x", "java")
    assert "TimeZone=America/New_York" in (settings_dir / "jts.ini").read_text()

    ib = IB()
    ib.connect("127.0.0.1", container.port(4004), clientId=7, timeout=10)
    assert ib.managedAccounts() == ["DU1234567"]
    assert ib.reqCurrentTime()
    ib.disconnect()

    assert container.command("STOP") == ["OK Shutting down: STOP command"]
    assert container.wait() == 0
    in_order(container.log, ("CommandServer received command: STOP", "IBC returned exit status 0", "Gateway finished"))


def test_a_password_that_was_not_escaped_is_wrong(start: Start, as_deployed: Deployed, tmp_path: Path) -> None:
    options, environment = as_deployed
    (tmp_path / "secrets" / "tws_password").write_text("pa\\ss$w\\u20AC#!\n")
    container = start(*options, **environment | {"STANDIN_USER": "user", "STANDIN_PASSWORD_SHA256": PASSWORD_SHA256})
    container.line("IBC: Login failed")
    (problem,) = container.ctl("status")["settings_problems"]
    assert "IbPassword has a single backslash" in problem


def test_the_time_zone_is_rendered_once(start: Start, as_deployed: Deployed, settings_dir: Path) -> None:
    options, environment = as_deployed
    first = start(*options, **environment)
    first.line("Configuration tasks completed")
    second = start(*options, **environment | {"TIME_ZONE": "Europe/Zurich"})
    second.line("Configuration tasks completed")
    in_order(second.log, (".> File jts.ini already exists, not setting timezone",))
    assert "TimeZone=America/New_York" in (settings_dir / "jts.ini").read_text()


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"TRADING_MODE": "demo"}, ".> Invalid TRADING_MODE: demo"),
        ({"TRADING_MODE": None}, ".> Invalid TRADING_MODE: "),
        ({"TRADING_MODE": "Paper"}, ".> Invalid TRADING_MODE: Paper"),
        (
            {"TWS_PASSWORD_FILE": "/etc/hostname"},
            "error: both TWS_PASSWORD and TWS_PASSWORD_FILE are set (but are exclusive)",
        ),
        ({"TWS_PASSWORD": None, "TWS_PASSWORD_FILE": "/nonexistent"}, "/nonexistent: No such file or directory"),
        ({"IBC_INI": "/etc/config.ini"}, "/etc/config.ini: Permission denied"),
        (
            {"TRADING_MODE": "both", "TWS_PASSWORD_PAPER_FILE": "/etc/hostname", "TWS_SETTINGS_PATH": "/tmp/s"},
            "error: both TWS_PASSWORD and TWS_PASSWORD_FILE are set (but are exclusive)",
        ),
    ],
)
def test_a_bad_environment_ends_with_exit_code_1(start: Start, environment: dict[str, str | None], line: str) -> None:
    container = start(**environment)
    assert container.wait() == 1
    in_order(container.log, (line,))


def test_the_relay_accepts_before_there_is_an_api(start: Start) -> None:
    container = start(STANDIN_FAULT="login_window_hang")
    container.line("Login dialog WINDOW_OPENED")
    with socket.create_connection(("127.0.0.1", container.port(4004)), timeout=10) as client:
        assert client.recv(1) == b""
    container.ctl("clear")
    container.line("Configuration tasks completed")
    with socket.create_connection(("127.0.0.1", container.port(4004)), timeout=10) as client:
        client.sendall(b"API\0\0\0\0\x09v157..178")
        assert client.recv(100)[4:7] == b"178"


def test_sigterm_is_ignored_while_hooks_run_and_ends_it_afterwards(start: Start, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "10-wait.sh").write_text("until [[ -e /tmp/go ]]; do sleep 0.05; done\n")
    (hooks / "20-fail.sh").write_text("exit 3\n")
    container = start(f"--volume={hooks}:/home/ibgateway/init-scripts:ro", START_SCRIPTS="init-scripts", X_SCRIPTS="no")
    container.line("> Running /home/ibgateway/init-scripts/10-wait.sh")
    subprocess.run(["docker", "kill", "--signal=TERM", container.id], check=True, stdout=subprocess.DEVNULL)
    container.run("touch", "/tmp/go")
    container.line("Configuration tasks completed")
    in_order(container.log, (
        "> Running start up scripts on /home/ibgateway/init-scripts",
        "File /home/ibgateway/init-scripts/20-fail.sh not found.",
        "> No start scripts defined on /home/ibgateway/no",
    ))  # fmt: skip
    subprocess.run(["docker", "stop", "--time=30", container.id], check=True, stdout=subprocess.DEVNULL)
    # Recorded is 1, Java's end without its display; where SIGTERM is the faster one, it is 143.
    assert container.inspect()["State"]["ExitCode"] in (1, 143)
    in_order(container.log, (
        ".> 😘 Received SIGINT or SIGTERM. Shutting down IB Gateway.", ".> Stopping Xvfb", ".> Stopping socat",
        "IBC returned exit status 1",
    ))  # fmt: skip


def test_a_live_gateway_restarts_and_pauses_without_a_push(start: Start, as_deployed: Deployed) -> None:
    options, environment = as_deployed
    container = start(*options, **environment | {"TRADING_MODE": "live", "STANDIN_RESTART_SECONDS": "0.2"})
    container.line("Second Factor Authentication initiated")
    container.ctl("approve")
    container.line("Configuration tasks completed")
    replies = container.command("RESTART")
    assert replies[0] == "OK RESTART in progress"
    assert replies[1].startswith("OK RESTART at ")
    # RESTART sets its time in that dialog, and so does PAUSE.
    container.line("Configuration tasks completed", count=3)
    container.ctl("restart")
    container.line("Configuration tasks completed", count=4)
    assert container.ctl("status")["pushes"] == 1
    assert container.command("PAUSE")[0] == "OK PAUSE in progress"
    assert container.wait() == 0
    in_order(container.log, ("IBC is paused", "Gateway finished"))
    subprocess.run(["docker", "start", container.id], check=True, stdout=subprocess.DEVNULL)
    container.line("Configuration tasks completed", count=6)
    assert container.ctl("status")["pushes"] == 0

    ib = IB()
    ib.connect("127.0.0.1", container.port(4003), clientId=7, timeout=10)
    assert ib.managedAccounts() == ["U1234567"]
    ib.disconnect()


def test_both_modes_in_one_container(start: Start) -> None:
    container = start(
        TRADING_MODE="both", TWS_USERID_PAPER="paper", TWS_PASSWORD_PAPER="other", TWS_SETTINGS_PATH="/tmp/settings",
        STANDIN_APPROVE_AFTER="0",
    )  # fmt: skip
    container.line("Configuration tasks completed", count=2)
    assert container.ctl("--socket", "/tmp/standin_live.sock", "status")["mode"] == "live"
    assert container.ctl("--socket", "/tmp/standin_paper.sock", "status")["mode"] == "paper"
    assert "IbLoginId=paper" in container.run("cat", "/home/ibgateway/ibc/config.ini_paper")
    pids = container.run("bash", "-c", "cat /tmp/pid_live /tmp/pid_paper").split()
    assert set(container.run("pgrep", "-f", "ibcstart.sh").split()) >= set(pids)
    assert set(container.run("ls", "/tmp/settings_live", "/tmp/settings_paper").split()) >= {"jts.ini"}


@pytest.mark.parametrize(
    ("options", "custom", "code", "line"),
    [
        ((), "yes", 6, "config.ini  does not exist"),
        (("--env=TWS_SETTINGS_PATH=/tmp/none",), "yes", 5, "/tmp/none does not exist"),
    ],
)
def test_a_custom_configuration_must_be_there(
    start: Start, options: tuple[str, ...], custom: str, code: int, line: str
) -> None:
    container = start(*options, CUSTOM_CONFIG=custom)
    assert container.wait() == code
    in_order(container.log, (".> Using CUSTOM_CONFIG, (value:yes)", line))


def test_only_yes_means_a_custom_configuration(start: Start) -> None:
    container = start(CUSTOM_CONFIG="YES")
    container.line("Configuration tasks completed")
    in_order(container.log, (
        ".> Appling settings to IBC's config.ini",
        ".> Settings directory NOT set, defaulting to: /home/ibgateway/Jts",
    ))  # fmt: skip
    assert container.run("stat", "-c", "%a", "/home/ibgateway/ibc/config.ini").strip() == "600"


def test_a_jts_ini_that_cannot_be_written_fails(start: Start, tmp_path: Path) -> None:
    ini = tmp_path / "jts.ini"
    ini.write_text("[Logon]\nTimeZone=America/New_York\n")
    ini.chmod(0o644)
    container = start(f"--volume={ini}:/home/ibgateway/Jts/jts.ini:ro")
    assert container.wait() == 85
    in_order(
        container.log, ("Problem writing to /home/ibgateway/Jts/jts.ini", "Exiting after error with exit code=1109")
    )


def test_heap_and_vnc(start: Start) -> None:
    container = start(JAVA_HEAP_SIZE="1024", VNC_SERVER_PASSWORD="secret")
    container.line("Configuration tasks completed")
    in_order(container.log, (".> Java heap size set to 1024m", ".> Starting VNC server"))
    # The start-up script does not wait for x11vnc, which says so when it listens.
    container.line("PORT=5900")
    options = f"/home/ibgateway/Jts/ibgateway/{RELEASE}/ibgateway.vmoptions"
    assert container.run("cat", options).strip() == "-Xmx1024m"
    greeting = container.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5900; head -n 1 <&3")
    assert greeting.strip() == "RFB 003.008"


def test_sigterm_without_a_living_tunnel_aborts_the_shutdown(start: Start) -> None:
    container = start(SSH_TUNNEL="yes", SSH_USER_TUNNEL="nobody@127.0.0.1", SSH_RESTART="30")
    container.line("Configuration tasks completed")
    in_order(container.log, (
        ".> Setting SSH tunnel", ".> Starting SSH Tunnel", ".> ssh-agent is NOT running. Not starting a tunnel",
    ))  # fmt: skip
    subprocess.run(["docker", "stop", "--time=30", container.id], check=True, stdout=subprocess.DEVNULL)
    # Recorded is 1, Java's end without its display; where SIGTERM is the faster one, it is 143.
    assert container.inspect()["State"]["ExitCode"] in (1, 143)
    assert not any("Stopping IBC" in line for line in container.log)


@pytest.mark.parametrize(("fault", "code"), [("exit_at_once", 1)])
def test_a_broken_image_ends_at_once(start: Start, fault: str, code: int) -> None:
    assert start(STANDIN_FAULT=fault).wait() == code


def test_an_unchanged_image_is_not_built_again(image: str) -> None:
    build = Path(__file__).resolve().parents[2] / "sandbox" / "gateway" / "build"
    done = subprocess.run([build], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (image, "")
