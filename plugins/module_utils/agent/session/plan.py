# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When and within which bounds a gateway may run: ``/etc/ibgw/<name>/session.json``, written by role `session`."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .. import bounds, playbooks, record_file
from ..problem import Problem, table
from . import alerts, appointment, descriptor, heartbeat, windows
from .week import OPENED, RESETS, SIGN_IN_DEADLINE
from .windows import PaperSession


@dataclass(frozen=True)
class Plan:
    """The session's settings; the defaults apply on a host where role `session` has not run."""

    host: str = ""
    paper_sessions: tuple[PaperSession, ...] = ()
    # How long a paper gateway that was started outside its sessions may run, in minutes.
    manual_minutes: int = 240
    # Close live before IBKR voids its token, and treat older sign-ins as worthless.
    weekly_close: bool = True
    # New York time on Sunday by which live should be signed in.
    sign_in_deadline: str = SIGN_IN_DEADLINE
    # When live signs in by itself, such as ``sun 10:00`` in the zone; a person still approves the push.
    sign_in_at: tuple[str, ...] = ()
    sign_in_zone: str = "America/New_York"
    # Pushes and minutes that one sign-in may take.
    pushes: int = 3
    sign_in_minutes: int = 10
    # Region of IBKR's daily reset, during which a lost link is not a fault (week.RESETS).
    region: str = "north_america"
    # The watcher's own API client id: two clients with one id are refused.
    client_id: int = 916
    # Seconds between looks at a gateway that logs nothing.
    interval: int = 60
    # Bounds of the gateway's own logs in its settings directory: days, and MiB in all.
    gateway_log_days: int = 14
    gateway_log_mib: int = 2048
    # Directory of node-exporter's textfile collector; empty: no metrics there.
    metrics_directory: str = ""
    # Where the watcher serves /metrics, /health and /ready; port 0: nowhere.
    http_address: str = "127.0.0.1"
    http_port: int = 0


def path(name: str) -> str:
    return os.path.join(descriptor.ROOT, name, "session.json")


def load(name: str) -> Plan:
    """Return the plan of gateway *name*; raises DescriptorError when its file is damaged."""
    try:
        return from_data(record_file.read(path(name)))
    except FileNotFoundError:
        return Plan()
    except (OSError, record_file.DamagedError) as error:
        raise descriptor.DescriptorError(
            f"{path(name)} is damaged ({error}): run {playbooks.SITE} to rewrite it"
        ) from error


def load_or_default(name: str) -> tuple[Plan, str]:
    """Return the plan and ""; if its file is damaged, a plan that starts nothing, and the fault."""
    try:
        return load(name), ""
    except descriptor.DescriptorError as error:
        return Plan(), str(error)


def from_data(data: object) -> Plan:
    """Return the plan from the file's content; keys of later releases are ignored.

    Raises DamagedError for anything that :func:`problems` would have refused.
    """
    found = record_file.build(Plan, data)
    for variable, (low, high) in BOUNDS.items():
        if not low <= getattr(found, _FIELDS.get(variable, variable.removeprefix("session_"))) <= high:
            raise record_file.DamagedError(f"{variable} is not from {low} to {high}")
    if found.region not in RESETS or not DEADLINE.fullmatch(found.sign_in_deadline):
        raise record_file.DamagedError("its region or deadline is invalid")
    if wrong := appointment.problems(
        found.sign_in_at, found.sign_in_zone, found.sign_in_deadline, found.sign_in_minutes
    ):
        raise record_file.DamagedError(str(wrong[0]))
    # This includes a zone without data on this machine.
    if found.paper_sessions and (wrong := windows.problems(t.cast("dict[str, Any]", data)["paper_sessions"])):
        raise record_file.DamagedError(str(wrong[0]))
    return found


