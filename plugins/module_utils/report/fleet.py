# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How urgent each gateway of a fleet is, by one look at it. Pure; runs on the control node.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

from ansible_collections.ibops.gateway.plugins.module_utils.agent import releases
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy, week
from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import ACT, OK, WARN
from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import LIVE, Facts

_BY_STATE = {
    verdicts.READY: OK,
    verdicts.STARTING: WARN,
    verdicts.WAITING_2FA: ACT,
    verdicts.DEGRADED: ACT,
    verdicts.BLOCKED: ACT,
}


def urgency(look: Facts) -> str:
    """Return ok, warn or act for what gateway_info returned, or for a host without a result."""
    if "state" not in look or look.get("watcher"):
        return ACT
    severity = (look.get("release") or {}).get("severity")
    state = look["state"]
    found = _of_stopped(look) if state == verdicts.STOPPED else _BY_STATE.get(state, WARN)
    if found == OK and (look.get("pending") or severity == releases.WARNING):
        return WARN
    return ACT if severity == releases.CRITICAL else found


def _of_stopped(look: Facts) -> str:
    """A gateway that is down: rightly so where somebody, or its plan, has stopped it."""
    if look.get("stack") == "client_portal":
        return OK if look.get("mode") != LIVE else WARN
    session: Facts = look.get("session") or {}
    by = session.get("stopped_by")
    if look.get("mode") != LIVE:
        return OK if by else WARN
    if session.get("week") == week.CLOSING and by != policy.PAUSE:
        return OK if by else WARN
    return ACT if session.get("week") == week.OVERDUE or not by else WARN
