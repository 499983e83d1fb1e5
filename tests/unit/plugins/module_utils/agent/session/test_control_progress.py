# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sign-in is told step by step while it is waited for."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from tests.unit.plugins.session_log import (
    BEGUN,
    IN,
    PUSH,
    TUESDAY,
    Said,
)

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.control import (
    Control,
    Progress,
    TooManyPushes,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import Gateway, Judgement

PHASES = ["login_window", "signing_in", "push_sent", "signed_in", "configured"]


def progress(live: Control, pushes: int = 3) -> tuple[Progress, Said]:
    said: Said = []
    return Progress(live, live.store.load("live"), lambda step, text: said.append((step, text)), pushes), said


def test_a_dialog_is_told_once_and_written_down(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = control()
    look, said = progress(live)
    live.gateway.look()
    monkeypatch.setattr(Gateway, "dialog", None)
    look()
    assert (said, live.store.read()) == ([], None)
    for title in ("Update", "Update", None, "Other"):
        monkeypatch.setattr(Gateway, "dialog", title)
        look()
    assert [step for step, _text in said] == ["dialog", "dialog"]
    assert ["Update" in said[0][1], "Other" in said[1][1]] == [True, True]
    assert live.store.load("live").checked_at == TUESDAY


def test_a_sign_in_that_stalls_is_told_with_its_reason(control: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = control()
    look, said = progress(live)
    live.gateway.look()
    stalled = Judgement(verdicts.DEGRADED, "it has stalled", "Look at it.")
    monkeypatch.setattr(live.gateway, "judgement", lambda: stalled)
    look()
    look()
    assert said == [("stalled", "it has stalled. Look at it.")]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ((BEGUN[:3],), []),
        ((BEGUN[:4], BEGUN[4:], (PUSH,), IN[:1], IN[1:]), PHASES),
        (((*BEGUN, PUSH, *IN),), PHASES),
        ((BEGUN[:4], (*BEGUN[4:], PUSH), (), IN), PHASES),
        # Without a push there is none to tell of.
        ((BEGUN[:4], (*BEGUN[4:], *IN)), [each for each in PHASES if each != "push_sent"]),
    ],
)
def test_each_phase_is_told_once_also_where_several_came_at_once(
    control: Any, looks: tuple[tuple[str, ...], ...], expected: list[str]
) -> None:
    live = control()
    look, said = progress(live)
    for lines in looks:
        live.gateway.summary.feed(lines)
        look()
    assert [step for step, _text in said] == expected
    assert (live.store.read() is not None) is bool(expected)


@pytest.mark.parametrize(("missed", "ends"), [(1, False), (2, True), (3, True)])
def test_the_wait_ends_with_the_last_push(control: Any, missed: int, ends: bool) -> None:
    live = control()
    look, _said = progress(live, pushes=2)
    live.gateway.look()
    live.gateway.summary.pushes_missed = missed
    with pytest.raises(TooManyPushes) if ends else contextlib.nullcontext():
        look()
