# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as ibg-controller, put into the situation of each recorded log of it, prints the same lines in order.

run.sh and the controller are two processes, so that the lines of each are compared by themselves. Its time runs faster
(STANDIN_SPEED). What is told of elapsed seconds, and what socat says, differs from run to run.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.unit.standin.conftest import free_port
from tests.unit.standin.test_conformance import IMAGE, STUBS, diff
from tests.unit.standin.transcripts import ROOT

from ibgw_standin import control, faults, ibg
from ibgw_standin.testing import PACKAGE_ROOT

pytestmark = pytest.mark.programs
RECORDED = ROOT / "ibg"
SPEED, SECONDS = 20, 90.0
KILLED = 137


class Situation(NamedTuple):
    """How to bring the stand-in there: *fault*, and *action* once a line holds the text before it. Lines are compared
    up to the *last* one of this text. A login takes so many seconds of the stand-in's."""

    fault: str = ""
    at: str = ""
    action: Callable[[Container], object] = lambda container: None
    last: str = ""
    login: str = "4"


# run.sh has seen the controller's ready file by then, which a restart removes.
READY = "Starting socat"
SITUATIONS: dict[str, Situation] = {
    "01-paper-ready": Situation(),
    "02-live-approved-8s": Situation(),
    "03-push-missed-dialog-closes": Situation("push_denied:after=40", last="Log In clicked successfully"),
    "03-push-missed-exit": Situation("missed_push"),
    "03-push-missed-none": Situation("missed_push", last="Log In clicked successfully"),
    "04-wrong-password": Situation("wrong_password", last="Log In clicked successfully"),
    "05-existing-primary": Situation("existing_session", login="0"),
    "06-auto-logoff": Situation(
        at=READY, action=lambda one: one.control({"cmd": "restart", "event": "LOGOFF"}), last="fast restart succeeded"
    ),
    "06-daily-restart-kept": Situation(
        at=READY, action=lambda one: one.control({"cmd": "restart"}), last="no relaunch needed"
    ),
    "07-daily-restart-refused-push-missed": Situation(
        at=READY, action=lambda one: [one.control(each) for each in (
            {"cmd": "fault", "name": "expired_token"}, {"cmd": "fault", "name": "missed_push", "add": True},
            {"cmd": "restart"},
        )],
    ),
    # Its effect on process 1 is played in a container (tests/image/test_ibg_controller.py).
    "08-docker-stop-during-push": Situation("missed_push", last="Waiting for IB Key mobile approval"),
    "08-docker-stop-signed-in": Situation(at="trading mode live", action=lambda one: one.terminate()),
    "08-kill-controller-during-push": Situation("missed_push", "t+0s", lambda one: one.kill_controller()),
    "09-restart-command": Situation(at=READY, action=lambda one: one.say("RESTART"), last="re-launched successfully"),
    "09-stop-command": Situation(
        at=READY,
        action=lambda one: [one.say(each) for each in ("ENABLEAPI", "RECONNECTDATA", "foo", "stop")],
    ),
    "10-manual-login-in-window": Situation(
        "second_factor_code:method=IB+Key", "t+70s", lambda one: one.control({"cmd": "approve"})
    ),
    "10-passkey-prompt": Situation("passkey", last="Probing API port"),
    "10-totp": Situation("second_factor_code"),
    "11-no-password": Situation(),
    "15-am-time-and-settings": Situation(),
}  # fmt: skip
DROPPED = re.compile(
    r"\.>\t\t\(\d+s elapsed\)|\.> (Waiting for Xvfb socket|Xvfb socket ready)|Forking :::|.* socat\["
    r"|.*NO AUTH TOKEN SET|.*(IB Key wait|2FA wait|still closed at) t\+|$"
)
VOLATILE = (
    (re.compile(r"^\d\d:\d\d:\d\d "), ""),
    (re.compile(r"(PID:? (\(from agent\): )?|pid=|\(was )\d+"), r"\1<pid>"),
    (re.compile(r"(after |elapsed_seconds=|ran )\d+"), r"\1<n>"),
    (re.compile(r"127\.0\.0\.1:\d+ sent"), "127.0.0.1:<port> sent"),
)


