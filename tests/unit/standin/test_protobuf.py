# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibgw_standin import protobuf

NUMBERS = st.integers(1, 1 << 28)
VALUES = st.one_of(
    st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False), st.text(), st.binary()
)


@given(st.lists(st.tuples(NUMBERS, VALUES)))
def test_what_is_written_is_read(fields: list[tuple[int, protobuf.Value]]) -> None:
    read = protobuf.decode(protobuf.encode(fields))
    for number, value in fields:
        found = read[number].pop(0)
        if isinstance(value, str):
            value = value.encode()
        assert (protobuf.signed(found) if isinstance(found, int) else found) == value


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ((), ""),
        (((1, -1),), "08ffffffffffffffffff01"),
        (((1, 7),), "0807"),
        (((1, True), (2, "a")), "0801120161"),
        (((3, 1.5),), "19000000000000f83f"),
        (((300, 300),), "e012ac02"),
    ],
)
def test_the_bytes_of_the_format(fields: list[tuple[int, protobuf.Value]], data: str) -> None:
    assert protobuf.encode(fields).hex() == data


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        protobuf.decode(data)
    except protobuf.DecodeError:
        return


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05abc", b"\x0b", b"\x19\0\0", b"\xff" * 11])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(protobuf.DecodeError):
        protobuf.decode(data)


def test_a_float_of_four_bytes_is_read() -> None:
    assert protobuf.decode(bytes.fromhex("0d0000c03f")) == {1: [1.5]}
