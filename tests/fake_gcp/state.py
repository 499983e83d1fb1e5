"""The fake's resources, and the effect of the methods on them."""

from __future__ import annotations

import base64
import copy
import hashlib
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fake_gcp import links
from tests.fake_gcp.document import Method
from tests.fake_gcp.errors import ApiError, invalid, not_found
from tests.fake_gcp.faults import Fault
from tests.fake_gcp.operations import Operation
from tests.fake_gcp.resources import KINDS, Body, check_unchanged

REGIONS = ("europe-west1", "us-central1", "us-east1")
# Read-only resources, which tests put here.
LISTED = (
    *("forwardingRules", "interconnectAttachments", "networkEndpointGroups", "targetVpnGateways", "vpnGateways"),
    "vpnTunnels",
)
ZONES = tuple(f"{region}-{letter}" for region in REGIONS for letter in "bcd")
# The route that Google makes and removes together with a network.
DEFAULT_ROUTE = "/global/routes/default-route-"
# One condition of a list's filter, as `name = main` or `labels.env eq "x.*"`: the API matches the whole value.
CONDITION = re.compile(r'\(?([\w.]+) *(=|eq|:) *"?([^")]*)"?\)?')


@dataclass
class Request:
    """A request that the document allows."""

    method: Method
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    fault: Fault

    @property
    def project(self) -> str:
        return self.path["project"]

    @property
    def scope(self) -> str:
        places = [f"{kind}s/{self.path[kind]}" for kind in ("region", "zone") if kind in self.path]
        return "/".join(["projects", self.project, *(places or ["global"])])

    @property
    def target(self) -> str:
        """The path of the resource that the request is about."""
        named = [name for name in self.path if name not in ("project", "region", "zone")]
        name = self.path[named[0]] if named else self.body["name"]
        return f"{self.scope}/{self.method.collection}/{name}"


@dataclass
class Entry:
    """A resource, and whether an operation on it is under way."""

    body: Body
    busy: bool = False


@dataclass
class State:
    """Resources by path, operations by path, how much of a collection a project may have.

    New VMs publish *host_keys* if they may, after each was asked so often in vain, as it boots.
    """

    resources: dict[str, Entry] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    quota: dict[str, int] = field(default_factory=dict)
    operation_seconds: float = 0.0
    host_keys: list[tuple[str, str]] = field(default_factory=list)
    published: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    asked_in_vain: dict[str, int] = field(default_factory=dict)

    def answer(self, request: Request) -> Body:
        """Carry out a request, and return what Google would; ApiError for a refusal."""
        self.settle()
        if request.path.get("region", REGIONS[0]) not in REGIONS:
            raise invalid("region", request.path["region"], "Unknown region.")
        if request.path.get("zone", ZONES[0]) not in ZONES:
            raise invalid("zone", request.path["zone"], "Unknown zone.")
        collection, verb = request.method.collection, request.method.action
        action = ACTIONS.get(f"{collection}.{verb}") or (ACTIONS.get(verb) if collection in KINDS else None)
        if action is None:
            raise ApiError(501, "notImplemented", f"tests/fake_gcp does not do {request.method.id}")
        replayed = self._replayed(request)
        return replayed.body() if replayed else action(self, request)

    def settle(self) -> None:
        for operation in list(self.operations.values()):
            operation.settle()

    def operation(self, path: str) -> Operation:
        if path not in self.operations:
            raise not_found(path)
        return self.operations[path]

    def view(self, path: str) -> Body:
        """A resource as Google answers it."""
        body = copy.deepcopy(self.entry(path).body)
        collection = _collection(path)
        shown = collection in ("addresses", "disks", "networks")
        users = [links.HOST + user for user in self.users(path)] if shown else []
        if collection == "addresses" and users:
            body |= {"status": "IN_USE", "users": users}
        subnets = [user for user in users if "/subnetworks/" in user]
        if collection == "networks" and subnets:
            body["subnetworks"] = subnets
        if collection == "disks" and users:
            body["users"] = users
        if collection == "subnetworks":
            body["fingerprint"] = fingerprint(self.entry(path).body)
        if collection in ("addresses", "instances", "disks"):
            body["labelFingerprint"] = fingerprint(body.get("labels", {}))
        if collection == "instances":
            for name in ("tags", "metadata"):
                body[name] = {**body.get(name, {}), "fingerprint": fingerprint(body.get(name, {}))}
        return body

    def users(self, path: str) -> list[str]:
        """The paths of the resources that refer to one. A VM refers to its addresses as such."""
        project, body = path.split("/")[1], self.entry(path).body
        named = [
            other
            for other, entry in self.resources.items()
            if path in links.targets(_collection(other), entry.body, project)
        ]
        if _collection(path) != "addresses":
            return named
        machines = {other: entry.body for other, entry in self.resources.items() if _collection(other) == "instances"}
        return named + [other for other, machine in machines.items() if body["address"] in links.addresses(machine)]

    def entry(self, path: str) -> Entry:
        if path not in self.resources:
            raise not_found(path)
        return self.resources[path]

    def siblings(self, path: str) -> list[Body]:
        """The project's other resources of the same kind."""
        start, kind = "/".join(path.split("/")[:2]) + "/", _collection(path)
        found = self.resources.items()
        return [
            entry.body
            for other, entry in found
            if other.startswith(start) and other != path and _collection(other) == kind
        ]

    def _replayed(self, request: Request) -> Operation | None:
        """The operation of an earlier request with the same id."""
        wanted = request.query.get("requestId")
        found = (each for each in self.operations.values() if wanted and each.request_id == wanted)
        return next(found, None)

    def check_links(self, targets: Iterable[str]) -> None:
        """ApiError when what a body refers to is not there, or not yet."""
        for target in targets:
            if self.entry(target).busy:
                raise ApiError(400, "resourceNotReady", f"The resource '{target}' is not ready")

    def start(self, request: Request, target: str, finish: Callable[[bool], None]) -> Body:
        """The operation of a change, which *finish* ends with whether it succeeded."""
        fault = request.fault
        seconds = self.operation_seconds if fault.seconds is None else fault.seconds
        operation = Operation(
            scope=request.scope,
            kind=request.method.action,
            target=target,
            due=time.monotonic() + seconds,
            request_id=request.query.get("requestId"),
            error=fault.operation_error,
            finish=finish,
        )
        self.operations[operation.path] = operation
        operation.settle()
        return operation.body()

    def change(self, request: Request, after: Body) -> Body:
        """Replace a resource's body when its operation ends."""
        target = request.target
        entry = self.ready(target)
        entry.busy = True

        def finish(succeeded: bool) -> None:
            entry.busy = False
            if succeeded:
                entry.body = after

        return self.start(request, target, finish)

    def ready(self, path: str) -> Entry:
        """The entry of a resource that no operation is under way on."""
        entry = self.entry(path)
        if entry.busy:
            raise ApiError(400, "resourceNotReady", f"The resource '{path}' is not ready")
        return entry


