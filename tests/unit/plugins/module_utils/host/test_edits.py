from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.host.edits import replace_lines, set_keys

LOGIN_DEFS = "# password ageing\nPASS_MAX_DAYS\t99999\n#UMASK 022\nPASS_MAX_DAYS_EXTRA 1\n"


@pytest.mark.parametrize(
    ("text", "settings", "separator", "expected"),
    [
        ("", {"A": "1"}, " ", "A 1\n"),
        ("A 0\n", {"A": "1"}, " ", "A 1\n"),
        ("A 0\nB 2\nA 3\n", {"A": "1"}, " ", "A 1\nB 2\n"),
        ("A 0\nB 2\n", {"A": None}, " ", "B 2\n"),
        ("A=0", {"B": "1"}, " = ", "A=0\nB = 1\n"),
        ("# A 5\nB 2\n", {"A": "1"}, "=", "# A 5\nA=1\nB 2\n"),
        ("  A 0\n", {"A": "1"}, " ", "A 1\n"),
        (
            LOGIN_DEFS,
            {"PASS_MAX_DAYS": "365", "UMASK": "027"},
            "\t",
            "# password ageing\nPASS_MAX_DAYS\t365\n#UMASK 022\nUMASK\t027\nPASS_MAX_DAYS_EXTRA 1\n",
        ),
    ],
)
def test_keys(text: str, settings: dict[str, str | None], separator: str, expected: str) -> None:
    assert set_keys(text, settings, separator) == expected


@pytest.mark.parametrize(
    ("text", "match", "line", "expected"),
    [
        ("", "^x", "x 1", "x 1\n"),
        ("a\nx 0\nb\nx 2\n", "^x", "x 1", "a\nx 1\nb\n"),
        ("a\nx 0", "^x", "x 1", "a\nx 1\n"),
        ("a", "^x", "x 1", "a\nx 1\n"),
        ("a\nx 0\nb\n", "^x", None, "a\nb\n"),
        ("a\r\nx\r\n", "^x$", None, "a\r\n"),
    ],
)
def test_lines(text: str, match: str, line: str | None, expected: str) -> None:
    assert replace_lines(text, match, line) == expected


texts = st.text(st.sampled_from("AB= #\n1"), max_size=40)
values = st.dictionaries(st.sampled_from(["A", "B"]), st.none() | st.sampled_from(["1", "x y"]))


@given(texts, values)
def test_a_second_edit_finds_nothing_to_do(text: str, settings: dict[str, str | None]) -> None:
    once = set_keys(text, settings, "=")
    assert set_keys(once, settings, "=") == once


@given(texts, values)
def test_comments_and_the_lines_of_other_keys_stay(text: str, settings: dict[str, str | None]) -> None:
    def others(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.strip()[:1] not in (*settings, "")]

    assert others(set_keys(text, settings, "=")) == others(text)
