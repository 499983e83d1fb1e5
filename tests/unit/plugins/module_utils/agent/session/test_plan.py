# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

import pytest
import yaml

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan, problems

GOOD: dict[str, Any] = {
    "session_interval": 60,
    "session_client_id": 916,
    "session_region": "north_america",
    "session_sign_in_deadline": "17:00",
    "session_sign_in_at": [],
    "session_sign_in_zone": "America/New_York",
    "session_sign_in_pushes": 3,
    "session_sign_in_minutes": 10,
    "session_manual_minutes": 240,
    "session_gateway_log_days": 14,
    "session_gateway_log_mib": 2048,
    "session_alerts": [],
    "session_metrics_directory": "/var/lib/prometheus/node-exporter",
    "session_http_address": "127.0.0.1",
    "session_http_port": 0,
    "session_heartbeat": {},
}
ON = {"session_http_port": 9464}
PUBLISHED_WRONGLY = {"session_metrics_directory": "metrics", "session_http_port": 9464, "session_http_address": "::"}
OTHERS = (917, 918)


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("session_interval", 5, "not-a-number-within"),
        ("session_interval", "1m", "not-a-number-within"),
        ("session_interval", True, "not-a-number-within"),
        ("session_client_id", "917", "watcher-client-id-taken"),
        ("session_client_id", 0, "not-a-number-within"),
        ("session_client_id", 917, "watcher-client-id-taken"),
        ("session_region", "mars", "region-unknown"),
        ("session_sign_in_deadline", "5 PM", "sign-in-deadline"),
        ("session_sign_in_deadline", 1020, "sign-in-deadline"),
        ("session_sign_in_deadline", "01:30", "sign-in-deadline"),
        ("session_sign_in_at", "10:00", "appointment-form"),
        ("session_sign_in_pushes", 10, "not-a-number-within"),
        ("session_sign_in_minutes", 60, "not-a-number-within"),
        ("session_manual_minutes", 0, "not-a-number-within"),
        ("session_alerts", [{"kind": "pigeon"}], "channel-kind"),
    ],
)
def test_problems(variable: str, value: object, id_: str) -> None:
    assert problems(GOOD, OTHERS) == []
    (problem,) = problems(GOOD | {variable: value}, OTHERS)
    assert (problem.id, problem.variable.partition("[")[0]) == (id_, variable)
    if variable != "session_alerts":
        assert problem.value == repr(value)


@pytest.mark.parametrize(
    ("variable", "fix"),
    [
        ("session_sign_in_deadline", "IBKR takes sign-ins from Sunday 01:15 on"),
        ("session_region", "choose north_america, europe, asia_pacific"),
    ],
)
def test_what_can_be_chosen_is_told(variable: str, fix: str) -> None:
    (problem,) = problems(GOOD | {variable: "x"}, OTHERS)
    assert fix in problem.fix


@pytest.mark.parametrize(("at", "fits"), [("sun 16:30", True), ("sun 16:31", False)])
def test_an_appointment_ends_by_the_deadline(at: str, fits: bool) -> None:
    settings = GOOD | {"session_sign_in_at": [at], "session_sign_in_minutes": 30}
    assert [each.id for each in problems(settings, OTHERS)] == ([] if fits else ["appointment-outside"])


def test_all_problems_are_told_at_once() -> None:
    found = problems(GOOD | {"session_interval": 5, "session_region": "mars"} | PUBLISHED_WRONGLY, OTHERS)
    assert [each.variable for each in found] == [
        "session_interval",
        "session_region",
        "session_metrics_directory",
        "session_http_address",
    ]


