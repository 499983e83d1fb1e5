# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of the stand-in image, started as a role would start them."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sandbox.machine.common import labelled

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
"""How long a test waits for what must come."""

HARDENED = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=500", "--network=bridge")
QUICK = {"STANDIN_LOGIN_SECONDS": "0.05", "STANDIN_DISCLAIMER_SECONDS": "0.05", "STANDIN_DUAL_SECONDS": "0.1"}
BASE = {
    "TRADING_MODE": "paper",
    "TWS_USERID": "user",
    "TWS_PASSWORD": "secret",
    "TIME_ZONE": "America/New_York",
    # Without a setting to make, IBC opens no dialog for it, and says nothing of configuration.
    "READ_ONLY_API": "yes",
}


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run docker; standard output and error are kept apart."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=check)


class Container:
    """A container that is removed with the test."""

    def __init__(self, container_id: str) -> None:
        self.id = container_id

    def inspect(self) -> dict[str, Any]:
        """Return the result of docker inspect."""
        found: dict[str, Any] = json.loads(docker("inspect", self.id).stdout)[0]
        return found

    @property
    def log(self) -> list[str]:
        """All lines so far."""
        done = docker("logs", self.id)
        return (done.stdout + done.stderr).splitlines()

    def line(self, text: str, count: int = 1) -> None:
        """Wait until the log has so many lines with the text."""
        with subprocess.Popen(
            ["docker", "logs", "--follow", self.id], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as follow:
            assert follow.stdout is not None
            seen, lines = 0, []
            alarm = threading.Timer(SECONDS, follow.kill)
            alarm.start()
            try:
                for line in follow.stdout:
                    lines.append(line)
                    seen += text in line
                    if seen == count:
                        return
            finally:
                alarm.cancel()
                follow.kill()
        pytest.fail(f"no line with {text!r} in\n" + "".join(lines))

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        return int(docker("wait", self.id).stdout)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in it."""
        return docker("exec", self.id, *command, check=check).stdout

    def ctl(self, *arguments: str) -> dict[str, Any]:
        """Use standin-ctl."""
        reply: dict[str, Any] = json.loads(self.run("standin-ctl", *arguments) or "{}")
        return reply

    def command(self, command: str) -> list[str]:
        """Send a command to IBC's command server, with what the real image has for that."""
        script = f'exec 3<>/dev/tcp/127.0.0.1/7462; echo "{command}" >&3; cat <&3'
        return self.run("bash", "-c", script).replace("\r\n", "\n").splitlines()

    def port(self, inside: int) -> int:
        """The published port on loopback."""
        return int(docker("port", self.id, f"{inside}/tcp").stdout.split()[0].rpartition(":")[2])


Start = Callable[..., Container]


@pytest.fixture(scope="session")
def image() -> str:
    """The image, built if anything in it changed; builds are announced on standard error."""
    build = [str(ROOT / "sandbox" / "gateway" / "build"), "--state", str(ROOT / ".sandbox")]
    return subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]


@pytest.fixture
def start(image: str) -> Iterator[Start]:
    """Start containers: ``start(*options, command=(), **environment)``; a variable that is None is not set."""
    with ExitStack() as stack:

        def run(*options: str, command: tuple[str, ...] = (), **environment: str | None) -> Container:
            values = {name: value for name, value in (QUICK | BASE | environment).items() if value is not None}
            arguments = [f"--env={name}={value}" for name, value in values.items()]
            ports = ["--publish=127.0.0.1::4003", "--publish=127.0.0.1::4004"]
            done = docker(
                "run", "--detach", *labelled("test"), *HARDENED, *ports, *arguments, *options, image, *command
            )
            container = Container(done.stdout.strip())
            stack.callback(docker, "rm", "--force", "--volumes", container.id)
            return container

        yield run


@pytest.fixture
def settings_dir(tmp_path: Path) -> Path:
    """A settings directory that uid 1000 of a container may write to, whoever runs the tests."""
    directory = tmp_path / "tws_settings"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


@pytest.fixture
def as_deployed(tmp_path: Path, settings_dir: Path) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """Options and environment of a gateway of ours: own template, rendered on tmpfs, the password from a file."""
    template, secrets = tmp_path / "ibc", tmp_path / "secrets"
    template.mkdir()
    secrets.mkdir()
    (secrets / "tws_password").write_text("pa\\\\ss$w\\u20AC#!\n")
    source = (ROOT / "sandbox" / "gateway" / "image" / "templates" / "config.ini.tmpl").read_text()
    ours = source.replace("CommandServerPort=0", "CommandServerPort=7462").replace(
        "BindAddress=", "BindAddress=127.0.0.1"
    )
    (template / "config.ini.tmpl").write_text(ours)
    options = (
        "--tmpfs=/run/ibc:uid=1000,gid=1000,mode=0700",
        f"--volume={template}:/etc/ibc:ro",
        f"--volume={secrets}:/run/secrets:ro",
        f"--volume={settings_dir}:/home/ibgateway/tws_settings",
    )
    environment: dict[str, str | None] = {
        "TWS_PASSWORD": None,
        "TWS_PASSWORD_FILE": "/run/secrets/tws_password",
        "IBC_INI_TMPL": "/etc/ibc/config.ini.tmpl",
        "IBC_INI": "/run/ibc/config.ini",
        "TWS_SETTINGS_PATH": "/home/ibgateway/tws_settings",
        "TZ": "America/New_York",
    }
    return options, environment
