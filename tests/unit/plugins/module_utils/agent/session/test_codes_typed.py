# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second factor that a person types in the gateway's window, within a sign-in that waits for it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.session_log import IN, TUESDAY
from tests.unit.plugins.strikes import ASKING

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import milestones


@pytest.mark.parametrize("title", milestones.TYPED)
@pytest.mark.parametrize(("typed_after", "state"), [(120, verdicts.READY), (0, verdicts.BLOCKED)])
def test_a_code_that_is_typed_signs_in(
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any, title: str, typed_after: int, state: str
) -> None:
    world = World(monkeypatch, fake_engine, serve, deploy, "live", TUESDAY)
    opened, closed = (f"IBC: detected dialog entitled: {title}; event={what}" for what in ("Opened", "Closed"))
    world.ibc = [*ASKING, (12, opened)]
    if typed_after:
        world.ibc += [(12 + typed_after, closed), *((15 + typed_after, line) for line in IN)]
    seen: list[tuple[str, str]] = []
    said: list[tuple[str, str]] = []

    def note() -> None:
        record = world.store.load("live")
        seen.append((record.state, record.wanted))

    world.later(60, note)
    world.act(lambda control: control.sign_in(lambda step, text: said.append((step, text))))
    name, _wanted = milestones.TYPED[title]
    assert seen == [(verdicts.DEGRADED, name)]
    assert playbooks.DESKTOP in dict(said)[name]
    record = world.store.load("live")
    assert (record.state, record.wanted, world.pushes) == (state, "", [])
