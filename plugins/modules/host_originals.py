#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_originals
short_description: Put configuration files back as they were before they were first written
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Undoes what M(ibops.gateway.host_files) wrote with O(ibops.gateway.host_files#module:originals). A file that
    somebody has changed since stays as it is, and is named.
  - Returns the files of M(ibops.gateway.guarded_files) as options for that module, so that a new login proves them.
options:
  originals:
    description: The directory in which the files were kept.
    type: path
    required: true
  state:
    description:
      - V(restored) puts the files back. Each as a whole or not at all; a run that was cut is finished by the next.
      - V(forgotten) forgets everything that is kept; for the end, when all is back.
    type: str
    choices: [forgotten, restored]
    default: restored
attributes:
  check_mode:
    description: Reports what would be put back and writes nothing.
    support: full
  diff_mode:
    description: Shows attributes and contents.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
seealso:
  - module: ibops.gateway.host_files
  - module: ibops.gateway.guarded_files
"""

EXAMPLES = r"""
- name: Put the files back
  ibops.gateway.host_originals:
    originals: /var/lib/mine/originals
  register: back

- name: Put back the files that decide who gets in
  ibops.gateway.guarded_files:
    name: access
    files: "{{ back.guarded.files }}"
    undo: "{{ back.guarded.undo }}"

- name: Forget what was kept
  ibops.gateway.host_originals:
    originals: /var/lib/mine/originals
    state: forgotten
"""

RETURN = r"""
due:
  description: All files that were not what they had been, also those that are left to M(ibops.gateway.guarded_files).
  returned: unless O(state=forgotten)
  type: list
  elements: str
  sample: [/etc/login.defs, /etc/nftables.conf]
paths:
  description: The files that were put back; in check mode, those that would be.
  returned: unless O(state=forgotten)
  type: list
  elements: str
  sample: [/etc/login.defs]
left:
  description: The files that somebody has changed since they were written, and that stay as they are.
  returned: unless O(state=forgotten)
  type: list
  elements: str
  sample: [/etc/fstab]
guarded:
  description: Options C(files) and C(undo) for M(ibops.gateway.guarded_files); empty without any.
  returned: unless O(state=forgotten)
  type: dict
  sample: {files: [{path: /etc/nftables.conf, state: absent, commands: []}], undo: []}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _host_files as option
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import reconcile
from ansible_collections.ibops.gateway.plugins.module_utils.agent.record_file import DamagedError
from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed, originals, pending


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "originals": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["forgotten", "restored"], "default": "restored"},
        },
        supports_check_mode=True,
    )
    kept = originals.Originals(module.params["originals"])
    try:
        if module.params["state"] == "forgotten":
            found = kept.any()
            if found and not module.check_mode:
                kept.forget()
            module.exit_json(changed=found)
        due, left = kept.due()
        plain, guarded = ([each for each in due if each.guarded is which] for which in (False, True))
        options = [kept.option(each) for each in guarded]
        entries = [option.entry(option.completed(kept.option(each))) for each in plain]
        changes = reconcile(entries, check=True)
        if not module.check_mode:
            for command in originals.commands(plain, "retire"):
                commit_confirmed.execute(command, pending.SECONDS)
            reconcile(entries, check=False)
    except originals.UnknownError:
        module.fail_json(
            msg=f"{module.params['originals']} is not there: the files of this host were not kept as they had been. "
            "Either a release that did not keep them wrote them, or none did. Nothing was changed."
        )
    except DamagedError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.")
    except commit_confirmed.GuardError as fault:
        module.fail_json(msg=f"{fault}. No file was put back yet; fix the cause and run again.")
    except OSError as fault:
        module.fail_json(
            msg=f"cannot put {fault.filename} back: {fault.strerror}. The files before it are back, the others as they "
            "were; fix the cause and run again."
        )
    module.exit_json(
        changed=bool(changes),
        diff=changes,
        due=[each.path for each in due],
        paths=[change["after_header"] for change in changes],
        left=left,
        guarded={"files": options, "undo": originals.commands(guarded, "commands")},
    )


if __name__ == "__main__":
    main()
