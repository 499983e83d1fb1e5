"""Secret Manager's one method that is asked for: `versions.access`, its path as Google's discovery document has it.

And a VM's metadata server, as far as it gives the token for that."""

from __future__ import annotations

import base64
import email.message
import functools
import http.server
import importlib.util
import json
import re
import threading
from pathlib import Path
from typing import Any, Self

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.secret_manager import crc32c

TOKEN = "token"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"


@functools.cache
def route() -> re.Pattern[str]:
    """Pattern of the method's path."""
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise RuntimeError("google-api-python-client is missing: run `make tools`")
    documents = Path(spec.origin).parent / "discovery_cache" / "documents"
    node = json.loads((documents / "secretmanager.v1.json").read_bytes())
    for name in ("projects", "secrets", "versions"):
        node = node["resources"][name]
    pattern = node["methods"]["access"]["parameters"]["name"]["pattern"]
    return re.compile(f"/v1/({pattern.strip('^$')}):access")


class FakeSecrets:
    """Its *versions* by full name, the *answers* (status, body) that it gives first, the *paths* it was asked for."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.versions: dict[str, bytes] = {}
        self.answers: list[tuple[int, Any]] = []
        self.paths: list[str] = []
        self._server = http.server.ThreadingHTTPServer((address, port), functools.partial(_Handler, self))
        self.host = f"{address}:{self._server.server_address[1]}"
        self.endpoint = f"http://{self.host}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: email.message.Message) -> tuple[int, Any]:
        """(status, body) for a request."""
        self.paths.append(path)
        if self.answers:
            return self.answers.pop(0)
        if path == TOKEN_PATH:
            flavored = headers.get("Metadata-Flavor") == "Google"
            return (200, {"access_token": TOKEN, "token_type": "Bearer"}) if flavored else error(403, "Missing header.")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return error(401, "Request had invalid authentication credentials.")
        match = route().fullmatch(path)
        if match is None or match[1] not in self.versions:
            return error(404, "Secret not found or has no versions.")
        return 200, {"name": match[1], "payload": payload(self.versions[match[1]])}


def payload(data: bytes) -> dict[str, str]:
    """A payload as the API has it."""
    return {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}


def error(status: int, message: str, reason: str = "") -> tuple[int, Any]:
    """An error as the API answers it."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return status, {"error": {"code": status, "message": message, "details": details}}


class _Handler(http.server.BaseHTTPRequestHandler):
    wbufsize = -1

    def __init__(self, fake: FakeSecrets, *arguments: Any) -> None:
        self._fake = fake
        super().__init__(*arguments)

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        status, body = self._fake.answer(self.path, self.headers)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
