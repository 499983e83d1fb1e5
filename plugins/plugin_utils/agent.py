# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the files of the agent that a program on a VM imports.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import functools
import re
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
        waiting += imports(path)
    return sorted(found)


def _packages(path: Path) -> list[Path]:
    """Return the package of a module and those around it, up to the agent itself."""
    return [parent for parent in path.parents if parent == PACKAGE or PACKAGE in parent.parents]


# A parser takes half a second for all files, in every run and for each host. A test compares.
_IMPORT = re.compile(r"^[ ]*from (?P<up>\.+)(?P<module>[\w.]*) import (?P<names>\([^)]*\)|[^#\n]*)", re.MULTILINE)


@functools.cache
def imports(path: Path) -> list[Path]:
    """Return the modules of the agent that one of its modules imports."""
    found = []
    for each in _IMPORT.finditer(path.read_text(encoding="utf-8")):
        source = path.parents[len(each["up"]) - 1].joinpath(*each["module"].split("."))
        if source.is_dir():
            found += [source / f"{name}.py" for name in re.findall(r"(?<!as )\b(?!as\b)\w+", each["names"])]
        else:
            found.append(source.with_suffix(".py"))
    return found
