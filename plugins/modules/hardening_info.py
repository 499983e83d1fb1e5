#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: hardening_info
short_description: One look at what a host has that hardening depends on
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reads in one process what role P(ibops.gateway.hardening#role) decides by. Among it is how the connection reaches
    this host, what is installed and what runs, what the kernel and OpenSSH know.
  - Has to run as root.
options:
  services:
    description: Units to look at.
    type: list
    elements: str
    default: []
  sysctls:
    description: Keys of the kernel to read.
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
- name: Inspect the host
  ibops.gateway.hardening_info:
    services: [auditd.service]
    sysctls: [net.ipv4.ip_forward]
  register: host
"""

RETURN = r"""
connection:
  description:
    - The user, the client's address and the server's port of the SSH session. Each is empty without one.
    - C(groups) are those of the user.
  returned: success
  type: dict
  sample: {user: operator, groups: [users], client: 10.0.0.5, port: 22}
distribution:
  description: Id, version and code name of os-release(5).
  returned: success
  type: dict
  sample: {id: debian, version: "13", codename: trixie}
kernel:
  description: Release of the kernel.
  returned: success
  type: str
  sample: 6.12.0
machine:
  description: The processor's architecture.
  returned: success
  type: str
  sample: x86_64
product:
  description: What the firmware says the machine is; empty where it says nothing.
  returned: success
  type: str
  sample: Google Compute Engine
container:
  description: Whether this is a container, of which the kernel is somebody else's.
  returned: success
  type: bool
grub:
  description: Whether the boot loader is GRUB.
  returned: success
  type: bool
packages:
  description: Every installed package with its version.
  returned: success
  type: dict
  sample: {auditd: "1:4.0.2-2"}
services:
  description: Of each unit asked for, whether it exists, is enabled, static, active, masked, or was skipped by its own
    conditions.
  returned: success
  type: dict
  sample: {auditd.service: {exists: true, enabled: true, static: false, active: true, skipped: false, masked: false}}
journal_sealed:
  description: Whether the journal has a key for Forward Secure Sealing.
  returned: success
  type: bool
algorithms:
  description: What OpenSSH knows on the host, by kind; C(ssh -Q).
  returned: success
  type: dict
  sample: {kex: [sntrup761x25519-sha512]}
host_keys:
  description: Length in bits of sshd's keys that are in their usual places, by kind.
  returned: success
  type: dict
  sample: {ed25519: 256, rsa: 3072}
sysctls:
  description: The value in force of each key asked for; empty where the kernel has no such key.
  returned: success
  type: dict
  sample: {net.ipv4.ip_forward: "1"}
mounts:
  description: Type and options by mount point, and whether it is a directory mounted onto itself.
  returned: success
  type: dict
  sample: {/tmp: {fstype: tmpfs, options: [rw, nosuid, nodev], bound: false}}
key_helpers:
  description: Local users that sshd runs its helpers as, such as OS Login's, which ask for a user's keys.
  returned: success
  type: list
  elements: str
  sample: [root]
resolvers:
  description: Addresses of the name servers that containers inherit; none that is on the host's loopback.
  returned: success
  type: list
  elements: str
  sample: [169.254.169.254]
users:
  description: Names of the local users.
  returned: success
  type: list
  elements: str
uids:
  description: Their user ids by name.
  returned: success
  type: dict
  sample: {root: 0}
groups:
  description: Names of the local groups.
  returned: success
  type: list
  elements: str
login_users:
  description:
    - Local users with a login shell, their home, and whether a password opens the account.
    - C(ageing) is the least and the most days between two changes of it, and the days of warning. Empty means no limit.
  returned: success
  type: list
  elements: dict
  sample: [{name: operator, uid: 1000, home: /home/operator, password: false, ageing: ["0", "99999", "7"]}]
duplicates:
  description: What of the accounts is ambiguous or open. A sentence each.
  returned: success
  type: list
  elements: str
  sample: [uid 1000 occurs 2 times]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import facts


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(argument_spec={"services": names, "sysctls": names}, supports_check_mode=True)
    connection = facts.connection()
    module.exit_json(
        changed=False,
        connection={**connection, "groups": facts.groups_of(connection["user"])},
        distribution=facts.distribution(),
        kernel=os.uname().release,
        machine=os.uname().machine,
        product=facts.text("/sys/class/dmi/id/product_name").strip(),
        container=bool(facts.text("/run/systemd/container")),
        grub=os.path.isdir("/boot/grub"),
        packages=facts.packages(),
        services=facts.services(module.params["services"]),
        journal_sealed=facts.journal_sealed(),
        algorithms=facts.algorithms(),
        host_keys=facts.host_keys(),
        key_helpers=facts.key_helpers(),
        resolvers=facts.resolvers(),
        sysctls=facts.sysctls(module.params["sysctls"]),
        mounts=facts.mounts(),
        **facts.accounts(),
    )


if __name__ == "__main__":
    main()
