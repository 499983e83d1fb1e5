# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Java properties values: the form in which IBC reads ``config.ini``.

IBC loads the file with ``java.util.Properties``: a backslash starts an escape, bytes above Latin-1 cannot be written,
leading blanks are skipped; since IBC 3.24 values are trimmed, so a value with blanks at either end cannot be written at
all.
"""

from __future__ import annotations


class UnrepresentableError(ValueError):
    """A value that a properties file cannot carry to IBC; the message names the fault, never the value."""


def escape(value: str) -> str:
    """Return *value* so that ``Properties.load`` followed by a trim gives *value* back.

    Raises UnrepresentableError for an empty value, for blanks at an end and for control characters.
    """
    if not value:
        raise UnrepresentableError("it is empty")
    if value != value.strip():
        raise UnrepresentableError("it begins or ends with a blank, which IBC trims away")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
        raise UnrepresentableError("it contains a control character (a tab or a line break, for example)")
    return "".join(_escaped(character) for character in value)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if " " <= character <= "~":
        return character
    utf16 = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{utf16[i]:02x}{utf16[i + 1]:02x}" for i in range(0, len(utf16), 2))
