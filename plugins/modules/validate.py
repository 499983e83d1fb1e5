#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: validate
short_description: Refuse settings that cannot work, before any host is contacted
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Checks the variables of hosts for the roles of this collection. In this order, names (a variable with a prefix of
    the collection that nothing reads), types and choices by the roles' argument specifications, values, and every two
    gateways of the inventory (users, ports, names, addresses).
  - Fails with all problems of all hosts at once, as lines in RV(ignore:msg) and as data in RV(problems). The ids are in
    docs/reference/problems.md of the collection.
  - Runs on the control node, and contacts no host. Variables of hosts that are not among O(hosts) are read only as far
    as gateways are compared by them.
  - The playbooks of this collection call it once for all hosts, in their first play. In a run in which they have done
    so, a call without O(hosts) does nothing for a host and a role that are done.
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
  roles:
    description:
      - The roles for which variables are checked, by their short names. V(access:bastion) is that entry point of role
        P(ibops.gateway.access#role), and V(machine) stands for the role in C(gateway_machine_role).
      - Roles of the other stack than a host's C(gateway_stack) are left out for it. Empty checks only names and
        the playbooks' own options.
    type: list
    elements: str
    required: true
  hosts:
    description: The hosts to check. By default only the host of the task, with the variables of the task.
    type: list
    elements: str
  facts:
    description: >-
      What M(ibops.gateway.machine_info) returned, for the rules of role P(ibops.gateway.hardening#role) that need the
      host. Names and types are not looked at again; O(roles) is that one role.
    type: dict
  controls:
    description: >-
      Switches of the hardening that this run acts on; by default all of them. One that is off in the variables is left
      out.
    type: list
    elements: str
  machines:
    description: >-
      Compare only those of O(hosts) that are one machine, once M(ibops.gateway.machine_info) has seen them. They share
      its ports and names, and have to agree in the settings of the machine itself, roles
      P(ibops.gateway.hardening#role) and P(ibops.gateway.docker_engine#role). A system that is unknown is refused, and
      so is one on which nothing was ever tried, unless C(gateway_unproven_system) accepts it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Refuse what cannot work, before anything is touched
  ibops.gateway.validate:
    roles: [hardening, docker_engine, gateway, session, access]
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
problems:
  description: Every problem; empty when there is none.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: What kind of problem it is.
      type: str
      sample: user-shared
    variable:
      description: The variable, with the place in it.
      type: str
      sample: gateway_paper_sessions[0].time
    host:
      description: The host.
      type: str
      sample: ibgw-live
    value:
      description: Its value as a text of at most 80 characters; null for a secret, and where there is none.
      type: str
      sample: "1320"
    wrong:
      description: What is wrong.
      type: str
    fix:
      description: How to correct it.
      type: str
ansible_facts:
  description: >-
    C(discovered_interpreter_python), V(/usr/bin/python3), which holds where neither inventory nor configuration name
    another.
  returned: with O(hosts), and without a problem
  type: dict
covered:
  description: What a later call in this run need not check again.
  returned: with O(hosts), and without a problem
  type: dict
"""
