# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the variables by which the gateways of an inventory are compared.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import re


def gateways(inventory: c.Iterable[c.Mapping[str, object]], compared: re.Pattern[str]) -> list[dict[str, object]]:
    """``host``, ``address`` (of its VM) and the *compared* variables of each host, as far as they are set.

    No other variable is evaluated: it may be a secret of a host that is not in this run.
    """
    return [
        {
            "host": host["inventory_hostname"],
            "address": host.get("ansible_host", host["inventory_hostname"]),
            **{name: host.get(name) for name in host if compared.fullmatch(name)},
        }
        for host in inventory
    ]
