# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for a sign-in that begins without a shell: it needs IB Gateway, a password that the VM can fetch, and a
watcher."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..agent import playbooks
from ..agent.problem import Problem, table
from ..agent.session.channel_kinds import takes_answers
from .gateway import flag

_problem = table(
    {
        "sign-in-no-password": (
            "set, and the VM has no password for it, since a live one is not kept there",
            f"set gateway_password_secret, from which the VM fetches it, or sign in by {playbooks.LIVE_SIGNIN}",
        ),
        "sign-in-unwatched": ("set, and nothing watches the gateway", "set session_watch to true"),
        "sign-in-of-portal": (
            "set for a Client Portal Gateway, whose image signs in by itself",
            "set it for IB Gateway only",
        ),
        "sign-in-paper": ("set for a paper gateway, which signs in by itself", "set it for live gateways only"),
    }
)


def problems(settings: c.Mapping[str, t.Any]) -> c.Iterator[Problem]:
    """Yield why nobody could be signed in by appointment or by a tap."""
    wanted = ["session_sign_in_at"] if settings["session_sign_in_at"] else []
    for variable in (*wanted, *_answering(settings["session_alerts"])):
        if settings["gateway_stack"] == "client_portal":
            yield _problem("sign-in-of-portal", variable)
            continue
        if settings["gateway_mode"] == "paper":
            yield _problem("sign-in-paper", variable)
            continue
        if not settings["gateway_password_secret"]:
            yield _problem("sign-in-no-password", variable)
        if not flag(settings["session_watch"]):
            yield _problem("sign-in-unwatched", variable)


def _answering(channels: object) -> c.Iterator[str]:
    """Yield the variables by which channels take answers."""
    for index, channel in enumerate(channels if isinstance(channels, list) else []):
        if isinstance(channel, dict) and takes_answers(channel):
            yield f"session_alerts[{index}].{'answers_from' if channel.get('answers_from') else 'answers_topic'}"
