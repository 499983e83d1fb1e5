# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent import text


@given(st.text(st.characters()), st.integers(1, 50))
def test_printable_is(said: str, limit: int) -> None:
    shown = text.printable(said, limit)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    assert len(shown) <= limit


def test_printable_escapes_and_cuts() -> None:
    assert text.printable("a\x1b[31m\n\u202eb") == "a\\x1b[31m\\n\\u202eb"
    assert text.printable("abcdef", 4) == "abc…"


def test_what_shows_nothing_is_escaped_too() -> None:
    assert text.printable("a\u200bb\u2028c\u3164d\ufe0fe\ud800") == "a\\u200bb\\u2028c\\u3164d\\ufe0fe\\ud800"


def test_an_escape_counts_as_long_as_it_is() -> None:
    assert text.printable("\U000e0001" * 10, 25) == ("\\U000e0001" * 3)[:24] + "…"
