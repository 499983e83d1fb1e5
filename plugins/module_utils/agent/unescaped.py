# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find known words in a text, whatever escapes they are written with.

Programs write one value in many ways: percent-encoded in a URL, as entities in HTML, escaped in JSON, Python, C or a
shell, in base64 among others, and each of these in another.
"""

from __future__ import annotations

import base64
import bisect
import html
import re
from collections.abc import Iterator

Span = tuple[int, int]
_OUTER = re.compile(r"(?P<percent>(?:%(?:25){0,3}[0-9A-F]{2})+)|(?P<entity>&(?:amp;){0,3}#?\w{2,8};)", re.I | re.A)
_INNER = re.compile(
    r"(?P<utf16>(?:\\+u[0-9A-F]{4})+)|(?P<hex>(?:\\+x[0-9A-F]{2})+)|(?P<octal>(?:\\+[0-3][0-7]{2})+)"
    r"|(?P<control>\\+[nrt])|(?P<mark>\\+|[\"']+)",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?P<mark>[\\\"']+)")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_URLSAFE = str.maketrans("-_", "+/")


class Unescaped:
    """A text in lower case without escapes, quotes and backslashes, which knows where each part of it came from.

    A backslash before a letter escapes it, or is one *alone*, as in DOMAIN\\name: whoever searches looks at both.
    """

    def __init__(self, text: str, alone: bool = False) -> None:
        self._alone = alone
        inner = _ALONE if alone else _INNER
        self._layers = []
        # An escape may stand in an escape of the other kind.
        for pattern in (_OUTER, inner, _OUTER, inner):
            text, layer = _undone(pattern, text)
            self._layers.append(layer)
        self._cased = text
        # One character for one, so that nothing moves.
        low = text.lower() if text.isascii() else "".join([each.lower()[0] for each in text])
        self.text = low.replace("+", " ")

    def places(self, words: list[str]) -> Iterator[Span]:
        """Yield where the text as it was has one of *words*, which are without escapes themselves."""
        for word in words:
            at = self.text.find(word)
            while at >= 0:
                yield self._origin(at, at + len(word))
                at = self.text.find(word, at + len(word))

    def places_in_base64(self, words: list[str]) -> Iterator[Span]:
        """Yield where the text as it was has a run of base64 with one of *words* in it."""
        runs = list(_BASE64.finditer(self._cased))
        decoded = [_decoded(run[0]) for run in runs]
        # All at once, as most texts have none.
        everything = Unescaped("\0".join(decoded), self._alone).text
        if there := [word for word in words if word in everything]:
            for run, each in zip(runs, decoded, strict=True):
                plain = Unescaped(each, self._alone).text
                if any(word in plain for word in there):
                    yield self._origin(*run.span())

    def _origin(self, first: int, last: int) -> Span:
        """Return where the characters from *first* to *last* came from."""
        for starts, origins in reversed(self._layers):
            first, last = _before(starts, origins, first)[0], _before(starts, origins, last - 1)[1]
        return first, last


def _undone(pattern: re.Pattern[str], text: str) -> tuple[str, tuple[list[int], list[Span]]]:
    """Return *text* with the escapes of *pattern* undone, and for each part where it begins and what it was."""
    parts: list[str] = []
    starts: list[int] = []
    origins: list[Span] = []
    length = at = 0

    def add(part: str, start: int, end: int) -> None:
        nonlocal length
        if part:
            parts.append(part)
            starts.append(length)
            origins.append((start, end))
            length += len(part)

    for escape in pattern.finditer(text):
        add(text[at : escape.start()], at, escape.start())
        add(_character(escape), *escape.span())
        at = escape.end()
    add(text[at:], at, len(text))
    # The end of the last part, so that each has one.
    starts.append(length)
    return "".join(parts), (starts, origins)


def _before(starts: list[int], origins: list[Span], at: int) -> Span:
    """Return what the character *at* of an undone text was: one of as many, or all that it was written with."""
    index = bisect.bisect_right(starts, at, hi=len(origins)) - 1
    start, end = origins[index]
    if end - start == starts[index + 1] - starts[index]:
        start += at - starts[index]
        end = start + 1
    return start, end


def _character(escape: re.Match[str]) -> str:
    """Return what *escape* stands for: nothing for quotes and backslashes, which escape one another."""
    kind, found = escape.lastgroup, escape[0]
    if kind == "mark":
        return ""
    if kind == "control":
        return _CONTROLS[found[-1].lower()]
    if kind == "entity":
        return html.unescape("&" + found[1:].replace("amp;", ""))
    if kind == "utf16":
        return bytes.fromhex(re.sub(r"\\+u", "", found, flags=re.I)).decode("utf-16-be", "replace")
    if kind == "octal":
        return _text(bytes(int(each, 8) for each in re.findall(r"\d+", found)))
    return _text(bytes.fromhex(re.sub(r"%(?:25){0,3}(?=[0-9a-f]{2})|\\+x", "", found, flags=re.I)))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _decoded(run: str) -> str:
    """Return what *run* may stand for, from each place at which base64 may begin in it."""
    run = run.translate(_URLSAFE)
    parts = []
    for start in range(4):
        part = run[start:]
        # One character alone stands for nothing.
        part = part[: len(part) - (len(part) % 4 == 1)]
        parts.append(base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace"))
    return "\0".join(parts)
