# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits of line-based configuration files that leave every other line as it is, comments included."""

from __future__ import annotations

import collections.abc as c
import re


def replace_lines(text: str, match: str, line: str | None) -> str:
    """Replace the first line that matches the regular expression *match* with *line* (None: remove it), and remove
    further matches.

    Where nothing matches, the line is added at the end.
    """
    pattern = re.compile(match)
    kept: list[str] = []
    missing = line
    for each in text.splitlines(keepends=True):
        if not pattern.search(each.rstrip("\r\n")):
            kept.append(each)
        elif missing is not None:
            kept.append(f"{missing}\n")
            missing = None
    if missing is not None:
        kept = end_line(kept)
        kept.append(f"{missing}\n")
    return "".join(kept)


def set_keys(text: str, settings: c.Mapping[str, str | None], separator: str) -> str:
    """Set every key in *text* to its value, one active line each; None removes the key's lines.

    A new line follows the commented-out example of its key, if there is one.
    """
    for key, value in settings.items():
        active = rf"^\s*{re.escape(key)}(?![\w.-])"
        if value is None or re.search(active, text, re.MULTILINE):
            text = replace_lines(text, active, None if value is None else f"{key}{separator}{value}")
        else:
            lines = end_line(text.splitlines(keepends=True))
            examples = [i for i, each in enumerate(lines) if re.match(rf"#\s*{re.escape(key)}(?![\w.-])", each)]
            lines.insert(examples[-1] + 1 if examples else len(lines), f"{key}{separator}{value}\n")
            text = "".join(lines)
    return text


def end_line(lines: list[str]) -> list[str]:
    """The lines, with a newline at the end of the last."""
    return [*lines[:-1], lines[-1].rstrip("\n") + "\n"] if lines else lines
