"""gcp_monitoring against the fakes of Cloud Monitoring and Cloud Logging."""

from __future__ import annotations

import copy
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from tests.fake_gcp.monitoring import FakeDashboards, FakeLogging, FakeMonitoring
from tests.fake_gcp.platform import FakePlatform
from tests.unit.gcp.conftest import ids

from ansible_collections.ibops.gateway.plugins.filter.prometheus import google_policies
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import client
from ansible_collections.ibops.gateway.plugins.modules import gcp_monitoring

ROLE = Path(__file__).parents[3] / "roles" / "observability"
CHANNEL = "projects/demo-project/notificationChannels/1"
BLOCKED: dict[str, Any] = {
    "name": "GatewayBlocked",
    "severity": "critical",
    "text": "The watcher has blocked the gateway.",
    "step": "On its host: ibgwctl status.",
    "query": 'ibgw_state{state="blocked"} == 1',
    "channels": [CHANNEL],
}
SILENT: dict[str, Any] = {
    "name": "GatewaySilent",
    "severity": "critical",
    "text": "Nothing is heard of the VM.",
    "absent": {
        "metric": "prometheus.googleapis.com/ibgw_info/gauge",
        "labels": {"mode": "live"},
        "by": ["gateway", "instance_name"],
        "duration": 300,
    },
}
BLOCKS: dict[str, Any] = {
    "name": "blocks",
    "text": "Blocks, by cause.",
    "filter": 'log_id("ibgw_journal") AND jsonPayload.to="blocked"',
    "labels": {"gateway": "EXTRACT(jsonPayload.gateway)", "cause": "EXTRACT(jsonPayload.cause)"},
}
DASHBOARD: dict[str, Any] = {
    "displayName": "IB Gateway",
    "mosaicLayout": {
        "columns": 24,
        "tiles": [
            {
                "xPos": 0,
                "width": 12,
                "height": 8,
                "widget": {
                    "title": "Ready",
                    "xyChart": {
                        "dataSets": [{"plotType": "LINE", "timeSeriesQuery": {"prometheusQuery": "ibgw_healthy"}}]
                    },
                },
            },
            {"xPos": 12, "width": 12, "height": 8, "widget": {"title": "Open", "incidentList": {}}},
        ],
    },
}
ALL = ["metrics.create ibgw.blocks", "alertPolicies.create GatewayBlocked", "alertPolicies.create GatewaySilent"]
ALL.append("dashboards.create ibgw")
GONE = [
    "dashboards.delete ibgw",
    "alertPolicies.delete gateway-silent (1002)",
    "alertPolicies.delete gateway-blocked (1001)",
    "metrics.delete ibgw.blocks",
]
Run = Callable[..., dict[str, Any]]


class Cloud(NamedTuple):
    policies: FakeMonitoring
    logs: FakeLogging
    dashboards: FakeDashboards

    @property
    def writes(self) -> list[str]:
        return [write for fake in self for write in fake.carried_out]

    def fake(self, method: str) -> FakePlatform:
        """The fake that does a method."""
        return next(fake for fake in self if method in fake.handlers)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with ExitStack() as stack:
        policies, logs = stack.enter_context(FakeMonitoring()), stack.enter_context(FakeLogging())
        found = Cloud(policies, logs, stack.enter_context(FakeDashboards()))
        found.policies.channels = {CHANNEL}
        for name, fake in zip(("MONITORING", "LOGGING", "DASHBOARDS"), found, strict=True):
            monkeypatch.setenv(f"GCP_{name}_ENDPOINT", fake.endpoint)
        yield found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> Run:
    def call(check: bool = False, **changes: Any) -> dict[str, Any]:
        document = {"policies": [BLOCKED, SILENT], "log_metrics": [BLOCKS], "dashboard": DASHBOARD}
        access = {"project": "demo-project", "access_token": "token"}
        arguments = {**document, **access, **changes, "_ansible_check_mode": check}
        given = {name: value for name, value in copy.deepcopy(arguments).items() if value is not None}
        warned: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
        with patch_module_args(given), pytest.raises(SystemExit):
            gcp_monitoring.main()
        return {**json.loads(capsys.readouterr().out), "warnings": warned}

    return call


