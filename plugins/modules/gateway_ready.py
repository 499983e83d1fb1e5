#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_ready
short_description: Wait until a TWS API is really usable
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Waits until an Interactive Brokers Gateway (or TWS) is in a named state, by default until its API is usable.
  - Usable means that the API completes the handshake, names its accounts, gives an order id, answers a request
    for the time,
    reports neither a lost link to IBKR nor a broken data farm, and that the accounts fit the mode.
    An open port means none of it, since the relay in the container accepts connections before there is a gateway.
  - With O(gateway_name) the wait follows the container's log and asks the API at the moment when the log says
    that it can answer,
    rather than knocking on the port. Without it, the API is asked every O(delay) seconds.
  - An attempt to ask lasts 5 seconds at most. After one that was too short for the gateway the next may last twice
    as long, up to 40 seconds, or all of the time that is left.
  - The wait ends early in every state that time cannot fix, for example a container that has exited, refused
    passwords,
    a push that was missed, another account than allowed, or a port where something else listens.
  - Asking is harmless. One session at a time, under its own client id, with no request that a read-only
    gateway would ask a person about.
extends_documentation_fragment:
  - ibops.gateway.endpoint
  - ibops.gateway.endpoint.settle
  - ibops.gateway.endpoint.attributes
attributes:
  check_mode:
    support: full
    details: In check mode it looks once, does not wait and does not fail.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: It changes nothing.
options:
  state:
    description:
      - The state to wait for. Every one but V(ready) needs O(gateway_name).
    type: str
    choices: [stopped, starting, waiting_2fa, ready, degraded, blocked]
    default: ready
  timeout:
    description: How long to wait, in seconds.
    type: float
    default: 180
  delay:
    description:
      - Least time between the end of an attempt and the next one, in seconds; at least V(2), since faster
        reconnects are known to
        wedge gateways.
    type: float
    default: 2
seealso:
  - module: ibops.gateway.gateway_info
  - module: ibops.gateway.gateway_client_check
"""

EXAMPLES = r"""
- name: Wait for any TWS API, also one that was not deployed by this collection
  ibops.gateway.gateway_ready:
    host: 127.0.0.1
    port: 4002
    timeout: 5

- name: Wait until the paper gateway of this VM can be used, and only by the right account
  ibops.gateway.gateway_ready:
    gateway_name: paper
    accounts: [DU1234567]
    timeout: 180
  become: true

- name: Wait until somebody has to take the phone
  ibops.gateway.gateway_ready:
    gateway_name: live
    state: waiting_2fa
    timeout: 120
  become: true
"""

RETURN = r"""
elapsed:
  description: How long the wait took, in seconds.
  returned: always
  type: float
  sample: 12.3
api_state:
  description:
    - What the API showed. One of V(ready), V(port_closed), V(unreachable), V(tcp_timeout),
      V(proxy_up_gateway_down),
      V(closed_before_handshake), V(no_handshake), V(not_tws), V(unsupported_version), V(closed_after_handshake),
      V(no_accounts), V(no_valid_id), V(unresponsive), V(link_down), V(port_moved), V(degraded),
      V(wrong_account), or
      C(rejected:<code>)
      with the error code of the gateway (V(rejected:326) client id in use, V(rejected:10141) paper disclaimer
      not accepted).
    - Null when the API was not asked, because the container or its log had settled the matter.
  returned: always
  type: str
  sample: ready
state:
  description: State of the gateway, from its container, its log and its API.
  returned: with O(gateway_name)
  type: str
  sample: ready
reason:
  description: Why it is in that state.
  returned: always
  type: str
  sample: the API answers, the accounts fit and nothing is reported broken
host:
  description: Host of the API, as seen from the target host.
  returned: always
  type: str
  sample: 127.0.0.1
port:
  description: Port of the API.
  returned: always
  type: int
  sample: 4002
final:
  description: Whether waiting cannot make it ready.
  returned: always
  type: bool
  sample: false
next_step:
  description: What a person does next.
  returned: always
  type: str
  sample: Connect.
farms:
  description: How many of IBKR's data farms are V(ok), V(connecting) and V(broken), as far as the API told; an
    ignored one is never V(broken).
  returned: always
  type: dict
  sample: {ok: 3, connecting: 0, broken: 0}
timings:
  description: Milliseconds that each step of the last attempt took (connect, handshake, session, current_time,
    settle, mute_connect, total).
  returned: always
  type: dict
  sample: {connect: 0.4, handshake: 12.1, session: 2.6, current_time: 0.3, settle: 0.1, total: 15.6}
attempts:
  description: How often the API was asked.
  returned: always
  type: int
  sample: 1
server_version:
  description: API version that the session agreed on; null when it did not come so far.
  returned: always
  type: int
  sample: 178
connection_time:
  description: The gateway's clock and time zone, in its own words.
  returned: always
  type: str
  sample: 20261120 09:43:55 America/New_York
accounts:
  description: Account ids that the gateway is signed in to, masked (the first 20).
  returned: always
  type: list
  elements: str
  sample: ["DU***67"]
