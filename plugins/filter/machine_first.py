# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

# Where site.yml registers which machine a host is, and notes that its machine is prepared.
MACHINE = "__ibgw_machine"
PREPARED = "__ibgw_machine_prepared"


def machine_first(hosts: c.Iterable[str], hostvars: c.Mapping[str, t.Any], going: c.Container[str]) -> dict[str, str]:
    """Return of each host the one of its machine that prepares it: the first in the order of *hosts*.

    Those that have failed, and so are no longer *going*, are passed over, unless they had prepared it.
    """
    first: dict[object, str] = {}
    found = {}
    for host in hosts:
        variables = hostvars[host]
        machine = (variables.get(MACHINE) or {}).get("machine") or host
        if host in going or variables.get(PREPARED):
            first.setdefault(machine, host)
        found[host] = machine
    return {host: first.get(machine, host) for host, machine in found.items()}


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"machine_first": machine_first}
