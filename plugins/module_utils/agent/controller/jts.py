# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``jts.ini``: reconcile the keys that we manage, and leave every other line as IBC and the gateway wrote it.

IBC and the gateway delete and rewrite the file at every start: they add keys, reorder sections and change
line ends. So the desired state is a set of keys, not a file: only a key whose value differs is touched.
"""

from __future__ import annotations

import re

Keys = dict[tuple[str, str], str]
# Lines as Java reads them, and so IBC and the gateway: U+2028, U+0085, a form feed and the like belong to the value.
_LINE_END = re.compile(r"\r\n|\n|\r")
_BLANKS = " \t"


def keys(text: str) -> Keys:
    """Return ``{(section, key): value}`` of an ini text; the first of two equal keys counts."""
    found: Keys = {}
    section = ""
    for line in _lines(text):
        stripped = line.strip(_BLANKS)
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        elif "=" in stripped:
            key, value = stripped.split("=", 1)
            found.setdefault((section, key.strip(_BLANKS)), value.strip(_BLANKS))
    return found


def reconcile(current: str, wanted: str) -> str:
    """Return *current* with every key of *wanted* set to its value; *current* itself when nothing differs."""
    missing = {name: value for name, value in keys(wanted).items() if keys(current).get(name) != value}
    if not missing:
        return current
    lines: list[str] = []
    section = ""
    for line in _lines(current):
        stripped = line.strip(_BLANKS)
        if stripped.startswith("[") and stripped.endswith("]"):
            lines += _rest_of(section, missing)
            section = stripped[1:-1]
        elif "=" in stripped and (section, stripped.split("=", 1)[0].strip(_BLANKS)) in missing:
            key = stripped.split("=", 1)[0].strip(_BLANKS)
            line = f"{key}={missing.pop((section, key))}"
        lines.append(line)
    lines += _rest_of(section, missing)
    for section in dict.fromkeys(section for section, _key in missing):
        lines += [f"[{section}]", *_rest_of(section, missing)]
    return "\n".join(lines) + "\n"


def _lines(text: str) -> list[str]:
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def _rest_of(section: str, missing: Keys) -> list[str]:
    """Remove the keys of *section* from *missing*, and return them as lines."""
    return [f"{key}={missing.pop((owner, key))}" for owner, key in list(missing) if owner == section]
