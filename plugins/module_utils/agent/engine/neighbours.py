# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other containers and listeners of the host, and conflicts that forbid starting or replacing a gateway.

Everything deployed counts, not only the inventory: every container of the engine, whoever made it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .client import Engine

NAME_LABEL, MODE_LABEL, STACK_LABEL = "ibops.gateway.name", "ibops.gateway.mode", "ibops.gateway.stack"
LIVE, PAPER = "live", "paper"
# The API of a gateway of ours; the labels of IB Gateway name none.
TWS, PORTAL = "tws", "client_portal"
# Variables that name the user to images of IBKR's gateways: gnzsnz/ib-gateway and voyz/ibeam.
_USER_KEYS = ("TWS_USERID", "TWS_USERID_PAPER", "IBEAM_ACCOUNT")
_USER_BYTES = 256
# IBC's setting of the user (its config.ini), and how much is read of a mounted file and of a mounted directory.
_LOGIN = re.compile(r"^[ \t]*IbLoginId[ \t]*=(.*)$", re.MULTILINE | re.IGNORECASE)
_INI_BYTES, _INI_ENTRIES = 1 << 16, 1000
# A frozen container keeps its session, and one that the engine is restarting will soon have one.
THERE = ("running", "paused", "restarting")
_LISTEN = "0A"
# A published port, or the range out of which the engine takes one at each start (docker run -p 7000-7010:80).
_PORTS = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True)
class Neighbour:
    """One container: ``gateway`` is the name of its gateway (empty: not made by this collection).

    ``told`` is every text of its environment and its command. Images name the variable of the user as they like.
    """

    name: str
    there: bool = True
    gateway: str = ""
    stack: str = ""
    mode: str = ""
    users: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    told: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True)
class Candidate:
    """The gateway that is about to be started: ``containers`` are the names of its containers."""

    gateway: str
    containers: tuple[str, ...]
    mode: str
    users: tuple[str, ...]
    ports: tuple[int, ...]
    stack: str = TWS


def own_names(container: str) -> tuple[str, str, str]:
    """Return the names of a gateway's container: itself, the one that will replace it, the one that it replaced."""
    return container, f"{container}.new", f"{container}.old"


def around(engine: Engine) -> list[Neighbour]:
    """Return all containers of the engine; EngineError when it cannot be asked."""
    return [neighbour(each) for each in engine.containers()]


def neighbour(found: Mapping[str, Any]) -> Neighbour:
    """Parse the engine's description of a container."""
    config = found["Config"]
    labels = config.get("Labels") or {}
    environment = dict(each.partition("=")[::2] for each in config.get("Env") or ())
    name = str(found.get("Name", "")).lstrip("/")
    stack = labels.get(STACK_LABEL, TWS if NAME_LABEL in labels else "")
    # Portal containers of earlier releases have no label for the name.
    ours = labels.get(NAME_LABEL) or (name.removeprefix("ibgw-").partition(".")[0] if stack else "")
    # Any evidence counts as live.
    modes = {labels.get(MODE_LABEL), environment.get("TRADING_MODE", "").lower()}
    mode = LIVE if modes & {LIVE, "both"} else PAPER if PAPER in modes else ""
    users = users_of(environment, found.get("Mounts") or ())
    there = found["State"]["Status"] in THERE
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    # An argument is a word of its own, or the value of an option.
    texts = [*environment.values(), *(part for each in command for part in (each, each.rpartition("=")[2]))]
    told = frozenset(text.strip().lower() for text in texts)
    return Neighbour(name, there, ours, stack, mode, users, _ports(found), told)


