"""The cost of a line of the log is linear in its length."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.test_log import PIECES

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import milestones


@given(st.lists(PIECES, min_size=1, max_size=5).map("".join), st.sampled_from(["", " ", ": ", "\t", "; event="]))
def test_a_line_of_any_length_costs_its_length(piece: str, between: str) -> None:
    """Linear: 40 lines of 2,000 characters, built of what the patterns look for, take far less than a second."""
    line = ((piece + between) * 2000)[:2000]
    begun = time.process_time()
    milestones.Summary().feed([line] * 40)
    assert time.process_time() - begun < 0.4
