# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the files of the agent that a program on a VM imports.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import ast
import collections.abc as c
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "module_utils" / "agent"


def closure(entries: c.Iterable[str]) -> list[str]:
    """Return the paths below the agent's package, sorted, that *entries* need, themselves included.

    An entry is a module by its dotted name in the package, such as ``session.ctl``. Relative imports are followed,
    also those within functions. Raises FileNotFoundError for a module that does not exist.
    """
    found: set[str] = set()
    waiting = [PACKAGE.joinpath(*entry.split(".")).with_suffix(".py") for entry in entries]
    while waiting:
        path = waiting.pop()
        name = str(path.relative_to(PACKAGE))
        if name in found:
            continue
        found |= {name, *(str((parent / "__init__.py").relative_to(PACKAGE)) for parent in _packages(path))}
        waiting += _imports(path)
    return sorted(found)


def _packages(path: Path) -> list[Path]:
    """Return the package of a module and those around it, up to the agent itself."""
    return [parent for parent in path.parents if parent == PACKAGE or PACKAGE in parent.parents]


def _imports(path: Path) -> c.Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            source = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            if source.is_dir():
                yield from (source / f"{alias.name}.py" for alias in node.names)
            else:
                yield source.with_suffix(".py")
