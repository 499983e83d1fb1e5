# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c

from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.properties import (
    UnrepresentableError,
    escape,
)


def properties_value(text: str) -> str:
    if not text:
        return ""
    try:
        # The image substitutes $NAME throughout its template.
        return escape(text).replace("$", "\\u0024")
    except UnrepresentableError as fault:
        raise AnsibleFilterError(f"properties_value: {fault}") from fault


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"properties_value": properties_value}
