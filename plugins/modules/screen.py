#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: screen
short_description: Print a text for a person, and return it as data
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Prints a text of several lines as it is, whatever the callback of the run and its settings. Where a callback prints
    the results as JSON (C(ansible.posix.json), C(ansible.posix.jsonl)), the text is only in the result.
  - In the text, a playbook of this collection that is named as in the checkout becomes the command that works for
    whoever started this run, for example C(ansible-playbook playbooks/status.yml), or C(site.yml) alone. That is its
    path or its full name, with the run's C(-i), users, connection, files of passwords and C(-e @file).
  - Runs on the control node, and contacts no host.
attributes:
  check_mode:
    description: Can run in check mode and return changed status without changing anything.
    support: full
  diff_mode:
    description: Returns details of what has changed, or may have to be changed, when diff mode is on.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
options:
  text:
    description: The text.
    type: str
    required: true
  data:
    description: The facts behind it, for programs.
    type: raw
"""

EXAMPLES = r"""
- name: Show every gateway
  ibops.gateway.screen:
    text: "{{ ansible_play_hosts_all | map('extract', hostvars) | ibops.gateway.gateway_table | join('\n') }}"
  run_once: true
"""

RETURN = r"""
lines:
  description: The text as it was printed, line by line.
  returned: always
  type: list
  elements: str
  sample: ["sandbox-paper is ready."]
data:
  description: The O(data).
  returned: always
  type: raw
"""
