# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker engine with one container, on a unix socket."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import re
import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.unit.plugins.made_images import MadeImage


class FakeEngine:
    """One container behind a unix socket that speaks the Engine API, with what the tests do to it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.exists = True
        self.id = "c0ffee"
        self.stop_grace: int | None = None
        self.name = "ibgw-paper"
        self.environment: list[str] = []
        self.status = "running"
        self.exit_code = 0
        self.labels = {"ibops.gateway.name": "paper", "ibops.gateway.revision": "r1"}
        self.images = {"image@sha256:1"}
        self.image = MadeImage()
        # The names and ids that no container has any more.
        self.gone: set[str] = set()
        self.on_described: Callable[[], None] = lambda: None
        # Name and label of each.
        self.networks: dict[str, str] = {}
        self.clock: Callable[[], float] = time.time
        self.started_at, self.finished_at = self.clock(), 0.0
        self.calls: list[str] = []
        # Of requests to create or connect: path, query, content.
        self.bodies: list[tuple[str, str, dict[str, Any]]] = []
        self.execute: Callable[[list[str]], tuple[int, bytes]] = run_here
        self.on_stop: Callable[[], None] = lambda: self.exit(143)
        self.on_start: Callable[[], None] = lambda: None
        self.closed = False
        # IBC's settings in the container, whose file in memory the image renders at each start.
        self.ini = Path(path).with_name("config.ini")
        self.password: Callable[[], str] = lambda: "secret"
        self._commands: dict[str, list[str]] = {}
        self.exit_codes: dict[str, int] = {}
        self._log: list[tuple[float, bytes]] = []
        self._changed = threading.Condition()
        self._server = _UnixServer(path, _Handler)
        self._server.engine = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def log(self, *lines: str) -> None:
        """Write lines to the container's log, now."""
        with self._changed:
            for line in lines:
                self._log.append((self.clock(), line.encode("utf-8", "surrogateescape")))
            self._changed.notify_all()

    def exit(self, code: int) -> None:
        """End the container's process."""
        with self._changed:
            self.status, self.exit_code, self.finished_at = "exited", code, self.clock()
            self._changed.notify_all()

    def start(self) -> None:
        """Start the container again: its log continues, with a new start time."""
        with self._changed:
            if self.status != "running":
                self.status, self.started_at = "running", self.clock()
                self.ini.write_text(f"IbLoginId=user\nIbPassword={self.password()}\nTradingMode=live\n")
            self._changed.notify_all()
        self.on_start()

    def starts(self) -> Iterator[bytes]:
        """A line for each start from now on, until the engine is closed."""
        seen = self.started_at
        while not self.closed:
            with self._changed:
                self._changed.wait(0.1)
                now = self.started_at
            if now != seen:
                seen = now
                yield b'{"status": "start"}'

    def close(self) -> None:
        self.closed = True
        self.exit(0)
        self._server.shutdown()
        self._server.server_close()

    # The API, called by the handler

    def description(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "State": {
                "Status": self.status,
                "ExitCode": self.exit_code,
                "StartedAt": _stamp(self.started_at),
                "FinishedAt": _stamp(self.finished_at),
            },
            "Name": f"/{self.name}",
            "Config": {
                "Image": "image@sha256:1",
                "Labels": self.labels,
                "Env": self.environment,
                "StopTimeout": self.stop_grace,
            },
            "NetworkSettings": {"Networks": {"bridge": {}}},
        }

    def forget(self, lines: int) -> None:
        """Rotate the log: its first lines are gone."""
        del self._log[:lines]

    def lines(self, tail: int, follow: bool) -> Iterator[bytes]:
        position = max(len(self._log) - tail, 0)
        while True:
            with self._changed:
                if follow and position == len(self._log) and self.status in ("running", "paused"):
                    self._changed.wait(0.5)
                new = self._log[position:]
                position = len(self._log)
                ended = not follow or (self.status not in ("running", "paused") and not new)
            for when, line in new:
                yield _stamp(when).encode() + b" " + line + b"\n"
            if ended:
                return

    def wait(self) -> int:
        with self._changed:
            while self.status in ("running", "paused"):
                self._changed.wait(0.5)
        return self.exit_code

    def create_exec(self, command: list[str]) -> str:
        name = f"exec{len(self._commands)}"
        self._commands[name] = command
        return name

    def start_exec(self, name: str) -> bytes:
        command = self._commands[name]
        if command[0] == "sed":
            self.exit_codes[name], output = run_here([*command[:-1], str(self.ini)])
        else:
            self.exit_codes[name], output = self.execute(command)
        return output


