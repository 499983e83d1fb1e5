# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of Prometheus for Cloud Monitoring, which knows no recording rules and counts in whole minutes.

https://cloud.google.com/monitoring/promql/promql-in-alerting
"""

from __future__ import annotations

import collections.abc as c
import re

# A series of a recording rule, which alone has colons.
_RECORDED = re.compile(r"[a-z_]\w*(?::\w+)+")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


def expanded(query: str, records: c.Mapping[str, str]) -> str:
    """*query* with the expression of each recorded series in its place, by name; KeyError for one that is not known."""
    return " ".join(_RECORDED.sub(lambda found: f"({expanded(records[found[0]], records)})", query).split())


def whole_minutes(duration: str) -> int:
    """Seconds of a duration of Prometheus, up to the next whole minute."""
    unit = duration.lstrip("0123456789")
    return int(-(-int(duration.removesuffix(unit)) * _SECONDS[unit] // 60) * 60)


def is_portable(query: str, records: c.Collection[str]) -> bool:
    """Whether Cloud Monitoring can evaluate *query*: it has no series of the inventory's gateways."""
    return set(_RECORDED.findall(query)) <= set(records)
