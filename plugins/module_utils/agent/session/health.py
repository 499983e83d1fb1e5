# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the facts about one gateway and its host, without judging them. Read-only.

Each fact is collected independently. If one cannot be, its values are None and ``reason`` says why. No secret is read,
and account ids are masked.
"""

from __future__ import annotations

import collections.abc as c
import glob
import json
import math
import os
import pwd
import shutil
import ssl
import stat
import subprocess
import time
import typing as t
from functools import partial

from ..api import accounts
from ..controller import password
from ..engine.client import Engine, EngineError
from ..engine.log import epoch
from ..text import printable
from . import descriptor, plan, policy, watching, week, windows
from .inspection import Gateway
from .store import SIGN_IN, Store

CLIENT = "/opt/ibgw/client/bin/python"
DOCKER_DIR = "/var/lib/docker"
CONTAINER_MARK = "/run/systemd/container"
COMMAND_SECONDS = 20
DAY = 86400.0
HISTORY_SECONDS = 8 * DAY
MAX_EVENTS = 5000
MAX_CERTIFICATES = 50
# The openssl command that prints each kind of file's expiry.
ENDS = {".crt": ("x509", "-enddate"), ".crl": ("crl", "-nextupdate")}
UPDATES_TIMER = "apt-daily-upgrade.timer"
UNITS = ("ibgw-*", "apt-daily.timer", UPDATES_TIMER, "docker.service")
Fact = dict[str, t.Any]
# The facts that examine() returns: a description in Ansible's markup, and a sample in YAML. `make generate` writes what
# module gateway_health documents from it.
FACTS = {
    "look": (
        "What M(ibops.gateway.gateway_info) returns of the gateway.",
        '{state: ready, api_state: ready, accounts: ["U***67"], pending: false}',
    ),
    "accounts": (
        "Whether the accounts of the API are those of the mode and the allow-list (C(fit)), how many are "
        "allowed (C(allowed), 0 for any) and how many there are (C(served)).",
        "{fit: true, allowed: 1, served: 1, reason: null}",
    ),
    "session": (
        "What the host remembers, as in RV(ibops.gateway.gateway_info#module:session). Also C(stale_seconds) "
        "since the watcher's last look, C(plan), C(reset_until) (end of IBKR's reset that is going on), and "
        "C(window) and C(next_window) of a paper gateway's sessions.",
        "{state: ready, signed_in_at: 1795415520.0, valid_until: 1795932000.0, blocked: null, reason: null}",
    ),
    "history": (
        "The C(events) of the last eight days, oldest first.",
        "{events: [{at: 1795415520.1, event: sign_in, text: signed in, by: the operator}], reason: null}",
    ),
    "image": (
        "The image that is C(wanted) and the one of the container (C(running)), whether they are the C(same), "
        "whether the first is C(pinned) by its digest and C(present) on the host.",
        '{wanted: "registry.example/ib-gateway@sha256:0f1e", pinned: true, same: true, present: true, reason: null}',
    ),
    "log": (
        "Size of the container's log in C(bytes) and C(files), since when it goes back, and how much a day adds to it.",
        "{bytes: 182044, files: 1, since: 1795415480.0, bytes_per_day: 48120, reason: null}",
    ),
    "restarts": (
        "Starts of the JVM since the container's own start (C(jvm_runs)), Docker's restarts of the container "
        "(C(by_docker)), and how many days it has been up.",
        "{jvm_runs: 6, by_docker: 0, started_at: 1795415480.0, up_days: 5.2, reason: null}",
    ),
    "clock": (
        "Whether the clock is C(synchronised), whether a C(service) is on for it, and whether the host is a "
        "C(container), which has the clock of the machine around it.",
        "{synchronised: true, service: true, container: false, reason: null}",
    ),
    "disks": (
        "The file systems of the host, of Docker and of the settings, each once.",
        "[{path: /, total: 21474836480, free: 12884901888, free_percent: 60.0, inodes_percent: 91.2, reason: null}]",
    ),
    "units": (
        "The C(units) of the collection, of the updates and of Docker, with what systemd says of them.",
        "{units: [{name: ibgw-watch@live.service, active: active, sub: running, enabled: enabled}], reason: null}",
    ),
    "secret": (
        "Age, mode and owner of the password's file, and the C(source) where the VM fetches it itself.",
        '{age_days: 12.5, mode: "0440", owner: root, source: null, reason: null}',
    ),
    "certificates": (
        "The certificates below C(/etc/ibgw) and the days that each is still good for.",
        "[{path: /etc/ibgw/live/tls/server.crt, days_left: 80.2, ends_at: 1802660000.0, reason: null}]",
    ),
    "client": (
        "Whether the environment of M(ibops.gateway.gateway_client_check) is C(installed).",
        "{installed: true, python: /opt/ibgw/client/bin/python}",
    ),
}


class Deployed(t.Protocol):
    """A deployed gateway, whatever its API."""

    @property
    def name(self) -> str: ...

    @property
    def accounts(self) -> list[str]: ...

    @property
    def image(self) -> str: ...

    @property
    def weekly(self) -> bool: ...


class UnknownError(Exception):
    """A fact cannot be collected; the message says why."""


def fact(read: c.Callable[[], Fact], *names: str) -> Fact:
    """Return the result of *read* with an empty ``reason``; if it fails, None for each of *names*, and the reason."""
    reason = None
    found: Fact = {}
    try:
        found = read()
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    except (UnknownError, EngineError, descriptor.DescriptorError) as error:
        reason = str(error)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = f"it cannot be understood ({error!r})"
    return {**dict.fromkeys(names), **found, "reason": reason and printable(reason)}


def output(*command: str) -> str:
    """Standard output of a program; UnknownError when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise UnknownError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnknownError(f"{command[0]} did not answer within {COMMAND_SECONDS} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise UnknownError(f"{command[0]}: {last}")
    return done.stdout


def examine(gateway: Gateway, now: float, timeout: float) -> Fact:
    """Return everything about a deployed gateway and its host, including one look at its API."""
    found = gateway.deployed()
    gateway.look(timeout)
    report = gateway.report()
    remembered = fact(lambda: session(found, now), "state", "blocked", "valid_until", "plan")
    report |= policy.blocked(remembered["blocked"], report["container"])
    details = fact(lambda: {"inspected": Engine().inspect(found.container)}, "inspected")
    facts = {
        "look": report,
        "accounts": fit(found, report),
        "session": remembered,
        "history": fact(lambda: history(found, now), "events"),
        "image": image(found, report),
        "log": fact(lambda: log(details["inspected"], details["reason"]), *LOG),
        "restarts": fact(lambda: restarts(details["inspected"], details["reason"], report, now), *RESTARTS),
        "secret": fact(lambda: secret(found, now), *SECRET),
        **host(found.name, ("/", DOCKER_DIR, found.settings_dir), now),
        "client": {"installed": os.access(CLIENT, os.X_OK), "python": CLIENT},
    }
    # Every fact must be described.
    return {
        "deployed": True,
        "gateway_name": found.name,
        "mode": found.mode,
        "checked_at": now,
        **{name: facts[name] for name in FACTS},
    }


def fit(found: Deployed, report: Fact) -> Fact:
    """Whether the accounts are the allowed ones; None where the API named none."""
    fault = report["account_fault"]
    return {
        "fit": False if fault else True if report["accounts"] else None,
        "allowed": len(found.accounts),
        "served": report["account_count"],
        "reason": fault or (None if report["accounts"] else "the API named no account"),
    }


# The host's records


def session(found: Deployed, now: float) -> Fact:
    """Return the gateway's record and the current window of its plan.

    Raises UnknownError where role session never ran.
    """
    settings = plan.load(found.name)
    kept = Store(found.name).read()
    if kept is None:
        raise UnknownError("role session has not run on this host, or its watcher never looked: nothing is remembered")
    shown = policy.shown(kept, settings, now, found.weekly)
    shown["stale_seconds"] = max(now - kept.checked_at, 0.0)
    shown["late_seconds"] = policy.late_seconds(kept, settings, now)
    shown["plan"] = {
        "interval": settings.interval,
        "sign_in_deadline": settings.sign_in_deadline,
        "weekly_close": settings.weekly_close,
        "sessions": len(settings.paper_sessions),
    }
    at = policy.moment(now)
    until = week.reset_ends(at, settings.region)
    shown["reset_until"] = until.timestamp() if until else None
    shown["window"] = _window(windows.current(settings.paper_sessions, at))
    shown["next_window"] = _window(windows.upcoming(settings.paper_sessions, at))
    shown["reason_remembered"] = accounts.hide(printable(shown.pop("reason")), found.accounts)
    return shown


def _window(found: windows.Window | None) -> Fact | None:
    if found is None:
        return None
    return {"name": found.session.name, "start": found.start.timestamp(), "end": found.end.timestamp()}


def history(found: Deployed, now: float) -> Fact:
    """The events of the last eight days, oldest first; damaged ones are skipped."""
    shown = []
    for event in Store(found.name).history(now - HISTORY_SECONDS, MAX_EVENTS):
        at = event["at"]
        if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) or at > now:
            continue
        words = {
            name: accounts.hide(printable(str(event[name])), found.accounts)
            for name in ("event", "text", "state", "cause", "by", "step")
            if event.get(name) is not None
        }
        shown.append({"at": float(at), "event": "", "text": "", **words})
    return {"events": sorted(shown, key=lambda event: float(event["at"]))}


