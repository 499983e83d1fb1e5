"""Google's discovery document of the Compute API, as a table of routes."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fake_gcp.errors import ApiError

PREFIX = "/compute/v1/"


@dataclass(frozen=True)
class Method:
    """One method of the API: `id` is compute.<collection>.<verb>, `path` its segments, `{x}` for a parameter."""

    id: str
    verb: str
    path: tuple[str, ...]
    parameters: dict[str, Any]
    request: str | None

    @property
    def collection(self) -> str:
        return self.id.split(".")[1]

    @property
    def action(self) -> str:
        return self.id.split(".")[2]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The path's parameters by name; None when the literal parts are others."""
        found = {}
        for ours, given in zip(self.path, segments, strict=True):
            if ours.startswith("{"):
                found[ours[1:-1]] = given
            elif ours != given:
                return None
        return found


def _methods(node: dict[str, Any]) -> Iterator[Method]:
    for entry in node.get("methods", {}).values():
        path = tuple(entry.get("flatPath", entry["path"]).split("/"))
        request = entry.get("request", {}).get("$ref")
        yield Method(entry["id"], entry["httpMethod"], path, entry.get("parameters", {}), request)
    for child in node.get("resources", {}).values():
        yield from _methods(child)


class Document:
    """The methods and schemas of a discovery document."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.schemas: dict[str, Any] = content["schemas"]
        self.parameters: dict[str, Any] = content["parameters"]
        self._by_length: dict[int, list[Method]] = {}
        # A literal segment beats a parameter: `{` sorts after every letter.
        for method in sorted(_methods(content), key=lambda each: each.path):
            self._by_length.setdefault(len(method.path), []).append(method)

    def route(self, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        """The method that a request means, and its path's parameters; ApiError 404 or 405 when there is none."""
        segments = path.removeprefix(PREFIX).split("/") if path.startswith(PREFIX) else []
        matches = [
            (method, found)
            for method in self._by_length.get(len(segments), [])
            if (found := method.match(segments)) is not None
        ]
        if not matches:
            raise ApiError(404, "notFound", f"The requested URL {path} was not found on this server.")
        for method, found in matches:
            if method.verb == verb:
                _check_path(method, found)
                return method, found
        raise ApiError(405, "httpMethodNotAllowed", f"{verb} is not allowed on {path}")


def _check_path(method: Method, values: dict[str, str]) -> None:
    for name, value in values.items():
        pattern = method.parameters[name].get("pattern", ".*")
        if not re.fullmatch(pattern, value):
            text = f"Invalid value '{value}'. Values must match the following regular expression: '{pattern}'"
            raise ApiError(400, "invalidParameter", text)


@functools.cache
def compute() -> Document:
    """The document that google-api-python-client brings; the package itself is not imported."""
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise RuntimeError("google-api-python-client is missing: run `make tools`")
    path = Path(spec.origin).parent / "discovery_cache" / "documents" / "compute.v1.json"
    return Document(json.loads(path.read_bytes()))
