# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the plugins' tests: scripted API servers, a Docker engine that is none, a way to run a module."""

from __future__ import annotations

import contextlib
import http.server
import json
import queue
import socket
import socketserver
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args
from sandbox.client_portal import standin

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, store
from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user

HEALTHY_NOTICES = (
    (2104, "Market data farm connection is OK:usfarm.nj"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


# A scripted API


def frame(*fields: object) -> bytes:
    """One framed message of the text protocol."""
    payload = b"".join((field if isinstance(field, bytes) else str(field).encode()) + b"\0" for field in fields)
    return struct.pack(">I", len(payload)) + payload


class Script:
    """What a scripted API server does with one connection: ``send``, ``expect`` a frame, ``stay`` till the end."""

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


@pytest.fixture(autouse=True)
def no_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test makes an account on this machine, whoever has the containers' uid here."""
    monkeypatch.setattr(container_user, "reserve", lambda uid, check: [])


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


# A Docker engine that is none


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
        self._commands: dict[str, list[str]] = {}
        self._exit_codes: dict[str, int] = {}
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
        """Start the container anew: its log goes on, its time of start is another."""
        with self._changed:
            if self.status != "running":
                self.status, self.started_at = "running", self.clock()
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
        self._exit_codes[name], output = self.execute(self._commands[name])
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
        """A client that left in the middle is no news."""


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
        engine = self.server.engine
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        url = urlsplit(self.path)
        kind, name, *verb = [*url.path.split("/"), ""][1:] if url.path.count("/") == 1 else url.path.split("/")[1:]
        action = verb[-1] if verb else ""
        engine.calls.append(f"{self.command} {url.path}" + (f"?{url.query}" if action == "stop" else ""))
        if kind == "images":
            name = "/".join([name, *verb[:-1]]).replace("%40", "@").replace("%3A", ":")
            self._json(200, {}) if name in engine.images else self._json(404, {"message": "No such image"})
        elif kind == "networks" and action != "connect":
            [label] = json.loads(parse_qs(url.query)["filters"][0])["label"]
            self._json(200, [{"Name": name} for name, its in engine.networks.items() if its == label])
        elif kind == "exec":
            if action == "start":
                self._stream([engine.start_exec(name)])
            else:
                self._json(200, {"ExitCode": engine._exit_codes[name]})
        elif kind == "info":
            self._json(200, {"NCPU": 2})
        elif name == "create" or action == "connect":
            engine.bodies.append((url.path, url.query, body))
            self._json(201, {})
        elif kind == "containers" and name == "json":
            self._json(200, [{"Id": engine.name}] if engine.exists else [])
        elif kind != "events" and not engine.exists:
            self._json(404, {"message": f"No such container: {name}"})
        elif action == "json":
            self._json(200, engine.description())
        elif action == "logs":
            query = parse_qs(url.query)
            self._stream(engine.lines(int(query["tail"][0]), "follow" in query))
        elif action == "exec":
            if engine.status != "running":
                self._json(409, {"message": f"Container {name} is not running"})
            else:
                self._json(201, {"Id": engine.create_exec(body["Cmd"])})
        elif action == "wait":
            self._json(200, {"StatusCode": engine.wait()})
        elif kind == "events":
            self._stream_lines(engine.starts())
        elif action == "unpause":
            engine.status = "running"
            self._json(204, None)
        elif action == "rename":
            engine.name = parse_qs(url.query)["name"][0]
            self._json(204, None)
        elif self.command == "DELETE":
            if engine.status == "running":
                self._json(409, {"message": "You cannot remove a running container"})
            else:
                engine.exists = False
                self._json(204, None)
        elif action == "start":
            engine.start()
            self._json(204, None)
        elif action == "kill":
            engine.exit(137)
            self._json(204, None)
        elif action == "stop":
            engine.on_stop()
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


@pytest.fixture
def fake_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    engine = FakeEngine(str(tmp_path / "docker.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
    yield engine
    engine.close()


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")


# A deployed gateway


Deploy = Callable[..., descriptor.Descriptor]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Write the descriptor of a gateway (default: paper) and return it as loaded."""
    monkeypatch.setattr(descriptor, "ROOT", str(tmp_path / "etc"))
    monkeypatch.setattr(store, "ROOT", str(tmp_path / "var"))

    def write(**changes: Any) -> descriptor.Descriptor:
        content = {
            "schema": 1,
            "name": "paper",
            "mode": "paper",
            "container": "ibgw-paper",
            "image": "image@sha256:1",
            "host": "127.0.0.1",
            "port": 4002,
            "client_id": 917,
            "accounts": [],
            "time_zone": "America/New_York",
            "command_port": 7462,
            "settings_dir": str(tmp_path),
            "revision": "r1",
            **changes,
        }
        folder = tmp_path / "etc" / content["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gateway.json").write_text(json.dumps(content))
        return descriptor.load(content["name"])

    return write


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
                with connection, connection.makefile("rw", newline="\r\n") as stream:
                    command = stream.readline().strip()
                    self.received.put(command)
                    for reply in self.replies.get(command, ["ERROR Command invalid"]):
                        stream.write(reply + "\r\n")
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


# Modules

RunModule = Callable[..., dict[str, Any]]


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Run a module's main with arguments and return what it printed, `failed` and `changed` included."""

    def run(main: Callable[[], None], *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        if check:
            arguments["_ansible_check_mode"] = True
        with patch_module_args(arguments), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


# A Client Portal Gateway


@pytest.fixture(scope="session")
def portal_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return standin.make_certificate(str(tmp_path_factory.mktemp("portal")))


@pytest.fixture
def portal_state() -> standin.State:
    state = standin.State()
    state.sign_in()
    return state


@pytest.fixture
def portal_port(portal_state: standin.State, portal_certificate: str) -> Iterator[int]:
    with standin.running(portal_state, portal_certificate) as port:
        yield port
