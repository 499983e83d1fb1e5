# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.plugins.faults import FAULTS
from tests.unit.plugins.recordings import Replay, read
from tests.unit.plugins.ways_in import WAYS, WayIn, markdown

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy

ROOT = Path(__file__).parents[6]


@pytest.mark.parametrize("way", [pytest.param(each, id=each.when) for each in WAYS if each.recording])
def test_another_session_of_the_user_as_recorded(way: WayIn) -> None:
    lines = iter(line for _at, line in read(way.path).lines)
    for text in way.shows:
        assert any(text in line for line in lines), text
    replay = Replay(way.path, granted=True).play()
    assert (replay.step.cause if replay.step else None) == way.cause
    if replay.step and replay.step.cause:
        # As the watcher does, and looks again.
        replay.record.blocked, replay.record.grant = replay.step.cause, None
        assert replay.gateway.container is not None
        replay.gateway.container |= {"running": False, "status": "exited", "exit_code": 0}
        policy.observe(replay.record, policy.seen(replay.gateway, asked=False), replay.plan, replay.now)
        assert (replay.record.reason, replay.record.next_step) == way.says
    assert replay.record.state == way.state


@pytest.mark.parametrize("way", [pytest.param(each, id=each.when) for each in WAYS if each.fault])
def test_another_session_of_the_user_as_a_fault(way: WayIn) -> None:
    (fault,) = [each for each in FAULTS if each.what == way.fault]
    assert (fault.state, way.told is not None) == (way.state, True)
    assert fault.says in way.says[0]


def test_the_documentation_is_this_table() -> None:
    assert markdown() in (ROOT / "docs" / "reference" / "faults.md").read_text()
