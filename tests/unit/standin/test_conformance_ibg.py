# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as ibg-controller, put into the situation of each recorded log of it, prints the same lines in order.

It plays the release that the recording names. What its health page and its command port answered is compared, too.
run.sh and the controller are two processes, so that the lines of each are compared by themselves. Its time runs faster
(STANDIN_SPEED). What is told of elapsed seconds, and what socat says, differs from run to run.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.unit.standin.conftest import free_port
from tests.unit.standin.test_conformance import IMAGE, STUBS, diff
from tests.unit.standin.transcripts import ROOT

from ibgw_standin import control, faults, ibg_releases
from ibgw_standin.testing import PACKAGE_ROOT

pytestmark = pytest.mark.programs
RECORDED = ROOT / "ibg"
SPEED, SECONDS = 20, 90.0
KILLED = 137


class Situation(NamedTuple):
    """How to bring the stand-in there: *fault*, and *action* once a line holds the text before it. Lines are compared
    up to the *last* one of this text. A login takes so many seconds of the stand-in's, and the push is approved after
    so many."""

    fault: str = ""
    at: str = ""
    action: Callable[[Container], object] = lambda container: None
    last: str = ""
    login: str = "4"
    approved: str = "8"


def say_the_same(one: Container) -> None:
    """Say to the command port what was said to the real one."""
    for command, _answer in one.recorded.replies:
        one.say(command)


def lose_the_port(one: Container) -> None:
    """Close the API's port until the controller launches again, and once more when it has signed in."""
    lost = {"cmd": "fault", "name": "port_closed"}
    one.control(lost)
    one.wait_for("Escalating to do_restart_in_place")
    one.control({"cmd": "clear"})
    one.wait_for("Log In clicked successfully", 2)
    while not one.control({"cmd": "status"})["logged_in"]:
        time.sleep(0.02)
    one.control(lost)


# run.sh has seen the controller's ready file by then, which a restart removes.
READY = "Starting socat"
SAID = Situation(at=READY, action=say_the_same)
SITUATIONS: dict[str, Situation] = {
    "01-paper-ready": Situation(),
    "01-paper-ready-v070": Situation(),
    "02-live-approved-45s-v070": Situation(approved="45"),
    "02-live-approved-8s": Situation(),
    "02-live-approved-8s-v070": Situation(),
    "03-push-missed-dialog-closes": Situation("push_denied:after=40", last="Log In clicked successfully"),
    "03-push-missed-dialog-closes-v070": Situation("push_denied:after=40"),
    "03-push-missed-exit": Situation("missed_push"),
    "03-push-missed-exit-v070": Situation("missed_push", last="ALERT_2FA_FAILED"),
    "03-push-missed-none": Situation("missed_push", last="Log In clicked successfully"),
    "03-push-missed-none-v070": Situation("missed_push"),
    "03-push-missed-restart-v070": Situation("missed_push", last="Waiting for IB Key mobile approval"),
    "04-wrong-password": Situation("wrong_password", last="Log In clicked successfully"),
    "05-existing-primary": Situation("existing_session", login="0"),
    "05-existing-primary-v070": Situation("existing_session", login="0"),
    "05-existing-secondary-v070": Situation("existing_session"),
    "06-auto-logoff": Situation(
        at=READY, action=lambda one: one.control({"cmd": "restart", "event": "LOGOFF"}), last="fast restart succeeded"
    ),
    "06-daily-restart-kept": Situation(
        at=READY, action=lambda one: one.control({"cmd": "restart"}), last="no relaunch needed"
    ),
    "06-daily-restart-kept-v070": Situation(
        at=READY, action=lambda one: one.control({"cmd": "restart"}), last="fast restart succeeded"
    ),
    "07-daily-restart-refused-push-missed": Situation(
        at=READY, action=lambda one: [one.control(each) for each in (
            {"cmd": "fault", "name": "expired_token"}, {"cmd": "fault", "name": "missed_push", "add": True},
            {"cmd": "restart"},
        )],
    ),
    # Its effect on process 1 is played in a container (tests/image/test_ibg_controller.py).
    "08-docker-stop-before-2fa-state-v070": Situation("missed_push", last="Waiting for IB Key mobile approval"),
    "08-docker-stop-during-push": Situation("missed_push", last="Waiting for IB Key mobile approval"),
    "08-docker-stop-during-push-v070": Situation("missed_push", last="Waiting for IB Key mobile approval"),
    "08-docker-stop-signed-in": Situation(at="trading mode live", action=lambda one: one.terminate()),
    "08-docker-stop-signed-in-v070": Situation(at="trading mode live", action=lambda one: one.terminate()),
    "08-kill-controller-during-push": Situation("missed_push", "t+0s", lambda one: one.kill_controller()),
    "09-reconnectaccount-and-token-v070": SAID,
    "09-restart-command": SAID,
    "09-restart-command-v070": SAID,
    "09-stop-command": SAID,
    "09-stop-command-v070": SAID,
    "10-manual-login-in-window": Situation(
        "second_factor_code:method=IB+Key", "t+70s", lambda one: one.control({"cmd": "approve"})
    ),
    "10-passkey-prompt": Situation("passkey", last="Probing API port"),
    "10-totp": Situation("second_factor_code"),
    "10-totp-v070": Situation("second_factor_code"),
    "10-wrong-device-v070": Situation("second_factor_code:method=IB+Key"),
    "11-no-password": Situation(),
    "12-auth-silent-lockout-v070": Situation("login_window_hang", last="CCP backoff: waiting"),
    "13-jvm-crash-v070": Situation(
        at=READY, action=lambda one: one.control({"cmd": "exit", "code": -9}), last="fast restart succeeded"
    ),
    "14-api-port-lost-v070": Situation(at=READY, action=lose_the_port, last="Probing API port"),
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
    (re.compile(r"127\.0\.0\.1:\d+ (sent|rejected)"), r"127.0.0.1:<port> \1"),
)
# Fields of the health page of which only that they have a value is compared; nothing listens as socat here.
CHANGING = ("jvm_pid", "last_auth_success_ts", "last_auth_success_age_seconds", "socat_port_open", "uptime_seconds")


