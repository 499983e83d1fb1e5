"""The cost of a line of the log is linear in its length."""

from __future__ import annotations

import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.test_log import PIECES

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import controllers, milestones


@given(st.lists(PIECES, min_size=1, max_size=5).map("".join), st.sampled_from(["", " ", ": ", "\t", "; event="]))
def test_a_line_of_any_length_costs_its_length(piece: str, between: str) -> None:
    """Linear: 40 lines of 2,000 characters, built of what the patterns look for, take far less than a second."""
    line = ((piece + between) * 2000)[:2000]
    begun = time.process_time()
    milestones.Summary().feed([line] * 40)
    assert time.process_time() - begun < 0.4


@pytest.mark.parametrize("name", controllers.TABLES)
def test_a_flood_of_what_the_marks_begin_with_costs_its_length(name: str) -> None:
    """Linear also where a mark begins again and again and never ends: none costs much more than the others."""
    costs = {}
    for mark in controllers.TABLES[name]._marks:
        block = ((mark._text + b" ") * 2000)[:2000].replace(b"\n", b" ") + b"\n"
        begun = time.process_time()
        list(controllers.TABLES[name].events(block * 1000))
        costs[mark._text] = time.process_time() - begun
    dearest = max(costs, key=lambda text: costs[text])
    assert costs[dearest] < 7 * statistics.median(costs.values()), dearest
