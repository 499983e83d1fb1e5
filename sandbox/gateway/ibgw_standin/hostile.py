# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile servers: the output in place of the version frame for the faults of layer ``hello``.

Each takes at most its budget of bytes and seconds, so that a client without limits ends with the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from .wire import frame, texts

SILENCE_SECONDS = 600.0
"""How long a silent connection is held before it is closed."""

FINISH_SECONDS = 1.0
"""How long a peer that does not close is waited for."""

_HUGE = struct.pack(">I", 0x7FFFFFFF)
_CHUNK = bytes(65536)


class Channel:
    """One accepted connection: write, stay silent, close or reset."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        """Write in a separate segment."""
        self.writer.write(data)
        await self.writer.drain()

    async def silence(self, seconds: float = SILENCE_SECONDS) -> None:
        """Read without answering until the peer closes or the time is over."""

        async def discard() -> None:
            while await self.reader.read(65536):
                pass

        try:
            await asyncio.wait_for(discard(), seconds)
        except TimeoutError:
            return

    async def flood(self, chunks: Iterable[bytes], args: dict[str, Any], total: int, seconds: float = 60.0) -> None:
        """Write chunks until the budget (args ``bytes``, ``seconds``) is spent."""
        left = int(args.get("bytes", total))
        deadline = time.monotonic() + float(args.get("seconds", seconds))
        for chunk in chunks:
            if left <= 0 or time.monotonic() > deadline:
                return
            await self.write(chunk[:left])
            left -= len(chunk)

    async def finish(self) -> None:
        """Signal the end, and let the peer close; a plain close with unread input would be a reset."""
        with contextlib.suppress(OSError, RuntimeError):
            self.writer.write_eof()
            await self.silence(FINISH_SECONDS)
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Close so that the peer sees a reset."""
        linger_reset(self.writer.get_extra_info("socket"))
        self.writer.transport.abort()


def linger_reset(sock: socket.socket) -> None:
    """Make the close of a socket a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def forever(chunk: bytes) -> Iterable[bytes]:
    """Yield the same chunk without end."""
    while True:
        yield chunk


async def _closed_after_hello(channel: Channel, args: dict[str, Any]) -> None:
    return


async def _reset_after_hello(channel: Channel, args: dict[str, Any]) -> None:
    channel.reset()


async def _garbage(channel: Channel, args: dict[str, Any]) -> None:
    await channel.write(random.Random(326).randbytes(int(args.get("bytes", 4096))))
    await channel.silence()


async def _http(channel: Channel, args: dict[str, Any]) -> None:
    await channel.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


async def _huge_length(channel: Channel, args: dict[str, Any]) -> None:
    await channel.write(_HUGE)
    await channel.silence()


async def _huge_stream(channel: Channel, args: dict[str, Any]) -> None:
    await channel.write(_HUGE)
    await channel.flood(forever(_CHUNK), args, 256 << 20)


async def _zero_frames(channel: Channel, args: dict[str, Any]) -> None:
    await channel.flood(forever(bytes(4096)), args, 64 << 20)


async def _trickle(channel: Channel, args: dict[str, Any]) -> None:
    deadline = time.monotonic() + float(args.get("seconds", 120.0))
    for byte in frame(texts("225", "20261120 09:43:55 " + "Coordinated Universal Time " * 60)):
        if time.monotonic() > deadline:
            return
        await channel.write(bytes((byte,)))
        await asyncio.sleep(float(args.get("delay", 0.2)))


Behaviour = Callable[[Channel, dict[str, Any]], Awaitable[None]]

BEHAVIOURS: dict[str, Behaviour] = {
    "closed_after_hello": _closed_after_hello,
    "reset_after_hello": _reset_after_hello,
    "garbage": _garbage,
    "http": _http,
    "huge_length": _huge_length,
    "huge_stream": _huge_stream,
    "zero_frames": _zero_frames,
    "trickle": _trickle,
}
"""By name of the fault; the other faults of the layer only change the version frame."""
