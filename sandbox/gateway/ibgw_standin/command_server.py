# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC's command server: a line in, a line or two out, with no authentication beyond the peer's address.

Replies, their ends and what is logged follow CommandServer, CommandChannel and CommandDispatcher of IBC at commit
2fee90c; the prompt comes after a reply, never before the first command.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Protocol

from .settings import Settings


class Target(Protocol):
    """The part of IBC that the command server uses."""

    def log(self, message: str) -> None:
        """Write a line of IBC's log."""

    def error(self, *lines: str) -> None:
        """Write an error between its two lines of exclamation marks."""

    def stop(self) -> bool:
        """Begin to stop; False if already stopping."""

    def begin_restart(self, pause: bool) -> bool:
        """Begin a restart (or a pause); False when one is under way."""

    async def restart_time(self) -> str:
        """Ask the gateway for a restart, and return its time as ``hh:mm AM``; empty for TWS, which restarts at once."""

    async def enable_api(self) -> str:
        """Enable TWS's API, and return the reply."""

    async def reconnect(self) -> None:
        """Drop the link to IBKR and take it up again."""


class CommandServer:
    """Listen where config.ini says; refuse peers that are neither loopback nor named in ControlFrom."""

    def __init__(self, target: Target, config: Settings) -> None:
        self._target = target
        self._port = config.number("CommandServerPort") or 0
        self._bind = config.text("BindAddress")
        self._control_from = config.text("ControlFrom")
        self._prompt = config.text("CommandPrompt")
        self._info = not config.flag("SuppressInfoMessages")
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen if a port is set; one in use is only reported."""
        log = self._target.log
        if not self._port:
            log("CommandServer is not started because the port is not configured")
            return
        log(f"CommandServer is starting with port {self._port}")
        try:
            self._server = await asyncio.start_server(
                self._serve, self._bind or None, self._port, family=socket.AF_INET
            )
        except OSError:
            log("CommandServer failed to create socket")
            log("CommandServer cannot process commands")
            log("CommandServer is shutdown")
            return
        where = f"address: {self._bind} port" if self._bind else "addresses: 127.0.0.1; port"
        log(f"CommandServer listening on {where}: {self._port}")
        log("CommandServer started and is ready to accept commands")

    def close(self) -> None:
        """Accept no more connections."""
        if self._server is not None:
            self._target.log("CommandServer closing")
            self._server.close()
            self._target.log("CommandServer is shutdown")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, own = writer.get_extra_info("peername")[0], writer.get_extra_info("sockname")[0]
        log = self._target.log
        log(f"CommandServer: ControlFrom setting = {self._control_from}")
        allowed = {address for name in self._control_from.split(",") if name for address in addresses_of(name)}
        if peer in ("127.0.0.1", "::1", own) or peer in allowed:
            log(f"CommandServer accepted connection from: /{peer}")
            with contextlib.suppress(OSError, ValueError):
                await self._converse(reader, writer)
            log("Closing command channel")
        else:
            log(f"CommandServer denied access to: /{peer}")
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def reply(text: str, end: str = "\n") -> None:
            writer.write((text + end).encode())
            await writer.drain()

        if self._info:
            await reply("INFO IBC Command Server")
        while line := await reader.readline():
            command = line.decode(errors="replace").rstrip("\r\n")
            if command.strip():
                self._target.log(f"CommandServer received command: {command}")
                if await self._carry_out(command, reply):
                    return
            if self._prompt:
                await reply(self._prompt, "")

    async def _carry_out(self, command: str, reply: Reply) -> bool:
        """Answer one command; True when the channel is to be closed."""
        verb = command.upper()
        match verb:
            case "STOP":
                if not self._target.stop():
                    self._target.log("STOP already in progress")
                    await reply("ERROR STOP already in progress")
                    return True
                if self._info:
                    await reply("INFO Closing IBC")
                await reply("OK Shutting down: STOP command")
                return True
            case "RESTART" | "PAUSE":
                if not self._target.begin_restart(verb == "PAUSE"):
                    await reply(f"ERROR {verb} already in progress")
                    return True
                if self._info:
                    await reply(f"INFO {'Pausing' if verb == 'PAUSE' else 'Restarting'} TWS")
                await reply(f"OK {verb} in progress")
                if at := await self._target.restart_time():
                    await reply(f"OK {verb} at {at}")
                return True
            case "EXIT":
                await reply("OK Goodbye")
                return True
            case "RECONNECTDATA" | "RECONNECTACCOUNT":
                await self._target.reconnect()
                await reply("OK ")
            case "ENABLEAPI":
                await reply(await self._target.enable_api())
            case _:
                await reply("ERROR Command invalid")
                self._target.error(f"CommandServer: invalid command received: {command}")
        return False


class Reply(Protocol):
    """Send a reply with its terminator."""

    async def __call__(self, text: str, end: str = "\n") -> None:
        """Send it."""


def addresses_of(name: str) -> set[str]:
    """Return the addresses of a name in ControlFrom; none when it is unknown."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return set()
