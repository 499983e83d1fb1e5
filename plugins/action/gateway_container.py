# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's part of gateway_container: the operator's name, a keystore's bytes, the image pull, the warning
before a push."""

from __future__ import annotations

import base64
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.operator import names_live, owner

MODULE = "ibops.gateway.gateway_container"
# Default: 1 GiB at 5 Mbit/s. A registry that drips would hold up a run without end.
PULL_SECONDS = 1800
# Exit status of timeout(1).
LATE = 124


class ActionModule(ActionBase):
    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        self._vars = task_vars or {}
        arguments = {**self._task.args, "lease_owner": owner(), "names_live": names_live(self._vars)}
        if (arguments.get("portal") or {}).get("keystore"):
            arguments["portal"] = {**arguments["portal"], "keystore": self._bytes(arguments["portal"]["keystore"])}
        settled: list[str] = []
        pulled: dict[str, t.Any] = {}
        while True:
            result: dict[str, t.Any] = self._execute_module(
                module_name=MODULE,
                module_args={**arguments, "settled": settled},
                task_vars=task_vars,
            )
            need = result.get("needs")
            if result.get("failed") or not need:
                if "msg" in result:
                    result["msg"] = commands.localized(
                        str(result["msg"]), str(self._vars.get("inventory_hostname", ""))
                    )
                break
            if need in settled:
                return {"failed": True, "msg": f"gateway_container asks for the {need} again and again: run again"}
            if need == "image":
                pulled = self._pull()
                if pulled.get("failed"):
                    return pulled
            else:
                commands.show(self._display, f"{self._vars.get('inventory_hostname', '')}: {result['msg']}")
            settled.append(need)
        return {**result, "changed": bool(result.get("changed") or pulled.get("changed"))}

    def _bytes(self, path: str) -> str:
        """The content of a file of the control node in Base64; one in a vault is decrypted."""
        with open(self._loader.get_real_file(self._find_needle("files", path)), "rb") as file:
            return base64.b64encode(file.read()).decode()

    def _pull(self) -> dict[str, t.Any]:
        """Pull the image while the old container still runs."""
        image = self._task.args["container"]["image"]
        seconds = int(self._task.args.get("pull_timeout", PULL_SECONDS))
        words = ["timeout", "--kill-after=5", str(seconds), "docker", "pull", "--quiet", image]
        found: dict[str, t.Any] = self._execute_module(
            module_name="ansible.legacy.command", module_args={"argv": words}, task_vars=self._vars
        )
        if found.get("failed"):
            host = self._vars.get("inventory_hostname", "")
            late = f"not there after {seconds} s (gateway_pull_timeout)" if found.get("rc") == LATE else ""
            fault = late or printable(str(found.get("stderr") or found.get("msg", "")), 500)
            # The registry's text is in more of the result than its message.
            return {
                "failed": True,
                "msg": f"gateway_image: {host} cannot pull {image}: {fault}. Check that the VM reaches the registry, "
                "and that the digest exists there. The running container, if any, was not touched.",
            }
        return found
