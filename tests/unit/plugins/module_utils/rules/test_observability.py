# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules import observability

GATEWAY: dict[str, Any] = {
    "gateway_name": "paper",
    "gateway_stack": "tws",
    "session_metrics_directory": "/var/lib/prometheus/node-exporter",
    "session_http_address": "127.0.0.1",
    "session_http_port": 0,
    "observability_exporter": True,
    "observability_exporter_address": "127.0.0.1",
    "observability_exporter_port": 9100,
    "observability_scrape": True,
    "observability_ops_agent": False,
    "observability_ops_agent_fingerprints": [],
}
VPC = {"gateway_access": ["vpc"], "access_vpc_addresses": ["10.0.0.2", "fd00::2"]}
KEY = "0123456789abcdefABCD" * 2
PROMETHEUS: dict[str, Any] = {
    "observability_scrape_interval": 15,
    "observability_prometheus_port": 9090,
    "observability_alertmanager_port": 9093,
    "observability_prometheus_retention": "90d",
    "observability_rules": {},
    "observability_alertmanager": True,
    "observability_receivers": [{"name": "pager"}],
    "observability_routes": {"critical": "pager", "warning": None},
}
RULES = ["GatewayBlocked"]


@pytest.mark.parametrize(
    ("changes", "variable", "id_"),
    [
        ({"observability_exporter_port": 80}, "observability_exporter_port", "not-a-number-within"),
        ({"gateway_port": 9100}, "observability_exporter_port", "http-port-taken"),
        ({"session_http_port": "9100"}, "observability_exporter_port", "http-port-taken"),
        ({"observability_exporter_address": "0.0.0.0"}, "observability_exporter_address", "http-address-open"),
        ({"observability_exporter_address": "10.0.0.2"}, "observability_exporter_address", "http-address-open"),
    ],
)
def test_an_exporter_that_cannot_work(changes: dict[str, Any], variable: str, id_: str) -> None:
    assert [(each.variable, each.id) for each in observability.problems(GATEWAY | changes)] == [(variable, id_)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        VPC | {"observability_exporter_address": "10.0.0.2"},
        {"observability_exporter": False, "observability_exporter_address": "0.0.0.0"},
    ],
)
def test_an_exporter_that_works(changes: dict[str, Any]) -> None:
    assert observability.problems(GATEWAY | changes) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"observability_ops_agent_fingerprints": [KEY]}, []),
        ({"observability_ops_agent_fingerprints": [KEY, KEY + "0" * 24]}, []),
        (
            {"observability_ops_agent_fingerprints": [KEY], "observability_exporter": False},
            [("observability_exporter", "ops-agent-without-exporter")],
        ),
        ({}, [("observability_ops_agent_fingerprints", "ops-agent-unsigned")]),
        (
            {"observability_ops_agent_fingerprints": [KEY, KEY[:16], KEY + "\nTrusted: yes"]},
            [
                ("observability_ops_agent_fingerprints[1]", "ops-agent-fingerprint"),
                ("observability_ops_agent_fingerprints[2]", "ops-agent-fingerprint"),
            ],
        ),
    ],
)
def test_an_ops_agent(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = observability.problems(GATEWAY | {"observability_ops_agent": True} | changes)
    assert [(each.variable, each.id) for each in found] == expected


@pytest.mark.parametrize(
    ("changes", "variable", "id_"),
    [
        ({"observability_scrape_interval": 0}, "observability_scrape_interval", "not-a-number-within"),
        ({"observability_prometheus_port": 80}, "observability_prometheus_port", "not-a-number-within"),
        ({"observability_alertmanager_port": "9090"}, "observability_alertmanager_port", "ports-alike"),
        ({"observability_prometheus_retention": "90 days"}, "observability_prometheus_retention", "retention"),
        ({"observability_rules": {"GatewayBlock": {}}}, "observability_rules.GatewayBlock", "rule-unknown"),
        ({"observability_rules": {"GatewayBlocked": 5}}, "observability_rules.GatewayBlocked", "rule-change"),
        (
            {"observability_rules": {"GatewayBlocked": {"for": 5}}},
            "observability_rules.GatewayBlocked.for",
            "rule-change",
        ),
        (
            {"observability_rules": {"GatewayBlocked": {"expr": "1"}}},
            "observability_rules.GatewayBlocked.expr",
            "rule-change",
        ),
        ({"observability_alertmanager": False}, "observability_routes", "routes-without-alertmanager"),
        ({"observability_routes": {"warning": "mail"}}, "observability_routes.warning", "receiver-unknown"),
        (
            {"observability_receivers": [{"name": "pager"}, {}]},
            "observability_receivers[1].name",
            "receiver-without-name",
        ),
    ],
)
def test_a_prometheus_that_cannot_work(changes: dict[str, Any], variable: str, id_: str) -> None:
    assert [(each.variable, each.id) for each in observability.prometheus(PROMETHEUS | changes, RULES)] == [
        (variable, id_)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"observability_rules": {"GatewayBlocked": {"for": "1m", "severity": "warning", "enabled": False}}},
        {"observability_alertmanager": False, "observability_routes": {}},
    ],
)
def test_a_prometheus_that_works(changes: dict[str, Any]) -> None:
    assert observability.prometheus(PROMETHEUS | changes, RULES) == []


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "127.0.0.1:9100"),
        ({"observability_exporter_address": "fd00::2"}, "[fd00::2]:9100"),
        ({"session_http_port": 9464}, "127.0.0.1:9100"),
        ({"session_http_port": 9464, "session_metrics_directory": ""}, "127.0.0.1:9464"),
        ({"session_http_port": "9464", "observability_exporter": "false"}, "127.0.0.1:9464"),
        ({"observability_exporter": False}, None),
        ({"session_metrics_directory": ""}, None),
    ],
)
def test_where_metrics_are(changes: dict[str, Any], target: str | None) -> None:
    settings = GATEWAY | changes
    assert observability.target(settings) == target
    refused = [(each.host, each.id) for each in observability.pairs([settings | {"host": "vm"}])]
    assert refused == ([] if target else [("vm", "metrics-not-served")])


