# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module screen: it runs on the control node, and contacts no host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ibops.gateway.plugins.plugin_utils import commands


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "text": {"type": "str", "required": True},
                "data": {"type": "raw"},
            }
        )
        host = str((task_vars or {}).get("inventory_hostname", ""))
        text = commands.localized(arguments["text"].strip("\n"), host)
        commands.show(self._display, f"\n{text}\n")
        return {"changed": False, "lines": text.splitlines(), "data": arguments["data"]}
