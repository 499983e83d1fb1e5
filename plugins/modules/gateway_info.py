#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_info
short_description: Look once at a gateway and say what state it is in
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Looks once at the API of an Interactive Brokers Gateway (or TWS), and with O(gateway_name) at its container
    and log too.
  - A gateway that is not ready, not running or not deployed is a finding and not a failure.
extends_documentation_fragment:
  - ibops.gateway.endpoint
  - ibops.gateway.endpoint.settle
  - ibops.gateway.endpoint.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details: It changes nothing.
options:
  timeout:
    description: How long the look at the API may take, in seconds.
    type: float
    default: 5
  probe:
    description: Whether to ask the API. Without it only the container and its log are looked at.
    type: bool
    default: true
  history:
    description: Whether to return what happened in the last eight days, RV(history).
    type: bool
    default: false
  image:
    description:
      - Image whose presence on the target host RV(image_present) tells.
      - Defaults to the image of the descriptor with O(gateway_name).
    type: str
seealso:
  - module: ibops.gateway.gateway_ready
"""

EXAMPLES = r"""
- name: Look at the paper gateway of this VM
  ibops.gateway.gateway_info:
    gateway_name: paper
  become: true
  register: paper

- name: Say it in one line
  ansible.builtin.debug:
    msg: "{{ paper.state }}: {{ paper.reason }}. {{ paper.next_step }}"
"""

RETURN = r"""
deployed:
  description: Whether this host has the gateway O(gateway_name). Without it there is no more than RV(reason)
    and RV(next_step).
  returned: with O(gateway_name)
  type: bool
  sample: true
image_present:
  description: Whether the image is on the target host. Null when the engine is not reachable.
  returned: with O(gateway_name) or O(image)
  type: bool
  sample: true
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
    C(finished_at) (of the run before, where it runs), C(image), C(release), C(revision), C(networks).
    Null when the engine is not reachable.
  returned: with O(gateway_name)
  type: dict
  sample: {name: ibgw-paper, exists: true, running: true, status: running, exit_code: null, exit_meaning: null}
engine:
  description: Whether the Docker engine answered (C(reachable)), and why not (C(reason)).
  returned: with O(gateway_name)
  type: dict
  sample: {reachable: true, reason: null}
