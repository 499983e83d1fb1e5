# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.ini as IBC knows it: a refusal of whatever IBC would misread, by the collection's own table of the keys.

IBC itself is lenient: an unknown key is ignored, a bad boolean or number silently becomes a default, a bad
ExistingSessionDetectedAction becomes ``secondary``. The stand-in refuses all of these, because a template that
is wrong in such a way fails on somebody's account otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from . import properties
from .ibc_settings import KEYS, TEXT, Values

INVALID_SETTING, BAD_TRADING_MODE, INI_MISSING = 1105, 1104, 1103
"""IBC's exit codes for what can be wrong here."""

SECRET_KEYS = frozenset({"IbLoginId", "IbPassword", "FIXLoginId", "FIXPassword"})
"""Keys whose values appear in no message."""

_ADVICE = {
    "FIX": "the stand-in is an API gateway",
    "IbDir": "it is deprecated; the settings directory is TWS_SETTINGS_PATH",
    "ReadOnlyLogin": "IB Gateway has no read-only login",
}


class InvalidSettings(ValueError):
    """config.ini cannot be used: IBC's exit code, and one sentence per fault that names key and value."""

    def __init__(self, code: int, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.code = code
        self.problems = problems


class Settings:
    """The values of a config.ini that passed; blank ones are IBC's defaults."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: values.get(name) or key.blank for name, key in KEYS.items()}

    def text(self, key: str) -> str:
        """Return a value as text; words of a fixed set in lower case."""
        value = self._values[key]
        return value.lower() if KEYS[key].values.choices else value

    def flag(self, key: str) -> bool:
        """Return whether a value is yes."""
        return self.text(key) == "yes"

    def number(self, key: str) -> int | None:
        """Return a value as a number, None where it is blank."""
        value = self._values[key]
        return int(value) if value else None

    def masked(self) -> dict[str, str]:
        """Return all values, credentials as asterisks."""
        return {key: "***" if key in SECRET_KEYS and value else value for key, value in self._values.items()}


def _accepts(values: Values, value: str) -> bool:
    """Whether IBC reads the value as it was meant."""
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


def parse(data: bytes) -> Settings:
    """Read config.ini; :class:`InvalidSettings` lists everything that IBC would misread."""
    entries = properties.parse(data)
    problems = [problem for entry in entries for problem in _problems_of(entry)]
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.key in seen:
            first = seen[entry.key]
            problems.append(f"config.ini line {entry.line}: {entry.key} stands in line {first} already; the last wins")
        seen[entry.key] = entry.line
    values = {entry.key: entry.value for entry in entries}
    for key in ("IbLoginId", "IbPassword"):
        if not values.get(key):
            problems.append(f"config.ini: {key} is blank: IBC would wait for somebody to type it")
    if problems:
        mode = values.get("TradingMode", "")
        only_mode = len(problems) == 1 and bool(mode) and not _accepts(KEYS["TradingMode"].values, mode)
        raise InvalidSettings(BAD_TRADING_MODE if only_mode else INVALID_SETTING, problems)
    return Settings(values)


def load(path: Path) -> Settings:
    """Read the file; a missing one is IBC's exit code 1103."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidSettings(INI_MISSING, [f"{path} cannot be read: {error.strerror}"]) from error
    return parse(data)
