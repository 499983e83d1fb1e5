# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of module live_check_drift: another run of ansible-playbook, on the control node."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing as t

from ansible import constants as C
from ansible.utils.collection_loader import AnsibleCollectionConfig

from ansible_collections.ibops.gateway.plugins.module_utils.report.drift import drift
from ansible_collections.ibops.gateway.plugins.plugin_utils import commands
from ansible_collections.ibops.gateway.plugins.plugin_utils.local_action import LocalAction

# From the termination request to the kill.
GRACE_SECONDS = 10.0


class ActionModule(LocalAction):
    ARGUMENTS: t.ClassVar = {
        "site": {"type": "str"},
        "arguments": {"type": "list", "elements": "str", "default": []},
        "seconds": {"type": "float", "required": True},
    }

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if (asked := commands.asked()) and not arguments["arguments"]:
            reason = (
                f"a password was asked for ({', '.join(asked)}), which another run cannot be given; give it by a file "
                "(--become-password-file, --vault-password-file), or see live_check_drift_arguments"
            )
            return {"changed": False, "drift": {**drift({}), "reason": reason}}
        host = str(task_vars["inventory_hostname"])
        sources = [word for source in task_vars["ansible_inventory_sources"] for word in ("-i", str(source))]
        words = [sys.executable, "-m", "ansible", "playbook", arguments["site"] or commands.playbook("site")]
        words += ["--check", "--limit", host, *sources, *commands.arguments(inventory=False, questions=False)]
        found = drift(_run([*words, *arguments["arguments"]], arguments["seconds"]))
        return {"changed": False, "drift": found}


def _run(words: list[str], seconds: float) -> dict[str, t.Any]:
    """Return status and output; no status if it did not end in time. It is in this process's group, and ends with
    it."""
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(C.config._config_file or ""),
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, AnsibleCollectionConfig.collection_paths)),
        "ANSIBLE_STDOUT_CALLBACK": "ibops.gateway.tasks_json",
        "ANSIBLE_NOCOLOR": "1",
        # SSH's questions to a person are answered with no.
        "SSH_ASKPASS": "/bin/false",
        "SSH_ASKPASS_REQUIRE": "force",
    }
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # It stops its own workers.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE_SECONDS)
        process.kill()
        process.wait()
        return {}
    return {"rc": process.returncode, "stdout": output, "stderr": errors}
