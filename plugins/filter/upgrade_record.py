# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import binascii
import collections.abc as c
import dataclasses

from ansible.utils.display import Display

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file


@dataclasses.dataclass(frozen=True)
class Upgrade:
    """``upgrade.json`` of a gateway."""

    image: str
    running: bool
    tried: bool
    previous: str


def upgrade_record(content: str | None) -> dict[str, object]:
    if content is None:
        return {}
    try:
        return dataclasses.asdict(record_file.build(Upgrade, record_file.parse(base64.b64decode(content))))
    except (record_file.DamagedError, binascii.Error) as error:
        Display().warning(
            f"upgrade.json is damaged ({error}): which image was there before an interrupted upgrade is not known, and "
            "the file is rewritten"
        )
        return {}


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {"upgrade_record": upgrade_record}