def _collection(path: str) -> str:
    return path.split("/")[-2]


def fingerprint(content: Any) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest[:8]).decode()


def check_fingerprint(given: str | None, current: str) -> None:
    # gcloud writes them with + and /.
    if (given or "").replace("+", "-").replace("/", "_") != current:
        raise ApiError(412, "conditionNotMet", "Supplied fingerprint does not match current metadata fingerprint.")


def _get(state: State, request: Request) -> Body:
    return state.view(request.target)


def _aggregated_list(state: State, request: Request) -> Body:
    """The resources of all places in pages, each place's apart; a place that has none says so."""
    start, collection = f"projects/{request.project}/", request.method.collection
    paths = [path for path in sorted(state.resources) if path.startswith(start) and _collection(path) == collection]
    zonal = collection in ("instances", "disks", "networkEndpointGroups")
    places = [f"zones/{zone}" for zone in ZONES] if zonal else ["global", *(f"regions/{each}" for each in REGIONS)]
    conditions = _conditions(request.query.get("filter", ""))
    items = [("/".join(path.split("/")[2:-2]), state.view(path)) for path in paths]
    items = [each for each in items if all(_passes(each[1], names, value) for names, value in conditions)]
    first, size = int(request.query.get("pageToken", 0)), int(request.query.get("maxResults", 500))
    scopes: Body = {place: {"warning": {"code": "NO_RESULTS_ON_PAGE"}} for place in places}
    for place, item in items[first : first + size]:
        scopes[place].pop("warning", None)
        scopes[place].setdefault(collection, []).append(item)
    more = {"nextPageToken": str(first + size)} if len(items) > first + size else {}
    return {"kind": f"compute#{collection.removesuffix('s')}AggregatedList", "id": start, "items": scopes, **more}


def _list(state: State, request: Request) -> Body:
    start = f"{request.scope}/{request.method.collection}/"
    conditions = _conditions(request.query.get("filter", ""))
    items = [state.view(path) for path in sorted(state.resources) if path.startswith(start)]
    items = [item for item in items if all(_passes(item, names, value) for names, value in conditions)]
    first, size = int(request.query.get("pageToken", 0)), int(request.query.get("maxResults", 500))
    found: Body = {"kind": f"compute#{request.method.collection}List", "id": start, "selfLink": links.HOST + start}
    if items[first : first + size]:
        found["items"] = items[first : first + size]
    if len(items) > first + size:
        found["nextPageToken"] = str(first + size)
    return found


def _conditions(text: str) -> list[tuple[list[str], str]]:
    """(path of the field, value) for each condition of a filter."""
    found = []
    for condition in text.split(" AND ") if text else []:
        parts = CONDITION.fullmatch(condition.strip())
        if parts is None:
            raise invalid("filter", text, "Invalid list filter expression.")
        found.append((parts[1].split("."), parts[3]))
    return found


def _passes(item: Body, names: list[str], wanted: str) -> bool:
    value: Any = item
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return re.fullmatch(wanted, str(value)) is not None