class Recording:
    """A recorded log: its mode, its environment, its lines, the exit code of its container."""

    def __init__(self, stem: str) -> None:
        text = (RECORDED / f"{stem}.log").read_text(encoding="utf-8")
        head = dict(re.findall(r"^# ([^:\n]+): (.*)$", text, re.MULTILINE))
        self.mode = head["mode"].split()[0]
        self.environment = dict(re.findall(r"(\w+)=([^;]*)", head["environment that differs from the base set"]))
        self.lines = [line.partition("\t")[2] for line in text.split("\n") if re.match(r"\d+\.\d+\t", line)]
        self.replies = re.findall(r"^# reply: \S+ '(\w+)' -> (?:'|\")(.*)\\n(?:'|\"), then closed$", text, re.MULTILINE)
        code = re.match(r"\d+", head["exit code of the container (run.sh)"])
        self.exit_code = int(code[0]) if code else None


class Container:
    """run.sh of the image in directories of its own, as ibg-controller."""

    def __init__(self, folder: Path, recorded: Recording, situation: Situation, password: str) -> None:
        self.folder, self.lines, self.replies = folder, [], []
        self.command_port, self.health_port, api_port = free_port(), free_port(), free_port()
        self.settings, scripts = folder / "settings", folder / "scripts"
        program = folder / "Jts" / "ibgateway" / "10.45.1j"
        for directory in (self.settings, program, folder / "bin", folder / "run", scripts):
            directory.mkdir(parents=True)
        for path in (*(IMAGE / "scripts").iterdir(), IMAGE / "ibg" / "gateway_controller.py"):
            (scripts / path.name).symlink_to(path)
        (program / "ibgateway.vmoptions").write_text("-Xmx768m\n")
        (folder / "Jts" / "jts.ini.tmpl").write_bytes((IMAGE / "templates" / "jts.ini.tmpl").read_bytes())
        (folder / "config.tmpl").write_text("IbPassword=${TWS_PASSWORD}\n")
        (folder / "password").write_text(password)
        for name, text in {**STUBS, "python3": f'#!/bin/bash\nexec {sys.executable} "$@"\n'}.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        environment = {
            "SCRIPT_PATH": str(scripts), "TWS_PATH": str(folder / "Jts"), "HOME": str(folder),
            "IBC_INI": str(folder / "run" / "config.ini"), "IBC_INI_TMPL": str(folder / "config.tmpl"),
            "TWS_INI": "jts.ini", "TWS_INI_TMPL": "jts.ini.tmpl", "TWS_SETTINGS_PATH": str(self.settings),
            "TWS_MAJOR_VRSN": "10.45.1j", "TRADING_MODE": recorded.mode, "TWS_USERID": "me", "TZ": "Etc/UTC",
            "TWS_PASSWORD_FILE": str(folder / "password"), "USE_IBG_CONTROLLER": "yes",
            "CONTROLLER_COMMAND_SERVER_PORT": str(self.command_port),
            "CONTROLLER_HEALTH_SERVER_PORT": str(self.health_port),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(PACKAGE_ROOT),
            "STANDIN_SPEED": str(SPEED), "STANDIN_SOCKET": str(folder / "s.sock"), "STANDIN_TMP": str(folder),
            "STANDIN_LOGIN_SECONDS": situation.login, "STANDIN_APPROVE_AFTER": "8", "STANDIN_API_PORT": str(api_port),
            "STANDIN_FAULT": situation.fault, **recorded.environment,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [str(scripts / "run.sh")], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def plain(self) -> list[str]:
        """Its output so far, with the recorded paths and ports in place of its own."""
        text = "\n".join(self.lines)
        for own, theirs in (
            (str(self.settings), "/home/ibgateway/tws_settings"), (str(self.folder / "Jts"), "/home/ibgateway/Jts"),
            (f"{self.folder}/gateway_ready", "/tmp/gateway_ready"), (str(self.folder), "/home/ibgateway"),
            (f":{self.command_port}", ":7462"), (f"port: {self.command_port}", "port: 7462"),
            (f":{self.health_port} ", ":8080 "), (f"port: {self.health_port}", "port: 8080"),
        ):  # fmt: skip
            text = text.replace(own, theirs)
        return text.split("\n")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until so many lines hold *text*, or it has ended."""
        deadline = time.monotonic() + SECONDS
        while sum(text in line for line in self.lines) < count and self.process.poll() is None:
            assert time.monotonic() < deadline, (text, self.lines[-5:])
            time.sleep(0.02)

    def control(self, request: Mapping[str, Any]) -> None:
        control.call(request, str(self.folder / "s.sock"))

    def terminate(self) -> None:
        # The relay's first line stands before the trap.
        time.sleep(0.5)
        self.process.terminate()

    def kill_controller(self) -> None:
        [pid] = [path.read_text().strip() for path in self.folder.glob("pid_*")]
        os.kill(int(pid), signal.SIGTERM)

    def say(self, command: str) -> None:
        with socket.create_connection(("127.0.0.1", self.command_port), timeout=SECONDS) as channel:
            channel.sendall(f"{command}\n".encode())
            said = b""
            while data := channel.recv(1000):
                said += data
        self.replies.append((command, said.decode().rstrip("\n")))

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)


@contextmanager
def container(stem: str, recorded: Recording, situation: Situation) -> Iterator[Container]:
    with tempfile.TemporaryDirectory(prefix="standin-") as folder:
        one = Container(Path(folder), recorded, situation, "" if stem == "11-no-password" else "secret")
        try:
            yield one
        finally:
            one.end()


def parts(lines: Sequence[str], last: str, count: int) -> tuple[list[str], list[str]]:
    """The lines of run.sh, and those of the controller up to the one that has *last* for the *count*th time."""
    kept = []
    for line in lines:
        if not DROPPED.match(line):
            for pattern, text in VOLATILE:
                line = pattern.sub(text, line)
            kept.append(line)
    own = [line for line in kept if line.startswith("[")]
    if last:
        own = own[: [number for number, line in enumerate(own) if last in line][count - 1] + 1]
    return [line for line in kept if not line.startswith("[")], own


def test_every_recording_is_played() -> None:
    assert {path.stem for path in RECORDED.glob("*.log") if not path.stem.endswith("-v070")} == {*SITUATIONS}


@pytest.mark.parametrize("stem", SITUATIONS)
def test_the_stand_in_prints_what_ibg_controller_printed(stem: str) -> None:
    recorded, situation = Recording(stem), SITUATIONS[stem]
    if situation.last == "Log In clicked successfully":
        # As far as the first relaunch: from there on it goes round.
        at = [number for number, line in enumerate(recorded.lines) if situation.last in line][1]
        recorded.lines = recorded.lines[: at + 1]
    count = sum(situation.last in line for line in recorded.lines)
    with container(stem, recorded, situation) as one:
        if situation.at:
            one.wait_for(situation.at)
            situation.action(one)
        if recorded.exit_code not in (None, KILLED):
            assert one.process.wait(SECONDS) == recorded.exit_code
        elif situation.last:
            one.wait_for(situation.last, count)
        if any("Starting socat" in line for line in recorded.lines):
            one.wait_for("Starting socat")
        time.sleep(0.2)
        found = one.plain()
        replies = one.replies
    expected_script, expected = parts(recorded.lines, situation.last, count)
    script, own = parts(found, situation.last, count)
    assert own == expected, diff(expected, own)
    assert script == expected_script, diff(expected_script, script)
    assert [(name.upper(), text) for name, text in replies] == [
        (name.upper(), text) for name, text in recorded.replies if name.upper() != "RESTART"
    ] or stem == "09-restart-command"


def test_a_fault_that_was_not_recorded_is_refused() -> None:
    ibg.refuse_unknown([*ibg.SIGN_IN_FAULTS, *(name for name, each in faults.FAULTS.items() if each.layer != "login")])
    with pytest.raises(ValueError, match="handoff is not recorded with ibg-controller"):
        ibg.refuse_unknown(["handoff"])
