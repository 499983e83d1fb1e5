# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supported systems and their differences. Another Debian-like system is a row.

A system whose archives are not named like Debian's also needs them in hardening_updates_origins.
"""

from __future__ import annotations

import typing as t


class System(t.NamedTuple):
    """A release of a distribution; *version* as VERSION_ID of os-release(5) has it."""

    distribution: str
    version: str
    codename: str
    # Packages of the Docker engine in the distribution's own archive.
    engine: tuple[str, ...]
    # Default for hardening_time_servers.
    time_servers: tuple[str, ...]
    # Whether auditd.service loads the rules itself; else audit-rules.service does.
    auditd_loads_rules: bool = False
    # System calls that its auditctl does not know.
    unknown_calls: tuple[str, ...] = ()
    # Of a system that nothing here was tried on: what is known to differ from Debian.
    differs: tuple[str, ...] = ()


_ENGINE = ("docker.io", "containerd", "runc")
_DEBIAN_TIME = tuple(f"{number}.debian.pool.ntp.org" for number in range(4))
_UBUNTU_TIME = ("ntp.ubuntu.com",)
_UBUNTU_DIFFERS = (
    "systemd's ssh.socket holds sshd's port",
    "snapd runs, and mounts its packages by squashfs",
    "AppArmor keeps unprivileged users from namespaces",
    "cloud-init writes netplan and a file of sshd",
)
SYSTEMS = (
    System(
        "Debian",
        "12",
        "bookworm",
        _ENGINE,
        _DEBIAN_TIME,
        auditd_loads_rules=True,
        unknown_calls=("fchmodat2",),
    ),
    # This release split the client off docker.io.
    System("Debian", "13", "trixie", (*_ENGINE, "docker-cli"), _DEBIAN_TIME),
    # Ubuntu 22.04 has Python 3.10, and the agent needs 3.11.
    System("Ubuntu", "24.04", "noble", _ENGINE, _UBUNTU_TIME, differs=_UBUNTU_DIFFERS),
    System(
        "Ubuntu",
        "26.04",
        "resolute",
        _ENGINE,
        _UBUNTU_TIME,
        differs=(*_UBUNTU_DIFFERS, "sudo-rs and uutils stand in for sudo and coreutils", "Python is 3.14"),
    ),
)
PROVEN = tuple(f"{system.distribution} {system.version}" for system in SYSTEMS if not system.differs)


def find(distribution: str, version: str) -> System:
    """Return the row of a *distribution* (ID or name) in a *version* (13, 13.2); ValueError if unsupported."""
    for system in SYSTEMS:
        if system.distribution.lower() == distribution.lower() and f"{version}.".startswith(f"{system.version}."):
            return system
    name = f"{distribution} {version}".strip() or "this system"
    raise ValueError(f"{name} is not supported; the host has to run one of {', '.join(PROVEN)}")


def is_proven(distribution: str, version: str) -> bool:
    """Whether the collection is tested on a system."""
    try:
        return not find(distribution, version).differs
    except ValueError:
        return False
