# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWS API on the wire, as far as a readiness probe needs it: frames of NUL-terminated text fields.

Offering 157..178 keeps every gateway, however new, in this text form (protobuf begins at 201).
Nothing here raises on what a peer sends: a peer that breaks a limit is described in :attr:`Decoder.fault`.
"""

from __future__ import annotations

from .text import printable as printable

MIN_VERSION, MAX_VERSION = 157, 178
MAX_FRAME = 1 << 20
MAX_BYTES = 4 << 20
MAX_FRAMES = 2000

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
    """Return one framed message; every field is sent as text with a NUL behind it."""
    return _framed("".join(f"{field}\0" for field in fields).encode())


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


class Decoder:
    """Cut a stream into messages, within limits on frame size, frames and bytes."""

    def __init__(self, max_frame: int = MAX_FRAME, max_bytes: int = MAX_BYTES, max_frames: int = MAX_FRAMES) -> None:
        self.fault: str | None = None
        self._max_frame, self._bytes_left, self._frames_left = max_frame, max_bytes, max_frames
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[list[str]]:
        """Return the messages that *data* completes, each a list of fields; none once :attr:`fault` is set."""
        messages: list[list[str]] = []
        self._buffer += data
        self._bytes_left -= len(data)
        while self.fault is None and len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 0 < length <= self._max_frame:
                self.fault = _OTHER_PROTOCOLS.get(bytes(self._buffer[:4]), f"a frame of {length} bytes")
            elif len(self._buffer) < 4 + length:
                break
            elif self._frames_left == 0:
                self.fault = "more frames than a start-up ever has"
            else:
                messages.append(fields(bytes(self._buffer[4 : 4 + length])))
                del self._buffer[: 4 + length]
                self._frames_left -= 1
        if self.fault is None and self._bytes_left < 0:
            self.fault = "more data than a start-up ever has"
        if self.fault:
            self._buffer.clear()
        return messages


def fields(payload: bytes) -> list[str]:
    """Split a payload into its fields; bytes that are not UTF-8 become U+FFFD."""
    return payload.decode("utf-8", "replace").removesuffix("\0").split("\0")


def number(text: str) -> int | None:
    """Return the integer that *text* spells in plain decimal (at most 18 digits), else None."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
