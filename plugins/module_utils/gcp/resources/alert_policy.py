# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert policies of Cloud Monitoring.

https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies

Google gives them their names, so labels say which is which. A policy that is changed, in whatever field, forgets: one
for absence is silent about a series until that has written again. So only what differs is sent, and only then.
https://cloud.google.com/monitoring/alerts/metric-absence
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ...agent.problem import Problem, table
from ..api.client import Api, Client
from ..api.collection import Change, Collection, restricted
from ..api.library import Body, load, message, plain
from ..api.normal import last
from ..api.resource import MARK_LABEL, Options
from ..rules import between, repeated, within

MONITORING = Api(
    "monitoring.googleapis.com",
    "Roles monitoring.alertPolicyEditor and monitoring.dashboardEditor allow it.",
)
# With MARK_LABEL, whose value is the set's name.
POLICY_LABEL = "ibops-gateway-policy"
# The fields that decide, in the API's order.
FIELDS = (
    *("displayName", "documentation", "userLabels", "conditions", "combiner", "enabled", "notificationChannels"),
    *("alertStrategy", "severity"),
)
NAME = r"[A-Za-z][A-Za-z0-9_]{0,54}"
CHANNEL = r"projects/[^/]+/notificationChannels/[^/]+"
METRIC = r"[A-Za-z0-9_.:/-]+"
LONGEST_QUERY, LONGEST_TEXT = 10_000, 4000
# An incident of a query ends where it finds nothing for so long, as when a VM is stopped; one of an absence must not.
CLOSED_SECONDS = 1800
ABSENCE_CLOSED_SECONDS = 7 * 86_400
ABSENT_SECONDS = (120, 84_600)

_problem = table(
    {
        "gcp-policy-name": ("not a name for a policy", "write letters, digits and _, a letter first, at most 55"),
        "gcp-policy-condition": ("either query or absent makes a policy", "give one of them"),
        "gcp-policy-minutes": ("Google wants whole minutes", "write a multiple of 60"),
        "gcp-policy-interval": ("Google wants a multiple of 30 seconds", "write 30, 60 or more"),
        "gcp-policy-channel": (
            "not the name of a notification channel",
            "write projects/PROJECT/notificationChannels/ID, as `gcloud beta monitoring channels list` shows it",
        ),
        "gcp-policy-text": ("longer than {most} characters", "shorten it"),
        "gcp-policy-metric": ("not the type of a metric", "write for example prometheus.googleapis.com/up/gauge"),
        "gcp-policy-label": ("not a text for a filter", 'leave out " and \\'),
    }
)


