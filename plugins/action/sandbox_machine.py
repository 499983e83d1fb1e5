# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module sandbox_machine: it runs on the control node, and contacts no host."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {
        "state": {"type": "str", "required": True, "choices": ["present", "absent"]},
        "checkout": {"type": "path", "required": True},
        "options": {"type": "dict", "required": True},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        check = ["--check"] if self._task.check_mode else []
        run = subprocess.run(
            [sys.executable, "-m", "sandbox.machine", arguments["state"], *check],
            cwd=arguments["checkout"],
            input=json.dumps(arguments["options"]),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            return {"failed": True, "msg": run.stderr}
        found: dict[str, t.Any] = json.loads(run.stdout)
        if found["message"]:
            commands.show(self._display, f"{'would have ' if check else ''}{found['message']}")
        return found
