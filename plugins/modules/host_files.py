#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Write several configuration files in one process
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Compares and writes a set of text files that belong to root, each whole or not at all.
  - One call costs what one M(ansible.builtin.file) task costs; a M(ansible.builtin.copy) task a file costs two module
    runs each.
options:
  files:
    description: The files, in the order in which they are written. Missing directories above them are made (0755).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: The whole text of the file.
        type: str
        required: true
      mode:
        description: Permissions, as octal digits in quotes.
        type: str
        default: "0644"
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
- name: Write the engine's settings
  ibops.gateway.host_files:
    files:
      - path: /etc/docker/daemon.json
        content: "{{ settings | to_nice_json }}\n"
"""

RETURN = r"""
paths:
  description: The files that changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker/daemon.json]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.gateway.files import Entry, reconcile


def main() -> None:
    file_spec = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": file_spec}},
        supports_check_mode=True,
    )
    try:
        entries = [
            Entry(file["path"], int(file["mode"], 8), os.geteuid(), os.getegid(), file["content"])
            for file in module.params["files"]
        ]
    except ValueError as fault:
        module.fail_json(msg=f"files: a mode is written as octal digits, for example '0644' ({fault})")
    try:
        changes = reconcile(entries, check=module.check_mode)
    except OSError as fault:
        module.fail_json(
            msg=f"cannot write {fault.filename}: {fault.strerror}. The files before it are whole, the others as they "
            "were; mend the cause and run again."
        )
    paths = [change["after_header"] for change in changes]
    module.exit_json(changed=bool(changes), diff=changes, paths=paths)


if __name__ == "__main__":
    main()