class AlertPolicies(Collection):
    """The policies of one set, by their labels."""

    def __init__(self, client: Client, options: Options) -> None:
        super().__init__(client)
        (self._library,) = load("google-cloud-monitoring", "google.cloud.monitoring_v3")
        self._policies = client.build_grpc(self._library.AlertPolicyServiceClient)
        self._set, self._wanted = options["name"], options["policies"]
        self._parent = f"projects/{client.project}"

    def read(self, timeout: float) -> list[Body]:
        request, metadata = {"name": self._parent, "page_size": 500}, self.client.metadata()
        found = self._policies.list_alert_policies(request=request, timeout=timeout, retry=None, metadata=metadata)
        return [plain(each) for each in found]

    def changes(self, found: c.Iterable[Body]) -> list[Change]:
        if self._wanted is None:
            return []
        desired = {slug(each["name"]): each for each in self._wanted}
        ours: dict[str, list[Body]] = {}
        # The oldest first: whoever has copied one meanwhile keeps that only without our labels.
        for body in sorted(found, key=lambda body: body.get("creationRecord", {}).get("mutateTime", "")):
            labels = body.get("userLabels", {})
            if labels.get(MARK_LABEL) == self._set and POLICY_LABEL in labels:
                ours.setdefault(labels[POLICY_LABEL], []).append(body)
        result = [change for name, each in desired.items() if (change := self._change(each, ours.get(name, [None])[0]))]
        for name, bodies in sorted(ours.items()):
            for body in bodies[1:] if name in desired else bodies:
                key = f"{name} ({last(body['name'])})"
                result.append(Change("alertPolicies", key, "delete", normalized(body), None, name=body["name"]))
        return result

    def _change(self, policy: Options, found: Body | None) -> Change | None:
        after = desired_policy(self._set, policy, found)
        if found is None:
            return Change("alertPolicies", policy["name"], "create", None, after, after)
        before = restricted(normalized(found), after)
        differing = [field for field in FIELDS if field in after and before.get(field) != after[field]]
        if not differing:
            return None
        body = {field: after[field] for field in differing}
        # A condition without its name is another condition.
        if "conditions" in body and len(found.get("conditions", [])) == 1:
            body["conditions"] = [{**body["conditions"][0], "name": found["conditions"][0]["name"]}]
        return Change("alertPolicies", policy["name"], "patch", before, after, body, found["name"])

    def send(self, change: Change, timeout: float) -> t.Any:
        how: dict[str, t.Any] = {"timeout": timeout, "retry": None, "metadata": self.client.metadata()}
        if change.verb == "delete":
            return self._policies.delete_alert_policy(request={"name": change.name}, **how)
        if change.verb == "create":
            body = message(self._library.AlertPolicy, change.body)
            answer = self._policies.create_alert_policy(request={"name": self._parent, "alert_policy": body}, **how)
        else:
            body = message(self._library.AlertPolicy, {**change.body, "name": change.name})
            paths = [re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", field) for field in change.body]
            request = {"alert_policy": body, "update_mask": {"paths": paths}}
            answer = self._policies.update_alert_policy(request=request, **how)
        if answer.validity.code:
            self.warnings.append(f"Google has stored policy {change.key}, and cannot use it: {answer.validity.message}")
        return answer


def slug(name: str) -> str:
    """A policy's name as a label's value: C(GatewayBlocked) is C(gateway-blocked)."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"-\1", name).lower()


def normalized(body: Body) -> Body:
    """A policy in the form for comparison."""
    found = {field: body[field] for field in FIELDS if field in body}
    if "notificationChannels" in found:
        found["notificationChannels"] = sorted(found["notificationChannels"])
    return found


def desired_policy(name: str, policy: Options, found: Body | None) -> Body:
    """The fields that decide about *policy*; labels that others gave to the one *found* stay."""
    absent = policy["absent"]
    kind, condition = ("conditionAbsent", _absence(absent)) if absent else (_PROMQL, _query(name, policy))
    closed = ABSENCE_CLOSED_SECONDS if absent else CLOSED_SECONDS
    text = "\n\n".join(filter(None, (policy["text"], policy["step"])))
    after: Body = {
        "displayName": f"{name}/{policy['name']}",
        "documentation": {"content": text, "mimeType": "text/markdown"},
        "userLabels": {
            **((found or {}).get("userLabels", {})),
            MARK_LABEL: name,
            POLICY_LABEL: slug(policy["name"]),
        },
        "conditions": [{"displayName": policy["name"], kind: condition}],
        "combiner": "OR",
        "enabled": True,
        "alertStrategy": {"autoClose": f"{closed}s", "notificationPrompts": ["OPENED", "CLOSED"]},
        "severity": policy["severity"].upper(),
    }
    if policy["channels"] is not None:
        channels = sorted(policy["channels"])
        # Google's answer leaves out an empty list.
        after |= {"notificationChannels": channels} if channels or (found or {}).get("notificationChannels") else {}
    return after


_PROMQL = "conditionPrometheusQueryLanguage"


def _query(name: str, policy: Options) -> Body:
    return {
        "query": policy["query"],
        "duration": f"{policy['duration']}s",
        "evaluationInterval": f"{policy['interval']}s",
        "ruleGroup": name,
        "alertRule": policy["name"],
        # The policy may be made before the first sample is written.
        "disableMetricValidation": True,
    }


def _absence(absent: Options) -> Body:
    labels = "".join(f' metric.label.{key}="{value}"' for key, value in sorted(absent["labels"].items()))
    return {
        "filter": f'metric.type="{absent["metric"]}" resource.type="{absent["resource"]}"{labels}',
        "duration": f"{absent['duration']}s",
        "aggregations": [
            {
                "alignmentPeriod": "60s",
                "perSeriesAligner": "ALIGN_MAX",
                "crossSeriesReducer": "REDUCE_MAX",
                "groupByFields": [f"metric.label.{each}" for each in absent["by"]],
            }
        ],
        "trigger": {"count": 1},
    }


def problems(policies: c.Sequence[Options]) -> c.Iterator[Problem]:
    """Validate the options of policies."""
    yield from repeated("policies", [slug(each["name"]) for each in policies])
    for index, policy in enumerate(policies):
        yield from within(f"policies[{index}]", _policy(policy))


def _policy(policy: Options) -> c.Iterator[Problem]:
    if not re.fullmatch(NAME, policy["name"]):
        yield _problem("gcp-policy-name", "name", policy["name"])
    if bool(policy["query"]) == bool(policy["absent"]):
        yield _problem("gcp-policy-condition", "query", policy["query"])
    for field, most in (("query", LONGEST_QUERY), ("text", LONGEST_TEXT), ("step", LONGEST_TEXT)):
        if len(policy[field] or "") > most:
            yield _problem("gcp-policy-text", field, most=most)
    if policy["duration"] % 60:
        yield _problem("gcp-policy-minutes", "duration", policy["duration"])
    yield from between("duration", policy["duration"], 0, 86_400)
    if policy["interval"] % 30 or policy["interval"] < 30:
        yield _problem("gcp-policy-interval", "interval", policy["interval"])
    for index, channel in enumerate(policy["channels"] or []):
        if not re.fullmatch(CHANNEL, channel):
            yield _problem("gcp-policy-channel", f"channels[{index}]", channel)
    if policy["absent"]:
        yield from within("absent", _absent(policy["absent"]))


def _absent(absent: Options) -> c.Iterator[Problem]:
    if absent["duration"] % 60:
        yield _problem("gcp-policy-minutes", "duration", absent["duration"])
    yield from between("duration", absent["duration"], *ABSENT_SECONDS)
    if not re.fullmatch(METRIC, absent["metric"]):
        yield _problem("gcp-policy-metric", "metric", absent["metric"])
    for key, value in absent["labels"].items():
        if re.search(r'["\\]', str(value)):
            yield _problem("gcp-policy-label", f"labels.{key}", value)
