"""Cost without a bound: 50 MB of log, and hostile frames of the API."""

from __future__ import annotations

import shlex
import typing as t

import pytest

Play = t.Callable[..., t.Any]
PROCESSOR_SECONDS = 5
WATCHER_MEBIBYTES = 40
PROBE_MEBIBYTES = 14
# A line of one byte is a hundred in Docker's log file.
MEBIBYTES = {"long_lines": 50, "one_byte_lines": 1, "no_line_ends": 50, "near_matches": 50, "versions": 50}
# A child of a small parent, whose own memory would count as the child's otherwise.
PEAK = """
import os, resource
null = os.open(os.devnull, os.O_WRONLY)
path = "/opt/ibgw/agent/api/__main__.py"
words = ["/usr/bin/python3", "-I", path, "127.0.0.1", "4002", "--mode", "paper", "--timeout", "8"]
child = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_pid, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("kind", MEBIBYTES)
def test_log_of(live: t.Any, kind: str) -> None:
    live.machine.out("systemctl restart ibgw-watch@live")
    live.until(lambda record: record["state"] == "ready", 20)
    process, before = live.watcher("MainPID"), live.processor_seconds()
    live.attack("log", kind, str(MEBIBYTES[kind]))
    found, seconds = live.look()
    # A look is bounded: the first may say that it has not come to the end, and no more.
    assert seconds <= live.LONGEST_LOOK
    assert found["state"] == "ready" or found["reason"].startswith("its log is written faster"), found
    looked = live.record()["checked_at"]
    live.until(lambda record: record["state"] == "ready" and record["checked_at"] > looked + 1, live.LONGEST_LOOK + 20)
    assert live.watcher("MainPID") == process
    assert live.processor_seconds() - before <= PROCESSOR_SECONDS
    assert live.peak_mebibytes() <= WATCHER_MEBIBYTES
    assert live.record()["state"] == "ready"


def test_site_after_a_burst(paper: t.Any, play: Play) -> None:
    paper.attack("log", "near_matches", "50")
    paper.machine.out("docker kill ibgw-paper")
    run = play("site.yml", "paper", "--tags", "gateway")
    assert run.status == 0, run.printed[-2000:]


@pytest.mark.parametrize("kind", ["two_byte_fields", "empty_fields", "350_000_accounts", "many_accounts", "notices"])
def test_frames_of(paper: t.Any, kind: str) -> None:
    paper.attack("frames", kind)
    mebibytes, status = map(float, paper.machine.out(f"python3 -c {shlex.quote(PEAK)}").split())
    assert status in (1, 3)
    assert mebibytes <= PROBE_MEBIBYTES