def test_create_repeat_remove(run: Run, cloud: Cloud) -> None:
    predicted = run(check=True)
    assert cloud.writes == []
    done = run()
    assert done["actions"] == predicted["actions"] == ALL
    assert done["diff"] == predicted["diff"]
    disarmed = list(cloud.policies.disarmed)
    again = run()
    assert (again["changed"], again["actions"], again["diff"]) == (False, [], {"before": {}, "after": {}})
    assert cloud.policies.disarmed == disarmed
    gone = run(check=True, state="absent")
    assert run(state="absent")["actions"] == gone["actions"] == GONE
    assert all(not fake.store.resources for fake in cloud)
    assert run(state="absent")["changed"] is False


def test_what_google_gets(run: Run, cloud: Cloud) -> None:
    run()
    blocked, silent = (cloud.policies.policy(f"ibgw/{name}") for name in ("GatewayBlocked", "GatewaySilent"))
    (query,), (absence,) = blocked["conditions"], silent["conditions"]
    assert query["conditionPrometheusQueryLanguage"] == {
        "query": BLOCKED["query"],
        "duration": "0s",
        "evaluationInterval": "60s",
        "ruleGroup": "ibgw",
        "alertRule": "GatewayBlocked",
        "disableMetricValidation": True,
    }
    assert absence["conditionAbsent"] == {
        "filter": 'metric.type="prometheus.googleapis.com/ibgw_info/gauge" resource.type="prometheus_target"'
        ' metric.label.mode="live"',
        "duration": "300s",
        "aggregations": [
            {
                "alignmentPeriod": "60s",
                "perSeriesAligner": "ALIGN_MAX",
                "crossSeriesReducer": "REDUCE_MAX",
                "groupByFields": ["metric.label.gateway", "metric.label.instance_name"],
            }
        ],
        "trigger": {"count": 1},
    }
    assert (blocked["notificationChannels"], silent.get("notificationChannels")) == ([CHANNEL], None)
    assert blocked["userLabels"] == {"ibops-gateway": "ibgw", "ibops-gateway-policy": "gateway-blocked"}
    assert [each["alertStrategy"]["autoClose"] for each in (blocked, silent)] == ["1800s", "604800s"]
    assert cloud.logs.metric("ibgw.blocks")["labelExtractors"] == BLOCKS["labels"]
    assert cloud.dashboards.dashboard("ibgw")["labels"] == {"ibops-gateway": ""}


_DUE = "(ibgw_sign_in_due_timestamp_seconds - time())"
# The policies of the role, with severity, duration, and query or filter.
ASKED = {
    "GatewayBlocked": ("CRITICAL", "0s", 'ibgw_state{state="blocked"} == 1'),
    "GatewayNotReadyInSession": (
        "CRITICAL", "600s", 'ibgw_window_open == 1 unless ignoring (state) ibgw_state{state="ready"} == 1'
    ),
    "GatewaySignInDue": (
        "WARNING", "0s",
        f"{_DUE} > 0 < 5 * 3600 unless (ibgw_valid_until_timestamp_seconds - time()) > {_DUE}",
    ),
    "GatewaySignInOverdue": (
        "CRITICAL", "300s",
        f'{_DUE} <= 0 and ibgw_healthy == 0 and ignoring (state) ibgw_state{{state="stopped"}} == 1',
    ),
    "GatewayDiskFilling": ("WARNING", "600s", "ibgw_disk_free_ratio < 0.1 >= 0.05"),
    "GatewayDiskFull": ("CRITICAL", "60s", "ibgw_disk_free_ratio < 0.05"),
    "GatewayNotWatched": (
        "CRITICAL", "0s",
        "(time() - ibgw_last_look_timestamp_seconds) > 3 * ibgw_look_interval_seconds + 60 unless "
        '(ibgw_grant_end_timestamp_seconds > time() and ignoring (kind) ibgw_granted{kind="sign_in"} == 1)',
    ),
    "GatewaySilent": (
        "CRITICAL", "300s",
        'metric.type="prometheus.googleapis.com/ibgw_info/gauge" resource.type="prometheus_target" '
        'metric.label.mode="live"',
    ),
}  # fmt: skip


def asked(policy: Any) -> tuple[str, str, str]:
    (condition,) = policy["conditions"]
    kind = ABSENT if policy["displayName"] == "ibgw/GatewaySilent" else PROMQL
    found = condition[kind.rpartition(".")[2]]
    assert condition["displayName"] == policy["displayName"].removeprefix("ibgw/")
    return policy["severity"], found["duration"], found.get("query") or found["filter"]


