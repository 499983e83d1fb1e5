"""An existing engine: its packages, and the three-way merge of its settings."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.neighbours import Neighbour
from ansible_collections.ibops.gateway.plugins.module_utils.host import docker_daemon as daemon

TRIXIE = {"id": "debian", "version": "13", "codename": "trixie"}
OF_DEBIAN = ("docker.io", "containerd", "runc", "docker-cli")


@pytest.mark.parametrize(
    ("wanted", "installed", "source", "missing"),
    [
        ("debian", {}, "debian", OF_DEBIAN),
        ("docker", {}, "docker", daemon.OF_DOCKER),
        ("debian", dict.fromkeys(daemon.OF_DOCKER, "install"), "docker", ()),
        ("debian", {"containerd.io": "hold"}, "docker", ("docker-ce", "docker-ce-cli")),
        ("docker", dict.fromkeys(OF_DEBIAN[:3], "hold"), "debian", ("docker-cli",)),
        # Podman's, or of a machine that runs Kubernetes: no engine yet.
        ("docker", {"runc": "install"}, "docker", daemon.OF_DOCKER),
        ("debian", {"runc": "install"}, "debian", ("docker.io", "containerd", "docker-cli")),
    ],
    ids=["none", "none, docker", "docker-ce", "containerd.io", "docker.io", "runc, docker", "runc"],
)
def test_an_engine_that_is_there_is_taken(
    wanted: str, installed: dict[str, str], source: str, missing: tuple[str, ...]
) -> None:
    found = daemon.packages(wanted, TRIXIE, installed)
    assert (found.source, found.missing) == (source, missing)
    assert found.engine is (found.all[0] in installed)
    assert found.held == tuple(name for name in found.all if installed.get(name) == "hold")


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(ValueError, match="not supported"):
        daemon.packages("debian", {"id": "fedora", "version": "43", "codename": ""}, {})


WANTED = {"live-restore": True, "default-ulimits": {"nofile": {"Soft": 1}}, "dns": ["10.0.0.1"]}


@pytest.mark.parametrize(
    ("found", "wanted", "ours", "settings", "kept", "conflicts"),
    [
        ({}, WANTED, {}, WANTED, WANTED, []),
        ({"mtu": 1400}, {"icc": False}, {}, {"mtu": 1400, "icc": False}, {"icc": False}, []),
        # The same value is the host's own: it stays when we go.
        ({"icc": False}, {"icc": False}, {}, {"icc": False}, {}, []),
        ({"icc": True}, {"icc": False}, {}, {"icc": True}, {}, [("icc", True, False)]),
        # An earlier run's settings are changed and withdrawn.
        ({"icc": True, "mtu": 1}, {"icc": False}, {"icc": True}, {"icc": False, "mtu": 1}, {"icc": False}, []),
        ({"icc": True, "mtu": 1}, {}, {"icc": True}, {"mtu": 1}, {}, []),
        ({"icc": True, "mtu": 1}, {}, {"icc": False}, {"icc": True, "mtu": 1}, {}, []),
        (
            {"log-opts": {"tag": "x"}},
            {"log-opts": {"max-size": "1m"}},
            {},
            {"log-opts": {"tag": "x", "max-size": "1m"}},
            {"log-opts": {"max-size": "1m"}},
            [],
        ),
        (
            {"log-opts": {"tag": "x", "max-size": "1m"}},
            {},
            {"log-opts": {"max-size": "1m"}},
            {"log-opts": {"tag": "x"}},
            {},
            [],
        ),
        ({"log-opts": {"max-size": "1m"}}, {}, {"log-opts": {"max-size": "1m"}}, {}, {}, []),
        ({"labels": {}}, {}, {}, {"labels": {}}, {}, []),
        (
            {"default-ulimits": {"nofile": {"Soft": 2}}},
            WANTED,
            {},
            {"default-ulimits": {"nofile": {"Soft": 2}}, "live-restore": True, "dns": ["10.0.0.1"]},
            {"live-restore": True, "dns": ["10.0.0.1"]},
            [("default-ulimits.nofile.Soft", 2, 1)],
        ),
        ({"dns": ["1"]}, {"dns": ["1", "2"]}, {}, {"dns": ["1"]}, {}, [("dns", ["1"], ["1", "2"])]),
        ({"ip": {"a": 1}}, {"ip": "x"}, {}, {"ip": {"a": 1}}, {}, [("ip", {"a": 1}, "x")]),
    ],
)
def test_settings_are_merged_key_by_key(
    found: dict[str, t.Any],
    wanted: dict[str, t.Any],
    ours: dict[str, t.Any],
    settings: dict[str, t.Any],
    kept: dict[str, t.Any],
    conflicts: list[tuple[str, t.Any, t.Any]],
) -> None:
    merged = daemon.merge(found, wanted, [ours])
    assert (merged.settings, merged.ours, list(merged.conflicts)) == (settings, kept, conflicts)
    if not conflicts:
        again = daemon.merge(merged.settings, wanted, [merged.ours])
        assert (again.settings, again.ours) == (settings, kept)


def test_of_a_cut_run_either_value_is_ours() -> None:
    assert daemon.merge({"icc": True}, {"icc": None}, [{"icc": False}, {"icc": True}]).conflicts == ()


def test_a_file_that_says_so_already_is_left_as_it_is_written() -> None:
    text = '{ "icc":false }'
    assert daemon.written(text, {"icc": False}) == text
    assert json.loads(daemon.written(text, {"icc": False, "mtu": 1})) == {"icc": False, "mtu": 1}
    assert daemon.written("", {}) == "{}\n"


@pytest.mark.parametrize("text", ["[]", "{", "null"])
def test_what_dockerd_does_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"object|Expecting"):
        daemon.parse(text)


def test_a_password_of_a_proxy_is_not_shown() -> None:
    found = daemon.conflict("proxies", {"http-proxy": "http://ann:top-secret@proxy:1"}, {})
    assert found.id == "engine-setting-conflict"
    assert "top-secret" not in str(found)
    assert "http://(hidden)@proxy:1" in str(found)


def test_a_key_that_the_unit_gives_as_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "ExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// --icc --dns=1 ; }"
    monkeypatch.setattr(daemon.facts, "output", lambda *_command: shown)
    found = daemon.flagged({"icc": False, "dns": ["1"], "mtu": 1}, {"mtu": 1}, daemon.flags())
    assert [(each.id, each.value) for each in found] == [
        ("engine-setting-flag", "'icc'"),
        ("engine-setting-flag", "'dns'"),
    ]


def test_who_else_would_notice_a_restart() -> None:
    around = [Neighbour("web"), Neighbour("old", there=False), Neighbour("ibgw-paper", gateway="paper")]
    assert daemon.others(around) == ["web"]
