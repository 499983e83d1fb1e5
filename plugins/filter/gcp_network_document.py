# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import document


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"gcp_network_document": document.network}
