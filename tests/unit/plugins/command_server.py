# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC's command server."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest


class CommandServer:
    """IBC's command server on a port of the loopback: ``replies`` by command; what came is in ``received``."""

    def __init__(self, replies: dict[str, list[str]]) -> None:
        self.replies, self.received = replies, queue.SimpleQueue[str]()
        self.on_command: Callable[[str], None] = lambda _command: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                with connection, connection.makefile("rw", newline="\n") as stream:
                    command = stream.readline().strip()
                    self.received.put(command)
                    for reply in self.replies.get(command, ["ERROR Command invalid"]):
                        stream.write(reply + "\n")
                    stream.flush()
                    self.on_command(command)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def command_server() -> Iterator[CommandServer]:
    server = CommandServer(
        {
            "STOP": ["OK Shutting down: STOP command"],
            "RESTART": ["OK RESTART in progress", "OK RESTART at 10:01 PM"],
            "PAUSE": ["ERROR PAUSE already in progress"],
        }
    )
    yield server
    server.close()