# A line of the controller that is compared.
OWN = re.compile(rf"(?!{DROPPED.pattern})\d\d:")


class Look(NamedTuple):
    """A page of the health server that was asked for when *line* had been printed so many times."""

    line: str
    times: int
    path: str
    code: int
    body: str

    def answer(self) -> tuple[str, int, list[tuple[str, object]]]:
        fields = json.loads(self.body).items()
        return self.path, self.code, [(name, value is None if name in CHANGING else value) for name, value in fields]


def masked(line: str) -> str:
    for pattern, text in VOLATILE:
        line = pattern.sub(text, line)
    return line


class Recording:
    """A recorded log: its release, its mode, its environment, its lines, what its ports answered, and the exit code of
    its container."""

    def __init__(self, stem: str) -> None:
        text = (RECORDED / f"{stem}.log").read_text(encoding="utf-8")
        head = dict(re.findall(r"^# ([^:\n]+): (.*)$", text, re.MULTILINE))
        self.release = head["controller"].split()[0].removesuffix("-r")
        self.mode = head["mode"].split()[0]
        self.environment = dict(re.findall(r"(\w+)=([^;]*)", head["environment that differs from the base set"]))
        timed = re.findall(r"^(\d+\.\d+)\t(.*)$", text, re.MULTILINE)
        self.lines = [line for _second, line in timed]
        self.replies = re.findall(r"^# reply: \S+ '(.+)' -> (?:'|\")(.*)\\n(?:'|\"), then closed$", text, re.MULTILINE)
        self.looks = []
        for second, path, answered, body in re.findall(r"^# reply: (\S+) GET (\S+) -> (\d+) (.*)$", text, re.MULTILINE):
            before = [masked(line) for at, line in timed if float(at) < float(second) and OWN.match(line)]
            self.looks.append(Look(before[-1], before.count(before[-1]), path, int(answered), body))
        code = re.match(r"\d+", head["exit code of the container (run.sh)"])
        self.exit_code = int(code[0]) if code else None


