# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry is asked once, and what it said then is what every later run has."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError

from ansible_collections.ibops.gateway.plugins.lookup import pinned_image
from ansible_collections.ibops.gateway.plugins.lookup.pinned_image import DOCUMENTATION, LookupModule
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands

PATH = "gnzsnz/ib-gateway"
Lookup = Callable[..., str]


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Registry(ThreadingHTTPServer):
    """One image under one tag, for whoever has fetched a token; *manifest* may be replaced, *asked* counts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = f"127.0.0.1:{self.server_port}"
        self.manifest, self.named, self.realm = b'{"manifests": []}', "", f"http://{self.name}/token"
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        registry, path = self.server, self.path.partition("?")[0]
        registry.asked += 1
        if path == "/token":
            assert f"scope=repository%3A{PATH.replace('/', '%2F')}%3Apull" in self.path
            self._answer(200, json.dumps({"token": "t"}).encode())
        elif path != f"/v2/{PATH}/manifests/stable":
            self._answer(404, b"")
        elif self.headers["Authorization"] != "Bearer t":
            self._answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{registry.realm}",service="r"'})
        else:
            named = registry.named or digest(registry.manifest)
            self._answer(200, registry.manifest, {"Docker-Content-Digest": named})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.delenv("IBGW_IMAGE_DIGEST", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Registry() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def image(registry: Registry) -> str:
    return f"{registry.name}/{PATH}"


@pytest.fixture
def lookup(tmp_path: Path, image: str) -> Lookup:
    options = yaml.safe_load(DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", "pinned_image", options)

    def run(term: str = f"{image}:stable") -> str:
        made = LookupModule()
        made._load_name = "pinned_image"
        return made.run([term], {}, file=str(tmp_path / "image.txt"))[0]

    return run


def test_it_is_asked_for_once_and_a_rebuilt_tag_changes_nothing(
    registry: Registry, image: str, lookup: Lookup, tmp_path: Path
) -> None:
    pinned = f"{image}@{digest(registry.manifest)}"
    assert lookup() == pinned
    registry.manifest = b"rebuilt"
    asked = registry.asked
    assert (lookup(), registry.asked) == (pinned, asked)
    assert (tmp_path / "image.txt").read_text() == f"{pinned}\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "image.txt"]


def test_whoever_was_faster_is_believed(
    image: str, lookup: Lookup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = f"{image}@sha256:{'1' * 64}"
    said: list[str] = []

    def slow(*_arguments: object) -> str:
        (tmp_path / "image.txt").write_text(pinned)
        return "sha256:" + "2" * 64

    monkeypatch.setattr(pinned_image, "_digest", slow)
    monkeypatch.setattr(commands, "show", lambda _display, text: said.append(text))
    assert (lookup(), said, list(tmp_path.iterdir())) == (pinned, [], [tmp_path / "image.txt"])


def test_the_environment_goes_first(
    registry: Registry, image: str, lookup: Lookup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IBGW_IMAGE_DIGEST", "sha256:1")
    assert (lookup(), registry.asked, list(tmp_path.iterdir())) == (f"{image}@sha256:1", 0, [])


@pytest.mark.parametrize(
    "change", [{"named": "sha256:2"}, {"realm": "file:///etc/passwd"}, {"realm": "http://127.0.0.1:1"}]
)
def test_nothing_is_pinned_without_a_good_answer(
    registry: Registry, lookup: Lookup, tmp_path: Path, change: dict[str, str]
) -> None:
    vars(registry).update(change)
    with pytest.raises(AnsibleLookupError, match=r"write .*@sha256:… to .*image\.txt") as raised:
        lookup()
    assert "Errno" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_tag_that_the_registry_does_not_have(image: str, lookup: Lookup) -> None:
    with pytest.raises(AnsibleLookupError, match="HTTP 404"):
        lookup(f"{image}:other")


@pytest.mark.parametrize("text", ["", "stable", "other/image@sha256:" + "0" * 64, "{image}@sha256:12"])
def test_a_file_that_pins_something_else_is_not_overwritten(
    registry: Registry, image: str, lookup: Lookup, tmp_path: Path, text: str
) -> None:
    (tmp_path / "image.txt").write_text(text.format(image=image))
    with pytest.raises(AnsibleLookupError, match="does not pin"):
        lookup()
    assert (registry.asked, (tmp_path / "image.txt").read_text()) == (0, text.format(image=image))


@pytest.mark.parametrize("term", ["ib-gateway", "ghcr.io/gnzsnz/ib-gateway", "ghcr.io/a/b@sha256:" + "0" * 64])
def test_a_term_without_a_tag_is_refused(lookup: Lookup, term: str) -> None:
    with pytest.raises(AnsibleLookupError, match="with its registry and its tag"):
        lookup(term)
