"""How the Python is cut: no import goes round, no function is over 60 lines, no module only forwards.

A longer function says why beside it: `def name(...):  # long: the reason`.
"""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.lint.files import ROOT, project_files

MOST_LINES = 60
REASON = re.compile(r"# long: \w+")
# Where an absolute import of ours begins, and what the collection's own name stands for.
PLACES = (Path(), Path("sandbox/gateway"))
COLLECTION = "ansible_collections.ibops.gateway."

Modules = dict[Path, ast.Module]


def imported(path: Path, tree: ast.Module, known: Iterable[Path]) -> set[Path]:
    """The files of ours that a module imports, wherever in it, also for types alone."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {place / each.name.replace(".", "/") for each in node.names for place in PLACES}
        elif isinstance(node, ast.ImportFrom):
            words = (node.module or "").removeprefix(COLLECTION).replace(".", "/")
            for place in [path.parents[node.level - 1]] if node.level else PLACES:
                names |= {place / words, *(place / words / each.name for each in node.names)}
    files = {name.with_name(f"{name.name}.py") for name in names if name.name} | {
        name / "__init__.py" for name in names
    }
    return (files & set(known)) - {path}


def circles(modules: Modules) -> Iterator[str]:
    """The first circle of imports, if any."""
    try:
        graphlib.TopologicalSorter({path: imported(path, tree, modules) for path, tree in modules.items()}).prepare()
    except graphlib.CycleError as error:
        yield "imports go round: " + " <- ".join(map(str, error.args[1]))


def long_functions(path: Path, tree: ast.Module, lines: list[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            explained = any(REASON.search(line) for line in lines[node.lineno - 1 : node.body[0].lineno])
            if (count > MOST_LINES) != explained:
                yield f"{path}:{node.lineno}: {node.name} has {count} lines" + (
                    " and gives a reason" if explained else ""
                )


def forwards(tree: ast.Module) -> bool:
    """Whether a module has imports, and beside them only functions that hand their own arguments on to another."""
    code = [node for node in tree.body if not (_is_text(node) or _is_future(node) or _is_all(node))]
    rest = [node for node in code if not isinstance(node, ast.Import | ast.ImportFrom)]
    return len(rest) < len(code) and all(_hands_on(node) for node in rest)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _hands_on(node: ast.stmt) -> bool:
    # A decorator adds something: pytest's makes a fixture.
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    code = [each for each in node.body if not _is_text(each)]
    call = code[0].value if len(code) == 1 and isinstance(code[0], ast.Return | ast.Expr) else None
    taken = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if not isinstance(call, ast.Call):
        return False
    return taken == [ast.unparse(each) for each in (*call.args, *(word.value for word in call.keywords))]


def problems(root: Path, paths: list[Path]) -> list[str]:
    texts = {path: (root / path).read_text() for path in paths}
    modules = {path: ast.parse(text, str(path)) for path, text in texts.items()}
    found = list(circles(modules))
    for path, tree in modules.items():
        found += long_functions(path, tree, texts[path].splitlines())
        if forwards(tree):
            found.append(f"{path}: only forwards to what it imports")
    return found


if __name__ == "__main__":
    ours = [path for path in project_files() if path.suffix == ".py"]
    wrong = problems(ROOT, ours)
    print("\n".join(wrong) or f"{len(ours)} modules: no circle, no long function, none that only forwards")
    sys.exit(bool(wrong))
