# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.deploy import container

GOOD: dict[str, Any] = {
    "image": "image@sha256:1",
    "uid": 1000,
    "environment": {"TRADING_MODE": "paper"},
    "mounts": [{"source": "/etc/ibgw/paper/ibc", "target": "/etc/ibc", "read_only": True}],
    "tmpfs": {"/run/ibc": "mode=0700"},
    "port": 4002,
    "container_port": 4004,
    "memory": "2g",
    "cpus": 0.0,
    "heap_mb": 768,
    "pids_limit": 500,
    "nofile": 10000,
    "stop_grace": 90,
    "log_max_size": "10m",
    "log_max_files": 5,
}
# Impossible settings of a container, by the variable in the refusal.
BAD: list[tuple[str, dict[str, Any]]] = [
    ("gateway_memory", {"memory": 2048}),
    ("gateway_memory", {"memory": "2048"}),
    ("gateway_memory", {"memory": "2 GiB"}),
    ("gateway_memory", {"memory": "2gib"}),
    ("gateway_memory", {"memory": ""}),
    ("gateway_memory", {"memory": "-2g"}),
    ("gateway_memory", {"memory": "512m"}),
    ("gateway_memory", {"heap_mb": 2000}),
    ("gateway_memory", {"memory": None}),
    ("gateway_java_heap_mb", {"heap_mb": "768m"}),
    ("gateway_java_heap_mb", {"heap_mb": 0}),
    ("gateway_java_heap_mb", {"heap_mb": 768.5}),
    ("gateway_cpus", {"cpus": 64}),
    ("gateway_cpus", {"cpus": 2.1}),
    ("gateway_cpus", {"cpus": -1}),
    ("gateway_cpus", {"cpus": 0.001}),
    ("gateway_cpus", {"cpus": "two"}),
    ("gateway_cpus", {"cpus": "nan"}),
    ("gateway_pids_limit", {"pids_limit": 10}),
    ("gateway_pids_limit", {"pids_limit": "many"}),
    ("gateway_pids_limit", {"pids_limit": True}),
    ("gateway_nofile", {"nofile": 10**9}),
    ("gateway_nofile", {"nofile": 64}),
    ("gateway_stop_grace", {"stop_grace": 0}),
    ("gateway_stop_grace", {"stop_grace": "90s"}),
    ("gateway_log_max_size", {"log_max_size": "10"}),
    ("gateway_log_max_size", {"log_max_size": "ten"}),
    ("gateway_log_max_size", {"log_max_size": "0m"}),
    ("gateway_log_max_size", {"log_max_size": "0.0001k"}),
    ("gateway_log_max_size", {"log_max_size": "63.9k"}),
    ("gateway_log_max_size", {"log_max_size": "1025g"}),
    ("gateway_log_max_size", {"log_max_size": f"{'9' * 400}m"}),
    ("gateway_log_max_size", {"log_max_size": "\u0661\u0660m"}),
    ("gateway_log_max_files", {"log_max_files": 0}),
    ("gateway_port", {"port": 0}),
    ("gateway_port", {"port": 70000}),
    ("gateway_environment", {"environment": {"A": 1}}),
    ("gateway_environment", {"environment": {"A": "one\ntwo"}}),
    ("gateway_environment", {"environment": {"A=B": "one"}}),
    ("gateway_environment", {"environment": ["A=1"]}),
    ("gateway_environment", {"environment": {"A": "x" * ((64 << 10) - 1)}}),
    ("gateway_environment", {"environment": {"A": "\u20ac" * 30_000}}),
    ("gateway_environment", {"environment": {f"A{each}": "x" * 60_000 for each in range(3)}}),
]


def test_good_settings_have_no_problems() -> None:
    assert container.problems(GOOD, cpus=2) == []
    assert container.problems({**GOOD, "cpus": "2", "memory": "1536m"}, cpus=2) == []
    assert container.problems({**GOOD, "cpus": 64}, cpus=None) == []
    assert container.problems({**GOOD, "log_max_size": "64k"}, cpus=2) == []
    assert container.problems({**GOOD, "log_max_size": "1t"}, cpus=2) == []
    half = "x" * ((64 << 10) - 2)
    assert container.problems({**GOOD, "environment": {"A": half, "B": half}}, cpus=2) == []


@pytest.mark.parametrize(("variable", "change"), BAD)
def test_what_no_container_can_have_is_named(variable: str, change: dict[str, Any]) -> None:
    [problem] = container.problems({**GOOD, **change}, cpus=2)
    assert problem.variable.partition(".")[0] == variable


def test_a_value_of_the_environment_is_not_shown() -> None:
    [problem] = container.problems({**GOOD, "environment": {"TOKEN": "top\nsecret"}}, cpus=2)
    assert (problem.id, problem.variable) == ("container-variable-text", "gateway_environment.TOKEN")
    assert "secret" not in str(problem)
    [problem] = container.problems({**GOOD, "environment": {"TOKEN": "secret" * 20_000}}, cpus=2)
    assert (problem.id, problem.variable) == ("container-variable-long", "gateway_environment.TOKEN")
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("2g", 2 << 30), ("2G", 2 << 30), ("2gb", 2 << 30), ("1.5g", 3 << 29), ("64k", 65536), ("2", None)],
)
def test_sizes(text: str, bytes_: int | None) -> None:
    assert container.size(text) == bytes_


