"""Lint reads comments, docstrings and task names of code, and refuses our own translated phrases."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lint import prose

INSTEAD = {"anew": "again"}
VAGUE = ": begin with what it is or does"
CASES = {
    "comment": ("a.py", "X = 1\n# What X is for.\n", [(2, f"What{VAGUE}")]),
    "question": ("a.py", "# What is it?\n", []),
    "second line": ("a.py", "# X, and\n# which is not its subject.\n", []),
    "docstring": ("a.py", 'def f():\n    """Who calls."""\n', [(2, f"Who{VAGUE}")]),
    "word": ("a.py", '"""Read it\n\nanew."""\n', [(3, "anew: write again")]),
    "text of a test": ("tests/a.py", 'X = "read anew"\n', []),
    "text of a plugin": ("plugins/a.py", 'X = "read anew"\n', [(1, "anew: write again")]),
    "YAML": ("a.yml", "---\n# One,\n# read anew.\n", [(3, "anew: write again")]),
    "task": ("a.yml", "- name: What is wanted\n", [(1, f"What{VAGUE}")]),
    "Jinja": ("a.j2", "{# What it is. #}\n", [(1, f"What{VAGUE}")]),
}


@pytest.mark.parametrize(("name", "text", "expected"), CASES.values(), ids=list(CASES))
def test_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str, expected: list[tuple[int, str]]
) -> None:
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    found = prose.python_problems if path.suffix == ".py" else prose.remark_problems
    assert found(Path(name), INSTEAD) == expected
