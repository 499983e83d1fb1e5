from __future__ import annotations

import os
from pathlib import Path

import pytest
from sandbox.machine.engine import forget_killed

# The test runner changes its own name from test to test.
OWN = "this process"


@pytest.mark.parametrize(
    ("program", "pid", "stays"),
    [
        (OWN, os.getpid(), True),
        ("dockerd", os.getpid(), False),  # the number is another program's by now
        ("dockerd", 2**22 + 1, False),  # above every process number
    ],
    ids=["running", "reused number", "no such process"],
)
def test_only_the_pid_file_of_a_running_program_stays(tmp_path: Path, program: str, pid: int, stays: bool) -> None:
    path = tmp_path / "program.pid"
    path.write_text(f"{pid}\n")
    if program == OWN:
        program = Path("/proc/self/comm").read_text().strip()
    forget_killed({program: path})
    assert path.exists() is stays


def test_without_a_pid_file_there_is_nothing_to_forget(tmp_path: Path) -> None:
    forget_killed({"dockerd": tmp_path / "none"})
    assert list(tmp_path.iterdir()) == []
