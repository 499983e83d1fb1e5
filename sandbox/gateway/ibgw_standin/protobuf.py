# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few rules of the protobuf wire format that the TWS API needs, without a library.

A message is written from a sequence of ``(field number, value)`` and read into a mapping of field numbers to the
values found, in the order of arrival. The reader cannot know types: whole numbers arrive unsigned, texts and nested
messages as bytes. :func:`signed` turns the ten-byte form of a negative number back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

Value = bool | int | float | str | bytes
Fields = Iterable[tuple[int, Value]]

_VARINT, _DOUBLE, _LENGTH, _FLOAT = 0, 1, 2, 5
_UINT64 = (1 << 64) - 1


class DecodeError(ValueError):
    """The bytes are not a protobuf message."""


def _varint(number: int) -> bytes:
    number &= _UINT64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(fields: Fields) -> bytes:
    """Return the message with these fields; a negative whole number takes the ten-byte form."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, float):
            out += _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)
        elif isinstance(value, int):
            out += _varint(number << 3 | _VARINT) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | _LENGTH) + _varint(len(data)) + data
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise DecodeError("a varint does not end")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number & _UINT64, at


def decode(data: bytes) -> dict[int, list[int | float | bytes]]:
    """Return the fields of a message; :class:`DecodeError` for anything else."""
    fields: dict[int, list[int | float | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        kind = tag & 7
        value: int | float | bytes
        if kind == _VARINT:
            value, at = _read_varint(data, at)
        else:
            if kind == _LENGTH:
                size, at = _read_varint(data, at)
            elif kind in (_DOUBLE, _FLOAT):
                size = 8 if kind == _DOUBLE else 4
            else:
                raise DecodeError(f"wire type {kind} is not in use")
            raw = data[at : at + size]
            if len(raw) < size:
                raise DecodeError("a field is longer than the message")
            at += size
            value = raw if kind == _LENGTH else struct.unpack("<d" if kind == _DOUBLE else "<f", raw)[0]
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def signed(number: int) -> int:
    """Read an unsigned 64-bit number as the signed one that was written."""
    return number - (1 << 64) if number >> 63 else number
