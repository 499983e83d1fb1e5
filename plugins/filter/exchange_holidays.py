# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c

from ansible.errors import AnsibleFilterError
from ansible.module_utils.basic import missing_required_lib


def exchange_holidays(exchange: str, year: int, years: int = 2) -> list[str]:
    try:
        import holidays
    except ImportError as error:
        raise AnsibleFilterError(missing_required_lib("holidays")) from error
    known = sorted(holidays.list_supported_financial())
    if exchange not in known:
        raise AnsibleFilterError(f"no exchange is called {exchange!r}; known are {', '.join(known)}")
    found = holidays.financial_holidays(exchange, years=range(int(year), int(year) + int(years)))
    return sorted(day.isoformat() for day in found)


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"exchange_holidays": exchange_holidays}