def test_what_role_observability_asks_for(run: Run, cloud: Cloud) -> None:
    rules, google = (yaml.safe_load((ROLE / f"vars/main/{name}.yml").read_text()) for name in ("rules", "google"))
    chosen = [each["alert"] for each in rules["__observability_rules"] if "google" in each]
    channels = {"critical": [CHANNEL]}
    policies = google_policies(rules["__observability_rules"], rules["__observability_records"], chosen, channels)
    heartbeat = google["__observability_google_heartbeat"]
    heartbeat = {**heartbeat, "channels": None, "absent": {**heartbeat["absent"], "duration": 300}}
    given: dict[str, Any] = {
        "policies": [*policies, heartbeat],
        "log_metrics": google["__observability_google_log_metrics"],
        "dashboard": json.loads((ROLE / "files/google_dashboard.json").read_text()),
    }
    done = run(**given)
    assert sorted(done["actions"]) == sorted(
        ["metrics.create ibgw.transitions", "metrics.create ibgw.blocks", "dashboards.create ibgw"]
        + [f"alertPolicies.create {name}" for name in ASKED]
    )
    assert run(**given)["changed"] is False
    made = {each["displayName"].removeprefix("ibgw/"): each for each in cloud.policies.store.resources.values()}
    assert {name: asked(each) for name, each in made.items()} == ASKED
    assert (made["GatewayBlocked"]["notificationChannels"], made["GatewaySignInDue"].get("notificationChannels")) == (
        *([CHANNEL], None),
    )


def changed(body: Any, path: str, value: Any) -> None:
    """Set the field at a path, `conditions.0.displayName`; None removes it."""
    *way, name = path.split(".")
    for each in way:
        body = body[int(each)] if isinstance(body, list) else body[each]
    if value is None:
        del body[name]
    else:
        body[name] = value


PROMQL, ABSENT = "conditions.0.conditionPrometheusQueryLanguage", "conditions.0.conditionAbsent"
POLICY_DRIFT: list[tuple[str, str, Any, str]] = [
    ("GatewayBlocked", "documentation.content", "Never mind.", "documentation"),
    ("GatewayBlocked", "documentation", None, "documentation"),
    ("GatewayBlocked", "conditions.0.displayName", "Another", "conditions"),
    ("GatewayBlocked", f"{PROMQL}.query", "vector(0)", "conditions"),
    ("GatewayBlocked", f"{PROMQL}.duration", "3600s", "conditions"),
    ("GatewayBlocked", f"{PROMQL}.evaluationInterval", "3600s", "conditions"),
    ("GatewayBlocked", f"{PROMQL}.disableMetricValidation", None, "conditions"),
    ("GatewayBlocked", "combiner", "AND", "combiner"),
    ("GatewayBlocked", "enabled", False, "enabled"),
    ("GatewayBlocked", "notificationChannels", None, "notificationChannels"),
    ("GatewayBlocked", "notificationChannels", [CHANNEL, f"{CHANNEL}2"], "notificationChannels"),
    ("GatewayBlocked", "severity", "WARNING", "severity"),
    ("GatewayBlocked", "alertStrategy.autoClose", "86400s", "alertStrategy"),
    ("GatewayBlocked", "alertStrategy.notificationPrompts", ["OPENED"], "alertStrategy"),
    ("GatewaySilent", f"{ABSENT}.filter", 'metric.type="x" resource.type="y"', "conditions"),
    ("GatewaySilent", f"{ABSENT}.duration", "84600s", "conditions"),
    ("GatewaySilent", f"{ABSENT}.aggregations", [], "conditions"),
    ("GatewaySilent", f"{ABSENT}.aggregations.0.groupByFields", ["resource.label.job"], "conditions"),
    ("GatewaySilent", f"{ABSENT}.trigger.count", 5, "conditions"),
]


