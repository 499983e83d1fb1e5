# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect facts about a host. Read-only; run as root."""

from __future__ import annotations

import collections
import collections.abc as c
import contextlib
import glob
import ipaddress
import json
import os
import subprocess
import typing as t

PROPERTIES = "LoadState,UnitFileState,ActiveState,ConditionResult,ConditionTimestampMonotonic"
# Fields of a line in /etc/shadow.
NO_PASSWORD = ["", "!", "", "", "", "", "", "", ""]


def output(*argv: str) -> str:
    """Standard output of a command, empty if the command does not exist."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def login() -> dict[str, str]:
    """The environment of this process's SSH session; empty without one.

    sudo clears the environment, so it is read from the ancestor that sshd started.
    """
    pid = os.getpid()
    while pid > 1:
        environment = dict(word.partition("=")[::2] for word in text(f"/proc/{pid}/environ").split("\0"))
        if "SSH_CONNECTION" in environment:
            return environment
        # A process's name may contain blanks and brackets; the fields after it do not.
        pid = int((text(f"/proc/{pid}/stat").rpartition(") ")[2].split() or ["", "0"])[1])
    return {}


def connection() -> dict[str, t.Any]:
    """``{user, client, port}`` of this process's SSH session; None each without one."""
    session = login()
    if not session:
        return {"user": None, "client": None, "port": None}
    client, _client_port, _server, port = session["SSH_CONNECTION"].split()
    return {"user": session.get("USER"), "client": client, "port": int(port)}


def machine() -> str:
    """Return a unique id of the machine: its boot id, and its root file system, since containers share a kernel.

    /etc/machine-id would not do: clones of a VM share it.
    """
    root = os.stat("/")
    return f"{text('/proc/sys/kernel/random/boot_id').strip()}/{root.st_dev:x}/{root.st_ino:x}"


def distribution() -> dict[str, str]:
    """``{id, version, codename}`` of os-release(5)."""
    release = dict(line.partition("=")[::2] for line in text("/etc/os-release").splitlines())
    keys = {"id": "ID", "version": "VERSION_ID", "codename": "VERSION_CODENAME"}
    return {name: release.get(key, "").strip('"') for name, key in keys.items()}


def packages() -> dict[str, str]:
    """Every installed package with its version."""
    listed = output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n")
    words = [line.split() for line in listed.splitlines()]
    return {each[1]: each[2] for each in words if each[0] == "installed"}


def services(units: c.Sequence[str]) -> dict[str, dict[str, bool]]:
    """``{exists, enabled, static, active, skipped, masked}`` of each unit."""
    if not units:
        return {}
    # One block of properties per unit, in the requested order; none without a running systemd.
    shown = output("systemctl", "show", f"--property={PROPERTIES}", "--", *units)
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    return {
        unit: {
            "exists": state.get("LoadState") not in ("not-found", None),
            "enabled": state.get("UnitFileState") in ("enabled", "enabled-runtime"),
            # `systemctl enable` would not change these states.
            "static": state.get("UnitFileState") in ("static", "alias", "indirect", "generated"),
            "active": state.get("ActiveState") in ("active", "activating", "reloading"),
            # It was started, but skipped because of its own conditions.
            "skipped": state.get("ConditionResult") == "no" and state.get("ConditionTimestampMonotonic") != "0",
            "masked": state.get("LoadState") == "masked",
        }
        for unit, state in zip(units, [*blocks, *({} for _unit in units)], strict=False)
    }


def journal_sealed() -> bool:
    return bool(glob.glob("/var/log/journal/*/fss"))


def algorithms() -> dict[str, list[str]]:
    """Return the algorithms of the host's OpenSSH, by kind."""
    return {kind: output("ssh", "-Q", kind).split() for kind in ("kex", "cipher", "mac", "key", "sig")}


