#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_adoption
short_description: Take over the settings of a gateway that runs by Docker Compose
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Copies the settings directory out of a container that is down into that of a gateway that is not deployed yet, for
    the container's uid. The container and its volume stay as they are.
  - Takes plain files and directories only, and no kept sign-in.
  - Holds the gateway's lease meanwhile. A gateway that has settings already is left alone. Has to run as root.
options:
  gateway_name:
    description: The gateway that is going to be deployed.
    type: str
    required: true
  mode:
    description: Its mode; settings of the other mode are refused.
    type: str
    choices: [paper, live]
    required: true
  container:
    description: Name of the old container.
    type: str
    required: true
  uid:
    description: The containers' uid.
    type: int
    default: 1000
attributes:
  check_mode:
    description: Refuses what it would refuse, lists what it would copy, and writes nothing.
    support: full
  diff_mode:
    description: Lists the files, without their contents.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Take over what was set in the old gateway
  ibops.gateway.gateway_adoption:
    gateway_name: paper
    mode: paper
    container: ib-gateway
"""

RETURN = r"""
files:
  description: The files that were copied, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [jts.ini]
folder:
  description: The folder in the container that they come from.
  returned: when something is copied
  type: str
  sample: /home/ibgateway/tws_settings
users:
  description: The old container's IBKR users, in lower case.
  returned: when something is copied
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.settings_dir import printable
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import store
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import (
    DescriptorError,
    refuse_portal,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import adoption

PATIENCE = 30.0


def read(engine: Engine, old: adoption.Found) -> dict[str, bytes | None]:
    return adoption.members(engine.archive(old.name, old.folder, adoption.MOST_BYTES))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "mode": {"type": "str", "choices": ["paper", "live"], "required": True},
            "container": {"type": "str", "required": True},
            "uid": {"type": "int", "default": 1000},
        },
        supports_check_mode=True,
    )
    name, container = module.params["gateway_name"], module.params["container"]
    try:
        refuse_portal(name)
        if adoption.settled(name):
            module.exit_json(changed=False, files=[])
        engine = Engine()
        # Before the lease, whose place would be the first file of a gateway that is refused.
        old = adoption.find(engine, container, module.params["mode"])
        if module.check_mode:
            found = read(engine, old)
        else:
            with store.Store(name).lease.held("the operator", "an adoption", PATIENCE):
                # Somebody may have started the old one, or deployed the new one.
                old = adoption.find(engine, container, module.params["mode"])
                if adoption.settled(name):
                    module.exit_json(changed=False, files=[])
                found = read(engine, old)
                adoption.write(name, module.params["uid"], found)
    except BusyError as fault:
        module.fail_json(msg=str(fault))
    except (adoption.AdoptionError, DescriptorError, EngineError) as fault:
        module.fail_json(msg=f"{fault}. Nothing was changed.")
    except OSError as fault:
        module.fail_json(msg=f"cannot write {fault.filename}: {fault.strerror}. Nothing was changed.")
    files = sorted(printable(path, 200) for path, content in found.items() if content is not None)
    diff = {"before": "", "after": "".join(f"{each}\n" for each in files), "before_header": name, "after_header": name}
    module.exit_json(changed=True, files=files, folder=old.folder, users=list(old.users), diff=diff)


if __name__ == "__main__":
    main()
