"""Texts that the image, IBC and the gateway rewrite: jts.ini and the properties of config.ini."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import jts, properties
from ibgw_standin import properties as java

NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
WANTED = st.dictionaries(st.tuples(NAME, NAME), st.from_regex(r"[A-Za-z0-9/_.]{1,9}", fullmatch=True), max_size=5)
LINES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["[Logon]", "[Logon", " [ Logon ] ", "=", "a=b=c", "[x=y]", "\x0b", "\u2028", "\r", "[]", "Logon]"]
    ),
    st.tuples(NAME, st.text(max_size=9)).map("=".join),
)
FILES = st.tuples(st.lists(LINES, max_size=15), st.sampled_from(["\n", "\r\n", "\r"])).map(lambda it: it[1].join(it[0]))


@given(FILES, WANTED)
def test_jts_ini_of_any_content_gets_its_keys_and_keeps_the_rest(
    current: str, wanted: dict[tuple[str, str], str]
) -> None:
    text = "".join(f"[{section}]\n{key}={value}\n" for (section, key), value in wanted.items())
    once = jts.reconcile(current, text)
    assert jts.keys(once) == jts.keys(current) | wanted
    assert jts.reconcile(once, text) is once
    assert len(once) <= len(current) + len(text) + 2 * current.count("\r") + 2


@given(st.text() | st.text(st.characters(codec="latin-1")) | st.text("\\u: =#!\t", max_size=12))
def test_a_value_reaches_ibc_as_it_was_or_is_refused(value: str) -> None:
    try:
        escaped = properties.escape(value)
    except properties.UnrepresentableError:
        return
    (entry,) = java.parse(f"key={escaped}\n".encode("ascii"))
    assert (entry.key, entry.value) == ("key", value)


@given(st.binary(max_size=300))
def test_the_stand_ins_reader_reads_anything(data: bytes) -> None:
    try:
        java.parse(data)
    except ValueError:
        return
    assert java.parse(data) == java.parse(data)


@pytest.mark.parametrize("text", ["", "\0" * 10_000, "[" * 100_000, "=\n" * 50_000])
def test_long_texts(text: str) -> None:
    assert jts.keys(jts.reconcile(text, "[Logon]\nTimeZone=UTC\n"))["Logon", "TimeZone"] == "UTC"
