# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import re

from ansible_collections.ibops.gateway.plugins.module_utils.rules.gateway import problems
from ansible_collections.ibops.gateway.plugins.module_utils.rules.inventory import gateways

COMPARED = re.compile(r"gateway_(name|mode|stack|user|port)")


def gateway_problems(settings: c.Mapping[str, object], inventory: c.Iterable[c.Mapping[str, object]]) -> list[str]:
    return problems(settings, gateways(inventory, COMPARED))


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"gateway_problems": gateway_problems}