def test_the_request_binds_the_container() -> None:
    made = container.body({**GOOD, "cpus": 1.5, "shm_size": "256m"}, {"a": "b"})
    limits = made["HostConfig"]
    assert made["User"] == "1000:1000"
    assert made["Env"] == ["TRADING_MODE=paper"]
    assert made["Labels"] == {"a": "b"}
    assert made["StopTimeout"] == 90
    assert (limits["CapDrop"], limits["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert (limits["Memory"], limits["NanoCpus"], limits["PidsLimit"]) == (2 << 30, 1_500_000_000, 500)
    assert limits["PortBindings"] == {"4004/tcp": [{"HostIp": "127.0.0.1", "HostPort": "4002"}]}
    assert limits["Ulimits"] == [{"Name": "nofile", "Soft": 10000, "Hard": 10000}]
    assert limits["ShmSize"] == 256 << 20
    assert limits["RestartPolicy"] == {"Name": "no"}
    assert "NanoCpus" not in container.body(GOOD, {})["HostConfig"]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "image@sha256:2"},
        {"uid": 1001},
        {"environment": {"TRADING_MODE": "live"}},
        {"mounts": []},
        {"mounts": [{"source": "/etc/ibgw/paper/ibc", "target": "/etc/ibc", "read_only": False}]},
        {"tmpfs": {}},
        {"tmpfs": {"/run/ibc": "mode=0777"}},
        {"port": 4003},
        {"container_port": 4003},
        {"memory": "3g"},
        {"cpus": 1},
        {"pids_limit": 501},
        {"nofile": 10001},
        {"stop_grace": 91},
        {"log_max_size": "11m"},
        {"log_max_files": 6},
        {"shm_size": "64m"},
    ],
)
def test_the_revision_changes_with_everything_that_a_container_is_started_with(change: dict[str, Any]) -> None:
    before = container.revision(container.body(GOOD, {}), "config", "jts", "secret")
    assert container.revision(container.body({**GOOD, **change}, {}), "config", "jts", "secret") != before


def test_the_revision_has_every_field_of_the_request_and_every_file() -> None:
    request = container.body(GOOD, {"a": "b"})
    before = container.revision(request, "config", "jts", "secret")
    assert container.revision(dict(reversed(request.items())), "config", "jts", "secret") == before
    for name in ("CapDrop", "SecurityOpt", "RestartPolicy", "LogConfig"):
        less = {**request, "HostConfig": {k: v for k, v in request["HostConfig"].items() if k != name}}
        assert container.revision(less, "config", "jts", "secret") != before
    for files in (
        ("x", "jts", "secret"),
        ("config", "x", "secret"),
        ("config", "jts", "x"),
        ("configjts", "", "secret"),
    ):
        assert container.revision(request, *files) != before


@pytest.mark.parametrize(
    ("id_", "change"),
    [
        ("container-size", {"memory": "2048"}),
        ("container-memory", {"memory": "512m"}),
        ("container-log-size", {"log_max_size": "0g"}),
        ("container-cpus", {"cpus": 0.001}),
        ("container-cpus-of-host", {"cpus": 64}),
        ("container-environment", {"environment": ["A=1"]}),
        ("container-variable", {"environment": {"A=B": "one"}}),
        ("container-variable-text", {"environment": {"A": 1}}),
        ("container-variable-long", {"environment": {"A": "x" * 200_000}}),
        ("container-environment-long", {"environment": {"A": "x" * 65_000, "B": "x" * 65_000, "C": "x" * 2_000}}),
    ],
)
def test_each_problem_has_its_id(id_: str, change: dict[str, Any]) -> None:
    assert [each.id for each in container.problems({**GOOD, **change}, cpus=2)] == [id_]


def test_the_desktop_image_starts_as_root_with_the_rights_of_its_init_alone() -> None:
    made = container.body({**GOOD, "program": "tws"}, {})
    limits = made["HostConfig"]
    assert "User" not in made
    assert (limits["CapDrop"], limits["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert limits["CapAdd"] == [*container.ROOT_CAPABILITIES]
    assert not {"NET_RAW", "NET_ADMIN", "SYS_ADMIN", "SYS_CHROOT", "MKNOD"} & {*container.ROOT_CAPABILITIES}
    assert [*limits["PortBindings"]] == ["4004/tcp"]
    assert container.body({**GOOD, "program": "gateway"}, {}) == container.body(GOOD, {})


def test_the_desktop_needs_more_memory() -> None:
    desktop = {**GOOD, "program": "tws", "heap_mb": 1024}
    assert container.problems({**desktop, "memory": "2560m"}, cpus=2) == []
    (problem,) = container.problems(desktop, cpus=2)
    assert "less than the 2560 MiB that a heap of 1024 MiB needs" in str(problem)
