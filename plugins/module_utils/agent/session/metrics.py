# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of one gateway, in Prometheus' text format 0.0.4: a row of METRICS each.

From the table come node-exporter's textfile, the endpoint's ``/metrics`` and docs/reference/metrics.md. Names follow
prometheus.io/docs/practices/naming, the text prometheus.io/docs/instrumenting/exposition_formats. Times are published
as moments, not ages: an age in a file stands still when its writer dies. Labels come from fixed lists, never from a
gateway's output.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import time
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .. import files
from ..api import verdicts
from ..api.probe import FARM_STATUSES
from ..controller import password
from ..controller.milestones import Summary
from ..engine.log import epoch
from ..releases import OK, Outlook
from ..text import printable
from . import policy, windows
from .alerts import Outbox
from .plan import Plan
from .store import GRANTS, Record

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE = "counter", "gauge"
# Stands for a value that is not in a label's list.
OTHER = "other"
DOCKER_DIR = "/var/lib/docker"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STEPS = ("connect", "handshake", "session", "current_time", "settle", "mute_connect", "total")
# Notices with a meaning here (probe.py), and codes that reject a client.
_CODES = tuple(
    map(str, (1100, 1101, 1102, 1300, 2103, 2104, 2105, 2106, 2107, 2108, 2110, 2119, 2157, 2158, 2172, 10197))
) + tuple(map(str, sorted(verdicts.REJECTING_CODES)))
REJECTED = "rejected"
_ENDS = {".crt": "certificate", ".crl": "revocation_list"}


@dataclass
class Tally:
    """The watcher's own counters since its process began; moments are epoch seconds."""

    started_at: float
    looks: int = 0
    looks_failed: int = 0
    look_seconds: float = 0.0
    heartbeats: int = 0
    heartbeats_failed: int = 0
    heartbeat_at: float = 0.0
    # The gateway's own logs, after the last round: bytes, None before it, and bytes removed.
    logs: int | None = None
    logs_removed: int = 0
    # The earliest expiry of mutual TLS's files, by file name suffix.
    ends: dict[str, float] = field(default_factory=dict)

    def certificate(self, file: str, ends_at: float | None) -> None:
        """Note the expiry of a certificate or a CRL, if it is the earliest of its kind."""
        kind = os.path.splitext(file)[1]
        if ends_at is not None:
            self.ends[kind] = min(ends_at, self.ends.get(kind, ends_at))


class Seen(t.Protocol):
    """A gateway, whatever its API: its container, the last verdict on its API, and what its log says where one is
    read."""

    @property
    def verdict(self) -> Mapping[str, t.Any] | None: ...

    @property
    def container(self) -> Mapping[str, t.Any] | None: ...

    @property
    def engine_fault(self) -> str | None: ...

    @property
    def summary(self) -> Summary: ...

    @property
    def reads_log(self) -> bool: ...

    @property
    def has_log(self) -> bool: ...

    @property
    def mode(self) -> str | None: ...

    @property
    def clock(self) -> Callable[[], float]: ...

    def deployed(self) -> t.Any: ...

    def release(self, now: float) -> Outlook: ...


@dataclass(frozen=True)
class Sight:
    """The source of all metrics: one look, at the moment *now*. *fault* is the watcher's verdict (duty.py)."""

    record: Record
    gateway: Seen
    plan: Plan
    outbox: Outbox
    tally: Tally
    fault: str
    now: float

    @property
    def api(self) -> Mapping[str, t.Any]:
        """The last verdict on the API of a running container."""
        return (self.gateway.verdict if self.gateway.has_log else None) or {}

    @property
    def container(self) -> Mapping[str, t.Any]:
        return self.gateway.container or {}


Reading: t.TypeAlias = "float | Mapping[str, float] | None"


class Metric(t.NamedTuple):
    """A row: *name*, *kind* (counter or gauge), *help*, *source* (of the value, for the reference), the function to
    *read* it, and a *label* with its *values*: a counter has a sample for each, a gauge only for those that were read.
    A reading of None gives no sample."""

    name: str
    kind: str
    help: str
    source: str
    read: Callable[[Sight], Reading]
    label: str = ""
    values: tuple[str, ...] = ()


def unit(name: str) -> str:
    """Return the unit at the end of a metric's name, empty for counters."""
    words = name.removesuffix("_total").rpartition("_")[2]
    return words if words in ("seconds", "bytes", "ratio") else ""


