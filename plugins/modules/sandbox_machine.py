#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_machine
short_description: Make or remove a machine of the sandbox
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Does what C(python -m sandbox.machine) of a checkout does, for role P(ibops.gateway.sandbox_vm#role).
  - Runs on the control node, and contacts no host.
attributes:
  check_mode:
    description: Says what would be done, and does nothing.
    support: full
  diff_mode:
    description: Shows no difference.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
options:
  state:
    description: Whether there is to be one.
    type: str
    choices: [present, absent]
    required: true
  checkout:
    description: The folder of the checkout.
    type: path
    required: true
  options:
    description: What the machine is made from; the role's variables say what.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Have the machine as wanted
  ibops.gateway.sandbox_machine:
    state: present
    checkout: "{{ role_path | dirname | dirname }}"
    options: {backend: container, name: ibgw-sandbox-paper, replace: true}
"""

RETURN = r"""
message:
  description: What was done; empty where nothing was.
  returned: success
  type: str
  sample: made ibgw-sandbox-paper
answers:
  description: Whether its SSH server answers.
  returned: success
  type: bool
"""
