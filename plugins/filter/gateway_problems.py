# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c

from ansible_collections.ibops.gateway.plugins.module_utils.gateway.settings import problems

COMPARED = ("gateway_name", "gateway_mode", "gateway_stack", "gateway_user", "gateway_port")


def gateway_problems(settings: c.Mapping[str, object], inventory: c.Iterable[c.Mapping[str, object]]) -> list[str]:
    gateways = [
        {
            "host": host["inventory_hostname"],
            "address": host.get("ansible_host", host["inventory_hostname"]),
            **{variable: host.get(variable) for variable in COMPARED},
        }
        for host in inventory
    ]
    return problems(settings, gateways)


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"gateway_problems": gateway_problems}