@pytest.mark.parametrize(
    ("name", "path", "value", "field"), POLICY_DRIFT, ids=[f"{n} {p} {v}" for n, p, v, _field in POLICY_DRIFT]
)
def test_drift_of_a_policy_is_mended_by_its_field_alone(
    run: Run, cloud: Cloud, name: str, path: str, value: Any, field: str
) -> None:
    run()
    policy = cloud.policies.policy(f"ibgw/{name}")
    before = copy.deepcopy(policy)
    changed(policy, path, value)
    cloud.policies.disarmed.clear()
    predicted = run(check=True)
    done = run()
    assert done["actions"] == predicted["actions"] == [f"alertPolicies.patch {name}"]
    assert done["diff"] == predicted["diff"]
    after = cloud.policies.policy(f"ibgw/{name}")
    assert {**after, "mutationRecord": None} == {**before, "mutationRecord": None}
    sent = cloud.policies.calls[-1].body
    assert set(sent) == {"name", field}
    assert run()["changed"] is False
    assert cloud.policies.disarmed == [f"ibgw/{name}"]


def test_a_name_that_drifts(run: Run, cloud: Cloud) -> None:
    run()
    cloud.policies.policy("ibgw/GatewayBlocked")["displayName"] = "Mine"
    assert run()["actions"] == ["alertPolicies.patch GatewayBlocked"]
    cloud.policies.policy("ibgw/GatewayBlocked")


def test_a_condition_more(run: Run, cloud: Cloud) -> None:
    run()
    policy = cloud.policies.policy("ibgw/GatewaySilent")
    policy["conditions"].append({**policy["conditions"][0], "name": "another"})
    assert run()["actions"] == ["alertPolicies.patch GatewaySilent"]
    assert len(cloud.policies.policy("ibgw/GatewaySilent")["conditions"]) == 1


def test_what_no_option_speaks_of_is_left(run: Run, cloud: Cloud) -> None:
    run()
    policy = cloud.policies.policy("ibgw/GatewaySilent")
    policy["userLabels"]["team"] = "trading"
    policy["notificationChannels"] = [CHANNEL]
    policy["documentation"]["links"] = [{"displayName": "Wiki", "url": "https://wiki.example.org"}]
    cloud.logs.metric("ibgw.blocks")["metricDescriptor"]["labels"][0]["description"] = "Whose"
    cloud.dashboards.dashboard("ibgw")["labels"]["team"] = ""
    assert run()["changed"] is False
    policy["severity"] = "WARNING"
    assert run()["changed"] is True
    kept = cloud.policies.policy("ibgw/GatewaySilent")
    assert (kept["userLabels"]["team"], kept["notificationChannels"]) == ("trading", [CHANNEL])


def test_what_is_not_given_is_left_and_an_empty_list_removes(run: Run, cloud: Cloud) -> None:
    run()
    assert run(policies=None, log_metrics=None, dashboard=None)["actions"] == []
    assert run(policies=[BLOCKED], dashboard={})["actions"] == [GONE[0], GONE[1]]
    cloud.policies.policy("ibgw/GatewayBlocked")
    assert run(policies=[{**BLOCKED, "channels": []}], dashboard={})["actions"] == [
        "alertPolicies.patch GatewayBlocked"
    ]
    assert run(policies=[{**BLOCKED, "channels": []}], dashboard={})["actions"] == []


def test_others_are_left(run: Run, cloud: Cloud) -> None:
    run()
    theirs = copy.deepcopy(cloud.policies.policy("ibgw/GatewayBlocked"))
    theirs |= {
        "name": "projects/demo-project/alertPolicies/9",
        "userLabels": {"ibops-gateway-policy": "gateway-blocked"},
    }
    cloud.policies.store.resources[theirs["name"]] = theirs
    metric = {**copy.deepcopy(cloud.logs.metric("ibgw.blocks")), "name": "ibgw.mine", "description": "By hand"}
    cloud.logs.store.resources["projects/demo-project/metrics/ibgw.mine"] = metric
    assert run()["changed"] is False
    assert run(name="other")["actions"] == [action.replace("ibgw", "other") for action in ALL]
    run(name="other", state="absent")
    assert run()["changed"] is False
    run(state="absent")
    assert list(cloud.policies.store.resources) == [theirs["name"]]
    assert list(cloud.logs.store.resources) == ["projects/demo-project/metrics/ibgw.mine"]