# The container


def image(found: Deployed, report: Fact) -> Fact:
    """Return the requested image and the running one."""
    running = (report["container"] or {}).get("image")
    result = {
        "wanted": found.image,
        "running": running,
        "pinned": "@sha256:" in found.image,
        "same": None if running is None else running == found.image,
    }
    return {**result, **fact(lambda: {"present": Engine().image_present(found.image)}, "present")}


LOG = ("bytes", "files", "since", "bytes_per_day")


def log(inspected: Fact | None, reason: str | None) -> Fact:
    """The size of the container's log, rotated files included, and how fast it grows."""
    if inspected is None:
        raise UnknownError(reason or "the container does not exist")
    path = inspected.get("LogPath")
    if not path:
        raise UnknownError("the container's log driver keeps no file")
    files = [path, *glob.glob(glob.escape(path) + ".*")]
    sizes = {file: os.stat(file) for file in files}
    total = sum(each.st_size for each in sizes.values())
    newest = max(each.st_mtime for each in sizes.values())
    since = _first_line_at(min(files, key=lambda file: sizes[file].st_mtime))
    lasted = newest - since if since else 0.0
    return {
        "bytes": total,
        "files": len(files),
        "since": since,
        # Less than an hour is too short to extrapolate a day.
        "bytes_per_day": round(total / lasted * DAY) if lasted >= 3600 else None,
    }