def check_new(state: State, request: Request) -> None:
    """ApiError when there is one of that name, or no room for another."""
    path, collection = request.target, request.method.collection
    if path in state.resources:
        raise ApiError(409, "alreadyExists", f"The resource '{path}' already exists")
    if len(state.siblings(path)) >= state.quota.get(collection, 10**6):
        limit = state.quota[collection]
        text = f"Quota '{collection.upper()}' exceeded.  Limit: {limit}.0 in {request.scope.split('/', 2)[2]}."
        raise ApiError(403, "quotaExceeded", text)


def _insert(state: State, request: Request) -> Body:
    path, body = request.target, copy.deepcopy(request.body)
    collection, kind = request.method.collection, KINDS[request.method.collection]
    check_new(state, request)
    state.check_links(links.targets(collection, body, request.project))
    links.expand(collection, body, request.project)
    body |= {"id": str(10**18 + len(state.operations)), "kind": f"compute#{collection}", "selfLink": links.HOST + path}
    body["creationTimestamp"] = "2026-11-20T09:00:00.000-08:00"
    if "region" in request.path:
        body["region"] = f"{links.HOST}{request.scope}"
    kind.fill(body, state.siblings(path))
    kind.check(body, state.siblings(path))
    entry = state.resources[path] = Entry(body, busy=True)

    def finish(succeeded: bool) -> None:
        entry.busy = False
        if not succeeded:
            del state.resources[path]

    return state.start(request, path, finish)


def _delete(state: State, request: Request) -> Body:
    path = request.target
    entry = state.ready(path)
    body = entry.body
    others = [peering["name"] for peering in body.get("peerings", [])] + [body.get("firewallPolicy")]
    routes = [user for user in state.users(path) if DEFAULT_ROUTE in user]
    for user in [*(set(state.users(path)) - set(routes)), *filter(None, others)]:
        text = f"The {_collection(path)} resource '{path}' is already being used by '{user}'"
        raise ApiError(400, "resourceInUseByAnotherResource", text)
    entry.busy = True

    def finish(succeeded: bool) -> None:
        entry.busy = False
        if succeeded:
            for gone in (path, *routes):
                del state.resources[gone]

    return state.start(request, path, finish)


def _replaced(state: State, request: Request, after: Body, fields: set[str]) -> Body:
    """Check a changed body as a whole, and start the change."""
    kind, before = KINDS[request.method.collection], state.ready(request.target).body
    state.check_links(links.targets(request.method.collection, after, request.project))
    links.expand(request.method.collection, after, request.project)
    kind.fill(after, state.siblings(request.target))
    check_unchanged(kind, before, after, fields - {"fingerprint"})
    kind.check(after, state.siblings(request.target))
    return state.change(request, after)


def _patch(state: State, request: Request) -> Body:
    before = state.ready(request.target).body
    given = copy.deepcopy(request.body)
    if request.method.collection == "subnetworks":
        check_fingerprint(given.pop("fingerprint", None), fingerprint(before))
    return _replaced(state, request, merged(copy.deepcopy(before), given), set(given))


def merged(before: Body, given: Body) -> Body:
    for name, value in given.items():
        both = isinstance(value, dict) and isinstance(before.get(name), dict)
        before[name] = merged(before[name], value) if both else value
    return before


def _update(state: State, request: Request) -> Body:
    """PUT: fields that are not given are removed, except those that only the server writes."""
    before = state.ready(request.target).body
    served = ("id", "kind", "selfLink", "creationTimestamp", "region")
    after = {name: before[name] for name in served if name in before} | copy.deepcopy(request.body)
    # Google takes the firewall's network from what is there when it is not given.
    after.setdefault("network", before["network"])
    links.expand(request.method.collection, after, request.project)
    KINDS[request.method.collection].fill(after, state.siblings(request.target))
    return _replaced(state, request, after, set(before) | set(after))


def _set_labels(state: State, request: Request) -> Body:
    before = state.ready(request.target).body
    check_fingerprint(request.body.get("labelFingerprint"), fingerprint(before.get("labels", {})))
    after = copy.deepcopy(before) | {"labels": request.body.get("labels", {})}
    return state.change(request, after)


def _expand(state: State, request: Request) -> Body:
    before = state.ready(request.target).body
    wider, narrower = (ipaddress.IPv4Network(body["ipCidrRange"]) for body in (request.body, before))
    if wider == narrower or not narrower.subnet_of(wider):
        raise invalid("ipCidrRange", wider, f"It must be larger than {narrower} and contain it.")
    after = copy.deepcopy(before) | {"ipCidrRange": str(wider)}
    KINDS["subnetworks"].check(after, state.siblings(request.target))
    return state.change(request, after)


def _set_private_access(state: State, request: Request) -> Body:
    return state.change(request, copy.deepcopy(state.ready(request.target).body) | request.body)


ACTIONS: dict[str, Callable[[State, Request], Body]] = {
    "get": _get,
    "list": _list,
    "aggregatedList": _aggregated_list,
    **{f"{collection}.aggregatedList": _aggregated_list for collection in LISTED},
    "routes.list": _list,
    "snapshots.list": _list,
    "insert": _insert,
    "delete": _delete,
    "patch": _patch,
    "update": _update,
    "setLabels": _set_labels,
    "expandIpCidrRange": _expand,
    "setPrivateIpGoogleAccess": _set_private_access,
}