client_networks:
  description: Docker networks that role P(ibops.gateway.access#role) has made for the gateway's clients.
  returned: with O(gateway_name)
  type: list
  elements: str
  sample: [ibgw-paper]
pending:
  description: Whether the container runs with other settings than those deployed, which wait for its next start.
  returned: with O(gateway_name)
  type: bool
  sample: false
watcher:
  description: The watcher's fault in one clause; none where it works or is not wanted.
  returned: when it is deployed
  type: str
  sample: its watcher is late, its look is 95 s overdue
session:
  description:
    - What the host remembers, as its watcher (role P(ibops.gateway.session#role)) and C(ibgwctl) wrote it.
    - C(state), C(since), C(checked_at), C(signed_in_at), C(valid_until), C(sign_in_due) (moments in epoch seconds;
      the last two as New York time too), C(week) (of live; C(valid), C(sign_in_due), C(overdue), C(closing)),
      C(grant), C(blocked), C(stopped_by), C(counts).
    - Null where nobody has written it yet, or where it cannot be read.
  returned: with O(gateway_name)
  type: dict
  sample: {state: ready, valid_until: 1795932000.0, valid_until_new_york: "Sun 2026-11-29 01:00", blocked: null}
stack:
  description: V(client_portal) for a Client Portal Gateway, which has what applies to it of these values.
  returned: when it is one
  type: str
  sample: client_portal
checked_at:
  description: The host's time of the look, in epoch seconds.
  returned: with O(gateway_name)
  type: float
  sample: 1795789800.0
history:
  description: The C(events) of the last eight days, oldest first, or the C(reason) for which they cannot be had.
  returned: with O(history) and O(gateway_name)
  type: dict
  sample: {events: [{at: 1795415520.1, event: sign_in, text: signed in, by: the operator}], reason: null}
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
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import ATTEMPT_SECONDS
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine, EngineError
from ansible_collections.ibops.gateway.plugins.module_utils.agent.portal import watched
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import health, plan, policy, watching
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.descriptor import (
    DescriptorError,
    NotDeployedError,
    OtherStackError,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import NETWORK_LABEL
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec=_endpoint.argument_spec(
            image={"type": "str"},
            probe={"type": "bool", "default": True},
            history={"type": "bool", "default": False},
            timeout={"type": "float", "default": ATTEMPT_SECONDS},
            settle={"type": "float"},
        ),
        required_one_of=[("port", "gateway_name", "image")],
        supports_check_mode=True,
    )
    _endpoint.refuse_not_positive(module, "timeout")
    module.exit_json(changed=False, **look(module))


def look(module: AnsibleModule) -> dict[str, object]:
    """Return the facts about the image and the gateway in the options."""
    name, image = module.params["gateway_name"], module.params["image"]
    report: dict[str, object] = {}
    if name or module.params["port"]:
        try:
            gateway = _endpoint.gateway(module)
        except OtherStackError:
            return portal(module)
        except NotDeployedError as error:
            report = {
                "deployed": False,
                "gateway_name": name,
                "api_state": None,
                "state": None,
                "reason": str(error),
                "next_step": f"Run {playbooks.SITE}.",
            }
        except DescriptorError as error:
            module.fail_json(msg=str(error))
        else:
            gateway.look(module.params["timeout"], ask=module.params["probe"])
            report = gateway.report()
            if gateway.descriptor is not None:
                report["deployed"] = True
                report["client_networks"] = client_networks(gateway.descriptor.name)
                report |= remembered(gateway.descriptor, report, module.warn)
                report["checked_at"] = now = time.time()
                if module.params["history"]:
                    report["history"] = past(gateway.descriptor, now)
                image = image or gateway.descriptor.image
    if image:
        report["image_present"] = image_present(image)
    return report


def portal(module: AnsibleModule) -> dict[str, object]:
    """Return the same facts about a Client Portal Gateway."""
    now = time.time()
    try:
        found = watched.load(module.params["gateway_name"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    found.look()
    report = found.report(now)
    report |= remembered(found, report, module.warn)
    if module.params["history"]:
        report["history"] = past(found, now)
    return report


def remembered(found: health.Deployed, report: dict[str, t.Any], warn: t.Callable[[str], None]) -> dict[str, object]:
    """Add the host's record of the gateway and its watcher's health; a gateway stopped by its watcher is blocked.

    *warn* is called for an unusable file.
    """
    record = None
    try:
        record = Store(found.name).read()
    except (OSError, ValueError) as error:
        warn(str(error))
    wanted, plan_fault = plan.load_or_default(found.name)
    if plan_fault:
        warn(plan_fault)
    late = policy.late_seconds(record, wanted, time.time()) if record else 0.0
    watched: dict[str, object] = {"watcher": plan_fault or watching.fault(watching.unit(found.name), late)}
    if record is None:
        return {"session": None, **watched}
    session = policy.shown(record, wanted, time.time(), found.weekly)
    return {"session": session, **watched, **policy.blocked(record.blocked, report["container"])}


def past(found: health.Deployed, now: float) -> dict[str, object]:
    """The events of the last eight days, or why they cannot be had."""
    return health.fact(lambda: health.history(found, now), "events")


def client_networks(name: str) -> list[str]:
    """The networks with the label of gateway *name*; none if the engine is unreachable."""
    try:
        return Engine().networks(f"{NETWORK_LABEL}={name}")
    except EngineError:
        return []


def image_present(image: str) -> bool | None:
    """Whether the engine has *image*; None when it cannot be asked."""
    try:
        return Engine().image_present(image)
    except EngineError:
        return None


if __name__ == "__main__":
    main()
