"""A stand-in for the Client Portal Gateway in an image like voyz/ibeam: HTTPS, the session's endpoints, the websocket.

As a program it reads that image's settings (IBEAM_*, conf.yaml) and signs in by itself; tests use `running()`. Faults
are switched at run time, by the file of faults or `State.faults`.
"""

from __future__ import annotations

import base64
import collections.abc as c
import contextlib
import fnmatch
import hashlib
import http.server
import json
import os
import pathlib
import secrets
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import typing as t

FAULTS = (
    "access_denied",  # 403, as for an address that conf.yaml does not allow
    "busy",  # 429
    "competing",
    "link_lost",  # authenticated, and not connected
    "no_accounts",
    "no_brokerage",  # single sign-on is valid, but there is no brokerage session
    "no_websocket",
    "other",  # another web server
    "server_error",  # 503
    "unauthenticated",  # the session answers, and nobody is signed in
    "websocket_mute",
    "websocket_unauthenticated",
)
Json = dict[str, t.Any]


class State:
    """A session: it dies after *seconds* without a request; *faults* change its answers."""

    def __init__(self, account: str = "DU1234567", seconds: float = 360.0) -> None:
        self.account, self.seconds = account, seconds
        self.faults: set[str] = set()
        self.faults_file: pathlib.Path | None = None
        self.allowed: list[str] = ["*"]
        self.requests: list[str] = []
        self.session = ""
        self.asked_at = 0.0

    def sign_in(self) -> None:
        self.session, self.asked_at = secrets.token_hex(16), time.monotonic()

    def alive(self) -> bool:
        """Whether the session is alive; a request in time keeps it alive."""
        if time.monotonic() - self.asked_at > self.seconds:
            self.session = ""
        self.asked_at = time.monotonic()
        return bool(self.session)

    def has(self, fault: str) -> bool:
        if self.faults_file and self.faults_file.exists():
            return fault in self.faults_file.read_text().split()
        return fault in self.faults

    def status(self) -> Json:
        lost = self.has("unauthenticated") or self.has("no_brokerage")
        return {
            "authenticated": not lost and not self.has("competing"),
            "competing": self.has("competing"),
            "connected": not self.has("link_lost") and not self.has("unauthenticated"),
            "message": "",
            "MAC": "00:00:5E:00:53:01",
            "serverInfo": {"serverName": "standin", "serverVersion": "Build 10.50.1d"},
            **({"fail": "no bridge"} if self.has("no_brokerage") else {}),
        }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def do_GET(self) -> None:
        self.answer(
            {
                "/sso/validate": lambda: {"RESULT": not self.state.has("unauthenticated"), "USER_ID": 1, "EXPIRES": 1},
                "/iserver/accounts": self.accounts,
                "/tickle": self.tickle,
                "/iserver/auth/status": self.state.status,
                "/ws": self.stream,
            }
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(
            {
                "/tickle": self.tickle,
                "/iserver/auth/status": self.state.status,
                "/iserver/auth/ssodh/init": self.state.status,
            }
        )

    def answer(self, routes: c.Mapping[str, c.Callable[[], Json | None]]) -> None:
        state = self.state
        path = self.path.removeprefix("/v1/api")
        state.requests.append(f"{self.command} {path}")
        refusals = {"access_denied": 403, "busy": 429, "server_error": 503}
        refused = [code for fault, code in refusals.items() if state.has(fault)]
        if not any(fnmatch.fnmatch(self.client_address[0], pattern) for pattern in state.allowed):
            refused.append(403)
        if state.has("other"):
            self.send(200, {"hello": "world"})
        elif refused:
            self.send(refused[0], {"error": "refused"})
        elif not state.alive():
            self.send(401, {})
        elif path not in routes:
            self.send(404, {"error": "Resource not found"})
        elif (body := routes[path]()) is not None:
            self.send(200, body)

    def send(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def accounts(self) -> Json:
        account = self.state.account
        return {"accounts": [] if self.state.has("no_accounts") else [account], "selectedAccount": account}

    def tickle(self) -> Json:
        iserver = {"authStatus": self.state.status()}
        return {
            "session": self.state.session,
            "ssoExpires": 460311,
            "collission": False,
            "userId": 1,
            "iserver": iserver,
        }

    def stream(self) -> None:
        """Greet as the gateway does (RFC 6455); a session is known by its cookie."""
        self.close_connection = True
        key = self.headers.get("Sec-WebSocket-Key")
        if self.state.has("no_websocket") or not key:
            return self.send(400, {"error": "bad request"})
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        if self.state.has("websocket_mute"):
            self.rfile.read(1)
            return None
        known = f"api={self.state.session}" in self.headers.get("Cookie", "")
        good = known and not self.state.has("websocket_unauthenticated")
        self.wfile.write(b"\x89\x02hi")  # a ping, which a client has to handle
        for message in ({"topic": "act", "args": {}}, {"topic": "sts", "args": {"authenticated": good}}):
            content = json.dumps(message).encode()
            self.wfile.write(bytes([0x81, len(content)]) + content)
        self.rfile.read(8)
        return None

    def log_message(self, *_arguments: object) -> None:
        """Log nothing here: the gateway logs to its own files."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that hung up."""


def server(state: State, certificate: str, host: str, port: int) -> Server:
    handler = type("StateHandler", (Handler,), {"state": state})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = Server((host, port), handler)
    # The handler's thread does the handshake, so that a silent client delays nobody.
    listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    return listener


@contextlib.contextmanager
def running(state: State, certificate: str) -> c.Iterator[int]:
    """Serve in this process; yields the port."""
    listener = server(state, certificate, "127.0.0.1", 0)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield listener.server_address[1]
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def make_certificate(directory: str) -> str:
    """A generic certificate, like the gateway's own."""
    path = f"{directory}/gateway.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
    ]
    command += ["-subj", "/CN=localhost", "-keyout", path, "-out", f"{directory}/certificate.pem"]
    subprocess.run(command, check=True, capture_output=True)
    with open(path, "a") as file:
        file.write(pathlib.Path(directory, "certificate.pem").read_text())
    return path


def credential(name: str) -> str:
    """Read a credential like the image: the value, or with IBEAM_SECRETS_SOURCE=fs the file it names."""
    value = os.environ.get(name, "")
    if os.environ.get("IBEAM_SECRETS_SOURCE", "env") == "fs" and value:
        return pathlib.Path(value).read_text().rstrip("\r\n")
    return value


def main() -> int:
    import yaml

    inputs = pathlib.Path(os.environ.get("IBEAM_INPUTS_DIR", "/srv/inputs/"))
    settings = yaml.safe_load((inputs / "conf.yaml").read_text())
    state = State(os.environ.get("STANDIN_ACCOUNT", "DU1234567"), float(os.environ.get("STANDIN_SECONDS", "360")))
    state.faults_file = pathlib.Path("/tmp/faults")
    state.allowed = [str(pattern) for pattern in settings["ips"]["allow"]]
    if not (settings["listenSsl"] and settings["proxyRemoteHost"].startswith("https://")):
        print("conf.yaml: only HTTPS is served here", file=sys.stderr)
        return 1
    listener = server(state, make_certificate(tempfile.mkdtemp()), "0.0.0.0", settings["listenPort"])
    if credential("IBEAM_ACCOUNT") and credential("IBEAM_PASSWORD"):
        state.sign_in()
        print("Gateway running and authenticated", flush=True)
    else:
        print("Logging in failed", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    listener.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
