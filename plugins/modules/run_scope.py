#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: run_scope
short_description: Refuse a run without hosts or without tasks
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Fails where no host of O(groups) is in the play, where none of them has a machine and O(without_machine) is given,
    and where C(--tags) or C(--skip-tags) of the run have a tag that no task of the playbook has. By itself Ansible does
    nothing then, and ends well.
  - Tags are known of the playbooks of this collection only; those of a playbook that imports them are not looked at.
  - The playbooks of this collection call it once in their first play, which has all hosts of the run.
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
  groups:
    description: The groups on whose hosts the playbook acts.
    type: list
    elements: str
    required: true
  without_machine:
    description:
      - The playbook to name where no host of O(groups) in the run has C(gateway_machine_role), so that there is no
        machine to make or remove. Without this option no host needs one.
    type: str
"""

EXAMPLES = r"""
- name: Expect something to do
  hosts: all:localhost
  gather_facts: false
  any_errors_fatal: true
  tags: always
  tasks:
    - name: Refuse a run without hosts or without tasks
      ibops.gateway.run_scope:
        groups: [gateways]
      run_once: true
"""

RETURN = r""" # """
