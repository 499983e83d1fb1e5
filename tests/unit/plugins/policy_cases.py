# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records, looks and times for the tests of the policy."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import plan as plans
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.policy import Seen
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import SIGN_IN, Grant, Record

NEW_YORK = ZoneInfo("America/New_York")
SESSION = {
    "name": "open", "days": ["mon", "tue", "wed", "thu", "fri"], "time": "09:30", "zone": "America/New_York",
    "lead_minutes": 10, "max_minutes": 60, "except_dates": ["2026-11-26"],
}  # fmt: skip
PLAN = plans.from_data({"paper_sessions": [SESSION]})


def at(text: str) -> float:
    """Epoch seconds of a New York wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")


READY = Seen(verdicts.READY, "well", "", True, True, stamp(at("2026-11-22 10:00")), True, False, None, "ready")
DOWN = dataclasses.replace(READY, state=verdicts.STOPPED, running=False, signed_in=False, api_state=None)
RESTARTING = dataclasses.replace(READY, state=verdicts.STARTING, signed_in=False, api_state=None)
ASKING = dataclasses.replace(RESTARTING, asks_for_sign_in=True)
HUNG = dataclasses.replace(READY, state=verdicts.DEGRADED, api_state="no_handshake")
SUNDAY, TUESDAY, SATURDAY = at("2026-11-22 10:00"), at("2026-11-24 12:00"), at("2026-11-28 23:45")


def live(**more: Any) -> Record:
    return Record("live", "live", signed_in_at=SUNDAY, container_started_at=READY.started_at, **more)


def paper(**more: Any) -> Record:
    return Record("paper", "paper", **more)


def granted(kind: str, until: float) -> Grant:
    return Grant(kind, "me", until - 600, until)


IN_TIME, TOO_LATE = granted(SIGN_IN, TUESDAY + 60), granted(SIGN_IN, TUESDAY)
WINDOW = at("2026-11-24 09:20")

SIGN_IN_LOG = (
    ".> Starting IBC/IB gateway",
    "autorestart file not found: full authentication will be required",
    "IBC: Starting session: will exit if login dialog",
    "LoginState is LOGGED_OUT",
    "Login attempt: 1",
    "Second Factor Authentication initiated",
    "Login has completed",
    "Configuration tasks completed",
)
