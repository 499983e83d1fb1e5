# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module screen: it runs on the control node, and contacts no host."""

from __future__ import annotations

import typing as t

from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {
        "text": {"type": "str", "required": True},
        "data": {"type": "raw"},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        host = str(task_vars.get("inventory_hostname", ""))
        text = commands.localized(arguments["text"].strip("\n"), host)
        commands.show(self._display, f"\n{text}\n")
        return {"changed": False, "lines": text.splitlines(), "data": arguments["data"]}
