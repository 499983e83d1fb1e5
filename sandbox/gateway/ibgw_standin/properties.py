# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Java's properties format as IBC loads config.ini, with a note wherever the reader gets another value than intended.

The format is that of ``java.util.Properties.load(InputStream)``: ISO 8859-1, lines joined by a backslash at their end,
a key that ends at the first blank, ``=`` or ``:``, escapes in keys and values. IBC trims every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_BLANKS = " \t\f"
_MEANT = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"} | {char: char for char in "\\=:#! '\""}
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")


class Entry(NamedTuple):
    """A key with its value as IBC reads it, and the faults in its notation."""

    key: str
    value: str
    line: int
    notes: tuple[str, ...]


def _logical_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line number, line with its continuations joined, and whether a continuation swallowed a setting."""
    natural = re.split(r"\r\n|\r|\n", text)
    index = 0
    while index < len(natural):
        number, line = index + 1, natural[index].lstrip(_BLANKS)
        index += 1
        if not line or line[0] in "#!":
            continue
        swallowed = False
        while (len(line) - len(line.rstrip("\\"))) % 2:
            following = natural[index].lstrip(_BLANKS) if index < len(natural) else ""
            swallowed = swallowed or "=" in following
            line = line[:-1] + following
            index += 1
        yield number, line, swallowed


def _unescape(text: str) -> tuple[str, list[str]]:
    out, notes, at = [], [], 0
    while at < len(text):
        char = text[at]
        at += 1
        if char != "\\":
            out.append(char)
            continue
        char = text[at : at + 1]
        at += 1
        if char == "u":
            digits = text[at : at + 4]
            at += 4
            if re.fullmatch("[0-9a-fA-F]{4}", digits):
                out.append(chr(int(digits, 16)))
            else:
                notes.append("has a \\u that four hexadecimal digits do not follow: Java refuses the whole file")
        elif char in _MEANT:
            out.append(_MEANT[char])
        else:
            out.append(char)
            notes.append("has a single backslash, which Java drops: write it twice")
    text = "".join(out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text, notes  # two \uXXXX may be one character: Java's texts are UTF-16


def _split(line: str) -> tuple[str, str]:
    at = 0
    while at < len(line) and line[at] not in _BLANKS + "=:":
        at += 2 if line[at] == "\\" else 1
    separator = _SEPARATOR.match(line, at)
    return line[:at], line[separator.end() if separator else at :]


def parse(data: bytes) -> list[Entry]:
    """Parse a properties file; entries in order, repeated keys included."""
    entries = []
    for number, line, swallowed in _logical_lines(data.decode("latin-1")):
        raw_key, raw_value = _split(line)
        key, notes = _unescape(raw_key)
        value, value_notes = _unescape(raw_value)
        notes += value_notes
        if swallowed:
            notes.append("ends in a backslash and so swallows the next line")
        if not raw_value.isascii() and _is_utf8(raw_value):
            notes.append("is written in UTF-8, which Java reads as other letters: write them as \\uXXXX")
        entries.append(Entry(key, value, number, tuple(dict.fromkeys(notes))))
    return entries


def _is_utf8(text: str) -> bool:
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