@pytest.mark.parametrize(
    ("changes", "variable", "id_"),
    [
        ({"session_metrics_directory": "metrics"}, "session_metrics_directory", "metrics-directory"),
        ({"session_metrics_directory": "/a b"}, "session_metrics_directory", "metrics-directory"),
        ({"session_http_port": 80}, "session_http_port", "not-a-number-within"),
        (ON | {"gateway_port": 9464}, "session_http_port", "http-port-taken"),
        (ON | {"access_mtls_port": "9464"}, "session_http_port", "http-port-taken"),
        (ON | {"access_vpc_port": 9464}, "session_http_port", "http-port-taken"),
        (ON | {"access_wireguard_port": 9464}, "session_http_port", "http-port-taken"),
        ({"session_http_port": 1023}, "session_http_port", "not-a-number-within"),
        ({"session_http_port": 65536}, "session_http_port", "not-a-number-within"),
        ({"session_metrics_directory": "/\u00e9"}, "session_metrics_directory", "metrics-directory"),
        (ON | {"session_http_address": "0.0.0.0"}, "session_http_address", "http-address-open"),
        (ON | {"session_http_address": "10.0.0.2", "access_vpc_addresses": ["10.0.0.2"]}, "session_http_address",
         "http-address-open"),
        ({"session_heartbeat": {"every": 60}}, "session_heartbeat.url", "heartbeat-url-missing"),
        ({"session_heartbeat": {"url": "http://hc.example/s3cr3t"}}, "session_heartbeat.url", "heartbeat-not-https"),
        ({"session_heartbeat": {"url": "https://a", "every": 10}}, "session_heartbeat.every", "not-a-number-within"),
        ({"session_heartbeat": {"url": "https://a", "every": 90}, "session_interval": 120}, "session_heartbeat.every",
         "heartbeat-faster-than-looks"),
    ],
)  # fmt: skip
def test_problems_of_what_is_published(changes: dict[str, Any], variable: str, id_: str) -> None:
    (problem,) = problems(GOOD | changes, OTHERS)
    assert (problem.id, problem.variable) == (id_, variable)
    assert "s3cr3t" not in str(problem)
    if variable in changes:
        assert problem.value == (None if "heartbeat" in id_ else repr(changes[variable]))


def test_a_port_of_the_watcher_is_taken_for_another_server() -> None:
    settings = ON | {"access_metrics_port": 9464, "access_metrics_address": "127.0.0.1"}
    (problem,) = plan.served(settings, "access_metrics")
    assert (problem.id, problem.variable) == ("http-port-taken", "access_metrics_port")


@pytest.mark.parametrize(
    "changes",
    [
        {"session_metrics_directory": ""},
        ON | {"session_http_address": "::1"},
        {"session_http_port": 1024},
        {"session_http_port": 65535},
        ON | {"session_http_address": "10.0.0.2", "access_vpc_addresses": ["10.0.0.2"], "gateway_access": ["vpc"]},
        {"session_heartbeat": {"url": "https://hc.example.org/s3cr3t", "every": "120", "method": "GET"}},
    ],
)
def test_what_can_be_published(changes: dict[str, Any]) -> None:
    assert problems(GOOD | changes, OTHERS) == []


def test_a_plan_is_read_and_a_later_one_too(deploy: Any) -> None:
    deploy()
    assert plan.load("paper") == Plan()
    with open(plan.path("paper"), "w") as file:
        json.dump({"schema": 1, "pushes": 2, "of_a_later_release": True, "paper_sessions": []}, file)
    assert plan.load("paper").pushes == 2


@pytest.mark.parametrize("content", ["", "[]", '{"paper_sessions": [{"name": 1}]}', "{"])
def test_a_damaged_plan_says_so(deploy: Any, content: str) -> None:
    deploy()
    with open(plan.path("paper"), "w") as file:
        file.write(content)
    with pytest.raises(descriptor.DescriptorError, match=r"ibops\.gateway\.site .* to rewrite it"):
        plan.load("paper")


