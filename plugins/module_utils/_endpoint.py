# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common options of modules about a gateway's API, and the objects built from them.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.accounts import entry_fault
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api.probe import CLIENT_ID
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import descriptor
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway


def argument_spec(**more: dict[str, Any]) -> dict[str, Any]:
    """Return the options that select an API and its expected accounts, plus *more*."""
    return {
        "accounts": {"type": "list", "elements": "str", "no_log": True},
        "client_id": {"type": "int"},
        "gateway_name": {"type": "str"},
        "host": {"type": "str"},
        "ignored_farms": {"type": "list", "elements": "str"},
        "mode": {"type": "str", "choices": ["live", "paper"]},
        "port": {"type": "int"},
        **more,
    }


def endpoint(module: AnsibleModule, found: descriptor.Descriptor | None) -> dict[str, Any]:
    """Return the endpoint from the options; each one given overrides the value in descriptor *found*."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "client_id": CLIENT_ID,
        "mode": None,
        "accounts": [],
        "ignored_farms": [],
    }
    if found is not None:
        values = found.endpoint()
    options = ("host", "port", "client_id", "mode", "accounts", "ignored_farms")
    values.update({option: module.params[option] for option in options if module.params[option] is not None})
    if not 0 < values["port"] < 65536:
        module.fail_json(msg=f"port {values['port']} is not a TCP port: use 1 to 65535")
    if values["client_id"] < 1:
        module.fail_json(msg=f"client_id {values['client_id']} would take over orders made by hand: use 1 or more")
    refuse_accounts(module, values["accounts"], values["mode"])
    return values


def refuse_accounts(module: AnsibleModule, accounts: list[str], mode: str | None) -> None:
    """Fail when an entry of option O(accounts) is not an id of *mode*."""
    for account in accounts:
        if fault := entry_fault(account, mode):
            module.fail_json(msg=f"accounts: {fault}")


def gateway(module: AnsibleModule) -> Gateway:
    """Return the gateway that the options name, ready to be observed; DescriptorError for an unusable
    O(gateway_name)."""
    name = module.params["gateway_name"]
    found = descriptor.load(name) if name else None
    return Gateway({**endpoint(module, found), "settle": module.params["settle"]}, found)


def refuse_not_positive(module: AnsibleModule, *options: str) -> None:
    """Fail when one of *options* (seconds) is not a number above zero."""
    for option in options:
        if not 0 < module.params[option] < float("inf"):
            module.fail_json(msg=f"{option} is {module.params[option]}: it must be more than 0 seconds")