def test_a_second_policy_of_the_same_labels_goes(run: Run, cloud: Cloud) -> None:
    run()
    first = cloud.policies.policy("ibgw/GatewayBlocked")
    name = "projects/demo-project/alertPolicies/9"
    copied = {**copy.deepcopy(first), "name": name, "creationRecord": {"mutateTime": "2026-12-01T00:00:00Z"}}
    # Google lists in no order.
    cloud.policies.store.resources = {name: copied, **cloud.policies.store.resources}
    assert run()["actions"] == ["alertPolicies.delete gateway-blocked (9)"]
    assert cloud.policies.policy("ibgw/GatewayBlocked") == first


METRIC_DRIFT = [("filter", "severity>=ERROR"), ("disabled", True), ("description", "Old [ibops.gateway]")]
METRIC_DRIFT += [("labelExtractors.cause", "EXTRACT(jsonPayload.reason)"), ("bucketName", "projects/x")]


@pytest.mark.parametrize(("path", "value"), METRIC_DRIFT, ids=[path for path, _value in METRIC_DRIFT])
def test_drift_of_a_metric_is_mended(run: Run, cloud: Cloud, path: str, value: Any) -> None:
    run()
    before = copy.deepcopy(cloud.logs.metric("ibgw.blocks"))
    changed(cloud.logs.metric("ibgw.blocks"), path, value)
    predicted = run(check=True)
    done = run()
    assert done["actions"] == predicted["actions"] == ["metrics.update ibgw.blocks"]
    assert done["diff"] == predicted["diff"]
    assert cloud.logs.metric("ibgw.blocks") == {**before, "updateTime": cloud.logs.metric("ibgw.blocks")["updateTime"]}
    assert run()["changed"] is False


def test_labels_of_a_metric_can_only_be_added(run: Run, cloud: Cloud) -> None:
    run()
    more = {**BLOCKS, "labels": {**BLOCKS["labels"], "host": "EXTRACT(jsonPayload.host)"}}
    assert run(log_metrics=[more])["actions"] == ["metrics.update ibgw.blocks"]
    count = len(cloud.writes)
    for check in (True, False):
        refused = run(check=check)
        assert ids(refused) == ["gcp-metric-immutable log_metrics[0].labels"]
    assert len(cloud.writes) == count
    assert run(log_metrics=[{**BLOCKS, "name": "blocks2"}])["actions"] == [
        "metrics.create ibgw.blocks2",
        "metrics.delete ibgw.blocks",
    ]


DASHBOARD_DRIFT = [
    ("displayName", "Mine"),
    ("mosaicLayout.tiles.0.xPos", 1),
    ("mosaicLayout.tiles.0.widget.title", "Mine"),
    ("mosaicLayout.tiles.0.widget.xyChart.dataSets.0.timeSeriesQuery.prometheusQuery", "up"),
    ("mosaicLayout.tiles", []),
]


@pytest.mark.parametrize(("path", "value"), DASHBOARD_DRIFT, ids=[path for path, _value in DASHBOARD_DRIFT])
def test_drift_of_the_dashboard_is_mended(run: Run, cloud: Cloud, path: str, value: Any) -> None:
    run()
    before = copy.deepcopy(cloud.dashboards.dashboard("ibgw"))
    changed(cloud.dashboards.dashboard("ibgw"), path, value)
    predicted = run(check=True)
    done = run()
    assert done["actions"] == predicted["actions"] == ["dashboards.patch ibgw"]
    assert done["diff"] == predicted["diff"]
    after = cloud.dashboards.dashboard("ibgw")
    assert {**after, "etag": ""} == {**before, "etag": ""}
    assert run()["changed"] is False


def test_a_dashboard_that_somebody_changes_meanwhile(run: Run, cloud: Cloud) -> None:
    run()
    changed(cloud.dashboards.dashboard("ibgw"), "displayName", "Mine")

    def race() -> None:
        cloud.dashboards.dashboard("ibgw").update(etag="another", displayName="Theirs")

    cloud.dashboards.fault("dashboards.patch", before=race)
    assert run()["actions"] == ["dashboards.patch ibgw"]
    assert [call.status for call in cloud.dashboards.calls if call.method == "dashboards.patch"] == [409, 200]
    assert cloud.dashboards.dashboard("ibgw")["displayName"] == "IB Gateway"


