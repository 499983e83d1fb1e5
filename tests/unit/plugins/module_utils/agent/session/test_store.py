# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import store
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Grant, Record, Store


@pytest.fixture
def memory(tmp_path: Path) -> Store:
    return Store("live", str(tmp_path))


def test_a_record_comes_back_as_it_was(memory: Store) -> None:
    record = Record("live", "live", signed_in_at=1.5, grant=Grant("sign_in", "me", 1.0, 601.0), counts={"pushes": 2})
    memory.save(record)
    assert memory.load("live") == record
    assert stat.S_IMODE(Path(memory.state_path).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"grant": {"kind": 1}}', "null", '{"state": "ready"}'])
def test_a_damaged_state_file_is_kept_aside(memory: Store, content: str) -> None:
    memory.save(Record("live", "live"))
    Path(memory.state_path).write_text(content)
    assert memory.load("live") == Record("live", "live")
    assert Path(f"{memory.state_path}.damaged").read_text() == content


def test_what_a_later_release_wrote_is_passed_over(memory: Store) -> None:
    memory.save(Record("live", "live", state="ready"))
    path = Path(memory.state_path)
    path.write_text(path.read_text().replace('"schema"', '"of_a_later_release": 1, "schema"'))
    assert memory.load("live").state == "ready"


@pytest.mark.parametrize(
    ("now", "kinds", "granted"),
    [(9.0, (), True), (9.0, ("paper",), True), (9.0, ("sign_in",), False), (10.0, (), False)],
)
def test_a_grant_is_of_its_kind_and_ends(now: float, kinds: tuple[str, ...], granted: bool) -> None:
    assert Record("p", "paper", grant=Grant("paper", "me", 0.0, 10.0)).granted(now, *kinds) is granted


def test_history_is_in_order_and_bounded(memory: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HISTORY_BYTES", 2000)
    for number in range(200):
        memory.note("state", f"event {number}", float(number))
    assert Path(memory.history_path).stat().st_size <= 2000
    events = memory.history()
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert events[-1]["text"] == "event 199"
    assert [event["at"] for event in memory.history(last=2)] == [198.0, 199.0]
    assert [event["at"] for event in memory.history(since=197.0)] == [198.0, 199.0]
    assert memory.history(last=0) == []


def test_a_line_that_was_cut_off_costs_that_line(memory: Store) -> None:
    memory.note("state", "whole", 1.0)
    with open(memory.history_path, "a") as file:
        file.write('{"at": 2.0, "ev\n[]\n{}\n')
    memory.note("state", "whole again", 3.0)
    assert [event["at"] for event in memory.history()] == [1.0, 3.0]
