# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rendered
short_description: The text that a template makes
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - What P(ansible.builtin.template#lookup) returns, which copies all variables of the host for each template, some 35
    ms in role P(ibops.gateway.hardening#role) and 150 ms after it.
  - Blocks are trimmed, and the newline at a template's end stays. A template may include others beside it.
  - Not set are the variables that describe the template, such as V(template_path) and V(ansible_managed).
options:
  _terms:
    description: Names of templates, looked for where P(ansible.builtin.template#lookup) does.
    type: list
    elements: str
    required: true
  template_vars:
    description: More variables for these templates.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write many files in one task
  ibops.gateway.host_files:
    files:
      - path: /etc/systemd/journald.conf.d/60-ibgw.conf
        content: "{{ lookup('ibops.gateway.rendered', 'logs/journald.conf.j2') }}"
"""

RETURN = r"""
_raw:
  description: The texts, in the order of the names.
  type: list
  elements: str
"""

import collections
import os
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template


class LookupModule(LookupBase):
    def run(
        self,
        terms: list[str],
        variables: dict[str, t.Any] | None = None,
        template_vars: dict[str, t.Any] | None = None,
    ) -> list[str]:
        known = collections.ChainMap(template_vars or {}, variables or {})
        return [self._rendered(term, known) for term in terms]

    def _rendered(self, term: str, known: t.Mapping[str, t.Any]) -> str:
        path = self.find_file_in_search_path(known, "templates", term)
        if not path:
            raise AnsibleLookupError(f"there is no template {term!r} among the templates of this role or playbook")
        templar = self._templar.copy_with_new_env(available_variables=known, searchpath=[os.path.dirname(path)])
        text = trust_as_template(self._loader.get_text_file_contents(path))
        return templar.template(text, escape_backslashes=False)
