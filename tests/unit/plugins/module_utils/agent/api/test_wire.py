# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import wire

field = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


def test_hello_is_the_bytes_of_a_real_client() -> None:
    assert wire.hello() == bytes.fromhex("41504900 00000009") + b"v157..178"


def test_start_api_is_the_bytes_of_a_real_client() -> None:
    assert wire.message(wire.START_API, 2, 7, "") == bytes.fromhex("00000008 3731003200370000")


def cut(stream: bytes, size: int, decoder: wire.Decoder | None = None) -> list[list[str]]:
    """The messages of *stream*, fed in pieces of *size* bytes."""
    decoder = decoder or wire.Decoder()
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    return [message.fields for piece in pieces for message in decoder.feed(piece)]


@given(st.lists(st.lists(field, min_size=1, max_size=wire.MAX_FIELDS), max_size=20), st.integers(1, 100))
def test_messages_survive_any_cutting_of_the_stream(messages: list[list[str]], size: int) -> None:
    decoder = wire.Decoder()
    assert cut(b"".join(wire.message(*message) for message in messages), size, decoder) == messages
    assert decoder.fault is None


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_make_the_decoder_raise_or_grow(chunks: list[bytes]) -> None:
    decoder = wire.Decoder(max_frame=64, max_bytes=1000, max_frames=10)
    received = [message.fields for chunk in chunks for message in decoder.feed(chunk)]
    assert len(received) <= 10
    assert len(decoder._buffer) <= 64 + 4 + 200


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        (b"4", ["4"]),
        (b"4\0", ["4"]),
        (b"4\0\0", ["4", ""]),
        (b"\0", [""]),
        (b"\xff\0", ["\ufffd"]),
        (b"1\0" * 20, ["1"] * wire.MAX_FIELDS),
        (b"x" * 2000, ["x" * wire.MAX_FIELD]),
    ],
)
def test_fields_are_cut_to_the_limits(payload: bytes, fields: list[str]) -> None:
    assert cut(wire._framed(payload), 4096) == [fields]


@pytest.mark.parametrize(
    ("accounts", "pieces"),
    [
        (b"", 1),
        (b"DU1,DU2", 1),
        (b"DU1234567," * 5000, 7),
        (b"D" * 20_000, 3),
    ],
)
def test_a_long_field_comes_in_pieces(accounts: bytes, pieces: int) -> None:
    (message,) = (
        list(message.pieces()) for message in wire.Decoder().feed(wire._framed(b"15\0001\0" + accounts + b"\0"))
    )
    assert (b"".join(message), len(message)) == (accounts, pieces)
    assert b"," not in accounts or all(piece.endswith(b",") for piece in message[:-1])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\0\0\0\0", "a frame of 0 bytes"),
        (b"\x7f\xff\xff\xff", "a frame of 2147483647 bytes"),
        (b"HTTP/1.1 400 Bad Request", "this is an HTTP server"),
        (b"SSH-2.0-OpenSSH_9.2", "this is an SSH server"),
    ],
)
def test_decoder_names_the_fault(data: bytes, fault: str) -> None:
    decoder = wire.Decoder()
    assert cut(data, 64, decoder) == []
    assert decoder.fault == fault
    assert cut(wire.message(15), 64, decoder) == []


@pytest.mark.parametrize(
    ("limits", "messages"),
    [({"max_frames": 3}, 3), ({"max_bytes": 2 * len(wire.message(4)) + 1}, 2)],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_that_has_used_up_its_limits_is_spent_and_no_fault(
    limits: dict[str, int], messages: int, size: int
) -> None:
    decoder = wire.Decoder(**limits)
    assert cut(wire.message(4) * 5, size, decoder) == [["4"]] * messages
    assert decoder.spent
    assert decoder.fault is None
    assert cut(wire.message(4), 10, decoder) == []


def test_messages_before_the_fault_are_kept() -> None:
    decoder = wire.Decoder()
    assert cut(wire.message(4, 2) + b"\0\0\0\0", 64, decoder) == [["4", "2"]]
    assert decoder.fault


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("176", 176),
        ("-1", -1),
        ("", None),
        ("-", None),
        ("1.0", None),
        ("١٢", None),
        (" 1", None),
        ("9" * 19, int("9" * 19)),
        ("-" + "9" * 40, -int("9" * 40)),
        ("9" * 41, None),
    ],
)
def test_number(text: str, value: int | None) -> None:
    assert wire.number(text) == value


@given(st.text())
def test_number_never_raises(text: str) -> None:
    wire.number(text)
