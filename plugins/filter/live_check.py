# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

from ansible_collections.ibops.gateway.plugins.plugin_utils.commands import localized

Facts = dict[str, t.Any]


def live_check(
    facts: Facts, host: str, thresholds: Facts, client: Facts | None = None, drift: Facts | None = None
) -> Facts:
    # Ansible loads all filters of a collection for the first one that a task uses, and compiles what they import each
    # time: that of this one takes longer than those of all others.
    from ansible_collections.ibops.gateway.plugins.module_utils.report.live_check import report

    return report(facts, host, thresholds, client, drift, localized)


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"live_check": live_check}
