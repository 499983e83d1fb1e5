from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
operator:x:1000:100::/home/operator:/bin/bash
twin:x:1000:100::/home/operator:/bin/bash
"""
SHADOW = "root:*:1::::::\ndaemon:!*:1::::::\noperator:!:1::::::\ntwin:$y$j9T$x:1:0:99999:7:::\nopen::1::::::\n"


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Read facts from the host's files."""
    contents: dict[str, str] = {}
    monkeypatch.setattr(facts, "text", lambda path: contents.get(path, ""))
    return contents


def test_accounts(files: dict[str, str]) -> None:
    files.update(
        {"/etc/passwd": PASSWD, "/etc/shadow": SHADOW, "/etc/group": "root:x:0:\nusers:x:100:\nalso:x:100:a,b\n"}
    )
    found = facts.accounts()
    assert found["users"] == ["root", "daemon", "sync", "operator", "twin"]
    assert (found["uids"]["root"], found["uids"]["operator"]) == (0, 1000)
    assert found["login_users"] == [
        {"name": "root", "uid": 0, "home": "/root", "password": False, "ageing": ["", "", ""]},
        {"name": "operator", "uid": 1000, "home": "/home/operator", "password": False, "ageing": ["", "", ""]},
        {"name": "twin", "uid": 1000, "home": "/home/operator", "password": True, "ageing": ["0", "99999", "7"]},
    ]
    assert found["duplicates"] == ["uid 1000 occurs 2 times", "gid 100 occurs 2 times", "open has an empty password"]


def test_the_connection_is_found_above_sudo(files: dict[str, str]) -> None:
    pid = os.getpid()
    files.update(
        {
            f"/proc/{pid}/stat": f"{pid} (python (3)) S 50 1 1",
            "/proc/50/environ": "SUDO_USER=operator\0",
            "/proc/50/stat": "50 (sudo) S 40 1 1",
            "/proc/40/environ": "USER=operator\0SSH_CONNECTION=192.0.2.7 40000 10.0.0.2 2222\0",
        }
    )
    assert facts.connection() == {"user": "operator", "client": "192.0.2.7", "port": 2222}


def test_without_ssh_there_is_no_connection(files: dict[str, str]) -> None:
    assert facts.connection() == {"user": None, "client": None, "port": None}


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({}, []),
        ({"/etc/resolv.conf": "search c.internal\nnameserver 169.254.169.254\n"}, ["169.254.169.254"]),
        # systemd-resolved: a container cannot use the stub on the loopback, so it gets the upstream servers.
        (
            {
                "/etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0\n",
                "/run/systemd/resolve/resolv.conf": "nameserver 10.0.0.2\nnameserver fd20:ce::254\n",
            },
            ["10.0.0.2", "fd20:ce::254"],
        ),
        ({"/etc/resolv.conf": "nameserver ::1\nnameserver fe80::1%eth0\nnameserver\nnameserver x\n"}, ["fe80::1"]),
        # The engine's own settings, also where somebody else has written them.
        ({"/etc/docker/daemon.json": '{"dns": ["10.0.0.9", 5, "127.0.0.1"]}'}, ["10.0.0.9"]),
        ({"/etc/docker/daemon.json": "[1"}, []),
        ({"/etc/docker/daemon.json": "[]"}, []),
    ],
)
def test_resolvers(files: dict[str, str], contents: dict[str, str], expected: list[str]) -> None:
    files.update(contents)
    assert facts.resolvers() == expected


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        ("", []),
        ("authorizedkeyscommand none\nauthorizedkeyscommanduser none\n", []),
        ("authorizedkeyscommand /usr/bin/google_authorized_keys\nauthorizedkeyscommanduser root\n", ["root"]),
        (
            "authorizedkeyscommand /k\nauthorizedkeyscommanduser keys\n"
            "authorizedprincipalscommand /p\nauthorizedprincipalscommanduser nobody\n",
            ["keys", "nobody"],
        ),
        ("authorizedkeyscommand none\nauthorizedkeyscommanduser keys\n", []),
    ],
)
def test_key_helpers(monkeypatch: pytest.MonkeyPatch, effective: str, expected: list[str]) -> None:
    monkeypatch.setattr(facts, "output", lambda *argv: effective)
    assert facts.key_helpers() == expected


def test_services(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = (
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n"
        "LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\nConditionResult=no\n"
        "ConditionTimestampMonotonic=7\n\n"
        "LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\nConditionResult=no\n"
        "ConditionTimestampMonotonic=0\n\n"
        "LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n\n"
        "LoadState=loaded\nActiveState=active\nUnitFileState=static\n\n"
        "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
    )
    monkeypatch.setattr(facts, "output", lambda *argv: shown)
    found = facts.services(["a", "skipped", "new", "b", "c", "d"])
    assert {unit: [name for name, is_so in state.items() if is_so] for unit, state in found.items()} == {
        "a": ["exists", "enabled", "active"],
        "skipped": ["exists", "enabled", "skipped"],
        "new": ["exists", "enabled"],
        "b": ["exists", "masked"],
        "c": ["exists", "static", "active"],
        "d": [],
    }


def test_sysctls_and_mounts_of_this_kernel() -> None:
    found = facts.sysctls(["kernel.ostype", "kernel.no_such_key"])
    assert found == {"kernel.ostype": "Linux", "kernel.no_such_key": None}
    assert facts.mounts()["/proc"]["fstype"] == "proc"


def test_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "installed bash 5.2\nconfig-files telnet 0.17\nhalf-installed x 1\n"
    monkeypatch.setattr(facts, "output", lambda *argv: listed)
    assert facts.packages() == {"bash": "5.2"}


def test_distribution(tmp_path: pathlib.Path, files: dict[str, str]) -> None:
    files["/etc/os-release"] = (
        'PRETTY_NAME="Debian GNU/Linux 13"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n'
    )
    assert facts.distribution() == {"id": "debian", "version": "13", "codename": "trixie"}
