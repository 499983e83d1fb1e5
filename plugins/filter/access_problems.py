# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import re

from ansible_collections.ibops.gateway.plugins.module_utils.gateway.access import problems

# What gateways can clash in. Other variables of a host that is not in this run are not evaluated: one may be a secret.
COMPARED = re.compile(
    r"gateway_(name|mode|stack|port|access)|access_\w+_(addresses|port|interface)"
    r"|access_(docker_network_name|ssh_tunnel_bastion)"
)


def access_problems(settings: c.Mapping[str, object], inventory: c.Iterable[c.Mapping[str, object]]) -> list[str]:
    gateways = [
        {
            "host": host["inventory_hostname"],
            "address": host.get("ansible_host", host["inventory_hostname"]),
            **{name: host.get(name) for name in host if COMPARED.fullmatch(name)},
        }
        for host in inventory
    ]
    return problems(settings, gateways)


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"access_problems": access_problems}
