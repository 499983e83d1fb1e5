# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare client of the TWS API, and IBC's loop without a container."""

from __future__ import annotations

import os
import queue
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from ibgw_standin import control
from ibgw_standin.testing import PACKAGE_ROOT, Running, running

IMAGE = PACKAGE_ROOT / "image"
SECONDS = 10.0
"""How long a test waits for what must come."""


class Peer:
    """A connection to the API, byte by byte, in the text protocol unless told otherwise."""

    def __init__(self, host: str, port: int, seconds: float = SECONDS) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)

    def read(self, size: int) -> bytes:
        """Read so many bytes; EOFError when the server ends the connection first."""
        data = b""
        while len(data) < size:
            chunk = self.socket.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def frame(self) -> bytes:
        """Read the payload of a frame."""
        (size,) = struct.unpack(">I", self.read(4))
        return self.read(size)

    def texts(self) -> list[str]:
        """Read a frame of texts."""
        return self.frame().decode(errors="replace").removesuffix("\0").split("\0")

    def send(self, payload: bytes) -> None:
        """Send a frame."""
        self.socket.sendall(struct.pack(">I", len(payload)) + payload)

    def ask(self, *values: object) -> None:
        """Send a frame of texts."""
        self.send("".join(f"{value}\0" for value in values).encode())

    def hello(self, versions: bytes = b"v157..178") -> list[str]:
        """Shake hands; returns the server's version and its time."""
        self.socket.sendall(b"API\0" + struct.pack(">I", len(versions)) + versions)
        return self.texts()

    def start(self, client_id: int = 7) -> None:
        """Begin the session."""
        self.ask(71, 2, client_id, "")

    def until(self, message_id: int, code: int | None = None) -> list[list[str]]:
        """Read messages until this one (for errors: with this code); returns all of them."""
        seen = []
        while True:
            seen.append(self.texts())
            if seen[-1][0] == str(message_id) and (code is None or seen[-1][3] == str(code)):
                return seen

    def close(self) -> None:
        """Close as a polite client does: say so, wait a second for the server to close too."""
        deadline = time.monotonic() + 1.0
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(1.0)
            while self.socket.recv(65536) and time.monotonic() < deadline:
                pass
        self.socket.close()


Dial = Callable[..., Peer]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Open connections that are closed with the test."""
    with ExitStack() as stack:

        def connect(gateway: Running, seconds: float = SECONDS) -> Peer:
            peer = Peer(gateway.host, gateway.port, seconds)
            stack.callback(peer.close)
            return peer

        yield connect


@pytest.fixture(scope="module")
def shared_gateway() -> Iterator[Running]:
    """One stand-in for the tests of a module."""
    with running(extra=["--no-delays"]) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: Running) -> Running:
    """The module's stand-in as it was at its start."""
    shared_gateway.set_fault(None)
    shared_gateway.control({"cmd": "set", "max_version": 225, "accounts": ["DU1234567"], "read_only": False})
    shared_gateway.control({"cmd": "reset"})
    return shared_gateway


def free_port() -> int:
    """Return a port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class IbcLoop:
    """ibcstart.sh in a process of its own, in directories of its own."""

    def __init__(self, folder: Path, config: str, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self.settings = folder / "settings"
        self.api_port, self.command_port = free_port(), free_port()
        program = folder / "Jts" / "ibgateway" / "10.45.1j"
        for directory in (self.settings, program, folder / "ibc"):
            directory.mkdir(parents=True, exist_ok=True)
        (program / "ibgateway.vmoptions").write_text("-Xmx768m\n")
        ini = folder / "config.ini"
        ini.write_text(
            f"IbLoginId=user\nIbPassword=secret\nOverrideTwsApiPort={self.api_port}\n"
            f"CommandServerPort={self.command_port}\nBindAddress=127.0.0.1\n{config}"
        )
        self.socket_path = str(folder / "s.sock")
        quick = {f"STANDIN_{name}_SECONDS": "0.02" for name in ("LOGIN", "DISCLAIMER", "RELOGIN")}
        own = {"PYTHONPATH": str(PACKAGE_ROOT), "STANDIN_JAVA": sys.executable, "STANDIN_SOCKET": self.socket_path,
               "DISPLAY": ""}  # fmt: skip
        self.process = subprocess.Popen(
            [IMAGE / "ibc" / "ibcstart.sh", *(arguments or ("10.45.1j", "-g")), f"--tws-path={folder / 'Jts'}",
             f"--ibc-path={folder / 'ibc'}", f"--ibc-ini={ini}", f"--tws-settings-path={self.settings}"],
            env={**os.environ, **quick, **own, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def line(self, text: str) -> str:
        """Wait for the next log line that contains the text."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                pytest.fail(f"no line with {text!r} in\n" + "\n".join(self.lines))
            self.lines.append(line)
            if text in line:
                return line

    def end(self) -> int:
        """Wait for the end of the loop; returns its exit code."""
        code = self.process.wait(SECONDS)
        while (line := self._queue.get(timeout=SECONDS)) is not None:
            self.lines.append(line)
        return code

    def said(self, text: str) -> int:
        """How many lines so far contain the text."""
        return sum(text in line for line in self.lines)

    def control(self, cmd: str, **more: Any) -> dict[str, Any]:
        """Use the control socket."""
        return control.call({"cmd": cmd, **more}, self.socket_path)

    def command(self, *lines: str) -> list[str]:
        """Send lines to the command server, one after the reply to the other; returns the replies until it closes."""
        with socket.create_connection(("127.0.0.1", self.command_port), timeout=SECONDS) as channel:
            replies = channel.makefile("r", newline="\n")
            seen = []
            for line in lines:
                channel.sendall(f"{line}\r\n".encode())
                seen.append(replies.readline().removesuffix("\n"))
            channel.shutdown(socket.SHUT_WR)
            return seen + [reply.removesuffix("\n") for reply in replies]

    @property
    def tokens(self) -> list[Path]:
        """The autorestart files."""
        return list(self.settings.glob("*/autorestart"))

    def stop(self) -> None:
        """End everything, however far it got."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            # With a token, or in a cold restart, IBC's script goes on after a SIGTERM.
            for token in self.tokens:
                token.unlink(missing_ok=True)
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)
        self.process.wait(0)


StartIbc = Callable[..., IbcLoop]


@pytest.fixture
def ibc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartIbc]:
    """Start IBC's loop: ``ibc(config, arguments=(), **environment)``; STANDIN_ may be left out of the names."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("ibc")

        def start(config: str = "TradingMode=paper\n", arguments: tuple[str, ...] = (), **environment: str) -> IbcLoop:
            loop = IbcLoop(folder, config, {f"STANDIN_{name}": value for name, value in environment.items()}, arguments)
            stack.callback(loop.stop)
            return loop

        yield start