def test_the_defaults_of_the_library_are_those_of_the_role(pytestconfig: pytest.Config) -> None:
    """A host on which role session has not run lives by the numbers of the role, field by field."""
    role = pytestconfig.rootpath / "roles/session"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    written = yaml.safe_load((role / "vars/main.yml").read_text())["__session_plan"]
    variables = {
        field: match[1] for field, text in written.items() if (match := re.search(r"\b(session_\w+)", str(text)))
    }
    of_the_host = {"host", "paper_sessions"}
    assert set(variables) == set(Plan.__dataclass_fields__) - of_the_host
    # Without the role there is no permission to write there either.
    of_the_host.add("metrics_directory")
    assert {field: defaults[name] for field, name in variables.items() if field not in of_the_host} == {
        field: [*value] if isinstance(value, tuple) else value
        for field, value in asdict(Plan()).items()
        if field not in of_the_host
    }


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", None, "../x"])
def test_a_plan_with_a_zone_that_this_machine_cannot_read_is_damaged(deploy: Any, zone: object) -> None:
    deploy()
    session = {"name": "a", "days": ["mon"], "time": "09:30", "lead_minutes": 1, "max_minutes": 9}
    with open(plan.path("paper"), "w") as file:
        json.dump({"paper_sessions": [session | {"zone": "Asia/Tokyo"}]}, file)
    assert plan.load("paper").paper_sessions[0].zone == "Asia/Tokyo"
    with open(plan.path("paper"), "w") as file:
        json.dump({"paper_sessions": [session | {"zone": zone}]}, file)
    with pytest.raises(descriptor.DescriptorError, match=r"paper_sessions\[0\]\.zone"):
        plan.load("paper")


@pytest.mark.parametrize(
    ("variable", "field", "low", "high"),
    [
        ("session_interval", "interval", 10, 600),
        ("session_client_id", "client_id", 1, 999999),
        ("session_sign_in_pushes", "pushes", 1, 5),
        ("session_sign_in_minutes", "sign_in_minutes", 4, 30),
        ("session_manual_minutes", "manual_minutes", 5, 1440),
        ("session_gateway_log_days", "gateway_log_days", 1, 365),
        ("session_gateway_log_mib", "gateway_log_mib", 100, 1_000_000),
    ],
)
def test_the_bounds_are_those_of_the_file_and_of_the_variable(variable: str, field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert problems({**GOOD, variable: value}, OTHERS) == []
        assert getattr(plan.from_data({field: value}), field) == value
    for value in (low - 1, high + 1):
        assert len(problems({**GOOD, variable: value}, OTHERS)) == 1
        with pytest.raises(record_file.DamagedError, match=variable):
            plan.from_data({field: value})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sign_in_at": ["10:00"]}, r"session_sign_in_at\[0\] = '10:00': not a day and a time"),
        ({"sign_in_at": ["sun 10:00"], "sign_in_zone": "Mars/Olympus"}, "session_sign_in_zone = 'Mars/Olympus'"),
    ],
)
def test_a_file_with_an_appointment_that_is_none_is_damaged(change: dict[str, Any], told: str) -> None:
    with pytest.raises(record_file.DamagedError, match=told):
        plan.from_data(change)


@pytest.mark.parametrize("change", [{"region": "mars"}, {"sign_in_deadline": "02:59"}, {"sign_in_deadline": "x"}])
def test_a_file_with_a_region_or_a_deadline_that_is_none_is_damaged(change: dict[str, str]) -> None:
    with pytest.raises(record_file.DamagedError, match="region or deadline"):
        plan.from_data(change)


def test_a_gateway_without_a_plan_has_the_default_and_a_damaged_one_its_fault(deploy: Any) -> None:
    deploy()
    assert plan.path("paper") == f"{descriptor.ROOT}/paper/session.json"
    assert plan.load_or_default("paper") == (Plan(), "")
    assert (Plan().host, Plan().paper_sessions, Plan().metrics_directory) == ("", (), "")
    with open(plan.path("paper"), "w") as file:
        json.dump({"interval": 300}, file)
    assert plan.load_or_default("paper") == (Plan(interval=300), "")
    with open(plan.path("paper"), "w") as file:
        file.write("{")
    found, fault = plan.load_or_default("paper")
    assert found == Plan()
    assert fault.startswith(f"{plan.path('paper')} is damaged")
