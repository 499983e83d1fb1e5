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
    # Whether roles hardening, access and gcp_vm were tried on it as well.
    hardened: bool = True


_ENGINE = ("docker.io", "containerd", "runc")
_DEBIAN_TIME = tuple(f"{number}.debian.pool.ntp.org" for number in range(4))
_UBUNTU_TIME = ("ntp.ubuntu.com",)
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
    System("Ubuntu", "22.04", "jammy", _ENGINE, _UBUNTU_TIME, hardened=False),
    System("Ubuntu", "24.04", "noble", _ENGINE, _UBUNTU_TIME, hardened=False),
)


def find(distribution: str, version: str) -> System:
    """Return the row of a *distribution* (ID or name) in a *version* (13, 13.2); ValueError if unsupported."""
    for system in SYSTEMS:
        if system.distribution.lower() == distribution.lower() and f"{version}.".startswith(f"{system.version}."):
            return system
    known = ", ".join(f"{system.distribution} {system.version}" for system in SYSTEMS)
    raise ValueError(f"{distribution or 'this system'} {version} is not supported; the host has to run one of {known}")