def test_a_policy_that_is_gone_meanwhile_is_made_again(run: Run, cloud: Cloud) -> None:
    run()
    policy = cloud.policies.policy("ibgw/GatewayBlocked")
    policy["severity"] = "WARNING"
    cloud.policies.fault(
        "alertPolicies.patch", before=lambda: cloud.policies.store.resources.pop(policy["name"]) and None
    )
    assert run()["actions"] == ["alertPolicies.create GatewayBlocked"]
    assert run()["changed"] is False


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("metrics", "gcp-metric-taken log_metrics[0].name"), ("dashboards", "gcp-dashboard-taken name")],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_name_that_is_taken(run: Run, cloud: Cloud, kind: str, expected: str, check: bool) -> None:
    run()
    if kind == "metrics":
        cloud.logs.metric("ibgw.blocks")["description"] = "By hand"
    else:
        cloud.dashboards.dashboard("ibgw")["labels"] = {"team": ""}
    count = len(cloud.writes)
    assert ids(run(check=check)) == [expected]
    assert len(cloud.writes) == count


USERS = {
    "policy": "logging.googleapis.com/user/ibgw.blocks",
    "PromQL": "rate(logging_googleapis_com:user_ibgw_blocks[5m]) > 0",
}


@pytest.mark.parametrize("text", USERS.values(), ids=USERS)
@pytest.mark.parametrize("check", [True, False])
def test_a_metric_in_use_is_not_removed(run: Run, cloud: Cloud, text: str, check: bool) -> None:
    run()
    theirs = copy.deepcopy(cloud.policies.policy("ibgw/GatewayBlocked"))
    theirs |= {"name": "projects/demo-project/alertPolicies/9", "displayName": "Theirs", "userLabels": {}}
    theirs["conditions"][0]["conditionPrometheusQueryLanguage"]["query"] = text
    cloud.policies.store.resources[theirs["name"]] = theirs
    count = len(cloud.writes)
    refused = run(check=check, state="absent")
    assert ids(refused) == ["gcp-metric-in-use metrics/ibgw.blocks"]
    assert "alertPolicies Theirs (projects/demo-project/alertPolicies/9)" in refused["msg"]
    assert len(cloud.writes) == count


def test_a_metric_whose_users_go_too_is_removed(run: Run, cloud: Cloud) -> None:
    query = {**BLOCKED, "query": USERS["PromQL"]}
    run(policies=[query])
    similar = {**copy.deepcopy(cloud.policies.policy("ibgw/GatewayBlocked")), "userLabels": {}, "displayName": "Theirs"}
    similar["conditions"][0]["conditionPrometheusQueryLanguage"]["query"] = USERS["PromQL"].replace("blocks", "blocks2")
    cloud.policies.store.resources["projects/demo-project/alertPolicies/9"] = {**similar, "name": "9"}
    assert ids(run(policies=[query], log_metrics=[])) == ["gcp-metric-in-use metrics/ibgw.blocks"]
    assert run(policies=[BLOCKED], log_metrics=[])["actions"] == [
        "alertPolicies.patch GatewayBlocked",
        "metrics.delete ibgw.blocks",
    ]


METHODS: dict[str, dict[str, Any]] = {
    "metrics.create": {},
    "alertPolicies.create": {},
    "dashboards.create": {},
    "metrics.update": {"log_metrics": [{**BLOCKS, "text": "Others"}]},
    "alertPolicies.patch": {"policies": [{**BLOCKED, "severity": "error"}, SILENT]},
    "dashboards.patch": {"dashboard": {**DASHBOARD, "displayName": "Mine"}},
    "metrics.delete": {"log_metrics": []},
    "alertPolicies.delete": {"policies": [SILENT]},
    "dashboards.delete": {"dashboard": {}},
}


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"drop": "before"}, {"status": 503, "times": 2}, {"status": 429}])
@pytest.mark.parametrize("method", METHODS)
def test_what_passes_is_waited_for_and_nothing_is_done_twice(
    run: Run, cloud: Cloud, method: str, fault: dict[str, Any]
) -> None:
    options = METHODS[method]
    if not method.endswith("create"):
        run()
    cloud.fake(method).fault(method, **fault)
    done = run(**options)
    assert "failed" not in done, done
    assert not options or [action.split()[0] for action in done["actions"]] == [method]
    count = [write.split()[0] for write in cloud.fake(method).carried_out].count(method)
    assert count == (2 if method == "alertPolicies.create" else 1)
    assert not cloud.fake(method).faults.waiting
    assert run(**options)["changed"] is False


