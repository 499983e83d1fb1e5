# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log is read once and onward, through changes of clock, engine and container."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from bench.log_burst import FLOODS, flood
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine import log as log_module
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.client import Engine
from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.log import Log
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.inspection import container_facts

BANNER = ".> Starting IBC/IB gateway"
RUN = (BANNER, "Starting session: will exit if login dialog", "Login attempt: 1", "Login has completed")
STAMP = b"2026-11-30T22:08:42.123456789Z "


def reader() -> Log:
    return Log(time.monotonic, time.time)


def read(log: Log, keep: bool = False) -> Log:
    engine = Engine()
    log.read_on(engine, container_facts(engine, "c"), keep)
    return log


def again(log: Log) -> Log:
    """A reader in another process, which knows what the state file says."""
    other = reader()
    other.recall(json.loads(json.dumps(log.as_state())))
    return other


@pytest.mark.parametrize("next_one", [lambda log: log, again], ids=["the same", "another process"])
@pytest.mark.parametrize("set_by", [0, -7200, 7200], ids=["", "set back", "set ahead"])
@pytest.mark.parametrize("lines", [1, 150, 1500, 5000])
def test_each_line_counts_once(fake_engine: Any, next_one: Callable[[Log], Log], set_by: float, lines: int) -> None:
    fake_engine.log(*RUN)
    log = read(reader())
    fake_engine.clock = lambda: time.time() + set_by
    fake_engine.log("Login attempt: 2", *["a line that says nothing"] * lines, "Login attempt: 3")
    for _look in range(3):
        log = read(next_one(log))
    assert (log.summary.login_attempts, log.gaps, log.behind) == (3, 0, False)


def test_a_stream_that_is_kept_reads_on(fake_engine: Any) -> None:
    log = reader()
    for attempt in range(5):
        fake_engine.log(f"Login attempt: {attempt}")
        read(log, keep=True)
    assert log.summary.login_attempts == 5
    fake_engine.log("Login attempt: 6")
    while log.summary.login_attempts < 6:
        assert log.listen(5)
    read(log, keep=True)
    fake_engine.exit(0)
    while log.listen(5):
        pass
    assert read(log).summary.login_attempts == 6


def test_a_line_that_is_rotated_away_is_a_gap(fake_engine: Any) -> None:
    fake_engine.log(*RUN, "Login attempt: 2")
    log = read(reader())
    fake_engine.log("Login attempt: 3", "Login attempt: 4")
    fake_engine.forget(6)
    for _look in range(2):
        log = read(again(log))
    assert (log.summary.login_attempts, log.gaps) == (3, 1)


@pytest.mark.parametrize("clock", [60.0, -7200.0])
def test_a_new_start_begins_afresh(fake_engine: Any, clock: float) -> None:
    fake_engine.log(*RUN, "Configuration tasks completed")
    log = read(reader())
    assert log.summary.phase == "configured"
    fake_engine.exit(0)
    fake_engine.clock = lambda: time.time() + clock
    fake_engine.start()
    log = read(again(log))
    assert log.summary.phase == "none"
    fake_engine.log(*RUN)
    assert read(again(log)).summary.phase == "signed_in"


def test_another_container_is_another_log(fake_engine: Any) -> None:
    fake_engine.log(*RUN)
    log = read(reader())
    fake_engine.id = "beef"
    fake_engine.forget(len(RUN))
    assert read(again(log)).summary.phase == "none"


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"schema": None}, {"gaps": "1"}, {"stamp": "yesterday"}, {"digest": 1}, {"summary": {}},
     {"summary": None}],
)  # fmt: skip
def test_a_state_that_is_none_is_passed_over_and_the_log_read_anew(fake_engine: Any, change: dict[str, Any]) -> None:
    fake_engine.log(*RUN)
    log = reader()
    log.recall(read(reader()).as_state() | change)
    assert log.stamp == ""
    assert read(log).summary.login_attempts == 1
    assert log.summary.phase == "signed_in"


@given(st.binary() | st.sampled_from([STAMP, STAMP + b"x\n", b"\n", b"\1\0\0\0\0\0\1\n" + STAMP + b"y\n"]))
def test_no_block_raises(block: bytes) -> None:
    log = reader()
    log.feed(block)
    log.feed(STAMP + b"Login attempt: 1\n" + block)
    log.recall(log.as_state())


def test_a_byte_of_a_header_that_looks_like_an_end(fake_engine: Any) -> None:
    """A line of 266 bytes: the engine's length has the byte 10 in it."""
    fake_engine.log("Login attempt: 1 " + "x" * (0x10A - 31 - 17 - 1), "Login attempt: 2" + "x" * (0xA00 - 31 - 17))
    log = read(reader())
    assert (read(again(log)).summary.login_attempts, log.gaps) == (2, 0)


@pytest.mark.parametrize("kind", FLOODS)
def test_the_cost_of_a_flood_is_linear_and_the_state_right(kind: str) -> None:
    """2 MiB of it; bench/log_burst.py has the real figures of 50 MB."""
    begun = time.process_time()
    log = flood(kind, 1 << 21)
    # 50 MB in 5 s are 0.2 s for 2 MiB: three times that here.
    assert time.process_time() - begun < 0.6
    assert (log.summary.pushes, log.summary.phase, log.summary.finding) == (1, "configured", None)


def test_a_look_that_cannot_come_to_the_end_says_so(fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "READ_SECONDS", 0.0)
    fake_engine.log(*RUN)
    assert read(reader()).behind


def test_a_flood_longer_than_a_look_is_caught_up_with(fake_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engine.log(*RUN)
    log = read(reader(), keep=True)
    fake_engine.log("Login attempt: 2", *["a line that says nothing"] * 21_000, "Login attempt: 3")
    log.close()
    monkeypatch.setattr(log_module, "READ_SECONDS", 0.02)
    looks = 0
    while looks == 0 or log.behind:
        looks += 1
        assert looks < 100
        read(log, keep=True)
        # As the watcher does between two looks.
        for _block in range(20):
            if not log.listen(0.02):
                break
    log.close()
    # The cursor is not among the lines that are looked through, so the first attempt is of a gap.
    assert (log.summary.login_attempts, log.gaps, looks > 1) == (2, 1, True)