def _moment(at: float | None) -> float | None:
    return at or None


def _flag(value: object) -> float | None:
    return None if value is None else float(bool(value))


def _log_bytes(sight: Sight) -> float | None:
    identity = str(sight.container.get("id") or "")
    names = glob.glob(f"{DOCKER_DIR}/containers/{glob.escape(identity)}/*-json.log*") if identity else []
    return float(sum(os.stat(name).st_size for name in names)) if names else None


def _places(sight: Sight) -> Iterable[tuple[str, os.statvfs_result]]:
    for name, path in zip(PLACES, ("/", DOCKER_DIR, sight.gateway.deployed().settings_dir), strict=True):
        with contextlib.suppress(OSError):
            yield name, os.statvfs(path)


PLACES = ("root", "docker", "settings")


def _free_bytes(sight: Sight) -> Reading:
    return {name: float(each.f_bavail * each.f_frsize) for name, each in _places(sight)}


def _free_ratio(sight: Sight) -> Reading:
    # As df(1) counts it: relative to the space available to programs.
    usable = ((name, each.f_bavail, each.f_blocks - each.f_bfree + each.f_bavail) for name, each in _places(sight))
    return {name: round(free / total, 6) for name, free, total in usable if total}


def _password_changed(sight: Sight) -> float | None:
    kept = sight.gateway.mode != policy.LIVE and not sight.gateway.deployed().password_secret
    return os.stat(password.kept_path(sight.record.gateway)).st_mtime if kept else None


def _notices(sight: Sight) -> Reading:
    said: dict[str, float] = {}
    for notice in sight.api.get("notices", ()):
        said[str(notice["code"])] = said.get(str(notice["code"]), 0.0) + 1
    return said or None


def _api_state(sight: Sight) -> Reading:
    state = sight.api.get("api_state")
    return {str(state).partition(":")[0]: 1.0} if state else None


def _accepted_until(sight: Sight) -> float | None:
    left = sight.gateway.release(sight.now).days_left
    return None if left is None else sight.now + left * 86400.0


def _window_starts(sight: Sight) -> float | None:
    window = windows.upcoming(sight.plan.paper_sessions, policy.moment(sight.now))
    return window.start.timestamp() if window else None


def _in_window(sight: Sight) -> float | None:
    sessions = sight.plan.paper_sessions
    return _flag(windows.current(sessions, policy.moment(sight.now)) is not None) if sessions else None


def _memory(_sight: Sight) -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return float(int(file.read(100).split()[1]) * _PAGE)


def _blocks(sight: Sight) -> Reading:
    counts = sight.record.counts.items()
    return {name.removeprefix("blocked_"): float(n) for name, n in counts if name.startswith("blocked_")}


