"""gcp_network against the fake: a life cycle, and drift of every field, corrected."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fake_gcp import state
from tests.fake_gcp.links import HOST
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import DOCUMENT, RunModule, document, ids

from ansible_collections.ibops.gateway.plugins.modules import gcp_network_info

PROJECT = "projects/demo-project"
GATEWAY = f"{HOST}{PROJECT}/regions/europe-west1/subnetworks/gateway"
NAT_IP = f"{HOST}{PROJECT}/regions/europe-west1/addresses/nat"
EVERYTHING = {
    "networks.insert main",
    "subnetworks.insert gateway",
    "subnetworks.insert run",
    "addresses.insert nat",
    "addresses.insert paper",
    "routers.insert router",
    "firewalls.insert api",
    "firewalls.insert deny",
}


def firewall(**changes: Any) -> list[dict[str, Any]]:
    """The firewalls of DOCUMENT with options of the first one replaced."""
    first, *others = document()["firewalls"]
    return [{**first, **changes}, *others]


def nat(**changes: Any) -> dict[str, Any]:
    """The router of DOCUMENT with options of its NAT replaced."""
    return {"name": "router", "nats": [{**document()["router"]["nats"][0], **changes}]}


def nat_as_it_is(**changes: Any) -> list[dict[str, Any]]:
    """The NAT as the API has it, with fields replaced."""
    return [
        {
            "name": "out",
            "natIpAllocateOption": "MANUAL_ONLY",
            "natIps": [NAT_IP],
            "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
            "subnetworks": [{"name": GATEWAY, "sourceIpRangesToNat": ["PRIMARY_IP_RANGE"]}],
            "tcpEstablishedIdleTimeoutSec": 7200,
            "minPortsPerVm": 64,
            "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
            **changes,
        }
    ]


def test_create_repeat_remove(run: RunModule, fake: FakeGcp) -> None:
    predicted = run(check=True)
    assert (predicted["changed"], fake.writes()) == (True, [])
    made = run()
    assert set(fake.writes()) == set(made["actions"]) == set(predicted["actions"]) == EVERYTHING
    assert made["diff"] == predicted["diff"]
    assert made["actions"].index("networks.insert main") < made["actions"].index("subnetworks.insert run")
    assert made["resources"]["addresses"]["nat"]["address"] == "203.0.113.1"
    fake.calls.clear()
    again = run()
    assert (again["changed"], again["actions"], fake.writes()) == (False, [], [])
    assert again["diff"] == {"before": {}, "after": {}}
    assert run(gcp_network_info.main)["resources"] == again["resources"] == made["resources"]

    fake.calls.clear()
    predicted = run(state="absent", check=True)
    assert (predicted["changed"], fake.writes()) == (True, [])
    gone = run(state="absent")
    assert gone["diff"] == predicted["diff"]
    deletions = {each.replace("insert", "delete") for each in EVERYTHING}
    assert set(gone["actions"]) == set(predicted["actions"]) == deletions
    assert gone["actions"][-2:] == ["networks.delete main", "addresses.delete nat"]
    assert fake.state.resources == {}
    fake.calls.clear()
    again = run(state="absent")
    assert (again["changed"], fake.writes()) == (False, [])


@dataclass(frozen=True)
class Drift:
    """A field changed behind our back, and the calls that correct it."""

    path: str
    fields: dict[str, Any]
    mended: list[str]
    document: dict[str, Any] = field(default_factory=dict)


REGION = "regions/europe-west1"
NETWORK, API = "global/networks/main", "global/firewalls/api"
SUBNET, ADDRESS, ROUTER = f"{REGION}/subnetworks/gateway", f"{REGION}/addresses/nat", f"{REGION}/routers/router"
UPDATE, NATS = ["firewalls.update api"], ["routers.patch router"]
LOGGED = {"enable": True, "aggregationInterval": "INTERVAL_5_SEC", "flowSampling": 0.5}
RUN = {"name": "run", "range": "10.10.1.0/26", "use": "cloud_run"}

DRIFTS = {
    "network's mtu": Drift(NETWORK, {"mtu": 1500}, ["networks.patch main"]),
    "routing mode": Drift(NETWORK, {"routingConfig": {"routingMode": "GLOBAL"}}, ["networks.patch main"]),
    "private access": Drift(SUBNET, {"privateIpGoogleAccess": False}, ["subnetworks.setPrivateIpGoogleAccess gateway"]),
    "flow logs": Drift(SUBNET, {"logConfig": LOGGED}, ["subnetworks.patch gateway"]),
    "flow logs' sampling": Drift(
        SUBNET,
        {"logConfig": LOGGED},
        ["subnetworks.patch gateway"],
        {
            "subnets": [
                {"name": "gateway", "range": "10.10.0.0/28", "flow_logs": {"enabled": True, "sampling": 0.25}},
                RUN,
            ]
        },
    ),
    "a subnet to widen": Drift(SUBNET, {"ipCidrRange": "10.10.0.8/29"}, ["subnetworks.expandIpCidrRange gateway"]),
    "all of a subnet": Drift(
        SUBNET,
        {"ipCidrRange": "10.10.0.8/29", "privateIpGoogleAccess": False, "logConfig": LOGGED},
        [
            "subnetworks.patch gateway",
            "subnetworks.setPrivateIpGoogleAccess gateway",
            "subnetworks.expandIpCidrRange gateway",
        ],
    ),
    "labels": Drift(ADDRESS, {"labels": {"ibops-gateway": "main", "x": "y"}}, ["addresses.setLabels nat"]),
    "NAT's timeout": Drift(ROUTER, {"nats": nat_as_it_is(tcpEstablishedIdleTimeoutSec=1200)}, NATS),
    "NAT's ports": Drift(ROUTER, {"nats": nat_as_it_is(minPortsPerVm=128)}, NATS),
    "NAT's log": Drift(ROUTER, {"nats": nat_as_it_is(logConfig={"enable": False})}, NATS),
    "NAT's addresses": Drift(ROUTER, {"nats": nat_as_it_is(natIpAllocateOption="AUTO_ONLY", natIps=[])}, NATS),
    "NAT for all subnets": Drift(
        ROUTER,
        {"nats": nat_as_it_is(sourceSubnetworkIpRangesToNat="ALL_SUBNETWORKS_ALL_IP_RANGES", subnetworks=[])},
        NATS,
    ),
    "another NAT": Drift(
        ROUTER,
        {"nats": [*nat_as_it_is(), *nat_as_it_is(name="more", natIpAllocateOption="AUTO_ONLY", natIps=[])]},
        NATS,
    ),
    "no NAT": Drift(ROUTER, {"nats": None}, NATS),
    "NAT to Google's own addresses": Drift(ROUTER, {"nats": nat_as_it_is()}, NATS, {"router": nat(addresses=[])}),
    "the last NAT removed": Drift(
        ROUTER, {"nats": nat_as_it_is()}, ["routers.update router"], {"router": {"name": "router", "nats": []}}
    ),
    # Accepted by google.cloud.gcp_compute_firewall 1.10.2.
    "a rule open to all": Drift(API, {"sourceRanges": ["0.0.0.0/0", "10.10.1.0/26"]}, UPDATE),
    "another port": Drift(API, {"allowed": [{"IPProtocol": "tcp", "ports": ["4002", "22"]}]}, UPDATE),
    "all ports": Drift(API, {"allowed": [{"IPProtocol": "tcp"}]}, UPDATE),
    "another protocol": Drift(
        API, {"allowed": [{"IPProtocol": "tcp", "ports": ["4002"]}, {"IPProtocol": "udp"}]}, UPDATE
    ),
    "another target": Drift(API, {"targetTags": ["paper", "extra"]}, UPDATE),
    "targets cleared": Drift(API, {"targetTags": ["extra"]}, UPDATE, {"firewalls": firewall(target_tags=[])}),
    "sources by tag": Drift(API, {"sourceTags": ["anyone"]}, UPDATE),
    "sources by account": Drift(API, {"sourceServiceAccounts": ["a@b.example"], "targetTags": []}, UPDATE),
    "destinations cleared": Drift(
        API, {"destinationRanges": ["10.10.0.2/32"]}, UPDATE, {"firewalls": firewall(destination_ranges=[])}
    ),
    "priority": Drift(API, {"priority": 1}, UPDATE),
    "the highest priority": Drift(API, {"priority": 1}, UPDATE, {"firewalls": firewall(priority=0)}),
    "log": Drift(API, {"logConfig": {"enable": False}}, UPDATE),
    "log off": Drift(
        API,
        {"logConfig": {"enable": True, "metadata": "INCLUDE_ALL_METADATA"}},
        UPDATE,
        {"firewalls": firewall(log=False)},
    ),
    "disabled": Drift(API, {"disabled": True}, UPDATE),
    "description": Drift(API, {"description": "other"}, UPDATE),
    "rule no longer listed": Drift(API, {}, ["firewalls.delete deny"], {"firewalls": firewall()[:1]}),
    "no rules left": Drift(API, {}, ["firewalls.delete api", "firewalls.delete deny"], {"firewalls": []}),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=list(DRIFTS))
def test_drift_is_mended_by_the_right_call(run: RunModule, fake: FakeGcp, drift: Drift) -> None:
    run()
    fake.put(drift.path, **drift.fields)
    fake.calls.clear()
    predicted = run(check=True, **drift.document)
    assert (sorted(predicted["actions"]), fake.writes()) == (sorted(drift.mended), [])
    mended = run(**drift.document)
    assert sorted(mended["actions"]) == sorted(drift.mended)
    assert mended["actions"] == fake.writes() or len(drift.mended) > 1
    assert mended["diff"] == predicted["diff"] != {"before": {}, "after": {}}
    fake.calls.clear()
    assert (run(**drift.document)["changed"], fake.writes()) == (False, [])


LEFT_ALONE = {
    "network": ({"network": {"name": "main"}}, NETWORK, {"mtu": 1500}),
    "subnet": (
        {"subnets": [{"name": "gateway", "range": "10.10.0.0/28"}, RUN]},
        SUBNET,
        {"privateIpGoogleAccess": False, "logConfig": LOGGED},
    ),
    "labels": ({"addresses": [{"name": "nat"}]}, ADDRESS, {"labels": {"ibops-gateway": "main", "env": "live"}}),
    "a NAT's fields": (
        {"router": {"name": "router", "nats": [{"name": "out", "subnets": ["gateway"]}]}},
        ROUTER,
        {"nats": nat_as_it_is(minPortsPerVm=128, logConfig={"enable": False}, icmpIdleTimeoutSec=60)},
    ),
    "NATs": ({"router": {"name": "router"}}, ROUTER, {"nats": None}),
    "no router": ({"router": None}, ROUTER, {"nats": None}),
    "no rules": ({"firewalls": None}, API, {"sourceRanges": ["10.0.0.0/8"]}),
    "the order of lists": (
        {"firewalls": firewall(source_ranges=["10.10.2.0/26", "10.10.1.0/26"], rules=[
            {"protocol": "tcp", "ports": ["4002"]}, {"protocol": "tcp", "ports": ["22"]}
        ])},
        API,
        {"sourceRanges": ["10.10.1.0/26", "10.10.2.0/26"], "allowed": [{"IPProtocol": "tcp", "ports": ["22", "4002"]}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_ALONE.values(), ids=list(LEFT_ALONE))
def test_what_is_not_given_is_left_alone(
    run: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], str, dict[str, Any]]
) -> None:
    changes, path, fields = case
    run()
    fake.put(path, **fields)
    fake.calls.clear()
    assert (run(**changes)["actions"], fake.writes()) == ([], [])


IMMUTABLE = {
    "auto mode": (NETWORK, {"autoCreateSubnetworks": True}, "networks/main.autoCreateSubnetworks"),
    "a subnet narrowed": (SUBNET, {"ipCidrRange": "10.10.0.0/24"}, "subnetworks/gateway.ipCidrRange"),
    "a subnet elsewhere": (SUBNET, {"ipCidrRange": "10.20.0.0/28"}, "subnetworks/gateway.ipCidrRange"),
    "an address's type": (f"{REGION}/addresses/paper", {"addressType": "EXTERNAL"}, "addresses/paper.addressType"),
    "a rule's direction": (
        "global/firewalls/deny",
        {"direction": "EGRESS", "sourceRanges": None},
        "firewalls/deny.direction",
    ),
    "a rule's action": (API, {"allowed": None, "denied": [{"IPProtocol": "all"}]}, "firewalls/api.allowed"),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("case", IMMUTABLE.values(), ids=list(IMMUTABLE))
def test_what_google_cannot_change_is_refused_by_name(
    run: RunModule, fake: FakeGcp, case: tuple[str, dict[str, Any], str], check: bool
) -> None:
    path, fields, variable = case
    run()
    fake.put(path, **fields)
    fake.calls.clear()
    refused = run(check=check)
    assert refused["failed"] is True
    assert f"gcp-immutable {variable}" in ids(refused)
    assert fake.writes() == []


@pytest.mark.parametrize("kind", ["network", "subnet", "address", "tier"])
def test_more_that_cannot_change(run: RunModule, fake: FakeGcp, kind: str) -> None:
    run()
    wanted: dict[str, tuple[dict[str, Any], str]] = {
        "network": ({"firewalls": None, "router": {"name": "router"}, "network": {"name": "second"}, "subnets": None,
                     "addresses": None}, "routers/router.network"),
        "subnet": ({"addresses": [{"name": "nat"}, {"name": "paper", "type": "INTERNAL", "subnet": "run"}]},
                   "addresses/paper.subnetwork"),
        "address": ({"addresses": [{"name": "nat", "address": "203.0.113.9"}]}, "addresses/nat.address"),
        "tier": ({"addresses": [{"name": "nat", "tier": "STANDARD"}]}, "addresses/nat.networkTier"),
    }  # fmt: skip
    changes, variable = wanted[kind]
    fake.calls.clear()
    assert f"gcp-immutable {variable}" in ids(run(**changes))
    assert fake.writes() == []


def test_an_address_is_given_up_gently(run: RunModule, fake: FakeGcp) -> None:
    run()
    more = [*document()["addresses"], {"name": "next"}]
    given_up = {"addresses": more, "router": nat(addresses=["next"], draining=["nat"])}
    fake.calls.clear()
    assert run(**given_up)["actions"] == ["addresses.insert next", "routers.patch router"]
    found = fake.resource(ROUTER)["nats"][0]
    assert (found["natIps"], found["drainNatIps"]) == ([NAT_IP.replace("/nat", "/next")], [NAT_IP])
    assert run(**given_up)["changed"] is False
    # Not said, left alone.
    assert run(addresses=more, router=nat(addresses=["next"]))["changed"] is False
    fake.state.resources.pop(f"{PROJECT}/{ROUTER}")
    assert run(**given_up)["actions"] == ["routers.insert router"]
    assert run(**given_up)["changed"] is False
    fake.put(ROUTER, nats=nat_as_it_is(natIps=[NAT_IP.replace("/nat", "/next")], drainNatIps=[NAT_IP]))
    ended = {"addresses": more, "router": nat(addresses=["next"], draining=[])}
    assert run(**ended)["actions"] == ["routers.patch router"]
    assert fake.resource(ROUTER)["nats"][0].get("drainNatIps", []) == []
    assert run(**ended)["changed"] is False


def test_recreate(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(API, allowed=None, denied=[{"IPProtocol": "all"}])
    fake.calls.clear()
    predicted = run(check=True, recreate=True)
    assert fake.writes() == []
    done = run(recreate=True)
    assert done["actions"] == predicted["actions"] == ["firewalls.delete api", "firewalls.insert api"]
    assert done["diff"] == predicted["diff"]
    assert run()["changed"] is False


def test_what_is_not_ours_is_not_recreated(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(API, allowed=None, denied=[{"IPProtocol": "all"}], description="mine")
    fake.calls.clear()
    assert "gcp-immutable-foreign firewalls/api.allowed" in ids(run(recreate=True))
    assert fake.writes() == []


def test_absent_keeps_what_is_not_ours(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(NETWORK, description="")
    fake.put(API, description="somebody's")
    fake.put(ADDRESS, labels={"env": "live"})
    gone = run(state="absent")
    assert gone["kept"] == ["networks/main", "firewalls/api"]
    assert set(fake.state.resources) == {f"{PROJECT}/{path}" for path in (NETWORK, API, ADDRESS)}


def test_absent_says_first_what_is_in_the_way(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.put(API, description="somebody's")
    fake.calls.clear()
    refused = run(state="absent")
    assert ids(refused) == ["gcp-in-use networks/main"]
    assert "global/firewalls/api uses it" in refused["msg"]
    assert fake.writes() == []


def test_what_was_there_before_is_used_and_stays_as_it_is(run: RunModule, fake: FakeGcp) -> None:
    run()
    for path in (NETWORK, SUBNET, ROUTER):
        fake.put(path, description="terraform")
    more = nat_as_it_is(name="more", natIpAllocateOption="AUTO_ONLY", natIps=[])
    fake.put(ROUTER, nats=[*more, *nat_as_it_is(minPortsPerVm=128)])
    fake.put(ADDRESS, labels={"team": "x"})
    changes = {"addresses": DOCUMENT["addresses"][1:], "firewalls": firewall()}
    assert run(**changes)["actions"] == ["routers.patch router"]
    assert [nat["name"] for nat in fake.resource(ROUTER)["nats"]] == ["more", "out"]
    assert fake.resource(ADDRESS)["labels"] == {"team": "x"}


def test_independent_resources_are_made_at_the_same_time(run: RunModule, fake: FakeGcp) -> None:
    fake.state.operation_seconds = 1
    started = time.monotonic()
    made = run()
    elapsed = time.monotonic() - started
    assert made["changed"] is True
    # The longest chain is network, subnet, internal address or router; one after the other it were eight.
    assert elapsed < 1.3 * 3


@pytest.mark.parametrize("method", ["firewalls.update", "subnetworks.patch", "addresses.setLabels", "routers.patch"])
def test_done_is_looked_at(run: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """An update that Google acknowledges and that has no effect."""
    run()
    fake.put(API, priority=1)
    fake.put(SUBNET, logConfig={"enable": True})
    fake.put(ADDRESS, labels={"ibops-gateway": "main"})
    fake.put(ROUTER, nats=nat_as_it_is(minPortsPerVm=128))
    idle = {method: lambda found, request: found.change(request, found.entry(request.target).body)}
    monkeypatch.setattr(state, "ACTIONS", {**state.ACTIONS, **idle})
    failed = run()
    assert f"answered that all is done, and a second look asks for {method} " in failed["msg"]
    assert failed["changed"] is True
    assert len(failed["actions"]) == 4
