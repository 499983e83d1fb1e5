# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t
from datetime import UTC, datetime

from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import windows
from ansible_collections.ibops.gateway.plugins.module_utils.gcp import vm_hours as hours


def vm_hours(sessions: list[object], prefix: str, boot_minutes: int = 5, stop_minutes: int = 5) -> list[dict[str, str]]:
    try:
        return hours.jobs(sessions, prefix, int(boot_minutes), int(stop_minutes))
    except hours.HoursError as error:
        raise AnsibleFilterError(str(error)) from error


def next_session(sessions: list[dict[str, t.Any]]) -> str:
    found = windows.upcoming(map(windows.PaperSession.from_data, sessions), datetime.now(UTC))
    return f"{found.session.name}, {windows.told(found.start)}" if found else "none within a year"


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"vm_hours": vm_hours, "next_session": next_session}
