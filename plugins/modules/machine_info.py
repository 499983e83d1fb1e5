#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_info
short_description: Say which machine a host of the inventory is, which system it runs, and what it has
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Several hosts of an inventory can be one machine, by one address or by several; and one address can be several
    machines, behind forwarded ports. Two hosts are one machine when this module returns the same for both in one run.
  - With O(facts) it also reads what role P(ibops.gateway.hardening#role) decides by. Among it is how the connection
    reaches this host, what is installed, and what the kernel and OpenSSH know. That has to run as root.
options:
  facts:
    description: Whether to read more than which machine this is.
    type: bool
    default: false
  sysctls:
    description: Keys of the kernel to read with O(facts).
    type: list
    elements: str
    default: []
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

- name: Look at the host
  ibops.gateway.machine_info:
    facts: true
    sysctls: [net.ipv4.ip_forward]
  register: host
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
connection:
  description:
    - The user, the client's address and the server's port of the SSH session. Each is empty without one.
    - C(groups) are those of the user.
  returned: with O(facts)
  type: dict
  sample: {user: operator, groups: [users], client: 10.0.0.5, port: 22}
kernel:
  description: Release of the kernel.
  returned: with O(facts)
  type: str
  sample: 6.12.0
architecture:
  description: The processor's architecture.
  returned: with O(facts)
  type: str
  sample: x86_64
product:
  description: What the firmware says the machine is; empty where it says nothing.
  returned: with O(facts)
  type: str
  sample: Google Compute Engine
container:
  description: Whether this is a container, of which the kernel is somebody else's.
  returned: with O(facts)
  type: bool
grub:
  description: Whether the boot loader is GRUB.
  returned: with O(facts)
  type: bool
packages:
  description: Every installed package with its version.
  returned: with O(facts)
  type: dict
  sample: {auditd: "1:4.0.2-2"}
journal_sealed:
  description: Whether the journal has a key for Forward Secure Sealing.
  returned: with O(facts)
  type: bool
algorithms:
  description: What OpenSSH knows on the host, by kind; C(ssh -Q).
  returned: with O(facts)
  type: dict
  sample: {kex: [sntrup761x25519-sha512]}
host_keys:
  description: Length in bits of sshd's keys that are in their usual places, by kind.
  returned: with O(facts)
  type: dict
  sample: {ed25519: 256, rsa: 3072}
sysctls:
  description: The value in force of each key asked for; empty where the kernel has no such key.
  returned: with O(facts)
  type: dict
  sample: {net.ipv4.ip_forward: "1"}
mounts:
  description: Type and options by mount point, and whether it is a directory mounted onto itself.
  returned: with O(facts)
  type: dict
  sample: {/tmp: {fstype: tmpfs, options: [rw, nosuid, nodev], bound: false}}
key_helpers:
  description: Local users that sshd runs its helpers as, such as OS Login's, which ask for a user's keys.
  returned: with O(facts)
  type: list
  elements: str
  sample: [root]
resolvers:
  description: Addresses of the name servers that containers inherit; none that is on the host's loopback.
  returned: with O(facts)
  type: list
  elements: str
  sample: [169.254.169.254]
users:
  description: Names of the local users.
  returned: with O(facts)
  type: list
  elements: str
uids:
  description: Their user ids by name.
  returned: with O(facts)
  type: dict
  sample: {root: 0}
groups:
  description: Names of the local groups.
  returned: with O(facts)
  type: list
  elements: str
login_users:
  description:
    - Local users with a login shell, their home, and whether a password opens the account.
    - C(ageing) is the least and the most days between two changes of it, and the days of warning. Empty means no limit.
  returned: with O(facts)
  type: list
  elements: dict
  sample: [{name: operator, uid: 1000, home: /home/operator, password: false, ageing: ["0", "99999", "7"]}]
duplicates:
  description: What of the accounts is ambiguous or open. A sentence each.
  returned: with O(facts)
  type: list
  elements: str
  sample: [uid 1000 occurs 2 times]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts


def look(sysctls: list[str]) -> dict[str, t.Any]:
    connection = facts.connection()
    return {
        "connection": {**connection, "groups": facts.groups_of(connection["user"])},
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
        "product": facts.text("/sys/class/dmi/id/product_name").strip(),
        "container": bool(facts.text("/run/systemd/container")),
        "grub": os.path.isdir("/boot/grub"),
        "packages": facts.packages(),
        "journal_sealed": facts.journal_sealed(),
        "algorithms": facts.algorithms(),
        "host_keys": facts.host_keys(),
        "key_helpers": facts.key_helpers(),
        "resolvers": facts.resolvers(),
        "sysctls": facts.sysctls(sysctls),
        "mounts": facts.mounts(),
        **facts.accounts(),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "facts": {"type": "bool", "default": False},
            "sysctls": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    more = look(module.params["sysctls"]) if module.params["facts"] else {}
    module.exit_json(changed=False, machine=facts.machine(), distribution=facts.distribution(), **more)


if __name__ == "__main__":
    main()
