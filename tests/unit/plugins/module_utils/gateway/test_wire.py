# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import wire

field = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


def test_hello_is_the_bytes_of_a_real_client() -> None:
    assert wire.hello() == bytes.fromhex("41504900 00000009") + b"v157..178"


def test_start_api_is_the_bytes_of_a_real_client() -> None:
    assert wire.message(wire.START_API, 2, 7, "") == bytes.fromhex("00000008 3731003200370000")


@given(st.lists(st.lists(field, min_size=1), max_size=20), st.integers(1, 50))
def test_messages_survive_any_cutting_of_the_stream(messages: list[list[str]], size: int) -> None:
    stream = b"".join(wire.message(*message) for message in messages)
    decoder = wire.Decoder()
    received = [got for i in range(0, len(stream), size) for got in decoder.feed(stream[i : i + size])]
    assert received == messages
    assert decoder.fault is None


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_bytes_make_the_decoder_raise_or_grow(chunks: list[bytes]) -> None:
    decoder = wire.Decoder(max_frame=64, max_bytes=1000, max_frames=10)
    received = [message for chunk in chunks for message in decoder.feed(chunk)]
    assert len(received) <= 10
    assert len(decoder._buffer) <= 64 + 4 + 200
    if sum(map(len, chunks)) > 1000:
        assert decoder.fault


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
    assert decoder.feed(data) == []
    assert decoder.fault == fault
    assert decoder.feed(wire.message(15)) == []


def test_decoder_counts_frames_and_bytes() -> None:
    frames = wire.Decoder(max_frames=3)
    assert len(frames.feed(wire.message(4) * 5)) == 3
    assert frames.fault == "more frames than a start-up ever has"
    bytes_ = wire.Decoder(max_bytes=10)
    bytes_.feed(wire.message("x" * 20))
    assert bytes_.fault == "more data than a start-up ever has"


def test_messages_before_the_fault_are_kept() -> None:
    decoder = wire.Decoder()
    assert decoder.feed(wire.message(4, 2) + b"\0\0\0\0") == [["4", "2"]]
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
        ("9" * 19, None),
    ],
)
def test_number(text: str, value: int | None) -> None:
    assert wire.number(text) == value


@given(st.text())
def test_number_never_raises(text: str) -> None:
    wire.number(text)
