"""The rules of tests/lint/structure.py, each against a tree that breaks it and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.lint.structure import COLLECTION, MOST_LINES, problems

LONG = "\n    a = 1" * MOST_LINES


def found(folder: Path, texts: dict[str, str]) -> list[str]:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return problems(folder, [Path(name) for name in texts])


@pytest.mark.parametrize(
    ("names", "first", "second"),
    [
        (("a/x.py", "a/y.py"), "from . import y\nX = 1", "from .x import X\nY = X"),
        (("a/x.py", "b/y.py"), "from ..b.y import Y\nX = Y", "import a.x\nY = a.x"),
        (("p/x.py", "p/y.py"), f"from {COLLECTION}p import y\nX = y", f"from {COLLECTION}p.x import X\nY = X"),
        (("sandbox/gateway/s/x.py", "sandbox/gateway/s/y.py"), "from s import y\nX = y", "from . import x\nY = x"),
        # Through a package's own module.
        (("a/__init__.py", "a/y.py"), "from .y import Y\nX = Y", "from . import X\nY = X"),
        # For types alone, and inside of a function.
        (("a/x.py", "a/y.py"), "X = 0\nif X:\n    from .y import Y", "def y():\n    from . import x\n    return x.X"),
    ],
)
def test_an_import_that_goes_round(tmp_path: Path, names: tuple[str, str], first: str, second: str) -> None:
    [problem] = found(tmp_path, {names[0]: first, names[1]: second})
    assert set(problem.removeprefix("imports go round: ").split(" <- ")) == set(names)
    assert found(tmp_path, {names[0]: first, names[1]: "Y = X = 1"}) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"def f():{LONG[:-10]}", 0),
        (f"def f():{LONG}", 1),
        (f"async def f():{LONG}", 1),
        (f"class C:\n  def f(self):{LONG}", 1),
        (f"def f():  # long: one table{LONG}", 0),
        (f"def f(  # long: one table\n    a: int,\n) -> int:{LONG}", 0),
        (f"def f():  # long:{LONG}", 1),
        # A reason that is needed no more.
        ("def f():  # long: one table\n    a = 1", 1),
    ],
)
def test_a_long_function_has_a_reason(tmp_path: Path, text: str, count: int) -> None:
    assert len(found(tmp_path, {"a.py": text})) == count


@pytest.mark.parametrize(
    ("text", "forwards"),
    [
        ("from b import c", True),
        ('"""Text."""\nfrom __future__ import annotations\nimport b\n__all__ = ["b"]', True),
        ("from b import c\ndef f(a, *, k):\n    '''Text.'''\n    return c(a, k=k)", True),
        ("from b import c\ndef f(a):\n    c(a)", True),
        ("from b import c\ndef f(a):\n    return c(a, 1)", False),
        ("from b import c\ndef f(a):\n    return c(a)\nX = 1", False),
        ("from b import c\nc()", False),
        ('"""Text."""\nfrom __future__ import annotations', False),
        ("", False),
    ],
)
def test_a_module_that_only_forwards(tmp_path: Path, text: str, forwards: bool) -> None:
    assert bool(found(tmp_path, {"a.py": text})) == forwards
