# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in, put into the situation of each recorded log of the real IBC, prints the same lines in the same order.

Its time runs faster (STANDIN_SPEED), and what a clock brings is brought by ``standin-ctl restart``; otherwise the
stand-in runs as in its image, with the image's own run.sh, a config.ini with the recorded settings, and what was done
to the real one done to it after the same line.
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
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.unit.standin.conftest import free_port
from tests.unit.standin.transcripts import ROOT, Action, Log, Transcript, apart, plain

from ibgw_standin import control
from ibgw_standin.testing import PACKAGE_ROOT

pytestmark = pytest.mark.programs
IMAGE = PACKAGE_ROOT / "image"
SECONDS, SETTLE = 20.0, 0.25
"""How long what must come is waited for, and what must not."""

SPEED, CAREFUL = "40", "15"
"""How much faster than a clock's the stand-in's time runs, and where IBC compares two lengths of it."""


class Situation(NamedTuple):
    """How to bring the stand-in there."""

    fault: str = ""
    environment: Mapping[str, str] = {}
    later: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Commands of the control socket, each before the first line that holds the text, and then the next."""
    files: Mapping[str, bytes] = {}
    """The settings directory's content before the start."""
    loops: bool = False
    """Endless, so the recording ends somewhere: its last JVM is not compared."""
    drops: str = ""
    """Capabilities that root is to be without."""


OTHER = "dialog entitled: Existing session detected; event=Opened"
CLOSES = "exiting via [File, Close]"
ENDS = "IBC returned exit status 0"
RESTART = (ENDS, {"cmd": "restart"})
OLD = {"dkjhfakehash/autorestart": b"1700000000.0"}


def fault(name: str, **arguments: object) -> dict[str, Any]:
    return {"cmd": "fault", "name": name, "args": arguments, "add": True}


