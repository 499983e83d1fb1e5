# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.ini as IBC 3.24 knows it: every key with its type, and a refusal of whatever IBC would misread.

IBC itself is lenient: an unknown key is ignored, a bad boolean or number silently becomes a default, a bad
ExistingSessionDetectedAction becomes ``secondary``. The stand-in refuses all of these, because a template that
is wrong in such a way fails on somebody's account otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from . import properties

INVALID_SETTING, BAD_TRADING_MODE, INI_MISSING = 1105, 1104, 1103
"""IBC's exit codes for what can be wrong here."""

SECRET_KEYS = frozenset({"IbLoginId", "IbPassword", "FIXLoginId", "FIXPassword"})
"""Keys whose values appear in no message."""

_CLOCK_12 = r"(0[1-9]|1[0-2]):[0-5]\d (AM|PM)"
_CLOCK_24 = r"([01]\d|2[0-3]):[0-5]\d"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"


class Kind:
    """A type of value: a pattern, what to call it, and bounds where it is a number."""

    def __init__(self, pattern: str, meaning: str, low: int = 0, high: int = 0) -> None:
        self.pattern = re.compile(pattern, re.IGNORECASE)
        self.meaning = meaning
        self.low = low
        self.high = high

    def accepts(self, value: str) -> bool:
        """Whether IBC reads the value as it was meant."""
        if self.pattern.fullmatch(value) is None:
            return False
        return not self.high or self.low <= int(value) <= self.high


def _choice(*words: str) -> Kind:
    return Kind("|".join(words), f"one of {', '.join(words)}")


def _integer(low: int, high: int) -> Kind:
    return Kind(r"\d{1,10}", f"a whole number from {low} to {high}", low, high)


_TEXT = Kind(".*", "a text")
_YES_NO = _choice("yes", "no")
_SECONDS = _integer(1, 86_400)
_CLOCK_AMPM = Kind(_CLOCK_12, "a time as 11:45 PM: hh:mm, one blank, AM or PM")
_ADDRESSES = Kind(r"[\w.:-]+( *, *[\w.:-]+)*", "addresses or host names separated by commas")
_EMPTY = Kind("", "empty")

_BYPASS = (
    "BypassOrderPrecautions", "BypassBondWarning", "BypassNegativeYieldToWorstConfirmation",
    "BypassCalledBondWarning", "BypassSameActionPairTradeWarning", "BypassPriceBasedVolatilityRiskWarning",
    "BypassUSStocksMarketDataInSharesWarning", "BypassRedirectOrderWarning", "BypassNoOverfillProtectionPrecaution",
)  # fmt: skip

