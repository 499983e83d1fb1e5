"""Log lines of any kind, and answers of IBC's command server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import commands, milestones

LINES = [
    ".> Starting IBC/IB gateway",
    "IBC: Starting session: will exit if login dialog",
    "Login attempt: 1",
    "Login attempt: 999999999999999999999999",
    "Login failed",
    "Login has completed",
    "Configuration tasks completed",
    "Second Factor Authentication initiated",
    "Re-login after second factor authentication timeout not required",
    "IBC returned exit status 88",
    "IBC returned exit status -1",
    "API in Read-Only mode: true",
    "Too many failed login attempts",
    "Required PassKey is not supported",
    "User must choose whether to continue with this session",
    "detected dialog entitled: \x1b[2J; event=Opened",
    "detected frame entitled: ; event=Opened",
]
PIECES = st.sampled_from([*LINES, *(word for line in LINES for word in re.split(r"(\W)", line) if word)])
LOGS = st.lists(
    st.sampled_from(LINES)
    | st.text(max_size=60)
    | st.lists(PIECES, max_size=9).map("".join)
    | st.lists(PIECES).map("".join),
    max_size=40,
)
STATE_BYTES = 20_000


@given(LOGS, st.integers(1, 5))
def test_a_log_is_summed_up_alike_in_pieces_and_whole(lines: list[str], size: int) -> None:
    whole, pieces = milestones.Summary(), milestones.Summary()
    whole.feed(lines)
    for start in range(0, len(lines), size):
        pieces.feed(lines[start : start + size])
    assert whole.as_dict() == pieces.as_dict()
    assert len(json.dumps(whole.as_dict())) < STATE_BYTES


@pytest.mark.parametrize("line", LINES)
def test_a_line_again_and_again_leaves_no_more_than_a_summary(line: str) -> None:
    summary = milestones.Summary()
    summary.feed([line] * 3000)
    assert len(json.dumps(summary.as_dict())) < STATE_BYTES


ANSWERS = st.lists(
    st.text(max_size=60)
    | st.sampled_from(["OK", "OK x", "ERROR", "ERROR STOP already in progress", "INFO busy", "OK " + "x" * 5000]),
    max_size=30,
).map("\n".join)


class Container:
    """An engine whose container gives this answer to a command."""

    def __init__(self, code: int, output: str) -> None:
        self._answer = code, output

    def execute(self, *_arguments: Any, **_options: Any) -> tuple[int, str]:
        return self._answer


@given(st.sampled_from([0, 1, 7, 137]), ANSWERS)
def test_whatever_answers_a_command_is_replies_or_an_error_of_the_channel(code: int, output: str) -> None:
    def send() -> list[str] | str:
        try:
            return commands.send(Container(code, output), "ibgw-paper", 7462, "STOP")  # type: ignore[arg-type]  # all it is asked for
        except commands.ChannelError as error:
            return str(error)

    said = send()
    assert said == send()
    texts = said if isinstance(said, list) else [said]
    assert texts
    assert all(text.isprintable() and len(text) < 1000 for text in texts)
    assert len(texts) <= 30