SITUATIONS: dict[str, Situation] = {
    "01-paper-ready": Situation(),
    "02-live-approved-8s": Situation(),
    "03-push-missed-program-exits": Situation("missed_push,program_exits"),
    "03-push-missed-relogin-no-exit": Situation("missed_push:times=1"),
    "03-push-missed-relogin-no-restart": Situation("missed_push:times=1"),
    "03-push-missed-relogin-yes-exit": Situation("missed_push:times=1"),
    "03-push-missed-relogin-yes-restart": Situation("missed_push:times=1"),
    "04-push-denied-login-failed": Situation("push_denied:login_failed=true", loops=True),
    "04-push-denied-relogin-no": Situation("push_denied"),
    "04-push-denied-relogin-yes-exit": Situation("push_denied"),
    "04-push-denied-relogin-yes-restart": Situation("push_denied", loops=True),
    "05-device-in-list": Situation("device_list"),
    "05-device-not-in-list": Situation("device_list"),
    "05-device-not-named": Situation("device_list"),
    "06-login-failed-3-times-then-ok": Situation("wrong_password:times=3"),
    "06-login-failed-live": Situation("wrong_password", loops=True),
    "06-password-expiry": Situation("password_expiry"),
    "06-unrecognized-dialog": Situation("unrecognized_user"),
    "07-login-dialog-invalidated": Situation("missed_push:times=1,login_window_invalidated:lost=all"),
    "07-login-dialog-invalidated-2": Situation("missed_push:times=1,login_window_invalidated:times=1"),
    "07-login-error-daily-restart": Situation("expired_token:times=1", later=[RESTART]),
    "07-login-error-first-start": Situation("login_error:times=1"),
    "09-existing-manual": Situation("existing_session"),
    "09-existing-primary-first": Situation("existing_session"),
    "09-existing-primary-signed-in": Situation(later=[(OTHER, fault("existing_session"))]),
    "09-existing-primary-twice": Situation("existing_session_stubborn"),
    "09-existing-primaryoverride-signed-in": Situation(later=[(OTHER, fault("existing_session"))]),
    "09-existing-relogin-required": Situation(
        later=[("Re-login is required", {"cmd": "relogin", "seconds": 1, "fault": "existing_session_stubborn"})]),
    "09-existing-relogin-required-ok": Situation(later=[("Re-login is required", {"cmd": "relogin", "seconds": 1})]),
    "09-existing-secondary": Situation("existing_session"),
    "09-existing-secondary-signed-in": Situation(later=[(OTHER, fault("existing_session"))]),
    "09-handoff-manual": Situation("handoff"),
    "09-handoff-secondary": Situation("handoff"),
    "10-locked-login-failed": Situation("wrong_password", loops=True),
    "10-too-many-relogin-no": Situation("too_many_logins:times=1"),
    "10-too-many-relogin-yes": Situation("too_many_logins:times=1"),
    "11-passkey-2fa-dialog": Situation("second_factor_code"),
    "11-passkey-gateway-dialog": Situation("passkey"),
    "12-code-untitled": Situation("security_code"),
    "12-totp": Situation("second_factor_code"),
    "13-restart-by-own-time": Situation(later=[RESTART]),
    "13-restart-command-live": Situation(later=[RESTART]),
    "13-restart-command-paper": Situation(later=[RESTART]),
    "13-restart-twice": Situation(later=[RESTART]),
    "14-stop-at-login-window": Situation("exit_88_loop"),
    "14-stop-close-hangs": Situation("close_hangs"),
    "14-stop-during-auto-restart-token-there": Situation(
        later=[(ENDS, fault("stale_token")), RESTART, ("exiting immediately", {"cmd": "status"}),
               ("<java> -Drestart=", {"cmd": "clear"})]),
    "14-stop-during-auto-restart-token-used": Situation(
        later=[(ENDS, fault("login_window_hang")), RESTART]),
    "14-stop-during-push": Situation(environment={"APPROVE_AFTER": ""}),
    "14-stop-paper-restarting-login": Situation("port_closed"),
    "14-stop-signed-in": Situation(),
    "15-pause-and-start": Situation(later=[RESTART]),
    "16-stale-token-live": Situation(files=OLD),
    "16-stale-token-live-then-login-window-timeout": Situation("exit_88_loop", files=OLD),
    "16-stale-token-paper": Situation(files=OLD),
    "17-two-tokens": Situation(files={"aaa/autorestart": b"1", "bbb/autorestart": b"2"}),
    "18-login-window-never": Situation("exit_88_loop:times=3"),
    "19-slow-login-relogin-yes": Situation(),
    "19-stall-after-approval-relogin-no": Situation("login_stall"),
    "19-stall-after-approval-relogin-yes-exit": Situation("login_stall"),
    "20-closedown-daily": Situation(later=[(CLOSES, {"cmd": "restart", "event": "CLOSEDOWN"})]),
    "20-cold-restart-sunday-live": Situation(later=[(CLOSES, {"cmd": "restart", "event": "COLD"})]),
    "20-cold-restart-sunday-paper": Situation(later=[(CLOSES, {"cmd": "restart", "event": "COLD"})]),
    "21-docker-stop-during-start": Situation("exit_88_loop"),
    "21-docker-stop-signed-in": Situation(),
    "22-jvm-killed": Situation(),
    "22-jvm-terminated": Situation(),
    "23-incoming-accept": Situation("incoming_connection"),
    "23-incoming-reject": Situation("incoming_connection"),
    "23-read-only-off": Situation(),
    "23-write-access": Situation("write_access"),
    "24-newer-version-frame": Situation("newer_version"),
    "24-newer-version-pane": Situation("newer_version_pane"),
    "24-no-longer-supported-gateway-dialog": Situation("release_refused"),
    "25-configured-before-login-completed": Situation("settings_menu_early"),
    "25-configured-before-login-completed-paper": Situation("settings_menu_early"),
    "26-auto-logoff": Situation(later=[(ENDS, {"cmd": "restart", "event": "LOGOFF"})]),
    "27-2fa-action": Situation(),
    "27-autorestart-24h": Situation(),
    "27-closedown-bad": Situation(),
    "27-coldrestart-bad": Situation(),
    "27-existing-action-bad": Situation("existing_session"),
    "27-ini-template-missing": Situation(environment={"IBC_INI_TMPL": "/nonexistent/none.tmpl"}),
    "27-jtsini-bad-bytes": Situation(files={"jts.ini": b"[Logon]\n\xff\xfe\n"}),
    "27-jtsini-unreadable": Situation(files={"jts.ini": b"[Logon]\n"}, drops="-dac_override,-dac_read_search"),
    "27-no-user": Situation(),
    "27-password-twice": Situation(environment={"TWS_PASSWORD": "one"}),
    "27-settings-not-writable": Situation(drops="-dac_override,-dac_read_search"),
    "27-trading-mode-env": Situation(environment={"TRADING_MODE": "demo"}),
    "27-trading-mode-ini": Situation(),
    "28-disclaimer-before-splash": Situation("disclaimer_early"),
    "28-disclaimer-not-accepted": Situation(),
    "30-commands": Situation(),
    "30-commands-info": Situation(environment={"SPEED": "2"}),
    "30-commands-pause-info": Situation(),
    "exp-07-login-error-daily-restart": Situation("expired_token:times=1", later=[RESTART]),
    "exp-13-restart-command-live": Situation(later=[RESTART]),
}  # fmt: skip

