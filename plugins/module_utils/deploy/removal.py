# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a gateway from its host: its containers, units and files, planned as a whole before the first step.

Everything is found by the gateway's name, so that the next run can finish an interrupted removal.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import shutil
import typing as t

from ..agent.controller import password
from ..agent.engine import neighbours
from ..agent.engine.client import Engine, NotFoundError
from ..agent.portal import place as portal
from ..agent.session import descriptor, store
from ..agent.session.control import Control, Refused
from . import image

SYSTEMD = "/etc/systemd/system"
FIREWALL = "/etc/nftables.d"
# Units of role session and, by access method, of role access; {} is the gateway's name.
WATCHER = "ibgw-watch@{}.service"
UNITS = (
    WATCHER,
    "ibgw-answers@{}.service",
    "ibgw-tunnel@{}.service",
    *("ibgw-vpc-{}.socket", "ibgw-vpc-{}.service"),
    *("ibgw-wireguard-{}.socket", "ibgw-wireguard-{}.service", "ibgw-overlay-{}.service"),
    "ibgw-mtls-{}.service",
)
_WANTS = ("multi-user.target.wants", "sockets.target.wants")
# For an image's own start script, which takes a while to sign off when the controller is not asked.
_STOP_SECONDS = 90
Run = c.Callable[..., object]
Look = c.Callable[[], "Plan"]


class Plan(t.NamedTuple):
    """Containers, units and paths to remove; ``stays`` describes what is left."""

    containers: tuple[str, ...]
    units: tuple[str, ...]
    paths: tuple[str, ...]
    stays: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """Each item to remove, as a line."""
        named = (("container", self.containers), ("unit", self.units), ("file", self.paths))
        return [f"{kind} {each}" for kind, several in named for each in several]

    def __bool__(self) -> bool:
        return bool(self.containers or self.units or self.paths)


def plan(name: str, around: c.Iterable[neighbours.Neighbour], data: bool) -> Plan:
    """Return the plan to remove gateway *name* from this host; with *data* its own directory as well.

    Raises Refused for a container of that name that role `gateway` did not make, DescriptorError for an invalid name.
    """
    place = os.path.dirname(descriptor.path(name))
    container = f"ibgw-{name}"
    names = (*neighbours.own_names(container), image.container_name(container))
    own = [each for each in around if each.name in names]
    if portal.is_here(name):
        raise Refused(
            f"gateway {name} of this host is a Client Portal Gateway, which docs/how-to/client_portal.md says how to "
            "remove. Nothing was touched."
        )
    for each in own:
        if each.stack != "tws" or each.gateway != name:
            raise Refused(
                f"container {each.name} of this host is not gateway {name} of role gateway "
                f"({each.stack or 'not of this collection'}): remove it by what made it. Nothing was touched."
            )
    kept = os.path.join(store.ROOT, name)
    units, files = [], []
    for unit in (each.format(name) for each in UNITS):
        parts = [os.path.join(SYSTEMD, unit), *(os.path.join(SYSTEMD, folder, unit) for folder in _WANTS)]
        there = [path for path in parts if os.path.lexists(path)]
        units += [unit] if there else []
        files += there
    candidates = [os.path.join(FIREWALL, f"access-{name}.nft"), os.path.join(password.ROOT, name), place]
    candidates += [kept] if data else []
    files += [path for path in candidates if os.path.lexists(path)]
    stays = [] if data or not os.path.isdir(kept) else [f"{kept} (settings of the gateway, and the session's history)"]
    return Plan(tuple(each.name for each in own), tuple(units), tuple(files), tuple(stays))


def others(name: str) -> list[str]:
    """The gateways that the host has beside *name*, those of role client_portal among them."""
    return sorted({*descriptor.all_deployed()} - {name})


def objection(name: str, around: c.Iterable[neighbours.Neighbour], planned: Plan, accepted: bool) -> str:
    """Return why removing the gateway needs explicit consent: it is live and runs. Empty if it may be removed."""
    running = [each.name for each in around if each.name in planned.containers and each.there]
    live = any(each.mode == neighbours.LIVE for each in around if each.name in running)
    if not running or not live or accepted:
        return ""
    return (
        f"gateway {name} is live and runs ({', '.join(running)}): a removal ends its session, and a new one costs a "
        "push. "
        "With -e remove_running_live=true it is signed off and removed. Nothing was touched."
    )


def carry_out(look: Look, name: str, control: Control | None, owner: str, run: Run, data: bool) -> Plan:
    """Under the gateway's lease, remove what *look* finds, and return it; an exception from *look* leaves everything
    untouched.

    Raises BusyError, SessionError, EngineError, OSError. *control* is None if the information to sign the gateway off
    is gone. *run* runs a command.
    """
    kept = os.path.join(store.ROOT, name)
    had_data = os.path.isdir(kept)
    if control:
        with control.acting("a removal") as record:
            planned = look()
            control.end(record)
            record.stopped_by = control.by
            control.store.note("removed", f"removed by {control.by}", control.now())
            _remove(planned, run, [kept])
    else:
        with store.Store(name).lease.held(owner, "a removal", 30.0):
            planned = look()
            _remove(planned, run, [kept])
    # It contains the lease, so it goes last.
    if data or not had_data:
        shutil.rmtree(kept)
    return planned


def _remove(planned: Plan, run: Run, later: c.Container[str]) -> None:
    engine = Engine()
    for unit in planned.units:
        run("systemctl", "disable", "--now", unit)
    for container in planned.containers:
        with contextlib.suppress(NotFoundError):
            engine.stop(container, _STOP_SECONDS, _STOP_SECONDS + 15.0)
            engine.remove(container)
    for path in planned.paths:
        if path in later:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            # `systemctl disable` has already removed its links.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    if planned.units:
        run("systemctl", "daemon-reload")
    if any(path.startswith(f"{FIREWALL}/") for path in planned.paths):
        run("systemctl", "try-reload-or-restart", "nftables.service")
