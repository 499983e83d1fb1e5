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

from .. import bounds, record_file
from ..problem import Problem, table
from . import alerts, descriptor, heartbeat, windows
from .week import OPENED, RESETS, SIGN_IN_DEADLINE
from .windows import PaperSession


@dataclass(frozen=True)
class Plan:
    """The session's settings. Without the file, on a host on which role `session` has not run, these are in force."""

    host: str = ""
    paper_sessions: tuple[PaperSession, ...] = ()
    # How long a paper gateway with sessions may run that somebody started outside of them, in minutes.
    manual_minutes: int = 240
    # Close live before IBKR voids its token, and hold that no older sign-in is worth anything.
    weekly_close: bool = True
    # New York time on Sunday by which live should be signed in.
    sign_in_deadline: str = SIGN_IN_DEADLINE
    # Pushes and minutes that one sign-in may take.
    pushes: int = 3
    sign_in_minutes: int = 10
    # Region of IBKR's daily reset, in which a lost link is nobody's fault (week.RESETS).
    region: str = "north_america"
    # The watcher's own API client id: two clients with one id are refused.
    client_id: int = 916
    # Seconds between two looks at a gateway of which nothing is heard.
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
        raise descriptor.DescriptorError(f"{path(name)} is damaged ({error}): run site.yml to rewrite it") from error


def load_or_default(name: str) -> tuple[Plan, str]:
    """Return the plan and "", or, where its file is damaged, one that starts nothing and the fault."""
    try:
        return load(name), ""
    except descriptor.DescriptorError as error:
        return Plan(), str(error)


def from_data(data: object) -> Plan:
    """Return the plan that the file's content stands for; keys of later releases are passed over.

    Raises DamagedError for what :func:`problems` would have refused.
    """
    found = record_file.build(Plan, data)
    for variable, (low, high) in BOUNDS.items():
        if not low <= getattr(found, _FIELDS.get(variable, variable.removeprefix("session_"))) <= high:
            raise record_file.DamagedError(f"{variable} is not from {low} to {high}")
    if found.region not in RESETS or not DEADLINE.fullmatch(found.sign_in_deadline):
        raise record_file.DamagedError("its region or deadline is invalid")
    # This includes a zone without data on this machine.
    if found.paper_sessions and (wrong := windows.problems(t.cast("dict[str, Any]", data)["paper_sessions"])):
        raise record_file.DamagedError(str(wrong[0]))
    return found


# Of the plan, where the variable has another name.
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
_OTHER_PORTS = ("gateway_port", "access_vpc_port", "access_mtls_port", "access_wireguard_port")


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
            "choose 127.0.0.1, or one of access_vpc_addresses with access_vpc_from",
        ),
        "http-port-taken": ("a port of the gateway's API or of one of its access methods", "choose another"),
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
    """Return every problem of where metrics are written and served."""
    found = []
    directory = settings["session_metrics_directory"]
    if directory and not DIRECTORY.fullmatch(str(directory)):
        found.append(_problem("metrics-directory", "session_metrics_directory", directory))
    port, address = bounds.whole(settings["session_http_port"]), str(settings["session_http_address"])
    if port == 0:
        return found
    if wrong := bounds.problem("session_http_port", settings["session_http_port"], HTTP_PORTS):
        found.append(wrong)
    elif port in [bounds.whole(settings.get(name)) for name in _OTHER_PORTS]:
        found.append(_problem("http-port-taken", "session_http_port", port))
    governed = settings.get("access_vpc_addresses") or [] if "vpc" in (settings.get("gateway_access") or []) else []
    if address not in ("127.0.0.1", "::1", *governed):
        found.append(_problem("http-address-open", "session_http_address", address))
    return found