def _ports(found: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the ports of the host that a container publishes or may publish; anything else is left out.

    The engine keeps a range as text (docker/go-connections, nat/nat.go, ParsePortSpec). Its API takes other texts too.
    """
    bindings = (found.get("HostConfig") or {}).get("PortBindings") or {}
    ports: set[int] = set()
    for each in itertools.chain.from_iterable(some or () for some in bindings.values()):
        if told := _PORTS.fullmatch(str(each.get("HostPort"))):
            ports.update(range(int(told[1]), int(told[2] or told[1]) + 1))
    return tuple(sorted(ports))


def users_of(environment: Mapping[str, str], mounts: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a container's IBKR users, from its environment and from mounted host files."""
    mounts = list(mounts)
    users = set(_logins(mounts))
    for key in _USER_KEYS:
        told, file = environment.get(key, ""), environment.get(f"{key}_FILE", "")
        if environment.get("IBEAM_SECRETS_SOURCE") == "fs" and key == "IBEAM_ACCOUNT":
            told, file = "", told
        users |= {told, _content(file, mounts)}
    return tuple(sorted({user.strip().lower() for user in users} - {""}))


def _content(path: str, mounts: Iterable[Mapping[str, Any]]) -> str:
    """The text of a small plain file that the container sees at *path*; empty where the host has none."""
    for mount in mounts:
        # A tmpfs mount has no path on the host.
        source, target = mount.get("Source"), str(mount.get("Destination", "")).rstrip("/")
        if not source or not target or not f"{path}/".startswith(f"{target}/"):
            continue
        if content := _text(f"{source}{path.removeprefix(target)}", _USER_BYTES):
            return content
    return ""


def _logins(mounts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the users in IBC's settings: mounted files ``*.ini``, and those directly in a mounted directory."""
    for mount in mounts:
        source = str(mount.get("Source") or "")
        paths = [source] if source.endswith(".ini") else []
        with contextlib.suppress(OSError, ValueError), os.scandir(source or os.devnull) as entries:
            some = itertools.islice(entries, _INI_ENTRIES)
            paths = [entry.path for entry in some if entry.name.endswith(".ini")]
        for path in paths:
            yield from _LOGIN.findall(_text(path, _INI_BYTES))


def _text(path: str, most: int) -> str:
    """Return the first *most* bytes of a plain file, not through a link; empty for anything else."""
    with contextlib.suppress(OSError, ValueError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                return os.read(handle, most).decode()
        finally:
            os.close(handle)
    return ""


def objection(mine: Candidate, others: Iterable[Neighbour]) -> str:
    """Return why *mine* may not be started beside *others*, with the fix; empty when it may."""
    users = {user.strip().lower() for user in mine.users}
    for other in others:
        if other.name in mine.containers:
            continue
        ours = f"gateway {other.gateway}" if other.gateway else "not of this collection"
        for user in sorted(users & {*other.users, *other.told}):
            same = f"gateway_user: {user} of gateway {mine.gateway} is the user of container {other.name} ({ours}"
            if other.there:
                return (
                    f"{same}), which runs on this host; one user has one session, so each would end the other's. Stop "
                    f"that one (docker stop {other.name}), or give this gateway a user of its own"
                )
            if other.gateway and LIVE in (mine.mode, other.mode):
                return (
                    f"{same}, down), and one user has one session. To move the user to this gateway, remove that "
                    f"container first: docker rm {other.name}"
                )
        for port in mine.ports:
            if other.there and port in other.ports:
                return (
                    f"gateway_port: {port} of this host is published by container {other.name} ({ours}): choose "
                    "another port, or stop that one"
                )
    return ""


def mode_objection(mine: Candidate, others: Iterable[Neighbour], deployed: str, change: bool) -> str:
    """Return why *mine* may not replace the deployment of the same name; empty when it may.

    *deployed* is the mode in its descriptor (empty: none), *change* whether the operator wants another mode.
    """
    modes, there = {deployed} - {""}, False
    for other in others:
        if other.name not in mine.containers:
            continue
        if other.stack != mine.stack:
            return (
                f"gateway_name: container {other.name} of this host is not a gateway of this role "
                f"({other.stack or 'not of this collection'}): choose another gateway_name, or remove that container"
            )
        modes |= {other.mode} - {""}
        there = there or other.there
    if not modes - {mine.mode}:
        return ""
    was = max(modes - {mine.mode})
    if there:
        return (
            f"gateway_mode: {mine.mode} is wanted for gateway {mine.gateway}, but a {was} gateway of that name runs on "
            "this host. Correct gateway_mode or gateway_name; to really change the mode, stop it first: "
            f"{'ibgwctl stop ' if mine.stack == TWS else 'docker stop ibgw-'}{mine.gateway}"
        )
    if not change:
        return (
            f"gateway_mode: {mine.mode} is wanted for gateway {mine.gateway}, but this host has it as a {was} gateway, "
            "which is down. Correct gateway_mode or gateway_name; to really change the mode, "
            "-e gateway_change_mode=true"
        )
    return ""


def listening(port: int, proc: str = "/proc") -> str:
    """Return the program that listens on TCP *port* of this host's IPv4 or IPv6 loopback (or of all addresses), with
    its process; empty when there is none."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc}/net/{table}", encoding="ascii") as file:
            for line in list(file)[1:]:
                words = line.split()
                address, number = words[1].split(":")
                if words[3] == _LISTEN and int(number, 16) == port and _is_local(address):
                    inodes.add(words[9])
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in sorted((each for each in os.listdir(proc) if each.isdigit()), key=int):
        with contextlib.suppress(OSError):
            handles = f"{proc}/{process}/fd"
            for handle in os.listdir(handles):
                with contextlib.suppress(OSError):
                    if os.readlink(f"{handles}/{handle}") in wanted:
                        with open(f"{proc}/{process}/comm", encoding="utf-8", errors="replace") as file:
                            name = "".join(each if each.isprintable() else "?" for each in file.read().strip())
                        return f"{name} (process {process})"
    return "a program"


def _is_local(address: str) -> bool:
    """Whether a listener at *address* (hexadecimal, as the kernel writes it) keeps 127.0.0.1 from being bound."""
    return not address.strip("0") or address in ("0100007F", "0000000000000000FFFF00000100007F")
