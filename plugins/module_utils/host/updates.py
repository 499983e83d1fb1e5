# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find pending updates of a Debian host: packages, restarts of services, a reboot. Read-only."""

from __future__ import annotations

import collections.abc as c
import os
import re
import subprocess
import typing as t
import zoneinfo

from ..agent.problem import Problem, table

REBOOT_REQUIRED = "/run/reboot-required"
# Ignores holds, so that held-back updates are listed.
SIMULATION = ("apt-get", "--simulate", "--ignore-hold", "--quiet", "dist-upgrade")
# Batch mode lists; it restarts nothing, whatever needrestart.conf says.
NEEDRESTART = ("needrestart", "-b", "-r", "l")
SELECTIONS = ("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Want}\n")
COMMANDS = (SIMULATION, NEEDRESTART, SELECTIONS)

# Inst NAME [INSTALLED] (CANDIDATE ARCHIVE, ARCHIVE [ARCHITECTURE]) ...; no [INSTALLED] for a new package.
INSTALLATION = re.compile(r"Inst (\S+) (?:\[(\S+)\] )?\((\S+) (.*?) \[[^\]]+\]\)")
NEWER_KERNEL = ("2", "3")

# unattended-upgrades fails with a traceback on any other keyword.
ORIGIN_KEYWORDS = "o|origin|l|label|a|archive|suite|c|component|site|n|codename"
ORIGIN = re.compile(rf'(?:{ORIGIN_KEYWORDS})=[^",;=\n]+(?:,(?:{ORIGIN_KEYWORDS})=[^",;=\n]+)*')
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
UNIT = re.compile(r"[\w@.:-]+")
TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
MAX_SPREAD = 720


class UpdatesError(Exception):
    """The host could not be asked."""


def look() -> dict[str, t.Any]:
    """Return the pending updates of this host; raises UpdatesError when apt cannot tell."""
    simulation, needrestart, selections = outputs()
    if simulation is None or selections is None:
        raise UpdatesError("apt-get or dpkg-query is missing: this is not a Debian host")
    names = text(f"{REBOOT_REQUIRED}.pkgs").split() if os.path.exists(REBOOT_REQUIRED) else []
    return {
        "pending": pending(simulation, held(selections)),
        "restart_wanted": None if needrestart is None else services(needrestart),
        **reboot(os.path.exists(REBOOT_REQUIRED), names, needrestart or ""),
    }


def outputs() -> list[str | None]:
    """Standard output of COMMANDS, run in parallel; None for one that is not installed."""
    environment = {**os.environ, "LC_ALL": "C"}
    processes: list[subprocess.Popen[str] | None] = []
    for command in COMMANDS:
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
        except FileNotFoundError:
            processes.append(None)
        else:
            processes.append(process)
    return [None if process is None else output(process) for process in processes]


def output(process: subprocess.Popen[str]) -> str:
    printed, complaint = process.communicate()
    if process.returncode:
        words = [str(word) for word in t.cast("c.Sequence[str]", process.args)]
        last = (complaint.strip().splitlines() or ["no output"])[-1]
        raise UpdatesError(f"{' '.join(words)}: exit status {process.returncode}: {last}")
    return printed


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def held(selections: str) -> set[str]:
    """Names of the packages on hold, from lines ``NAME WANT``."""
    return {line.split()[0] for line in selections.splitlines() if line.endswith(" hold")}


def pending(simulation: str, on_hold: c.Container[str]) -> list[dict[str, t.Any]]:
    """Return the packages that apt would install, sorted by name; ``installed`` is None for a new package."""
    found = [match.groups() for match in map(INSTALLATION.match, simulation.splitlines()) if match]
    return [
        {
            "name": name,
            "installed": installed,
            "candidate": candidate,
            "held": name in on_hold,
            "security": "security" in archives.lower(),
        }
        for name, installed, candidate, archives in sorted(found)
    ]


def fields(needrestart: str, name: str) -> list[str]:
    """The values of one field of needrestart's batch output."""
    lines = (line.partition(": ") for line in needrestart.splitlines())
    return [value.strip() for field, _colon, value in lines if field == f"NEEDRESTART-{name}"]


def services(needrestart: str) -> list[str]:
    """The units that still run a replaced program or library."""
    return sorted(set(fields(needrestart, "SVC")))


def reboot(asked_for: bool, names: c.Sequence[str], needrestart: str) -> dict[str, t.Any]:
    """Whether a reboot is required, and why: packages that requested it, or a newer kernel."""
    kernels = fields(needrestart, "KEXP") if set(fields(needrestart, "KSTA")) & set(NEWER_KERNEL) else []
    return {
        "reboot_required": asked_for or bool(kernels),
        "reboot_reasons": sorted({*names, *(f"kernel {kernel}" for kernel in kernels)}),
    }


_problem = table(
    {
        "updates-pattern": ("not a {what}", "write it as {example}"),
        "updates-origins-empty": (
            "empty, so that nothing would ever be updated",
            "name the security archive, or switch the control off with hardening_updates: false",
        ),
        "updates-time": ("not a time of day", "write it as HH:MM, in quotes: '00:30'"),
        "updates-zone": ("unknown time zone", "name one like America/New_York"),
        "updates-spread": ("outside of 0 to {most} minutes", "choose one of them"),
    }
)


def problems(settings: c.Mapping[str, t.Any], _host: object = None) -> list[Problem]:
    """Find update settings that apt, systemd or needrestart would not understand."""
    found = [
        _problem("updates-pattern", name, value, what=what, example=example)
        for name, pattern, what, example in (
            (
                "hardening_updates_origins",
                ORIGIN,
                "pattern of unattended-upgrades",
                "origin=Debian,label=Debian-Security",
            ),
            ("hardening_updates_keep", PACKAGE, "name of a package", "docker.io"),
            ("hardening_updates_never_restart", UNIT, "beginning of a unit's name", "docker"),
        )
        for value in settings[name]
        if not pattern.fullmatch(str(value))
    ]
    if not settings["hardening_updates_origins"]:
        found.append(_problem("updates-origins-empty", "hardening_updates_origins"))
    time, zone = settings["hardening_updates_time"], settings["hardening_updates_time_zone"]
    if not TIME.fullmatch(str(time)):
        found.append(_problem("updates-time", "hardening_updates_time", time))
    if not is_zone(str(zone)):
        found.append(_problem("updates-zone", "hardening_updates_time_zone", zone))
    spread = settings["hardening_updates_spread"]
    if not 0 <= int(spread) <= MAX_SPREAD:
        found.append(_problem("updates-spread", "hardening_updates_spread", spread, most=MAX_SPREAD))
    return found


def is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
