# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a gateway's watcher is working: its systemd unit, and its last look."""

from __future__ import annotations

import collections.abc as c
import os
import subprocess
import time
import typing as t

COMMAND_SECONDS = 20
# A watcher that systemd restarted is suspect for this long.
SUSPECT_SECONDS = 600.0
PROPERTIES = {
    "Id": "name",
    "LoadState": "load",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "SubState": "sub",
    "Result": "result",
    "NextElapseUSecRealtime": "next",
    "NRestarts": "restarts",
    "ActiveEnterTimestampMonotonic": "up_since",
}

Unit = dict[str, t.Any]


def unit_name(gateway: str) -> str:
    return f"ibgw-watch@{gateway}.service"


def units(shown: str) -> list[Unit]:
    """Parse the units in the output of ``systemctl show --property=…``.

    Values are texts, except ``restarts`` (by systemd itself) and ``up_seconds`` since the unit became active, None if
    it never was.
    """
    found = []
    for block in shown.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        unit: Unit = {key: values.get(name, "") for name, key in PROPERTIES.items()}
        since = int(unit.pop("up_since") or 0)
        unit["restarts"] = int(unit["restarts"] or 0)
        unit["up_seconds"] = round(max(time.monotonic() - since / 1e6, 0.0), 1) if since else None
        found.append(unit)
    return found


def show(*names: str) -> list[str]:
    """The command whose output :func:`units` parses."""
    return ["systemctl", "show", "--no-pager", f"--property={','.join(PROPERTIES)}", *names]


def unit(gateway: str) -> Unit | None:
    """The unit of a gateway's watcher; None where systemd cannot be asked."""
    try:
        done = subprocess.run(
            show(unit_name(gateway)),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=True,
            # That socket is the watcher's alone.
            env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        )
        return units(done.stdout)[0]
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


class Restarts:
    """Whether systemd had to restart the watcher of *gateway* that begins now: for a while it is suspect."""

    def __init__(self, gateway: str, clock: c.Callable[[], float] = time.monotonic) -> None:
        found = unit(gateway)
        self._count, self._clock = (found or {}).get("restarts", 0), clock
        self._until = clock() + SUSPECT_SECONDS

    def fault(self) -> str:
        """Return it in one clause; empty where there is none."""
        if not self._count or self._clock() >= self._until:
            return ""
        return f"its watcher ended by itself and was restarted {self._count} times"


def fault(unit: c.Mapping[str, t.Any] | None, late_seconds: float) -> str | None:
    """The watcher's fault in one clause; None where it works, is not wanted, or cannot be asked.

    *late_seconds* is by how much its last look is overdue (:func:`.policy.late_seconds`).
    """
    if unit is None or unit["load"] == "not-found":
        return None
    if unit["active"] == "inactive" and not unit["enabled"].startswith("enabled"):
        return None
    if unit["active"] != "active":
        again = f", restarted {unit['restarts']} times" if unit["restarts"] else ""
        return f"its watcher is {unit['active']} ({unit['sub']}{again})"
    up = unit["up_seconds"] or 0.0
    if unit["restarts"] and up < SUSPECT_SECONDS:
        return f"its watcher ended by itself and was restarted {unit['restarts']} times, last {up:.0f} s ago"
    if late_seconds > 0 and up > late_seconds:
        return f"its watcher is late: its look is {late_seconds:.0f} s overdue"
    return None
