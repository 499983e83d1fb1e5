"""Mutate a module of four functions, and report each mutant's fate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.mutants.source import mutants


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("LIMIT = 3\n", ["LIMIT = 3 => LIMIT = None", "3 => 4"]),
        ("from os import path\n", []),
        ("x: int\n", []),
        ('"""A text of a module, with a sum: 1 + 1."""\n', []),
        # Prose, with what is put into it, and where it is taken away.
        ('say("the gateway is down")\n', []),
        ('say(f"the gateway {1} is {2} down")\n', []),
        ('say("the gateway is " "down")\n', []),
        ('why = "the gateway is down"\n', []),
        ('raise Error(f"the gateway {name} is down") from None\n', []),
        # A key, and a pattern with blanks, are none.
        ('x["is down"]\n', ['"is down" => "XXis downXX"']),
        ('"a b c d\\d".strip(1)\n', 3),
        # Patterns in the log.
        ('Controller(marks={"in": "the gateway is in"})\n', 3),
        ('open(path, encoding="utf-8")\n', 2),
        ("cast(int, 1)\nt.cast(int, 1)\n", []),
    ],
)
def test_what_is_mutated(code: str, changes: list[str] | int) -> None:
    found = [each.name.removeprefix("module: ") for each in mutants(code)]
    if isinstance(changes, list):
        assert found == changes
    else:
        assert len(found) == changes, found


def test_a_mutant_is_the_module_with_one_change_and_knows_its_function() -> None:
    code = "class A:\n    def f(self, x=1):\n        def g():\n            return 2\n        return g()\n\n\ny = 3\n"
    found = {each.name: each for each in mutants(code)}
    assert {name: each.body for name, each in found.items()} == {
        "A.f: 1 => 2": "",
        "A.f.g: 2 => 3": "A.f",
        "module: y = 3 => y = None": "",
        "module: 3 => 4": "",
    }
    assert found["A.f.g: 2 => 3"].code() == code.replace("return 2", "return 3")


MODULE = """
START = 1


def add(a, b):
    return a + b


def untested(a):
    return not a


def count(a):
    while a < 3:
        a += 1
    return a


def table():
    return START


def limit():
    return 7


LIMIT = limit()
UNUSED = 20
"""
TESTS = """
import rules

def test_add():
    assert rules.add(1, 1) == 2

def test_count():
    assert rules.count(0) == 3

def test_table():
    assert rules.table() == 1

def test_limit():
    assert rules.LIMIT == 7
"""
RUN = """
import json, sys
from pathlib import Path
from tests.mutants import run
from tests.mutants.source import mutants
path = Path(sys.argv[1])
run.LEAST_SECONDS = 2
chosen = mutants(path.read_text())
json.dump({mutant.name: verdict for mutant, verdict in run.verdicts(path, sys.argv[2:], chosen, 2)}, sys.stderr)
"""


def judged(tmp_path: Path, root: Path, tests: str) -> tuple[str, dict[str, str]]:
    (tmp_path / "rules.py").write_text(MODULE)
    # A conftest imports the module before pytest collects anything.
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport rules\n")
    (tmp_path / "test_rules.py").write_text(tests)
    # Another directory of tests with a conftest of its own.
    (tmp_path / "more").mkdir()
    (tmp_path / "more/conftest.py").touch()
    (tmp_path / "more/test_more.py").write_text("import rules\n\ndef test_more():\n    assert rules.table\n")
    arguments = [str(tmp_path / each) for each in ("rules.py", "test_rules.py", "more/test_more.py")]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )
    last = done.stderr.strip().splitlines()[-1]
    return last, json.loads(last) if last.startswith("{") else {}


@pytest.mark.programs
def test_each_verdict(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    _last, found = judged(tmp_path, pytestconfig.rootpath, TESTS)
    assert found["add: a + b => a - b"] == "killed"
    assert found["untested: not a => a"] == "survived"
    assert found["count: a += 1 => a -= 1"] == "hung"
    assert found["module: 1 => 2"] == "killed"
    # Called while the module is imported, and never again.
    assert found["limit: 7 => 8"] == "killed"
    assert found["module: 20 => 21"] == "survived"
    assert set(found.values()) == {"killed", "hung", "survived"}


@pytest.mark.programs
def test_tests_that_fail_without_a_mutant_judge_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    last, found = judged(tmp_path, pytestconfig.rootpath, TESTS.replace("== 2", "== 3"))
    assert "fail without any mutant" in last
    assert "test_add" in last
    assert found == {}


@pytest.mark.programs
def test_tests_that_fail_in_a_second_import_judge_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    once = "\nimport sys\nAGAIN, sys.seen = hasattr(sys, 'seen'), 1\n\ndef test_once():\n    assert not AGAIN\n"
    last, found = judged(tmp_path, pytestconfig.rootpath, TESTS + once)
    assert "imported once more" in last
    assert found == {}
