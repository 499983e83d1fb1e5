"""Google's Ops Agent, which cannot be had here: what it refuses, and what it makes of a line in the journal.

From its documentation and its sources at version 2.71.0 (GoogleCloudPlatform/ops-agent, folder confgenerator):
config.go refuses what belongs to nothing, prometheus.go processors behind a Prometheus receiver;
logging_receivers.go says what an entry of the journal becomes, logging_processors.go and filter/internal/ast/ast.go
what processors do with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

SCHEMA = jsonschema.Draft202012Validator(yaml.safe_load(Path(__file__).with_name("ops_agent_schema.yml").read_text()))
# Built in (confgenerator/built-in-config-linux.yaml), by kind.
BUILT_IN = {("logging", "receivers"): {"syslog"}, ("metrics", "receivers"): {"hostmetrics"}}
SEVERITIES = ("EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
_TERM = re.compile(r'(?P<negated>NOT )?(?P<field>[\w.]+) ?(?P<operator>[=!]~|!?=) ?(?:"(?P<text>[^"]*)"|(?P<word>\w+))')


def faults(config: Mapping[str, Any]) -> list[str]:
    """Why the agent would not start with this configuration, each as the path of what is wrong."""
    wrong = [".".join(map(str, each.absolute_path)) for each in SCHEMA.iter_errors(config)]
    return wrong or list(_foreign(config))


def _foreign(config: Mapping[str, Any]) -> Iterator[str]:
    for signal, part in config.items():
        for name, pipeline in part.get("service", {}).get("pipelines", {}).items():
            for kind, used in pipeline.items():
                known = {*part.get(kind, ()), *BUILT_IN.get((signal, kind), ())}
                yield from (f"{signal}.service.pipelines.{name}.{kind}" for each in used if each not in known)
            types = {part.get("receivers", {}).get(each, {}).get("type") for each in pipeline.get("receivers", ())}
            if signal == "metrics" and "prometheus" in types and pipeline.get("processors"):
                yield f"metrics.service.pipelines.{name}.processors"


def entries(config: Mapping[str, Any], line: Mapping[str, str]) -> list[dict[str, Any]]:
    """The entries in Cloud Logging that *line* of the journal becomes, one for each pipeline that keeps it."""
    found, logging = [], config["logging"]
    for pipeline in logging["service"]["pipelines"].values():
        for receiver in pipeline.get("receivers", ()):
            if logging["receivers"][receiver]["type"] == "systemd_journald":
                entry = {"severity": SEVERITIES[int(line["PRIORITY"])], "jsonPayload": dict(line)}
                if all(_kept(logging["processors"][each], entry) for each in pipeline.get("processors", ())):
                    found.append(entry)
    return found


def _kept(processor: Mapping[str, Any], entry: dict[str, Any]) -> bool:
    if processor["type"] == "exclude_logs":
        return not any(matches(each, entry) for each in processor["match_any"])
    payload, field = entry["jsonPayload"], processor["field"]
    try:
        parsed = json.loads(payload[field])
    except (KeyError, ValueError):
        return True
    if isinstance(parsed, dict):
        del payload[field]
        payload.update(parsed)
    return True


def matches(expression: str, entry: Mapping[str, Any]) -> bool:
    """Whether the comparisons of a filter all hold: Cloud Logging's language, of which this is a part."""
    for part in expression.split(" AND "):
        if not (term := _TERM.fullmatch(part)):
            raise ValueError(part)
        if _holds(term, entry) == bool(term["negated"]):
            return False
    return True


def _holds(term: re.Match[str], entry: Mapping[str, Any]) -> bool:
    value: Any = entry
    for name in term["field"].split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    wanted = term["text"] if term["word"] is None else term["word"]
    # A comparison with a field that is not there is false, whatever the operator.
    if value is None:
        return False
    if term["operator"] in ("=~", "!~"):
        return bool(re.search(wanted, str(value))) is (term["operator"] == "=~")
    return (str(value).lower() == wanted.lower()) is (term["operator"] == "=")
