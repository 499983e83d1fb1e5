# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

from ansible_collections.ibops.gateway.plugins.module_utils.rules import promql

Rows = c.Iterable[c.Mapping[str, t.Any]]
# An alert names the gateway where it has one, and always the machine.
_WHO = "{{ with $labels.gateway }}{{ . }} on {{ end }}{{ $labels.instance }}: "


def prometheus_rules(
    rules: Rows, records: Rows, targets: Rows, changes: c.Mapping[str, c.Mapping[str, t.Any]] | None = None
) -> dict[str, t.Any]:
    changed = [{**rule, **(changes or {}).get(rule["alert"], {})} for rule in rules]
    found: list[dict[str, t.Any]] = [
        {
            "record": "ibgw:expected",
            "expr": "vector(1)",
            "labels": {"gateway": each["gateway"], "instance": each["target"]},
        }
        for each in targets
    ]
    found += [{"record": each["record"], "expr": each["expr"]} for each in records]
    found += [_alert(each) for each in changed if each.get("enabled", True)]
    # One group, which is evaluated in its order: an alert goes by what was recorded now, not an evaluation ago.
    return {"groups": [{"name": "ibgw", "rules": found}]}


def _alert(rule: c.Mapping[str, t.Any]) -> dict[str, object]:
    return {
        "alert": str(rule["alert"]),
        "expr": str(rule["expr"]),
        "for": str(rule["for"]),
        "labels": {"severity": str(rule["severity"])},
        "annotations": {"summary": f"{_WHO}{rule['text']}", "description": str(rule["step"])},
    }


def google_policies(
    rules: Rows,
    records: Rows,
    chosen: c.Collection[str],
    channels: c.Mapping[str, list[str]] | None = None,
    changes: c.Mapping[str, c.Mapping[str, t.Any]] | None = None,
) -> list[dict[str, t.Any]]:
    known = {str(each["record"]): str(each["expr"]) for each in records}
    changed = [{**rule, **(changes or {}).get(rule["alert"], {})} for rule in rules if rule["alert"] in chosen]
    found = []
    for rule in changed:
        if rule.get("enabled", True):
            told = (channels or {}).get(rule["severity"])
            found.append(
                {
                    "name": str(rule["alert"]),
                    "severity": str(rule["severity"]),
                    "text": str(rule["text"]),
                    "step": str(rule["step"]),
                    "query": promql.expanded(str(rule["expr"]), known),
                    "duration": promql.whole_minutes(str(rule["for"])),
                    **({"channels": told} if told else {}),
                }
            )
    return found


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"prometheus_rules": prometheus_rules, "google_policies": google_policies}
