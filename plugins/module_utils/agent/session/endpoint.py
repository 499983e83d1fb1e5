# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher's optional HTTP server: ``/metrics``, ``/health`` and ``/ready``, read-only, without secrets.

``http.server`` has no deadline for a whole request, and costs the watcher 3 MiB. Here each request has a deadline and a
limit in bytes, and connections beyond a maximum are closed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import typing as t
from collections.abc import Callable

# Limits: seconds for a client to send its request and read the answer, a request's bytes, concurrent clients.
SECONDS = 2.0
REQUEST_BYTES = 8192
MOST_AT_ONCE = 8
JSON_TYPE, TEXT_TYPE = "application/json", "text/plain; charset=utf-8"
_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Answer(t.NamedTuple):
    status: int
    content: str
    type: str = TEXT_TYPE


class Endpoint:
    """Serve *answers*, by path, on *address* and *port* (0: any; then see :attr:`port`)."""

    def __init__(self, address: str, port: int, answers: t.Mapping[str, Callable[[], Answer]]) -> None:
        self._address, self.port, self._answers = address, port, answers
        self._listener: socket.socket | None = None
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def open(self) -> str:
        """Listen, if not listening yet; return why that failed, empty on success."""
        if self._listener is None:
            family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
            try:
                self._listener = socket.create_server((self._address, self.port), family=family, backlog=MOST_AT_ONCE)
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else type(error).__name__
                return f"{self._address} port {self.port} cannot be listened on: {reason}"
            self.port = self._listener.getsockname()[1]
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return ""

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # This wakes a thread that waits in accept(2); close(2) does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _peer = listener.accept()
            except OSError:
                # Closed, or out of file descriptors: stop accepting; open() tries again.
                self.close()
                return
            if not self._free.acquire(blocking=False):
                client.close()
                continue
            try:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()
            except RuntimeError:  # no more threads
                client.close()
                self._free.release()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), self._one(client):
            deadline = time.monotonic() + SECONDS
            request = b""
            while b"\r\n\r\n" not in request and len(request) < REQUEST_BYTES:
                client.settimeout(max(deadline - time.monotonic(), 0.001))
                data = client.recv(REQUEST_BYTES - len(request))
                if not data:
                    return
                request += data
            reply = self._reply(request)
            client.settimeout(max(deadline - time.monotonic(), 0.001))
            client.sendall(reply)
            client.shutdown(socket.SHUT_WR)

    @contextlib.contextmanager
    def _one(self, client: socket.socket) -> t.Iterator[None]:
        try:
            yield
        finally:
            client.close()
            self._free.release()

    def _reply(self, request: bytes) -> bytes:
        words = request.partition(b"\r\n")[0].split(b" ")
        if b"\r\n\r\n" not in request or len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            answer = Answer(400, "not a request of HTTP/1\n")
        elif words[0] not in (b"GET", b"HEAD"):
            answer = Answer(405, "GET only\n")
        else:
            made = self._answers.get(words[1].decode("ascii", "replace").partition("?")[0])
            answer = made() if made else Answer(404, f"there are {', '.join(self._answers)}\n")
        content = answer.content.encode()
        head = (
            f"HTTP/1.1 {answer.status} {_WORDS[answer.status]}\r\nContent-Type: {answer.type}\r\n"
            f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + (b"" if words[0] == b"HEAD" else content)
