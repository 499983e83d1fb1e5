# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ops Agent's configuration, held against its documented form, and what of the journal arrives at Google by it."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.role_values import value
from tests.unit.plugins import ops_agent
from tests.unit.plugins.session_log import TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.journal import Journal
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record

UNIT = "ibgw-watch@live.service"
METRICS: list[dict[str, Any]] = value("observability", "__observability_google_log_metrics")


def written(**settings: Any) -> dict[str, Any]:
    """Return the configuration that the role writes, parsed."""
    text = value("observability", "__observability_ops_agent_text", **settings)
    assert text.startswith("# Managed by ibops.gateway.\n")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def changed(path: str, new: Any) -> dict[str, Any]:
    """Return the configuration that the role writes, with *new* at a path."""
    config = copy.deepcopy(written())
    *above, last = path.split("/")
    place = config
    for name in above:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = new
    return config


@pytest.mark.parametrize(("address", "target"), [("127.0.0.1", "127.0.0.1:9100"), ("fd00::2", "[fd00::2]:9100")])
def test_it_has_the_documented_form(address: str, target: str) -> None:
    config = written(observability_exporter_address=address)
    assert ops_agent.faults(config) == []
    (scrape,) = config["metrics"]["receivers"]["ibgw"]["config"]["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [target]}]


@pytest.mark.programs
def test_prometheus_takes_its_part(promtool: str, tmp_path: Path) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(written()["metrics"]["receivers"]["ibgw"]["config"]))
    done = subprocess.run([promtool, "check", "config", "--lint=all", "--lint-fatal", path], check=False)
    assert done.returncode == 0


def test_settings_come_beside_it_or_instead() -> None:
    silent = {"service": {"pipelines": {"default_pipeline": {"receivers": []}}}}
    config = written(observability_ops_agent_settings={"logging": silent, "global": {}})
    assert ops_agent.faults(config) == []
    assert {name: each["receivers"] for name, each in config["logging"]["service"]["pipelines"].items()} == {
        "ibgw": ["ibgw_journal"],
        "default_pipeline": [],
    }


SCRAPE = "metrics/receivers/ibgw/config/scrape_configs/0"


@pytest.mark.parametrize(
    ("path", "new", "wrong"),
    [
        ("tracing", {}, ""),
        ("logging/receivers/lib:own", {"type": "systemd_journald"}, "logging.receivers"),
        ("logging/receivers/ibgw_journal/units", ["ibgw"], "logging.receivers.ibgw_journal"),
        ("logging/receivers/ibgw_journal/type", "journald", "logging.receivers.ibgw_journal"),
        ("logging/processors/ibgw_only/match_any", "severity = INFO", "logging.processors.ibgw_only"),
        ("logging/processors/ibgw_only/match_any", ["MESSAGE =~ x"], "logging.processors.ibgw_only"),
        ("logging/processors/ibgw_json/time_key", "at", "logging.processors.ibgw_json"),
        ("logging/service/pipelines/ibgw/receivers", ["journal"], "logging.service.pipelines.ibgw.receivers"),
        ("logging/service/pipelines/ibgw/processors", ["json"], "logging.service.pipelines.ibgw.processors"),
        ("metrics/service/pipelines/ibgw/receivers", ["node"], "metrics.service.pipelines.ibgw.receivers"),
        ("metrics/receivers/ibgw/config/rule_files", ["rules.yml"], "metrics.receivers.ibgw"),
        ("metrics/receivers/ibgw/config/scrape_configs", [], "metrics.receivers.ibgw"),
        (f"{SCRAPE}/honor_labels", True, "metrics.receivers.ibgw"),
        (f"{SCRAPE}/file_sd_configs", [{"files": ["*.json"]}], "metrics.receivers.ibgw"),
        (f"{SCRAPE}/scrape_interval", "5s", "metrics.receivers.ibgw"),
        (f"{SCRAPE}/relabel_configs", [{"target_label": "cluster"}], "metrics.receivers.ibgw"),
        (f"{SCRAPE}/metric_relabel_configs", [{"target_label": "__name__"}], "metrics.receivers.ibgw"),
    ],
)
def test_what_the_agent_does_not_take_is_found(path: str, new: Any, wrong: str) -> None:
    assert ops_agent.faults(changed(path, new)) == [wrong]


def test_a_prometheus_receiver_takes_no_processor() -> None:
    config = changed("metrics/processors", {"some": {"type": "exclude_metrics", "metrics_pattern": []}})
    config["metrics"]["service"]["pipelines"]["ibgw"]["processors"] = ["some"]
    assert ops_agent.faults(config) == ["metrics.service.pipelines.ibgw.processors"]


@pytest.fixture
def transitions(deploy: Callable[..., Any]) -> list[dict[str, str]]:
    """The watcher's lines of a gateway that is ready, then blocked, as the journal has them (sd-daemon(3))."""
    lines: list[str] = []
    telling = Journal(deploy(name="live", mode="live"), Plan(host="gw1"), lines.append)
    telling.tell(Record("live", "live", verdicts.READY, since=TUESDAY), TUESDAY + 1)
    telling.tell(Record("live", "live", verdicts.BLOCKED, since=TUESDAY, blocked="pushes"), TUESDAY + 2)
    return [{"PRIORITY": line[1], "MESSAGE": line[3:].rstrip("\n"), "_SYSTEMD_UNIT": UNIT} for line in lines]


def test_a_transition_arrives_with_its_fields_and_is_counted(transitions: list[dict[str, str]]) -> None:
    config, counted = written(), list[tuple[str, dict[str, str]]]()
    for line in transitions:
        (entry,) = ops_agent.entries(config, line)
        assert entry["severity"] == entry["jsonPayload"]["severity"]
        assert "MESSAGE" not in entry["jsonPayload"]
        for metric in METRICS:
            if ops_agent.matches(metric["filter"], entry):
                labels = {name: extracted(each, entry) for name, each in metric["labels"].items()}
                counted.append((metric["name"], labels))
    gateway = {"gateway": "live", "host": "gw1", "mode": "live"}
    assert counted == [
        ("transitions", {**gateway, "state": "ready"}),
        ("transitions", {**gateway, "state": "blocked"}),
        ("blocks", {**gateway, "cause": "pushes"}),
    ]


def extracted(expression: str, entry: dict[str, Any]) -> str:
    """Return the value that Google takes for a label: EXTRACT() of a field of the payload."""
    field = re.fullmatch(r"EXTRACT\(jsonPayload\.(\w+)\)", expression)
    assert field
    found: str = entry["jsonPayload"][field[1]]
    return found


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ({"MESSAGE": "Started.", "_SYSTEMD_UNIT": UNIT}, 1),
        ({"MESSAGE": "Accepted publickey", "_SYSTEMD_UNIT": "ssh.service"}, 0),
        ({"MESSAGE": '{"event": "transition"}', "_SYSTEMD_UNIT": "not-ibgw.service"}, 0),
        # The kernel's lines belong to no unit.
        ({"MESSAGE": "eth0: link up", "_TRANSPORT": "kernel"}, 0),
    ],
)
def test_only_the_collections_units_are_sent(line: dict[str, str], sent: int) -> None:
    found = ops_agent.entries(written(), {"PRIORITY": "6", **line})
    assert len(found) == sent
    assert [each["jsonPayload"]["MESSAGE"] for each in found] == [line["MESSAGE"]] * sent
