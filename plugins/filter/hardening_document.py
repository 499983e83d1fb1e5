# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections.abc as c
import typing as t

Table = c.Mapping[str, t.Any]


def hardening_document(tables: c.Iterable[Table]) -> dict[str, t.Any]:
    files: list[t.Any] = []
    units: dict[str, str] = {}
    guarded: dict[str, t.Any] = {"name": "access", "files": [], "probe": []}
    for table in tables:
        files += table.get("files", [])
        units |= table.get("services", {})
        for part in ("files", "probe"):
            guarded[part] += table.get("guarded", {}).get(part, [])
    return {"files": files, "units": units, "guarded": guarded}


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"hardening_document": hardening_document}
