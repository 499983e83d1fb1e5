#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_files
short_description: Change what could lock you out, and go back unless a new login proves it
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Replaces files of the SSH server, the firewall or the like, makes them take effect, and logs in again. When that
    login works, the change stays. When it does not, the host puts the old files back by itself, runs O(undo), and the
    task fails with what was put back and why.
  - The host goes back after O(seconds) also when the connection or the whole controller is gone, and at boot when it
    was restarted in between. Going back needs neither Python nor free disk space.
  - A later run says what the host took back in the meantime.
options:
  name:
    description: Name of the change, of letters, digits and underscores. Tasks for the same files have the same name.
    type: str
    required: true
  validate:
    description:
      - Commands, without a shell, that look at the new files in their place before anything reads them.
      - When one fails, the old files are back at once, and the task fails with the command's own words.
    type: list
    elements: str
    default: []
  probe:
    description:
      - Commands, without a shell, that succeed while the files are in force, for example C(nft list table inet mine).
      - When one fails, the commands of all files run, also when no file differs.
    type: list
    elements: str
    default: []
  undo:
    description:
      - Commands, without a shell, that make the old files take effect again.
      - Without any, the commands that had made the new ones take effect run again.
    type: list
    elements: str
    default: []
  seconds:
    description: The host goes back when no new login has proven the change after so many seconds.
    type: int
    default: 40
  step:
    description: Set by the action plugin, which runs the module once for each step.
    type: str
    choices: [apply, keep, look, forget]
    default: apply
  token:
    description: Set by the action plugin; one change on trial.
    type: str
    default: ""
extends_documentation_fragment: [ibops.gateway.files]
attributes:
  check_mode:
    description: Reports what would change; nothing is written, validated or logged in to.
    support: full
  diff_mode:
    description: Shows attributes and contents.
    support: full
  idempotent:
    description: A second run changes nothing and does not log in again.
    support: full
notes:
  - The new login uses the task's connection, reset. Over C(ssh) that is a new TCP connection with a new authentication,
    also with ControlPersist; the host compares the two.
  - Over a connection that is not SSH the change is proven by a new connection of that kind.
  - Only files and links can be guarded, all on the file system of C(/etc). Needs systemd.
"""

EXAMPLES = r"""
- name: Let only operators in
  ibops.gateway.guarded_files:
    name: access
    files:
      - path: /etc/ssh/sshd_config.d/10-operators.conf
        content: |
          AllowGroups operators
        mode: "0600"
        commands: [systemctl reload ssh.service]
    validate: [/usr/sbin/sshd -t]
"""

RETURN = r"""
paths:
  description: The files that changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/10-operators.conf]
commands:
  description: The commands that ran, in order; in check mode, those that would.
  returned: success
  type: list
  elements: str
  sample: [systemctl reload ssh.service]
rolled_back:
  description: The files that were put back as they had been.
  returned: failure, when files had been changed
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/10-operators.conf]
went_back:
  description: What the host took back since an earlier run, which was cut before it could say so.
  returned: always
  type: list
  elements: dict
  sample:
    - paths: [/etc/ssh/sshd_config.d/10-operators.conf]
      at: 1795427212
      why: no new login had proven the change in time
