# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the settings of role observability beyond their types, and find where a gateway's metrics are served."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ..agent import bounds, playbooks
from ..agent.problem import Problem, table
from ..agent.session import plan
from . import promql
from .gateway import flag

Settings = c.Mapping[str, t.Any]
SEVERITIES = ("critical", "warning")
_DURATION = re.compile(r"[0-9]{1,6}(ms|s|m|h|d|w|y)")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{40}([0-9A-Fa-f]{24})?")
_CHANGES: dict[str, c.Callable[[object], bool]] = {
    "for": lambda value: bool(_DURATION.fullmatch(str(value))),
    "severity": lambda value: value in SEVERITIES,
    "enabled": lambda value: isinstance(value, bool),
}
BOUNDS = {"observability_scrape_interval": (1, 600)}
_PORTS = ("observability_prometheus_port", "observability_alertmanager_port")

_problem = table(
    {
        "metrics-not-served": (
            "off, and session_http_port is 0, so that Prometheus cannot fetch this gateway's metrics",
            f"set observability_exporter: true and run {playbooks.SITE}, or session_http_port, or "
            "observability_scrape: false",
        ),
        "ops-agent-without-exporter": (
            "the Ops Agent would have no metrics to bring",
            "set observability_exporter: true, or observability_ops_agent: false",
        ),
        "ops-agent-fingerprint": (
            "not the fingerprint of a key",
            "give all of its 40 or 64 hexadecimal digits, as `gpg --show-keys` shows them, without blanks",
        ),
        "ops-agent-unsigned": ("no key, so any signature would count", "name the key that signs the repository"),
        "rule-unknown": ("not an alerting rule", "name one of docs/reference/alert_rules.md"),
        "rule-not-portable": (
            "a rule about Prometheus itself, which Cloud Monitoring cannot evaluate",
            "remove it; policy GatewaySilent tells that nothing arrives",
        ),
        "google-project": ("no project", "set it, or gcp_vm_project, to the id that `gcloud projects list` shows"),
        "rule-change": (
            "not a change of a rule",
            "give for (such as 10m), severity (critical or warning) or enabled (true or false)",
        ),
        "retention": ("not a time as Prometheus writes it", "write it as 90d"),
        "ports-alike": ("observability_prometheus_port has the same", "choose another"),
        "receiver-unknown": ("none of observability_receivers has this name", "name one of {names}"),
        "receiver-without-name": ("no name", "give it one, by which observability_routes calls it"),
        "routes-without-alertmanager": (
            "observability_alertmanager is off, so nothing is sent",
            "set observability_alertmanager: true, or take this out",
        ),
    }
)


def problems(settings: Settings) -> list[Problem]:
    """Return every problem of node-exporter and the Ops Agent on a gateway's machine."""
    exported = flag(settings["observability_exporter"])
    found = plan.served(settings, "observability_exporter") if exported else []
    return [*found, *(_ops_agent(settings, exported) if flag(settings["observability_ops_agent"]) else ())]


def _ops_agent(settings: Settings, exported: bool) -> c.Iterator[Problem]:
    if not exported:
        yield _problem("ops-agent-without-exporter", "observability_exporter", settings["observability_exporter"])
    variable = "observability_ops_agent_fingerprints"
    if not settings[variable]:
        yield _problem("ops-agent-unsigned", variable)
    for index, fingerprint in enumerate(settings[variable]):
        if not _FINGERPRINT.fullmatch(str(fingerprint)):
            yield _problem("ops-agent-fingerprint", f"{variable}[{index}]", fingerprint)


def prometheus(settings: Settings, rules: c.Collection[str]) -> list[Problem]:
    """Return every problem of the machine with Prometheus; *rules* are the names of the alerting rules."""
    found = [wrong for name in BOUNDS if (wrong := bounds.problem(name, settings[name], BOUNDS[name]))]
    found += [wrong for name in _PORTS if (wrong := bounds.problem(name, settings[name], plan.HTTP_PORTS))]
    retention = settings["observability_prometheus_retention"]
    if not _DURATION.fullmatch(str(retention)):
        found.append(_problem("retention", "observability_prometheus_retention", retention))
    first, second = (bounds.whole(settings[name]) for name in _PORTS)
    if first is not None and first == second:
        found.append(_problem("ports-alike", _PORTS[1], second))
    return [*found, *_changes(settings, rules), *_routes(settings)]


