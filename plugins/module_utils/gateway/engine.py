# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the Docker Engine API: just what looking after one container takes, standard library only."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

DEFAULT_SOCKET = "/var/run/docker.sock"
REQUEST_SECONDS = 20.0
MAX_OUTPUT = 1 << 20
MAX_LINE = 1 << 16
Stream = queue.SimpleQueue["str | None"]


class EngineError(Exception):
    """The engine could not be reached, or refused what was asked; the message says what was attempted."""


class NotFoundError(EngineError):
    """The engine does not know the container or image."""


class LateError(EngineError):
    """The engine did not answer in the time that was given to it."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's unix socket."""

    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("docker", timeout=timeout)
        self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._stream.settimeout(timeout)
        self._path = path

    def connect(self) -> None:
        self._stream.connect(self._path)
        self.sock = self._stream

    def interrupt(self) -> None:
        """End the stream, so that a reader in another thread sees its end."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close for good, also after http.client let go of the socket."""
        self.close()
        self._stream.close()


class Engine:
    """The Docker engine behind a unix socket: *path*, else ``DOCKER_HOST`` (``unix://…``), else the usual place.

    Requests carry no API version, so that every engine answers in its own. Every method raises EngineError
    (NotFoundError for an unknown container or image) and is bounded by a timeout in seconds.
    """

    def __init__(self, path: str | None = None) -> None:
        host = os.environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"
        if path is None and not host.startswith("unix://"):
            raise EngineError(f"DOCKER_HOST is {host}, but only unix:// sockets are supported: unset it on this host")
        self.path = path or host.removeprefix("unix://")

    def inspect(self, container: str) -> dict[str, Any]:
        """Return the engine's description of *container* (as ``docker inspect`` prints it)."""
        return self._call("GET", f"/containers/{quote(container)}/json", f"inspect container {container}")

    def image_present(self, image: str) -> bool:
        """Whether *image* (name, digest or id) is on this host."""
        try:
            self._call("GET", f"/images/{quote(image)}/json", f"look for image {image}")
        except NotFoundError:
            return False
        return True

    def networks(self, label: str) -> list[str]:
        """Return the names of the networks that have *label* (``key=value``)."""
        query = urlencode({"filters": json.dumps({"label": [label]})})
        return sorted(network["Name"] for network in self._call("GET", f"/networks?{query}", "list the networks"))

    def start(self, container: str) -> None:
        """Start an existing container; one that runs already is left alone."""
        self._call("POST", f"/containers/{quote(container)}/start", f"start container {container}")

    def stop(self, container: str, grace: int) -> None:
        """Stop *container* by SIGTERM, and by SIGKILL after *grace* seconds."""
        self._call(
            "POST",
            f"/containers/{quote(container)}/stop?t={grace}",
            f"stop container {container}",
            grace + REQUEST_SECONDS,
        )

    def wait(self, container: str, timeout: float) -> int | None:
        """Wait until *container* does not run; return its exit code, or None when *timeout* passed first."""
        attempt = f"wait for container {container}"
        try:
            return int(self._call("POST", f"/containers/{quote(container)}/wait", attempt, timeout)["StatusCode"])
        except LateError:
            return None

    def execute(self, container: str, command: list[str], timeout: float) -> tuple[int, str]:
        """Run *command* in *container*; return its exit code and its output (at most 1 MiB).

        Raises LateError when it still runs after *timeout*; it is not killed.
        """
        attempt = f"run {command[0]} in container {container}"
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": command}
        exec_id = self._call("POST", f"/containers/{quote(container)}/exec", attempt, body=body)["Id"]
        connection, response = self._open(
            "POST", f"/exec/{exec_id}/start", attempt, timeout, {"Detach": False, "Tty": False}
        )
        output = bytearray()
        try:
            with _errors(attempt):
                for payload in _payloads(response):
                    output += payload[: MAX_OUTPUT - len(output)]
        finally:
            connection.hang_up()
        return self._call("GET", f"/exec/{exec_id}/json", attempt)["ExitCode"], output.decode("utf-8", "replace")

    def logs(self, container: str, since: str = "0", tail: int = 20000) -> list[str]:
        """Return the last log lines after *since* (epoch seconds), each with the engine's time in front."""
        attempt = f"read the log of container {container}"
        connection, response = self._open("GET", _log_path(container, since, tail=tail), attempt)
        lines = _Lines()
        try:
            with _errors(attempt):
                return [line for payload in _payloads(response) for line in lines.feed(payload)]
        finally:
            connection.hang_up()

    def kill(self, container: str) -> None:
        """End *container* by SIGKILL, at once."""
        self._call("POST", f"/containers/{quote(container)}/kill", f"kill container {container}")

    def follow(self, container: str, since: str = "0") -> contextlib.AbstractContextManager[Stream]:
        """Yield a queue that receives the log lines after *since* as they are written, and None at the log's end."""

        def lines(response: http.client.HTTPResponse) -> Iterator[str]:
            cut = _Lines()
            for payload in _payloads(response):
                yield from cut.feed(payload)

        return self._stream(_log_path(container, since, follow=1), f"follow the log of container {container}", lines)

    def starts(self, container: str) -> contextlib.AbstractContextManager[Stream]:
        """Yield a queue that receives a line whenever *container* starts, and None when the engine goes away."""
        filters = json.dumps({"container": [container], "event": ["start"]})

        def lines(response: http.client.HTTPResponse) -> Iterator[str]:
            for line in response:
                yield line.decode("utf-8", "replace").strip()

        return self._stream(f"/events?{urlencode({'filters': filters})}", f"await a start of {container}", lines)

    @contextlib.contextmanager
    def _stream(
        self, path: str, attempt: str, lines: Callable[[http.client.HTTPResponse], Iterator[str]]
    ) -> Iterator[Stream]:
        connection, response = self._open("GET", path, attempt, None)
        received: Stream = queue.SimpleQueue()

        def read() -> None:
            with contextlib.suppress(EngineError), _errors(attempt):
                for line in lines(response):
                    received.put(line)
            received.put(None)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield received
        finally:
            connection.interrupt()
            reader.join(REQUEST_SECONDS)
            connection.hang_up()

    def _call(
        self, method: str, path: str, attempt: str, timeout: float = REQUEST_SECONDS, body: dict[str, Any] | None = None
    ) -> Any:
        connection, response = self._open(method, path, attempt, timeout, body)
        try:
            with _errors(attempt):
                text = response.read(MAX_OUTPUT)
                return json.loads(text) if text else {}
        finally:
            connection.hang_up()

    def _open(
        self,
        method: str,
        path: str,
        attempt: str,
        timeout: float | None = REQUEST_SECONDS,
        body: dict[str, Any] | None = None,
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = _Connection(self.path, timeout)
        try:
            with _errors(attempt):
                try:
                    connection.connect()
                except OSError as error:
                    raise EngineError(_unreachable(self.path, error)) from error
                content = json.dumps(body) if body is not None else None
                connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
                response = connection.getresponse()
                if response.status >= 400:
                    kind = NotFoundError if response.status == 404 else EngineError
                    reason = _reason(response.read(MAX_LINE)) or f"{response.status} {response.reason}"
                    raise kind(f"cannot {attempt}: {reason}")
                return connection, response
        except BaseException:
            connection.hang_up()
            raise

    # Making and replacing

    def containers(self) -> list[dict[str, Any]]:
        """Return the descriptions of all containers of this engine, also of those that do not run."""
        listed = self._call("GET", "/containers/json?all=1", "list the containers")
        found = []
        for each in listed:
            # One that was removed meanwhile is none.
            with contextlib.suppress(NotFoundError):
                found.append(self.inspect(each["Id"]))
        return found

    def create(self, name: str, request: dict[str, Any]) -> None:
        """Make container *name* of a request as the engine documents it, and do not start it."""
        self._call("POST", f"/containers/create?{urlencode({'name': name})}", f"create container {name}", body=request)

    def rename(self, container: str, name: str) -> None:
        query = urlencode({"name": name})
        self._call("POST", f"/containers/{quote(container)}/rename?{query}", f"rename container {container} to {name}")

    def remove(self, container: str) -> None:
        """Remove a container that does not run; its anonymous volumes go with it."""
        self._call("DELETE", f"/containers/{quote(container)}?v=1", f"remove container {container}")

    def connect(self, network: str, container: str) -> None:
        """Let *container* into *network*, too."""
        attempt = f"let container {container} into network {network}"
        self._call("POST", f"/networks/{quote(network)}/connect", attempt, body={"Container": container})

    def cpus(self) -> int:
        """Return how many CPUs the host has."""
        return int(self._call("GET", "/info", "look at the engine")["NCPU"])


@contextlib.contextmanager
def _errors(attempt: str) -> Iterator[None]:
    """Turn what sockets, HTTP and JSON raise into errors of this module."""
    try:
        yield
    except TimeoutError as error:
        raise LateError(f"cannot {attempt}: the Docker engine did not answer in time") from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"cannot {attempt}: {error or type(error).__name__}") from error


def _unreachable(path: str, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"no permission to use the Docker engine at {path}: run as root (become: true)"
    return (
        f"the Docker engine is unreachable at {path} ({error.strerror or error}): is the docker service running? "
        "See systemctl status docker"
    )


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _log_path(container: str, since: str, **more: int) -> str:
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "since": since, **more}
    return f"/containers/{quote(container)}/logs?{urlencode(query)}"


def _payloads(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the payloads of the engine's multiplexed stream: 8 bytes of header (stream, 0, 0, 0, length) each."""
    while len(header := response.read(8)) == 8:
        length = int.from_bytes(header[4:], "big")
        if header[0] > 2 or header[1:4] != b"\0\0\0" or length > MAX_OUTPUT:
            raise EngineError("the engine's stream is not multiplexed (a container with a terminal?)")
        yield response.read(length)


class _Lines:
    """Cut a stream of payloads into lines; of a line without an end only the first 64 KiB are kept."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, payload: bytes) -> list[str]:
        *lines, rest = (self._rest + payload).split(b"\n")
        self._rest = rest[:MAX_LINE]
        return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