_RECORD, _API, _LOG, _ENGINE = "the watcher's record", "the last probe of the API", "the container's log", "the engine"
_HOST, _SELF, _OUTBOX = "the host", "the watcher itself", "the outbox of alerts"
METRICS = (
    Metric(
        "ibgw_healthy", GAUGE, "Whether everything that the watcher is responsible for is as it should be.",
        "the rule of the heartbeat", lambda s: float(not s.fault),
    ),
    Metric(
        "ibgw_state", GAUGE, "The gateway's state: 1 for the one that it is in.", _RECORD,
        lambda s: {s.record.state: 1.0}, "state", verdicts.GATEWAY_STATES,
    ),
    Metric(
        "ibgw_state_since_timestamp_seconds", GAUGE, "Since when it is in this state.", _RECORD,
        lambda s: _moment(s.record.since),
    ),
    Metric(
        "ibgw_last_look_timestamp_seconds", GAUGE, "When the watcher, or who acts instead, last looked.", _RECORD,
        lambda s: _moment(s.record.checked_at),
    ),
    Metric(
        "ibgw_look_interval_seconds", GAUGE, "Longest time between two looks, session_interval.", "its settings",
        lambda s: float(s.plan.interval),
    ),
    Metric(
        "ibgw_granted", GAUGE, "Whether a permission to run is in force, by its kind.", _RECORD,
        lambda s: {s.record.grant.kind: 1.0} if s.record.grant and s.record.granted(s.now) else {}, "kind", GRANTS,
    ),
    Metric(
        "ibgw_grant_end_timestamp_seconds", GAUGE, "When the permission to run ends.", _RECORD,
        lambda s: s.record.grant.ends_at if s.record.grant else None,
    ),
    Metric(
        "ibgw_valid_until_timestamp_seconds", GAUGE, "Live: until when the weekly sign-in holds.", _RECORD,
        lambda s: _moment(s.record.valid_until),
    ),
    Metric(
        "ibgw_sign_in_due_timestamp_seconds", GAUGE, "Live: by when the next weekly sign-in is due.", _RECORD,
        lambda s: _moment(s.record.sign_in_due),
    ),
    Metric(
        "ibgw_signed_in_timestamp_seconds", GAUGE, "Live: when the last sign-in was completed.", _RECORD,
        lambda s: _moment(s.record.signed_in_at),
    ),
    Metric(
        "ibgw_window_open", GAUGE, "Paper: whether one of gateway_paper_sessions is on.", "its settings", _in_window
    ),
    Metric(
        "ibgw_window_start_timestamp_seconds", GAUGE, "Paper: when the next session starts.", "its settings",
        _window_starts,
    ),
    Metric(
        "ibgw_starts_total", COUNTER, "Starts of the container.", _RECORD,
        lambda s: float(s.record.counts.get("starts", 0)),
    ),
    Metric(
        "ibgw_sign_ins_total", COUNTER, "Live: completed sign-ins.", _RECORD,
        lambda s: float(s.record.counts.get("sign_ins", 0)),
    ),
    Metric(
        "ibgw_blocks_total", COUNTER, "How often the watcher has blocked the gateway, by cause.", _RECORD, _blocks,
        "cause", (*policy.CAUSES, OTHER),
    ),
    Metric(
        "ibgw_failed_logins", GAUGE, "Sign-ins of the last hour that failed; at 9 it is stopped.", _RECORD,
        lambda s: float(len(s.record.logins)),
    ),
    Metric(
        "ibgw_hung_looks", GAUGE, "Looks in a row at which the API hung.", _RECORD,
        lambda s: float(s.record.hung_looks),
    ),
    Metric(
        "ibgw_login_attempts_total", COUNTER, "Sign-ins that were tried, of this start.", _LOG,
        lambda s: float(s.gateway.summary.login_attempts),
    ),
    Metric(
        "ibgw_refused_logins_total", COUNTER, "Sign-ins that IBKR refused, of this start.", _LOG,
        lambda s: float(s.gateway.summary.refused_logins),
    ),
    Metric(
        "ibgw_pushes_total", COUNTER, "Second-factor requests sent to a phone, of this start.", _LOG,
        lambda s: float(s.gateway.summary.pushes),
    ),
    Metric(
        "ibgw_pushes_missed_total", COUNTER, "Second-factor requests that nobody approved, of this start.", _LOG,
        lambda s: float(s.gateway.summary.pushes_missed),
    ),
    Metric(
        "ibgw_jvm_runs_total", COUNTER, "JVMs that began, of this start.", _LOG,
        lambda s: float(s.gateway.summary.jvm_runs),
    ),
    Metric(
        "ibgw_cold_restarts_total", COUNTER, "Restarts without a kept sign-in, of this start.", _LOG,
        lambda s: float(s.gateway.summary.cold_restarts),
    ),
    Metric(
        "ibgw_log_gaps_total", COUNTER, "How often lines of the log were lost before they were read.", _LOG,
        lambda s: float((s.record.log or {}).get("gaps") or 0),
    ),
    Metric("ibgw_log_bytes", GAUGE, "Size of the container's log, the rotated files with it.", _HOST, _log_bytes),
    Metric(
        "ibgw_gateway_log_bytes", GAUGE, "Size of the logs that the gateway keeps in its settings directory.", _HOST,
        lambda s: None if s.tally.logs is None else float(s.tally.logs),
    ),
    Metric(
        "ibgw_gateway_log_removed_bytes_total", COUNTER, "What the watcher has removed of these logs.", _SELF,
        lambda s: float(s.tally.logs_removed),
    ),
    Metric(
        "ibgw_engine_up", GAUGE, "Whether the Docker engine answers.", _ENGINE,
        lambda s: _flag(s.gateway.engine_fault is None),
    ),
    Metric(
        "ibgw_container_running", GAUGE, "Whether the container runs.", _ENGINE,
        lambda s: _flag(s.container.get("running")),
    ),
    Metric(
        "ibgw_container_start_timestamp_seconds", GAUGE, "When the container was last started.", _ENGINE,
        lambda s: _moment(epoch(s.container.get("started_at") or "")),
    ),
    Metric(
        "ibgw_container_exit_code", GAUGE, "Exit code of a container that has ended.", _ENGINE,
        lambda s: None if s.container.get("exit_code") is None else float(s.container["exit_code"]),
    ),
    Metric(
        "ibgw_api_state", GAUGE, "What the API is like: 1 for the state of the last probe.", _API, _api_state, "state",
        (*dict.fromkeys((*verdicts.API_STATES, *verdicts.PORTAL_STATES, REJECTED, OTHER)),),
    ),
    Metric(
        "ibgw_probe_duration_seconds", GAUGE, "How long each step of the last probe took.", _API,
        lambda s: {step: ms / 1000 for step, ms in s.api.get("timings", {}).items()} or None, "step", _STEPS,
    ),
    Metric(
        "ibgw_notices", GAUGE, "Different messages of the API in the last probe, by code.", _API, _notices, "code",
        (*_CODES, OTHER),
    ),
    Metric(
        "ibgw_farms", GAUGE, "IBKR's data farms by status.", _API, lambda s: s.api.get("farms"), "status", FARM_STATUSES
    ),
    Metric(
        "ibgw_clock_skew_seconds", GAUGE, "Difference between the gateway's clock and the host's.", _API,
        lambda s: s.api.get("clock_skew"),
    ),
    Metric(
        "ibgw_accounts", GAUGE, "Accounts that the gateway serves.", _API, lambda s: s.api.get("account_count")
    ),
    Metric(
        "ibgw_accounts_fit", GAUGE, "Whether these are the accounts that are allowed.", _API,
        lambda s: _flag(not s.api["account_fault"]) if s.api.get("account_count") else None,
    ),
    Metric(
        "ibgw_read_only", GAUGE, "Whether the API is read-only, where the log or the API says so.", _LOG,
        lambda s: _flag(True if s.api.get("read_only") else s.gateway.summary.read_only),
    ),
    Metric(
        "ibgw_release_accepted_until_timestamp_seconds", GAUGE, "When IBKR stops accepting this release.",
        "IBKR's announcement, else releases.py", _accepted_until,
    ),
    Metric(
        "ibgw_release_ending", GAUGE, "Whether IBKR asks for a newer release, with a day or without one.",
        "IBKR's announcement, else releases.py", lambda s: _flag(s.gateway.release(s.now).severity != OK),
    ),
    Metric(
        "ibgw_disk_free_bytes", GAUGE, "Room for programs on the file systems that matter.", _HOST, _free_bytes,
        "filesystem", PLACES,
    ),
    Metric(
        "ibgw_disk_free_ratio", GAUGE, "The same as a part of the whole.", _HOST, _free_ratio, "filesystem", PLACES
    ),
    Metric(
        "ibgw_password_changed_timestamp_seconds", GAUGE, "Paper: when the kept password was last written.", _HOST,
        _password_changed,
    ),
    Metric(
        "ibgw_certificate_end_timestamp_seconds", GAUGE, "When the first certificate of mutual TLS ends, and its CRL.",
        _HOST, lambda s: {_ENDS[kind]: at for kind, at in s.tally.ends.items()} or None, "kind", (*_ENDS.values(),),
    ),
    Metric(
        "ibgw_alerts_waiting", GAUGE, "Alerts that a channel has not yet got.", _OUTBOX,
        lambda s: float(s.outbox.waiting),
    ),
    Metric(
        "ibgw_alerts_sent_total", COUNTER, "Deliveries of an alert to a channel.", _OUTBOX,
        lambda s: float(s.outbox.sent),
    ),
    Metric(
        "ibgw_alerts_failed_total", COUNTER, "Deliveries that a channel did not take.", _OUTBOX,
        lambda s: float(s.outbox.failed),
    ),
    Metric(
        "ibgw_alerts_dropped_total", COUNTER, "Alerts given up.", _OUTBOX, lambda s: float(s.outbox.dropped)
    ),
    Metric(
        "ibgw_heartbeats_total", COUNTER, "Heartbeats that the dead man's switch took.", _SELF,
        lambda s: float(s.tally.heartbeats),
    ),
    Metric(
        "ibgw_heartbeats_failed_total", COUNTER, "Heartbeats that it did not take.", _SELF,
        lambda s: float(s.tally.heartbeats_failed),
    ),
    Metric(
        "ibgw_heartbeat_timestamp_seconds", GAUGE, "When it last took one.", _SELF,
        lambda s: _moment(s.tally.heartbeat_at),
    ),
    Metric("ibgw_looks_total", COUNTER, "Looks of the watcher.", _SELF, lambda s: float(s.tally.looks)),
    Metric(
        "ibgw_looks_failed_total", COUNTER, "Looks that failed unexpectedly.", _SELF,
        lambda s: float(s.tally.looks_failed),
    ),
    Metric(
        "ibgw_look_duration_seconds", GAUGE, "How long the last look took, what it did included.", _SELF,
        lambda s: s.tally.look_seconds,
    ),
    Metric(
        "ibgw_watcher_start_timestamp_seconds", GAUGE, "When the watcher began.", _SELF, lambda s: s.tally.started_at
    ),
    Metric(
        "ibgw_watcher_cpu_seconds_total", COUNTER, "Processor time of the watcher.", _SELF,
        lambda _s: time.process_time(),
    ),
    Metric("ibgw_watcher_memory_bytes", GAUGE, "Resident memory of the watcher.", _SELF, _memory),
)  # fmt: skip
INFO = "ibgw_info"
INFO_HELP = "What the gateway is; always 1."
INFO_LABELS = ("mode", "controller", "release", "host")


