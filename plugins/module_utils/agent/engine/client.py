# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the Docker Engine API: just enough to look after one container, standard library only."""

from __future__ import annotations

import base64
import contextlib
import errno
import http.client
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from ..text import printable

DEFAULT_SOCKET = "/var/run/docker.sock"
REQUEST_SECONDS = 20.0
# Seconds for each request of a look, which makes several and takes 20 s at most.
LOOK_SECONDS = 4.0
MAX_ANSWER = 1 << 20
# A stream is passed on in blocks of whole lines: their maximum size, and how many wait for the reader.
BLOCK_BYTES = 1 << 18
MAX_BLOCKS = 8
# A reader pauses this long after a small block, so that a flood arrives in large ones.
REST_SECONDS = 0.01
Stream = queue.Queue["bytes | None"]


class EngineError(Exception):
    """The engine could not be reached or refused the request; the message says what was attempted."""


class NotFoundError(EngineError):
    """The engine does not know the container or image."""


class LateError(EngineError):
    """The engine did not answer in time."""


class TooLongError(EngineError):
    """The answer exceeds its limit in bytes."""


class Deadline:
    """The end of an exchange, from connecting to the last byte: *seconds* from now, until it is lifted."""

    def __init__(self, seconds: float) -> None:
        self._end: float | None = time.monotonic() + seconds

    def lift(self) -> None:
        """Let the exchange go on without end."""
        self._end = None

    def left(self) -> float | None:
        """Return the seconds left, None once it is lifted; TimeoutError once it has passed."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Bounded(socket.socket):
    """A socket on which every wait ends at the exchange's deadline, and that reads *most* bytes (None: no limit)."""

    def __init__(self, deadline: Deadline, most: int | None) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self._deadline, self._most = deadline, most

    def connect(self, address: Any) -> None:
        self.settimeout(self._deadline.left())
        super().connect(address)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(self._deadline.left())
        super().sendall(data, flags)

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self._deadline.left())
        count = super().recv_into(*arguments)
        if self._most is not None:
            self._most -= count
            if self._most < 0:
                raise TooLongError
        return count


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's unix socket; version 1.0, in which a stream is not chunked."""

    _http_vsn, _http_vsn_str = 10, "HTTP/1.0"

    def __init__(self, path: str, deadline: Deadline, most: int | None) -> None:
        super().__init__("docker")
        self._stream = _Bounded(deadline, most)
        self._path = path

    def connect(self) -> None:
        self._stream.connect(self._path)
        self.sock = self._stream

    def interrupt(self) -> None:
        """End the stream, so that a reader in another thread sees its end."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close for good, also after http.client has dropped the socket."""
        self.close()
        self._stream.close()