def test_a_gateway_that_is_not_to_be_fetched_may_have_no_metrics() -> None:
    changes = {"observability_exporter": False, "observability_scrape": False}
    assert observability.pairs([GATEWAY | {"host": "vm"} | changes]) == []


@pytest.mark.parametrize("stack", ["tws", "client_portal"])
def test_a_watcher_has_metrics_whatever_its_api(stack: str) -> None:
    assert observability.watched(GATEWAY | {"gateway_stack": stack})


GOOGLE: dict[str, Any] = {
    "observability_google_project": "demo-project",
    "observability_google_rules": ["GatewayBlocked"],
    "observability_google_absence_minutes": 5,
    "observability_rules": {},
}
WRITTEN = [
    {"alert": "GatewayBlocked", "expr": "ibgw:known:seconds > 0", "severity": "critical"},
    {"alert": "GatewayMissing", "expr": "ibgw:expected unless ibgw_healthy", "severity": "critical"},
    {"alert": "Watchdog", "expr": "vector(1)", "severity": "none"},
]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"observability_google_absence_minutes": 0}, []),
        (
            {"observability_google_absence_minutes": 1},
            [("observability_google_absence_minutes", "not-a-number-within")],
        ),
        ({"observability_google_project": ""}, [("observability_google_project", "google-project")]),
        ({"observability_google_rules": ["Blocked"]}, [("observability_google_rules[0]", "rule-unknown")]),
        ({"observability_google_rules": ["GatewayMissing"]}, [("observability_google_rules[0]", "rule-not-portable")]),
        ({"observability_google_rules": ["Watchdog"]}, [("observability_google_rules[0]", "rule-not-portable")]),
        ({"observability_rules": {"Blocked": {}}}, [("observability_rules.Blocked", "rule-unknown")]),
    ],
)
def test_cloud_monitoring(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = observability.google_cloud(GOOGLE | changes, WRITTEN, ["ibgw:known:seconds"])
    assert [(each.variable, each.id) for each in found] == expected
