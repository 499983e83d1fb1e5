"""docs/explanation/security.md has the rows of scenario hostile, and no others."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[3]
LINE = re.compile(r"^\| `(\w+)` \| ((?:`[\w-]+` ?)*)\| ", re.M)
FEWEST = 30


def documented() -> set[str]:
    text = (ROOT / "docs" / "explanation" / "security.md").read_text().partition("## Attacks")[2]
    return {
        f"{row}[{kind}]" if kind else row
        for row, kinds in LINE.findall(text)
        for kind in re.findall(r"`([\w-]+)`", kinds) or [""]
    }


def collected() -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "molecule/hostile/tests"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^\S+::test_(\S+)$", output, re.M))


def test_every_row_is_a_test_and_every_test_a_row() -> None:
    rows, tests = documented(), collected()
    assert rows - tests == set()
    assert tests - rows == set()
    assert len(rows) >= FEWEST
