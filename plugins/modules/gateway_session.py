#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_session
short_description: Start, stop, restart, pause or resume a deployed gateway gently
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Changes the session of a gateway that role P(ibops.gateway.gateway#role) deployed on the target host. Run
    it as root.
  - V(stopped) sends IBC's STOP, which logs off at IBKR, and waits for the container's clean exit; only when
    that does not come
    it falls back to C(docker stop) (with 90 more seconds, where IBC answers at all), and RV(how) says so.
  - V(restarted) sends IBC's RESTART, which replaces the gateway's JVM at the next full minute and keeps the
    sign-in (no push),
    and waits until the API is ready again. IBC takes one RESTART in a JVM's life; a second one is refused.
  - V(started) starts the existing container and does not wait; follow it with M(ibops.gateway.gateway_ready). A
    paused gateway is resumed instead, which sends no push, and waited for.
  - V(paused) sends IBC's PAUSE, which stops a live gateway at the next full minute and keeps its sign-in;
    V(resumed) starts it again on that and waits until the API is ready. A gateway that asks for a push instead
    is stopped before it is sent. Experimental, until it was seen on a real account.
  - What is done is noted in the gateway's history, and one does it at a time; the watcher of role
    P(ibops.gateway.session#role) leaves a gateway alone that was stopped here.
  - A live gateway is signed in by M(ibops.gateway.gateway_sign_in).
extends_documentation_fragment:
  - ibops.gateway.endpoint.attributes
  - ibops.gateway.lease
  - ibops.gateway.lease.keep
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: V(started) and V(stopped) are; V(restarted) restarts every time, V(paused) and V(resumed) refuse a
      second time.
options:
  gateway_name:
    description: Name of the gateway.
    type: str
    required: true
  state:
    description: What to bring about.
    type: str
    choices: [started, stopped, restarted, paused, resumed]
    required: true
  timeout:
    description:
      - How long the clean way may take, in seconds.
      - Defaults to V(60) for V(stopped) (C(docker stop) comes after it), to V(180) for V(paused), and to V(300)
        for V(restarted) and V(resumed).
    type: float
  minutes:
    description:
      - For how long a paper gateway may run that V(started) starts. The watcher of role
        P(ibops.gateway.session#role) then stops it, whatever became of who started it.
      - Defaults to C(session_manual_minutes) of the role for a gateway with C(gateway_paper_sessions), else there
        means no bound.
    type: float
  allow_signin:
    description:
      - Whether V(started) may start a live gateway. That signs in and sends a push to somebody's phone.
    type: bool
    default: false
seealso:
  - module: ibops.gateway.gateway_ready
  - module: ibops.gateway.gateway_info
"""

EXAMPLES = r"""
- name: Stop the paper gateway, so that its user can sign in elsewhere
  ibops.gateway.gateway_session:
    gateway_name: paper
    state: stopped
  become: true

- name: Restart a live gateway without a new sign-in
  ibops.gateway.gateway_session:
    gateway_name: live
    state: restarted
  become: true
"""

RETURN = r"""
actions:
  description: What was done (in check mode, what would be), in order.
  returned: always
  type: list
  elements: str
  sample: [IBC STOP]
how:
  description:
    - How it was stopped. V(ibc) and V(ibg-controller) are a clean log-off by that controller, V(docker) is none; null
      when nothing was stopped.
  returned: always
  type: str
  sample: ibc
exit_code:
  description: Exit code of the container that was stopped. V(0) is a clean close.
  returned: always
  type: int
  sample: 0
elapsed:
  description: How long it took, in seconds.
  returned: always
  type: float
  sample: 2.1
state:
  description: State of the gateway afterwards. RV(reason), RV(next_step), RV(container), RV(pending) and
    RV(milestones) are those of
    M(ibops.gateway.gateway_info).
  returned: success
  type: str
  sample: stopped
reason:
  description: Why it is in that state.
  returned: success
  type: str
  sample: its container has exited with code 0 (a clean close)
next_step:
  description: What a person does next.
  returned: success
  type: str
  sample: Start it.
container:
  description: The container afterwards.
  returned: success
  type: dict
  sample: {name: ibgw-paper, exists: true, running: false, status: exited, exit_code: 0}
pending:
  description: Whether the container runs with other settings than those deployed.
  returned: success
  type: bool
  sample: false
milestones:
  description: What the container's log tells since its last start.
  returned: success
  type: dict
  sample: {controller: ibc, phase: ended}
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.commands import ChannelError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor, lifecycle, plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import UNREQUESTED, Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError

TIMEOUTS = {"started": 0.0, "stopped": 60.0, "restarted": 300.0, "paused": 180.0, "resumed": 300.0}
# Of ibgwctl, for which there is something else with a Client Portal Gateway. It stops one as well.
COMMANDS = dict(zip(TIMEOUTS, ("start", "", "restart", "pause", "resume"), strict=True))


def bring_about(control: Control, wanted: str, timeout: float, module: AnsibleModule) -> lifecycle.Outcome:
    """Carry out the action *wanted*, or predict it in check mode."""
    check = module.check_mode
    if wanted == "started" and control.live and not module.params["names_live"] and not check:
        raise Refused(f"{UNREQUESTED.format(name=control.descriptor.name)}. Nothing was touched.")
    if wanted == "started":
        return control.start(module.params["allow_signin"], module.params["minutes"], check)
    if wanted == "paused":
        return control.pause(timeout, check)
    if wanted == "resumed":
        return control.resume(timeout, check)
    return {"stopped": control.stop, "restarted": control.restart}[wanted](timeout, check)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(TIMEOUTS), "required": True},
            "timeout": {"type": "float"},
            "allow_signin": {"type": "bool", "default": False},
            "minutes": {"type": "float"},
            "lease_owner": {"type": "str"},
            "names_live": {"type": "bool", "default": False},
            "keep_lease": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    wanted, started = module.params["state"], time.monotonic()
    timeout = TIMEOUTS[wanted] if module.params["timeout"] is None else module.params["timeout"]
    if timeout < 0:
        module.fail_json(msg=f"timeout is {timeout}: it must not be negative")
    name = module.params["gateway_name"]
    try:
        descriptor.refuse_portal(name, COMMANDS[wanted])
        control = Control(
            descriptor.load(name),
            plan.load(name),
            owner=module.params["lease_owner"] or "",
            keep=module.params["keep_lease"],
        )
        outcome = bring_about(control, wanted, timeout, module)
        if outcome.changed and wanted not in ("restarted", "resumed") and not module.check_mode:
            control.gateway.refresh()
    except (descriptor.DescriptorError, EngineError, ChannelError, lifecycle.SessionError, BusyError) as error:
        module.fail_json(msg=str(error), elapsed=round(time.monotonic() - started, 3))
    module.exit_json(**vars(outcome), elapsed=round(time.monotonic() - started, 3), **control.gateway.report())


if __name__ == "__main__":
    main()
