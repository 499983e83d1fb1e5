# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert policies, log-based metrics and a dashboard of one set: what differs, in an order that Google takes."""

from __future__ import annotations

import collections.abc as c
import json
import re

from ..agent.problem import Problem, table
from .api.client import Client
from .api.collection import Change, Collection
from .api.errors import RefusedError
from .api.library import Body
from .api.resource import Options
from .resources import alert_policy, dashboard, log_metric
from .rules import project

NAME = r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?"
_problem = table(
    {
        "gcp-monitoring-name": (
            "not a name for a set",
            "write small letters, digits and -, a letter first and no - last, at most 40",
        ),
        "gcp-metric-in-use": ("{user} uses it, so it cannot be removed", "change or remove that first"),
    }
)


class Monitoring:
    """The collections that *options* speak of. Every method raises GcpError."""

    def __init__(self, client: Client, options: Options) -> None:
        logs = client.other(log_metric.LOGGING, options["logging_endpoint"])
        charts = client.other(alert_policy.MONITORING, options["dashboards_endpoint"])
        removes = options["log_metrics"] is not None
        # In the order in which they need each other.
        self._collections: dict[str, Collection] = {}
        if removes:
            self._collections["metrics"] = log_metric.LogMetrics(logs, options)
        if removes or options["policies"] is not None:
            self._collections["alertPolicies"] = alert_policy.AlertPolicies(client, options)
        if removes or options["dashboard"] is not None:
            self._collections["dashboards"] = dashboard.Dashboards(charts, options)

    def changes(self) -> list[Change]:
        """Read everything, and plan the changes: additions first, then removals the other way round."""
        found = {name: each.client.ask(f"{name}.list", each.read) for name, each in self._collections.items()}
        planned = [change for name, each in self._collections.items() for change in each.changes(found[name])]
        _check_removable(planned, found)
        removed = [change for change in planned if change.after is None]
        return [change for change in planned if change.after is not None] + removed[::-1]

    def carry_out(self, change: Change) -> None:
        self._collections[change.collection].carry_out(change)

    @property
    def warnings(self) -> list[str]:
        return [warning for each in self._collections.values() for warning in each.warnings]


def _check_removable(planned: c.Iterable[Change], found: c.Mapping[str, list[Body]]) -> None:
    """RefusedError with each use of a metric to be removed, by what stays."""
    removed = [change for change in planned if change.collection == "metrics" and change.after is None]
    replaced = {change.name: change.after for change in planned if change.name and change.collection != "metrics"}
    stay: dict[str, str] = {}
    for name in ("alertPolicies", "dashboards") if removed else ():
        for body in found[name]:
            after = replaced.get(body["name"], body)
            if after is not None:
                stay[f"{name} {body.get('displayName', '')} ({body['name']})"] = json.dumps(after)
    used = [
        _problem("gcp-metric-in-use", f"metrics/{change.key}", user=user)
        for change in removed
        for user, text in stay.items()
        if log_metric.uses(text, change.key)
    ]
    if used:
        raise RefusedError(used)


def problems(options: Options) -> c.Iterator[Problem]:
    """Validate the options of a set."""
    yield from project(options["project"])
    if not re.fullmatch(NAME, options["name"]):
        yield _problem("gcp-monitoring-name", "name", options["name"])
    yield from alert_policy.problems(options["policies"] or [])
    yield from log_metric.problems(options["log_metrics"] or [])
