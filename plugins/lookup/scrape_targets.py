# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: scrape_targets
short_description: Where the metrics of gateways are served
version_added: 1.0.0
author: ibops.gateway contributors (@ibops)
description:
  - Reads the variables of other hosts as the roles would, their defaults included, and returns where Prometheus finds
    the metrics of each gateway that has a watcher.
options:
  _terms:
    description: Gateways, by their names in the inventory.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what Prometheus fetches
  ansible.builtin.debug:
    msg: "{{ query('ibops.gateway.scrape_targets', *groups['gateways']) }}"
"""

RETURN = r"""
_raw:
  description: C(gateway) and C(target) of each, in the order of the names.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.ibops.gateway.plugins.module_utils.rules import observability
from ansible_collections.ibops.gateway.plugins.module_utils.rules.check import RenderError
from ansible_collections.ibops.gateway.plugins.plugin_utils import variables as of_hosts


class LookupModule(LookupBase):
    def run(
        self, terms: list[str], variables: dict[str, t.Any] | None = None, **_options: object
    ) -> list[dict[str, str]]:
        known = variables or {}
        defaults, own = of_hosts.role_variables(self._loader)
        renderer = of_hosts.Renderer(self._loader)
        found = []
        for host in terms:
            given = known["hostvars"].raw_get(host)
            raw = {**defaults, **given, **own, "groups": known["groups"], "hostvars": known["hostvars"]}
            read = of_hosts.HostVariables(renderer, {**raw, "inventory_hostname": host}, given)
            try:
                settings = {name: read[name] for name in observability.READ}
            except (KeyError, RenderError) as error:
                raise AnsibleLookupError(f"{host}: {error}") from error
            target = observability.target(settings)
            if observability.watched(settings) and target:
                found.append({"gateway": str(settings["gateway_name"]), "target": target})
        return found
