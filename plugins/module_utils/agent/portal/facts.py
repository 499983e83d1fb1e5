# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a Client Portal Gateway and its host, in the form of those about an IB Gateway. Read-only."""

from __future__ import annotations

import os
import typing as t

from ..engine.client import Engine
from ..session import health
from .watched import Watched

# User and password, as role `client_portal` writes them for the image.
PASSWORD = "ibkr_password"
SECRETS = ("ibkr_user", PASSWORD)
_UNWRITTEN = "the release that deployed it did not write it down"


def secret_path(gateway: Watched, which: str) -> str:
    return os.path.join(gateway.settings_dir, "secrets", which)


def examine(gateway: Watched, now: float) -> dict[str, t.Any]:
    """Return the facts that the live check goes by, including one look."""
    gateway.look()
    report = gateway.report(now)
    details = health.fact(lambda: {"inspected": Engine().inspect(gateway.container_name)}, "inspected")
    return {
        **{key: report[key] for key in ("deployed", "gateway_name", "mode", "stack", "checked_at")},
        "look": report,
        "accounts": health.fit(gateway, report),
        "session": health.fact(lambda: health.session(gateway, now), "state", "blocked", "valid_until", "plan"),
        "history": health.fact(lambda: health.history(gateway, now), "events"),
        "image": health.image(gateway, report) if gateway.image else {"wanted": None, "reason": _UNWRITTEN},
        "log": health.fact(lambda: health.log(details["inspected"], details["reason"]), *health.LOG),
        "secret": health.fact(lambda: health.password_file(secret_path(gateway, PASSWORD), now), *health.SECRET),
        **health.host(gateway.name, ("/", health.DOCKER_DIR), now),
    }