@pytest.mark.parametrize("method", ["alertPolicies.list", "metrics.list", "dashboards.list"])
def test_a_look_that_passes(run: Run, cloud: Cloud, method: str) -> None:
    cloud.fake(method).fault(method, status=503)
    assert run()["actions"] == ALL


@pytest.mark.parametrize("number", range(4))
def test_a_run_that_ends_in_the_middle_is_completed_by_the_next(run: Run, cloud: Cloud, number: int) -> None:
    method, name = ALL[number].split()
    cloud.fake(method).fault(method, name=name, status=403)
    done = run()
    assert (done["failed"], done["changed"], done["unfinished"]) == (True, number > 0, [])
    assert done["actions"] == ALL[:number]
    assert ("Nothing was changed." in done["msg"]) == (number == 0)
    assert run()["actions"] == ALL[number:]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_signal_ends_it_with_a_report(run: Run, cloud: Cloud, state: str) -> None:
    if state == "absent":
        run()
    method = "alertPolicies.create" if state == "present" else "alertPolicies.delete"

    ended = threading.Event()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        ended.wait(30)

    cloud.policies.fault(method, before=interrupt)
    before = len(cloud.policies.carried_out)
    done = run(state=state)
    ended.set()
    while len(cloud.policies.carried_out) == before:
        time.sleep(0.01)
    assert done["msg"].startswith("Interrupted by SIGTERM.")
    assert done["unfinished"] == [ALL[1] if state == "present" else GONE[1]]
    run(state=state)
    assert run(state=state)["changed"] is False


def test_a_write_without_an_answer_stays_open(run: Run, cloud: Cloud) -> None:
    cloud.policies.fault("alertPolicies.create", status=503, times=100)
    done = run()
    assert done["unfinished"] == ["alertPolicies.create GatewayBlocked"]
    assert "alertPolicies.create GatewayBlocked was sent and not answered" in done["msg"]
    assert len([call for call in cloud.policies.calls if call.method == "alertPolicies.create"]) == client.ATTEMPTS


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("alertPolicies.create", {"status": 403}, "Roles monitoring.alertPolicyEditor and monitoring.dashboardEditor"),
    ("metrics.create", {"status": 403}, "Role logging.configWriter allows it."),
    ("dashboards.create", {"status": 403}, "Roles monitoring.alertPolicyEditor and monitoring.dashboardEditor"),
    ("alertPolicies.list", {"status": 401}, "Google does not accept the credentials"),
    (
        "alertPolicies.create",
        {"status": 429, "times": 9, "text": "2000 policies."},
        "a quota is used up: 2000 policies.",
    ),
    ("metrics.create", {"status": 429, "times": 9}, "a quota is used up"),
    ("metrics.create", {"status": 400, "text": "Bad filter."}, "metrics.create ibgw.blocks: Bad filter."),
]


@pytest.mark.parametrize(("method", "fault", "said"), REFUSALS, ids=[f"{m} {f['status']}" for m, f, _said in REFUSALS])
def test_refusals_are_told_as_by_every_module(
    run: Run, cloud: Cloud, method: str, fault: dict[str, Any], said: str
) -> None:
    cloud.fake(method).fault(method, **fault)
    done = run()
    assert done["failed"]
    assert said in done["msg"]


@pytest.mark.parametrize("number", range(3))
def test_an_api_that_is_not_enabled(run: Run, cloud: Cloud, number: int) -> None:
    cloud[number].enabled = False
    assert f"gcloud services enable {cloud[number].service} --project demo-project" in run()["msg"]


def test_a_channel_that_is_not_there(run: Run, cloud: Cloud) -> None:
    cloud.policies.channels.clear()
    done = run()
    assert f"Cannot find notification channel {CHANNEL}" in done["msg"]
    assert done["unfinished"] == []


def test_a_query_that_google_stores_and_cannot_use(run: Run, cloud: Cloud) -> None:
    cloud.policies.fault_of_queries = "parse error"
    done = run(policies=[BLOCKED])
    assert len(done["warnings"]) == 1
    assert "parse error" in done["warnings"][0]


