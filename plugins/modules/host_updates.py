#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: host_updates
short_description: Say which updates of a Debian host wait, and for what
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Lists the packages that have an update, those on hold too, the services that run replaced libraries, and whether
    a reboot is required.
  - Reads the package lists as they are on the host; M(ansible.builtin.apt) refreshes them. Has to run as root.
options: {}
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
seealso:
  - name: unattended-upgrades
    description: What applies security updates by itself, those on hold excepted.
    link: https://wiki.debian.org/UnattendedUpgrades
"""

EXAMPLES = r"""
- name: Look for pending updates
  ibops.gateway.host_updates:
  register: updates

- name: Name those that wait for the maintenance window
  ansible.builtin.debug:
    msg: "{{ updates.pending | selectattr('held') | map(attribute='name') }}"
"""

RETURN = r"""
pending:
  description:
    - The packages that have an update, by name. C(installed) is null for a package that an update brings along, like
      a new kernel.
    - C(held) tells whether the package is on hold, C(security) whether the update comes from a security archive.
  returned: success
  type: list
  elements: dict
  sample: [{name: docker.io, installed: 26.1.5-9, candidate: 26.1.6-1, held: true, security: true}]
restart_wanted:
  description: The services that run a program or a library that has been replaced. Null where needrestart is missing.
  returned: success
  type: list
  elements: str
  sample: [docker.service]
reboot_required:
  description: Whether a package asked for a reboot, or a newer kernel than the running one is installed.
  returned: success
  type: bool
  sample: false
reboot_reasons:
  description: The packages and the kernel that ask for it.
  returned: success
  type: list
  elements: str
  sample: [linux-image-6.12.57+deb13-cloud-amd64]
gateways_running:
  description:
    - The deployed gateways whose container runs, so that a session may be up.
    - All of them when the Docker engine cannot be asked.
  returned: success
  type: list
  elements: str
  sample: [paper]
sign_off:
  description: Arguments of C(ansible) that sign the first of them off; empty when none runs.
  returned: success
  type: str
  sample: -m ibops.gateway.gateway_session -a "gateway_name=paper state=stopped"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place as portal
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import (
    DescriptorError,
    all_deployed,
    load,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import container_facts
from ansible_collections.ibops.gateway.plugins.module_utils.host import updates


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    running = [name for name in all_deployed() if runs(name)]
    first = sign_off(running[0]) if running else ""
    try:
        module.exit_json(changed=False, **updates.look(), gateways_running=running, sign_off=first)
    except updates.UpdatesError as fault:
        module.fail_json(msg=f"cannot ask this host for its updates: {fault}")


def runs(name: str) -> bool:
    """Whether a gateway's container runs; True if unknown."""
    try:
        container = portal.container(name) if portal.is_here(name) else load(name).container
        return bool(container_facts(Engine(), container)["running"])
    except (DescriptorError, EngineError):
        return True


def sign_off(name: str) -> str:
    if portal.is_here(name):
        return f'-m ansible.builtin.command -a "docker stop {portal.container(name)}"'
    return f'-m ibops.gateway.gateway_session -a "gateway_name={name} state=stopped"'


if __name__ == "__main__":
    main()
