# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sanitize text from containers, engines, APIs and servers before it is shown."""

from __future__ import annotations

# Invisible letters and marks that str.isprintable accepts: fillers, joiners, variation selectors.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}


def printable(text: str, limit: int = 200) -> str:
    """Return *text* safe for a terminal, a log and a page, in at most *limit* characters.

    Controls, format characters (bidirectional and zero-width ones too), line separators, surrogates and invisible
    characters are escaped as Python writes them; ``…`` marks a cut.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    shown = "".join(
        c if c.isprintable() and c not in _UNSEEN else c.encode("unicode_escape").decode() for c in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
