# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: tasks_json
type: stdout
short_description: Which tasks changed or failed, as one JSON document
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Prints one JSON document at the end of a run, and nothing else. Of each task it has the name, and of each host only
    whether the task changed something, failed or did not reach it.
  - Nothing that a task has read or would write is in it. Playbook live_check looks for drift by it.
requirements:
  - set as stdout in configuration
"""

import json
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "ibops.gateway.tasks_json"

    def __init__(self) -> None:
        super().__init__()
        self._tasks: list[dict[str, t.Any]] = []

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._begin(task)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self._begin(task)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._tell(result, changed=result.is_changed())

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._tell(result, failed=True, ignore_errors=ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._tell(result, unreachable=True)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._tell(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        # The same structure as callback ansible.posix.json.
        self._display.display(json.dumps({"plays": [{"tasks": self._tasks}]}, indent=1))

    def _begin(self, task: t.Any) -> None:
        self._tasks.append({"task": {"id": task._uuid, "name": task.get_name().strip()}, "hosts": {}})

    def _tell(self, result: t.Any, **outcome: bool) -> None:
        task = next(each for each in reversed(self._tasks) if each["task"]["id"] == result.task._uuid)
        task["hosts"][result.host.get_name()] = outcome
