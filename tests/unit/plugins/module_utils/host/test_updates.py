from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import updates

SIMULATION = """Reading package lists...
Building dependency tree...
Calculating upgrade...
The following packages will be upgraded:
  docker.io libc6 openssl
Inst libc6 [2.41-12+deb13u3] (2.41-12+deb13u4 Debian:13.7/stable, Debian-Security:13/stable-security [amd64]) [a:b ]
Conf libc6 (2.41-12+deb13u4 Debian:13.7/stable [amd64])
Inst docker.io [26.1.5+dfsg1-9] (26.1.6+dfsg1-1 Debian-Security:13/stable-security [amd64])
Inst linux-image-6.12.60+deb13-cloud-amd64 (6.12.60-1 Debian-Security:13/stable-security [amd64])
Inst linux-image-cloud-amd64 [6.12.57-1] (6.12.60-1 Debian-Security:13/stable-security [amd64])
Inst tzdata [2025b-4] (2025c-1 Debian:13-updates/stable-updates [all])
Inst curl [8.5.0-2] (8.5.0-2ubuntu10.6 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64]) []
Remv obsolete [1.0]
Conf docker.io (26.1.6+dfsg1-1 Debian-Security:13/stable-security [amd64])
"""
NEEDRESTART = """NEEDRESTART-VER: 3.11
NEEDRESTART-KCUR: 6.12.57+deb13-cloud-amd64
NEEDRESTART-KEXP: 6.12.60+deb13-cloud-amd64
NEEDRESTART-KSTA: {kernel}
NEEDRESTART-SVC: ssh.service
NEEDRESTART-SVC: docker.service
NEEDRESTART-SVC: ssh.service
NEEDRESTART-SESS: operator @ session #3
"""
KERNEL = "kernel 6.12.60+deb13-cloud-amd64"
SETTINGS: dict[str, t.Any] = {
    "hardening_updates_origins": ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"],
    "hardening_updates_keep": ["docker.io", "libstdc++6"],
    "hardening_updates_never_restart": ["docker", "ibgw-watch@"],
    "hardening_updates_time": "00:30",
    "hardening_updates_time_zone": "America/New_York",
    "hardening_updates_spread": 30,
}


def test_what_apt_would_install() -> None:
    found = updates.pending(SIMULATION, {"docker.io"})
    assert [(each["name"], each["installed"], each["held"], each["security"]) for each in found] == [
        ("curl", "8.5.0-2", False, True),
        ("docker.io", "26.1.5+dfsg1-9", True, True),
        ("libc6", "2.41-12+deb13u3", False, True),
        ("linux-image-6.12.60+deb13-cloud-amd64", None, False, True),
        ("linux-image-cloud-amd64", "6.12.57-1", False, True),
        ("tzdata", "2025b-4", False, False),
    ]
    assert found[1]["candidate"] == "26.1.6+dfsg1-1"
    assert updates.pending("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n", set()) == []


def test_what_is_on_hold() -> None:
    assert updates.held("docker.io hold\ncron install\nrunc hold\ngone deinstall\n") == {"docker.io", "runc"}


def test_services_that_run_replaced_libraries() -> None:
    assert updates.services(NEEDRESTART) == ["docker.service", "ssh.service"]
    assert updates.services("NEEDRESTART-VER: 3.11\n") == []


@pytest.mark.parametrize(
    ("asked_for", "names", "kernel", "required", "reasons"),
    [
        (False, [], "1", False, []),
        (False, [], "0", False, []),
        (False, [], "2", True, [KERNEL]),
        (False, [], "3", True, [KERNEL]),
        (True, [], "1", True, []),
        (True, ["linux-image-x", "linux-image-x", "dbus"], "1", True, ["dbus", "linux-image-x"]),
        (True, ["linux-image-x"], "3", True, [KERNEL, "linux-image-x"]),
    ],
)
def test_a_reboot(asked_for: bool, names: list[str], kernel: str, required: bool, reasons: list[str]) -> None:
    found = updates.reboot(asked_for, names, NEEDRESTART.format(kernel=kernel))
    assert found == {"reboot_required": required, "reboot_reasons": reasons}


def test_in_a_container_nothing_is_said_of_the_kernel() -> None:
    assert updates.reboot(False, [], "NEEDRESTART-VER: 3.11\n")["reboot_required"] is False


@pytest.fixture
def programs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Programs of the host that print what they are told, by name."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(updates, "REBOOT_REQUIRED", str(tmp_path / "reboot-required"))
    # The machine that runs the tests may have its own.
    bare = tuple((str(tmp_path / command[0]), *command[1:]) for command in updates.COMMANDS)
    monkeypatch.setattr(updates, "COMMANDS", bare)

    def install(**scripts: str) -> None:
        for name, script in scripts.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    return install


def test_a_look_at_the_host(programs: t.Callable[..., None], tmp_path: pathlib.Path) -> None:
    programs(
        apt_get="echo 'Inst runc [1] (2 Debian:13/stable [amd64])'",
        dpkg_query="echo 'runc hold'",
        needrestart="echo 'NEEDRESTART-SVC: cron.service'",
    )
    (tmp_path / "reboot-required").write_text("")
    (tmp_path / "reboot-required.pkgs").write_text("linux-image-x\n")
    assert updates.look() == {
        "pending": [{"name": "runc", "installed": "1", "candidate": "2", "held": True, "security": False}],
        "restart_wanted": ["cron.service"],
        "reboot_required": True,
        "reboot_reasons": ["linux-image-x"],
    }


def test_without_needrestart_it_is_not_known_what_wants_a_restart(programs: t.Callable[..., None]) -> None:
    programs(apt_get="true", dpkg_query="true")
    found = updates.look()
    assert (found["restart_wanted"], found["reboot_required"], found["pending"]) == (None, False, [])


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({"apt_get": "echo 'E: unmet dependencies' >&2; exit 100", "dpkg_query": "true"}, "exit status 100: E: unmet"),
        ({"dpkg_query": "true"}, "this is not a Debian host"),
    ],
)
def test_a_host_that_cannot_tell(programs: t.Callable[..., None], scripts: dict[str, str], said: str) -> None:
    programs(**scripts)
    with pytest.raises(updates.UpdatesError, match=said):
        updates.look()


def test_good_settings_are_no_problem() -> None:
    assert updates.problems(SETTINGS) == []
    assert updates.problems({**SETTINGS, "hardening_updates_keep": [], "hardening_updates_never_restart": []}) == []


@pytest.mark.parametrize(
    ("name", "value", "id_"),
    [
        ("origins", [], "updates-origins-empty"),
        ("origins", ["Debian"], "updates-pattern"),
        ("origins", ["orgin=Debian"], "updates-pattern"),
        ("origins", ['origin=Debian"; };'], "updates-pattern"),
        ("keep", ["Docker IO"], "updates-pattern"),
        ("keep", ["docker.*"], "updates-pattern"),
        ("never_restart", ["docker\\E) || system('x"], "updates-pattern"),
        ("time", "24:00", "updates-time"),
        ("time", 30, "updates-time"),
        ("time_zone", "New York", "updates-zone"),
        ("time_zone", "../etc/passwd", "updates-zone"),
        ("time_zone", "", "updates-zone"),
        ("spread", 721, "updates-spread"),
        ("spread", -1, "updates-spread"),
    ],
)
def test_each_problem(name: str, value: object, id_: str) -> None:
    (problem,) = updates.problems({**SETTINGS, f"hardening_updates_{name}": value})
    assert (problem.id, problem.variable) == (id_, f"hardening_updates_{name}")
