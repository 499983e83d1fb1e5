# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``files`` of the modules that write the host's configuration, and the entries built from it.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import grp
import os
import pwd
from typing import Any

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.host.edits import replace_lines, set_keys

LINE = {
    "match": {"type": "str", "required": True},
    "line": {"type": "str"},
}
FILE: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["absent", "attributes", "directory", "present"]},
    "content": {"type": "str"},
    "settings": {"type": "dict"},
    "separator": {"type": "str", "default": " "},
    "lines": {"type": "list", "elements": "dict", "options": LINE},
    "target": {"type": "str"},
    "optional": {"type": "bool", "default": False},
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "validate": {"type": "str"},
    "commands": {"type": "list", "elements": "str", "default": []},
    "retire": {"type": "list", "elements": "str", "default": []},
}
OPTION = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": FILE,
    "mutually_exclusive": [("content", "target", "settings"), ("content", "target", "lines")],
}


def completed(file: dict[str, Any]) -> dict[str, Any]:
    """Return an element of option ``files`` with the defaults that its specification gives it."""
    found = {name: each.get("default") for name, each in FILE.items()} | file
    return {**found, "lines": found["lines"] and [{"line": None, **each} for each in found["lines"]]}


def entry(file: dict[str, Any]) -> files.Entry:
    """Return the entry that an element of option ``files`` describes; raises ValueError when it is ambiguous."""
    wanted = entry_of(file)
    wanted.validate = file["validate"]
    return wanted


def entry_of(file: dict[str, Any]) -> files.Entry:
    path = file["path"]
    attributes: tuple[int | None, int | None, int | None] = (mode(file), owner(file), group(file))
    if file["state"] == "absent":
        return files.Absent(path)
    if file["state"] == "directory":
        return files.Directory(path, *attributes)
    if file["state"] == "attributes":
        return files.Attributes(path, *attributes)
    if file["target"] is not None:
        return files.Link(path, file["target"])
    if file["content"] is not None:
        return files.File(path, file["content"], *whole(*attributes))
    if file["settings"] is None and file["lines"] is None:
        raise ValueError(f"{path}: say what should be there: content, settings, lines, target or another state")
    return files.Edited(path, lambda text: edited(text, file), *attributes, optional=file["optional"])


def edited(text: str, file: dict[str, Any]) -> str:
    settings = {key: None if value is None else str(value) for key, value in (file["settings"] or {}).items()}
    text = set_keys(text, settings, file["separator"])
    for each in file["lines"] or []:
        text = replace_lines(text, each["match"], each["line"])
    return text


def whole(mode: int | None, owner: int | None, group: int | None) -> tuple[int, int, int]:
    """The attributes of a file that we write whole."""
    return (
        0o644 if mode is None else mode,
        os.geteuid() if owner is None else owner,
        os.getegid() if group is None else group,
    )


def mode(file: dict[str, Any]) -> int | None:
    try:
        return None if file["mode"] is None else int(file["mode"], 8)
    except ValueError:
        raise ValueError(
            f"{file['path']}: mode {file['mode']!r} is not written in octal digits, for example '0644'"
        ) from None


def owner(file: dict[str, Any]) -> int | None:
    try:
        return _identity(file["owner"], lambda name: pwd.getpwnam(name).pw_uid)
    except KeyError:
        raise ValueError(f"{file['path']}: there is no user {file['owner']!r} on this host") from None


def group(file: dict[str, Any]) -> int | None:
    try:
        return _identity(file["group"], lambda name: grp.getgrnam(name).gr_gid)
    except KeyError:
        raise ValueError(f"{file['path']}: there is no group {file['group']!r} on this host") from None


def _identity(name: str | None, look_up: c.Callable[[str], int]) -> int | None:
    """Numbers are accepted: a container's user has no name on its host."""
    if name is None:
        return None
    return int(name) if name.isdigit() else look_up(name)
