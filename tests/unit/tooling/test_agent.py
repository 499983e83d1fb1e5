# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: what its programs import is shipped, and nothing else is in its package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.plugin_utils.agent import PACKAGE, closure, imports

# Each program with the module that it starts with, by the file of the role that ships it.
PROGRAMS = {
    "session.ctl": "roles/session/vars/main.yml",
    "api.__main__": "roles/session/vars/main.yml",
    "portal.tickle": "roles/client_portal/tasks/main.yml",
}
ROOT = Path(__file__).resolve().parents[3]


def test_the_agent_is_what_a_vm_gets() -> None:
    assert set(closure(PROGRAMS)) == {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("entry", PROGRAMS)
def test_what_is_shipped_is_enough(entry: str, tmp_path: Path) -> None:
    """A process that has only the files shipped, and the standard library, imports every one of them."""
    assert entry in (ROOT / PROGRAMS[entry]).read_text()
    names = []
    for name in closure([entry]):
        target = tmp_path / "agent" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((PACKAGE / name).read_bytes())
        names.append("agent." + name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
    code = (
        f"import sys, importlib; sys.path.insert(0, {str(tmp_path)!r}); [importlib.import_module(n) for n in {names!r}]"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_are_those_of_pythons_parser(path: Path) -> None:
    parsed = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            source = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            parsed |= {source / alias.name for alias in node.names} if source.is_dir() else {source}
    assert set(imports(path)) == {each.with_suffix(".py") for each in parsed}


def test_an_unknown_module_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="session/nothing"):
        closure(["session.nothing"])