def text(sight: Sight) -> str:
    """Return every metric, ending in a line feed; unreadable ones are left out."""
    gateway = sight.gateway.deployed()
    mine = f'gateway="{_escaped(gateway.name)}"'
    release = sight.gateway.release(sight.now).release or ""
    about = zip(INFO_LABELS, (gateway.mode, gateway.controller, release, sight.plan.host), strict=True)
    labels = ",".join([mine, *(f'{name}="{_escaped(value)}"' for name, value in about)])
    lines = [f"# HELP {INFO} {INFO_HELP}", f"# TYPE {INFO} {GAUGE}", f"{INFO}{{{labels}}} 1"]
    for metric in METRICS:
        if metric.source == _LOG and not sight.gateway.reads_log:
            continue
        try:
            reading = metric.read(sight)
        except (OSError, ValueError, LookupError, TypeError):
            continue
        samples = _samples(metric, reading, mine)
        if samples:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *samples]
    return "\n".join(lines) + "\n"


def _samples(metric: Metric, reading: Reading, mine: str) -> list[str]:
    if reading is None:
        return []
    if not isinstance(reading, Mapping):
        return [f"{metric.name}{{{mine}}} {float(reading)!r}"] if math.isfinite(reading) else []
    values = {} if unit(metric.name) else dict.fromkeys(metric.values, 0.0)
    for name, value in reading.items():
        known = name if name in metric.values else OTHER
        if math.isfinite(value) and known in metric.values:
            values[known] = values.get(known, 0.0) + value
    return [f'{metric.name}{{{mine},{metric.label}="{name}"}} {value!r}' for name, value in values.items()]