def host_keys() -> dict[str, int]:
    """Length of sshd's keys in the usual places, by kind."""
    lengths = {}
    for kind in ("ed25519", "ecdsa", "rsa"):
        words = output("ssh-keygen", "-l", "-f", f"/etc/ssh/ssh_host_{kind}_key.pub").split()
        if words and words[0].isdigit():
            lengths[kind] = int(words[0])
    return lengths


def key_helpers() -> list[str]:
    """Local users for sshd's key helpers, such as OS Login's (``sshd -T``)."""
    effective = dict(line.partition(" ")[::2] for line in output("/usr/sbin/sshd", "-T").splitlines())
    names = {
        effective.get(f"{helper}user", "none")
        for helper in ("authorizedkeyscommand", "authorizedprincipalscommand")
        if effective.get(helper, "none") != "none"
    }
    return sorted(names - {"none"})


def resolvers() -> list[str]:
    """Addresses of the name servers that containers use: the host's, except on its loopback, and those in the engine's
    settings."""
    files = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
    words = [line.split() for path in files for line in text(path).splitlines()]
    given = [each[1].partition("%")[0] for each in words if len(each) > 1 and each[0] == "nameserver"]
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        given += [str(each) for each in json.loads(text("/etc/docker/daemon.json")).get("dns", ())]
    addresses = {address for each in given if (address := _address(each)) and not address.is_loopback}
    return sorted(map(str, addresses))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def sysctls(keys: c.Iterable[str]) -> dict[str, str | None]:
    """The current value of each key, words separated by one blank; None if this kernel lacks the key."""
    found = {}
    for key in keys:
        path = "/proc/sys/" + key.replace(".", "/")
        found[key] = " ".join(text(path).split()) if os.path.exists(path) else None
    return found


def mounts() -> dict[str, dict[str, t.Any]]:
    """``{fstype, options, bound}`` by mount point; the last one mounted there counts.

    A directory mounted onto itself is ``bound``: it is not a separate file system.
    """
    lines = [line.split() for line in text("/proc/self/mounts").splitlines()]
    roots = {line[4]: line[3] for line in map(str.split, text("/proc/self/mountinfo").splitlines())}
    return {
        line[1].replace("\\040", " "): {
            "fstype": line[2],
            "options": line[3].split(","),
            "bound": line[1] != "/" and roots.get(line[1], "").endswith(line[1]),
        }
        for line in lines
    }


def accounts() -> dict[str, t.Any]:
    """Local accounts: ``users``, ``uids`` by name, ``groups``, ``login_users`` with ``password``, ``duplicates``."""
    users = [line.split(":") for line in text("/etc/passwd").splitlines() if line.count(":") == 6]
    groups = [line.split(":") for line in text("/etc/group").splitlines() if line.count(":") == 3]
    shadow = {line.split(":")[0]: line.split(":") for line in text("/etc/shadow").splitlines() if line.count(":") == 8}
    logins = [user for user in users if not user[6].endswith(("/nologin", "/false", "/sync"))]
    return {
        "users": [user[0] for user in users],
        "uids": {user[0]: int(user[2]) for user in users},
        "groups": [group[0] for group in groups],
        "login_users": [
            {
                "name": user[0],
                "uid": int(user[2]),
                "home": user[5],
                "password": not fields[1].startswith(("!", "*")),
                # Minimum and maximum days between changes, days of warning; empty without a limit.
                "ageing": fields[3:6],
            }
            for user in logins
            for fields in [shadow.get(user[0], NO_PASSWORD)]
        ],
        "duplicates": [
            *repeated("user name", [user[0] for user in users]),
            *repeated("uid", [user[2] for user in users]),
            *repeated("group name", [group[0] for group in groups]),
            *repeated("gid", [group[2] for group in groups]),
            *(f"{name} has an empty password" for name, fields in shadow.items() if not fields[1]),
        ],
    }


def repeated(what: str, values: c.Iterable[str]) -> list[str]:
    return [f"{what} {value} occurs {times} times" for value, times in collections.Counter(values).items() if times > 1]


def groups_of(user: str | None) -> list[str]:
    return output("id", "--name", "--groups", user).split() if user else []
