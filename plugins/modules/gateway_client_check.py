#!/usr/bin/python
# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_client_check
short_description: Look at a gateway deeply, as a trading program would, with ib_async
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Connects read-only with ib_async under its own client id and reads what a trading program reads. The steps
    are C(connect),
    C(current_time), C(accounts), C(positions), C(account_summary) and C(contract).
  - Every step is bounded in time and reported by itself. The module fails when one of them does.
  - Nothing is written to the gateway, and no subscription of another client is taken over.
extends_documentation_fragment:
  - ibops.gateway.endpoint
  - ibops.gateway.endpoint.attributes
attributes:
  check_mode:
    support: full
    details: The check reads only and runs in check mode as well.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: It changes nothing.
options:
  client_id:
    description:
      - Client id of the session, other than the probe's.
    type: int
    default: 918
  timeout:
    description: How long the whole check may take, in seconds.
    type: float
    default: 30
  step_timeout:
    description: How long one step may take, in seconds.
    type: float
    default: 10
  contract:
    description: The contract to look up, as fields of C(ib_async.Contract). It needs no market data subscription.
    type: dict
    default: {secType: CASH, symbol: EUR, currency: USD, exchange: IDEALPRO}
  amounts:
    description: Whether RV(account_values) is returned. It holds balances.
    type: bool
    default: false
  python:
    description: Interpreter on the target host that has ib_async 2.1 or later. Role
      P(ibops.gateway.gateway#role) installs the default.
    type: path
    default: /opt/ibgw/client/bin/python
requirements:
  - ib_async >= 2.1.0 for the interpreter O(python)
seealso:
  - module: ibops.gateway.gateway_ready
"""

EXAMPLES = r"""
- name: Look at the paper gateway of this VM as the pipeline would
  ibops.gateway.gateway_client_check:
    gateway_name: paper
  become: true

- name: Look at any gateway, with an interpreter of one's own
  ibops.gateway.gateway_client_check:
    host: 127.0.0.1
    port: 4002
    mode: paper
    python: "{{ ansible_playbook_python }}"
  delegate_to: localhost
"""

RETURN = r"""
steps:
  description: The steps in their order, each with C(name), C(ok), C(elapsed) in milliseconds and C(detail).
  returned: when the check ran
  type: list
  elements: dict
  sample: [{name: connect, ok: true, elapsed: 31.4, detail: server version 178}]
accounts:
  description: Account ids, masked (the first 20).
  returned: when the check ran
  type: list
  elements: str
  sample: ["DU***67"]
account_count:
  description: How many accounts there are.
  returned: when the check ran
  type: int
  sample: 1
position_count:
  description: How many positions there are; null when they were not read.
  returned: when the check ran
  type: int
  sample: 3
account_values:
  description: The account summary, account ids masked.
  returned: when the check ran, with O(amounts=true)
  type: list
  elements: dict
  sample: [{account: "DU***67", tag: NetLiquidation, value: "1000000.00", currency: USD}]
errors:
  description: Error messages and notices of the gateway during the check (the first 20).
  returned: when the check ran
  type: list
  elements: dict
  sample: [{code: 2104, text: "Market data farm connection is OK:usfarm"}]
client:
  description: What looked.
  returned: when the check ran
  type: str
  sample: ib_async 2.1.0, Python 3.11.2
elapsed:
  description: How long the check took, in seconds, the start of its interpreter included.
  returned: always
  type: float
  sample: 0.9
"""

import inspect
import json
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils import _endpoint
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import accounts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.module_utils.host import client_check

CLIENT_ID = 918
START_SECONDS = 15.0
EURUSD = {"secType": "CASH", "symbol": "EUR", "currency": "USD", "exchange": "IDEALPRO"}


class CheckError(Exception):
    """The check could not be run; the message says why and what to do."""


def run(python: str, options: dict[str, Any]) -> dict[str, Any]:
    """Run the check in interpreter *python* and return what it found; raises CheckError."""
    command = [python, "-", json.dumps(options)]
    try:
        done = subprocess.run(
            command,
            input=inspect.getsource(client_check),
            text=True,
            capture_output=True,
            timeout=options["timeout"] + START_SECONDS,
            check=False,
        )
        return json.loads(done.stdout.splitlines()[-1])
    except OSError as error:
        raise CheckError(
            f"cannot run {python} ({error.strerror}): role gateway installs it; or set python to an "
            "interpreter that has ib_async"
        ) from error
    except subprocess.TimeoutExpired:
        raise CheckError(f"the check was still running {START_SECONDS:.0f} s after its time and was killed") from None
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise CheckError(f"the check broke off: {printable(last)}") from None


def report(found: dict[str, Any], endpoint: dict[str, Any], amounts: bool) -> dict[str, Any]:
    """Build the module's result from *found*: accounts checked and masked, amounts only on request."""
    ids = found["accounts"]
    check = accounts.Check(endpoint["mode"], endpoint["accounts"])
    check.take(ids)
    fault = check.wrong or check.deviation
    for step in found["steps"]:
        if step["name"] == "accounts" and step["ok"] and fault:
            step.update(ok=False, detail=fault)
        step["detail"] = accounts.hide(printable(step["detail"]), ids)
    result = {
        "steps": found["steps"],
        "accounts": accounts.mask_all(ids),
        "account_count": len(ids),
        "position_count": found["position_count"],
        "errors": [
            {"code": error["code"], "text": accounts.hide(printable(error["text"]), ids)} for error in found["errors"]
        ],
        "client": found["client"],
    }
    if amounts:
        result["account_values"] = [
            {**value, "account": accounts.mask(value["account"])} for value in found["account_values"]
        ]
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=_endpoint.argument_spec(
            client_id={"type": "int", "default": CLIENT_ID},
            timeout={"type": "float", "default": 30},
            step_timeout={"type": "float", "default": 10},
            contract={"type": "dict", "default": EURUSD},
            amounts={"type": "bool", "default": False},
            python={"type": "path", "default": "/opt/ibgw/client/bin/python"},
        ),
        required_one_of=[("port", "gateway_name")],
        supports_check_mode=True,
    )
    _endpoint.refuse_not_positive(module, "timeout", "step_timeout")
    name, started = module.params["gateway_name"], time.monotonic()
    try:
        endpoint = _endpoint.endpoint(module, descriptor.load(name) if name else None)
        options = {**endpoint, **{option: module.params[option] for option in ("timeout", "step_timeout", "contract")}}
        result = report(run(module.params["python"], options), endpoint, module.params["amounts"])
    except (descriptor.DescriptorError, CheckError) as error:
        module.fail_json(msg=str(error), elapsed=round(time.monotonic() - started, 3))
    result["elapsed"] = round(time.monotonic() - started, 3)
    failed = [step for step in result["steps"] if not step["ok"]]
    if failed:
        what = "; ".join(f"{step['name']}: {step['detail']}" for step in failed)
        module.fail_json(
            msg=f"the deep check of {name or endpoint['host']} (port {endpoint['port']}) failed at {what}. "
            "Next step: run gateway_info, which tells the cause of a failed connect",
            **result,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
