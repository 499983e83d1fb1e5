# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import functools

from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import report
from ansible_collections.ibops.gateway.plugins.plugin_utils.commands import localized


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"live_check": functools.partial(report, commands=localized)}
