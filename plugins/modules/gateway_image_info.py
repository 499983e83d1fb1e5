#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_image_info
short_description: Look at a gateway's image before it is trusted
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Tells what an image on the host is, and how it differs from what role P(ibops.gateway.gateway#role) assumes. Nothing
    of it is run. Its environment, labels, user, command and architecture come from the engine, its files from a
    container that is made, never started and removed.
  - An image that is refused is a finding and not a failure; M(ibops.gateway.gateway_container) refuses it.
  - Run it as root.
extends_documentation_fragment:
  - ibops.gateway.endpoint.attributes
attributes:
  check_mode:
    support: partial
    details: It leaves the files out, for which a container is made.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: It changes nothing.
options:
  gateway_name:
    description: Name of the gateway, after which the container that is made is named.
    type: str
    required: true
  image:
    description: The image, with its digest.
    type: str
    required: true
  uid:
    description: The user id that the role runs the container with.
    type: int
    default: 1000
  program:
    description: The program that the image has to have, IB Gateway or TWS.
    type: str
    choices: [gateway, tws]
    default: gateway
  environment:
    description:
      - The environment that the role gives to the container. With C(TRADING_MODE) V(live) it is held to what a live
        gateway needs.
    type: dict
    default: {}
  config:
    description: IBC's settings template, whose keys the image's IBC, and whose settings ibg-controller has to know.
    type: str
    required: true
  accept:
    description: Differences that are not refused, by their C(id).
    type: list
    elements: str
    default: []
seealso:
  - module: ibops.gateway.gateway_container
"""

EXAMPLES = r"""
- name: Look at the image
  ibops.gateway.gateway_image_info:
    gateway_name: paper
    image: ghcr.io/gnzsnz/ib-gateway@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    config: "{{ lookup('ansible.builtin.template', 'config.ini.j2') }}"
  become: true
  register: image

- name: Show it
  ansible.builtin.debug:
    msg: "{{ image.lines }}"
"""

RETURN = r"""
present:
  description: Whether the image is on the host. Without it there is nothing else.
  returned: success
  type: bool
  sample: true
image:
  description: The image.
  returned: when it is present
  type: str
  sample: ghcr.io/gnzsnz/ib-gateway@sha256:0123456789abcdef
release:
  description: The release of the gateway in it; null when it names none.
  returned: when it is present
  type: str
  sample: 10.50.1d
controller:
  description: What drives the gateway in it (V(ibc), V(ibg-controller), V(ibctl)); null when that is not clear.
  returned: when it is present
  type: str
  sample: ibc
controller_version:
  description: The version of what drives the gateway; null when it is not known.
  returned: when it is present
  type: str
  sample: 3.24.1
known:
  description: The known image with the same release and version, and what is special about it; null when there is none.
  returned: when it is present
  type: str
  sample: ghcr.io/gnzsnz/ib-gateway; digest of an index
refused:
  description: Whether a container is not made of it.
  returned: when it is present
  type: bool
  sample: false
differences:
  description:
    - How it differs from what the role assumes, or from the known image of its release. C(id), C(refused), C(wanted),
      C(found), C(text).
  returned: when it is present
  type: list
  elements: dict
  sample: [{id: user, refused: true, wanted: "1000:1000", found: root, text: "it is made for user 'root'"}]
lines:
  description: All of it for a terminal.
  returned: when it is present
  type: list
  elements: str
  sample: ["release     10.50.1d", "controller  ibc 3.24.1", "as expected"]
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import (
    Engine,
    EngineError,
    NotFoundError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.deploy import image


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "uid": {"type": "int", "default": 1000},
            "program": {"type": "str", "choices": ["gateway", "tws"], "default": "gateway"},
            "environment": {"type": "dict", "default": {}},
            "config": {"type": "str", "required": True},
            "accept": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        engine = Engine()
        environment = {name: str(value) for name, value in params["environment"].items()}
        wanted = image.Wanted(
            params["uid"],
            environment,
            params["config"],
            params["accept"],
            engine.platform(),
            time.time(),
            params["program"],
        )
        container = None if module.check_mode else image.container_name(f"ibgw-{params['gateway_name']}")
        found = image.examine(engine, params["image"], wanted, container)
    except NotFoundError:
        module.exit_json(changed=False, present=False)
    except EngineError as fault:
        module.fail_json(msg=f"{fault}. Nothing was touched.")
    module.exit_json(changed=False, present=True, **found.as_dict())


if __name__ == "__main__":
    main()
