"""A fake of Compute Engine: `with FakeGcp() as fake: ... fake.endpoint`.

It answers on a port of the loopback, in threads of this process. What Google's discovery document forbids, it refuses.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fake_gcp import strict, vms
from tests.fake_gcp.document import PREFIX, compute
from tests.fake_gcp.errors import ApiError, api_disabled
from tests.fake_gcp.faults import Fault, Faults
from tests.fake_gcp.permissions import PERMISSIONS
from tests.fake_gcp.state import Request, State

# Google's own wait ends after two minutes.
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.005
vms.register()


@dataclass(frozen=True)
class Call:
    """One request: the method's id without `compute.`, the resource's name or "", the status (0: dropped), the body."""

    method: str
    name: str
    verb: str
    status: int
    body: Any
    request_id: str | None


class DroppedError(Exception):
    """The connection ends here, without an answer."""


class PageError(Exception):
    """The request gets a page from another server, or a slow answer."""

    def __init__(self, status: int, text: str, drip: float = 0.0) -> None:
        super().__init__(text)
        self.status, self.data, self.drip = status, text.encode(), drip


class FakeGcp:
    """Its *state*, its *calls*, *faults* to come, whether the API is *enabled*, the *token* it accepts."""

    def __init__(self, operation_seconds: float = 0.0, token: str = "token", port: int = 0) -> None:
        self.state = State(operation_seconds=operation_seconds)
        self.calls: list[Call] = []
        # The server is closed: a slow answer ends too.
        self.ended = threading.Event()
        self.faults = Faults()
        self.enabled, self.token = True, token
        # The permissions of whoever asks; None for all.
        self.granted: set[str] | None = None
        self.wait_seconds = WAIT_SECONDS
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fake = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        compute()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, method: str, **what: Any) -> None:
        """Order trouble for the next calls of a method, with the fields of Fault."""
        self.faults.waiting.append(Fault(method, **what))

    def writes(self) -> list[str]:
        """Return the calls other than GET and wait, in order: `firewalls.update api`."""
        return [
            f"{call.method} {call.name}"
            for call in self.calls
            if call.verb != "GET" and not call.method.endswith(".wait")
        ]

    def resource(self, path: str, project: str = "demo-project") -> dict[str, Any]:
        """A resource as Google answers it, by its path below the project."""
        with self._lock:
            self.state.settle()
            return self.state.view(f"projects/{project}/{path}")

    def put(self, path: str, project: str = "demo-project", **fields: Any) -> None:
        """Change fields of a resource behind everybody's back; None removes one."""
        with self._lock:
            body = self.state.entry(f"projects/{project}/{path}").body
            body.update(fields)
            for name in [name for name, value in fields.items() if value is None]:
                del body[name]

    def answer(self, verb: str, url: str, authorization: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """(status, body) for a request; DroppedError when it gets none."""
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        call: dict[str, Any] = {
            "method": f"{verb} {parts.path}",
            "name": "",
            "verb": verb,
            "body": None,
            "request_id": query.get("requestId", [None])[0],
        }
        status = 0
        try:
            call["body"] = json.loads(content) if content else None
            status, body = 200, self._carry_out(verb, unquote(parts.path), query, authorization, call)
        except ApiError as error:
            status, body = error.status, error.body()
        finally:
            with self._lock:
                self.calls.append(Call(**call, status=status))
        return status, body

    def _carry_out(
        self, verb: str, path: str, query: dict[str, list[str]], authorization: str, call: dict[str, Any]
    ) -> dict[str, Any]:
        if authorization != f"Bearer {self.token}":
            raise ApiError(401, "authError", "Request had invalid authentication credentials.")
        method, values = compute().route(verb, path)
        call["method"] = method.id.removeprefix("compute.")
        call["name"] = next(
            (value for name, value in values.items() if name not in ("project", "region", "zone")),
            (call["body"] or {}).get("name", ""),
        )
        with self._lock:
            fault = self.faults.take(call["method"], call["name"])
        if fault.before:
            fault.before()
        if fault.drop == "before":
            raise DroppedError
        if fault.status:
            reason = fault.reason or ("conditionNotMet" if fault.status == 412 else "backendError")
            raise ApiError(fault.status, reason, fault.text)
        if fault.page and not fault.carried_out:
            raise PageError(*fault.page)
        if not self.enabled:
            raise api_disabled(values["project"])
        self.check_permissions(method.id)
        strict.check_query(compute(), method, query)
        strict.check_body(compute(), method, call["body"])
        if method.collection.endswith("Operations"):
            return self._operation(path.removeprefix(PREFIX), wait=method.action == "wait")
        request = Request(method, values, {name: found[0] for name, found in query.items()}, call["body"], fault)
        with self._lock:
            body = self.state.answer(request)
        if fault.drop == "after":
            raise DroppedError
        if fault.page:
            raise PageError(*fault.page)
        if fault.drip:
            raise PageError(200, json.dumps(body), fault.drip)
        return body

    def check_permissions(self, method: str) -> None:
        """ApiError 403 for a method that needs more than is granted."""
        if self.granted is not None:
            for needed in PERMISSIONS[method]:
                if needed not in self.granted:
                    raise ApiError(403, "forbidden", f"Required '{needed}' permission for '{method}'")

    def _operation(self, path: str, wait: bool) -> dict[str, Any]:
        path, deadline = path.removesuffix("/wait"), time.monotonic() + self.wait_seconds
        while True:
            with self._lock:
                self.state.settle()
                operation = self.state.operation(path)
                if operation.done or not wait or time.monotonic() >= deadline:
                    return operation.body()
            time.sleep(POLL_SECONDS)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeGcp

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that hung up, and report a mistake of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body in one segment: apart, they cost 40 ms a call.
    wbufsize = -1
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        pass

    def _handle(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, body = self.server.fake.answer(
                self.command, self.path, self.headers.get("Authorization", ""), content
            )
        except DroppedError:
            self.close_connection = True
            return
        except PageError as page:
            self._answer(page.status, "text/html", page.data, page.drip)
            return
        self._answer(status, "application/json; charset=UTF-8", json.dumps(body).encode())

    def _answer(self, status: int, kind: str, data: bytes, drip: float = 0.0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for part in [bytes([each]) for each in data] if drip else [data]:
            self.wfile.write(part)
            self.wfile.flush()
            if drip and self.server.fake.ended.wait(drip):
                self.close_connection = True
                return

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle
