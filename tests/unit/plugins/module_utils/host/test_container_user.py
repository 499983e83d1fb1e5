# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import concurrent.futures
import fcntl
import grp
import pathlib
import pwd
import subprocess
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user
from ansible_collections.ibops.gateway.plugins.module_utils.host.container_user import TakenError, reserve, taken
from ansible_collections.ibops.gateway.plugins.modules import container_user as module

NOLOGIN, BASH = "/usr/sbin/nologin", "/bin/bash"
ROOT = ("root", 0, 0, BASH)
OURS = ("ibgateway", 1000, 1000, NOLOGIN)


def users(*rows: tuple[str, int, int, str]) -> list[pwd.struct_passwd]:
    return [pwd.struct_passwd((name, "x", uid, gid, "", f"/home/{name}", shell)) for name, uid, gid, shell in rows]


def groups(*rows: tuple[str, int, list[str]]) -> list[grp.struct_group]:
    return [grp.struct_group((name, "x", gid, members)) for name, gid, members in rows]


@pytest.mark.parametrize(
    ("people", "their_groups", "said"),
    [
        pytest.param([], [], [], id="free"),
        pytest.param([OURS], [("ibgateway", 1000, [])], [], id="ours"),
        pytest.param([OURS], [("ibgw", 1000, ["ibgateway"])], [], id="ours in hardening's group"),
        pytest.param([("alice", 20001, 100, BASH)], [("google-sudoers", 1000, [])], [], id="OS Login"),
        pytest.param(
            [("operator", 1000, 1000, BASH)], [("operator", 1000, [])],
            ["groupmod --gid 2000 operator && usermod --uid 2000 operator && chown -hR operator: /home/operator"],
            id="cloud image",
        ),
        pytest.param([("alice", 1000, 1001, BASH)], [], ["; usermod --uid 2000 alice"], id="another gid"),
        pytest.param(
            [("alice", 1000, 1000, BASH), ("bob", 2000, 2001, BASH)], [("alice", 1000, [])],
            ["--gid 2002 alice", "--uid 2002 alice"], id="2000 is taken",
        ),
        pytest.param([("daemon", 1000, 1, NOLOGIN)], [], ["usermod --uid 2000 daemon"], id="a service's"),
        pytest.param([OURS, ("twin", 1000, 100, BASH)], [], ["usermod --uid 2000 twin"], id="a second name"),
        pytest.param(
            [("alice", 1001, 1000, BASH)], [("alice", 1000, [])], ["groupmod --gid 2000 alice && chown"],
            id="primary gid",
        ),
        pytest.param([], [("google-sudoers", 1000, ["alice"])], ["groupmod --gid 2000 google-sudoers"], id="members"),
        pytest.param([("ibgateway", 999, 999, NOLOGIN)], [], ["userdel ibgateway"], id="ours with another uid"),
        pytest.param([("ibgateway", 1000, 1000, BASH)], [], [f"usermod --shell {NOLOGIN} ibgateway"], id="it logs in"),
    ],
)  # fmt: skip
def test_who_has_the_uid_and_how_to_free_it(
    people: list[tuple[str, int, int, str]], their_groups: list[tuple[str, int, list[str]]], said: list[str]
) -> None:
    fault = taken(1000, users(ROOT, *people), groups(("root", 0, []), *their_groups))
    assert bool(fault) is bool(said)
    assert all(command in fault for command in said), fault


class Host:
    """The accounts of a host, and the commands that were run there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lock: pathlib.Path) -> None:
        self.lock = lock
        monkeypatch.setattr(container_user, "LOCK", str(lock))
        self.users, self.groups = users(ROOT), groups(("root", 0, []))
        self.hidden: list[pwd.struct_passwd] = []
        self.ran: list[tuple[str, ...]] = []
        self.returncode = 0
        monkeypatch.setattr(pwd, "getpwall", lambda: list(self.users))
        monkeypatch.setattr(grp, "getgrall", lambda: list(self.groups))
        monkeypatch.setattr(pwd, "getpwuid", self.by_uid)
        monkeypatch.setattr(container_user.subprocess, "run", self.run)  # type: ignore[attr-defined]  # its import

    def by_uid(self, uid: int) -> pwd.struct_passwd:
        found = {user.pw_uid: user for user in [*self.users, *self.hidden]}
        return found[uid]

    def run(self, command: tuple[str, ...], **_options: Any) -> subprocess.CompletedProcess[str]:
        self.ran.append(command)
        if command[0] == "useradd" and not self.returncode:
            self.users += users(OURS)
        return subprocess.CompletedProcess(command, self.returncode, "", "the disk is full")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Host:
    return Host(monkeypatch, tmp_path / "lock")


def test_it_is_predicted_made_and_then_there(host: Host) -> None:
    predicted = reserve(1000, check=True)
    assert (len(predicted), host.ran) == (1, [])
    assert reserve(1000, check=False) == predicted
    assert [command[0] for command in host.ran] == ["groupadd", "useradd"]
    assert {"--shell", NOLOGIN, "--no-create-home", "1000"} <= set(host.ran[1])
    assert reserve(1000, check=False) == []
    assert len(host.ran) == 2


def test_another_gateway_of_the_machine_makes_it_meanwhile(host: Host) -> None:
    with host.lock.open("w") as lock, concurrent.futures.ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = pool.submit(reserve, 1000, check=False)
        with pytest.raises(concurrent.futures.TimeoutError):
            second.result(0.2)
        host.users += users(OURS)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert second.result(5) == []
    assert host.ran == []


def test_a_group_without_members_is_used(host: Host) -> None:
    host.groups += groups(("google-sudoers", 1000, []))
    reserve(1000, check=False)
    assert [command[0] for command in host.ran] == ["useradd"]


@pytest.mark.parametrize("check", [True, False])
def test_a_user_whom_a_directory_service_does_not_list(host: Host, check: bool) -> None:
    host.hidden = users(("alice", 1000, 100, BASH))
    with pytest.raises(TakenError):
        reserve(1000, check)
    assert host.ran == []


def test_the_module(host: Host, run_module: Any) -> None:
    assert run_module(module.main, check=True)["changed"] is True
    host.returncode = 1
    assert run_module(module.main)["msg"].startswith("groupadd: the disk is full")
    host.returncode = 0
    assert (run_module(module.main)["changed"], run_module(module.main)["changed"]) == (True, False)
    host.users += users(("alice", 1000, 100, BASH))
    assert "alice" in run_module(module.main)["msg"]