class Engine:
    """The Docker engine behind a unix socket: *path*, else ``DOCKER_HOST`` (``unix://…``), else the usual place.

    Requests carry no API version, so that every engine answers in its own. Every method raises EngineError
    (NotFoundError for an unknown container or image, LateError, TooLongError) and is bounded as a whole, in seconds and
    in bytes; a stream is bounded until it begins.
    """

    def __init__(self, path: str | None = None) -> None:
        host = os.environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"
        if path is None and not host.startswith("unix://"):
            raise EngineError(f"DOCKER_HOST is {host}, but only unix:// sockets are supported: unset it on this host")
        self.path = path or host.removeprefix("unix://")

    def inspect(self, container: str) -> dict[str, Any]:
        """Return the engine's description of *container* (as ``docker inspect`` prints it)."""
        path, attempt = f"/containers/{quote(container)}/json", f"inspect container {container}"
        return self._call("GET", path, attempt, LOOK_SECONDS)

    def image(self, image: str) -> dict[str, Any]:
        """Return the engine's description of *image* (name, digest or id), as ``docker image inspect`` prints it."""
        found: dict[str, Any] = self._call("GET", f"/images/{quote(image)}/json", f"look for image {image}")
        return found

    def image_present(self, image: str) -> bool:
        """Whether *image* (name, digest or id) is on this host."""
        try:
            self.image(image)
        except NotFoundError:
            return False
        return True

    def networks(self, label: str) -> list[str]:
        """Return the names of the networks that have *label* (``key=value``)."""
        query = urlencode({"filters": json.dumps({"label": [label]})})
        return sorted(network["Name"] for network in self._call("GET", f"/networks?{query}", "list the networks"))

    def start(self, container: str) -> None:
        """Start an existing container; a running one is left alone."""
        self._call("POST", f"/containers/{quote(container)}/start", f"start container {container}")

    def stop(self, container: str, grace: int, timeout: float) -> None:
        """Stop *container* by SIGTERM, and by SIGKILL after *grace* seconds; LateError after *timeout*."""
        path = f"/containers/{quote(container)}/stop?t={grace}"
        self._call("POST", path, f"stop container {container}", timeout)

    def unpause(self, container: str) -> None:
        """Resume the processes of a paused container."""
        self._call("POST", f"/containers/{quote(container)}/unpause", f"unpause container {container}")

    def wait(self, container: str, timeout: float) -> int | None:
        """Wait until *container* has stopped; return its exit code, or None after *timeout*."""
        attempt = f"wait for container {container}"
        try:
            return int(self._call("POST", f"/containers/{quote(container)}/wait", attempt, timeout)["StatusCode"])
        except LateError:
            return None

    def execute(self, container: str, command: list[str], timeout: float, most: int = MAX_ANSWER) -> tuple[int, str]:
        """Run *command* in *container*; return its exit code and its output.

        Raises LateError when it still runs after *timeout*, TooLongError for more than *most* bytes; it is not killed.
        """
        attempt, deadline = f"run {command[0]} in container {container}", Deadline(timeout)
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": command}
        exec_id = self._call("POST", f"/containers/{quote(container)}/exec", attempt, deadline, body=body)["Id"]
        connection, response = self._open(
            "POST", f"/exec/{exec_id}/start", attempt, deadline, {"Detach": False, "Tty": False}, most
        )
        try:
            with _errors(attempt):
                output = b"".join(_payloads(response))
        finally:
            connection.hang_up()
        code = self._call("GET", f"/exec/{exec_id}/json", attempt, deadline)["ExitCode"]
        if code is None:
            raise LateError(f"cannot {attempt}: it has closed its output and still runs")
        return code, output.decode("utf-8", "replace")

    def last_line(self, container: str) -> bytes:
        """Return the last line of the log as :meth:`follow` brings it; empty where there is none."""
        attempt = f"read the log of container {container}"
        connection, response = self._open("GET", _log_path(container, tail=1), attempt, LOOK_SECONDS)
        try:
            with _errors(attempt):
                return response.read()
        finally:
            connection.hang_up()

    def logs(self, container: str, count: int, most: int) -> str:
        """Return the last *count* lines of the log, each with its time, as ``docker logs`` prints them."""
        attempt = f"read the log of container {container}"
        connection, response = self._open("GET", _log_path(container, tail=count), attempt, LOOK_SECONDS, most=most)
        try:
            with _errors(attempt):
                return b"".join(_payloads(response)).decode("utf-8", "replace")
        finally:
            connection.hang_up()

    def kill(self, container: str) -> None:
        """End *container* by SIGKILL, at once."""
        self._call("POST", f"/containers/{quote(container)}/kill", f"kill container {container}")

    def follow(self, container: str, tail: int) -> contextlib.AbstractContextManager[Stream]:
        """Yield a queue that receives the last *tail* lines of the log, then each as it comes, and None at its end.

        They come in blocks of whole lines; in front of each are the engine's 8 bytes (stream, length) and its time.
        """
        path, attempt = _log_path(container, tail=tail, follow=1), f"follow the log of container {container}"
        return self._stream(path, attempt, Deadline(LOOK_SECONDS), True)

    def starts(self, container: str, timeout: float) -> contextlib.AbstractContextManager[Stream]:
        """Yield a queue that receives something whenever *container* starts, and None when the engine goes away.

        The engine has *timeout* seconds to begin, and at most LOOK_SECONDS.
        """
        path = f"/events?{urlencode({'filters': json.dumps({'container': [container], 'event': ['start']})})}"
        deadline = Deadline(min(timeout, LOOK_SECONDS))
        return self._stream(path, f"await a start of {container}", deadline, False)

    @contextlib.contextmanager
    def _stream(self, path: str, attempt: str, deadline: Deadline, framed: bool) -> Iterator[Stream]:
        # The engine flushes the headers before the first line (moby, api/server/httputils/write_log_stream.go).
        connection, response = self._open("GET", path, attempt, deadline, most=None)
        deadline.lift()
        received: Stream = queue.Queue(MAX_BLOCKS)
        left = threading.Event()

        def hand_on(block: bytes | None) -> None:
            while not left.is_set():
                with contextlib.suppress(queue.Full):
                    received.put(block, timeout=0.2)
                    return

        def read() -> None:
            with contextlib.suppress(EngineError), _errors(attempt):
                for block in _blocks(response, framed):
                    hand_on(block)
                    if len(block) < BLOCK_BYTES // 2:
                        left.wait(REST_SECONDS)
            hand_on(None)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield received
        finally:
            left.set()
            connection.interrupt()
            reader.join(REQUEST_SECONDS)
            connection.hang_up()

    def _call(
        self,
        method: str,
        path: str,
        attempt: str,
        timeout: float | Deadline = REQUEST_SECONDS,
        body: dict[str, Any] | None = None,
    ) -> Any:
        connection, response = self._open(method, path, attempt, timeout, body)
        try:
            with _errors(attempt):
                text = response.read()
                return json.loads(text) if text else {}
        finally:
            connection.hang_up()

    def _open(
        self,
        method: str,
        path: str,
        attempt: str,
        timeout: float | Deadline = REQUEST_SECONDS,
        body: dict[str, Any] | None = None,
        most: int | None = MAX_ANSWER,
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        deadline = timeout if isinstance(timeout, Deadline) else Deadline(timeout)
        connection = _Connection(self.path, deadline, most)
        try:
            with _errors(attempt):
                try:
                    connection.connect()
                except TimeoutError:
                    raise
                except OSError as error:
                    raise EngineError(_unreachable(self.path, error)) from error
                content = json.dumps(body) if body is not None else None
                connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
                response = connection.getresponse()
                if response.status >= 400:
                    kind = NotFoundError if response.status == 404 else EngineError
                    reason = _reason(response.read()) or f"{response.status} {printable(response.reason)}"
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
            # Skip one that was removed meanwhile.
            with contextlib.suppress(NotFoundError):
                found.append(self.inspect(each["Id"]))
        return found

    def create(self, name: str, request: dict[str, Any]) -> None:
        """Create container *name* from a request as the engine documents it; it is not started."""
        self._call("POST", f"/containers/create?{urlencode({'name': name})}", f"create container {name}", body=request)

    def rename(self, container: str, name: str) -> None:
        query = urlencode({"name": name})
        self._call("POST", f"/containers/{quote(container)}/rename?{query}", f"rename container {container} to {name}")

    def remove(self, container: str) -> None:
        """Remove a container that does not run; its anonymous volumes go with it."""
        self._call("DELETE", f"/containers/{quote(container)}?v=1", f"remove container {container}")

    def connect(self, network: str, container: str) -> None:
        """Connect *container* to *network* as well."""
        attempt = f"let container {container} into network {network}"
        self._call("POST", f"/networks/{quote(network)}/connect", attempt, body={"Container": container})

    def path_stat(self, container: str, path: str) -> dict[str, Any] | None:
        """Return the status of *path* in a container, running or not (``name``, ``size``, ``mode`` as Go's FileMode,
        ``linkTarget``); None where nothing exists. A link is not followed."""
        attempt = f"look at {path} of {container}"
        try:
            connection, response = self._open("HEAD", _archive_path(container, path), attempt)
        except NotFoundError:
            return None
        try:
            with _errors(attempt):
                found = json.loads(base64.b64decode(response.headers["X-Docker-Container-Path-Stat"]))
                return {**found, "size": int(found["size"]), "mode": int(found["mode"])}
        finally:
            connection.hang_up()

    def archive(self, container: str, path: str, most: int) -> bytes:
        """Return *path* of a container, running or not, as a tar archive; TooLongError beyond *most* bytes."""
        attempt = f"read {path} of {container}"
        connection, response = self._open("GET", _archive_path(container, path), attempt, most=most)
        try:
            with _errors(attempt):
                return response.read()
        finally:
            connection.hang_up()

    def platform(self) -> str:
        """Return the system and the architecture of the engine, such as ``linux/amd64``."""
        found = self._call("GET", "/version", "look at the engine")
        return f"{found['Os']}/{found['Arch']}"

    def version(self) -> str:
        """Return the engine's version."""
        return printable(str(self._call("GET", "/version", "look at the engine")["Version"]))

    def cpus(self) -> int:
        """Return how many CPUs the host has."""
        return int(self._call("GET", "/info", "look at the engine")["NCPU"])


@contextlib.contextmanager
def _errors(attempt: str) -> Iterator[None]:
    """Turn exceptions of sockets, HTTP and JSON into errors of this module."""
    try:
        yield
    except TimeoutError as error:
        raise LateError(f"cannot {attempt}: the Docker engine did not answer in time") from error
    except TooLongError as error:
        raise TooLongError(f"cannot {attempt}: the answer is longer than it may be") from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EngineError(f"cannot {attempt}: {printable(str(error)) or type(error).__name__}") from error


def _unreachable(path: str, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"no permission to use the Docker engine at {path}: run as root (become: true)"
    return (
        f"the Docker engine is unreachable at {path} ({error.strerror or error}): is the docker service running? "
        "See systemctl status docker"
    )


def _reason(answer: bytes) -> str:
    try:
        return printable(str(json.loads(answer)["message"]), 400)
    except (ValueError, KeyError, TypeError):
        return ""


def _archive_path(container: str, path: str) -> str:
    return f"/containers/{quote(container)}/archive?{urlencode({'path': path})}"


def _log_path(container: str, **more: int) -> str:
    return f"/containers/{quote(container)}/logs?{urlencode({'stdout': 1, 'stderr': 1, 'timestamps': 1, **more})}"


def _blocks(response: http.client.HTTPResponse, framed: bool) -> Iterator[bytes]:
    """Yield the stream in blocks that end with a line; a line longer than a block comes in several."""
    rest = b""
    while data := response.read1(BLOCK_BYTES):
        rest += data
        if framed and len(rest) >= 8:
            _check(rest)
            framed = False
        end = len(rest) if len(rest) > BLOCK_BYTES or _whole(rest) else rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _whole(data: bytes) -> bool:
    """Whether *data* ends with a whole line, or with a complete frame of the engine's."""
    at = data.rfind(b"\n") + 1
    while 0 <= at < len(data):
        header = data[at : at + 8]
        at = at + 8 + int.from_bytes(header[4:], "big") if len(header) == 8 and header[1:4] == b"\0\0\0" else -1
    return at == len(data)


def _payloads(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the payloads of the engine's multiplexed stream: 8 bytes of header (stream, 0, 0, 0, length) each."""
    while len(header := response.read(8)) == 8:
        _check(header)
        yield response.read(int.from_bytes(header[4:], "big"))


def _check(header: bytes) -> None:
    if header[0] > 2 or header[1:4] != b"\0\0\0" or int.from_bytes(header[4:8], "big") > MAX_ANSWER:
        raise EngineError("the engine's stream is not multiplexed (a container with a terminal?)")
