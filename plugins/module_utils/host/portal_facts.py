# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a Client Portal Gateway and its host, in the form of those about an IB Gateway. Read-only."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import client, place, tickle
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal.watcher import CONTROLLER, Watched, judge
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import health

Fact = dict[str, Any]
DISKS = ("/", health.DOCKER_DIR)


def is_here(name: str) -> bool:
    return os.path.exists(place.path(name))


def look(name: str, now: float) -> tuple[Watched, Fact]:
    """Look once. Raises OSError or ValueError for a deployment that cannot be used."""
    gateway = Watched(name, tickle.load(name))
    deployed = gateway.deployed_as
    gateway.refresh()
    verdict = client.Portal(deployed.endpoint(), gateway.mode, gateway.accounts).look() if gateway.has_log else None
    state, reason, next_step = judge(gateway, verdict, now)
    served = verdict.accounts if verdict else []
    return gateway, {
        "deployed": True,
        "gateway_name": name,
        "mode": gateway.mode,
        "stack": CONTROLLER,
        "checked_at": now,
        "state": state,
        "api_state": verdict.state if verdict else None,
        "reason": accounts.hide(reason, gateway.accounts),
        "next_step": next_step,
        "host": deployed.host,
        "port": deployed.port,
        "accounts": accounts.mask_all(served),
        "account_count": len(served),
        "account_fault": reason if verdict and verdict.final and served else None,
        "container": gateway.container,
        "engine": {"reachable": gateway.engine_fault is None, "reason": gateway.engine_fault},
    }


def examine(name: str, now: float) -> Fact:
    """Return the facts that the live check goes by. Raises as :func:`look` does."""
    gateway, report = look(name, now)
    return {
        **{key: report[key] for key in ("deployed", "gateway_name", "mode", "stack", "checked_at")},
        "look": report,
        "accounts": health.fit(gateway, report),
        "session": health.fact(lambda: health.session(gateway, now), "state", "blocked", "valid_until", "plan"),
        "history": health.fact(lambda: health.history(gateway, now), "events"),
        "clock": health.fact(health.clock, "synchronised", "service")
        | {"container": os.path.exists(health.CONTAINER_MARK)},
        "disks": health.disks(DISKS),
        "units": health.fact(lambda: {"units": health.units(name)}, "units"),
    }
