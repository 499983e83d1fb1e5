# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module pipeline_command: the command is a child of this run, on the control node."""

from __future__ import annotations

import codecs
import collections
import contextlib
import fcntl
import hashlib
import os
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import MANUAL
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.operator import owner

LOOK_SECONDS = 0.5
# From the termination request (^C to a program) to the kill.
GRACE_SECONDS = 10.0
# How much of the end of its output goes into the result.
LINES_KEPT = 200


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "command": {"type": "str", "required": True},
                "gateway_name": {"type": "str", "required": True},
                "seconds": {"type": "float", "required": True},
                "started": {"type": "bool", "default": True},
            }
        )
        self._vars = task_vars or {}
        self._name: str = arguments["gateway_name"]
        host = str(self._vars.get("inventory_hostname", ""))
        if self._task.check_mode:
            return {"changed": True, "rc": None}
        with _only_one(f"{host} {self._name}") as lock:
            if another := lock or ("" if arguments["started"] else self._another()):
                told = f"{host} has a pipeline already: {another}. Nothing was started, and that one was left alone."
                return {"failed": True, "busy": True, "msg": told}
            several = len(self._vars.get("ansible_play_hosts") or ()) > 1
            pipeline = _Pipeline(lambda line: commands.show(self._display, f"{host}: {line}" if several else line))
            with _signals() as received:
                result = pipeline.run(arguments["command"], arguments["seconds"], received)
                if received:
                    self._give_back(host, result)
            return result

    def _another(self) -> str:
        """Describe an earlier start that has its own end, such as another pipeline's; empty if there is none."""
        look = self._execute_module(
            module_name="ibops.gateway.gateway_info",
            module_args={"gateway_name": self._name, "probe": False},
            task_vars=self._vars,
        )
        grant = (look.get("session") or {}).get("grant") or {}
        # With a name, it is a start without its own end; other kinds are sessions of the inventory.
        if grant.get("kind") != MANUAL or grant.get("name") or grant["ends_at"] <= time.time():
            return ""
        began, ends = (
            time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(grant[name])) for name in ("started_at", "ends_at")
        )
        return (
            f"another run started the gateway at {began}, until {ends} at most. Where that run is gone, on the host: "
            f"sudo ibgwctl stop {self._name}"
        )

    def _give_back(self, host: str, result: dict[str, t.Any]) -> None:
        """After an interruption the rest of the play does not run: stop the gateway here, and report the result."""
        _tell(f"{host}: the pipeline was ended; its gateway is being stopped")
        # The lease of the run's main process, which has ended or will.
        os.makedirs(C.DEFAULT_LOCAL_TMP, mode=0o700, exist_ok=True)
        try:
            stopped = self._execute_module(
                module_name="ibops.gateway.gateway_session",
                module_args={"gateway_name": self._name, "state": "stopped", "lease_owner": owner()},
                task_vars=self._vars,
            )
        except AnsibleError as error:
            stopped = {"failed": True, "msg": str(error)}
        if stopped.get("failed") or stopped.get("unreachable"):
            end = time.strftime("%H:%M %Z", time.localtime(time.time() + result["left"]))
            _tell(
                f"{host}: the gateway could not be stopped ({stopped.get('msg')}). It runs on, until its watcher stops "
                f"it at {end}; to end it now, on the host: sudo ibgwctl stop {self._name}"
            )
        else:
            _tell(f"{host}: the gateway is stopped")


class _Pipeline:
    """A command in its own session, so that a terminal's ^C reaches it only through this run."""

    def __init__(self, say: t.Callable[[str], object]) -> None:
        self._say = say
        self._lines: collections.deque[str] = collections.deque(maxlen=LINES_KEPT)

    def run(self, command: str, seconds: float, received: list[int]) -> dict[str, t.Any]:
        """Run *command* in the current directory until it ends, *seconds* are over or a signal is *received*."""
        begin = time.monotonic()
        words = [os.path.expanduser(os.path.expandvars(word)) for word in shlex.split(command)]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return {
                "failed": True,
                "rc": 127,
                "left": seconds,
                "msg": f"{words[0]} cannot be run in {os.getcwd()}: {error.strerror}",
            }
        why = self._follow(process, begin + seconds, received)
        passed = time.monotonic() - begin
        result = {"changed": True, "rc": process.returncode, "lines": [*self._lines], "elapsed": round(passed, 1)}
        result["left"] = max(seconds - passed, 0.0)
        if why or process.returncode:
            result |= {"failed": True, "msg": f"the pipeline {why or f'ended with status {process.returncode}'}"}
        return result

    def _follow(self, process: subprocess.Popen[bytes], end: float, received: list[int]) -> str:
        """Print output until the process ends; return why this run ended it, if it did."""
        parent, why, force = os.getppid(), "", 0.0
        with _Output(process, self._print) as output:
            while process.poll() is None:
                output.read(LOOK_SECONDS)
                if why and time.monotonic() >= force:
                    _send(process, signal.SIGKILL)
                elif not why:
                    if os.getppid() != parent:
                        received.append(signal.SIGHUP)
                    late = "" if time.monotonic() < end else "was ended when its time was over"
                    why = "was ended, because this run was interrupted" if received else late
                    if why:
                        force = time.monotonic() + GRACE_SECONDS
                        _send(process, signal.SIGINT)
            output.read(0)
        if why:
            # Its children, which may have ignored the request.
            _send(process, signal.SIGKILL)
        return why

    def _print(self, line: str) -> None:
        self._lines.append(line)
        self._say(line)


class _Output:
    """The lines that a process prints, as they come."""

    def __init__(self, process: subprocess.Popen[bytes], say: t.Callable[[str], None]) -> None:
        if process.stdout is None:
            raise ValueError("the process was started without a pipe for its output")
        self._pipe, self._say, self._rest = process.stdout, say, ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> _Output:
        os.set_blocking(self._pipe.fileno(), False)
        self._selector.register(self._pipe, selectors.EVENT_READ)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._rest:
            self._say(self._rest)
        self._selector.close()
        self._pipe.close()

    def read(self, seconds: float) -> None:
        """Wait at most *seconds* for output, and print all of it."""
        while self._selector.get_map() and self._selector.select(seconds):
            data = os.read(self._pipe.fileno(), 1 << 16)
            if not data:
                self._selector.unregister(self._pipe)
            *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
            for line in lines:
                self._say(line)
            seconds = 0
        if not self._selector.get_map():
            time.sleep(seconds)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def _signals() -> t.Iterator[list[int]]:
    """Record the signals that end this run, which Ansible passes to its workers, instead of dying from them."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda which, _frame: received.append(which)) for number in numbers]
    try:
        yield received
    finally:
        # After an interruption it is left to end by itself: Ansible ends what still runs when it exits.
        if not received:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


@contextlib.contextmanager
def _only_one(what: str) -> t.Iterator[str]:
    """Hold a lock on *what* for this user of this machine; yield another holder, empty if it is us."""
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    path = os.path.join(tempfile.gettempdir(), f"ibgw-pipeline-{os.getuid()}-{name}")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield f"that of {os.pread(handle, 100, 0).decode(errors='replace') or 'another run'} on this machine"
            return
        os.ftruncate(handle, 0)
        os.pwrite(handle, owner().encode(), 0)
        yield ""
    finally:
        os.close(handle)


def _tell(text: str) -> None:
    """Print to the terminal of the run's main process, which no longer shows its workers' output."""
    with contextlib.suppress(OSError), open(f"/proc/{os.getppid()}/fd/2", "a", encoding="utf-8") as terminal:
        terminal.write(f"{text}\n")