_MINUTE = re.compile(r"\b\d\d:\d\d [AP]M\b")
EFFECTS = {
    "command server: ": r"IBC: CommandServer: ControlFrom setting",
    "inside: sed": r"IBC: CommandServer: ControlFrom setting",
    "docker stop": r"\.> (Stopping|\S+ Received)",
    "docker start": r"\*+$",
    "inside the container: kill": r"IBC returned exit status",
}
"""The first line that something done to the container brings."""

MISSED = 255
"""Result of bash's wait for a child that ends just as SIGTERM reaches bash itself (jobs.c, wait_for).

The real run.sh and ibcstart.sh wait in the same way, so a docker stop ends with it now and then.
"""

COMPARED = ("SecondFactorAuthenticationTimeout=12", "ReloginAfterSecondFactorAuthenticationTimeout=yes")
STUBS = {
    "Xvfb": f'#!/bin/bash\nexec -a Xvfb {sys.executable} {IMAGE / "Xvfb"} "$@"\n',
    "socat": "#!/bin/bash\nexec sleep 1000\n",
    # by name, and nothing outside of the test's own session
    "pgrep": '#!/bin/bash\nexec /usr/bin/pgrep -s 0 "$@"\n',
    "pkill": "#!/bin/bash\n"
    'case $1 in socat) set -- -x sleep ;; Xvfb) set -- -f "[X]vfb :1" ;; esac\nexec /usr/bin/pkill -s 0 "$@"\n',
}
"""Substitutes for the image's programs, which are not installed here or would reach beyond the test."""


