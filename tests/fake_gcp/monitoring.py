"""Cloud Monitoring's alert policies and dashboards, and Cloud Logging's log-based metrics."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.fake_gcp.errors import ApiError, not_found
from tests.fake_gcp.platform import Asked, Body, FakePlatform
from tests.fake_gcp.rpc import FakeRpc

PROJECT, NUMBER = "projects/demo-project", "projects/123456789"
STAMP = "2026-11-20T09:00:{:02}.000000Z"
# https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#AlertPolicy
USER_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
# https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.metrics#LogMetric
METRIC_ID = re.compile(r"[A-Za-z0-9_.,+!*'()%-][A-Za-z0-9_.,+!*'()%/-]{0,99}")
KINDS = ("conditionAbsent", "conditionThreshold", "conditionPrometheusQueryLanguage", "conditionMatchedLog")


class _Stored:
    """Resources by their names, listed in pages of at most *page*."""

    def __init__(self) -> None:
        self.resources: dict[str, Body] = {}
        self.page = 500
        self.made = 0

    def stamp(self) -> str:
        self.made += 1
        return STAMP.format(self.made)

    def entry(self, name: str) -> Body:
        if name not in self.resources:
            raise not_found(name)
        return self.resources[name]

    def listed(self, asked: Asked, field: str) -> Body:
        names = list(self.resources)
        first, size = int(asked.query.get("pageToken", 0)), min(int(asked.query.get("pageSize", 500)), self.page)
        more = {"nextPageToken": str(first + size)} if len(names) > first + size else {}
        return {field: [copy.deepcopy(self.resources[name]) for name in names[first : first + size]], **more}

    def delete(self, asked: Asked) -> Body:
        self.entry(asked.name)
        del self.resources[asked.name]
        return {}


class FakeMonitoring(FakeRpc):
    """Its alert policies by name, its notification *channels*, the policies that a change has *disarmed*, in order.

    *fault_of_queries* is why it cannot use any query, though it stores the policies.
    """

    document = "monitoring.v3"
    service = "monitoring.googleapis.com"
    types = "google.cloud.monitoring_v3.types"
    message, field, collection = "AlertPolicy", "alertPolicy", "alertPolicies"

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.store = _Stored()
        self.channels: set[str] = set()
        self.disarmed: list[str] = []
        self.fault_of_queries = ""
        self.handlers = {
            "alertPolicies.create": self._create,
            "alertPolicies.delete": self.store.delete,
            "alertPolicies.list": lambda asked: self.store.listed(asked, "alertPolicies"),
            "alertPolicies.patch": self._patch,
        }

    def called(self, body: Body, name: str) -> str:
        known = {**self.store.resources.get(name, {}), **body}
        return str(known.get("displayName") or name).split("/")[-1]

    def policy(self, display_name: str) -> Body:
        """The one policy of that name."""
        (found,) = (each for each in self.store.resources.values() if each["displayName"] == display_name)
        return found

    def _create(self, asked: Asked) -> Body:
        if "name" in asked.body or any("name" in each for each in asked.body.get("conditions", [])):
            raise ApiError(400, "badRequest", "Field alert_policy.name must be empty.")
        stamp = self.store.stamp()
        name = f"{PROJECT}/alertPolicies/{1000 + self.store.made}"
        record = {"mutateTime": stamp, "mutatedBy": "operator@example.org"}
        body = {"enabled": True, **asked.body, "name": name, "creationRecord": record, "mutationRecord": record}
        return self._stored(body)

    def _patch(self, asked: Asked) -> Body:
        before = self.store.entry(asked.name)
        mask = [each.partition(".")[0] for each in asked.query.get("updateMask", "").split(",") if each]
        fields = mask or [each for each in {**before, **asked.body} if each not in ("name", "creationRecord")]
        after = {name: value for name, value in before.items() if name not in fields}
        after |= {name: asked.body[name] for name in fields if name in asked.body}
        return self._stored({**after, "mutationRecord": {"mutateTime": self.store.stamp()}})

    def _stored(self, given: Body) -> Body:
        body = copy.deepcopy(given)
        self._check(body)
        for number, condition in enumerate(body["conditions"]):
            condition.setdefault("name", f"{body['name']}/conditions/{self.store.made}{number}")
        self.store.resources[body["name"]] = body
        self.disarmed.append(body["displayName"])
        validity = {"code": 3, "message": self.fault_of_queries} if self.fault_of_queries else {}
        return {**copy.deepcopy(body), "validity": validity}

    def _check(self, body: Body) -> None:
        conditions = body.get("conditions", [])
        if not 1 <= len(conditions) <= 6:
            raise ApiError(400, "badRequest", "A policy has one to six conditions.")
        if body.get("combiner", "COMBINE_UNSPECIFIED") == "COMBINE_UNSPECIFIED":
            raise ApiError(400, "badRequest", "Field alert_policy.combiner is required.")
        if not 0 < len(body.get("displayName", "")) <= 512:
            raise ApiError(400, "badRequest", "Field alert_policy.display_name has 1 to 512 characters.")
        for key, value in body.get("userLabels", {}).items():
            if not USER_LABEL[0].fullmatch(key) or not USER_LABEL[1].fullmatch(value):
                raise ApiError(400, "badRequest", f"User label {key}={value} is invalid.")
        for channel in body.get("notificationChannels", []):
            if channel not in self.channels:
                raise ApiError(404, "notFound", f"Cannot find notification channel {channel}.")
        for condition in conditions:
            kinds = [kind for kind in KINDS if kind in condition]
            if len(kinds) != 1 or not condition.get("displayName"):
                raise ApiError(400, "badRequest", "A condition has a display name and one kind.")
            if len(conditions) > 1 and kinds[0] in KINDS[2:]:
                raise ApiError(400, "badRequest", f"A {kinds[0]} stands alone.")
            _check_condition(kinds[0], condition[kinds[0]])
        closes = body.get("alertStrategy", {}).get("autoClose", "1800s")
        if _seconds(closes) < 1800:
            raise ApiError(400, "badRequest", "alert_strategy.auto_close is at least 30 minutes.")


def _check_condition(kind: str, condition: Mapping[str, Any]) -> None:
    duration = _seconds(condition.get("duration", "0s"))
    if kind == "conditionAbsent":
        if duration < 120 or duration % 60:
            raise ApiError(400, "badRequest", "condition_absent.duration has whole minutes, two at least.")
        if not re.search(r'metric\.type="', condition["filter"]) or "resource.type" not in condition["filter"]:
            raise ApiError(400, "badRequest", "condition_absent.filter must specify metric and resource.")
    elif kind == "conditionPrometheusQueryLanguage":
        interval = _seconds(condition.get("evaluationInterval", "30s"))
        if not condition.get("query") or interval < 30 or interval % 30:
            raise ApiError(400, "badRequest", "A query, and an interval of a multiple of 30 seconds.")
        if not condition.get("disableMetricValidation"):
            raise ApiError(400, "badRequest", "The query refers to a metric that does not exist.")


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


class FakeLogging(FakeRpc):
    """Its log-based metrics by name."""

    document = "logging.v2"
    service = "logging.googleapis.com"
    types = "google.cloud.logging_v2.types"
    message, field, collection = "LogMetric", "metric", "metrics"
    key, parent = "metricName", "parent"
    verbs: ClassVar = {"Update": "PUT"}

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.store = _Stored()
        self.handlers = {
            "metrics.create": self._create,
            "metrics.delete": self.store.delete,
            "metrics.list": lambda asked: self.store.listed(asked, "metrics"),
            "metrics.update": self._update,
        }

    def metric(self, id_: str) -> Body:
        return self.store.entry(f"{PROJECT}/metrics/{id_}")

    def _create(self, asked: Asked) -> Body:
        name = f"{asked.name}/metrics/{asked.body['name']}"
        if name in self.store.resources:
            raise ApiError(409, "alreadyExists", f"Metric {asked.body['name']} already exists.")
        return self._stored(name, asked.body)

    def _update(self, asked: Asked) -> Body:
        """PUT: create it, or replace it as a whole."""
        before = self.store.resources.get(asked.name, {}).get("metricDescriptor", {})
        after = asked.body.get("metricDescriptor", {})
        if any(before.get(field) != after.get(field) for field in ("metricKind", "valueType") if before):
            raise ApiError(400, "badRequest", "metric_kind and value_type cannot be updated.")
        if any(label not in after.get("labels", []) for label in before.get("labels", [])):
            raise ApiError(400, "badRequest", "Existing labels cannot be modified.")
        return self._stored(asked.name, asked.body)

    def _stored(self, name: str, given: Body) -> Body:
        body = copy.deepcopy(given)
        if not METRIC_ID.fullmatch(body.get("name", "")) or not 0 < len(body.get("filter", "")) <= 20_000:
            raise ApiError(400, "badRequest", "A metric has a name and a filter.")
        descriptor = {"metricKind": "DELTA", "valueType": "INT64", "unit": "1", **body.get("metricDescriptor", {})}
        if {label["key"] for label in descriptor.get("labels", [])} != set(body.get("labelExtractors", {})):
            raise ApiError(400, "badRequest", "Each label has an extractor.")
        served = {"type": f"logging.googleapis.com/user/{body['name']}", "description": body.get("description", "")}
        body |= {"metricDescriptor": {**descriptor, **served}, "updateTime": self.store.stamp()}
        self.store.resources[name] = body
        return copy.deepcopy(body)


class FakeDashboards(FakePlatform):
    """Its dashboards by name, which Google answers with the project's number."""

    document = "monitoring.v1"
    service = "monitoring.googleapis.com"

    def __init__(self, token: str = "token", port: int = 0) -> None:
        super().__init__(token, port)
        self.store = _Stored()
        self.handlers = {
            "dashboards.create": self._create,
            "dashboards.delete": lambda asked: self.store.delete(_numbered(asked)),
            "dashboards.list": lambda asked: self.store.listed(asked, "dashboards"),
            "dashboards.patch": self._patch,
        }

    def dashboard(self, id_: str) -> Body:
        return self.store.entry(f"{NUMBER}/dashboards/{id_}")

    def _create(self, asked: Asked) -> Body:
        name = (asked.body.get("name") or f"{PROJECT}/dashboards/{self.store.made}").replace(PROJECT, NUMBER)
        if name in self.store.resources:
            raise ApiError(409, "alreadyExists", f"Dashboard {name} already exists.")
        if "etag" in asked.body:
            raise ApiError(400, "badRequest", "Field etag must be empty.")
        return self._stored({**asked.body, "name": name})

    def _patch(self, asked: Asked) -> Body:
        name = asked.name.replace(PROJECT, NUMBER)
        before = self.store.entry(name)
        if asked.body.get("etag", before["etag"]) != before["etag"]:
            raise ApiError(409, "aborted", "The dashboard was changed meanwhile.")
        return self._stored({**asked.body, "name": name})

    def _stored(self, given: Body) -> Body:
        body = copy.deepcopy(given)
        layouts = [name for name in body if name.endswith("Layout")]
        if not body.get("displayName") or len(layouts) != 1:
            raise ApiError(400, "badRequest", "A dashboard has a display name and one layout.")
        columns = body.get("mosaicLayout", {}).get("columns", 1)
        for tile in body.get("mosaicLayout", {}).get("tiles", []):
            if not 1 <= tile.get("width", 0) <= columns - tile.get("xPos", 0) or tile.get("height", 0) < 1:
                raise ApiError(400, "badRequest", "A tile has its place within the columns.")
            chart = tile["widget"].get("xyChart")
            if chart:
                # Google's own defaults.
                chart.setdefault("chartOptions", {"mode": "COLOR"})
                for each in chart["dataSets"]:
                    each.setdefault("targetAxis", "Y1")
        body["etag"] = str(hash(self.store.stamp()))
        self.store.resources[body["name"]] = body
        return copy.deepcopy(body)


def _numbered(asked: Asked) -> Asked:
    return Asked(asked.method, asked.name.replace(PROJECT, NUMBER), asked.query, asked.body)
