# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import ssl
import subprocess
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.access.authority import SERVER, Authority

from ansible_collections.ibops.gateway.plugins.module_utils.agent import bounded_http

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class Peer:
    """A server that says *pieces* to each client, *pause* seconds apart, until the client or the test has gone."""

    def __init__(self, pieces: t.Iterable[bytes], pause: float) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.gone, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, args=(pieces, pause), daemon=True).start()

    def _serve(self, pieces: t.Iterable[bytes], pause: float) -> None:
        with contextlib.suppress(OSError):
            connection, _address = self.listener.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                    if self.over.wait(pause):
                        break
        self.gone.set()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(pieces: t.Iterable[bytes], pause: float = 0.0) -> Peer:
        made.append(Peer(pieces, pause))
        return made[-1]

    yield make
    for each in made:
        each.over.set()
        each.listener.close()


def test_a_short_answer(peer: Callable[..., Peer]) -> None:
    assert bounded_http.request("GET", peer([HEAD + b"\r\nfine"]).url, 5) == (200, b"fine")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(lambda: itertools.chain([HEAD, b"\r\n"], itertools.repeat(b"x")), id="body"),
        pytest.param(lambda: itertools.chain([HEAD], itertools.repeat(b"X-More: 1\r\n")), id="headers"),
        pytest.param(lambda: itertools.repeat(b"H"), id="status line"),
        pytest.param(lambda: itertools.repeat(b""), id="silence"),
    ],
)
def test_one_deadline_for_a_peer_that_drips(peer: Callable[..., Peer], pieces: Callable[[], t.Iterable[bytes]]) -> None:
    there, begin = peer(pieces(), 0.05), time.monotonic()
    with pytest.raises((TimeoutError, http.client.HTTPException)):
        bounded_http.request("GET", there.url, 0.4)
    assert time.monotonic() - begin < 3


def test_a_late_exchange_hangs_up(peer: Callable[..., Peer]) -> None:
    there = peer(itertools.chain([HEAD, b"\r\n"], itertools.repeat(b"x")), 0.02)
    with pytest.raises(TimeoutError):
        bounded_http.request("GET", there.url, 0.2)
    assert there.gone.wait(5)


def test_an_answer_without_end_is_no_answer(peer: Callable[..., Peer]) -> None:
    with pytest.raises(OSError, match="more than 1048576 bytes"):
        bounded_http.request("GET", peer(itertools.chain([HEAD, b"\r\n"], itertools.repeat(b"x" * 65536))).url, 20)


def test_name_resolution_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_options: over.wait(30))
    with pytest.raises(TimeoutError):
        bounded_http.request("GET", "http://somewhere.invalid/", 0.2)
    over.set()


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(KeyError, match="cause"):
        bounded_http.within(5, lambda: {}["cause"])


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a server of a CA whose certificate is in a folder of its own, as on Debian."""
    Authority().issue(tmp_path, "localhost", SERVER, kind="server")
    (tmp_path / "trusted").mkdir()
    (tmp_path / "ca.crt").rename(tmp_path / "trusted/own.crt")
    (tmp_path / "trusted/ca-certificates.crt").touch()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _address = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(65536)
                    secured.sendall(HEAD + b"\r\nfine")

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}/"


@pytest.mark.programs
@pytest.mark.parametrize("trusted", [True, False])
def test_a_ca_is_loaded_when_a_server_shows_it(
    trusted: bool, secure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "TRUSTED", str(tmp_path / "trusted"))
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if trusted:
        subprocess.run(["openssl", "rehash", tmp_path / "trusted"], check=True, capture_output=True)
    assert bounded_http.trusting().cert_store_stats()["x509"] == 0
    with contextlib.nullcontext() if trusted else pytest.raises(ssl.SSLCertVerificationError):
        assert bounded_http.request("GET", secure, 5) == (200, b"fine")


def test_elsewhere_the_default_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bounded_http, "TRUSTED", str(tmp_path))
    default = ssl.create_default_context().cert_store_stats()
    assert bounded_http.trusting().cert_store_stats() == default
