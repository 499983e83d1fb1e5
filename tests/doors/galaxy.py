"""A Galaxy server that has the built artefact: as much of its API as `ansible-galaxy collection install` asks."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import typing as t
from pathlib import Path

import yaml
from tests.lint.files import ROOT

_NAMESPACE, _NAME = "ibops", "gateway"
_COLLECTION = f"/api/v3/collections/{_NAMESPACE}/{_NAME}/"


class Galaxy:
    """Context manager; ``url`` is the server's."""

    def __init__(self, artefact: Path) -> None:
        about = yaml.safe_load((ROOT / "galaxy.yml").read_text())
        version, content = about["version"], artefact.read_bytes()
        place = f"{_COLLECTION}versions/{version}/"
        described = {"version": version, "href": place, "requires_ansible": ">=2.19.0"}
        answers: dict[str, t.Callable[[], t.Any]] = {
            "/api/": lambda: {"available_versions": {"v3": "v3/"}},
            _COLLECTION: lambda: {"highest_version": described, "versions_url": f"{_COLLECTION}versions/"},
            f"{_COLLECTION}versions/": lambda: {"data": [described], "meta": {"count": 1}, "links": {"next": None}},
            place: lambda: {
                **described,
                "namespace": {"name": _NAMESPACE},
                "collection": {"name": _NAME},
                "name": _NAME,
                # Those of the package ansible are there; without Galaxy nothing else could bring them.
                "metadata": {"dependencies": {}},
                "download_url": f"{self.url}/{artefact.name}",
                "artifact": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
                "signatures": [],
            },
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0].rstrip("/") + "/"
                body = content if path == f"/{artefact.name}/" else None
                if path in answers:
                    body = json.dumps(answers[path]()).encode()
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body or b"{}")))
                self.end_headers()
                self.wfile.write(body or b"{}")

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Galaxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
