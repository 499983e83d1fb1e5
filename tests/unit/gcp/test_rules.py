"""Module gcp_network refuses options before the first call."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import RunModule, document, ids

SUBNET = {"name": "a", "range": "10.0.0.0/24"}
NAT = {"name": "out", "subnets": ["gateway"]}


def api(**changes: Any) -> dict[str, Any]:
    """A document whose one rule opens the paper gateway's API to Cloud Run's subnet, with options replaced."""
    rule = {"name": "api", "rules": [{"protocol": "tcp", "ports": ["4002"]}], "source_ranges": ["10.10.1.0/26"]}
    return {"firewalls": [{**rule, **changes}]}


def ports(*given: str) -> list[dict[str, Any]]:
    return [{"protocol": "tcp", "ports": list(given)}]


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "project": ({"project": "My Project"}, ["gcp-project project"]),
    "zone for region": (
        {"region": "europe-west1-b"},
        ["gcp-region-is-zone region"],
    ),
    "no region": ({"region": "europe"}, ["gcp-region region"]),
    "network's name": (
        {"network": {"name": "My_Net"}},
        ["gcp-name network.name"],
    ),
    "mtu": ({"network": {"name": "main", "mtu": 9000}}, ["gcp-limits network.mtu"]),
    "subnet's name": ({"subnets": [{**SUBNET, "name": "a-"}]}, ["gcp-name subnets[0].name"]),
    "two of a name": ({"subnets": [SUBNET, {**SUBNET, "range": "10.1.0.0/24"}]}, ["gcp-repeated subnets"]),
    "no range": ({"subnets": [{**SUBNET, "range": "10.0.0.1/24"}]}, ["gcp-range subnets[0].range"]),
    "public subnet": ({"subnets": [{**SUBNET, "range": "8.8.8.0/24"}]}, ["gcp-subnet-public subnets[0].range"]),
    "too small": ({"subnets": [{**SUBNET, "range": "10.0.0.0/30"}]}, ["gcp-subnet-size subnets[0].range"]),
    "too small for Cloud Run": (
        {"subnets": [{**SUBNET, "range": "10.0.0.0/27", "use": "cloud_run"}]},
        ["gcp-subnet-size subnets[0].range"],
    ),
    "connector": (
        {"subnets": [{**SUBNET, "range": "10.0.0.0/26", "use": "connector"}]},
        ["gcp-subnet-size subnets[0].range"],
    ),
    "overlap": (
        {"subnets": [SUBNET, {"name": "b", "range": "10.0.0.128/25"}]},
        ["gcp-subnet-overlap subnets[1].range"],
    ),
    "internal address without subnet": (
        {"addresses": [{"name": "x", "type": "INTERNAL"}]},
        ["gcp-address-subnet addresses[0].subnet"],
    ),
    "external address with subnet": (
        {"addresses": [{"name": "x", "subnet": "gateway"}]},
        ["gcp-address-subnet addresses[0].subnet"],
    ),
    "internal address with a tier": (
        {"addresses": [{"name": "x", "type": "INTERNAL", "subnet": "gateway", "tier": "PREMIUM"}]},
        ["gcp-address-tier addresses[0].tier"],
    ),
    "label": ({"addresses": [{"name": "x", "labels": {"Env": "a"}}]}, ["gcp-label addresses[0].labels.Env"]),
    "NAT for all": (
        {"router": {"name": "r", "nats": [{**NAT, "subnets": []}]}},
        ["gcp-nat-subnets router.nats[0].subnets"],
    ),
    "an address to keep and to give up": (
        {"router": {"name": "r", "nats": [{**NAT, "addresses": ["nat"], "draining": ["nat"]}]}},
        ["gcp-nat-draining router.nats[0].draining"],
    ),
    "NAT's timeout": (
        {"router": {"name": "r", "nats": [{**NAT, "tcp_established_idle_timeout": 5}]}},
        ["gcp-limits router.nats[0].tcp_established_idle_timeout"],
    ),
    "open to all": (
        api(rules=ports("22"), source_ranges=["0.0.0.0/0"]),
        ["gcp-rule-open-to-all firewalls[0].source_ranges"],
    ),
    "open to all in two halves": (
        api(rules=ports("22"), source_ranges=["0.0.0.0/1", "128.0.0.0/1"]),
        ["gcp-rule-open-to-all firewalls[0].source_ranges"],
    ),
    "API from the internet": (
        api(source_ranges=["10.0.0.0/8", "203.0.113.7/32"]),
        ["gcp-rule-api-public firewalls[0].source_ranges"],
    ),
    "API in a range of ports": (
        api(rules=ports("4000-4001"), source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges"],
    ),
    "VNC": (
        api(rules=ports("5900"), source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges"],
    ),
    "RDP": (
        api(rules=ports("3389"), source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges"],
    ),
    "TWS": (
        api(rules=ports("7496"), source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges"],
    ),
    "every protocol": (
        api(rules=[{"protocol": "all"}], source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges", "gcp-rule-live-and-paper firewalls[0].rules"],
    ),
    "TCP by its number": (
        api(rules=[{"protocol": "6"}], source_ranges=["35.235.240.0/20"]),
        ["gcp-rule-api-public firewalls[0].source_ranges", "gcp-rule-live-and-paper firewalls[0].rules"],
    ),
    "tags": (
        api(source_tags=["cloud-run"]),
        ["gcp-rule-api-tags firewalls[0].source_tags"],
    ),
    "no sources": (api(source_ranges=[]), ["gcp-rule-no-sources firewalls[0].source_ranges"]),
    "sources not given": (api(source_ranges=None), ["gcp-rule-no-sources firewalls[0].source_ranges"]),
    "live with paper": (api(rules=ports("4001", "4002")), ["gcp-rule-live-and-paper firewalls[0].rules"]),
    "priority": (api(priority=70000), ["gcp-limits firewalls[0].priority"]),
    "rule's name": (api(name="API"), ["gcp-name firewalls[0].name"]),
    "no range of a source": (api(source_ranges=["10.0.0.0/33"]), ["gcp-range firewalls[0].source_ranges[0]"]),
    "port": (api(rules=ports("http")), ["gcp-rule-port firewalls[0].rules[0].ports[0]"]),
    "port too large": (api(rules=ports("70000")), ["gcp-rule-port firewalls[0].rules[0].ports[0]"]),
    "ports backwards": (api(rules=ports("20-10")), ["gcp-rule-port firewalls[0].rules[0].ports[0]"]),
    "ports of icmp": (
        api(rules=[{"protocol": "icmp", "ports": ["1"]}]),
        ["gcp-rule-no-ports firewalls[0].rules[0].ports"],
    ),
    "protocol": (
        api(rules=[{"protocol": "TCP/IP"}]),
        ["gcp-rule-protocol firewalls[0].rules[0].protocol"],
    ),
    "no protocols": (api(rules=[]), ["gcp-rule-empty firewalls[0].rules"]),
    "two kinds of targets": (
        api(target_tags=["a"], target_service_accounts=["a@b.example"]),
        ["gcp-rule-targets firewalls[0].target_tags"],
    ),
    "sources of what goes out": (api(direction="EGRESS"), ["gcp-rule-egress-sources firewalls[0].source_ranges"]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_before_the_first_call(run: RunModule, fake: FakeGcp, case: tuple[dict[str, Any], list[str]]) -> None:
    changes, expected = case
    refused = run(**changes)
    assert refused["failed"] is True
    assert [f"{each['id']} {each['variable']}" for each in refused["problems"]] == expected
    assert refused["msg"].endswith("Nothing was changed.")
    assert fake.calls == []


@pytest.mark.parametrize(
    ("rules", "opened"),
    [
        (ports("4000-4001"), "4001"),
        (ports("5900"), "5900"),
        ([{"protocol": "all"}], "3389, 4001, 4002, 4003, 4004, 5900, 7496, 7497, 7498, 7499"),
        ([{"protocol": "6"}], "3389, 4001, 4002, 4003, 4004, 5900, 7496, 7497, 7498, 7499"),
    ],
)
def test_the_ports_that_a_rule_opens_are_told(run: RunModule, rules: list[dict[str, Any]], opened: str) -> None:
    refused = run(**api(rules=rules, source_ranges=["35.235.240.0/20"]))
    assert f"35.235.240.0/20 may reach {opened}, and" in refused["problems"][0]["wrong"]


def test_all_problems_at_once(run: RunModule) -> None:
    found = run(region="europe-west1-b", **api(priority=-1, source_tags=["x"]))["problems"]
    assert [each["id"] for each in found] == ["gcp-region-is-zone", "gcp-limits", "gcp-rule-api-tags"]


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
    assert ids(refused) == ["gcp-subnet-taken subnets[1].range"]
    assert "10.20.0.0/16 of subnet run" in refused["msg"]
    assert fake.writes() == []


def test_names_that_nothing_has(run: RunModule, fake: FakeGcp) -> None:
    nat = {"name": "out", "addresses": ["none"], "draining": ["gone"], "subnets": ["nowhere"]}
    refused = run(addresses=[{"name": "x", "type": "INTERNAL", "subnet": "lost"}], router={"name": "r", "nats": [nat]})
    assert sorted(ids(refused)) == [
        "gcp-reservation-missing router.nats[0].addresses[0]",
        "gcp-reservation-missing router.nats[0].draining[0]",
        "gcp-subnet-missing addresses[0].subnet",
        "gcp-subnet-missing router.nats[0].subnets[0]",
    ]
    assert fake.writes() == []