KEYS: dict[str, tuple[Kind, str]] = {
    "FIX": (_choice("no"), "no"),
    "IbLoginId": (_TEXT, ""),
    "IbPassword": (_TEXT, ""),
    "FIXLoginId": (_TEXT, ""),
    "FIXPassword": (_TEXT, ""),
    "SecondFactorDevice": (_TEXT, ""),
    "ReloginAfterSecondFactorAuthenticationTimeout": (_YES_NO, "no"),
    "SecondFactorAuthenticationExitInterval": (_SECONDS, "60"),
    "SecondFactorAuthenticationTimeout": (_SECONDS, "180"),
    "ExitAfterSecondFactorAuthenticationTimeout": (_YES_NO, "no"),
    "TradingMode": (_choice("live", "paper"), "live"),
    "AcceptNonBrokerageAccountWarning": (_YES_NO, "yes"),
    "LoginDialogDisplayTimeout": (_SECONDS, "60"),
    "IbDir": (_EMPTY, ""),
    "StoreSettingsOnServer": (_YES_NO, ""),
    "MinimizeMainWindow": (_YES_NO, "no"),
    "ExistingSessionDetectedAction": (_choice("manual", "primary", "primaryoverride", "secondary"), "manual"),
    "OverrideTwsApiPort": (_integer(1, 65_535), ""),
    "OverrideTwsMasterClientID": (_integer(0, 2_147_483_647), ""),
    "ReadOnlyLogin": (_choice("no"), "no"),
    "ReadOnlyApi": (_YES_NO, ""),
    **dict.fromkeys(_BYPASS, (_YES_NO, "")),
    "AcceptBidAskLastSizeDisplayUpdateNotification": (_choice("accept", "defer", "ignore"), "ignore"),
    "SendMarketDataInLotsForUSstocks": (_YES_NO, ""),
    "TrustedTwsApiClientIPs": (_ADDRESSES, ""),
    "ResetOrderIdsAtStart": (_YES_NO, "no"),
    "ConfirmOrderIdReset": (Kind("(confirm|reject|ignore)(/(confirm|reject|ignore))?", "as ignore/ignore"), ""),
    "AutoLogoffTime": (_CLOCK_AMPM, ""),
    "AutoRestartTime": (_CLOCK_AMPM, ""),
    "ColdRestartTime": (Kind(_CLOCK_24, "a time as 13:05: HH:mm, 24 hours"), ""),
    "ClosedownAt": (Kind(f"(({_DAYS}) )?{_CLOCK_24}", "a time as 22:00 or Saturday 23:30"), ""),
    "AcceptIncomingConnectionAction": (_choice("accept", "reject", "manual"), "manual"),
    "AllowBlindTrading": (_YES_NO, "no"),
    "SaveTwsSettingsAt": (
        Kind(rf"{_CLOCK_24}( +{_CLOCK_24})*|every( +\d+)?( +(mins|hours))?( +{_CLOCK_24}){{0,2}}",
             "times as 08:00 12:30, or as Every 30 mins 08:00 17:00"), ""),
    "ConfirmCryptoCurrencyOrders": (_choice("transmit", "cancel", "manual"), "manual"),
    "DismissPasswordExpiryWarning": (_YES_NO, "no"),
    "DismissNSEComplianceNotice": (_YES_NO, "yes"),
    "CommandServerPort": (_integer(0, 65_535), "0"),
    "ControlFrom": (_ADDRESSES, ""),
    "BindAddress": (Kind(r"[\w.:-]+", "an address or a host name"), ""),
    "CommandPrompt": (_TEXT, ""),
    "SuppressInfoMessages": (_YES_NO, "yes"),
    "LogStructureScope": (_choice("known", "unknown", "untitled", "all"), "known"),
    "LogStructureWhen": (_choice("open", "openclose", "activate", "never"), "never"),
    "IncludeStackTraceForExceptions": (_YES_NO, "no"),
    "LogComponents": (_choice("open", "openclose", "activate", "never", "yes", "no"), "never"),
    "ShowAllTrades": (_YES_NO, "no"),
}  # fmt: skip
"""Key -> its kind and the value IBC takes when it is missing or blank."""

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
        self._values = {key: values.get(key) or default for key, (_, default) in KEYS.items()}

    def text(self, key: str) -> str:
        """Return a value as text; words of a fixed set in lower case."""
        value = self._values[key]
        return value.lower() if KEYS[key][0].meaning.startswith("one of") else value

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


def _problems_of(entry: properties.Entry) -> list[str]:
    key, value = entry.key, entry.value
    where = f"config.ini line {entry.line}: {key}"
    if key not in KEYS:
        from difflib import get_close_matches  # only for the message: a third of the start-up time otherwise

        near = get_close_matches(key, KEYS, 1)
        return [f"config.ini line {entry.line}: IBC knows no key {key!r}" + (f"; is {near[0]} meant?" if near else "")]
    problems = [f"{where} {note}" for note in entry.notes]
    kind = KEYS[key][0]
    shown = "its value" if key in SECRET_KEYS else repr(value)
    if value != value.strip() and (key in SECRET_KEYS or kind is not _TEXT):
        problems.append(f"{where}: {shown} has blanks at its start or end: IBC trims texts and drops other values")
    elif re.fullmatch(r"\$\{[A-Z][A-Z0-9_]*\}", value):
        problems.append(f"{where}: a placeholder was left in {shown}: the file was not rendered by envsubst")
    elif value and not kind.accepts(value):
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
        only_mode = len(problems) == 1 and bool(mode) and not KEYS["TradingMode"][0].accepts(mode)
        raise InvalidSettings(BAD_TRADING_MODE if only_mode else INVALID_SETTING, problems)
    return Settings(values)


def load(path: Path) -> Settings:
    """Read the file; a missing one is IBC's exit code 1103."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidSettings(INI_MISSING, [f"{path} cannot be read: {error.strerror}"]) from error
    return parse(data)