def run_here(command: list[str]) -> tuple[int, bytes]:
    """Run the command on this machine: the loopback of the tests stands for the container's."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def _stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e9):09d}Z"


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 20
    engine: FakeEngine

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing of a client that hung up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _UnixServer

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def _route(self) -> None:
        url = urlsplit(self.path)
        self.query, self.engine = parse_qs(url.query), self.server.engine
        self.body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        self.engine.calls.append(self.command + " " + (self.path if url.path.endswith("/stop") else url.path))
        for pattern, answer in _ROUTES.items():
            if found := re.fullmatch(pattern, f"{self.command} {url.path}"):
                answer(self, *found.groups())
                return
        raise AssertionError(f"the test engine has no {self.command} {self.path}")

    def do_HEAD(self) -> None:
        self._route()

    def _version(self) -> None:
        self._json(200, {"Os": "linux", "Arch": "amd64", "Version": "28.5.2"})

    def _archive(self, _name: str) -> None:
        path = self.query["path"][0]
        found = self.engine.image.stat(path)
        data = self.engine.image.archive(path) if found and self.command == "GET" else b""
        self.send_response(200 if found else 404)
        self.send_header("X-Docker-Container-Path-Stat", base64.b64encode(json.dumps(found).encode()).decode())
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _info(self) -> None:
        self._json(200, {"NCPU": 2})

    def _events(self) -> None:
        self._stream_lines(self.engine.starts())

    def _image(self, name: str) -> None:
        known = unquote(name) in self.engine.images
        self._json(200, self.engine.image.inspect()) if known else self._json(404, {"message": "No such image"})

    def _networks(self) -> None:
        [label] = json.loads(self.query["filters"][0])["label"]
        self._json(200, [{"Name": name} for name, its in self.engine.networks.items() if its == label])

    def _note(self) -> None:
        url = urlsplit(self.path)
        self.engine.bodies.append((url.path, url.query, self.body))
        self._json(201, {})

    def _containers(self) -> None:
        self._json(200, [{"Id": self.engine.name}] if self.engine.exists else [])

    def _container(self, name: str, verb: str) -> None:
        if self.engine.exists and name not in self.engine.gone:
            _CONTAINER[verb](self, name)
        else:
            self._json(404, {"message": f"No such container: {name}"})

    def _description(self, _name: str) -> None:
        self._json(200, self.engine.description())
        self.engine.on_described()

    def _logs(self, _name: str) -> None:
        self._stream(self.engine.lines(int(self.query["tail"][0]), "follow" in self.query))

    def _create_exec(self, name: str) -> None:
        if self.engine.status == "running":
            self._json(201, {"Id": self.engine.create_exec(self.body["Cmd"])})
        else:
            self._json(409, {"message": f"Container {name} is not running"})

    def _start_exec(self, name: str) -> None:
        self._stream([self.engine.start_exec(name)])

    def _exec(self, name: str) -> None:
        self._json(200, {"ExitCode": self.engine.exit_codes[name]})

    def _wait(self, _name: str) -> None:
        self._json(200, {"StatusCode": self.engine.wait()})

    def _remove(self, _name: str) -> None:
        if self.engine.status == "running":
            self._json(409, {"message": "You cannot remove a running container"})
        else:
            self.engine.exists = False
            self._json(204, None)

    def _act(self, act: Callable[[], None]) -> None:
        act()
        self._json(204, None)

    def _rename(self, _name: str) -> None:
        self.engine.name = self.query["name"][0]
        self._json(204, None)

    def _unpause(self, _name: str) -> None:
        self.engine.status = "running"
        self._json(204, None)

    def _stream_lines(self, lines: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        with contextlib.suppress(OSError):
            for line in lines:
                self.wfile.write(line + b"\n")
                self.wfile.flush()
        self.close_connection = True

    def _json(self, status: int, content: Any) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, payloads: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.end_headers()
        with contextlib.suppress(OSError):
            for payload in payloads:
                data = b"\x01\0\0\0" + struct.pack(">I", len(payload)) + payload
                self.wfile.write(data)
                self.wfile.flush()
        self.close_connection = True


_ROUTES: dict[str, Callable[..., None]] = {
    "GET /info": _Handler._info,
    "GET /version": _Handler._version,
    "(?:HEAD|GET) /containers/([^/]+)/archive": _Handler._archive,
    "GET /events": _Handler._events,
    "GET /images/(.+)/json": _Handler._image,
    "GET /networks": _Handler._networks,
    "POST /networks/[^/]+/connect|POST /containers/create": _Handler._note,
    "POST /exec/([^/]+)/start": _Handler._start_exec,
    "GET /exec/([^/]+)/json": _Handler._exec,
    "GET /containers/json": _Handler._containers,
    "(?:GET|POST|DELETE) /containers/([^/]+)/?([a-z]*)": _Handler._container,
}
_CONTAINER: dict[str, Callable[[_Handler, str], None]] = {
    "": _Handler._remove,
    "json": _Handler._description,
    "logs": _Handler._logs,
    "exec": _Handler._create_exec,
    "wait": _Handler._wait,
    "unpause": _Handler._unpause,
    "rename": _Handler._rename,
    "start": lambda handler, _name: handler._act(handler.engine.start),
    "stop": lambda handler, _name: handler._act(handler.engine.on_stop),
    "kill": lambda handler, _name: handler._act(lambda: handler.engine.exit(137)),
}


@pytest.fixture
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    engine = FakeEngine(str(tmp_path / "docker.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
    yield engine
    engine.close()


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")


@pytest.fixture
def hung_engine(tmp_path: Path) -> Iterator[str]:
    """The socket of an engine that accepts and says nothing; after 3 s it hangs up, so that a test fails in time."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "hung.sock"))
    listener.listen()
    timer = threading.Timer(3, listener.close)
    timer.start()
    yield str(tmp_path / "hung.sock")
    timer.cancel()
    listener.close()