class Container:
    """run.sh of the image, in directories of its own; ``start`` again is a ``docker start``."""

    def __init__(self, folder: Path, recorded: Transcript, situation: Situation) -> None:
        self.folder, self.recorded, self.situation = folder, recorded, situation
        self.lines: list[str] = []
        self.api_port, self.command_port = free_port(), free_port()
        self.settings, self.ini = folder / "settings", folder / "run" / "config.ini"
        program = folder / "Jts" / "ibgateway" / "10.45.1j"
        for directory in (self.settings, self.ini.parent, program, folder / "ibc" / "scripts", folder / "bin"):
            directory.mkdir(parents=True)
        (program / "ibgateway.vmoptions").write_text("-Xmx768m\n")
        (folder / "Jts" / "jts.ini.tmpl").write_bytes((IMAGE / "templates" / "jts.ini.tmpl").read_bytes())
        (folder / "ibc" / "scripts" / "ibcstart.sh").symlink_to(IMAGE / "ibc" / "ibcstart.sh")
        for name, text in STUBS.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        config = recorded.config.replace("CommandServerPort=7462", f"CommandServerPort={self.command_port}")
        (folder / "config.tmpl").write_text(config.replace("=***", "=secret"))
        (folder / "password").write_text("secret\n")
        for name, content in situation.files.items():
            path = self.settings / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            path.chmod(0 if situation.drops else 0o644)
        if situation.drops and not situation.files:
            self.settings.chmod(0o500)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        recorded, situation, folder = self.recorded, self.situation, self.folder
        header = {key: value for key, value in recorded.environment.items() if key != "TZ"}
        own = {
            "SCRIPT_PATH": str(IMAGE / "scripts"), "TWS_PATH": str(folder / "Jts"), "IBC_PATH": str(folder / "ibc"),
            "IBC_INI": str(self.ini), "IBC_INI_TMPL": str(folder / "config.tmpl"), "TWS_INI": "jts.ini",
            "TWS_INI_TMPL": "jts.ini.tmpl", "TWS_SETTINGS_PATH": str(self.settings), "TWS_MAJOR_VRSN": "10.45.1j",
            "GATEWAY_OR_TWS": "gateway", "TIME_ZONE": "America/New_York", "JAVA_HEAP_SIZE": "768", "TZ": "Etc/GMT+5",
            "TRADING_MODE": recorded.mode, "TWOFA_TIMEOUT_ACTION": "exit",
            "TWS_PASSWORD_FILE": str(folder / "password"), "HOME": str(folder),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(PACKAGE_ROOT),
        }  # fmt: skip
        careful = any(f"{each}\n" in recorded.config for each in COMPARED)
        options = {
            "SPEED": CAREFUL if careful else SPEED, "JAVA": sys.executable,
            "SOCKET": str(folder / "s.sock"), "TMP": str(folder),
            "LOGIN_SECONDS": "4", "DISCLAIMER_SECONDS": "1", "APPROVE_AFTER": "8", "RESTART_SECONDS": "900",
            "API_PORT": str(self.api_port), "FAULT": situation.fault,
            "PUSH_TIMEOUT": "13" if "SecondFactorAuthenticationTimeout=12" in recorded.config else "180",
        }  # fmt: skip
        given = {key: value for key, value in situation.environment.items() if key in options}
        rest = {key: value for key, value in situation.environment.items() if key not in options}
        standin = {f"STANDIN_{key}": value for key, value in (options | given).items()}
        command = [str(IMAGE / "scripts" / "run.sh")]
        if situation.drops and os.geteuid() == 0:
            command = ["setpriv", f"--bounding-set={situation.drops}", f"--inh-caps={situation.drops}", *command]
        self.process = subprocess.Popen(
            command, env=own | header | rest | standin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="surrogateescape", start_new_session=True,
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def log(self) -> Log:
        """Return its output so far, parsed."""
        return apart(self.plain())

    def plain(self) -> list[str]:
        """Return its output so far, with the test's own paths and ports replaced by the recorded ones."""
        text = "\n".join(self.lines)
        for own, theirs in (
            (str(self.ini), "/run/ibc/config.ini"), (str(self.settings), "/home/ibgateway/tws_settings"),
            (str(self.folder / "Jts"), "/home/ibgateway/Jts"), (str(self.folder / "ibc"), "/home/ibgateway/ibc"),
            (f"CommandServerPort={self.command_port}", "CommandServerPort=7462"),
            (f"port {self.command_port}", "port 7462"), (f"port: {self.command_port}", "port: 7462"),
            *([(f"exit status {MISSED}", f"exit status {self.recorded.exit_code}")] if self.is_stopped else []),
        ):  # fmt: skip
            text = text.replace(own, theirs)
        return plain(text.split("\n"), self.recorded.own_times)

    @property
    def is_stopped(self) -> bool:
        """Whether the recording ends with a ``docker stop``."""
        return any(action.what.startswith("docker stop") for action in self.recorded.actions)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_for(self, count: int) -> None:
        """Wait until so many main lines are there, and what belongs to them."""
        deadline = time.monotonic() + SECONDS
        while len(self.log().main) < count and time.monotonic() < deadline:
            if not self.running:
                # Its last lines may still be on their way.
                self.reader.join(SECONDS)
                return
            time.sleep(0.01)
        time.sleep(0.05)

    def wait_until(self, text: str, count: int = 1) -> None:
        """Wait until so many lines hold the text, or it has ended."""
        deadline = time.monotonic() + SECONDS
        while self.running and sum(text in line for line in self.lines) < count:
            assert time.monotonic() < deadline, text
            time.sleep(0.01)
        time.sleep(SETTLE)

    def control(self, request: Mapping[str, Any]) -> None:
        control.call(request, str(self.folder / "s.sock"))

    def command(self, action: Action) -> list[str]:
        """Replay the commands to the command server, and return its replies in the transcript's form."""
        said = []
        lines = action.what.removeprefix("command server: ").split("|")
        with socket.create_connection(("127.0.0.1", self.command_port), timeout=SECONDS) as channel:
            for line, expected in zip((None, *lines), action.replies, strict=True):
                if line is not None:
                    channel.sendall(f"{line}\n".encode())
                said.append(self._hear(channel, expected))
        return said

    @staticmethod
    def _hear(channel: socket.socket, expected: str) -> str:
        said = ""
        channel.settimeout(SETTLE / 4 if not expected else SECONDS)
        with suppress(TimeoutError):
            while len(said) < len(expected) or not expected or "closed" in expected:
                data = channel.recv(1000).decode()
                if not data:
                    return said + "<closed by IBC>"
                said += data
        return said

    def act(self, action: Action) -> None:
        if action.what.startswith("command server: "):
            said = self.command(action)
            assert [_MINUTE.sub("<minute>", each) for each in said] == [
                _MINUTE.sub("<minute>", each) for each in action.replies
            ]
        elif action.what.startswith("docker stop"):
            assert self.process is not None
            self.process.terminate()
        elif action.what.startswith("docker start"):
            self.end()
            self.start()
        elif action.what.startswith("inside: sed"):
            self.ini.write_text(re.sub("(?m)^IbPassword=.*", "IbPassword=", self.ini.read_text()))
        elif action.what.startswith("inside the container: kill"):
            assert self.process is not None
            number = "-9" if "-9" in action.what else "-15"
            subprocess.run(
                ["pkill", number, "-s", str(self.process.pid), "-f", "ibgw_standin.ibc"], check=True, timeout=SECONDS
            )
        else:
            raise AssertionError(action.what)

    def end(self) -> int | None:
        """End it all; returns the exit code where it had ended by itself."""
        assert self.process is not None
        code = self.process.poll()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in subprocess.run(
            ["/usr/bin/pgrep", "-s", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        return code


Step = tuple[int, Callable[[], None]]


def steps(container: Container, expected: list[str]) -> list[Step]:
    """Return the actions on the stand-in, each with the number of recorded lines before its effect."""
    found: list[Step] = []
    seen = 0
    for action in container.recorded.actions:
        effect = next(pattern for start, pattern in EFFECTS.items() if action.what.startswith(start))
        at = next(number for number in range(seen, len(expected)) if re.match(effect, expected[number]))
        found.append((at, lambda action=action: container.act(action)))  # type: ignore[misc]  # bound now, not late
        seen = at + (not action.what.startswith("inside: sed"))
    seen = 0
    for text, request in container.situation.later:
        seen = next(number for number in range(seen, len(expected)) if text in expected[number])
        found.append((seen, lambda request=request: container.control(request)))  # type: ignore[misc]  # bound now, not late
    return sorted(found, key=lambda step: step[0])


@contextmanager
def container(recorded: Transcript, situation: Situation) -> Iterator[Container]:
    with tempfile.TemporaryDirectory(prefix="standin-") as folder:
        one = Container(Path(folder), recorded, situation)
        one.start()
        try:
            yield one
        finally:
            one.end()


def diff(expected: Sequence[str], found: Sequence[str]) -> str:
    return "\n".join(unified_diff(expected, found, "recorded", "stand-in", lineterm="", n=2))


def test_every_recording_has_its_situation() -> None:
    assert {path.stem for path in ROOT.glob("*.log")} == SITUATIONS.keys()


@pytest.mark.parametrize("stem", SITUATIONS)
def test_the_stand_in_prints_what_the_real_one_printed(stem: str) -> None:
    recorded, situation = Transcript(ROOT / f"{stem}.log"), SITUATIONS[stem]
    expected = apart(plain(recorded.lines, recorded.own_times))
    with container(recorded, situation) as one:
        for count, act in steps(one, expected.main):
            one.wait_for(count)
            assert one.log().main[:count] == expected.main[:count], diff(expected.main[:count], one.log().main)
            act()
        if recorded.exit_code is None:
            one.wait_for(len(expected.main))
            time.sleep(0.0 if situation.loops else SETTLE)
        else:
            assert one.process is not None
            code = one.process.wait(SECONDS)
            assert code == recorded.exit_code or (one.is_stopped and code == MISSED)
            one.end()  # what has been left behind, as the relay is
        log = one.log()
    if situation.loops:
        last = len(expected.main) - expected.main[::-1].index("Starting Gateway with this command:")
        assert log.main[:last] == expected.main[:last], diff(expected.main[:last], log.main)
        return
    assert log.main == expected.main, diff(expected.main, log.main)
    assert log.beside == expected.beside
    # a window that IBC closes at once has not always got the focus
    assert log.focus >= expected.focus
