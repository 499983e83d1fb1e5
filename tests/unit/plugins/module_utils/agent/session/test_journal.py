# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from tests.unit.plugins.session_log import BEGUN, IN, PUSH, TUESDAY, signing_in

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import journal, policy
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.journal import Journal
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import Watcher


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def telling(deploy: Any, lines: list[str]) -> Journal:
    return Journal(deploy(name="live", mode="live", accounts=["U1234567"]), Plan(host="gw1"), lines.append)


def test_a_line_a_transition_with_every_field(telling: Journal, lines: list[str]) -> None:
    record = Record("live", "live", verdicts.READY, "fine", since=TUESDAY, valid_until=TUESDAY + 86400)
    telling.tell(record, TUESDAY + 1)
    telling.tell(record, TUESDAY + 61)
    record.state, record.since, record.blocked = verdicts.BLOCKED, TUESDAY + 90, "session_lost"
    record.reason = "U1234567 is gone\nfor \u202e good"
    record.next_step = policy.SIGN_IN_STEP
    telling.tell(record, TUESDAY + 91)
    assert [line[:3] for line in lines] == ["<6>", "<2>"]
    assert all(line.endswith("}\n") and line.count("\n") == 1 for line in lines)
    first, second = (json.loads(line[3:]) for line in lines)
    assert list(second) == list(journal.FIELDS)
    assert (first["from"], first["to"], first["lasted_seconds"]) == (None, "ready", None)
    assert (second["from"], second["to"], second["cause"], second["severity"], second["lasted_seconds"]) == (
        "ready", "blocked", "session_lost", "CRITICAL", 90.0,
    )  # fmt: skip
    assert (second["gateway"], second["host"], second["mode"]) == ("live", "gw1", "live")
    assert second["next_step"].endswith(" -l gw1")
    assert "U1234567" not in lines[1]
    assert "\u202e" not in lines[1]
    for name in ("at", "since", "valid_until"):
        assert datetime.fromisoformat(second[name]).utcoffset() is not None


def test_a_journal_that_is_gone_ends_nothing(deploy: Any) -> None:
    def gone(_line: str) -> None:
        raise BrokenPipeError

    Journal(deploy(), Plan(), gone).tell(Record("paper", "paper"), TUESDAY)


def test_the_watcher_tells_what_others_brought_about(
    control: Any, fake_engine: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    live = control()
    watching = Watcher(live)
    watching.look()
    fake_engine.on_start = lambda: fake_engine.log(*BEGUN, PUSH, *IN)
    signing_in(live)
    watching.look()
    watching.look()
    fake_engine.exit(1)
    watching.look()
    told = [json.loads(line[3:]) for line in capsys.readouterr().out.splitlines()]
    assert [(each["from"], each["to"]) for each in told] == [
        (None, "stopped"), ("stopped", "ready"), ("ready", "blocked"),
    ]  # fmt: skip
