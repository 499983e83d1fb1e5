# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

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


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"prometheus_rules": prometheus_rules}
