# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: file_texts
short_description: Contents of files, empty for those that are missing
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reads files of the control node whole, with their last newline. A file in a vault is decrypted.
  - A missing one is an empty text, where P(ansible.builtin.file#lookup) fails.
options:
  _terms:
    description: Paths; C(~) is the home directory.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Read a certificate that a check only predicts
  ansible.builtin.set_fact:
    certificate: "{{ lookup('ibops.gateway.file_texts', '~/pki/ca.crt') }}"
"""

RETURN = r"""
_raw:
  description: The texts, in the order of the paths.
  type: list
  elements: str
"""

import os
import typing as t

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, t.Any] | None = None) -> list[str]:
        paths = [os.path.abspath(os.path.expanduser(term)) for term in terms]
        return [self._loader.get_text_file_contents(path) if os.path.isfile(path) else "" for path in paths]
