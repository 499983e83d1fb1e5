# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a gateway's time zones and paper sessions with the zone data of the host that will interpret them."""

from __future__ import annotations

import collections.abc as c

from ..agent.problem import Problem
from ..agent.session import zones

GATEWAY_ZONE = "gateway_time_zone"
SIGN_IN_ZONE = "session_sign_in_zone"


def calendar_problems(
    time_zone: str | None, sessions: c.Sequence[c.Mapping[str, object]], sign_in_zone: str | None = None
) -> list[Problem]:
    """Return the problems of a gateway's zones and ``gateway_paper_sessions`` with this machine's zone data."""
    wanted = {f"gateway_paper_sessions[{index}].zone": each.get("zone") for index, each in enumerate(sessions)}
    named = {name: zone for name, zone in ((GATEWAY_ZONE, time_zone), (SIGN_IN_ZONE, sign_in_zone)) if zone}
    found = zones.problems(wanted | named, [GATEWAY_ZONE])
    if found:
        return found
    from ..agent.session import windows  # only here: it requires New York's zone

    return windows.problems(sessions)
