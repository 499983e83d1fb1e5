# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's part of gateway_sign_in: begin the sign-in, and show each step as the host reports it."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import ctl
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.operator import names_live, owner

MODULE = "ibops.gateway.gateway_sign_in"


class ActionModule(ActionBase):
    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        host = (task_vars or {}).get("inventory_hostname", "")

        def step(name: str, **more: object) -> dict[str, t.Any]:
            arguments = {
                **self._task.args,
                "lease_owner": owner(),
                "names_live": names_live(task_vars or {}),
                "step": name,
                **more,
            }
            found: dict[str, t.Any] = self._execute_module(
                module_name=MODULE, module_args=arguments, task_vars=task_vars
            )
            if "msg" in found:
                found["msg"] = commands.localized(str(found["msg"]), host)
            for event in found.get("steps", ()):
                # The failed step is the task's own message.
                if event.get("step") != ctl.FAILED:
                    at = time.strftime("%H:%M:%S %Z", time.localtime(event["at"]))
                    commands.show(self._display, f"{host}: {at}  {commands.localized(event['text'], host)}")
            return found

        result = step("begin")
        steps = result.get("steps", [])
        since = result.pop("since", 0.0)
        while not result.get("failed") and not result.get("ended"):
            result = step("follow", since=since)
            steps += result.get("steps", [])
            since = steps[-1]["at"] if steps else since
        return {**result, "steps": steps}
