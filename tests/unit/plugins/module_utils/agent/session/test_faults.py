# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.driven import World
from tests.unit.plugins.faults import FAULTS, ON_A_MACHINE, WITH_IBG, Fault, markdown

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import Record

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[6]
LOGINS_AFTER_A_REFUSAL = 2


def detected(fault: Fault, world: World) -> int | None:
    """Return the seconds from the fault to the first look that shows it; None where none does."""
    assert world.struck is not None, "it has never happened"
    for moment, record in world.seen:
        shown = (record.state, record.blocked) == (fault.state, fault.cause) and fault.says in record.reason
        if moment >= world.struck and shown:
            return round(moment - world.struck)
    return None


def lost(world: World, before: Record, after: Record, runs: int) -> str:
    """Return what was lost since before."""
    if before.valid_until:
        kept, had = after.valid_until == before.valid_until, "the session"
    elif before.state == verdicts.READY:
        kept, had = after.state == verdicts.READY, "the run"
    else:
        tried = world.runs > runs or after.counts.get("starts", 0) > before.counts.get("starts", 0)
        kept, had = (
            not tried or after.state == verdicts.READY,
            {"live": "the sign-in", "paper": "the start"}[world.mode],
        )
    if not kept:
        return had
    if after.state == verdicts.DEGRADED:
        return "its use"
    return "a restart" if before.state == verdicts.READY and world.runs > runs else "nothing"


def logins_after_a_refusal(world: World) -> int:
    refusals = [index for index, line in enumerate(world.logins) if line == "Login failed"]
    return sum("attempt" in line for line in world.logins[refusals[0] :]) if refusals else 0


@pytest.mark.parametrize("fault", [pytest.param(each, id=f"{each.mode}: {each.what}") for each in FAULTS])
def test_a_fault(fault: Fault, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any) -> None:
    world = World(monkeypatch, fake_engine, serve, deploy, fault.mode, fault.now, **fault.settings)
    fault.before(world)
    before, runs, pushes, told = world.store.load(fault.mode), world.runs, len(world.pushes), len(world.told)
    world.seen.clear()
    world.strike_soon(fault.strike, fault.shows)
    world.watch(fault.lasts)
    after = world.store.load(fault.mode)

    if fault.seconds is None:
        assert {record.state for _moment, record in world.seen} == {before.state}
    else:
        assert detected(fault, world) == fault.seconds, [
            (round(moment - (world.struck or 0)), record.state, record.blocked, record.reason[:60])
            for moment, record in world.seen
        ]
    assert (after.state, after.blocked) == (fault.ends or fault.state, fault.cause), after
    assert lost(world, before, after, runs) == fault.lost
    assert tuple(world.told[told:]) == fault.told
    assert all(world.pushes), "a push that nobody has asked for"
    assert len(world.pushes) - pushes == fault.pushes
    assert logins_after_a_refusal(world) <= LOGINS_AFTER_A_REFUSAL
    assert fault.error in str(world.error)


@pytest.mark.parametrize("fault", [pytest.param(each, id=f"{each.mode}: {each.what}") for each in FAULTS])
def test_a_fault_with_ibg_controller(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any
) -> None:
    world = World(
        monkeypatch, fake_engine, serve, deploy, fault.mode, fault.now, controller="ibg-controller", **fault.settings
    )
    world.translates = True
    fault.before(world)
    pushes = len(world.pushes)
    world.strike_soon(fault.strike, fault.shows)
    world.watch(fault.lasts)
    after = world.store.load(fault.mode)
    same = (fault.ends or fault.state, fault.cause, "")
    assert (after.state, after.blocked) == WITH_IBG.get((fault.mode, fault.what), same)[:2], after
    assert all(world.pushes), "a push that nobody has asked for"
    assert len(world.pushes) - pushes == fault.pushes
    assert logins_after_a_refusal(world) <= LOGINS_AFTER_A_REFUSAL


def test_what_differs_with_ibg_controller_is_a_row() -> None:
    assert WITH_IBG.keys() <= {(fault.mode, fault.what) for fault in FAULTS}


def test_the_documentation_is_this_table() -> None:
    assert markdown() in (ROOT / "docs" / "reference" / "faults.md").read_text()


@pytest.mark.parametrize("test", [test for _what, _shown, test in ON_A_MACHINE])
def test_what_a_machine_shows_is_there(test: str) -> None:
    path, _colons, name = test.partition("::")
    assert f"def {name}(" in (ROOT / "molecule" / path).read_text() or not name


def test_the_end_of_a_release_is_told_within_a_minute(
    monkeypatch: pytest.MonkeyPatch, fake_engine: Any, serve: Any, deploy: Any
) -> None:
    (fault,) = [each for each in FAULTS if "notice 2172" in each.what]
    world = World(monkeypatch, fake_engine, serve, deploy, fault.mode, fault.now)
    fault.before(world)
    world.seen.clear()
    world.strike_soon(fault.strike)
    world.watch(60.1)
    assert world.struck is not None
    (look,) = [moment for moment, _record in world.seen if moment > world.struck]
    assert "release/warning" in world.told
    assert look - world.struck <= 60
