# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file with what a maintainer would ask for, bounded and redacted: a row of PARTS each.

Every text goes through one redactor, which knows the secrets of this host. A part that cannot be had says why.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import platform
import tarfile
import time
from collections.abc import Callable, Iterator

from .. import record_file
from ..engine.client import EngineError, TooLongError
from ..redaction import Redactor
from ..text import printable
from . import alerts, health, heartbeat
from .managed import Managed

MIB = 1 << 20
# Of each part the newest MiB is kept.
PART_BYTES = MIB
LOG_LINES, JOURNAL_LINES = 5000, 3000
README = """\
Support bundle of a gateway, made by ibgwctl support-bundle of ibops.gateway.

Passwords, tokens, URLs, addresses, users and account ids are masked on the host, by value and by form. Look through it
before you send it to anybody: only you know what else in your logs is nobody's business.
"""
# Of the environment, what has a secret value.
_SECRET_NAMES = ("USER", "PASS", "SECRET", "TOKEN", "KEY", "LOGIN", "ACCOUNT")
_HOST_CONFIG = (
    *("Memory", "NanoCpus", "PidsLimit", "RestartPolicy", "CapAdd", "CapDrop", "SecurityOpt", "ReadonlyRootfs"),
    *("NetworkMode", "PortBindings", "LogConfig", "Ulimits", "Privileged", "ShmSize"),
)
_MOUNT = ("Type", "Source", "Destination", "RW")
_PUBLIC = ("kind", "min_severity", "security", "port")


def versions(control: Managed, now: float) -> object:
    release: dict[str, str] = {}
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
    found = control.descriptor
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "gateway": found.name,
        "mode": found.mode,
        "controller": found.controller,
        "program": found.program,
        "image": found.image,
        "system": release.get("PRETTY_NAME"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": health.fact(lambda: {"version": control.engine.version()}, "version"),
    }


def settings(control: Managed, _now: float) -> object:
    """Descriptor and plan, and the channels and the heartbeat without their secrets."""
    name = control.descriptor.name
    channels = alerts.load(alerts.path(name)) if os.path.exists(alerts.path(name)) else []
    beats = heartbeat.path(name)
    called = record_file.load(heartbeat.Settings, beats) if os.path.exists(beats) else None
    return {
        **{file: {**data, "accounts": len(data["accounts"])} for file, data in control.described().items()},
        "session.json": dataclasses.asdict(control.plan),
        "alerts.json": [{key: each[key] for key in _PUBLIC if key in each} for each in channels],
        "heartbeat.json": {"every": called.every, "method": called.method} if called else None,
    }


def state(control: Managed, _now: float) -> object:
    record = control.store.read()
    return dataclasses.asdict(record) if record else None


def history(control: Managed, _now: float) -> object:
    return control.store.history()


def inspected(control: Managed, _now: float) -> object:
    """The engine's description of the container without its environment's values."""
    found = control.engine.inspect(control.container)
    config, host = found["Config"], found.get("HostConfig") or {}
    return {
        "State": found["State"],
        "RestartCount": found.get("RestartCount"),
        "Image": config["Image"],
        "Labels": config.get("Labels"),
        "Env": [each.partition("=")[0] for each in config.get("Env") or []],
        "HostConfig": {name: host.get(name) for name in _HOST_CONFIG},
        "Mounts": [{name: each.get(name) for name in _MOUNT} for each in found.get("Mounts") or []],
        "Networks": sorted((found.get("NetworkSettings") or {}).get("Networks") or {}),
    }


def container_log(control: Managed, _now: float) -> str:
    lines = LOG_LINES
    while True:
        try:
            return control.engine.logs(control.container, lines, 4 * MIB)
        except TooLongError:
            if lines == 1:
                raise
            lines = max(lines // 10, 1)


def journal(control: Managed, _now: float) -> str:
    units = [f"--unit={unit}" for unit in control.units]
    return health.output("journalctl", "--no-pager", "--output=short-iso-precise", f"--lines={JOURNAL_LINES}", *units)


def facts(control: Managed, now: float) -> object:
    return control.examine(now)


PARTS: dict[str, Callable[[Managed, float], object]] = {
    "README.txt": lambda _control, _now: README,
    "versions.json": versions,
    "settings.json": settings,
    "state.json": state,
    "history.json": history,
    "facts.json": facts,
    "inspect.json": inspected,
    "container.log": container_log,
    "journal.log": journal,
}


def secrets(control: Managed) -> Iterator[str]:
    """Every value of this gateway that the host knows and nobody else should; what cannot be read is passed over."""
    found, name = control.descriptor, control.descriptor.name
    public = {name, found.mode}
    yield from found.accounts
    yield from (found.password_secret or {}).values()
    yield from ({control.plan.host, os.uname().nodename} - public)
    yield from filter(None, (os.environ.get("SUDO_USER"),))
    yield from control.secrets()
    with contextlib.suppress(OSError, ValueError):
        yield from _texts(record_file.read(alerts.path(name)))
    with contextlib.suppress(OSError, ValueError):
        yield record_file.load(heartbeat.Settings, heartbeat.path(name)).url
    with contextlib.suppress(EngineError, KeyError, TypeError):
        for each in control.engine.inspect(control.container)["Config"].get("Env") or []:
            key, _sign, value = each.partition("=")
            if any(word in key for word in _SECRET_NAMES) and value not in public and not value.startswith("/"):
                yield value


def _texts(data: object) -> Iterator[str]:
    """The texts in a file of channels, but for those that name a kind or a severity."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from _texts(each)
    elif isinstance(data, dict):
        for key, each in data.items():
            if key not in _PUBLIC:
                yield from _texts(each)


def make(control: Managed, now: float) -> bytes:
    """Return the bundle, a gzipped tar archive."""
    redact = Redactor(secrets(control))
    folder = f"ibgw-support-{control.descriptor.name}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, part in PARTS.items():
            content = _bounded(_had(part, control, now, redact))
            about = tarfile.TarInfo(f"{folder}/{name}")
            about.size, about.mtime, about.mode = len(content), int(now), 0o600
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def _had(part: Callable[[Managed, float], object], control: Managed, now: float, redact: Redactor) -> str:
    try:
        found = part(control, now)
        return redact(found) if isinstance(found, str) else json.dumps(redact.data(found), indent=1, default=str)
    except Exception as error:  # what is broken is what a bundle is for
        return redact(f"not had: {type(error).__name__}: {error}")


def _bounded(text: str) -> bytes:
    """The newest of *text* in printable lines."""
    lines = "".join(printable(line, len(line)) + "\n" for line in text.splitlines()).encode("utf-8", "replace")
    if len(lines) <= PART_BYTES:
        return lines
    return b"(the older part is left out)\n" + lines[-PART_BYTES:].partition(b"\n")[2]


def write(path: str, content: bytes) -> None:
    """Write a new file that its maker alone may read, root or who has become it. OSError where there is one already."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
            os.fchown(handle, int(os.environ["SUDO_UID"]), -1)


def default_path(name: str, now: float) -> str:
    return f"ibgw-support-{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}.tar.gz"
