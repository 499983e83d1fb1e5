# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import binascii
import collections.abc as c
import dataclasses
import typing as t

from ansible.utils.display import Display

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file
from ansible_collections.ibops.gateway.plugins.module_utils.deploy.upgrade import Upgrade, current, taken_back

Record = dict[str, t.Any]


def upgrade_record(content: str | None) -> Record:
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


def upgrade_current(left: Record, image: str, container: c.Mapping[str, t.Any]) -> Record:
    return dataclasses.asdict(current(_record(left), image, container))


def upgrade_taken_back(left: Record, image: str, cause: str) -> bool:
    return taken_back(_record(left), image, cause)


def _record(left: Record) -> Upgrade | None:
    return Upgrade(**left) if left else None


class FilterModule:
    def filters(self) -> dict[str, c.Callable[..., object]]:
        return {
            "upgrade_current": upgrade_current,
            "upgrade_record": upgrade_record,
            "upgrade_taken_back": upgrade_taken_back,
        }
