# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines of a sign-in, and the moments at which the tests of sessions take place."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control

BEGUN = (
    ".> Starting IBC/IB gateway",
    "autorestart file not found: full authentication will be required",
    "IBC: Starting session: will exit if login dialog",
    "LoginState is LOGGED_OUT",
    "Login attempt: 1",
)
PUSH = "Second Factor Authentication initiated"
IN = ("Login has completed", "Configuration tasks completed")
MISSED = "Re-login after second factor authentication timeout not required"
ON_TOKEN = (
    ".> Starting IBC/IB gateway",
    "autorestart file found at x: authentication will not be required",
    "IBC: Re-starting session",
    *IN,
)


FARM_OK, FARM_BROKEN = (2104, "OK:usfarm"), (2103, "broken:usfarm")


def new_york(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


TUESDAY = new_york("2026-11-24 12:00")


Said = list[tuple[str, str]]


def signing_in(control: Control, said: Said | None = None) -> None:
    steps: Said = [] if said is None else said
    control.sign_in(lambda step, text: steps.append((step, text)))


def events(control: Control) -> list[str]:
    return [event["event"] for event in control.store.history()]
