# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP exchange with one deadline for all of it and a limit on the bytes read; streams whose peer has to get on.

A socket's own time-out counts from byte to byte, and name resolution has none: a peer that sends a byte a second, or a
dead name server, would block the caller without end.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing import Self

MAX_BYTES = 1 << 20
# Where Debian has each CA by its hash, beside the file with all of them.
TRUSTED = "/etc/ssl/certs"
Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result], hang_up: Callable[[], None] = lambda: None) -> Result:
    """Return the result of *work*, or raise what it raises; TimeoutError once *seconds* have passed.

    *work* runs in a daemon thread. When it is late, *hang_up* is called to make it end.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        hang_up()
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return results[0]


def trusting() -> ssl.SSLContext:
    """Trust the host's CAs, or those that OpenSSL's variables name.

    Of Debian's, only those are loaded that a server shows; all of them would take 1.5 MiB.
    """
    named = {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
    by_hash = not named and os.path.exists(os.path.join(TRUSTED, "ca-certificates.crt"))
    return ssl.create_default_context(capath=TRUSTED if by_hash else None)


def request(
    method: str,
    url: str,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """Make one request and return the status and the body; redirects are not followed.

    Raises OSError (TimeoutError after *seconds*, name resolution included; also for an answer of more than 1 MiB) and
    http.client.HTTPException for an answer that is not HTTP.
    """
    parts = urllib.parse.urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=seconds, context=context or trusting())
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)

    # http.client drops the socket before the answer is read.
    streams: list[socket.socket] = []

    def exchange() -> tuple[int, bytes]:
        try:
            connection.connect()
            streams.append(connection.sock)
            target = parts.path or "/"
            connection.request(method, f"{target}?{parts.query}" if parts.query else target, body, dict(headers or {}))
            reply = connection.getresponse()
            content = reply.read(MAX_BYTES + 1)
        finally:
            connection.close()
        if len(content) > MAX_BYTES:
            raise OSError(f"the answer has more than {MAX_BYTES} bytes")
        return reply.status, content

    def hang_up() -> None:
        # During a TLS handshake the connection still has it.
        for stream in filter(None, [connection.sock, *streams]):
            shut(stream)

    return within(seconds, exchange, hang_up)


def shut(stream: socket.socket) -> None:
    """End *stream* under a thread that reads from it, which then sees its end."""
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)


class Patience:
    """While it is entered, *stream* ends once *seconds* pass without :meth:`renew`.

    For a stream that may last: its peer has to get to the end of something, a line or a frame, each time.
    """

    def __init__(self, stream: socket.socket, seconds: float) -> None:
        self._stream, self._seconds = stream, seconds
        self._timer = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.cancel()

    def renew(self) -> None:
        """Give it the whole time again."""
        self._timer.cancel()
        self._timer = self._started()

    def _started(self) -> threading.Timer:
        timer = threading.Timer(self._seconds, shut, [self._stream])
        timer.daemon = True
        timer.start()
        return timer
