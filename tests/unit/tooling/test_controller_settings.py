# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from docs import controller_settings

from ansible_collections.ibops.gateway.plugins.module_utils.rules.ibc_settings import BYPASS, OPTIONS


def test_each_option_is_one_of_ibc_and_stands_in_one_place() -> None:
    assert {*controller_settings.KEPT, *controller_settings.LACKING} <= {*OPTIONS, BYPASS}
    assert not controller_settings.KEPT.keys() & controller_settings.LACKING.keys()
