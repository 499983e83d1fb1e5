#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Say which machine a host of the inventory is, and which system it runs
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Several hosts of an inventory can be one machine, by one address or by several; and one address can be several
    machines, behind forwarded ports. Two hosts are one machine when this module returns the same for both in one run.
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
"""

EXAMPLES = r"""
- name: Identify the machine
  ibops.gateway.machine_info:
  register: seen
"""

RETURN = r"""
machine:
  description: The machine until its next boot. The text has no meaning but to be compared.
  returned: success
  type: str
  sample: 0d0e3c5e-8c33-4a3c-9d0c-2f5f0a6f3c11/fe01/2
distribution:
  description: Id, version and code name of os-release(5).
  returned: success
  type: dict
  sample: {id: debian, version: "13", codename: trixie}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, machine=facts.machine(), distribution=facts.distribution())


if __name__ == "__main__":
    main()
