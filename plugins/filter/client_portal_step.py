# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

REVISION = "ibops.gateway.revision"


def client_portal_step(container: c.Mapping[str, t.Any] | None, revision: str, start: bool, waits: bool) -> str:
    found = container or {}
    running = bool((found.get("State") or {}).get("Running"))
    labels = (found.get("Config") or {}).get("Labels") or {}
    if labels.get(REVISION) == revision and (running or not start):
        return "none"
    return "pending" if running and waits else "replace"


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"client_portal_step": client_portal_step}
