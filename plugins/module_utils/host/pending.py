# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember the commands that a changed file requires until they have succeeded.

Otherwise a run interrupted between a file and its command would leave the old setting in force, since the next run
finds the file unchanged. A command belongs to its file: only a task that writes that file again runs what is left, so
that one role's leftover fails no other role, and two gateways of a host keep theirs apart.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import fcntl
import fnmatch
import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field

from ..agent import record_file
from ..agent.files import write

PATH = "/var/lib/ibgw/pending.json"
# No command of ours takes longer, even on an emulated machine.
SECONDS = 600


class CommandError(Exception):
    """A failed command and its output."""


@dataclass(frozen=True)
class Call:
    """A *command* required by the file at *path*; without a path, the next run executes it."""

    path: str
    command: str


@dataclass(frozen=True)
class Calls:
    """The file: the commands still to run, in order."""

    calls: list[Call] = field(default_factory=list)


class Memory:
    """The calls at *path*. *damage* says why the file was set aside, if it was."""

    def __init__(self, path: str = PATH) -> None:
        self.path, self.damage = path, ""

    def left(self, paths: c.Container[str]) -> list[str]:
        """The remaining commands of these files, each once."""
        return list(dict.fromkeys(call.command for call in self._read() if not call.path or call.path in paths))

    def add(self, calls: c.Sequence[Call]) -> None:
        """Append calls."""
        with self._alone():
            self._write(list(dict.fromkeys([*self._read(), *calls])))

    def done(self, command: str, paths: c.Container[str]) -> None:
        """Forget a command of these files."""
        with self._alone():
            ours = [call for call in self._read() if call.command == command]
            gone = {call for call in ours if not call.path or call.path in paths}
            if gone:
                self._write([call for call in self._read() if call not in gone])

    @contextlib.contextmanager
    def turn(self) -> c.Iterator[None]:
        """Write files and run their commands exclusively: a machine with two gateways is two hosts of a run."""
        with self._alone("turn"):
            yield

    @contextlib.contextmanager
    def _alone(self, what: str = "lock") -> c.Iterator[None]:
        """Hold a lock beside the file, which ends with the process."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        handle = os.open(f"{self.path}.{what}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self) -> list[Call]:
        try:
            data = record_file.read(self.path)
            # As earlier releases wrote it.
            if isinstance(data, list):
                return [Call("", command) for command in record_file.value(list[str], data, "it")]
            return record_file.build(Calls, data).calls
        except FileNotFoundError:
            return []
        except record_file.DamagedError as error:
            self.damage = (
                f"{self.path} is damaged: {error}; it is kept as {record_file.set_aside(self.path)}. Commands that an "
                "interrupted run had left are lost with it: restart the host where a setting is not in force"
            )
            return []

    def _write(self, calls: c.Sequence[Call]) -> None:
        content = json.dumps({"schema": record_file.SCHEMA, **dataclasses.asdict(Calls(list(calls)))})
        write(self.path, {"content": content, "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})


def merged(calls: c.Sequence[Call]) -> list[Call]:
    """The same calls without restarts of a unit that an earlier restart by pattern covers."""
    words = [shlex.split(call.command) for call in calls]

    def whole(at: int) -> str:
        found = (
            other
            for other, (*verb, pattern) in enumerate(words)
            if verb == words[at][:-1] and verb[:1] == ["systemctl"] and fnmatch.fnmatchcase(words[at][-1], pattern)
        )
        return calls[min(found, default=at)].command

    return [Call(call.path, whole(at)) for at, call in enumerate(calls)]


def run(memory: Memory, commands: c.Sequence[str], paths: c.Container[str]) -> None:
    """Run *commands* of files at *paths* in order, forgetting each when it has succeeded; CommandError at the first
    failure."""
    for command in commands:
        try:
            subprocess.run(shlex.split(command), capture_output=True, text=True, check=True, timeout=SECONDS, cwd="/")
        except OSError as fault:
            raise CommandError(f"{command}: {fault.strerror}") from fault
        except subprocess.TimeoutExpired as fault:
            raise CommandError(f"{command}: not finished after {SECONDS} seconds") from fault
        except subprocess.CalledProcessError as fault:
            said = (fault.stderr.strip() or fault.stdout.strip())[-2000:]
            raise CommandError(f"{command}: exit status {fault.returncode}: {said}") from fault
        memory.done(command, paths)
