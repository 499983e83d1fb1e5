#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: client_portal_ready
short_description: Wait until a Client Portal Gateway is really usable
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Waits until IBKR's Client Portal Gateway (the Web API over HTTPS) is in a named state, by default until it is
    usable.
  - Usable means that it is signed in, has a brokerage session, is linked to IBKR, names accounts that fit the mode, and
    that its websocket tells of an authenticated session.
  - The wait ends early where time cannot help, such as another account than allowed, another certificate, or another
    program on the port.
  - Asking is harmless. It is four requests an attempt, of which C(/tickle) keeps the session alive; C(/sso/validate) is
    asked at most once a minute, which is IBKR's limit.
extends_documentation_fragment:
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
      - The state to wait for.
      - V(down), nothing answers, or something else does.
      - V(unauthenticated), the gateway answers and nobody is signed in.
      - V(competing), the same IBKR user has its brokerage session elsewhere.
      - V(connected), signed in and not usable yet; RV(reason) says what is missing.
      - V(ready), usable.
    type: str
    choices: [down, unauthenticated, competing, connected, ready]
    default: ready
  gateway_name:
    description:
      - Name of a gateway that role P(ibops.gateway.client_portal#role) deployed on the target host.
      - Host, port, mode, accounts and CA are then those of C(/etc/ibgw/<name>/client_portal.json).
      - The module then has to run as root.
    type: str
  host:
    description: Host of the API, by default the deployed one's, else V(127.0.0.1).
    type: str
  port:
    description: Port of the API, by default the deployed one's, else V(5000).
    type: int
  ca_path:
    description:
      - File on the target host with the CA that signed the gateway's certificate.
      - Without it the certificate is not checked, and every host but the loopback is refused. The certificate that
        comes with the gateway is the same for everybody and proves nothing.
    type: path
  mode:
    description:
      - With V(paper) every account id has to begin with C(D), with V(live) with C(U) or C(F).
      - By default the deployed one's, else the accounts are not checked.
    type: str
    choices: [live, paper]
  accounts:
    description: When not empty, the only account ids that the gateway may serve.
    type: list
    elements: str
  websocket:
    description: Whether the websocket has to answer as well.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds.
    type: float
    default: 180
  delay:
    description: Least time between two attempts, in seconds; at least V(2).
    type: float
    default: 5
seealso:
  - module: ibops.gateway.gateway_ready
"""

EXAMPLES = r"""
- name: Wait until the Client Portal Gateway of this VM can be used, and only by a paper account
  ibops.gateway.client_portal_ready:
    gateway_name: paper
  become: true

- name: Look at any Client Portal Gateway, also one that was not deployed by this collection
  ibops.gateway.client_portal_ready:
    host: client.example.internal
    port: 5000
    ca_path: /etc/ssl/certs/internal-ca.pem
    timeout: 5
"""

RETURN = r"""
state:
  description: The state found, one of those of O(state).
  returned: when it was looked at
  type: str
  sample: ready
reason:
  description: Why it is in that state.
  returned: when it was looked at
  type: str
  sample: it is signed in, its accounts fit, and API and websocket answer
next_step:
  description: What a person does next.
  returned: when it was looked at
  type: str
  sample: Connect.
final:
  description: Whether waiting cannot make it ready.
  returned: when it was looked at
  type: bool
  sample: false
accounts:
  description: The accounts that it serves, masked (the first 20).
  returned: when it was looked at
  type: list
  elements: str
  sample: ["DU***67"]
attempts:
  description: How often it was looked at.
  returned: when it was looked at
  type: int
  sample: 1
elapsed:
  description: How long the wait took, in seconds.
  returned: when it was looked at
  type: float
  sample: 0.1
host:
  description: Host of the API, as seen from the target host.
  returned: when it was looked at
  type: str
  sample: 127.0.0.1
port:
  description: Port of the API.
  returned: when it was looked at
  type: int
  sample: 5000
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import client, tickle

MIN_DELAY = 2.0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(client.STATES), "default": client.READY},
            "gateway_name": {"type": "str"},
            "host": {"type": "str"},
            "port": {"type": "int"},
            "ca_path": {"type": "path"},
            "mode": {"type": "str", "choices": ["live", "paper"]},
            "accounts": {"type": "list", "elements": "str", "no_log": True},
            "websocket": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 180},
            "delay": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    given = module.params
    _endpoint.refuse_not_positive(module, "timeout")
    if given["delay"] < MIN_DELAY:
        module.fail_json(msg=f"delay is {given['delay']}: it must be at least {MIN_DELAY} seconds")
    try:
        deployed = tickle.load(given["gateway_name"]) if given["gateway_name"] else tickle.Deployed()
        options = ("host", "port", "ca_path", "mode", "accounts")
        place = deployed.replace({option: given[option] for option in options if given[option] is not None})
        _endpoint.refuse_accounts(module, place.accounts, place.mode or None)
        gateway = client.Portal(place.endpoint(), place.mode or None, place.accounts, given["websocket"])
    except FileNotFoundError as error:
        if module.check_mode:
            module.exit_json(changed=False, msg=str(error))
        module.fail_json(msg=str(error))
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    started, attempts = time.monotonic(), 0
    while True:
        verdict = gateway.look()
        attempts += 1
        elapsed = time.monotonic() - started
        met = module.check_mode or verdict.state == given["state"]
        if met or (verdict.final and given["state"] != client.DOWN) or elapsed + given["delay"] > given["timeout"]:
            break
        time.sleep(given["delay"])
    report = {
        "changed": False,
        "state": verdict.state,
        "reason": verdict.reason,
        "next_step": verdict.next_step,
        "final": verdict.final,
        "accounts": accounts.mask_all(verdict.accounts),
        "attempts": attempts,
        "elapsed": round(elapsed, 3),
        "host": place.host,
        "port": place.port,
    }
    if met:
        module.exit_json(**report)
    module.fail_json(
        msg=f"the Client Portal Gateway at {place.host}:{place.port} is not {given['state']} after {elapsed:.1f} s but "
        f"{verdict.state}: {verdict.reason}. Next step: {verdict.next_step}",
        **report,
    )


if __name__ == "__main__":
    main()
