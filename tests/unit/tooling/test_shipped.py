# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role `client_portal` copies to a VM exactly the files that its program imports there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "plugins/module_utils/gateway"
TASKS = ROOT / "roles/client_portal/tasks/files.yml"


def imported(name: str, seen: set[str]) -> set[str]:
    """The modules of the library that *name* imports, itself included."""
    if name in seen:
        return seen
    seen.add(name)
    for node in ast.walk(ast.parse((LIBRARY / f"{name}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            for each in [node.module] if node.module else [alias.name for alias in node.names]:
                imported(each, seen)
    return seen


def test_the_portal_has_the_files_that_it_imports() -> None:
    (names,) = re.findall(r"for name in \[(.*?)\]", TASKS.read_text())
    assert set(re.findall(r"'(\w+)'", names)) == imported("portal_file", set()) | {"__init__"}