def google_cloud(
    settings: Settings, rules: c.Sequence[c.Mapping[str, t.Any]], records: c.Collection[str]
) -> list[Problem]:
    """Return every problem of Cloud Monitoring.

    *rules* are the alerting rules, *records* the names of the recorded series.
    """
    known = {each["alert"]: each for each in rules}
    found: list[Problem] = []
    for index, name in enumerate(settings["observability_google_rules"]):
        variable = f"observability_google_rules[{index}]"
        if name not in known:
            found.append(_problem("rule-unknown", variable, name))
        elif known[name]["severity"] not in SEVERITIES or not promql.is_portable(known[name]["expr"], records):
            found.append(_problem("rule-not-portable", variable, name))
    minutes = settings["observability_google_absence_minutes"]
    if bounds.whole(minutes) != 0 and (
        wrong := bounds.problem("observability_google_absence_minutes", minutes, (2, 1410))
    ):
        found.append(wrong)
    if not settings["observability_google_project"]:
        found.append(_problem("google-project", "observability_google_project"))
    return [*found, *_changes(settings, known)]


def _changes(settings: Settings, rules: c.Collection[str]) -> c.Iterator[Problem]:
    for name, change in settings["observability_rules"].items():
        variable = f"observability_rules.{name}"
        if name not in rules:
            yield _problem("rule-unknown", variable)
        elif not isinstance(change, c.Mapping):
            yield _problem("rule-change", variable, change)
        else:
            for key, value in change.items():
                if key not in _CHANGES or not _CHANGES[key](value):
                    yield _problem("rule-change", f"{variable}.{key}", value)


def _routes(settings: Settings) -> c.Iterator[Problem]:
    routes = {key: name for key, name in settings["observability_routes"].items() if name}
    if routes and not flag(settings["observability_alertmanager"]):
        yield _problem("routes-without-alertmanager", "observability_routes")
    names = [each.get("name") for each in settings["observability_receivers"]]
    for number, name in enumerate(names):
        if not name:
            yield _problem("receiver-without-name", f"observability_receivers[{number}].name")
    for key, name in routes.items():
        if name not in names:
            known = ", ".join(map(str, filter(None, names))) or "those that you add"
            yield _problem("receiver-unknown", f"observability_routes.{key}", name, names=known)


def target(settings: Settings) -> str | None:
    """Return where a gateway's metrics are served, as ``address:port``; None for nowhere.

    node-exporter goes before the watcher's own port: what is fetched twice would be alerted twice.
    """
    if flag(settings["observability_exporter"]) and settings["session_metrics_directory"]:
        what = "observability_exporter"
    elif bounds.whole(settings["session_http_port"]):
        what = "session_http"
    else:
        return None
    address = str(settings[f"{what}_address"])
    return f"[{address}]:{settings[f'{what}_port']}" if ":" in address else f"{address}:{settings[f'{what}_port']}"


def watched(settings: Settings) -> bool:
    """Whether Prometheus is to have a gateway's metrics."""
    return flag(settings["observability_scrape"])


# The variables of each gateway that decide that.
READ = (
    *("gateway_name", "session_metrics_directory", "session_http_address", "session_http_port"),
    *("observability_exporter", "observability_exporter_address", "observability_exporter_port"),
    "observability_scrape",
)


def pairs(inventory: c.Iterable[Settings]) -> list[Problem]:
    """Return the gateways of the inventory whose metrics Prometheus could not fetch, each with its ``host``.

    One without a value of READ has another problem.
    """
    return [
        _problem("metrics-not-served", "observability_exporter")._replace(host=str(one["host"]))
        for one in inventory
        if one.keys() >= {*READ} and watched(one) and target(one) is None
    ]
