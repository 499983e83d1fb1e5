# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the drift of a host: tasks that ``site.yml --check`` would change. Pure; runs on the control node.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import Facts


def drift(run: Facts) -> dict[str, t.Any]:
    """Return the drift reported by a finished ``ansible-playbook site.yml --check`` through callback ``tasks_json``.

    Only names of tasks: the contents of changes stay in *run*.
    """
    result: dict[str, t.Any] = {"ran": False, "changes": [], "failed": [], "reason": None}
    text = str(run.get("stdout") or "")
    try:
        report = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
        outcomes = [
            (str(task["task"]["name"]), outcome)
            for play in report["plays"]
            for task in play["tasks"]
            for outcome in task["hosts"].values()
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        return {**result, "reason": _complaint(run)}
    for name, outcome in outcomes:
        task = printable(name.removeprefix("ibops.gateway."))
        if outcome.get("unreachable") or (outcome.get("failed") and not outcome.get("ignore_errors")):
            kind = "failed"
        else:
            kind = "changes" if outcome.get("changed") else ""
        if kind and task not in result[kind]:
            result[kind].append(task)
    ended_well = run.get("rc") == 0
    if ended_well:
        # The failure was rescued.
        result["failed"] = []
    elif not result["failed"]:
        return {**result, "reason": _complaint(run)}
    if not outcomes:
        return {**result, "reason": "no host of site.yml was concerned"}
    return {**result, "ran": True}


def _complaint(run: Facts) -> str:
    """Ansible's first error, without the file's lines that it may quote below."""
    lines = str(run.get("stderr") or "").splitlines()
    said = next((line for line in lines if line.startswith(("[ERROR]", "ERROR!"))), "")
    if said:
        return printable(said)
    if run.get("rc") is None:
        return "site.yml --check did not end in its time"
    return f"site.yml --check ended with status {run['rc']}"
