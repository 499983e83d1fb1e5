"""A conversation without an end: every stop ends in time, and the watcher watches on."""

from __future__ import annotations

import typing as t

import pytest


def ends_in_time(paper: t.Any) -> None:
    restarts, process = paper.watcher("NRestarts"), paper.watcher("MainPID")
    done, seconds = paper.machine.timed("ibgwctl stop paper", paper.LONGEST_STOP + 10)
    assert (done.rc, paper.running()) == (0, ""), (seconds, done.stdout, done.stderr)
    assert seconds <= paper.LONGEST_STOP
    assert (paper.watcher("NRestarts"), paper.watcher("MainPID")) == (restarts, process)
    assert paper.until(lambda record: record["state"] == "stopped", 15)["stopped_by"] == "the operator"


@pytest.mark.parametrize(
    "kind", ["busy", "nothing", "ok_and_nothing", "flood", "one_line_without_end", "a_byte_a_second"]
)
def test_command_server(paper: t.Any, kind: str) -> None:
    paper.attack("commands", kind)
    ends_in_time(paper)


@pytest.mark.parametrize("kind", ["frozen", "paused"])
def test_jvm(paper: t.Any, kind: str) -> None:
    if kind == "frozen":
        paper.attack("freeze")
    else:
        paper.machine.out("docker pause ibgw-paper")
    found, seconds = paper.look()
    assert found["state"] == "degraded", found
    assert seconds <= paper.LONGEST_LOOK
    ends_in_time(paper)
