# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: agent_files
short_description: The files that a program on a VM imports
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Follows the imports of a module of the agent (C(plugins/module_utils/agent)) and returns every file it needs, as
    entries for option C(files) of M(ibops.gateway.host_files).
  - What is shipped is computed, so a new import needs no list to be kept, and a file that no program imports is neither
    shipped nor a reason to restart anything.
options:
  _terms:
    description: Modules by their dotted names within the agent, for example V(session.ctl).
    type: list
    elements: str
    required: true
  also:
    description: More modules, which no running program imports. When only they change, no command runs.
    type: list
    elements: str
    default: []
  directory:
    description: Where the package stands on the VM.
    type: str
    default: /opt/ibgw/agent
  commands:
    description: What makes a change of one of these files take effect.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Write the watcher's library
  ibops.gateway.host_files:
    files: "{{ query('ibops.gateway.agent_files', 'session.ctl', commands=['systemctl try-restart ibgw-watch@*']) }}"
"""

RETURN = r"""
_raw:
  description: Entries with C(path), C(content) and C(commands), sorted by path.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.ibops.gateway.plugins.plugin_utils.agent import PACKAGE, closure


class LookupModule(LookupBase):
    def run(
        self, terms: list[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        directory, commands = self.get_option("directory"), self.get_option("commands")
        try:
            imported = closure(terms)
            return [
                {
                    "path": f"{directory}/{name}",
                    "content": (PACKAGE / name).read_text(encoding="utf-8"),
                    "commands": commands if name in imported else [],
                }
                for name in closure([*terms, *self.get_option("also")])
            ]
        except FileNotFoundError as error:
            raise AnsibleLookupError(f"the agent has no module {error.filename}") from error