def _first_line_at(path: str) -> float | None:
    with open(path, encoding="utf-8", errors="replace") as file:
        line = file.readline(1 << 16)
    try:
        return epoch(str(json.loads(line)["time"])) or None
    except (ValueError, KeyError, TypeError):
        return None


RESTARTS = ("jvm_runs", "by_docker", "started_at", "up_days")


def restarts(inspected: Fact | None, reason: str | None, report: Fact, now: float) -> Fact:
    """How often the JVM was started in the container's present run, and Docker's own restarts."""
    if inspected is None:
        raise UnknownError(reason or "the container does not exist")
    container = report["container"] or {}
    started = epoch(container.get("started_at") or "")
    return {
        "jvm_runs": report["milestones"]["jvm_runs"],
        "by_docker": int(inspected.get("RestartCount") or 0),
        "started_at": started or None,
        "up_days": round(max(now - started, 0.0) / DAY, 3) if started and container.get("running") else None,
    }


# The host


def host(name: str, paths: c.Iterable[str], now: float) -> Fact:
    """The facts about the host of gateway *name*, whatever the gateway's API; *paths* are on the disks that matter."""
    return {
        "clock": clock_fact(),
        "disks": disks(paths),
        "units": fact(lambda: {"units": units(name)}, "units"),
        "certificates": certificates(now),
    }


