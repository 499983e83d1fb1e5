# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TWS API server that follows a script, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

HEALTHY_NOTICES = (
    (2104, "Market data farm connection is OK:usfarm.nj"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


def frame(*fields: object) -> bytes:
    """One framed message of the text protocol."""
    payload = b"".join((field if isinstance(field, bytes) else str(field).encode()) + b"\0" for field in fields)
    return struct.pack(">I", len(payload)) + payload


class Script:
    """A scripted API server's steps for one connection: ``send``, ``expect`` a frame, ``stay`` until the end."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(5)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise ConnectionError("the client has closed")
            data += more
        return data

    def expect(self) -> list[str]:
        (length,) = struct.unpack(">I", self.read(4))
        return self.read(length).decode().rstrip("\0").split("\0")

    def hello(self) -> str:
        assert self.read(4) == b"API\0"
        return self.expect()[0]

    def send(self, *fields: object) -> None:
        self.connection.sendall(frame(*fields))

    def greet(self, version: object = 178, when: str = "20261120 09:43:55 Eastern European Time") -> None:
        self.hello()
        self.send(version, when)

    def start(self, accounts: object = "DU1234567", next_id: object = 1, version: object = 178) -> None:
        """Everything up to the accounts and the id."""
        self.greet(version)
        assert self.expect()[0] == "71"
        self.send(15, 1, accounts)
        self.send(9, 1, next_id)

    def notice(self, code: object, text: str = "") -> None:
        self.send(4, 2, -1, code, text)

    def answer_time(self, value: object = None) -> None:
        assert self.expect() == ["49", "1"]
        self.send(49, 1, int(time.time()) if value is None else value)

    def stay(self) -> None:
        """Read until the client closes."""
        while self.connection.recv(4096):
            pass

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Behaviour = Callable[[Script], None]
Serve = Callable[[Behaviour], int]


def healthy(script: Script) -> None:
    """A ready paper gateway."""
    script.start()
    for notice in HEALTHY_NOTICES:
        script.notice(*notice)
    script.answer_time()
    script.stay()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server on a free port that treats every connection as told; returns the port."""
    listeners: list[socket.socket] = []

    def accept(listener: socket.socket, behaviour: Behaviour) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                threading.Thread(target=handle, args=(connection, behaviour), daemon=True).start()

    def handle(connection: socket.socket, behaviour: Behaviour) -> None:
        with connection, contextlib.suppress(OSError):
            behaviour(Script(connection))

    def start(behaviour: Behaviour) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, behaviour), daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def healthy_port(serve: Serve) -> int:
    return serve(healthy)


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
