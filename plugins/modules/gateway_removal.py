#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_removal
short_description: Take a gateway off its host
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Signs the gateway off, and removes its containers, units and files, its password among them. Removes what access
    methods have on the host for it, too.
  - Plans the whole before the first step, and finds everything by the gateway's name, so that a run that was cut is
    finished by the next one. Holds the gateway's lease meanwhile.
  - Leaves the image, the engine, the hardening, C(/opt/ibgw), and everything on the control node. Playbook
    C(ibops.gateway.remove) asks before it calls this module.
  - Has to run as root.
options:
  gateway_name:
    description: The gateway.
    type: str
    required: true
  data:
    description: >-
      Remove C(/var/lib/ibgw/<name>), too, which has the gateway's settings directory and the session's history.
    type: bool
    default: false
  running_live:
    description: Sign off and remove a live gateway that runs; else it is refused.
    type: bool
    default: false
extends_documentation_fragment: [ibops.gateway.lease]
attributes:
  check_mode:
    description: Refuses what it would refuse, returns what would go, and removes nothing.
    support: full
  diff_mode:
    description: Lists what goes.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Take the gateway off
  ibops.gateway.gateway_removal:
    gateway_name: paper
"""

RETURN = r"""
goes:
  description: What went, or in check mode would go. A line each.
  returned: success
  type: list
  elements: str
  sample: [container ibgw-paper, unit ibgw-watch@paper.service, file /etc/ibgw/paper]
stays:
  description: What of the gateway is left on the host, in words.
  returned: success
  type: list
  elements: str
others:
  description: The gateways that the host has beside it.
  returned: success
  type: list
  elements: str
  sample: [live]
"""

import subprocess
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.commands import ChannelError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import neighbours
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import removal
from ansible_collections.ibops.gateway.plugins.module_utils.host import facts

UNIT = "docker.service"


def around() -> list[neighbours.Neighbour]:
    """All containers; none on a host without an engine."""
    return neighbours.around(Engine()) if facts.services([UNIT])[UNIT]["exists"] else []


def control_of(params: dict[str, t.Any]) -> Control | None:
    """Return the gateway's control; None if it is not deployed."""
    name = params["gateway_name"]
    try:
        return Control(descriptor.load(name), plan.load_or_default(name)[0], owner=params["lease_owner"] or "")
    except descriptor.NotDeployedError:
        return None


def run(*command: str) -> None:
    """Run a command that may have nothing to do."""
    subprocess.run(command, capture_output=True, check=False, timeout=200, cwd="/")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "data": {"type": "bool", "default": False},
            "running_live": {"type": "bool", "default": False},
            "lease_owner": {"type": "str"},
            "names_live": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    name, data = module.params["gateway_name"], module.params["data"]

    def look() -> removal.Plan:
        containers = around()
        planned = removal.plan(name, containers, data)
        objection = removal.objection(name, containers, planned, module.params["running_live"])
        if objection:
            raise Refused(objection)
        return planned

    try:
        planned = look()
        if planned and not module.check_mode:
            owner = module.params["lease_owner"] or "the operator"
            planned = removal.carry_out(look, name, control_of(module.params), owner, run, data)
    except (descriptor.DescriptorError, EngineError, ChannelError, SessionError, BusyError) as error:
        module.fail_json(msg=str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=f"gateway {name} is removed in part: {error}. Correct that, and run again, which goes on.")
    lines = planned.lines
    module.exit_json(
        changed=bool(planned),
        goes=lines,
        stays=list(planned.stays),
        others=removal.others(name),
        diff={
            "before": "".join(f"{line}\n" for line in lines),
            "after": "",
            "before_header": name,
            "after_header": name,
        },
    )


if __name__ == "__main__":
    main()
