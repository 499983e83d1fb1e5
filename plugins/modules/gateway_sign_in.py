#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_sign_in
short_description: Sign a live gateway in, with a person at the phone
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Starts the container of a live gateway that role P(ibops.gateway.gateway#role) made, and follows the sign-in to
    a ready API. Each step is shown as it happens (starting, login window, push sent, logged in, API ready, valid
    until).
  - The sign-in runs as a unit of the host's own systemd (C(ibgw-sign-in-<name>)), by C(ibgwctl) of role
    P(ibops.gateway.session#role), and is bounded there by that role's C(session_sign_in_pushes) and
    C(session_sign_in_minutes), also when the connection to the host is lost. When it fails, the gateway is stopped
    and its state is C(blocked).
  - A gateway that is ready is left alone, and one that is paused is resumed on its kept sign-in, which sends no push.
    Files of an earlier session that would keep it from signing in are removed.
  - Run it as root.
extends_documentation_fragment:
  - ibops.gateway.endpoint.attributes
  - ibops.gateway.lease
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Unless O(force) is set.
options:
  gateway_name:
    description: Name of the gateway.
    type: str
    required: true
  password:
    description:
      - The IBKR password as the user types it, unless the VM fetches it from Secret Manager. The gateway has it until
        it is signed in; the VM does not keep it.
    type: str
  force:
    description: Sign in again though the gateway is ready, for example to apply pending settings, or paused.
    type: bool
    default: false
  step:
    description: For the action plugin of the same name, which begins a sign-in and then follows it.
    type: str
    choices: [begin, follow]
    default: begin
  since:
    description: Moment from which the steps are told, in epoch seconds; for the action plugin.
    type: float
    default: 0.0
  wait:
    description: How long V(follow) waits for the next step, in seconds; for the action plugin.
    type: float
    default: 10.0
seealso:
  - module: ibops.gateway.gateway_session
  - module: ibops.gateway.gateway_ready
"""

EXAMPLES = r"""
- name: Sign in; approve the push on the phone
  ibops.gateway.gateway_sign_in:
    gateway_name: live
    password: "{{ lookup('ansible.builtin.env', 'IBKR_LIVE_PASSWORD') }}"
  become: true
"""

RETURN = r"""
steps:
  description: What happened, in order.
  returned: success
  type: list
  elements: dict
  contains:
    at:
      description: When, in epoch seconds.
      type: float
      returned: success
    step:
      description: A word for the step, for example V(push_sent), V(signed_in), V(verified).
      type: str
      returned: success
    text:
      description: The step in words.
      type: str
      returned: success
  sample: [{at: 1796000000.0, step: push_sent, text: "a push was sent: approve it on the phone now"}]
cause:
  description: Why it was ended, in a word, for example V(push_missed), V(refused_login), V(sign_in_late).
  returned: when somebody has to act
  type: str
  sample: push_missed
ended:
  description: Whether the sign-in has ended.
  returned: success
  type: bool
  sample: true
"""

import subprocess
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import password
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import background, descriptor, plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import UNREQUESTED, Control, Refused
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.ctl import ENDED, FAILED, SIGN_IN_STEP
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lifecycle import SessionError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable

LOOK_SECONDS = 0.25


def unit(name: str) -> str:
    return background.unit("sign-in", name)


def begin(module: AnsibleModule, control: Control) -> dict[str, t.Any]:
    """Hand the sign-in to systemd, or report that none is needed; a second request joins the first."""
    name = control.descriptor.name
    if not control.live:
        module.fail_json(
            msg=f"gateway {name} is a paper gateway, which signs in by itself: start it by gateway_session"
        )
    control.refuse_closed_week()
    control.gateway.look()
    ready = control.gateway.judgement().state == verdicts.READY
    now = control.now()
    if ready and not module.params["force"]:
        if module.params["lease_owner"] and not module.check_mode:
            control.store.lease.release(module.params["lease_owner"])
        return {"changed": False, "ended": True, "steps": [{"at": now, "step": "already", "text": "it is ready"}]}
    if not module.check_mode:
        if not module.params["names_live"]:
            raise Refused(f"{UNREQUESTED.format(name=name)}. Nothing was touched.")
        force = ["--force"] if module.params["force"] else []
        owner = ["--owner", module.params["lease_owner"]] if module.params["lease_owner"] else []
        if module.params["password"] is not None:
            password.hand_over(name, module.params["password"])
        command = background.arguments("sign-in", name, *owner, *force)
        code, _output, said = module.run_command(command)
        if code != 0 and "already" not in said:
            password.take(name)
            module.fail_json(msg=f"the sign-in could not be begun: {printable(said.strip(), 400)}")
    return {"changed": True, "ended": module.check_mode, "since": now, "steps": []}


def follow(module: AnsibleModule, control: Control) -> dict[str, t.Any]:
    """Return the next steps; fail with the error that ended the sign-in."""
    deadline = time.monotonic() + module.params["wait"]
    while True:
        running = is_running(unit(control.descriptor.name))
        events = control.store.history(since=module.params["since"])
        steps = [event for event in events if event["event"] == SIGN_IN_STEP]
        last = steps[-1]["step"] if steps else ""
        if steps or not running or time.monotonic() >= deadline:
            break
        time.sleep(LOOK_SECONDS)
    if last == FAILED:
        record = control.store.load(control.descriptor.mode)
        module.fail_json(msg=steps[-1]["text"], steps=steps, cause=record.blocked)
    if not running and last != ENDED:
        module.fail_json(
            msg=f"the sign-in of gateway {control.descriptor.name} ended without a word: see journalctl -u "
            f"{unit(control.descriptor.name)}; the watcher stops what it left behind",
            steps=steps,
        )
    return {"changed": True, "ended": last == ENDED, "steps": [step for step in steps if step["step"] != ENDED]}


def is_running(name: str) -> bool:
    done = subprocess.run(["systemctl", "is-active", "--quiet", name], check=False, timeout=30)
    return done.returncode == 0


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway_name": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "force": {"type": "bool", "default": False},
            "lease_owner": {"type": "str"},
            "names_live": {"type": "bool", "default": False},
            "step": {"type": "str", "choices": ["begin", "follow"], "default": "begin"},
            "since": {"type": "float", "default": 0.0},
            "wait": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    name = module.params["gateway_name"]
    try:
        descriptor.refuse_portal(name, "sign-in")
        control = Control(descriptor.load(name), plan.load(name))
        result = {"begin": begin, "follow": follow}[module.params["step"]](module, control)
    except (descriptor.DescriptorError, EngineError, SessionError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
