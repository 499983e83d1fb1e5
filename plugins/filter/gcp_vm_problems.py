# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections
import collections.abc as c
import typing as t

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import vm


def gcp_vm_problems(options: c.Mapping[str, t.Any]) -> list[str]:
    return vm.problems(_given(options))


def _given(options: c.Mapping[str, t.Any]) -> c.Mapping[str, t.Any]:
    """The options as the module has them: None for what is not given, at any depth."""
    given = {name: _given(value) if isinstance(value, c.Mapping) else value for name, value in options.items()}
    return collections.defaultdict(lambda: None, given)


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"gcp_vm_problems": gcp_vm_problems}
