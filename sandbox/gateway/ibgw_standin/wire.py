# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames, the hello, and the three forms of a TWS API message by negotiated version.

================  =====================================================================
version           payload of a frame
================  =====================================================================
up to 200         NUL-terminated texts, the first one is the message id
from 201          the id as 4 bytes big-endian, then the remaining texts
from its gate     the id + 200 as 4 bytes big-endian, then a protobuf message
================  =====================================================================
"""

from __future__ import annotations

import asyncio
import re
import struct
from typing import NamedTuple

from . import protobuf

MAGIC = b"API\0"
MAX_FRAME = 0xFFFFFF
"""Longest payload that the clients accept (ibapi's MAX_MSG_LEN)."""

RAW_ID_VERSION = 201
PROTOBUF_OFFSET = 200
OLDEST_VERSION, NEWEST_VERSION = 157, 225

Text = str | int | float | bool | bytes | None

_LENGTH = struct.Struct(">I")
_HELLO = re.compile(rb"v(\d{1,6})(?:\.\.(\d{1,6}))?(?: (.*))?", re.DOTALL)


class WireError(ValueError):
    """The peer sent something other than the TWS API."""


class Hello(NamedTuple):
    """A client's offer: the lowest and highest version that it speaks, and its connect options."""

    low: int
    high: int
    options: str = ""


class Message(NamedTuple):
    """A message from the server in both of its forms; the version picks one."""

    id: int
    text: tuple[Text, ...] = ()
    proto: tuple[tuple[int, protobuf.Value], ...] = ()


class Incoming(NamedTuple):
    """A message from a client: texts after the id, or the fields of a protobuf message."""

    id: int
    text: tuple[str, ...] = ()
    proto: dict[int, list[int | float | bytes]] | None = None


# First version in which the *server* writes the message as protobuf.
GATES: dict[int, int] = {
    gate_id: version
    for version, ids in {
        201: (4, 11, 55),
        203: (3, 5),
        204: (53, 101, 102),
        205: (10, 18, 52),
        206: (1, 2, 12, 13, 45, 46, 57, 58),
        207: (6, 7, 8, 15, 54, 61, 62, 63, 64, 71, 72, 73, 74),
        208: (17, 90, 108),
        213: (9, 49, 109),
        219: (110,),
        221: (111,),
    }.items()
    for gate_id in ids
}


def frame(payload: bytes) -> bytes:
    """Put the length in front of a payload."""
    return _LENGTH.pack(len(payload)) + payload


def _text(value: Text) -> bytes:
    if value is None:
        return b"\0"
    if isinstance(value, bytes):
        return value + b"\0"
    if isinstance(value, bool):
        value = int(value)
    return str(value).encode() + b"\0"


def texts(*values: Text) -> bytes:
    """Terminate each value by NUL; None is the empty text, booleans are 1 and 0."""
    return b"".join(map(_text, values))


def split_texts(payload: bytes) -> tuple[str, ...]:
    """Return the NUL-terminated texts of a payload; bytes that are not UTF-8 are replaced."""
    return tuple(payload.removesuffix(b"\0").decode(errors="replace").split("\0"))


def encode(version: int, message: Message) -> bytes:
    """Return the payload of a server message at the negotiated version."""
    if version >= GATES.get(message.id, NEWEST_VERSION + 1):
        return _LENGTH.pack(message.id + PROTOBUF_OFFSET) + protobuf.encode(message.proto)
    if version >= RAW_ID_VERSION:
        return _LENGTH.pack(message.id) + texts(*message.text)
    return texts(message.id, *message.text)


def decode(version: int, payload: bytes) -> Incoming:
    """Decode a client message at the negotiated version; :class:`WireError` if it is invalid."""
    if version >= RAW_ID_VERSION:
        if len(payload) < 4:
            raise WireError("a frame is too short for a message id")
        (number,) = _LENGTH.unpack_from(payload)
        body = payload[4:]
        if number <= PROTOBUF_OFFSET:
            return Incoming(number, split_texts(body) if body else ())
        try:
            return Incoming(number - PROTOBUF_OFFSET, proto=protobuf.decode(body))
        except protobuf.DecodeError as error:
            raise WireError(f"message {number - PROTOBUF_OFFSET}: {error}") from error
    first, *rest = split_texts(payload)
    if not (first.isascii() and first.isdigit() and len(first) < 7):
        raise WireError(f"message id {first[:20]!r} is no number")
    return Incoming(int(first), tuple(rest))


def parse_hello(payload: bytes) -> Hello:
    """Parse ``v157..178``, ``v176`` or either with options after a blank."""
    found = _HELLO.fullmatch(payload)
    if found is None:
        raise WireError(f"the hello {payload[:40]!r} is not of the form v<lowest>..<highest>")
    low, high, options = found.groups()
    return Hello(int(low), int(high or low), (options or b"").decode(errors="replace"))


def negotiate(server_max: int, hello: Hello) -> int | None:
    """Return the version both sides will speak, or None when the client's lowest is above it."""
    version = min(server_max, hello.high)
    return version if version >= hello.low else None


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read one payload; :class:`WireError` when it is empty or longer than a client may send."""
    (size,) = _LENGTH.unpack(await reader.readexactly(4))
    if not 0 < size <= MAX_FRAME:
        raise WireError(f"a frame of {size} bytes")
    return await reader.readexactly(size)
