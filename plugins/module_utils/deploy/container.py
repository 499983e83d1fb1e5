# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's container: validate its settings, and build the engine's request to create it.

A setting that the engine would refuse is refused here, by the name of its variable, before anything is touched.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from ..agent import bounds
from ..agent.problem import Problem, table

# Java's memory besides its heap, and the desktop's, in MiB: a heap of 768 MiB needs 1.5 GiB in all.
OVERHEAD_MIB = {"gateway": 768, "tws": 1536}
HEAP_MIB = (256, 65536)
PIDS = (100, 100_000)
NOFILE = (1024, 1_048_576)
STOP_SECONDS = (1, 600)
LOG_FILES = (1, 1000)
# Bytes. The engine refuses 0 and what overflows an int64 only at the start (moby, daemon/logger/jsonfilelog).
LOG_BYTES = (64 << 10, 1 << 40)
# Bytes of a variable (name=value) and of all of them. Linux refuses to execute a program with a text of over 128 KiB
# (execve(2), MAX_ARG_STRLEN), which is again a fault of the start; the engine's answer must fit into 1 MiB, as JSON.
VARIABLE_BYTES, ENVIRONMENT_BYTES = 64 << 10, 128 << 10
# The desktop image's init runs as root: it gives its user the role's uid, /opt and the settings, sets the desktop's
# password, and opens and ends that user's session (linuxserver's init-adduser and init-prep-xrdp,
# gnzsnz/ib-gateway-docker's start_session.sh; sudo and chpasswd write to the kernel's audit log).
ROOT_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([kmgt])b?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Settings = Mapping[str, Any]


def size(text: object) -> int | None:
    """Return the bytes of a size such as ``2g`` or ``1536m``, None for anything else."""
    found = _SIZE.fullmatch(str(text).lower())
    return int(float(found[1]) * _UNITS[found[2]]) if found else None


_problem = table(
    {
        "container-size": ("not a size", "write a number with its unit and no blank, as {example}"),
        "container-memory": (
            "less than the {least} MiB that a heap of {heap} MiB needs with all around it",
            "raise it, or lower {prefix}java_heap_mb",
        ),
        "container-log-size": ("not from 64k to 1t", "use a size in between, such as 10m"),
        "container-cpus": ("not 0 (no limit) and not a number from 0.01", "use one of them"),
        "container-cpus-of-host": ("more than the {cpus} CPUs of this host", "lower it, or use 0 for no limit"),
        "container-environment": ("not a mapping of names to texts", "write one name: 'text' a line"),
        "container-variable": ("not the name of a variable", "use letters, digits and '_'"),
        "container-variable-text": ("not a text of one line ({kind})", "put it in quotes"),
        "container-variable-long": ("{size} bytes, of {most} at most", "put the value into a file and mount that"),
        "container-environment-long": ("{size} bytes in all, of {most} at most", "remove variables, or shorten them"),
    }
)


def program(settings: Settings) -> str:
    """Return which program the container runs, ``gateway`` or ``tws``."""
    return str(settings.get("program") or "gateway")


def problems(settings: Settings, cpus: int | None, prefix: str = "gateway_") -> list[Problem]:
    """Return a problem for each setting that is impossible for a container.

    *cpus* is how many the host has, None where the engine cannot be asked. *settings* are the options ``container`` of
    module gateway_container.
    """
    found = [*_sizes(settings, prefix), *_numbers(settings, prefix), *_environment(settings, prefix)]
    share = _number(settings["cpus"])
    if share is None or share < 0 or 0 < share < 0.01:
        found.append(_problem("container-cpus", f"{prefix}cpus", settings["cpus"]))
    elif cpus is not None and share > cpus:
        found.append(_problem("container-cpus-of-host", f"{prefix}cpus", share, cpus=cpus))
    return found


