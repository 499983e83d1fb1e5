# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.ini as IBC reads it, and as it would misread it, by the collection's own table of keys.

IBC is lenient: an unknown key is ignored, a bad boolean or number silently becomes a default, a bad
ExistingSessionDetectedAction becomes ``secondary``. So is the stand-in (:func:`load`); misread settings are in its
``status`` as ``settings_problems``, because such a template would otherwise fail only on somebody's account.
:func:`parse` refuses them, for tests of templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from . import properties
from .ibc_settings import KEYS, TEXT, Values

SECRET_KEYS = frozenset({"IbLoginId", "IbPassword", "FIXLoginId", "FIXPassword"})
"""Keys whose values appear in no message."""

_ADVICE = {
    "FIX": "the stand-in is an API gateway",
    "IbDir": "it is deprecated; the settings directory is TWS_SETTINGS_PATH",
    "ReadOnlyLogin": "IB Gateway has no read-only login",
}


class InvalidSettings(ValueError):
    """IBC would misread this config.ini: one sentence per fault that names key and value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings:
    """The values of a config.ini as IBC's DefaultSettings returns them; *log* receives its messages about bad
    numbers."""

    def __init__(self, values: Mapping[str, str], log: Callable[[str], None] = lambda message: None) -> None:
        self._values = dict(values)
        self._log = log

    def text(self, key: str) -> str:
        """Return a value as text, IBC's default where it is blank; words of a fixed set in lower case."""
        value = (self._values.get(key) or KEYS[key].blank).strip()
        return value.lower() if KEYS[key].values.choices else value

    def given(self, key: str) -> bool:
        """Return whether the file has a value for a key."""
        return bool(self._values.get(key))

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return whether a value is yes; IBC's default, or *default*, for an invalid one."""
        taken = {"yes": True, "true": True, "no": False, "false": False}
        value = (self._values.get(key) or "").lower()
        return taken.get(value, KEYS[key].blank == "yes" if default is None else default)

    def number(self, key: str) -> int | None:
        """Return a value as a number, IBC's default (None without one) if it is blank or not a number."""
        value = self._values.get(key)
        if value and not re.fullmatch(r"[+-]?[0-9]{1,9}", value):
            self._log(f'Invalid number "{value}" for property "{key}"')
            value = ""
        value = value or KEYS[key].blank
        return int(value) if value else None

    def dump(self) -> list[str]:
        """Return the lines with which IBC prints the file, credentials as asterisks."""
        shown = {key: "***" if key in SECRET_KEYS and value else value for key, value in self._values.items()}
        return ["IBC Settings:", *(f"    {key}={shown[key]}" for key in sorted(shown)), "End IBC Settings", ""]


def _accepts(values: Values, value: str) -> bool:
    """Whether IBC reads the value as intended."""
    if re.fullmatch(values.pattern, value, re.IGNORECASE) is None:
        return False
    return not values.high or values.low <= int(value) <= values.high


def _problems_of(entry: properties.Entry) -> list[str]:
    key, value = entry.key, entry.value
    where = f"config.ini line {entry.line}: {key}"
    if key not in KEYS:
        from difflib import get_close_matches  # only for the message: a third of the start-up time otherwise

        near = get_close_matches(key, KEYS, 1)
        return [f"config.ini line {entry.line}: IBC knows no key {key!r}" + (f"; is {near[0]} meant?" if near else "")]
    problems = [f"{where} {note}" for note in entry.notes]
    kind = KEYS[key].values
    shown = "its value" if key in SECRET_KEYS else repr(value)
    if value != value.strip() and (key in SECRET_KEYS or kind is not TEXT):
        problems.append(f"{where}: {shown} has blanks at its start or end: IBC trims texts and drops other values")
    elif re.fullmatch(r"\$\{[A-Z][A-Z0-9_]*\}", value):
        problems.append(f"{where}: a placeholder was left in {shown}: the file was not rendered by envsubst")
    elif value and not _accepts(kind, value):
        advice = f" ({_ADVICE[key]})" if key in _ADVICE else ""
        problems.append(f"{where}: {shown} is not {kind.meaning}{advice}")
    return problems


def problems(data: bytes) -> list[str]:
    """Return a sentence for each setting in a config.ini that IBC would misread."""
    entries = properties.parse(data)
    found = [problem for entry in entries for problem in _problems_of(entry)]
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.key in seen:
            first = seen[entry.key]
            found.append(f"config.ini line {entry.line}: {entry.key} stands in line {first} already; the last wins")
        seen[entry.key] = entry.line
    values = {entry.key: entry.value for entry in entries}
    blank = (key for key in ("IbLoginId", "IbPassword") if not values.get(key))
    return found + [f"config.ini: {key} is blank: IBC would wait for somebody to type it" for key in blank]


def read(data: bytes, log: Callable[[str], None] = lambda message: None) -> Settings:
    """Read config.ini as IBC does."""
    return Settings({entry.key: entry.value for entry in properties.parse(data)}, log)


def parse(data: bytes) -> Settings:
    """Read config.ini; :class:`InvalidSettings` lists everything that IBC would misread."""
    found = problems(data)
    if found:
        raise InvalidSettings(found)
    return read(data)


def load(path: Path, log: Callable[[str], None]) -> tuple[Settings, list[str]]:
    """Read the file as IBC does; also returns what it would misread. FileNotFoundError without a file."""
    data = path.read_bytes()
    return read(data, log), problems(data)
