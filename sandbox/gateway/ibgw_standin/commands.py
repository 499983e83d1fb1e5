# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the control socket that concern the gateway itself; IBC's walk adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import faults, wire
from .control import Command, Reply
from .gateway import Gateway
from .server import ApiServer


def gateway_commands(gateway: Gateway, server: ApiServer) -> dict[str, Command]:
    """Return the commands by name."""

    def status(request: Mapping[str, Any]) -> Reply:
        return gateway.status() | {"host": server.host, "port": server.port, "clients": server.clients}

    def fault(request: Mapping[str, Any]) -> Reply:
        found = faults.find(request["name"])
        args = dict(request.get("args") or {})
        if found.name == "link_restored":
            gateway.restore_link(args)
        else:
            kept = gateway.faults if request.get("add") else {}
            gateway.update(active=kept | {found.name: args})
        return {"faults": gateway.faults}

    def clear(request: Mapping[str, Any]) -> Reply:
        name = request.get("name")
        kept = {key: args for key, args in gateway.faults.items() if key != faults.find(name).name} if name else {}
        gateway.update(active=kept)
        return {"faults": gateway.faults}

    def phase(request: Mapping[str, Any]) -> Reply:
        return clear({}) if request["name"] == faults.READY_PHASE else fault(request)

    def requests(request: Mapping[str, Any]) -> Reply:
        return {"requests": list(gateway.requests)}

    def reset(request: Mapping[str, Any]) -> Reply:
        gateway.requests.clear()
        gateway.dialog_shown = gateway.connections = 0
        return {}

    def relogin(request: Mapping[str, Any]) -> Reply:
        gateway.interrupt_link(float(request.get("seconds", 1.0)))
        return {}

    def drop(request: Mapping[str, Any]) -> Reply:
        server.drop_sessions()
        return {}

    return {
        "status": status, "fault": fault, "clear": clear, "phase": phase, "requests": requests, "reset": reset,
        "set": lambda request: configure(gateway, request), "drop": drop, "relogin": relogin,
    }  # fmt: skip


def configure(gateway: Gateway, request: Mapping[str, Any]) -> Reply:
    """Change settings of the next start: max_version, accounts, read_only, next_order_id, realistic_delays."""
    if "max_version" in request:
        gateway.max_version = version(request["max_version"])
    if "accounts" in request:
        gateway.accounts = [str(name) for name in request["accounts"]]
    if "read_only" in request:
        gateway.read_only_setting = bool(request["read_only"])
    if "next_order_id" in request:
        gateway.next_order_id = int(request["next_order_id"])
    if "realistic_delays" in request:
        gateway.realistic_delays = bool(request["realistic_delays"])
    return gateway.status()


def version(value: object) -> int:
    """Parse a server version; ValueError outside the supported range."""
    number = int(str(value))
    if not wire.OLDEST_VERSION <= number <= wire.NEWEST_VERSION:
        raise ValueError(f"server version {number} is not in {wire.OLDEST_VERSION}..{wire.NEWEST_VERSION}")
    return number
