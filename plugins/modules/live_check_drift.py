#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: live_check_drift
short_description: Name the tasks of site.yml that would change something on a host
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Runs C(site.yml --check) for the host of the task on the control node, with the inventory of this run, and with its
    users, connection, files of passwords (C(--vault-password-file), C(--vault-id), C(--become-password-file),
    C(--connection-password-file)) and C(-e @file).
  - Values of C(-e name=value) are not passed on, nor is a password that a person typed; where one was asked for, the
    run is not made unless O(arguments) are given.
  - Keeps the names of tasks only, nothing of what they would write.
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
  site:
    description: The playbook, a path or a full name. By default this collection's site.yml.
    type: str
  arguments:
    description: More arguments of C(ansible-playbook).
    type: list
    elements: str
    default: []
  seconds:
    description: How long it may take, in seconds.
    type: float
    required: true
seealso:
  - plugin: ibops.gateway.live_check
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look for drift
  ibops.gateway.live_check_drift:
    seconds: 900
  register: drift
"""

RETURN = r"""
drift:
  description: The names of tasks.
  returned: always
  type: dict
  contains:
    ran:
      description: Whether the run said what would change.
      type: bool
    changes:
      description: Tasks that would change something.
      type: list
      elements: str
    failed:
      description: Tasks that failed.
      type: list
      elements: str
    reason:
      description: Why it cannot be told; null where it can.
      type: str
  sample: {ran: true, changes: ["gateway : Write IBC's settings and the descriptor"], failed: [], reason: null}
"""
