# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that role observability writes, judged by Prometheus' and Alertmanager's own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.role_values import value
from tests.unit.plugins.prometheus import RULES

from ansible_collections.ibops.gateway.plugins.filter.prometheus import google_policies, prometheus_rules

RECEIVERS = [
    {"name": "pager", "webhook_configs": [{"url": "https://alerts.example.org/pager"}]},
    {
        "name": "mail",
        "email_configs": [{"to": "ann@example.org", "from": "a@example.org", "smarthost": "localhost:25"}],
    },
    {"name": "dead man", "webhook_configs": [{"url": "https://dead.example.org/", "send_resolved": False}]},
]
TARGETS = [
    {"gateway": "paper", "target": "10.0.0.2:9100"},
    {"gateway": "live", "target": "10.0.0.2:9100"},
    {"gateway": "other", "target": "[fd00::3]:9464"},
]
ROUTES = {"critical": "pager", "warning": "mail", "watchdog": "dead man"}

pytestmark = pytest.mark.programs


def rendered(expression: str, **settings: Any) -> str:
    """The value of an expression in the role, with two gateways on one machine and one elsewhere."""
    text: str = value("observability", expression, **{"__observability_targets": TARGETS, **settings})
    return text


def rules(changes: Any = None) -> dict[str, Any]:
    return prometheus_rules(RULES["__observability_rules"], RULES["__observability_records"], TARGETS, changes)


def checked(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "settings", [{}, {"observability_alertmanager": True, "observability_prometheus_address": "::1"}]
)
def test_promtool_takes_configuration_and_rules(settings: dict[str, Any], promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules()))
    config = rendered(
        "__observability_prometheus_config | to_nice_yaml", __observability_place=str(tmp_path), **settings
    )
    (tmp_path / "prometheus.yml").write_text(config)
    status, said = checked(promtool, "check", "config", "--lint=all", "--lint-fatal", str(tmp_path / "prometheus.yml"))
    assert status == 0, said
    assert "FAILED" not in said
    (targets,) = yaml.safe_load(config)["scrape_configs"][0]["static_configs"]
    assert targets == {"targets": ["10.0.0.2:9100", "[fd00::3]:9464"]}


def test_promtool_takes_the_queries_of_google(promtool: str, tmp_path: Path) -> None:
    every = [each["alert"] for each in RULES["__observability_rules"] if "ibgw:expected" not in each["expr"]]
    policies = google_policies(RULES["__observability_rules"], RULES["__observability_records"], every)
    assert len(policies) == len(every)
    assert not [each["name"] for each in policies if "ibgw:" in each["query"]]
    alerts = [{"alert": each["name"], "expr": each["query"], "for": f"{each['duration']}s"} for each in policies]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "google", "rules": alerts}]}))
    status, said = checked(promtool, "check", "rules", str(tmp_path / "rules.yml"))
    assert status == 0, said


def test_a_change_of_a_rule_arrives_at_google() -> None:
    changes: dict[str, Any] = {
        "GatewayDegraded": {"for": "90s", "severity": "critical"},
        "GatewayBlocked": {"enabled": False},
    }
    chosen = ["GatewayDegraded", "GatewayBlocked"]
    channels = {"critical": ["one"], "warning": []}
    (found,) = google_policies(
        RULES["__observability_rules"], RULES["__observability_records"], chosen, channels, changes
    )
    assert (found["name"], found["duration"], found["severity"], found["channels"]) == (
        *("GatewayDegraded", 120, "critical", ["one"]),
    )


def test_a_change_of_a_rule_arrives() -> None:
    changes = {"GatewayDegraded": {"for": "5m", "severity": "critical"}, "GatewayBlocked": {"enabled": False}}
    (group,) = rules(changes)["groups"]
    found = {each["alert"]: each for each in group["rules"] if "alert" in each}
    assert (found["GatewayDegraded"]["for"], found["GatewayDegraded"]["labels"]) == ("5m", {"severity": "critical"})
    assert "GatewayBlocked" not in found


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=GatewayBlocked", "severity=critical"), "pager"),
        (("alertname=GatewayDegraded", "severity=warning"), "mail"),
        (("alertname=Watchdog", "severity=none"), "dead man"),
    ],
)
@pytest.mark.parametrize("routes", [ROUTES, {}])
def test_amtool_sends_each_alert_where_it_belongs(
    labels: tuple[str, ...], receiver: str, routes: dict[str, str], amtool: str, tmp_path: Path
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(
        rendered(
            "__observability_alertmanager_config | to_nice_yaml",
            observability_receivers=RECEIVERS,
            observability_routes=routes,
        )
    )
    status, said = checked(amtool, "check-config", str(path))
    assert status == 0, said
    expected = f"--verify.receivers={receiver if routes else 'nobody'}"
    status, said = checked(amtool, "config", "routes", "test", f"--config.file={path}", expected, *labels)
    assert status == 0, said
