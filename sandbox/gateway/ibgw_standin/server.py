# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWS API port: opens and closes with the gateway's state, tracks clients, and notifies them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from typing import Any

from . import messages
from .gateway import MAX_CLIENTS, Faults, Gateway
from .hostile import SILENCE_SECONDS, Channel, linger_reset
from .protobuf import DecodeError
from .session import LINK_DATA_LOST, LINK_LOST, LINK_RESTORED, Session, farm_notice, port_reset
from .wire import WireError

_LINK_FAULTS = ("link_down", "link_lost")
_FARM_FAULTS = ("farm_broken", "hmds_broken", "secdef_broken")


class ApiServer:
    """Serve a gateway's API on one address. Port 0 takes a free one, which stays reserved while closed."""

    def __init__(self, gateway: Gateway, host: str = "127.0.0.1", port: int = 0) -> None:
        self.gateway = gateway
        self.host = host
        self._socket = self._reserve(port)
        self.port: int = self._socket.getsockname()[1]
        self._open = False
        self._sessions: set[Session] = set()
        self._clients: dict[int, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._repeat: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        gateway.on_change.append(self._changed)
        self._follow_state()

    def _reserve(self, port: int) -> socket.socket:
        """Bind without listening: connections are refused, and nobody else gets the port."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY on these
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((self.host, port))
        return sock

    @property
    def clients(self) -> list[int]:
        """The client ids in use."""
        return sorted(self._clients)

    def claim(self, session: Session, client_id: int) -> bool:
        """Give a client id to a session; False when another one has it."""
        return self._clients.setdefault(client_id, session) is session

    async def thawed(self) -> None:
        """Wait while the API is frozen."""
        while self.gateway.fault("hung_api") is not None:
            await self._moved.wait()

    def tell(self, session: Session, notice: tuple[int, str]) -> None:
        """Send a notice to one session, unless it is over."""
        if session in self._sessions:
            self._spawn(session.notify(*notice))

    def broadcast(self, notice: tuple[int, str]) -> None:
        """Send a notice to every session that has started."""
        for session in self._sessions:
            if session.started:
                self.tell(session, notice)

    def drop_sessions(self, after: float = 0.0) -> None:
        """Close the present connections, as the end of the gateway's process does."""
        for session in self._sessions:
            if after:
                asyncio.get_running_loop().call_later(after, session.channel.writer.close)
            else:
                session.channel.writer.close()

    def close(self) -> None:
        """Close the port and all connections for good."""
        self._stop_listening()
        self._socket.close()
        self.drop_sessions()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            with contextlib.suppress(OSError):
                await work

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _follow_state(self) -> None:
        wanted = self.gateway.listening
        if wanted and not self._open:
            self._open = True
            self._socket.listen(50)
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept)
        elif self._open and not wanted:
            self._stop_listening()
            self._socket.close()
            self._socket = self._reserve(self.port)
            self.drop_sessions()

    def _stop_listening(self) -> None:
        if self._open:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._open = False

    def _changed(self, before: Faults, after: Faults) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
        self._follow_state()
        for name in _FARM_FAULTS:
            if (name in before) != (name in after):
                self.broadcast(farm_notice(name, after.get(name)))
        link_before, link_after = (any(name in table for name in _LINK_FAULTS) for table in (before, after))
        if link_after and not link_before:
            self._repeat = asyncio.get_running_loop().create_task(self._repeat_lost(after))
        elif link_before and not link_after:
            if self._repeat is not None:
                self._repeat.cancel()
            restored = after.get("link_restored", {})
            self.broadcast(LINK_DATA_LOST if restored.get("data_lost") else LINK_RESTORED)
        if "port_reset" in after and "port_reset" not in before:
            self.broadcast(port_reset(after["port_reset"]))
            self.drop_sessions(after=0.05)
        if after.get("competing_session", {}).get("announce") and "competing_session" not in before:
            self.broadcast((10197, messages.COMPETING_TEXT))

    async def _repeat_lost(self, active: Faults) -> None:
        args = next(active[name] for name in _LINK_FAULTS if name in active)
        while True:
            self.broadcast(LINK_LOST)
            await asyncio.sleep(float(args.get("repeat", 5.0)))

    def _accept(self) -> None:
        try:
            sock, _ = self._socket.accept()
        except OSError:
            return
        self.gateway.connections += 1
        fault = self.gateway.first("accept")
        if fault == "reset_on_accept":
            linger_reset(sock)
            sock.close()
            return
        sock.setblocking(False)
        self._spawn(self._serve(sock, self.gateway.connections))

    async def _serve(self, sock: socket.socket, number: int) -> None:
        channel = Channel(*await asyncio.open_connection(sock=sock))
        refused = self.gateway.first("accept") in ("closed_on_accept", "too_many_clients")
        if refused or len(self._sessions) >= MAX_CLIENTS:
            return await channel.finish()
        session = Session(self, channel, number)
        self._sessions.add(session)
        try:
            if self.gateway.fault("silent") is not None:
                await channel.silence(SILENCE_SECONDS)
                return
            await self.thawed()
            await session.serve()
        except (OSError, asyncio.IncompleteReadError, WireError, DecodeError) as error:
            if not isinstance(error, asyncio.IncompleteReadError):
                self.gateway.record(number, session.client_id, "error", text=str(error))
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                channel.writer.write_eof()  # before the client id is free again, so that a polite client finds it free
            self._sessions.discard(session)
            if session.client_id is not None and self._clients.get(session.client_id) is session:
                del self._clients[session.client_id]
            await channel.finish()
