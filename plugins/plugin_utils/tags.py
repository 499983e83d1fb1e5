# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tags of a playbook of this collection, including those of its roles and imports.

This plugin util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

COLLECTION = Path(__file__).resolve().parents[2]
# Ansible's own tags.
SPECIAL = frozenset({"all", "always", "never", "tagged", "untagged"})
# A task with include_tasks or include_role must have the tag itself.
_FILES = ("import_playbook", "import_tasks")


def of_playbook(path: Path) -> set[str]:
    """Return every tag by which a task of the playbook can be chosen. Raises OSError, yaml.YAMLError."""
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop().resolve()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        for node in _mappings(yaml.safe_load(file.read_text(encoding="utf-8"))):
            tags = node.get("tags", [])
            found |= {word.strip() for each in ([tags] if isinstance(tags, str) else tags) for word in each.split(",")}
            waiting += _files(node, file)
    return found - SPECIAL


def _mappings(value: object) -> t.Iterator[dict[str, t.Any]]:
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _mappings(each)


def _files(node: dict[str, t.Any], file: Path) -> t.Iterator[Path]:
    """The files that a play or a task brings in."""
    for key, value in node.items():
        name = key.rpartition(".")[2]
        target = value.get("file" if name in _FILES else "name", "") if isinstance(value, dict) else value
        if name in _FILES and isinstance(target, str):
            yield file.parent / target
        elif (name == "import_role" or key == "role") and isinstance(target, str):
            yield from sorted((COLLECTION / "roles" / target.rpartition(".")[2] / "tasks").glob("*.yml"))
