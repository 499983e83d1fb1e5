#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_settings
short_description: Write the files of one gateway on its VM
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reconciles the directories, the password file, IBC's settings template, C(jts.ini) and the descriptor of one
    gateway in one process. Each file is replaced whole or left as it is.
  - C(jts.ini) belongs to IBC and the gateway, which rewrite it at every start. Only the given keys are
    compared, and only a key that differs is touched, so a file that they rewrote is not a change.
  - A link or another entry that the container has put in the place of C(jts.ini) is replaced, never followed.
options:
  gateway_name:
    description: The gateway; names the directories under O(config_dir) and O(state_dir).
    type: str
    required: true
  password:
    description:
      - The IBKR password that the VM keeps, of a paper gateway, as the user types it; written for root alone, in the
        Java properties form that IBC reads.
      - Neither the result nor the diff shows it.
    type: str
  config:
    description: IBC's settings template, with C(${TWS_USERID}) and C(${TWS_PASSWORD}) left for the image to fill in.
    type: str
  jts:
    description: The keys of C(jts.ini) to hold, as ini text. Give it only while the container is down.
    type: str
  descriptor:
    description: The gateway's description for programs on the host; written as C(gateway.json).
    type: dict
  config_dir:
    description: Where settings and secrets live.
    type: path
    default: /etc/ibgw
  state_dir:
    description: Where the gateway's own settings directory lives.
    type: path
    default: /var/lib/ibgw
  uid:
    description:
      - User and group of the container's processes, which read the settings and own the settings directory.
      - They are reserved as M(ibops.gateway.container_user) does it, before anything is written.
    type: int
    default: 1000
  min_free_mib:
    description: Refuse to write when a file system of this gateway or of Docker has less space left, in MiB.
    type: int
    default: 0
attributes:
  check_mode:
    description: Reports what would change and writes nothing.
    support: full
  diff_mode:
    description: Shows attributes and contents; of a secret only that it changes, of C(jts.ini) the given keys only.
    support: full
  idempotent:
    description: A second run changes nothing, also after the gateway rewrote C(jts.ini).
    support: full
"""

EXAMPLES = r"""
- name: Hold the time zone in jts.ini while the gateway is down
  ibops.gateway.gateway_settings:
    gateway_name: paper
    jts: |
      [Logon]
      TimeZone=America/New_York
"""

RETURN = r"""
paths:
  description: The files and directories that changed.
  returned: always
  type: list
  elements: str
  sample: [/etc/ibgw/paper/ibc/config.ini.tmpl]
descriptor:
  description: What host-side programs need to know of this gateway.
  returned: when O(descriptor) is given
  type: dict
  sample: {schema: 1, name: paper, mode: paper}
secret_revision:
  description: A salted scrypt digest of the password, so that a changed password can be noticed without being kept.
  returned: when O(password) is given
  type: str
  sample: 5f1d3c8a90e4b7c2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.properties import UnrepresentableError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import reconcile
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.settings_files import (
    DOCKER_DIR,
    entries,
    secret_revision,
    short_of_space,
)
from ansible_collections.ibops.gateway.plugins.module_utils.host import container_user


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "config": {"type": "str"},
            "jts": {"type": "str"},
            "descriptor": {"type": "dict"},
            "config_dir": {"type": "path", "default": "/etc/ibgw"},
            "state_dir": {"type": "path", "default": "/var/lib/ibgw"},
            "uid": {"type": "int", "default": 1000},
            "min_free_mib": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    shortage = short_of_space([params["config_dir"], params["state_dir"], DOCKER_DIR], params["min_free_mib"])
    if shortage:
        module.fail_json(msg=shortage)
    try:
        wanted = entries(params)
        changes = container_user.reserve(params["uid"], module.check_mode)
        changes += reconcile(wanted, check=module.check_mode)
    except container_user.TakenError as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.")
    except UnrepresentableError as fault:
        module.fail_json(
            msg=f"gateway_password: {fault}; IBC cannot read it from its settings file. Nothing was changed."
        )
    except OSError as fault:
        module.fail_json(
            msg=f"cannot write {fault.filename}: {fault.strerror}. The files written so far are whole, "
            "the others are as they were; fix the cause and run again."
        )
    result = {"changed": bool(changes), "diff": changes, "paths": [change["after_header"] for change in changes]}
    if params["descriptor"] is not None:
        result["descriptor"] = params["descriptor"]
    if params["password"] is not None:
        result["secret_revision"] = secret_revision(params["gateway_name"], params["password"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