def test_nobody_answers(run: Run, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    done = run(api_endpoint="http://127.0.0.1:1", log_metrics=None, dashboard=None)
    assert "alertPolicies.list: " in done["msg"]
    assert "Nothing was changed." in done["msg"]


def test_a_token_that_is_not_accepted(run: Run) -> None:
    assert "Google does not accept the credentials" in run(access_token="another", log_metrics=None)["msg"]


def test_a_deadline_for_everything(run: Run, cloud: Cloud) -> None:
    cloud.policies.fault("alertPolicies.list", before=lambda: time.sleep(1.5))
    begun = time.monotonic()
    done = run(timeout=0.5)
    assert done["failed"]
    assert time.monotonic() - begun < 1.4


def test_many_are_read_page_by_page(run: Run, cloud: Cloud) -> None:
    for fake in cloud:
        fake.store.page = 1
    many = [{**BLOCKED, "name": f"Blocked{number}"} for number in range(3)]
    run(policies=many)
    assert run(policies=many)["changed"] is False


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "project": ({"project": "P"}, "gcp-project project"),
    "set": ({"name": "Ibgw"}, "gcp-monitoring-name name"),
    "policy": ({"policies": [{**BLOCKED, "name": "gateway blocked"}]}, "gcp-policy-name policies[0].name"),
    "twice": ({"policies": [BLOCKED, BLOCKED]}, "gcp-repeated policies"),
    "both": ({"policies": [{**SILENT, "query": "up"}]}, "gcp-policy-condition policies[0].query"),
    "neither": ({"policies": [{**BLOCKED, "query": ""}]}, "gcp-policy-condition policies[0].query"),
    "long query": ({"policies": [{**BLOCKED, "query": "1" * 10_001}]}, "gcp-policy-text policies[0].query"),
    "seconds": ({"policies": [{**BLOCKED, "duration": 90}]}, "gcp-policy-minutes policies[0].duration"),
    "for days": ({"policies": [{**BLOCKED, "duration": 172_800}]}, "gcp-limits policies[0].duration"),
    "interval": ({"policies": [{**BLOCKED, "interval": 45}]}, "gcp-policy-interval policies[0].interval"),
    "channel": ({"policies": [{**BLOCKED, "channels": ["1"]}]}, "gcp-policy-channel policies[0].channels[0]"),
    "absent soon": (
        {"policies": [{**SILENT, "absent": {**SILENT["absent"], "duration": 60}}]},
        "gcp-limits policies[0].absent.duration",
    ),
    "absent seconds": (
        {"policies": [{**SILENT, "absent": {**SILENT["absent"], "duration": 150}}]},
        "gcp-policy-minutes policies[0].absent.duration",
    ),
    "absent metric": (
        {"policies": [{**SILENT, "absent": {"metric": 'x" OR "'}}]},
        "gcp-policy-metric policies[0].absent.metric",
    ),
    "absent label": (
        {"policies": [{**SILENT, "absent": {**SILENT["absent"], "labels": {"mode": 'a"'}}}]},
        "gcp-policy-label policies[0].absent.labels.mode",
    ),
    "metric": ({"log_metrics": [{**BLOCKS, "name": "a.b"}]}, "gcp-metric-name log_metrics[0].name"),
    "metrics": ({"log_metrics": [BLOCKS, BLOCKS]}, "gcp-repeated log_metrics"),
    "filter": ({"log_metrics": [{**BLOCKS, "filter": ""}]}, "gcp-metric-filter log_metrics[0].filter"),
    "text": ({"log_metrics": [{**BLOCKS, "text": "x" * 7001}]}, "gcp-metric-text log_metrics[0].text"),
    "label": ({"log_metrics": [{**BLOCKS, "labels": {"a": "b"}}]}, "gcp-metric-label log_metrics[0].labels.a"),
}


@pytest.mark.parametrize(("options", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_before_the_first_call(run: Run, cloud: Cloud, options: dict[str, Any], expected: str) -> None:
    assert ids(run(**options)) == [expected]
    assert [fake.calls for fake in cloud] == [[], [], []]


def test_a_field_that_google_does_not_know(run: Run, cloud: Cloud) -> None:
    refused = run(dashboard={**DASHBOARD, "bogus": 1})
    assert ids(refused) == ["gcp-dashboard-form dashboard"]
    assert cloud.writes == []
