# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWS API on the wire, as far as a readiness probe needs it: frames of NUL-terminated text fields.

Offering 157..178 keeps every gateway, however new, to this text form (protobuf begins at 201). No input from a peer
raises an exception or makes memory grow: a frame is cut in place in the buffer, and only the start of a field becomes
text. A start-up has frames of a few kB (reference: TWS API, 1.1); the limits below leave room for an adviser with a
hundred thousand accounts, and keep a probe at 14 MiB and a few tenths of a second.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_VERSION, MAX_VERSION = 157, 178
MAX_FRAME = 1 << 20
MAX_BYTES = 4 << 20
MAX_FRAMES = 50_000
# The version has 2 fields, a notice 5 that matter; the longest is a notice's text.
MAX_FIELDS = 6
MAX_FIELD = 1000
MAX_DIGITS = 40
_PIECE = 8192

START_API, REQ_CURRENT_TIME = 71, 49
NEXT_VALID_ID, MANAGED_ACCOUNTS, CURRENT_TIME, NOTICE = "9", "15", "49", "4"

_OTHER_PROTOCOLS = {
    b"HTTP": "this is an HTTP server",
    b"SSH-": "this is an SSH server",
    b"RFB ": "this is a VNC server",
    b"220 ": "this is a mail or FTP server",
}


def hello() -> bytes:
    """Return the first bytes of a client: the magic and the framed version range."""
    return b"API\0" + _framed(f"v{MIN_VERSION}..{MAX_VERSION}".encode())


def message(*fields: object) -> bytes:
    """Return one framed message; every field is sent as text followed by a NUL."""
    return _framed("".join(f"{field}\0" for field in fields).encode())


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


class Message:
    """One frame, in place: valid until the decoder is asked for the next one.

    :attr:`fields` are its first :data:`MAX_FIELDS`, each cut to :data:`MAX_FIELD` bytes; bytes that are not UTF-8
    become U+FFFD.
    """

    __slots__ = ("_buffer", "_last", "fields")

    def __init__(self, buffer: bytearray, start: int, end: int) -> None:
        self._buffer = buffer
        self.fields: list[str] = []
        while len(self.fields) < MAX_FIELDS:
            stop = buffer.find(0, start, end)
            self._last = (start, end if stop < 0 else stop)
            self.fields.append(buffer[start : min(self._last[1], start + MAX_FIELD)].decode("utf-8", "replace"))
            start = stop + 1
            if stop < 0 or start == end:
                break

    def pieces(self) -> Iterator[bytes]:
        """Yield the last of :attr:`fields` whole, in pieces of some kB that end at a comma, or at the limit where
        there is none."""
        start, end = self._last
        while end - start > _PIECE:
            comma = self._buffer.rfind(b",", start, start + _PIECE)
            stop = start + _PIECE if comma < 0 else comma + 1
            yield bytes(self._buffer[start:stop])
            start = stop
        yield bytes(self._buffer[start:end])


class Decoder:
    """Cut a stream into messages, whatever pieces it arrives in, within limits on frame size, frames and bytes.

    :attr:`fault` says why the stream is not the API's. :attr:`spent` is set when a stream that may be the API's has
    used up its frames or bytes. No message comes after either.
    """

    def __init__(self, max_frame: int = MAX_FRAME, max_bytes: int = MAX_BYTES, max_frames: int = MAX_FRAMES) -> None:
        self.fault: str | None = None
        self.spent = False
        self._max_frame, self._bytes_left, self._frames_left = max_frame, max_bytes, max_frames
        # It grows to the longest frame and never shrinks: repeated allocation would leave the process larger.
        self._buffer, self._filled = bytearray(), 0

    def feed(self, data: bytes | memoryview) -> Iterator[Message]:
        """Yield the messages that *data* completes; exhaust it before feeding more."""
        buffer, start = self._buffer, 0
        if not self.fault and not self.spent:
            end = self._filled + len(data)
            buffer.extend(bytes(max(end - len(buffer), 0)))
            buffer[self._filled : end] = data
            self._filled = end
        while self._filled - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if not 0 < length <= self._max_frame:
                self.fault = _OTHER_PROTOCOLS.get(bytes(buffer[start : start + 4]), f"a frame of {length} bytes")
            elif self._filled - start < 4 + length:
                break
            elif self._frames_left == 0 or self._bytes_left < length:
                self.spent = True
            else:
                self._frames_left -= 1
                self._bytes_left -= 4 + length
                start += 4 + length
                yield Message(buffer, start - length, start)
                continue
            start = self._filled
        if start:
            self._filled -= start
            buffer[: self._filled] = buffer[start : start + self._filled]


def number(text: str) -> int | None:
    """Return the integer that *text* spells in plain decimal (at most :data:`MAX_DIGITS` digits), else None."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else None
