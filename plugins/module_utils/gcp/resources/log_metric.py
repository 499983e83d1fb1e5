# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log-based metrics: counters of log entries.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.metrics
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.client import Api, Client
from ..api.collection import Change, Collection, restricted
from ..api.errors import RefusedError
from ..api.library import Body, load, message, plain
from ..api.resource import MARK, Options
from ..rules import repeated, within

LOGGING = Api("logging.googleapis.com", "Role logging.configWriter allows it.")
FIELDS = ("description", "filter", "disabled", "metricDescriptor", "labelExtractors", "valueExtractor", "bucketName")
NAME = r"[a-z][a-z0-9_]{0,35}"
LABEL = r"[a-z][a-z0-9_]{0,99}"
LONGEST_FILTER, LONGEST_TEXT = 20_000, 7000

_problem = table(
    {
        "gcp-metric-name": ("not a name for a metric", "write small letters, digits and _, a letter first, at most 36"),
        "gcp-metric-filter": ("empty, or longer than 20,000 characters", "write what the log's explorer takes"),
        "gcp-metric-text": ("longer than 7,000 characters", "shorten it"),
        "gcp-metric-label": (
            "not a label with an extractor",
            "write for example gateway: EXTRACT(jsonPayload.gateway)",
        ),
        "gcp-metric-immutable": (
            "Google can add labels to a metric, and neither change nor remove one: it has {before}, and should have "
            "{wanted}",
            "give the metric another name; that of the old name is removed, with what it has counted",
        ),
        "gcp-metric-taken": (
            "there is a metric {id} whose description does not end in {mark}",
            "choose another name, or delete that metric",
        ),
    }
)


class LogMetrics(Collection):
    """The counters of one set, by the beginning of their ids."""

    def __init__(self, client: Client, options: Options) -> None:
        super().__init__(client)
        self._library, types = load(
            "google-cloud-logging",
            "google.cloud.logging_v2.services.metrics_service_v2",
            "google.cloud.logging_v2.types",
        )
        self._message = types.LogMetric
        self._metrics = client.build_grpc(self._library.MetricsServiceV2Client)
        self._set, self._wanted = options["name"], options["log_metrics"]
        self._parent = f"projects/{client.project}"

    def read(self, timeout: float) -> list[Body]:
        request, metadata = {"parent": self._parent, "page_size": 500}, self.client.metadata()
        found = self._metrics.list_log_metrics(request=request, timeout=timeout, retry=None, metadata=metadata)
        return [plain(each) for each in found]

    def changes(self, found: c.Iterable[Body]) -> list[Change]:
        if self._wanted is None:
            return []
        there = {body["name"]: body for body in found if body["name"].startswith(f"{self._set}.")}
        refused: list[Problem] = []
        result: list[Change] = []
        for index, metric in enumerate(self._wanted):
            id_, after = f"{self._set}.{metric['name']}", desired_metric(metric)
            if id_ not in there:
                result.append(Change("metrics", id_, "create", None, after, {"name": id_, **after}))
                continue
            full = normalized(there[id_])
            refused += within(f"log_metrics[{index}]", _unchangeable(id_, full, after))
            before = restricted(full, after)
            if before != after:
                result.append(Change("metrics", id_, "update", before, after, {"name": id_, **after}, id_))
        if refused:
            raise RefusedError(refused)
        wanted = {f"{self._set}.{each['name']}" for each in self._wanted}
        for id_, body in sorted(there.items()):
            if id_ not in wanted and is_marked(body):
                result.append(Change("metrics", id_, "delete", normalized(body), None, name=id_))
        return result

    def send(self, change: Change, timeout: float) -> t.Any:
        how: dict[str, t.Any] = {"timeout": timeout, "retry": None, "metadata": self.client.metadata()}
        name = f"{self._parent}/metrics/{change.name}"
        if change.verb == "delete":
            return self._metrics.delete_log_metric(request={"metric_name": name}, **how)
        body = message(self._message, change.body)
        if change.verb == "create":
            return self._metrics.create_log_metric(request={"parent": self._parent, "metric": body}, **how)
        return self._metrics.update_log_metric(request={"metric_name": name, "metric": body}, **how)


def is_marked(body: Body) -> bool:
    return str(body.get("description", "")).endswith(MARK)


def normalized(body: Body) -> Body:
    """A metric in the form for comparison, with the defaults that the library leaves out."""
    found = {"disabled": False, "valueExtractor": "", "bucketName": "", "labelExtractors": {}}
    found |= {field: body[field] for field in FIELDS if field in body}
    descriptor = {"unit": "1", **body.get("metricDescriptor", {})}
    labels = sorted(descriptor.get("labels", []), key=lambda label: label["key"])
    return {**found, "metricDescriptor": {**descriptor, "labels": labels}}


def desired_metric(metric: Options) -> Body:
    extractors = dict(sorted(metric["labels"].items()))
    return {
        "description": f"{metric['text']} {MARK}",
        "filter": metric["filter"],
        "disabled": False,
        "metricDescriptor": {
            "metricKind": "DELTA",
            "valueType": "INT64",
            "unit": "1",
            "labels": [{"key": key} for key in extractors],
        },
        "labelExtractors": extractors,
        "valueExtractor": "",
        "bucketName": "",
    }


def uses(text: str, id_: str) -> bool:
    """Whether a policy or a dashboard, as text, refers to a metric: as a type, or in PromQL's spelling of it."""
    spelled = re.sub(r"[^a-z0-9]", "_", id_)
    pattern = rf"logging\.googleapis\.com/user/{re.escape(id_)}|logging_googleapis_com:user_{spelled}"
    return re.search(rf"({pattern})(?![A-Za-z0-9_./-])", text) is not None


def _unchangeable(id_: str, before: Body, after: Body) -> c.Iterator[Problem]:
    if not is_marked(before):
        yield _problem("gcp-metric-taken", "name", id=id_, mark=MARK)
        return
    has, should = ([each["key"] for each in body["metricDescriptor"]["labels"]] for body in (before, after))
    kinds = ("metricKind", "valueType", "unit")
    same = all(before["metricDescriptor"].get(kind) == after["metricDescriptor"][kind] for kind in kinds)
    if not same or not set(has) <= set(should):
        yield _problem("gcp-metric-immutable", "labels", before=", ".join(has), wanted=", ".join(should))


def problems(metrics: c.Sequence[Options]) -> c.Iterator[Problem]:
    """Validate the options of metrics."""
    yield from repeated("log_metrics", [each["name"] for each in metrics])
    for index, metric in enumerate(metrics):
        yield from within(f"log_metrics[{index}]", _metric(metric))


def _metric(metric: Options) -> c.Iterator[Problem]:
    if not re.fullmatch(NAME, metric["name"]):
        yield _problem("gcp-metric-name", "name", metric["name"])
    if not 0 < len(metric["filter"]) <= LONGEST_FILTER:
        yield _problem("gcp-metric-filter", "filter")
    if len(metric["text"]) > LONGEST_TEXT:
        yield _problem("gcp-metric-text", "text")
    for key, extractor in metric["labels"].items():
        if not re.fullmatch(LABEL, key) or not re.fullmatch(r"(REGEXP_)?EXTRACT\(.+\)", str(extractor)):
            yield _problem("gcp-metric-label", f"labels.{key}", extractor)
