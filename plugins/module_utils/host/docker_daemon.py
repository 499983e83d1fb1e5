# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine of a host, which may have existed before this collection and may serve others as well.

Decide which packages are missing, never replacing an existing engine; merge settings into ``daemon.json`` key by key;
and report who else would notice a restart.
"""

from __future__ import annotations

import collections.abc as c
import json
import operator
import os
import re
import typing as t
from dataclasses import dataclass, field

from ..agent import files, record_file
from ..agent.engine import neighbours
from ..agent.problem import Problem, table
from . import facts, systems

DEBIAN, DOCKER = "debian", "docker"
# https://docs.docker.com/engine/install/debian/, and the packages that it says to uninstall first: each conflicts with
# the distribution's packages, so apt would remove one for the other.
OF_DOCKER = ("docker-ce", "docker-ce-cli", "containerd.io")
PATH = "/etc/docker/daemon.json"
# A file here was not written by this collection.
BACKUP = f"{PATH}.before-ibgw"
RECORD = "/var/lib/ibgw/docker_daemon.json"
# Marks a host where an earlier release wrote the whole daemon.json.
WHOLE = "/etc/tmpfiles.d/ibgw-docker.conf"
# The reload switches live-restore on; only then can the restart, which the other settings need, spare the containers.
COMMANDS = (
    "sh -c 'systemctl --quiet is-active docker.service || exit 0; systemctl reload docker.service'",
    "systemctl try-restart docker.service",
)
# Lasting effects of a new value on other containers.
_LASTING: tuple[tuple[str, c.Callable[[object], bool], str], ...] = (
    ("ip", bool, "new containers publish ports on {} unless they name an address"),
    ("icc", operator.not_, "containers on the default bridge no longer reach one another"),
    ("log-driver", bool, "new containers log to {}"),
    ("no-new-privileges", bool, "in new containers sudo has no effect"),
    ("userns-remap", bool, "images and containers from before are out of sight"),
)
# dockerd's default.
USUAL_DRIVER = "json-file"
Settings = c.Mapping[str, t.Any]

problem = table(
    {
        "engine-setting-conflict": (
            "{path} of the host has {key}: {found}, and {wanted} is wanted",
            "keep the host's by giving {key} the value {found} in docker_engine_settings, or take it out of {path}",
        ),
        "engine-setting-flag": (
            "docker.service starts dockerd with --{flag}, and dockerd refuses a key that is given by flag and file",
            "take the flag out of the unit (systemctl edit docker.service), or the key out of docker_engine_settings",
        ),
        "engine-settings-damaged": (
            "{path} of the host is not what dockerd reads ({fault})",
            "correct the file, or remove it",
        ),
        "engine-not-packaged": (
            "an engine answers at {socket} that no package of Debian's or Docker's has installed (a snap, or programs "
            "by hand)",
            "remove that engine, or install Docker CE from Docker's own repository in its place",
        ),
        "engine-serves-others": (
            "the engine runs {containers}, not of this collection, and has to be restarted for {what}; afterwards "
            "{lasting}",
            "choose a time at which they may be interrupted, and run with -e docker_engine_with_containers=true",
        ),
    }
)


class Packages(t.NamedTuple):
    """The engine that the host has or will get: its ``source``, whether it exists, and its packages."""

    source: str
    engine: bool
    missing: tuple[str, ...]
    held: tuple[str, ...]
    all: tuple[str, ...]


class Merged(t.NamedTuple):
    """The resulting ``settings``, those of this collection (``ours``), and the conflicts."""

    settings: dict[str, t.Any]
    ours: dict[str, t.Any]
    conflicts: tuple[tuple[str, t.Any, t.Any], ...]


def packages(wanted: str, distribution: c.Mapping[str, str], selections: c.Mapping[str, str]) -> Packages:
    """Return the packages of the existing engine, else of the *wanted* source.

    *selections* are :func:`selections`. Raises ValueError for a system that is not supported.
    """
    of = {DEBIAN: systems.find(distribution["id"], distribution["version"]).engine, DOCKER: OF_DOCKER}
    there = {source: [name for name in names if name in selections] for source, names in of.items()}
    # containerd and runc alone are not an engine, and apt keeps them beside Docker's client.
    source = DOCKER if there[DOCKER] else DEBIAN if "docker.io" in selections else wanted
    names = of[source]
    return Packages(
        source,
        names[0] in selections,
        tuple(name for name in names if name not in selections),
        tuple(name for name in names if selections.get(name) == "hold"),
        names,
    )


def selections() -> dict[str, str]:
    """``install``, ``hold`` or ``deinstall`` by name of each package that is installed."""
    listed = facts.output("dpkg-query", "--show", "--showformat=${db:Status-Status} ${db:Status-Want} ${Package}\n")
    words = [line.split() for line in listed.splitlines()]
    return {each[2]: each[1] for each in words if each[0] == "installed"}


def merge(found: Settings, wanted: Settings, ours: c.Sequence[Settings], place: str = "") -> Merged:
    """Merge *wanted* into *found*; an unwanted key is removed if its value is in *ours*.

    Mappings are merged; lists are replaced, since their order may matter. A key with another value that is not ours is
    a conflict, ``(key, found, wanted)``, and stays.
    """
    settings: dict[str, t.Any] = {}
    kept: dict[str, t.Any] = {}
    conflicts: list[tuple[str, t.Any, t.Any]] = []
    for key in dict.fromkeys([*found, *wanted]):
        path = f"{place}{key}"
        before = [each[key] for each in ours if key in each]
        if key not in found:
            settings[key] = kept[key] = wanted[key]
        elif isinstance(found[key], dict) and isinstance(wanted.get(key, {}), dict):
            inner = merge(
                found[key], wanted.get(key, {}), [each for each in before if isinstance(each, dict)], f"{path}."
            )
            conflicts += inner.conflicts
            if inner.settings or not before:
                settings[key] = inner.settings
            if inner.ours:
                kept[key] = inner.ours
        elif key not in wanted:
            if found[key] not in before:
                settings[key] = found[key]
        elif found[key] == wanted[key] or found[key] in before:
            settings[key] = wanted[key]
            if found[key] in before:
                kept[key] = wanted[key]
        else:
            settings[key] = found[key]
            conflicts.append((path, found[key], wanted[key]))
    return Merged(settings, kept, tuple(conflicts))


def parse(text: str) -> dict[str, t.Any]:
    """Parse the settings in *text*, which may be empty; ValueError for anything that dockerd would not read."""
    found = json.loads(text) if text.strip() else {}
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def written(text: str, settings: Settings) -> str:
    """Return the text with *settings*; unchanged if it has them already."""
    if text.strip() and parse(text) == settings:
        return text
    return json.dumps(settings, indent=4, ensure_ascii=False) + "\n"


def hidden(text: str) -> str:
    """*text* without passwords in proxy URLs, and without values whose keys name a secret."""
    text = re.sub(r"://[^\s\"]*@", "://(hidden)@", text)
    text = re.sub(r'("https?-proxy"\s*:\s*")(?![a-z0-9]+://)[^"]*@', r"\1(hidden)@", text)
    return re.sub(r'("[^"]*(?:token|password|secret)[^"]*"\s*:\s*)"[^"]*"', r'\1"(hidden)"', text, flags=re.IGNORECASE)


def conflict(key: str, found: object, wanted: object) -> Problem:
    """The problem of a key with different values on the host and in the inventory."""
    name = json.dumps(key.rpartition(".")[2])
    # With its key, whose name may mark it as a secret.
    shown = [
        hidden(f"{name}: {json.dumps(each, ensure_ascii=False)}").removeprefix(f"{name}: ") for each in (found, wanted)
    ]
    return problem(
        "engine-setting-conflict", "docker_engine_settings", path=PATH, key=key, found=shown[0], wanted=shown[1]
    )


def of_another_driver(found: Settings, merged: Settings, wanted: Settings) -> list[Problem]:
    """The problem of log options without a driver on the host: with another driver, dockerd refuses them and exits."""
    options = set(merged.get("log-opts") or {}) - set(wanted.get("log-opts") or {})
    driver = merged.get("log-driver", USUAL_DRIVER)
    if not options or "log-driver" in found or driver == USUAL_DRIVER:
        return []
    return [conflict("log-driver", USUAL_DRIVER, driver)]


def flags() -> set[str]:
    """The long flags with which the unit starts dockerd."""
    shown = facts.output("systemctl", "show", "--property=ExecStart", "docker.service")
    return set(re.findall(r"\s--([a-z][a-z0-9-]+)", shown))


def flagged(merged: Settings, found: Settings, given: c.Container[str]) -> list[Problem]:
    """The problems of new keys that the unit already sets by a flag; the flag for a plural key has no s."""
    new = [key for key in merged if key not in found]
    names = [(key, flag) for key in new for flag in dict.fromkeys((key, key.removesuffix("s"))) if flag in given]
    return [problem("engine-setting-flag", "docker_engine_settings", key, flag=flag) for key, flag in names]


def serves_others(found: Settings, merged: Settings, containers: c.Iterable[str]) -> Problem:
    """The problem of *containers* that a restart interrupts, with what the new settings change for them for good."""
    keys = sorted(key for key in {*found, *merged} if found.get(key) != merged.get(key))
    lasting = [
        text.format(merged[key])
        for key, holds, text in _LASTING
        if key in keys and key in merged and holds(merged[key])
    ]
    return problem(
        "engine-serves-others",
        "docker_engine_settings",
        containers=", ".join(containers),
        what=", ".join(keys) or "what an interrupted run has left",
        lasting="; ".join(lasting) or "nothing is different for them",
    )


def others(around: c.Iterable[neighbours.Neighbour]) -> list[str]:
    """The names of running containers that are not this collection's."""
    return sorted(each.name for each in around if each.there and not each.gateway)


class Settled(files.Edited):
    """daemon.json as it should be; its diff shows no password of a proxy."""

    def shown(self, state: files.State) -> str:
        return hidden(super().shown(state))


@dataclass(frozen=True)
class Record:
    """The settings in daemon.json that this collection wrote, and those of the run before.

    After an interrupted run, either may be in the file.
    """

    settings: dict[str, t.Any] = field(default_factory=dict)
    former: dict[str, t.Any] = field(default_factory=dict)


def record(path: str, whole: str, text: str) -> Record:
    """Return the record at *path*; without one, everything is ours if *whole* shows that an earlier release wrote the
    file."""
    try:
        return record_file.load(Record, path)
    except record_file.DamagedError:
        return Record()
    except OSError:
        found = parse(text)
        # Earlier releases sorted the keys; this one keeps the host's order and appends its own.
        theirs = text == json.dumps(found, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
        return Record(found) if theirs and os.path.exists(whole) else Record()


def recorded(settings: c.Mapping[str, t.Any], former: c.Mapping[str, t.Any]) -> str:
    """The text of a record."""
    return json.dumps({"schema": record_file.SCHEMA, "settings": settings, "former": former}) + "\n"
