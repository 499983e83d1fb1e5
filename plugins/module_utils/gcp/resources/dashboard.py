# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dashboard of Cloud Monitoring, which Google replaces as a whole.

https://cloud.google.com/monitoring/api/ref_v3/rest/v1/projects.dashboards
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...agent.problem import table
from ..api.client import Client
from ..api.collection import Change, Collection, restricted
from ..api.errors import RefusedError
from ..api.library import Body, load, message, plain
from ..api.normal import last
from ..api.resource import MARK_LABEL, Options

_problem = table(
    {
        "gcp-dashboard-form": ("not a dashboard as Google's API has it: {fault}", "correct the field"),
        "gcp-dashboard-taken": (
            "there is a dashboard {id} without the label {label}",
            "choose another name, or delete that dashboard",
        ),
    }
)


class Dashboards(Collection):
    """The one dashboard of a set, by its id, which is the set's name."""

    def __init__(self, client: Client, options: Options) -> None:
        super().__init__(client)
        (self._library,) = load("google-cloud-monitoring-dashboards", "google.cloud.monitoring_dashboard_v1")
        self._dashboards = client.build(self._library.DashboardsServiceClient)
        self._set, self._wanted = options["name"], options["dashboard"]
        self._parent = f"projects/{client.project}"

    def read(self, timeout: float) -> list[Body]:
        request = {"parent": self._parent, "page_size": 500}
        found = self._dashboards.list_dashboards(request=request, timeout=timeout, retry=None)
        return [plain(each) for each in found]

    def changes(self, found: c.Iterable[Body]) -> list[Change]:
        if self._wanted is None:
            return []
        body = next((each for each in found if last(each["name"]) == self._set), None)
        is_ours = body is not None and MARK_LABEL in body.get("labels", {})
        if not self._wanted:
            gone = Change(
                "dashboards", self._set, "delete", normalized(body or {}), None, name=(body or {}).get("name", "")
            )
            return [gone] if is_ours else []
        after = self._desired(body)
        if body is None:
            name = f"{self._parent}/dashboards/{self._set}"
            return [Change("dashboards", self._set, "create", None, after, {"name": name, **after})]
        if not is_ours:
            raise RefusedError([_problem("gcp-dashboard-taken", "name", self._set, id=self._set, label=MARK_LABEL)])
        before = restricted(normalized(body), after)
        whole = {"name": body["name"], "etag": body.get("etag", ""), **after}
        return [Change("dashboards", self._set, "patch", before, after, whole, body["name"])] if before != after else []

    def _desired(self, found: Body | None) -> Body:
        """The dashboard in the API's form; labels that others gave to the one *found* stay."""
        given = {name: value for name, value in self._wanted.items() if name not in ("name", "etag")}
        given["labels"] = {**(found or {}).get("labels", {}), **given.get("labels", {}), MARK_LABEL: ""}
        try:
            return normalized(plain(message(self._library.Dashboard, given)))
        except (self._parse_error, ValueError, TypeError) as error:
            raise RefusedError([_problem("gcp-dashboard-form", "dashboard", fault=error)]) from error

    @property
    def _parse_error(self) -> type[Exception]:
        (json_format,) = load("google-cloud-monitoring-dashboards", "google.protobuf.json_format")
        found: type[Exception] = json_format.ParseError
        return found

    def send(self, change: Change, timeout: float) -> t.Any:
        how: dict[str, t.Any] = {"timeout": timeout, "retry": None}
        if change.verb == "delete":
            return self._dashboards.delete_dashboard(request={"name": change.name}, **how)
        body = message(self._library.Dashboard, change.body)
        if change.verb == "create":
            return self._dashboards.create_dashboard(request={"parent": self._parent, "dashboard": body}, **how)
        return self._dashboards.update_dashboard(request={"dashboard": body}, **how)


def normalized(body: Body) -> Body:
    """A dashboard in the form for comparison: the library leaves out a tile's position where it is 0."""
    found = {name: value for name, value in body.items() if name not in ("name", "etag")}
    if "mosaicLayout" in found:
        tiles = [{"xPos": 0, "yPos": 0, **tile} for tile in found["mosaicLayout"].get("tiles", [])]
        found["mosaicLayout"] = {**found["mosaicLayout"], "tiles": tiles}
    return found
