# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: one JSON object per line in, one out.

The server side dispatches to functions by the name in ``cmd``; :func:`call` is the client side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Reply = dict[str, Any]
Command = Callable[[Mapping[str, Any]], Reply]

DEFAULT_SOCKET = "/tmp/standin.sock"


class ControlError(RuntimeError):
    """The stand-in refused a command or is not there."""


def _leave_out_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report as asyncio does, but for connections that the program's end cuts off: Python 3.11.7 takes them for faults,
    and the console has no such lines."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


class ControlServer:
    """Answer commands on a unix socket that only its owner may use."""

    def __init__(self, path: str, commands: Mapping[str, Command]) -> None:
        self.path = path
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind the socket, replacing one left by a dead process."""
        Path(self.path).unlink(missing_ok=True)
        asyncio.get_running_loop().set_exception_handler(_leave_out_cancelled)
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        os.chmod(self.path, 0o600)

    def close(self) -> None:
        """Remove the socket."""
        if self._server is not None:
            self._server.close()
            Path(self.path).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                writer.write(json.dumps(self.reply(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def reply(self, line: bytes) -> Reply:
        """Carry out one command; a fault is returned as ``error``."""
        try:
            request = json.loads(line)
            command = self._commands[request["cmd"]]
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": f'want {{"cmd": NAME, …}} with one of: {", ".join(self._commands)}'}
        try:
            return {"ok": True} | command(request)
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": str(error)}


def call(request: Mapping[str, Any], path: str, patience: float = 5.0) -> Reply:
    """Send one command and return the reply; waits up to *patience* seconds for a restarting stand-in."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(patience)
                sock.connect(path)
                sock.sendall(json.dumps(dict(request)).encode() + b"\n")
                reply: Reply = json.loads(sock.makefile("rb").readline() or b"null") or {}
            if reply:
                return reply
            raise ConnectionResetError("the stand-in ended before it answered")
        except OSError as error:
            if time.monotonic() > deadline:
                raise ControlError(f"no answer from the stand-in at {path}: {error}") from error
            time.sleep(0.01)
