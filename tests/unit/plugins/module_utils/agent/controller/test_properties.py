"""The escaping against an independent reader: a parser written from the documentation of java.util.Properties.load."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.properties import (
    UnrepresentableError,
    escape,
)

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text == text.strip()
)


def java_load(line: str) -> str:
    """The value that Properties.load reads from ``key=<line>`` in a Latin-1 file; IBC trims it afterwards."""
    raw = line.encode("latin-1").decode("latin-1").lstrip(" \t\f")
    units = re.findall(r"\\u[0-9a-f]{4}|\\.|[^\\]", raw)
    assert "".join(units) == raw, "a lone backslash would swallow what follows"
    values = [chr(int(unit[2:], 16)) if unit.startswith("\\u") else unit[-1] for unit in units]
    return "".join(values).encode("utf-16", "surrogatepass").decode("utf-16").strip()


@given(PRINTABLE)
def test_java_reads_back_what_the_user_typed(value: str) -> None:
    assert java_load(escape(value)) == value


@given(PRINTABLE)
def test_the_escaped_form_is_ascii_and_one_line(value: str) -> None:
    escaped = escape(value)
    assert escaped.isascii()
    assert escaped.isprintable()


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("plain", "plain"),
        ("a$b#c!d=e:f", "a$b#c!d=e:f"),
        ("back\\slash", "back\\\\slash"),
        ("ends\\", "ends\\\\"),
        ("\\u0041", "\\\\u0041"),
        ("caf\u00e9", "caf\\u00e9"),
        ("\u20ac", "\\u20ac"),
        ("\U0001f511", "\\ud83d\\udd11"),
        ("two words", "two words"),
    ],
)
def test_known_forms(value: str, escaped: str) -> None:
    assert escape(value) == escaped


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "empty"),
        (" lead", "blank"),
        ("trail ", "blank"),
        ("no\tbreak", "control"),
        ("two\nlines", "control"),
        ("bell\x07", "control"),
    ],
)
def test_what_ibc_cannot_read_is_refused_without_being_repeated(value: str, fault: str) -> None:
    with pytest.raises(UnrepresentableError, match=fault) as refused:
        escape(value)
    assert not value.strip() or value.strip() not in str(refused.value)


def test_escapes_of_neighbours_do_not_merge() -> None:
    samples = ["\\", "u0041", "\u00e9", "n", "\\n"]
    for left, right in pairwise(samples):
        assert java_load(escape(left + right)) == left + right
