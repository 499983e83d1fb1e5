# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibgw_standin import messages, requests, wire
from ibgw_standin.catalogue import INSTRUMENTS

FIELDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1)


def raw(message_id: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", message_id) + body


@given(FIELDS)
def test_texts_are_read_as_written(fields: list[str]) -> None:
    assert list(wire.split_texts(wire.texts(*fields))) == fields


@given(st.integers(0, 200), FIELDS, st.sampled_from([157, 200, 201, 225]))
def test_a_text_request_is_read_at_every_version(number: int, fields: list[str], version: int) -> None:
    payload = wire.texts(number, *fields) if version < 201 else raw(number, wire.texts(*fields))
    assert wire.decode(version, payload) == wire.Incoming(number, tuple(fields))


def test_a_protobuf_request_is_read() -> None:
    incoming = wire.decode(213, bytes.fromhex("0000010f0807"))
    assert (incoming.id, incoming.proto) == (71, {1: [7]})
    assert requests.Request(incoming).number("client_id") == 7


def test_a_request_without_fields_is_read() -> None:
    assert wire.decode(201, raw(61)) == wire.Incoming(61)
    assert wire.decode(213, raw(249)).id == 49


@pytest.mark.parametrize(
    ("version", "payload"), [(178, b"abc\0"), (178, b"\0"), (201, b"\0\0"), (213, raw(271, b"\x0b"))]
)
def test_what_is_no_request_is_refused(version: int, payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(version, payload)


@pytest.mark.parametrize(
    ("version", "payload"),
    [
        (176, b"15\x001\0DU1\0"),
        (200, b"15\x001\0DU1\0"),
        (201, raw(15, b"1\0DU1\0")),
        (206, raw(15, b"1\0DU1\0")),
        (207, raw(215, b"\x0a\x03DU1")),
        (225, raw(215, b"\x0a\x03DU1")),
    ],
)
def test_accounts_change_their_form_at_the_gates(version: int, payload: bytes) -> None:
    assert wire.encode(version, messages.managed_accounts("DU1")) == payload


@pytest.mark.parametrize(("version", "message_id"), [(212, 9), (213, 209)])
def test_the_next_id_changes_its_form_later(version: int, message_id: int) -> None:
    assert wire.encode(version, messages.next_valid_id(1))[:4] == raw(message_id)


def test_a_message_without_fields_is_its_id() -> None:
    assert wire.encode(176, messages.completed_orders_end()) == b"102\0"
    assert wire.encode(201, messages.completed_orders_end()) == raw(102)


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        (157, (2, -1, 326, "text")),
        (166, (2, -1, 326, "text", "")),
        (193, (2, -1, 326, "text", "")),
        (194, (-1, 326, "text", "", 1500)),
    ],
)
def test_errors_have_the_layout_of_the_version(version: int, fields: tuple[object, ...]) -> None:
    assert messages.error(version, 326, "text", now=1.5).text == fields


@pytest.mark.parametrize(
    ("version", "count"), [(157, 38), (163, 39), (164, 39), (181, 39), (182, 40), (185, 40), (186, 41), (200, 41)]
)
def test_contract_details_grow_with_the_version(version: int, count: int) -> None:
    assert len(messages.contract_details(version, 1, INSTRUMENTS[0]).text) == count


def test_historical_data_ends_in_its_own_message_from_196() -> None:
    assert [message.id for message in messages.historical_data(195, 1, [])] == [17]
    assert [message.id for message in messages.historical_data(196, 1, [])] == [17, 108]


@pytest.mark.parametrize(
    ("payload", "hello"),
    [
        (b"v157..178", wire.Hello(157, 178)),
        (b"v176", wire.Hello(176, 176)),
        (b"v157..178 +PACEAPI", wire.Hello(157, 178, "+PACEAPI")),
    ],
)
def test_a_hello_is_read(payload: bytes, hello: wire.Hello) -> None:
    assert wire.parse_hello(payload) == hello


@pytest.mark.parametrize("payload", [b"v100.200", b"157..178", b"v..", b"v1..2x", b"v" + b"9" * 40, b""])
def test_what_is_no_hello_is_refused(payload: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.parse_hello(payload)


@given(st.integers(157, 225), st.integers(0, 400), st.integers(0, 400))
def test_the_version_suits_both_or_there_is_none(server: int, low: int, high: int) -> None:
    version = wire.negotiate(server, wire.Hello(low, high))
    if version is None:
        assert low > min(server, high)
    else:
        assert low <= version <= high
        assert version <= server


@pytest.mark.parametrize("size", [0, 0x1000000, 0x7FFFFFFF])
def test_a_frame_has_a_sensible_length(size: int) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(struct.pack(">I", size))
        await wire.read_frame(reader)

    with pytest.raises(wire.WireError):
        asyncio.run(read())


@pytest.mark.parametrize("text", ["", "x", "12.5"])
def test_an_argument_that_is_no_number_is_the_default(text: str) -> None:
    assert requests.Request(wire.Incoming(62, ("1", text, "All", "NetLiquidation"))).number("req_id", -1) == -1
