#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_vm_info
short_description: Read a gateway's VM in Google Cloud
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reads a VM of Compute Engine, its boot disk and the schedule of its snapshots.
extends_documentation_fragment:
  - ibops.gateway.gcp
  - ibops.gateway.gcp.region
  - ibops.gateway.gcp.compute
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
options:
  name:
    description: The VM's name.
    type: str
    required: true
  zone:
    description: The zone that it is in, one of O(region).
    type: str
    required: true
seealso:
  - module: ibops.gateway.gcp_vm
"""

EXAMPLES = r"""
- name: Does the paper gateway's VM run
  ibops.gateway.gcp_vm_info:
    project: my-project
    region: europe-west1
    zone: europe-west1-b
    name: ibgw-paper
  register: cloud

- name: Show its state and its address
  ansible.builtin.debug:
    msg: "{{ cloud.vm.status }}, {{ cloud.vm.internal_address }}"
  when: cloud.vm is not none
"""

RETURN = r"""
vm:
  description:
    - The VM in short, as the inventory has it; null when there is none. An address is empty where there is none.
  returned: success
  type: dict
  sample:
    name: ibgw-paper
    id: "4000000001"
    zone: europe-west1-b
    status: RUNNING
    labels: {role: ib-gateway, ibgw-mode: paper, ibops-gateway: ibgw-paper}
    machine_type: e2-small
    internal_address: 10.10.0.2
    external_address: ""
    guest_attributes: true
resources:
  description: C(instance), C(disk) and C(snapshots), as the API has them, each null when there is none.
  returned: success
  type: dict
  sample: {instance: {name: ibgw-paper}, disk: {name: ibgw-paper, sizeGb: "20"}, snapshots: null}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import vm
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import instance

NAME = {"type": "str", "required": True}


def main() -> None:
    module = AnsibleModule(argument_spec=_gcp.argument_spec(name=NAME, zone=NAME), supports_check_mode=True)
    _gcp.refuse(module, instance.where(module.params))
    try:
        found = vm.Observed(_gcp.connect(module, vm.RESOURCES), module.params["name"])
    except GcpError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, vm=found.short(), resources=found.report())


if __name__ == "__main__":
    main()
