"""The ids of problems: each is tested by a test of the rules, and none is another one's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent import problem
from ansible_collections.ibops.gateway.plugins.module_utils.host import docker_daemon
from ansible_collections.ibops.gateway.plugins.module_utils.rules import check

ROOT = Path(__file__).resolve().parents[3]


def test_every_id_is_tested_and_documented() -> None:
    # With them, every module that has kinds of problem is imported.
    assert check.host
    assert docker_daemon.problem
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    page = (ROOT / "docs/reference/problems.md").read_text()
    assert len(problem.KINDS) > 100
    # A test asserts the id alone, or with the option or variable behind it.
    asserted = set(re.findall(r'"([a-z0-9-]+)(?: [a-z_]+(?:[/.[][^"]*)?)?"', tests))
    assert sorted(problem.KINDS.keys() - asserted) == []
    assert [name for name in problem.KINDS if f"| `{name}` |" not in page] == []


def test_an_id_is_declared_once() -> None:
    name, texts = next(iter(problem.KINDS.items()))
    problem.table({name: texts})
    with pytest.raises(ValueError, match=name):
        problem.table({name: ("another", "text")})


def test_what_is_shown_is_printable_and_bounded() -> None:
    say = problem.table({"made-up": ("wrong by {fault}", "mend")})
    found = say("made-up", "x[\n]", "a\u202eb\n" * 100, fault="\x1b[31m")
    assert found.id == "made-up"
    assert str(found).isprintable()
    assert len(found.value or "") <= 80
    assert (say("made-up", "x", fault=1).value, say("made-up", "x", None, fault=1).value) == (None, "None")
    del problem.KINDS["made-up"]


def test_a_line_has_host_variable_value_fault_and_fix() -> None:
    found = problem.Problem("id", "x", "5", "wrong", "mend it", "h")
    assert str(found) == "h: x = 5: wrong. Fix: mend it."
    assert str(found._replace(host="", value=None)) == "x: wrong. Fix: mend it."
