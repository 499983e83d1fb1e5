"""gcp_network when Google, the network or another user interferes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import DOCUMENT, KilledAfter, RunModule

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import client
from ansible_collections.ibops.gateway.plugins.modules import gcp_network_info

SUBNET, ADDRESS = "regions/europe-west1/subnetworks/gateway", "regions/europe-west1/addresses/nat"
ROUTER, API = "regions/europe-west1/routers/router", "global/firewalls/api"

PASSING = [
    ("networks.get", {"status": 503}),
    ("firewalls.list", {"status": 429}),
    ("routers.list", {"drop": "before"}),
    ("networks.insert", {"status": 503, "times": 3}),
    ("subnetworks.insert", {"drop": "before"}),
    ("firewalls.insert", {"drop": "after"}),
    ("addresses.insert", {"drop": "after", "times": 2}),
    ("routers.insert", {"seconds": 0.2}),
    ("globalOperations.wait", {"status": 503}),
    ("regionOperations.wait", {"drop": "before"}),
]


@pytest.mark.parametrize(("method", "fault"), PASSING, ids=[f"{m} {f}" for m, f in PASSING])
def test_what_passes_is_waited_for(run: RunModule, fake: FakeGcp, method: str, fault: dict[str, Any]) -> None:
    if method.endswith("wait"):
        fake.state.operation_seconds = 0.02
    fake.fault(method, **fault)
    done = run()
    assert len(done["actions"]) == 8
    assert len(fake.state.resources) == 8
    assert not fake.faults.waiting
    ids = [call.request_id for call in fake.calls if call.method == method and call.verb == "POST"]
    if method.endswith("insert") and "seconds" not in fault:
        assert len(ids) - len(set(ids)) == fault.get("times", 1)
    assert run()["changed"] is False


def test_patience_with_what_is_down_has_an_end(run: RunModule, fake: FakeGcp) -> None:
    fake.fault("networks.insert", status=503, times=100)
    failed = run()
    assert failed["msg"].startswith("networks.insert main: On order. (HTTP 503) ")
    assert len([call for call in fake.calls if call.method == "networks.insert"]) == client.ATTEMPTS


def test_an_operation_that_fails_after_200(run: RunModule, fake: FakeGcp) -> None:
    fake.fault("addresses.insert", operation_error=("QUOTA_EXCEEDED", "Quota 'STATIC_ADDRESSES' exceeded."))
    failed = run(addresses=DOCUMENT["addresses"][:1])
    assert failed["failed"] is True
    assert "addresses.insert nat: a quota is used up: Quota 'STATIC_ADDRESSES' exceeded." in failed["msg"]
    assert failed["changed"] is True
    assert "routers.insert router" not in failed["actions"]
    assert "routers.insert router" in run()["actions"]


def test_any_other_failed_operation(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(API, priority=1)
    fake.fault("firewalls.update", operation_error=("INTERNAL_ERROR", "It broke."))
    failed = run()
    assert failed["msg"].startswith("firewalls.update api: INTERNAL_ERROR: It broke.")
    assert failed["changed"] is False


def test_quota_at_once(run: RunModule, fake: FakeGcp) -> None:
    fake.state.quota["networks"] = 0
    failed = run()
    assert "networks.insert main: a quota is used up: Quota 'NETWORKS' exceeded." in failed["msg"]
    assert "Release what is unused or ask Google for more" in failed["msg"]


def test_a_deadline_for_everything(run: RunModule, fake: FakeGcp) -> None:
    fake.wait_seconds = 0.05
    fake.fault("networks.insert", seconds=2.5)
    failed = run(timeout=1.5)
    assert "networks.insert main: not done within the 1.5 s of timeout; Google goes on with it" in failed["msg"]
    # The network is still being made, and what needs it waits for it; one address needs nothing.
    assert len(run()["actions"]) == 6
    assert len(fake.state.resources) == 8


@pytest.mark.parametrize("times", [1, 2])
def test_one_more_try_after_412(run: RunModule, fake: FakeGcp, times: int) -> None:
    run()
    fake.put(SUBNET, logConfig={"enable": True})
    fake.fault("subnetworks.patch", status=412, times=times)
    done = run()
    assert done.get("failed", False) is (times == 2)
    if times == 1:
        assert done["actions"] == ["subnetworks.patch gateway"]
        assert run()["changed"] is False


def test_a_stale_fingerprint(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(ADDRESS, labels={"ibops-gateway": "main"})

    def race() -> None:
        fake.put(ADDRESS, labels={"ibops-gateway": "main", "from": "elsewhere"})

    fake.fault("addresses.setLabels", before=race)
    assert run()["actions"] == ["addresses.setLabels nat"]
    assert [call.status for call in fake.calls if call.method == "addresses.setLabels"] == [412, 200]
    assert fake.resource(ADDRESS)["labels"] == {"ibops-gateway": "main", "env": "paper"}


@pytest.mark.parametrize(("theirs", "mended"), [("10.10.1.0/26", []), ("0.0.0.0/0", ["firewalls.update api"])])
def test_somebody_makes_the_same_at_the_same_time(
    run: RunModule, fake: FakeGcp, theirs: str, mended: list[str]
) -> None:
    run()
    entry = fake.state.resources.pop(f"projects/demo-project/{API}")
    entry.body["sourceRanges"] = [theirs]
    fake.fault("firewalls.insert", before=lambda: fake.state.resources.update({f"projects/demo-project/{API}": entry}))
    fake.calls.clear()
    assert run()["actions"] == mended
    assert fake.writes() == ["firewalls.insert api", *mended]
    assert fake.resource(API)["sourceRanges"] == ["10.10.1.0/26"]
    assert run()["changed"] is False


def test_gone_meanwhile(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.fault("firewalls.delete", before=lambda: fake.state.resources.pop(f"projects/demo-project/{API}") and None)
    assert run(state="absent")["changed"] is True
    assert fake.state.resources == {}


def test_nats_that_came_meanwhile_are_kept(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(ROUTER, description="somebody's")
    nats = fake.resource(ROUTER)["nats"]
    fake.put(ROUTER, nats=[{**nats[0], "minPortsPerVm": 128}])
    # Between our first look and the write.
    other = {**nats[0], "name": "other", "natIpAllocateOption": "AUTO_ONLY", "natIps": []}
    fake.fault("routers.get", before=lambda: fake.put(ROUTER, nats=[{**nats[0], "minPortsPerVm": 128}, other]))
    assert run()["actions"] == ["routers.patch router"]
    assert [nat["name"] for nat in fake.resource(ROUTER)["nats"]] == ["other", "out"]


@pytest.mark.parametrize("writes", range(9))
@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_between_two_writes(
    run: RunModule, fake: FakeGcp, killed_after: KilledAfter, state: str, writes: int
) -> None:
    if state == "absent":
        run()
    with killed_after(writes):
        run(state=state)
    run(state=state)
    again = run(state=state)
    assert (again["changed"], len(fake.state.resources)) == (False, 8 if state == "present" else 0)


def test_the_api_is_not_enabled(run: RunModule, fake: FakeGcp) -> None:
    fake.enabled = False
    failed = run()
    assert "the API compute.googleapis.com is not enabled in project demo-project" in failed["msg"]
    assert "`gcloud services enable compute.googleapis.com --project demo-project`" in failed["msg"]


def test_a_token_that_is_not_accepted(run: RunModule) -> None:
    failed = run(access_token="other")
    assert "the credentials give no access" in failed["msg"] or "does not accept the credentials" in failed["msg"]


def test_no_credentials(run: RunModule, fake: FakeGcp) -> None:
    failed = run(access_token=None)
    for kind in ("access_token", "credentials_file", "GOOGLE_APPLICATION_CREDENTIALS", "gcloud's", "metadata server"):
        assert kind in failed["msg"]
    assert fake.calls == []


def test_a_key_file_that_is_none(run: RunModule, tmp_path: Any) -> None:
    failed = run(access_token=None, credentials_file=str(tmp_path / "none.json"))
    assert failed["msg"].startswith(f"credentials_file is '{tmp_path}/none.json': ")


def test_nothing_goes_to_the_real_google(run: RunModule) -> None:
    failed = run(gcp_network_info.main, api_endpoint=None)
    assert failed["failed"] is True
    assert "no answer from the API" in failed["msg"]
    assert "proxy" in failed["msg"].lower()


@pytest.mark.parametrize("ending", ["", "/", "/compute/v1", "/compute/v1/"])
def test_forms_of_the_endpoint(run: RunModule, fake: FakeGcp, ending: str) -> None:
    assert run(gcp_network_info.main, api_endpoint=fake.endpoint + ending)["resources"]["network"] is None


def test_every_wait_is_at_our_endpoint(run: RunModule, fake: FakeGcp) -> None:
    fake.state.operation_seconds = 0.05
    run()
    assert len([call for call in fake.calls if call.method.endswith("Operations.wait")]) >= 8
    writes = [call for call in fake.calls if call.verb != "GET" and not call.method.endswith("wait")]
    assert len({call.request_id for call in writes} - {None}) == len(writes)
