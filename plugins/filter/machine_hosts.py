# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

# The variables in which site.yml registers which machine a host is, and that it is prepared.
MACHINE = "__ibgw_machine"
PREPARED = "__ibgw_machine_prepared"


def machine_hosts(
    host: str, hostvars: c.Mapping[str, t.Any], hosts: c.Iterable[str], going: c.Container[str]
) -> list[str]:
    """Return the hosts that share *host*'s machine, in the order of *hosts*; the first one prepares it.

    Hosts that have failed, and so are no longer *going*, are left out unless they had prepared it.
    """
    mine = _machine(hostvars, host)
    same = [each for each in hosts if each == host or (mine and _machine(hostvars, each) == mine)]
    return [each for each in same if each in going or hostvars[each].get(PREPARED)]


def _machine(hostvars: c.Mapping[str, t.Any], host: str) -> object:
    return (hostvars[host].get(MACHINE) or {}).get("machine")


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"machine_hosts": machine_hosts}
