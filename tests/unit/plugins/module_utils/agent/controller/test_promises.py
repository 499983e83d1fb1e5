# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers, promises


def test_each_controller_has_a_word_on_each_promise() -> None:
    assert promises.BASES.keys() == controllers.TABLES.keys()
    for found in promises.BASES.values():
        assert list(found) == list(promises.PROMISES)


@pytest.mark.parametrize("name", controllers.TABLES)
def test_what_is_not_kept_says_what_to_do_instead(name: str) -> None:
    for found in promises.BASES[name].values():
        assert found.rests_on
        assert bool(found.instead) != found.kept


def test_ibc_keeps_them_all() -> None:
    assert all(found.kept for found in promises.BASES["ibc"].values())


def test_what_live_may_not_do_without_is_kept_by_each() -> None:
    for found in promises.BASES.values():
        assert all(found[each].kept for each in (promises.PREVENTION, promises.REFUSED, promises.STOP))


def test_a_refusal_names_gateway_controller_promise_and_way_out() -> None:
    ibg = controllers.by_name("ibg-controller")
    said = promises.refusal(ibg, promises.RESTART, "live")
    assert said is not None
    for word in ("gateway live", "ibg-controller", "a restart by command keeps the sign-in", "Stop it and start it"):
        assert word in said
    assert promises.refusal(ibg, promises.STOP, "live") is None
    assert promises.refusal(controllers.by_name("ibc"), promises.RESTART, "live") is None


def test_a_command_that_is_promised_is_there() -> None:
    for name, table in controllers.TABLES.items():
        assert ("restart" in table.commands) == promises.BASES[name][promises.RESTART].kept
        assert "stop" in table.commands
