#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_user
short_description: Reserve the containers' uid for a locked account
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - A user of the host with the container's uid can read the data of its processes, the password included. So the
    uid, and the gid of the same number, must belong to no login.
  - Makes the account C(ibgateway) without password, shell and home where they are free. Fails with the commands that
    free them where they are taken.
options:
  uid:
    description: The uid and gid of the container's processes.
    type: int
    default: 1000
attributes:
  check_mode:
    description: Fails where the uid is taken, and makes nothing.
    support: full
  diff_mode:
    description: Shows the account.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Reserve the containers' uid
  ibops.gateway.container_user:
"""

RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host.container_user import TakenError, reserve


def main() -> None:
    module = AnsibleModule(argument_spec={"uid": {"type": "int", "default": 1000}}, supports_check_mode=True)
    try:
        diff = reserve(module.params["uid"], module.check_mode)
    except TakenError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.")
    except OSError as fault:
        module.fail_json(msg=f"{fault.filename}: {fault.strerror}. Nothing else was changed.")
    module.exit_json(changed=bool(diff), diff=diff)


if __name__ == "__main__":
    main()
