"""The common part of APIs with resource names (`projects/p/locations/l/jobs/j`), from their discovery documents."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fake_gcp import strict
from tests.fake_gcp.document import Document, Method
from tests.fake_gcp.errors import ApiError, api_disabled
from tests.fake_gcp.server import DroppedError, FakeGcp, PageError

Body = dict[str, Any]
# A one-platform API takes what every one of them takes, though the document does not say so.
ALT = {"$alt": {"location": "query", "type": "string"}}
# The one enum of ours whose numbers are not the places of its names: for each number, the place.
PLACES = {"LAUNCH_STAGE_UNSPECIFIED": (0, 3, 4, 5, 6, 7, 1, 2)}


@dataclass(frozen=True)
class Asked:
    """A request that the document allows: its name or parent, its query, its body by the names of enums."""

    method: str
    name: str
    query: Mapping[str, str]
    body: Body

    @property
    def place(self) -> str:
        return "/".join(self.name.split("/")[:4])


class Platform(Document):
    """A document whose routes are the patterns of its names."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.parameters = {**content["parameters"], **ALT}
        self.routes = list(_routes(content))

    def route(self, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        """The method that a request means, and its path's parameters."""
        found = [(method, match) for method, pattern in self.routes if (match := pattern.fullmatch(path))]
        if not found:
            raise ApiError(404, "notFound", f"The requested URL {path} was not found on this server.")
        for method, match in found:
            if method.verb == verb:
                return method, match.groupdict()
        raise ApiError(405, "httpMethodNotAllowed", f"{verb} is not allowed on {path}")

    def named(self, schema: Mapping[str, Any], value: Any) -> Any:
        """A value with the names of its enums: Google's libraries send their numbers."""
        schema = self.schemas[schema["$ref"]] if "$ref" in schema else schema
        if isinstance(value, dict):
            known = schema.get("properties", {})
            other = schema.get("additionalProperties", {})
            return {name: self.named(known.get(name, other), item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.named(schema.get("items", {}), item) for item in value]
        if "enum" in schema and isinstance(value, int) and not isinstance(value, bool):
            names = schema["enum"]
            places = PLACES.get(names[0], range(len(names)))
            return names[places[value]] if value in range(len(names)) else value
        return value


def _routes(node: dict[str, Any]) -> Iterator[tuple[Method, re.Pattern[str]]]:
    for entry in node.get("methods", {}).values():
        parameters = entry.get("parameters", {})

        def group(match: re.Match[str], known: dict[str, Any] = parameters) -> str:
            pattern = known[match[1]].get("pattern", "[^/]+").removeprefix("^").removesuffix("$")
            return f"(?P<{match[1]}>{pattern})"

        pattern = re.sub(r"\{\+?(\w+)\}", group, "/" + entry["path"])
        request = entry.get("request", {}).get("$ref")
        yield Method(entry["id"], entry["httpMethod"], (), parameters, request), re.compile(pattern)
    for child in node.get("resources", {}).values():
        yield from _routes(child)


@functools.cache
def platform(name: str) -> Platform:
    """The document of an API (`run.v2`) that google-api-python-client brings."""
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise RuntimeError("google-api-python-client is missing: run `make tools`")
    path = Path(spec.origin).parent / "discovery_cache" / "documents" / f"{name}.json"
    return Platform(json.loads(path.read_bytes()))


class FakePlatform(FakeGcp):
    """A server of one such API: its *handlers* by the method's id, the methods *denied* to everybody."""

    document = ""
    service = ""

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token=token, port=port)
        self.handlers: dict[str, Callable[[Asked], Body]] = {}
        self.denied: set[str] = set()
        # The writes that were carried out, as `jobs.create start`, whatever was answered.
        self.carried_out: list[str] = []

    def called(self, body: Body, name: str) -> str:
        """Name the resource of a call, for the log of calls and the choice of faults."""
        return str(body.get("name") or name).split("/")[-1]

    def _carry_out(
        self, verb: str, path: str, query: dict[str, list[str]], authorization: str, call: dict[str, Any]
    ) -> dict[str, Any]:
        if authorization != f"Bearer {self.token}":
            raise ApiError(401, "authError", "Request had invalid authentication credentials.")
        api = platform(self.document)
        method, values = api.route(verb, path)
        (name,) = values.values()
        short = re.sub(r"^\w+\.projects\.(locations\.)?", "", method.id)
        call |= {"method": short, "name": self.called(call["body"] or {}, name)}
        with self._lock:
            fault = self.faults.take(short, call["name"])
        if fault.before:
            fault.before()
        if fault.drop == "before":
            raise DroppedError
        if fault.status:
            raise ApiError(fault.status, fault.reason or "backendError", fault.text)
        if fault.page and not fault.carried_out:
            raise PageError(*fault.page)
        if not self.enabled:
            raise api_disabled(name.split("/")[1], self.service)
        self.check_permissions(f"{self.document.split('.')[0]}.{short}")
        if short in self.denied:
            raise ApiError(403, "forbidden", f"Permission '{short}' denied on resource '{name}'.")
        strict.check_query(api, method, query)
        body = api.named({"$ref": method.request}, call["body"]) if method.request else call["body"]
        # An empty message may be left out.
        strict.check_body(api, method, {} if method.request and body is None else body)
        if short not in self.handlers:
            raise ApiError(501, "notImplemented", f"tests/fake_gcp does not do {method.id}")
        with self._lock:
            asked = Asked(short, name, {key: found[0] for key, found in query.items()}, body or {})
            answer = self.handlers[short](asked)
            if verb != "GET":
                self.carried_out.append(f"{short} {call['name']}")
        if fault.drop == "after":
            raise DroppedError
        if fault.page:
            raise PageError(*fault.page)
        return answer
