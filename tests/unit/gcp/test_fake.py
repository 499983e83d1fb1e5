"""The fake itself: as strict as Google's document, asked by Google's own generic client and by hand."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from tests.fake_gcp.document import compute
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import Ask

PROJECT = "/compute/v1/projects/demo-project"
NETWORKS, FIREWALLS = f"{PROJECT}/global/networks", f"{PROJECT}/global/firewalls"
SUBNETS = f"{PROJECT}/regions/europe-west1/subnetworks"
MAIN = {"name": "main", "autoCreateSubnetworks": False}
RULE = {"name": "a", "network": "global/networks/main", "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]}


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "path": ("GET", "/compute/v1/projects/demo-project/global/nets", None, 404, "was not found on this server"),
    "version": ("GET", "/compute/v2/projects/demo-project/global/networks", None, 404, "was not found"),
    "verb": ("PUT", f"{NETWORKS}/main", MAIN, 405, "PUT is not allowed"),
    "shielded instances are patched": (
        "POST",
        f"{PROJECT}/zones/europe-west1-b/instances/a/updateShieldedInstanceConfig",
        {},
        405,
        "POST is not allowed",
    ),
    "name in the path": ("GET", f"{NETWORKS}/Main", None, 400, "must match the following regular expression"),
    "unknown parameter": ("GET", f"{NETWORKS}?bogus=1", None, 400, 'Unknown name "bogus"'),
    "repeated parameter": ("GET", f"{NETWORKS}?filter=a&filter=b", None, 400, "not repeating"),
    "parameter's type": ("GET", f"{NETWORKS}?maxResults=many", None, 400, "It is no integer"),
    "request id": ("POST", f"{NETWORKS}?requestId=1", MAIN, 400, "valid UUID"),
    "request id of zeros": ("POST", f"{NETWORKS}?requestId={uuid.UUID(int=0)}", MAIN, 400, "valid UUID"),
    "unknown field": ("POST", NETWORKS, {**MAIN, "bogus": 1}, 400, "Unknown name \"bogus\" at 'resource'"),
    "unknown field inside": (
        "POST",
        NETWORKS,
        {**MAIN, "routingConfig": {"mode": "x"}},
        400,
        "Unknown name \"mode\" at 'resource.routingConfig'",
    ),
    "enum": ("POST", NETWORKS, {**MAIN, "routingConfig": {"routingMode": "LOCAL"}}, 400, "one of GLOBAL, REGIONAL"),
    "number for text": (
        "POST",
        FIREWALLS,
        {**RULE, "allowed": [{"IPProtocol": "tcp", "ports": [22]}]},
        400,
        "Invalid value at 'resource.allowed[0].ports[0]' (TYPE_STRING)",
    ),
    "text for number": ("POST", NETWORKS, {**MAIN, "mtu": "1500"}, 400, "TYPE_INT"),
    "text for truth": ("POST", NETWORKS, {**MAIN, "autoCreateSubnetworks": "no"}, 400, "TYPE_BOOL"),
    "too large": ("POST", NETWORKS, {**MAIN, "mtu": 2**31}, 400, "between"),
    "out of Google's range": ("POST", NETWORKS, {**MAIN, "mtu": 100}, 400, "between 1300 and 8896"),
    "output only": ("POST", NETWORKS, {**MAIN, "selfLink": "x"}, 400, "The field is output only"),
    "required": ("POST", NETWORKS, {"autoCreateSubnetworks": False}, 400, "Required field 'resource.name'"),
    "required without a note": ("POST", SUBNETS, {"name": "a"}, 400, "Required field 'resource."),
    "name": ("POST", NETWORKS, {**MAIN, "name": "Main"}, 400, "Must be a match of regex"),
    "region": ("GET", f"{PROJECT}/regions/moon-base1/subnetworks", None, 400, "Unknown region"),
    "nothing there": ("GET", f"{NETWORKS}/other", None, 404, "was not found"),
    "reference": ("POST", FIREWALLS, RULE, 404, "global/networks/main' was not found"),
    "not done by the fake": ("GET", f"{PROJECT}/zones/europe-west1-b/reservations/a", None, 501, "does not do"),
    "filter": ("GET", f"{NETWORKS}?filter=!", None, 400, "Invalid list filter"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused(ask: Ask, fake: FakeGcp, case: tuple[str, str, Any, int, str]) -> None:
    verb, path, body, status, message = case
    got, answer = ask(verb, path, body)
    assert (got, answer["error"]["code"]) == (status, status)
    assert message in answer["error"]["message"]
    assert fake.state.resources == {}


def test_no_token(ask: Ask) -> None:
    assert ask("GET", NETWORKS, token="other")[0] == 401


def test_references_hold(ask: Ask) -> None:
    assert ask("POST", NETWORKS, MAIN)[0] == 200
    assert ask("POST", FIREWALLS, RULE)[0] == 200
    status, answer = ask("DELETE", f"{NETWORKS}/main")
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "resourceInUseByAnotherResource")
    assert ask("POST", NETWORKS, MAIN)[1]["error"]["errors"][0]["reason"] == "alreadyExists"
    subnet = {"name": "a", "network": f"https://compute.googleapis.com{NETWORKS}/main", "ipCidrRange": "10.0.0.0/24"}
    assert ask("POST", SUBNETS, subnet)[0] == 200
    assert "Conflicts with subnetwork 'a'" in ask("POST", SUBNETS, {**subnet, "name": "b"})[1]["error"]["message"]
    assert ask("GET", f"{NETWORKS}/main")[1]["subnetworks"] == [ask("GET", f"{SUBNETS}/a")[1]["selfLink"]]


def test_a_rule_without_sources_is_open_to_all_as_with_google(ask: Ask, fake: FakeGcp) -> None:
    ask("POST", NETWORKS, MAIN)
    ask("POST", FIREWALLS, RULE)
    assert fake.resource("global/firewalls/a")["sourceRanges"] == ["0.0.0.0/0"]


def test_a_request_id_is_done_once(ask: Ask, fake: FakeGcp) -> None:
    path = f"{NETWORKS}?requestId={uuid.uuid4()}"
    first, second = ask("POST", path, MAIN)[1], ask("POST", path, MAIN)[1]
    assert (first["name"], len(fake.state.resources)) == (second["name"], 1)


def test_operations_take_their_time(ask: Ask, fake: FakeGcp) -> None:
    fake.state.operation_seconds = 0.2
    operation = ask("POST", NETWORKS, MAIN)[1]
    assert operation["status"] == "RUNNING"
    status, answer = ask("POST", FIREWALLS, RULE)
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "resourceNotReady")
    started = time.monotonic()
    done = ask("POST", f"{PROJECT}/global/operations/{operation['name']}/wait")[1]
    assert (done["status"], time.monotonic() - started > 0.1) == ("DONE", True)
    assert ask("GET", f"{PROJECT}/global/operations/none")[0] == 404


def test_pages_and_filters(ask: Ask) -> None:
    for name in ("a", "b", "c"):
        ask("POST", NETWORKS, {**MAIN, "name": name})
    first = ask("GET", f"{NETWORKS}?maxResults=2")[1]
    rest = ask("GET", f"{NETWORKS}?maxResults=2&pageToken={first['nextPageToken']}")[1]
    assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
    assert "nextPageToken" not in rest
    assert [item["name"] for item in ask("GET", f"{NETWORKS}?filter=name%20%3D%20b")[1]["items"]] == ["b"]


def test_googles_generic_client(fake: FakeGcp, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its HTTP library knows no exception from a proxy.
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name)
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build

    api = build(
        "compute",
        "v1",
        credentials=Credentials("token"),
        static_discovery=True,
        client_options={"api_endpoint": f"{fake.endpoint}/compute/v1/"},
    )
    operation = api.networks().insert(project="demo-project", body=MAIN).execute()
    assert operation["status"] == "DONE"
    assert api.networks().get(project="demo-project", network="main").execute()["mtu"] == 1460
    assert fake.writes() == ["networks.insert main"]


SERVICES = {
    "networks": "Network",
    "subnetworks": "Subnetwork",
    "addresses": "Address",
    "routers": "Router",
    "firewalls": "Firewall",
    "instances": "Instance",
    "disks": "Disk",
    "resource_policies": "ResourcePolicy",
}


@pytest.mark.parametrize(("collection", "schema"), SERVICES.items())
def test_the_library_and_the_document_agree(collection: str, schema: str) -> None:
    """Every call that the library can make exists, and no field of its messages is unknown to the document."""
    from google.cloud.compute_v1 import types

    message = getattr(types, schema)
    fields = {field.json_name for field in message.pb(message()).DESCRIPTOR.fields}
    assert fields <= set(compute().schemas[schema]["properties"])
    rest = __import__(f"google.cloud.compute_v1.services.{collection}.transports.rest_base", fromlist=["x"])
    base = next(value for name, value in vars(rest).items() if name.endswith("RestTransport"))
    bindings = [value for name, value in vars(base).items() if name.startswith("_Base")]
    assert len(bindings) > 5
    for binding in bindings:
        for option in binding._get_http_options():
            path = option["uri"].replace("{project}", "demo-project").replace("{region}", "europe-west1")
            path = path.replace("{zone}", "europe-west1-b")
            compute().route(option["method"].upper(), "".join(c for c in path if c not in "{}").replace("_", "-"))
