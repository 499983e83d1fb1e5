# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC's command server: a line in, a line or two out, nobody asks who you are beyond your address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

END = "\r\n"


class Target(Protocol):
    """What the command server needs of IBC."""

    def log(self, message: str) -> None:
        """Write a line of IBC's log."""

    def stop(self) -> bool:
        """Begin to stop; False when that is under way."""

    def begin_restart(self, pause: bool) -> bool:
        """Begin a restart (or a pause); False when one is under way."""

    async def restart_time(self) -> str:
        """Wait until the gateway has taken the restart time over, and return it as ``hh:mm AM``."""

    def reconnect(self) -> None:
        """Drop the link to IBKR and take it up again."""


Write = Callable[[str], Awaitable[None]]


class CommandServer:
    """Listens where config.ini says; denies peers that are neither loopback nor named in ControlFrom."""

    def __init__(self, target: Target, port: int, bind: str, allowed: Sequence[str], prompt: str, info: bool) -> None:
        self._target = target
        self._port = port
        self._bind = bind or None
        self._allowed = {"127.0.0.1", "::1", *(address for name in allowed for address in addresses_of(name))}
        self._prompt = prompt
        self._info = info

    async def start(self) -> int:
        """Listen and return the port; OSError when it is taken."""
        server = await asyncio.start_server(self._serve, self._bind, self._port, family=socket.AF_INET)
        self._target.log("CommandServer started and is ready to accept commands")
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(text: str) -> None:
            writer.write((text + END).encode())
            await writer.drain()

        peer, own = writer.get_extra_info("peername")[0], writer.get_extra_info("sockname")[0]
        with contextlib.suppress(OSError, ValueError):
            if peer not in self._allowed and peer != own:
                self._target.log(f"CommandServer denied access to: {peer}")
            else:
                self._target.log(f"CommandServer accepted connection from: {peer}")
                await self._converse(reader, writer, write)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, write: Write) -> None:
        while True:
            if self._prompt:
                writer.write(self._prompt.encode())
                await writer.drain()
            line = await reader.readline()
            if not line:
                return
            command = line.decode(errors="replace").strip()
            self._target.log(f"CommandServer received command: {command}")
            if self._info:
                await write(f"INFO Command received: {command}")
            if await self._carry_out(command.upper(), write):
                return

    async def _carry_out(self, command: str, write: Write) -> bool:
        """Answer one command; True when the channel is to be closed."""
        match command:
            case "STOP":
                if not self._target.stop():
                    await write("ERROR STOP already in progress")
                    return False
                await write("OK Shutting down: STOP command")
                return True
            case "RESTART" | "PAUSE":
                if not self._target.begin_restart(command == "PAUSE"):
                    await write(f"ERROR {command} already in progress")
                    return False
                await write(f"OK {command} in progress")
                await write(f"OK {command} at {await self._target.restart_time()}")
                return True
            case "EXIT":
                await write("OK Goodbye")
                return True
            case "RECONNECTDATA" | "RECONNECTACCOUNT":
                self._target.reconnect()
                await write("OK ")
            case "ENABLEAPI":
                await write("ERROR ENABLEAPI is not valid for the IB Gateway")
            case _:
                await write("ERROR Command invalid")
        return False


def addresses_of(name: str) -> set[str]:
    """Return the addresses of a name in ControlFrom; none when it is unknown."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return set()
