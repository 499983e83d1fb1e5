# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for a sign-in that the VM begins by itself: it needs a password that it can fetch, and a watcher."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..agent.problem import Problem, table
from .gateway import flag

_problem = table(
    {
        "sign-in-no-password": (
            "set, and the VM has no password for it, since a live one is not kept there",
            "set gateway_password_secret, from which the VM fetches it, or sign in by playbooks/live_signin.yml",
        ),
        "sign-in-unwatched": ("set, and nothing watches the gateway", "set session_watch to true"),
        "sign-in-paper": ("set for a paper gateway, which signs in by itself", "set it for live gateways only"),
    }
)


def problems(settings: c.Mapping[str, t.Any]) -> list[Problem]:
    """Return why nobody could keep the appointments of a gateway."""
    variable = "session_sign_in_at"
    if not settings[variable]:
        return []
    if settings["gateway_mode"] == "paper":
        return [_problem("sign-in-paper", variable)]
    found = []
    if not settings["gateway_password_secret"]:
        found.append(_problem("sign-in-no-password", variable))
    if not flag(settings["session_watch"]):
        found.append(_problem("sign-in-unwatched", variable))
    return found
