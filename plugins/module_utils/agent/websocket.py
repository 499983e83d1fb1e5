# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A minimal RFC 6455 client: the handshake, what the server says, and short answers to it."""

from __future__ import annotations

import base64
import collections.abc as c
import hashlib
import os
import socket
import typing as t

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_BYTES = 2**20
# Of a frame whose length stands in its second byte.
_MAX_SHORT = 125
# Of the answer to the upgrade, its headers included.
_MAX_HEAD = 1 << 16
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10


class WebsocketError(Exception):
    """The peer violated the protocol."""


def messages(
    connection: socket.socket,
    host: str,
    path: str,
    headers: c.Mapping[str, str],
    on_frame: c.Callable[[], None] = lambda: None,
) -> c.Iterator[bytes]:
    """Ask for a websocket on *connection* (which has a timeout) and yield each message until the other end closes.

    *on_frame* is called after each frame, of a message or not.
    """
    key = base64.b64encode(os.urandom(16))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key.decode()}", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    with connection.makefile("rb") as stream:
        _expect_upgrade(stream, key)
        message = b""
        while True:
            final, kind, payload = _frame(stream)
            on_frame()
            if kind == _CLOSE:
                return
            if kind == _PING:
                connection.sendall(_masked(_PONG, payload))
            elif kind in (_CONTINUATION, _TEXT, _BINARY):
                message += payload
                if len(message) > _MAX_BYTES:
                    raise WebsocketError("it sends a message without end")
                if final:
                    yield message
                    message = b""


def send_text(connection: socket.socket, text: str) -> None:
    """Send a short message; what is beyond 125 bytes is an error."""
    data = text.encode()
    if len(data) > _MAX_SHORT:
        raise ValueError("too long for one short frame")
    connection.sendall(_masked(_TEXT, data))


def say_goodbye(connection: socket.socket) -> None:
    connection.sendall(_masked(_CLOSE, (1000).to_bytes(2, "big")))


def accept_of(key: bytes) -> bytes:
    """Return the accept value for a client's key."""
    return base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())


def _expect_upgrade(stream: t.BinaryIO, key: bytes) -> None:
    status, accepted, left = b"", b"", _MAX_HEAD
    while (line := stream.readline(left)).strip():
        left -= len(line)
        if left <= 0:
            raise WebsocketError("it sends headers without end")
        status = status or line.strip()
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"sec-websocket-accept":
            accepted = value.strip()
    if status.split()[1:2] != [b"101"]:
        raise WebsocketError(f"it answers {status[:80].decode('ascii', 'replace')!a} in place of a websocket")
    if accepted != accept_of(key):
        raise WebsocketError("it does not prove that it speaks the websocket protocol")


def _frame(stream: t.BinaryIO) -> tuple[bool, int, bytes]:
    first, second = _read(stream, 2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(_read(stream, 2), "big")
    elif length == 127:
        length = int.from_bytes(_read(stream, 8), "big")
    if second & 0x80 or length > _MAX_BYTES:
        raise WebsocketError("it sends frames that no server may send")
    return bool(first & 0x80), first & 0x0F, _read(stream, length)


def _read(stream: t.BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise WebsocketError("it closes the connection")
    return data


def _masked(kind: int, payload: bytes) -> bytes:
    """A short frame of a client (RFC 6455, 5.3): masked, at most 125 bytes."""
    mask = os.urandom(4)
    body = bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload[:_MAX_SHORT]))
    return bytes([0x80 | kind, 0x80 | len(body)]) + mask + body
