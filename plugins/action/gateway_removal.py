# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's part of gateway_removal: the operator's name."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ibops.gateway.plugins.plugin_utils.operator import names_live, owner


class ActionModule(ActionBase):
    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        result: dict[str, t.Any] = self._execute_module(
            module_name="ibops.gateway.gateway_removal",
            module_args={**self._task.args, "lease_owner": owner(), "names_live": names_live(task_vars or {})},
            task_vars=task_vars,
        )
        return result
