# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserve the containers' uid on the host for an account that cannot log in.

A host user with that uid could read the gateway's password in /proc/PID/root, and would own the settings directory. The
image is built for uid 1000, the first that adduser(8) assigns, so it is reserved for a locked account.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import fcntl
import grp
import pwd
import shlex
import subprocess

NAME = "ibgateway"
NO_SHELL = "/usr/sbin/nologin"
# First uid offered to an account that has to move: above those that adduser(8) assigns next.
FIRST_FREE = 2000
# Root's alone to write, so that nobody can keep it.
LOCK = "/run/ibgw-container-user.lock"


class TakenError(Exception):
    """The uid is in use; the message names its user, and how to free it."""


def reserve(uid: int, check: bool) -> list[dict[str, str]]:
    """Reserve *uid* and the gid of the same number for the containers (with *check*, only predict).

    Returns the text for ``--diff``, empty if already reserved. Raises TakenError before anything is touched, and
    OSError if the account cannot be created.
    """
    missing = _missing(uid)
    if missing and not check:
        # At the first run of a machine, each of its gateways is here at once.
        with open(LOCK, "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            missing = _missing(uid)
            if missing:
                _make(uid)
    if not missing:
        return []
    after = f"{NAME}, uid {uid}, without password, shell and home\n"
    return [{"before": "", "after": after, "before_header": "/etc/passwd", "after_header": "/etc/passwd"}]


def _missing(uid: int) -> bool:
    """Whether the account is still to be made; TakenError if it cannot be."""
    users, groups = pwd.getpwall(), grp.getgrall()
    # A directory service may answer for one user without listing any.
    with contextlib.suppress(KeyError):
        users.append(pwd.getpwuid(uid))
    fault = taken(uid, users, groups)
    if fault:
        raise TakenError(fault)
    return not any(user.pw_name == NAME for user in users)


def _make(uid: int) -> None:
    if not any(group.gr_gid == uid for group in grp.getgrall()):
        _run("groupadd", "--gid", str(uid), NAME)
    _run(
        "useradd", "--system", "--uid", str(uid), "--gid", str(uid), "--no-create-home",
        "--home-dir", "/nonexistent", "--shell", NO_SHELL, "--comment", "Containers of ibops.gateway", NAME,
    )  # fmt: skip


def taken(uid: int, users: c.Sequence[pwd.struct_passwd], groups: c.Sequence[grp.struct_group]) -> str:
    """Why *uid* cannot be reserved, and how to free it; empty if it can."""
    for user in users:
        if user.pw_name == NAME and (user.pw_uid, user.pw_gid) != (uid, uid):
            return f"user {NAME} exists with uid {user.pw_uid}, gid {user.pw_gid}; rename or remove it: userdel {NAME}"
        if user.pw_name == NAME and user.pw_shell not in (NO_SHELL, "/sbin/nologin", "/bin/false", "/usr/bin/false"):
            return f"user {NAME} has the shell {user.pw_shell}: usermod --shell {NO_SHELL} {NAME}"
    holders = sorted({user.pw_name for user in users if uid in (user.pw_uid, user.pw_gid)} - {NAME})
    if holders:
        return _move(uid, holders[0], users, groups)
    for group in groups:
        members = sorted(set(group.gr_mem) - {NAME})
        if group.gr_gid == uid and members:
            return (
                f"group {group.gr_name} has gid {uid} and the members {', '.join(members)}. Give it another: "
                f"groupmod --gid {_free(users, groups)} {group.gr_name}"
            )
    return ""


def _move(uid: int, name: str, users: c.Sequence[pwd.struct_passwd], groups: c.Sequence[grp.struct_group]) -> str:
    """How to give an account another uid and gid: as root, in a separate unit, since none of its processes may run
    meanwhile."""
    free, home = _free(users, groups), next(user.pw_dir for user in users if user.pw_name == name)
    group = next((each.gr_name for each in groups if each.gr_gid == uid), "")
    steps = [f"loginctl terminate-user {name}", "sleep 5"]
    change = [f"groupmod --gid {free} {group}"] if group else []
    if any(user.pw_name == name and user.pw_uid == uid for user in users):
        change.append(f"usermod --uid {free} {name}")
    change.append(f"chown -hR {name}: {home}")
    script = "; ".join([*steps, " && ".join(change)])
    return (
        f"uid or gid {uid} is {name}'s, who could read the gateway's password then. Give {name} another; this ends "
        f"every session of {name}, and a new login has the new one: "
        f"sudo systemd-run --collect --unit=ibgw-move-user sh -c {shlex.quote(script)}. "
        "A VM with OS Login, as role gcp_vm makes it, has nobody there"
    )


def _free(users: c.Iterable[pwd.struct_passwd], groups: c.Iterable[grp.struct_group]) -> int:
    used = {user.pw_uid for user in users} | {user.pw_gid for user in users} | {group.gr_gid for group in groups}
    return next(number for number in range(FIRST_FREE, FIRST_FREE + len(used) + 1) if number not in used)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise OSError(0, done.stderr.strip()[-2000:] or f"exit status {done.returncode}", command[0])