def clock() -> Fact:
    """Whether the clock is synchronized, according to systemd-timedated(8)."""
    shown = output("timedatectl", "show", "--property=NTP", "--property=NTPSynchronized")
    values = dict(line.partition("=")[::2] for line in shown.splitlines())
    return {"synchronised": values["NTPSynchronized"] == "yes", "service": values.get("NTP") == "yes"}


def clock_fact() -> Fact:
    return fact(clock, "synchronised", "service") | {"container": os.path.exists(CONTAINER_MARK)}


def disks(paths: c.Iterable[str]) -> list[Fact]:
    """The file systems of *paths*, each once, with the space available to programs, as df(1) counts it."""
    found: list[Fact] = []
    devices = set()
    for path in paths:
        room = fact(partial(_room, path), "device", "total", "free", "free_percent", "inodes_percent")
        device = room.pop("device")
        if device is None or device not in devices:
            found.append({"path": path, **room})
        devices.add(device)
    return found


def _room(path: str) -> Fact:
    status = os.statvfs(path)
    usable = status.f_blocks - status.f_bfree + status.f_bavail
    return {
        "device": os.stat(path).st_dev,
        "total": usable * status.f_frsize,
        "free": status.f_bavail * status.f_frsize,
        "free_percent": round(100 * status.f_bavail / usable, 1),
        "inodes_percent": round(100 * status.f_favail / status.f_files, 1) if status.f_files else None,
    }


def units(name: str) -> list[Fact]:
    """This gateway's units and those that keep the host up to date, without other gateways' watchers."""
    watcher = watching.unit_name(name)
    found = {unit["name"]: unit for unit in watching.units(output(*watching.show(watcher, *UNITS))) if unit["name"]}
    return [unit for name, unit in found.items() if name == watcher or not name.startswith("ibgw-watch@")]


SECRET = ("age_days", "mode", "owner", "source", "exposed")


def secret(found: descriptor.Descriptor, now: float) -> Fact:
    """The password's *source*, or its file; *exposed*: a live gateway's container can read it though no sign-in is
    under way."""
    source = (found.password_secret or {}).get("name") or ("who signs in" if found.mode == policy.LIVE else None)
    record = Store(found.name).read() if found.mode == policy.LIVE else None
    exposed = bool(record and not record.granted(now, SIGN_IN) and password.held(found.name))
    if source:
        return {"path": None, "age_days": None, "mode": None, "owner": None, "source": source, "exposed": exposed}
    return {**password_file(password.kept_path(found.name), now), "exposed": exposed}


def password_file(path: str, now: float) -> Fact:
    """The age and the readers of a password's file, which is not opened."""
    status = os.stat(path)
    try:
        owner = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        owner = str(status.st_uid)
    return {
        "path": path,
        "age_days": round((now - status.st_mtime) / DAY, 1),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": owner,
        "source": None,
    }


def certificates(now: float, root: str | None = None) -> list[Fact]:
    """The certificates and CRLs of this host's gateways, and the days left for each."""
    below = glob.escape(root or descriptor.ROOT)
    paths = [path for kind in ENDS for path in glob.iglob(os.path.join(below, "**", f"*{kind}"), recursive=True)]
    return [
        {"path": path, **fact(partial(_certificate, path, now), "days_left", "ends_at")}
        for path in sorted(paths)[:MAX_CERTIFICATES]
    ]


def _certificate(path: str, now: float) -> Fact:
    if not shutil.which("openssl"):
        raise UnknownError("openssl is not installed")
    shown = output("openssl", *ENDS[os.path.splitext(path)[1]], "-noout", "-in", path)
    ends = ssl.cert_time_to_seconds(shown.strip().partition("=")[2])
    return {"ends_at": float(ends), "days_left": round((ends - now) / DAY, 1)}


def look(name: str, timeout: float, settle: float | None, now: float | None = None) -> Fact:
    """Return the facts of gateway *name*; not being deployed here is a fact too. DescriptorError for an unusable name
    or descriptor."""
    at = time.time() if now is None else now
    try:
        found = descriptor.load(name)
    except descriptor.NotDeployedError as error:
        return {"deployed": False, "gateway_name": name, "mode": None, "checked_at": at, "reason": str(error)}
    return examine(Gateway({**found.endpoint(), "settle": settle}, found), at, timeout)
