# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A strict reader of Prometheus' text format 0.0.4, as prometheus.io/docs/instrumenting/exposition_formats has it.

Stricter than Prometheus: every family has a help and a type before its samples, and stands in one piece.
"""

from __future__ import annotations

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(rf"({_NAME})\{{({_LABEL}(?:,{_LABEL})*)\}} (\S+)")
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read(text: str) -> tuple[dict[str, str], Samples]:
    """Return the types by name, and the samples by name and labels; ValueError for what the format does not allow."""
    if not text.endswith("\n"):
        raise ValueError("the last line does not end with a line feed")
    types: dict[str, str] = {}
    helps: set[str] = set()
    found: Samples = {}
    family = ""
    for line in text[:-1].split("\n"):
        if comment := _COMMENT.fullmatch(line):
            word, name, rest = comment.groups()
            if name in found or (name in helps and word == "HELP") or name in types:
                raise ValueError(f"{name} stands in two places")
            if word == "HELP":
                helps.add(name)
            elif rest in TYPES and name in helps:
                types[name], family = rest, name
            else:
                raise ValueError(f"{name} has no such type, or no help before it: {rest}")
        elif sample := _SAMPLE.fullmatch(line):
            name, labels, value = sample.groups()
            if name != family:
                raise ValueError(f"a sample of {name} outside of its family")
            pairs = tuple(re.findall(r'([a-zA-Z_0-9]+)="((?:[^"\\]|\\.)*)"', labels))
            if len(dict(pairs)) < len(pairs) or pairs in found.get(name, {}):
                raise ValueError(f"{line} is there twice")
            found.setdefault(name, {})[pairs] = float(value)
        else:
            raise ValueError(f"neither a comment nor a sample, or one with a timestamp: {line!r}")
    return types, found
