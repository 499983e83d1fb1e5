"""What gcp_network refuses before the first call: variable, value, rule and fix."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import RunModule, document

SUBNET = {"name": "a", "range": "10.0.0.0/24"}
NAT = {"name": "out", "subnets": ["gateway"]}


def api(**changes: Any) -> dict[str, Any]:
    """A document whose one rule opens the paper gateway's API to Cloud Run's subnet, with options replaced."""
    rule = {"name": "api", "rules": [{"protocol": "tcp", "ports": ["4002"]}], "source_ranges": ["10.10.1.0/26"]}
    return {"firewalls": [{**rule, **changes}]}


def ports(*given: str) -> list[dict[str, Any]]:
    return [{"protocol": "tcp", "ports": list(given)}]


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "project": ({"project": "My Project"}, ["project is 'My Project'", "gcloud projects list"]),
    "zone for region": (
        {"region": "europe-west1-b"},
        ["region is 'europe-west1-b'", "its region, 'europe-west1'"],
    ),
    "no region": ({"region": "europe"}, ["region is 'europe': no region is called so", "gcloud compute regions list"]),
    "network's name": (
        {"network": {"name": "My_Net"}},
        ["network.name is 'My_Net'", "lower case", "Choose such"],
    ),
    "mtu": ({"network": {"name": "main", "mtu": 9000}}, ["network.mtu is 9000: Google takes 1300 to 8896"]),
    "subnet's name": ({"subnets": [{**SUBNET, "name": "a-"}]}, ["subnets[0].name is 'a-'"]),
    "two of a name": ({"subnets": [SUBNET, {**SUBNET, "range": "10.1.0.0/24"}]}, ["subnets names 'a' more than once"]),
    "no range": ({"subnets": [{**SUBNET, "range": "10.0.0.1/24"}]}, ["subnets[0].range is '10.0.0.1/24'", "host bits"]),
    "public subnet": ({"subnets": [{**SUBNET, "range": "8.8.8.0/24"}]}, ["subnets[0].range is '8.8.8.0/24'", "public"]),
    "too small": ({"subnets": [{**SUBNET, "range": "10.0.0.0/30"}]}, ["'10.0.0.0/30'", "has to be /29 or larger"]),
    "too small for Cloud Run": (
        {"subnets": [{**SUBNET, "range": "10.0.0.0/27", "use": "cloud_run"}]},
        ["subnets[0].range is '10.0.0.0/27': a subnet for cloud_run has to be /26 or larger"],
    ),
    "connector": (
        {"subnets": [{**SUBNET, "range": "10.0.0.0/26", "use": "connector"}]},
        ["a subnet for connector has to be /28."],
    ),
    "overlap": (
        {"subnets": [SUBNET, {"name": "b", "range": "10.0.0.128/25"}]},
        ["subnets[1].range is '10.0.0.128/25': it overlaps 10.0.0.0/24 of a"],
    ),
    "internal address without subnet": (
        {"addresses": [{"name": "x", "type": "INTERNAL"}]},
        ["addresses[0].subnet is None and its type INTERNAL"],
    ),
    "external address with subnet": ({"addresses": [{"name": "x", "subnet": "gateway"}]}, ["its type EXTERNAL"]),
    "label": ({"addresses": [{"name": "x", "labels": {"Env": "a"}}]}, ["addresses[0].labels has 'Env'"]),
    "NAT for all": (
        {"router": {"name": "r", "nats": [{**NAT, "subnets": []}]}},
        ["router.nats[0].subnets is []: a NAT for every subnet would take those of Cloud Run in"],
    ),
    "an address to keep and to give up": (
        {"router": {"name": "r", "nats": [{**NAT, "addresses": ["nat"], "draining": ["nat"]}]}},
        ["router.nats[0].draining has 'nat'", "Keep it in one of them"],
    ),
    "NAT's timeout": (
        {"router": {"name": "r", "nats": [{**NAT, "tcp_established_idle_timeout": 5}]}},
        ["router.nats[0].tcp_established_idle_timeout is 5"],
    ),
    "open to all": (
        api(rules=ports("22"), source_ranges=["0.0.0.0/0"]),
        ["firewalls[0].source_ranges is ['0.0.0.0/0'] (api)", "must not be open to all", "Name the ranges"],
    ),
    "open to all in two halves": (
        api(rules=ports("22"), source_ranges=["0.0.0.0/1", "128.0.0.0/1"]),
        ["together they are 0.0.0.0/0"],
    ),
    "API from the internet": (
        api(source_ranges=["10.0.0.0/8", "203.0.113.7/32"]),
        ["firewalls[0].source_ranges has 203.0.113.7/32 (api): the rule opens 4002", "Narrow the ranges"],
    ),
    "API in a range of ports": (
        api(rules=ports("4000-4001"), source_ranges=["35.235.240.0/20"]),
        ["the rule opens 4001"],
    ),
    "VNC": (api(rules=ports("5900"), source_ranges=["35.235.240.0/20"]), ["the rule opens 5900"]),
    "RDP": (api(rules=ports("3389"), source_ranges=["0.0.0.0/0"]), ["0.0.0.0/0"]),
    "TWS": (api(rules=ports("7496"), source_ranges=["35.235.240.0/20"]), ["the rule opens 7496"]),
    "every protocol": (
        api(rules=[{"protocol": "all"}], source_ranges=["35.235.240.0/20"]),
        ["the rule opens 3389, 4001, 4002, 4003, 4004, 5900, 7496, 7497, 7498, 7499"],
    ),
    "TCP by its number": (
        api(rules=[{"protocol": "6"}], source_ranges=["35.235.240.0/20"]),
        ["the rule opens 3389, 4001"],
    ),
    "tags": (
        api(source_tags=["cloud-run"]),
        ["firewalls[0].source_tags is ['cloud-run'] (api)", "carries no tag", "range of Cloud Run's whole subnet"],
    ),
    "no sources": (api(source_ranges=[]), ["source_ranges is [] (api): Google reads none as 0.0.0.0/0"]),
    "sources not given": (api(source_ranges=None), ["source_ranges is None (api)"]),
    "live with paper": (api(rules=ports("4001", "4002")), ["rules (api) open 4001, 4002: live and paper stay apart"]),
    "priority": (api(priority=70000), ["firewalls[0].priority is 70000: Google takes 0 to 65535"]),
    "rule's name": (api(name="API"), ["firewalls[0].name is 'API'"]),
    "no range of a source": (api(source_ranges=["10.0.0.0/33"]), ["source_ranges (api) is '10.0.0.0/33'"]),
    "port": (api(rules=ports("http")), ["firewalls[0].rules[0].ports has 'http' (api)"]),
    "port too large": (api(rules=ports("70000")), ["firewalls[0].rules[0].ports has '70000' (api)"]),
    "ports backwards": (api(rules=ports("20-10")), ["firewalls[0].rules[0].ports has '20-10' (api)"]),
    "ports of icmp": (api(rules=[{"protocol": "icmp", "ports": ["1"]}]), ["only tcp, udp, sctp have ports"]),
    "no protocols": (api(rules=[]), ["firewalls[0].rules is [] (api)"]),
    "two kinds of targets": (
        api(target_tags=["a"], target_service_accounts=["a@b.example"]),
        ["Keep target_service_accounts"],
    ),
    "sources of what goes out": (api(direction="EGRESS"), ["a rule for EGRESS has destination_ranges"]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_before_the_first_call(run: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], list[str]]) -> None:
    changes, parts = case
    refused = run(**changes)
    assert refused["failed"] is True
    for part in parts:
        assert part in refused["msg"]
    assert refused["msg"].endswith("Nothing was changed.")
    assert fake.calls == []


def test_all_problems_at_once(run: RunModule) -> None:
    message = run(region="europe-west1-b", **api(priority=-1, source_tags=["x"]))["msg"]
    for part in ("region is", "priority is -1", "source_tags is"):
        assert part in message


ALLOWED = {
    "IAP": api(name="ssh", rules=ports("22"), source_ranges=["35.235.240.0/20"]),
    "everything denied": api(action="deny", rules=[{"protocol": "all"}], source_ranges=["0.0.0.0/0"]),
    "what goes out": api(direction="EGRESS", source_ranges=None, destination_ranges=["0.0.0.0/0"]),
    "tags for what is not the API": api(rules=ports("22"), source_ranges=None, source_tags=["bastion"]),
    "carrier grade NAT": api(source_ranges=["100.64.0.0/10"]),
}


@pytest.mark.parametrize("changes", ALLOWED.values(), ids=list(ALLOWED))
def test_allowed(run: RunModule, changes: dict[str, Any]) -> None:
    assert run(**changes)["changed"] is True


def test_ranges_of_what_is_there(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.calls.clear()
    refused = run(subnets=[*document()["subnets"], {"name": "new", "range": "10.20.0.0/24"}], check=True)
    assert refused["changed"] is True
    fake.put("regions/europe-west1/subnetworks/run", ipCidrRange="10.20.0.0/16")
    refused = run(subnets=[document()["subnets"][0], {"name": "new", "range": "10.20.0.0/24"}])
    assert "subnets[1].range is '10.20.0.0/24' (new): it overlaps 10.20.0.0/16 of subnet run" in refused["msg"]
    assert fake.writes() == []


def test_names_that_nothing_has(run: RunModule, fake: FakeGcp) -> None:
    nat = {"name": "out", "addresses": ["none"], "draining": ["gone"], "subnets": ["nowhere"]}
    refused = run(addresses=[{"name": "x", "type": "INTERNAL", "subnet": "lost"}], router={"name": "r", "nats": [nat]})
    for part in (
        "router.nats[0].addresses[0] is 'none'",
        "router.nats[0].draining[0] is 'gone'",
        "router.nats[0].subnets[0] is 'nowhere'",
        "addresses[0].subnet is 'lost'",
    ):
        assert part in refused["msg"]
    assert fake.writes() == []