"""

import os
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _host_files as option
from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed, originals


def apply(module: AnsibleModule, root: str) -> dict[str, Any]:
    """Apply the change on trial: ``state`` is armed, or same if nothing differs."""
    params = module.params
    name = params["name"]
    entries = [option.entry(file) for file in params["files"]]
    went_back = commit_confirmed.pending(root, name) if module.check_mode else commit_confirmed.settle(root, name)
    for past in went_back:
        moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(past["at"]))
        what = ", ".join(past["paths"]) or "commands"
        module.warn(f"{name}: an earlier change of {what} ({moment}) did not last: {past['why']}.")
    result: dict[str, Any] = {"state": "same", "changed": False, "paths": [], "commands": [], "diff": []}
    result["went_back"] = went_back
    if not module.check_mode:
        commit_confirmed.sweep(name, [entry.path for entry in entries])
    changes = commit_confirmed.plan(entries)
    in_force = commit_confirmed.in_force(params["probe"], params["seconds"])
    if not changes and in_force:
        return result
    paths = [change.path for change in changes]
    commands = dict.fromkeys(
        command
        for file, entry in zip(params["files"], entries, strict=True)
        if entry.path in paths or not in_force
        for command in file["commands"]
    )
    result |= {"changed": True, "paths": paths, "commands": list(commands)}
    result["diff"] = [change.difference for change in changes]
    if not module.check_mode:
        kit = commit_confirmed.Kit(root, name, params["token"])
        undo = params["undo"] or list(commands)
        if params["originals"]:
            kept = [
                (entry, {**file, "retire": params["undo"] or file["commands"]})
                for file, entry in zip(params["files"], entries, strict=True)
            ]
            originals.Originals(params["originals"]).keep(kept, guarded=True)
        commit_confirmed.apply(kit, changes, params["validate"], list(commands), undo, params["seconds"])
        result |= {"state": "armed", "login": kit.record()["login"]}
    return result


def keep(module: AnsibleModule, root: str) -> dict[str, Any]:
    """Keep the change: ``state`` is kept, or still armed if this is not a new login, or the result of :func:`look`."""
    kit = commit_confirmed.Kit(root, module.params["name"], module.params["token"])
    before = kit.record()["login"]
    if before is not None and before == commit_confirmed.login():
        return {"state": "armed", "fresh": False}
    return {"state": "kept"} if kit.keep() else look(module, root)


def look(module: AnsibleModule, root: str) -> dict[str, Any]:
    """Return the outcome of a change: ``state`` armed, undo, back (with its reason), or none: kept or never begun."""
    kit = commit_confirmed.Kit(root, module.params["name"], module.params["token"])
    if kit.state == "armed" and not kit.timer_runs():
        kit.go_back()
    outcome = commit_confirmed.told_of(kit)
    if outcome:
        return {"state": "back", **outcome}
    return {"state": kit.state if kit.state in ("armed", "undo") else "none"}


def forget(module: AnsibleModule, root: str) -> dict[str, Any]:
    """Forget a reported outcome, so that the next run does not repeat it."""
    kit = commit_confirmed.Kit(root, module.params["name"], module.params["token"])
    if commit_confirmed.told_of(kit):
        kit.drop()
    return {"state": "none"}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": option.OPTION,
            "originals": {"type": "path"},
            "validate": {"type": "list", "elements": "str", "default": []},
            "probe": {"type": "list", "elements": "str", "default": []},
            "undo": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "int", "default": 40},
            "step": {"type": "str", "default": "apply", "choices": ["apply", "keep", "look", "forget"]},
            "token": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not re.fullmatch(r"\w+", params["name"]):
        module.fail_json(msg=f"name: {params['name']!r} is not made of letters, digits and underscores.", state="same")
    if params["seconds"] < 1:
        module.fail_json(msg="seconds: the host needs at least 1 second before it goes back.", state="same")
    if not module.check_mode and not os.path.isdir("/run/systemd/system"):
        module.fail_json(
            msg="This host does not run systemd, which would put the old files back. Nothing was changed.", state="same"
        )
    step = {"apply": apply, "keep": keep, "look": look, "forget": forget}[params["step"]]
    try:
        # One rename ends a change; it must not wait for a second run, which itself waits for that end.
        if module.check_mode or params["step"] != "apply":
            result = step(module, commit_confirmed.ROOT)
        else:
            with commit_confirmed.alone(commit_confirmed.ROOT, params["seconds"] + commit_confirmed.UNDO_SECONDS):
                result = step(module, commit_confirmed.ROOT)
    except commit_confirmed.GuardError as fault:
        module.fail_json(msg=f"{params['name']}: {fault}.", state="same", rolled_back=fault.rolled_back)
    except ValueError as fault:
        module.fail_json(msg=f"{params['name']}: {fault}. Nothing was changed.", state="same")
    except OSError as fault:
        module.fail_json(msg=f"{params['name']}: {commit_confirmed.reason(fault)}. Nothing was changed.", state="same")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
