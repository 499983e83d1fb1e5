"""A conversation without an end: every stop ends in time, and the watcher watches on."""

from __future__ import annotations

import typing as t

import pytest


def ends_in_time(live: t.Any) -> None:
    restarts, process = live.watcher("NRestarts"), live.watcher("MainPID")
    done, seconds = live.machine.timed("ibgwctl stop live", live.LONGEST_STOP + 10)
    assert (done.rc, live.running()) == (0, ""), (seconds, done.stdout, done.stderr)
    assert seconds <= live.LONGEST_STOP
    assert (live.watcher("NRestarts"), live.watcher("MainPID")) == (restarts, process)
    assert live.until(lambda record: record["state"] == "stopped", 15)["stopped_by"] == "the operator"


@pytest.mark.parametrize(
    "kind", ["busy", "nothing", "ok_and_nothing", "flood", "one_line_without_end", "a_byte_a_second"]
)
def test_command_server(live: t.Any, kind: str) -> None:
    live.attack("commands", kind)
    ends_in_time(live)


@pytest.mark.parametrize("kind", ["frozen", "paused"])
def test_jvm(live: t.Any, kind: str) -> None:
    if kind == "frozen":
        live.attack("freeze")
    else:
        live.machine.out("docker pause ibgw-live")
    found, seconds = live.look()
    assert found["state"] == "degraded", found
    assert seconds <= live.LONGEST_LOOK
    ends_in_time(live)