def _sizes(settings: Settings, prefix: str) -> list[Problem]:
    found, memory, heap = [], size(settings["memory"]), settings.get("heap_mb")
    if memory is None:
        found.append(_problem("container-size", f"{prefix}memory", settings["memory"], example="2g or 2048m"))
    log = size(settings["log_max_size"])
    if log is None:
        found.append(_problem("container-size", "gateway_log_max_size", settings["log_max_size"], example="10m"))
    elif not LOG_BYTES[0] <= log <= LOG_BYTES[1]:
        found.append(_problem("container-log-size", "gateway_log_max_size", settings["log_max_size"]))
    if heap is not None and (problem := bounds.problem(f"{prefix}java_heap_mb", heap, HEAP_MIB)):
        found.append(problem)
    elif heap and memory is not None and memory < (least := int(heap) + OVERHEAD_MIB[program(settings)]) << 20:
        details = {"least": least, "heap": heap, "prefix": prefix}
        found.append(_problem("container-memory", f"{prefix}memory", settings["memory"], **details))
    shared = settings.get("shm_size")
    if shared and size(shared) is None:
        found.append(_problem("container-size", f"{prefix}shm_size", shared, example="256m"))
    return found


def _numbers(settings: Settings, prefix: str) -> list[Problem]:
    limits = {
        "pids_limit": (prefix, PIDS),
        "nofile": (prefix, NOFILE),
        "stop_grace": (prefix, STOP_SECONDS),
        "log_max_files": ("gateway_", LOG_FILES),
        "port": ("gateway_", (1, 65535)),
    }
    return [
        problem
        for name, (owner, allowed) in limits.items()
        if settings.get(name) is not None and (problem := bounds.problem(f"{owner}{name}", settings[name], allowed))
    ]


def _environment(settings: Settings, prefix: str) -> list[Problem]:
    environment = settings["environment"]
    if not isinstance(environment, Mapping):
        return [_problem("container-environment", f"{prefix}environment")]
    # Values are named by their type or their size only: one of them may be a secret.
    found, total = [], 0
    for name, value in environment.items():
        variable, length = f"{prefix}environment.{name}", len(f"{name}={value}".encode("utf-8", "surrogatepass"))
        total += length
        if not _VARIABLE.fullmatch(str(name)):
            found.append(_problem("container-variable", variable))
        elif not isinstance(value, str) or re.search(r"[\0\r\n]", value):
            found.append(_problem("container-variable-text", variable, kind=type(value).__name__))
        elif length > VARIABLE_BYTES:
            found.append(_problem("container-variable-long", variable, size=length, most=VARIABLE_BYTES))
    if not found and total > ENVIRONMENT_BYTES:
        variable = f"{prefix}environment"
        found.append(_problem("container-environment-long", variable, size=total, most=ENVIRONMENT_BYTES))
    return found


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def body(settings: Settings, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the request to create the container (``POST /containers/create``) of settings without problems."""
    port = f"{settings['container_port']}/tcp"
    uid = int(settings["uid"])
    limits: dict[str, Any] = {
        "Mounts": [
            {"Type": "bind", "Source": each["source"], "Target": each["target"], "ReadOnly": bool(each["read_only"])}
            for each in settings["mounts"]
        ],
        "PortBindings": {port: [{"HostIp": "127.0.0.1", "HostPort": str(settings["port"])}]},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "RestartPolicy": {"Name": "no"},
        "Memory": size(settings["memory"]),
        "PidsLimit": int(settings["pids_limit"]),
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": str(settings["log_max_size"]), "max-file": str(settings["log_max_files"])},
        },
    }
    if settings.get("tmpfs"):
        limits["Tmpfs"] = dict(settings["tmpfs"])
    if settings.get("nofile"):
        limits["Ulimits"] = [{"Name": "nofile", "Soft": int(settings["nofile"]), "Hard": int(settings["nofile"])}]
    if settings.get("shm_size"):
        limits["ShmSize"] = size(settings["shm_size"])
    if float(settings["cpus"]) > 0:
        limits["NanoCpus"] = int(float(settings["cpus"]) * 1e9)
    desktop = program(settings) == "tws"
    if desktop:
        limits["CapAdd"] = list(ROOT_CAPABILITIES)
    return {
        "Image": settings["image"],
        **({} if desktop else {"User": f"{uid}:{uid}"}),
        "Env": sorted(f"{name}={value}" for name, value in settings["environment"].items()),
        "Labels": dict(labels),
        "ExposedPorts": {port: {}},
        "StopTimeout": int(settings["stop_grace"]),
        "HostConfig": limits,
    }


def revision(request: Mapping[str, Any], *files: str | None) -> str:
    """Return a digest of everything that a container is started with: its request, and the *files* that it reads."""
    text = json.dumps([request, *files], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