def _escaped(value: str) -> str:
    return printable(value, 80).replace("\\", "\\\\").replace('"', '\\"')


def path(directory: str, name: str) -> str:
    """Return the file of gateway *name* in node-exporter's *directory*."""
    return os.path.join(directory, f"ibgw_{name}.prom")


def write(directory: str, name: str, content: str) -> None:
    """Replace the file of gateway *name* atomically, readable by everybody; do nothing without *directory*.

    Raises OSError, also where somebody other than root could replace the file (UntrustedError). No fsync: after a
    crash, the next look writes it again.
    """
    parent, last = os.path.split(directory.rstrip("/"))
    above, middle = os.path.split(parent)
    try:
        # The parent may belong to another user (in Debian to prometheus), so no link there is followed.
        outer = os.open(os.path.join(files.resolve(above), middle), _DIRECTORY)
        try:
            place = os.open(last, _DIRECTORY, dir_fd=outer)
        finally:
            os.close(outer)
    except FileNotFoundError:
        return
    try:
        files.refuse_shared(directory, os.fstat(place), passing=False)
        # The collector reads only names that end in .prom; leftovers of a killed watcher are removed first.
        temporary = f".ibgw-{name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=place)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=place)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(content)
            os.replace(temporary, os.path.basename(path(directory, name)), src_dir_fd=place, dst_dir_fd=place)
        except BaseException:
            os.unlink(temporary, dir_fd=place)
            raise
    finally:
        os.close(place)
