"""A shell in the folder of a user's inventory, which runs the commands that pages print.

``installed``: the artefact below a home directory, no ansible.cfg. ``checkout``: this tree with its ansible.cfg. What
a command exports and where it goes to is there for the next one.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from tests.doors import printed
from tests.lint.files import ROOT

BIN = Path(sys.executable).parent
# Its own sandbox's, the caller's and others': nothing of them reaches a door.
_FOREIGN = ("ANSIBLE_", "MOLECULE_", "IBGW", "GCP_", "CLOUDSDK_")
_CHUNK = 65536


class Ended(t.NamedTuple):
    status: int
    text: str


class Door:
    """One of the two doors; *home* is empty, and *programs* come first on the path."""

    def __init__(self, name: str, home: Path, programs: Path | None = None, **environment: str) -> None:
        self.name, self.home, self.folder = name, home, home / "ibgw"
        self._state, self._background = home / "shell-state", home / "background"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        path = os.pathsep.join([*([str(programs)] if programs else []), str(BIN), os.environ["PATH"]])
        # Ansible reads its own place from HOME; EDITOR is for `ansible-vault create`.
        self._environment = {
            **kept,
            "HOME": str(home),
            "PATH": path,
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "PAGER": "cat",
            **environment,
        }
        home.mkdir(parents=True, exist_ok=True)

    def enter(self, artefact_folder: Path) -> None:
        """Install the collection from *artefact_folder*, and copy examples/own_vm."""
        if self.name == "installed":
            shutil.copytree(artefact_folder, self.home / ".ansible/collections/ansible_collections/ibops/gateway")
        mark = {"installed": "~/.ansible", "checkout": "ANSIBLE_CONFIG"}[self.name]
        exports = [each.command for each in printed.printed() if each.page == "docs/how-to/index.md"]
        (export,) = (each for each in exports if mark in each)
        shutil.copytree(ROOT / "examples/own_vm", self.folder)
        for command in (f"cd {ROOT}", export, f"cd {self.folder}"):
            assert self.run(command).status == 0

    def close(self) -> None:
        """End what runs in the background."""
        for group in self._background.read_text().split() if self._background.exists() else ():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(group), signal.SIGTERM)

    def run(self, command: str, seconds: float = 300, typed: dict[str, str] | None = None) -> Ended:
        """Run it in the shell, on a terminal; *typed* answers questions by their words."""
        # Background processes outlive this terminal, as in the shell of a person who stays.
        keep = f"trap '' HUP; echo $$ >> {self._background}; " if command.endswith("&") else ""
        state = shlex.quote(str(self._state))
        before = f"{keep}[ -e {state} ] && . {state}; set -a\n"
        after = f'\nstatus=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} >{state}; exit $status'
        script = before + command + after
        return on_terminal(["bash", "-c", script], self._environment, self.home, seconds, typed or {})


def on_terminal(
    command: list[str], environment: dict[str, str], place: Path, seconds: float, typed: dict[str, str]
) -> Ended:
    """Run a command on a terminal of its own; each answer is typed once, when its question is the last that it said."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        preexec_fn=lambda: _control(terminal),
    )  # fmt: skip
    os.close(terminal)
    questions, said, deadline = dict(typed), b"", time.monotonic() + seconds
    answered = 0
    try:
        while True:
            ready = select.select([controller], [], [], 0.2)[0]
            try:
                data = os.read(controller, _CHUNK) if ready else b""
            except OSError:
                break
            said += data
            if ready and not data:
                break
            # A child in the background keeps the terminal open.
            if not ready and process.poll() is not None:
                break
            assert time.monotonic() < deadline, said.decode(errors="replace")
            for question, answer in list(questions.items()):
                if question.encode() in said[answered:]:
                    del questions[question]
                    answered = len(said)
                    time.sleep(0.3)
                    os.write(controller, f"{answer}\r".encode())
                    break
    finally:
        if process.poll() is None:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        os.close(controller)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode(errors="replace")).replace("\r", "")
    return Ended(process.returncode, text)


def _control(terminal: int) -> None:
    """Make it the controlling terminal, at which programs ask for passwords."""
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