account_count:
  description: How many accounts there are.
  returned: always
  type: int
  sample: 1
account_fault:
  description:
    - How the accounts differ from those that the mode and O(accounts) allow. Null when they do not, or none was
      named.
  returned: always
  type: str
  sample: null
next_valid_id:
  description: The next order id.
  returned: always
  type: int
  sample: 1
read_only:
  description: Whether the gateway has reported a read-only API (error 321); null when it has not.
  returned: always
  type: bool
  sample: null
release_notice:
  description: >-
    IBKR's text that it will no longer accept the gateway's release (notice 2172); null when it has not come.
    RV(release) has it understood.
  returned: always
  type: str
  sample: null
release:
  description:
    - Until when IBKR accepts the gateway's release, by its own announcement (notice 2172, or a dialog of the sign-in),
      else by the collection's table of releases.
    - C(release), C(accepted_until) (the first day on which it does not, in New York), C(days_left) until then,
      C(minimum) (the oldest release that is accepted then), each null where it is not known; C(severity) (V(ok),
      V(warning), V(critical) in the last seven days and after them), C(text), C(next_step).
  returned: always
  type: dict
  sample: {release: 10.45.1j, accepted_until: "2026-12-15", days_left: 13.5, minimum: 10.50.1, severity: warning}
clock_skew:
  description: Difference between the gateway's clock and the target host's, in seconds.
  returned: always
  type: float
  sample: 0.4
notices:
  description: Error messages and notices of the gateway (the first 50 different ones), with its text made printable.
  returned: always
  type: list
  elements: dict
  sample: [{code: 2104, text: "Market data farm connection is OK:usfarm"}]
notice_count:
  description: How many notices there were, repeated ones included.
  returned: always
  type: int
  sample: 3
container:
  description: >-
    The container: C(name), C(exists), C(running), C(status), C(exit_code), C(exit_meaning), C(started_at),
    C(finished_at) (of the run before, where it runs), C(image), C(release), C(revision).
    Null when the engine is not reachable.
  returned: with O(gateway_name)
  type: dict
  sample: {name: ibgw-paper, exists: true, running: true, status: running, exit_code: null, exit_meaning: null}
engine:
  description: Whether the Docker engine answered (C(reachable)), and why not (C(reason)).
  returned: with O(gateway_name)
  type: dict
  sample: {reachable: true, reason: null}
pending:
  description: Whether the container runs with other settings than those deployed, which wait for its next start.
  returned: with O(gateway_name)
  type: bool
  sample: false
milestones:
  description:
    - What the container's log tells since its last start. C(phase), C(login_attempts), C(pushes),
      C(pushes_missed), C(refused_logins),
      C(full_authentication) (whether a sign-in was needed), C(read_only), C(exit_codes) of the JVM,
      C(finding), C(last_error), C(last_dialog),
      C(log_gaps) (how often lines were lost unread),
      C(gateway_version), C(controller_version) and more.
  returned: with O(gateway_name)
  type: dict
  sample: {controller: ibc, phase: configured, login_attempts: 1, pushes: 0, read_only: false}
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import (
    DescriptorError,
    NotDeployedError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.wait import MIN_DELAY, wait_for


def main() -> None:
    module = AnsibleModule(
        argument_spec=_endpoint.argument_spec(
            state={"type": "str", "choices": list(verdicts.GATEWAY_STATES), "default": verdicts.READY},
            timeout={"type": "float", "default": 180},
            delay={"type": "float", "default": MIN_DELAY},
            settle={"type": "float"},
        ),
        required_one_of=[("port", "gateway_name")],
        supports_check_mode=True,
    )
    wanted, name = module.params["state"], module.params["gateway_name"]
    _endpoint.refuse_not_positive(module, "timeout")
    if module.params["delay"] < MIN_DELAY:
        module.fail_json(msg=f"delay is {module.params['delay']}: it must be at least {MIN_DELAY} seconds")
    if wanted != verdicts.READY and not name:
        module.fail_json(msg=f"state {wanted} shows in the container and its log: add gateway_name, or wait for ready")
    started = time.monotonic()
    try:
        gateway = _endpoint.gateway(module)
    except NotDeployedError as error:
        if module.check_mode:
            module.exit_json(
                changed=False,
                deployed=False,
                api_state=None,
                state=None,
                reason=str(error),
                next_step=f"Run {playbooks.SITE}.",
                elapsed=0.0,
            )
        module.fail_json(msg=str(error))
    except DescriptorError as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        gateway.look()
        met = True
    else:
        met = wait_for(gateway, wanted, module.params["timeout"], module.params["delay"])
    report = {"changed": False, "elapsed": round(time.monotonic() - started, 3), **gateway.report()}
    if met:
        module.exit_json(**report)
    what = f"gateway {name}" if name else "the API at {host}:{port}".format(**gateway.endpoint)
    found = report["state"] if name else report["api_state"]
    module.fail_json(
        msg=f"{what} is not {wanted} after {report['elapsed']:.1f} s but {found}: {report['reason']}. "
        f"Next step: {report['next_step']}",
        **report,
    )


if __name__ == "__main__":
    main()
