# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c

from ansible.errors import AnsibleFilterError

from ansible_collections.ibops.gateway.plugins.module_utils.host.systems import find


def system(distribution: str, version: str) -> dict[str, object]:
    try:
        found = find(distribution, version)._asdict()
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"system": system}
