#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_network_info
short_description: Read a network of Google Cloud and what belongs to it
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reads a VPC network, its firewall rules, and its subnets, addresses and routers of one region.
  - An address belongs to a network when it is one of its subnets' or carries the label C(ibops-gateway) with its name.
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
    description: The network's name.
    type: str
    required: true
seealso:
  - module: ibops.gateway.gcp_network
"""

EXAMPLES = r"""
- name: Which address does IBKR see
  ibops.gateway.gcp_network_info:
    project: my-project
    region: europe-west1
    name: ibgw
  register: cloud

- name: Show it
  ansible.builtin.debug:
    var: cloud.resources.addresses['ibgw-nat'].address
"""

RETURN = r"""
resources:
  description:
    - C(network), null when there is none, and C(subnets), C(addresses), C(routers) and C(firewalls) by their names, as
      the API has them.
  returned: success
  type: dict
  sample: {network: {name: ibgw}, subnets: {}, addresses: {ibgw-nat: {address: 203.0.113.1}}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import network, rules
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError


def main() -> None:
    module = AnsibleModule(
        argument_spec=_gcp.argument_spec(name={"type": "str", "required": True}), supports_check_mode=True
    )
    _gcp.refuse(module, rules.place(module.params))
    try:
        found = network.Observed(_gcp.connect(module, network.RESOURCES), module.params["name"])
    except GcpError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, resources=found.report())


if __name__ == "__main__":
    main()
