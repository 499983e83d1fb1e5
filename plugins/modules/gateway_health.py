#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_health
short_description: Everything that tells whether a gateway is fine, and until when
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Looks once at a gateway (its API, container and log), at what its watcher remembers of the week, and at the host
    below it. Filter P(ibops.gateway.live_check#filter) judges what is found.
  - Each fact is had by itself. Of one that cannot be had, the values are null and its C(reason) says why. A gateway
    that is down, blocked or not deployed is a finding and not a failure.
  - No secret is read, account ids are masked. Has to run as root.
extends_documentation_fragment:
  - ibops.gateway.endpoint.attributes
attributes:
  check_mode:
    support: full
    details: It reads only and runs in check mode as well.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: It changes nothing.
options:
  gateway_name:
    description: >-
      Name of a gateway that role P(ibops.gateway.gateway#role) or P(ibops.gateway.client_portal#role) deployed on the
      target host.
    type: str
    required: true
  timeout:
    description: How long the look at the API may take, in seconds.
    type: float
    default: 5
  settle:
    description:
      - How long after the start of the API session reports of trouble are collected, in seconds.
      - By default 0.3, or less once the gateway has reported on every kind of data farm and is silent for 0.03.
    type: float
seealso:
  - module: ibops.gateway.gateway_info
  - module: ibops.gateway.gateway_client_check
"""

EXAMPLES = r"""
- name: Look at the live gateway of this VM, and at the VM
  ibops.gateway.gateway_health:
    gateway_name: live
  become: true
  register: health

- name: Say until when it is signed in
  ansible.builtin.debug:
    msg: "{{ health.session.valid_until_new_york }}"
"""

RETURN = r"""
deployed:
  description: Whether this host has the gateway. Without it there is no more than C(reason).
  returned: always
  type: bool
  sample: true
gateway_name:
  description: Name of the gateway.
  returned: always
  type: str
  sample: live
mode:
  description: V(live) or V(paper); null when it is not deployed.
  returned: always
  type: str
  sample: live
checked_at:
  description: When the host was looked at, in epoch seconds.
  returned: always
  type: float
  sample: 1795739963.7
look:
  description: >-
    What M(ibops.gateway.gateway_info) returns of the gateway.
  returned: when it is deployed
  type: dict
  sample: {state: ready, api_state: ready, accounts: ["U***67"], pending: false}
accounts:
  description: >-
    Whether the accounts of the API are those of the mode and the allow-list (C(fit)), how many are allowed
    (C(allowed), 0 for any) and how many there are (C(served)).
  returned: when it is deployed
  type: dict
  sample: {fit: true, allowed: 1, served: 1, reason: null}
session:
  description: >-
    What the host remembers, as in RV(ibops.gateway.gateway_info#module:session). Also C(stale_seconds) since the
    watcher's last look, C(plan), C(reset_until) (end of IBKR's reset that is going on), and C(window) and
    C(next_window) of a paper gateway's sessions.
  returned: when it is deployed
  type: dict
  sample: {state: ready, signed_in_at: 1795415520.0, valid_until: 1795932000.0, blocked: null, reason: null}
history:
  description: >-
    The C(events) of the last eight days, oldest first.
  returned: when it is deployed
  type: dict
  sample: {events: [{at: 1795415520.1, event: sign_in, text: signed in, by: the operator}], reason: null}
image:
  description: >-
    The image that is C(wanted) and the one of the container (C(running)), whether they are the C(same), whether the
    first is C(pinned) by its digest and C(present) on the host.
  returned: when it is deployed
  type: dict
  sample: {wanted: "registry.example/ib-gateway@sha256:0f1e", pinned: true, same: true, present: true, reason: null}
log:
  description: >-
    Size of the container's log in C(bytes) and C(files), since when it goes back, and how much a day adds to it.
  returned: when it is deployed
  type: dict
  sample: {bytes: 182044, files: 1, since: 1795415480.0, bytes_per_day: 48120, reason: null}
restarts:
  description: >-
    Starts of the JVM since the container's own start (C(jvm_runs)), Docker's restarts of the container
    (C(by_docker)), and how many days it has been up.
  returned: when it is deployed
  type: dict
  sample: {jvm_runs: 6, by_docker: 0, started_at: 1795415480.0, up_days: 5.2, reason: null}
clock:
  description: >-
    Whether the clock is C(synchronised), whether a C(service) is on for it, and whether the host is a C(container),
    which has the clock of the machine around it.
  returned: when it is deployed
  type: dict
  sample: {synchronised: true, service: true, container: false, reason: null}
disks:
  description: >-
    The file systems of the host, of Docker and of the settings, each once.
  returned: when it is deployed
  type: list
  elements: dict
  sample: [{path: /, total: 21474836480, free: 12884901888, free_percent: 60.0, inodes_percent: 91.2, reason: null}]
units:
  description: >-
    The C(units) of the collection, of the updates and of Docker, with what systemd says of them.
  returned: when it is deployed
  type: dict
  sample: {units: [{name: ibgw-watch@live.service, active: active, sub: running, enabled: enabled}], reason: null}
secret:
  description: >-
    Age, mode and owner of the password's file, and the C(source) where the VM fetches it itself.
  returned: when it is deployed
  type: dict
  sample: {age_days: 12.5, mode: "0440", owner: root, source: null, reason: null}
certificates:
  description: >-
    The certificates below C(/etc/ibgw) and the days that each is still good for.
  returned: when it is deployed
  type: list
  elements: dict
  sample: [{path: /etc/ibgw/live/tls/server.crt, days_left: 80.2, ends_at: 1802660000.0, reason: null}]
client:
  description: >-
    Whether the environment of M(ibops.gateway.gateway_client_check) is C(installed).
  returned: when it is deployed
  type: dict
  sample: {installed: true, python: /opt/ibgw/client/bin/python}
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import ATTEMPT_SECONDS
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import facts as portal_facts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import place, watched
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import health
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import DescriptorError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": ATTEMPT_SECONDS},
            "settle": {"type": "float"},
        },
        supports_check_mode=True,
    )
    _endpoint.refuse_not_positive(module, "timeout")
    params = module.params
    name = params["gateway_name"]
    try:
        if place.is_here(name):
            facts = portal_facts.examine(watched.load(name), time.time())
        else:
            facts = health.look(name, params["timeout"], params["settle"])
    except (DescriptorError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