# Names in the plan that differ from the variable's.
_FIELDS = {"session_sign_in_pushes": "pushes"}
DEADLINE = re.compile(r"(0[3-9]|1\d|2[0-3]):[0-5]\d")
BOUNDS = {
    "session_interval": (10, 600),
    "session_client_id": (1, 999_999),
    "session_sign_in_pushes": (1, 5),
    "session_sign_in_minutes": (4, 30),
    "session_manual_minutes": (5, 1440),
    "session_gateway_log_days": (1, 365),
    "session_gateway_log_mib": (100, 1_000_000),
}
# Unprivileged ports; 0 serves nothing.
HTTP_PORTS = (1024, 65535)
DIRECTORY = re.compile(r"/[\w./-]*", re.ASCII)
_PORTS = ("gateway_port", "access_vpc_port", "access_mtls_port", "access_wireguard_port", "session_http_port")


_problem = table(
    {
        "sign-in-deadline": (
            "not a time of Sunday from 03:00 to 23:59 as HH:MM",
            "leave room for a person: IBKR takes sign-ins from {opened} on",
        ),
        "region-unknown": ("not a region", "choose {regions}"),
        "metrics-directory": (
            "not an absolute path without blanks, as systemd's ReadWritePaths takes it",
            "name the directory of node-exporter's textfile collector, or set it to '' for none",
        ),
        "http-address-open": (
            "neither of the loopback nor, with vpc in gateway_access, one of access_vpc_addresses, so that no firewall "
            "would say who may ask there",
            "choose 127.0.0.1, or one of access_vpc_addresses with access_vpc_metrics_from",
        ),
        "http-port-taken": (
            "a port of the gateway's API, of one of its access methods, or of the watcher's metrics",
            "choose another",
        ),
        "watcher-client-id-taken": (
            "gateway_client_id's or gateway_check_client_id's, and the API refuses two clients with one id",
            "choose another",
        ),
    }
)


def problems(settings: Mapping[str, Any], other_client_ids: Collection[int | None]) -> list[Problem]:
    """Return every problem of role `session`'s variables; *other_client_ids* are the gateway's own."""
    found = [wrong for name in BOUNDS if (wrong := bounds.problem(name, settings[name], BOUNDS[name]))]
    deadline = settings["session_sign_in_deadline"]
    if not DEADLINE.fullmatch(str(deadline)):
        found.append(_problem("sign-in-deadline", "session_sign_in_deadline", deadline, opened=OPENED))
    elif not found:
        minutes = bounds.whole(settings["session_sign_in_minutes"]) or 0
        found += appointment.problems(
            settings["session_sign_in_at"], settings["session_sign_in_zone"], deadline, minutes
        )
    region = settings["session_region"]
    if region not in RESETS:
        found.append(_problem("region-unknown", "session_region", region, regions=", ".join(RESETS)))
    client_id = settings["session_client_id"]
    if bounds.whole(client_id) in other_client_ids:
        found.append(_problem("watcher-client-id-taken", "session_client_id", client_id))
    found += _publishing(settings)
    found += heartbeat.problems(settings["session_heartbeat"], settings["session_interval"])
    return found + alerts.problems(settings["session_alerts"])


def _publishing(settings: Mapping[str, Any]) -> list[Problem]:
    """Return every problem of the places where metrics are written and served."""
    found = []
    directory = settings["session_metrics_directory"]
    if directory and not DIRECTORY.fullmatch(str(directory)):
        found.append(_problem("metrics-directory", "session_metrics_directory", directory))
    if bounds.whole(settings["session_http_port"]) != 0:
        found += served(settings, "session_http")
    return found


def served(settings: Mapping[str, Any], what: str) -> list[Problem]:
    """Return every problem of where metrics are served: variables ``<what>_address`` and ``<what>_port``."""
    found = []
    variable = f"{what}_port"
    port, address = bounds.whole(settings[variable]), str(settings[f"{what}_address"])
    if wrong := bounds.problem(variable, settings[variable], HTTP_PORTS):
        found.append(wrong)
    elif port in [bounds.whole(settings.get(name)) for name in _PORTS if name != variable]:
        found.append(_problem("http-port-taken", variable, port))
    governed = settings.get("access_vpc_addresses") or [] if "vpc" in (settings.get("gateway_access") or []) else []
    if address not in ("127.0.0.1", "::1", *governed):
        found.append(_problem("http-address-open", f"{what}_address", address))
    return found