class Container:
    """run.sh of the image in directories of its own, as ibg-controller."""

    def __init__(self, folder: Path, recorded: Recording, situation: Situation, password: str) -> None:
        self.folder, self.recorded, self.lines = folder, recorded, list[str]()
        self.replies, self.looks = list[tuple[str, str]](), list[Look]()
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
            "STANDIN_LOGIN_SECONDS": situation.login, "STANDIN_APPROVE_AFTER": situation.approved,
            "STANDIN_API_PORT": str(api_port), "STANDIN_FAULT": situation.fault,
            "STANDIN_IBG_RELEASE": recorded.release, **recorded.environment,
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
        while sum(text in masked(line) for line in self.lines) < count and self.process.poll() is None:
            assert time.monotonic() < deadline, (text, self.lines[-5:])
            time.sleep(0.02)

    def control(self, request: Mapping[str, Any]) -> control.Reply:
        reply = control.call(request, str(self.folder / "s.sock"))
        assert reply["ok"], reply
        return reply

    def terminate(self) -> None:
        # The relay's first line stands before the trap.
        time.sleep(0.5)
        self.process.terminate()

    def kill_controller(self) -> None:
        [pid] = [path.read_text().strip() for path in self.folder.glob("pid_*")]
        os.kill(int(pid), signal.SIGTERM)

    def say(self, command: str) -> None:
        with socket.create_connection(("127.0.0.1", self.command_port), timeout=SECONDS) as channel:
            channel.sendall("{}\n".format(command.replace("~", "\n")).encode())
            said = b""
            while data := channel.recv(1000):
                said += data
        self.replies.append((command, said.decode().rstrip("\n")))

    def look(self, one: Look) -> None:
        """Ask for the page at the same line."""
        self.wait_for(one.line, one.times)
        try:
            answer = urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{one.path}", timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.looks.append(one._replace(code=answer.status, body=answer.read().decode()))

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
            kept.append(masked(line))
    own = [line for line in kept if line.startswith("[")]
    if last:
        own = own[: [number for number, line in enumerate(own) if last in line][count - 1] + 1]
    return [line for line in kept if not line.startswith("[")], own


def warnings(lines: Sequence[str]) -> int:
    """How often it warns of a command port without a token: another thread's line, which falls anywhere."""
    return sum("NO AUTH TOKEN SET" in line for line in lines)


def test_every_recording_is_played() -> None:
    assert {path.stem for path in RECORDED.glob("*.log")} == {*SITUATIONS}


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
        for look in recorded.looks:
            one.look(look)
        if recorded.exit_code not in (None, KILLED):
            assert one.process.wait(SECONDS) == recorded.exit_code
        elif situation.last:
            one.wait_for(situation.last, count)
        if any("Starting socat" in line for line in recorded.lines):
            one.wait_for("Starting socat")
        time.sleep(0.2)
        found = one.plain()
    expected_script, expected = parts(recorded.lines, situation.last, count)
    script, own = parts(found, situation.last, count)
    assert own == expected, diff(expected, own)
    assert script == expected_script, diff(expected_script, script)
    assert warnings(found) == warnings(recorded.lines)
    assert one.replies == recorded.replies
    assert [look.answer() for look in one.looks] == [look.answer() for look in recorded.looks]


def test_a_login_window_behind_a_closed_port_is_signed_in_to_again() -> None:
    """No recording has it: the monitor meets the login window of a RESTART whose push nobody answers."""
    with container("", Recording("09-restart-command-v070"), Situation()) as one:
        one.wait_for(READY)
        one.control({"cmd": "fault", "name": "missed_push"})
        restart = threading.Thread(target=one.say, args=("RESTART",))
        restart.start()
        one.wait_for("Login dialog detected during monitor loop")
        one.wait_for("Modal dialog(s) detected", 2)
        one.control({"cmd": "approve"})
        one.wait_for("Re-auth complete, resuming monitor")
        restart.join(SECONDS)
        assert one.replies == [("RESTART", "OK RESTART")]
        found = one.control({"cmd": "status"})
    assert (found["starts"], found["pushes"], found["logged_in"]) == (2, 3, True)
    assert not any("no login dialog" in line for line in one.lines)


@pytest.mark.parametrize("release", ibg_releases.RELEASES.values(), ids=ibg_releases.RELEASES)
def test_a_fault_that_was_not_recorded_is_refused(release: ibg_releases.Release) -> None:
    others = [name for name, each in faults.FAULTS.items() if each.layer != "login"]
    ibg_releases.refuse_unknown(release, [*release.faults, *others])
    with pytest.raises(ValueError, match=f"handoff is not recorded with ibg-controller {release.version}"):
        ibg_releases.refuse_unknown(release, ["handoff"])


def test_the_release_is_the_newest_one_unless_it_is_told() -> None:
    assert ibg_releases.chosen({}).version == ibg_releases.chosen({"STANDIN_IBG_RELEASE": ""}).version == "0.12.0"
    assert ibg_releases.chosen({"STANDIN_IBG_RELEASE": "0.7.0"}).version == "0.7.0"
    with pytest.raises(ValueError, match=r"STANDIN_IBG_RELEASE='0\.8\.0' is not recorded; there are 0\.12\.0, 0\.7\.0"):
        ibg_releases.chosen({"STANDIN_IBG_RELEASE": "0.8.0"})
