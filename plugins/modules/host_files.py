#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Write many configuration files, and make them take effect, in one process
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Compares and writes a set of files, each whole or not at all, or edits single lines of them.
  - Then runs the commands that the changed ones name. A command that failed, or that a cut connection kept from
    running, is remembered on the host and runs the next time that the file which called for it is given.
  - One call costs what one M(ansible.builtin.file) task costs; a M(ansible.builtin.copy) task a file costs two module
    runs each, and a handler another.
options:
  pending:
    description: Where commands that have not run yet are remembered.
    type: path
    default: /var/lib/ibgw/pending.json
extends_documentation_fragment: [ibops.gateway.files]
attributes:
  check_mode:
    description: Reports what would change and writes nothing.
    support: full
  diff_mode:
    description: Shows attributes and contents.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Write the settings of the kernel and of journald
  ibops.gateway.host_files:
    files:
      - path: /etc/sysctl.d/60-ibgw.conf
        content: |
          kernel.kptr_restrict = 2
        commands: [sysctl --system]
      - path: /etc/systemd/journald.conf.d/ibgw.conf
        content: |
          [Journal]
          Storage=persistent
        commands: [systemctl restart systemd-journald.service]
      - path: /etc/login.defs
        settings: {UMASK: "027", PASS_MAX_DAYS: 365}
      - path: /etc/crontab
        state: attributes
        mode: "0600"
"""

RETURN = r"""
paths:
  description: The files that changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/sysctl.d/60-ibgw.conf]
commands:
  description: The commands that ran, in order; in check mode, those that would.
  returned: success
  type: list
  elements: str
  sample: [sysctl --system]
"""

import collections.abc as c
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _host_files as option
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import Entry, reconcile
from ansible_collections.ibops.gateway.plugins.module_utils.host import pending


def plan(
    files: c.Sequence[dict[str, Any]], entries: list[Entry], memory: pending.Memory
) -> tuple[list[dict[str, str]], list[pending.Call], list[str]]:
    """Return the differences, their follow-ups, and the commands to run."""
    changes = reconcile(entries, check=True)
    paths = [change["after_header"] for change in changes]
    calls = pending.merged(
        [
            pending.Call(entry.path, command)
            for file, entry in zip(files, entries, strict=True)
            if entry.path in paths
            for command in file["commands"]
        ]
    )
    # Leftover commands may depend on the new ones, above all on a daemon-reload.
    left = memory.left([entry.path for entry in entries])
    return changes, calls, list(dict.fromkeys([*(call.command for call in calls), *left]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={"files": option.OPTION, "pending": {"type": "path", "default": pending.PATH}},
        supports_check_mode=True,
    )
    files, memory = module.params["files"], pending.Memory(module.params["pending"])
    try:
        entries = [option.entry(file) for file in files]
        changes, calls, commands = plan(files, entries, memory)
        if memory.damage:
            module.warn(memory.damage)
        if (changes or commands) and not module.check_mode:
            with memory.turn():
                # Another inventory host of this machine may have written them meanwhile.
                changes, calls, commands = plan(files, entries, memory)
                if calls:
                    memory.add(calls)
                reconcile(entries, check=False)
                pending.run(memory, commands, [entry.path for entry in entries])
    except ValueError as fault:
        module.fail_json(msg=f"files: {fault}. Nothing was changed.")
    except OSError as fault:
        module.fail_json(
            msg=f"cannot write {fault.filename}: {fault.strerror}. The files before it are whole, the others as they "
            "were; fix the cause and run again."
        )
    except pending.CommandError as fault:
        module.fail_json(
            msg=f"{fault}. The files are written; fix the cause and run again, which begins with this command.",
            diff=changes,
            paths=[change["after_header"] for change in changes],
        )
    paths = [change["after_header"] for change in changes]
    module.exit_json(changed=bool(changes or commands), diff=changes, paths=paths, commands=commands)


if __name__ == "__main__":
    main()
