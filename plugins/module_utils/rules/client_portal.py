# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of a Client Portal Gateway beyond their types."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ..agent.problem import Problem, table
from .gateway import flag

_problem = table(
    {
        "portal-allow": (
            "not an address of digits, dots and *; a * alone would let everybody ask who reaches the port",
            "begin it with digits, for example 172.*",
        ),
        "portal-remote": ("it does not begin with https://, and the password goes there", "use https://"),
        "portal-environment": ("the role sets it", "leave it out"),
        "portal-tickle": (
            "not 0 and not from 5 to 240, and a session ends after minutes",
            "use 0 for none, or 5 to 240",
        ),
        "portal-keystore": (
            "a keystore needs client_portal_keystore_password and client_portal_ca",
            "set all three or none",
        ),
        "portal-sessions": (
            "nothing starts or stops a Client Portal Gateway by the clock",
            "leave it empty, or use IB Gateway",
        ),
        "portal-pushes": (
            "the image signs in again whenever the session has ended, each time with a push",
            "accept it with true, or use a paper gateway",
        ),
    }
)


def problems(settings: c.Mapping[str, t.Any], own: c.Collection[str]) -> c.Iterator[Problem]:
    """Yield every problem of one gateway's variables of role client_portal, *settings* by name.

    *own* has the names of the environment variables that the role sets itself.
    """
    for address in settings["client_portal_allow"]:
        if not re.fullmatch(r"[0-9][0-9.*]*", str(address)):
            yield _problem("portal-allow", "client_portal_allow", address)
    remote = settings["client_portal_remote"]
    if not str(remote).startswith("https://"):
        yield _problem("portal-remote", "client_portal_remote", remote)
    for name in sorted({*own} & {*settings["client_portal_environment"]}):
        yield _problem("portal-environment", f"client_portal_environment.{name}")
    seconds = settings["client_portal_tickle_seconds"]
    if int(seconds) != 0 and not 5 <= int(seconds) <= 240:
        yield _problem("portal-tickle", "client_portal_tickle_seconds", seconds)
    keystore = ("client_portal_keystore", "client_portal_keystore_password", "client_portal_ca")
    if len([name for name in keystore if settings[name]]) not in (0, 3):
        yield _problem("portal-keystore", "client_portal_keystore")
    if settings["gateway_paper_sessions"]:
        yield _problem("portal-sessions", "gateway_paper_sessions")
    accepts = settings["client_portal_accept_pushes"]
    if settings.get("gateway_mode") == "live" and not flag(accepts):
        yield _problem("portal-pushes", "client_portal_accept_pushes", accepts)
