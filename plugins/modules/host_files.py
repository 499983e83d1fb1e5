#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Write many configuration files, make them take effect, and start services, in one process
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Compares and writes a set of files, each whole or not at all, or edits single lines of them.
  - Then runs the commands that the changed ones name. A command that failed, or that a cut connection kept from
    running, is remembered on the host and runs the next time that the file which called for it is given.
  - Brings units of systemd to the wanted state then, with one C(systemctl) call for all that need the same.
  - One call costs what one M(ansible.builtin.file) task costs; a M(ansible.builtin.copy) task a file costs two module
    runs each, and a handler another.
options:
  pending:
    description: Where commands that have not run yet are remembered.
    type: path
    default: /var/lib/ibgw/pending.json
  units:
    description:
      - The state of each unit, by its full name.
      - V(started) is running now and at boot. A unit that its own conditions skip counts as running.
      - V(stopped) is neither running nor started at boot.
      - V(masked) is stopped, and nothing can start it.
      - A unit that does not exist is neither stopped nor masked; check mode takes it that one to start will exist.
    type: dict
    default: {}
  guarded:
    description:
      - What M(ibops.gateway.guarded_files) is to be given. Nothing of it is done; RV(guarded_due) says whether that
        module has anything to do, which saves the call where it has not.
    type: dict
    suboptions:
      name:
        description: As there.
        type: str
        required: true
      files:
        description: As there.
        type: list
        elements: dict
        required: true
      probe:
        description: As there.
        type: list
        elements: str
        default: []
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
    units:
      auditd.service: started
      cron.service: stopped
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
units:
  description: The units that differed, and the state that each has now; in check mode, that it would have.
  returned: success
  type: dict
  sample: {auditd.service: started}
guarded_due:
  description: Whether M(ibops.gateway.guarded_files) has anything to do.
  returned: when O(guarded) is given
  type: bool
"""

import collections.abc as c
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _host_files as option
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import Entry, reconcile
from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed, originals, pending, units

# Of one probe.
PROBE_SECONDS = 40
GUARDED = {
    "name": {"type": "str", "required": True},
    # Their own module checks them: documentation cannot have the same suboptions twice.
    "files": {"type": "list", "elements": "dict", "required": True},
    "probe": {"type": "list", "elements": "str", "default": []},
}


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


def guarded_due(guarded: dict[str, Any]) -> bool:
    name, files, probe = guarded["name"], guarded["files"], guarded["probe"]
    try:
        entries = [option.entry(option.completed(file)) for file in files]
        return commit_confirmed.due(commit_confirmed.ROOT, name, entries, probe, PROBE_SECONDS)
    except (KeyError, ValueError, OSError):
        # Told by the module that is to write them.
        return True


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": option.OPTION,
            "pending": {"type": "path", "default": pending.PATH},
            "units": {"type": "dict", "default": {}},
            "guarded": {"type": "dict", "options": GUARDED},
            "originals": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params, result = module.params, dict[str, Any]()
    files, memory = params["files"], pending.Memory(params["pending"])
    try:
        units.check(params["units"])
    except ValueError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.")
    try:
        entries = [option.entry(file) for file in files]
        changes, calls, commands = plan(files, entries, memory)
        if memory.damage:
            module.warn(memory.damage)
        if (changes or commands) and not module.check_mode:
            with memory.turn():
                # Another inventory host of this machine may have written them meanwhile.
                changes, calls, commands = plan(files, entries, memory)
                if params["originals"]:
                    originals.Originals(params["originals"]).keep(list(zip(entries, files, strict=True)))
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
    try:
        brought, difference = units.bring(params["units"], module.check_mode)
    except units.UnitError as fault:
        module.fail_json(msg=str(fault), diff=changes, paths=paths)
    if params["guarded"]:
        result["guarded_due"] = guarded_due(params["guarded"])
    module.exit_json(
        changed=bool(changes or commands or brought),
        diff=[*changes, *([difference] if brought else [])],
        paths=paths,
        commands=commands,
        units=brought,
        **result,
    )


if __name__ == "__main__":
    main()
