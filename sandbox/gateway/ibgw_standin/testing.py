# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests: a stand-in in its own process, for the length of a ``with`` block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import control

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


class Running:
    """A running stand-in: an address for clients, a control socket for the test."""

    def __init__(self, process: subprocess.Popen[str], host: str, port: int, socket_path: str) -> None:
        self.process = process
        self.host = host
        self.port = port
        self.socket_path = socket_path

    def control(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command; :class:`~ibgw_standin.control.ControlError` when it is refused."""
        reply = control.call(request, self.socket_path)
        if not reply.pop("ok"):
            raise control.ControlError(reply["error"])
        return reply

    def status(self) -> dict[str, Any]:
        """Return the gateway's present state."""
        return self.control({"cmd": "status"})

    def set_fault(self, name: str | None, **args: Any) -> None:
        """Set this one fault, or none."""
        self.control({"cmd": "fault", "name": name, "args": args} if name else {"cmd": "clear"})

    def requests(self) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        found: list[dict[str, Any]] = self.control({"cmd": "requests"})["requests"]
        return found

    def freeze(self) -> None:
        """Stop the process (SIGSTOP): the kernel still accepts connections."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a frozen process."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process, frozen or not; further calls do nothing."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def listening(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Run ``python -m`` with this package importable; yields the process and where it listens."""
    path = os.pathsep.join(filter(None, (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", ""))))
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, text=True, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            word, _, address = process.stdout.readline().strip().partition(" ")
            if word != "listening":
                raise RuntimeError(f"{' '.join(arguments)} did not start; its error output says why")
            host, _, port = address.rpartition(":")
            yield process, host, int(port)
        finally:
            process.kill()


@contextmanager
def relay(port: int) -> Iterator[int]:
    """Run a relay to a port, like the image's socat; yields its own port."""
    with listening("ibgw_standin.relay", "--to", str(port)) as (_, _, own):
        yield own


@contextmanager
def running(
    mode: str = "paper",
    fault: str | Sequence[str] | None = None,
    max_version: int = 225,
    *,
    accounts: Sequence[str] = (),
    port: int = 0,
    extra: Sequence[str] = (),
) -> Iterator[Running]:
    """Run the API alone (``python -m ibgw_standin``); *extra* are more command-line options."""
    names = [fault] if isinstance(fault, str) else fault or []
    with tempfile.TemporaryDirectory(prefix="standin-") as folder:
        path = f"{folder}/control.sock"
        with listening(
            "ibgw_standin", "--mode", mode, "--port", str(port), "--control", path, "--max-version", str(max_version),
            "--accounts", ",".join(accounts), *(f"--fault={name}" for name in names), *extra,
        ) as (process, host, bound):  # fmt: skip
            yield Running(process, host, bound, path)
