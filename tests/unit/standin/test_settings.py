# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.ini as Java and IBC read it, and what is refused because they would misread it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.properties import (
    UnrepresentableError,
    escape,
)
from ibgw_standin import properties, settings
from ibgw_standin.ibc_settings import RECORDED_AT
from ibgw_standin.testing import PACKAGE_ROOT

CREDENTIALS = b"IbLoginId=user\nIbPassword=secret\n"


@pytest.mark.parametrize(
    ("data", "entries"),
    [
        (b"a=b", [("a", "b")]),
        (b"a = b \r\nc:d\r\n", [("a", "b "), ("c", "d")]),
        (b"a b=c", [("a", "b=c")]),
        (b"  # note\n! note\n\n \t\na=", [("a", "")]),
        (b"a", [("a", "")]),
        (b"a==b", [("a", "=b")]),
        (b"a=$#!:=b", [("a", "$#!:=b")]),
        (b"a\\=b=c\\\\d", [("a=b", "c\\d")]),
        (b"a=b\\\n   c\nd=e", [("a", "bc"), ("d", "e")]),
        (b"a=b\\\\\nc=d", [("a", "b\\"), ("c", "d")]),
        (b"# note \\\na=b", [("a", "b")]),
        (b"a=\\u00e9\\t\\u20AC", [("a", "é\t€")]),
        (b"a=\xe9", [("a", "é")]),
        (b"a=\\ud83d\\ude00", [("a", "\U0001f600")]),
        (b"a=b\\", [("a", "b")]),
    ],
)
def test_the_format_of_java(data: bytes, entries: list[tuple[str, str]]) -> None:
    assert [(entry.key, entry.value) for entry in properties.parse(data)] == entries


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"a=pass\\word", "single backslash"),
        (b"a=b\\u12", "hexadecimal"),
        (b"a=b\\\nc=d", "swallows the next line"),
        ("a=é".encode(), "UTF-8"),
    ],
)
def test_what_java_reads_otherwise_is_noted(data: bytes, word: str) -> None:
    (entry,) = properties.parse(data)
    assert word in entry.notes[0]


@given(st.text(min_size=1))
def test_a_password_that_the_collection_escapes_arrives(password: str) -> None:
    try:
        value = escape(password)
    except UnrepresentableError:
        return
    parsed = settings.parse(b"IbLoginId=user\nIbPassword=" + value.encode("latin-1") + b"\n")
    assert parsed.text("IbPassword") == password


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(settings.InvalidSettings):
        settings.parse(data)


GOOD = {
    "AutoRestartTime": ["11:45 PM", "01:05 am", "12:00 AM", ""],
    "AutoLogoffTime": ["11:45 PM", ""],
    "ColdRestartTime": ["13:05", "00:00", ""],
    "ClosedownAt": ["22:00", "Saturday 23:30", "friday 01:00", "Sat 23:30", ""],
    "SaveTwsSettingsAt": ["08:00", "08:00 12:30 17:30", "Every 30", "every  30 mins", "every 2 hours 08:00 17:00", ""],
    "ReadOnlyApi": ["yes", "no", "YES", ""],
    "ExistingSessionDetectedAction": ["manual", "primary", "PrimaryOverride", "secondary", ""],
    "AcceptIncomingConnectionAction": ["accept", "reject", "manual"],
    "CommandServerPort": ["0", "7462", "65535"],
    "SecondFactorAuthenticationExitInterval": ["1", "60"],
    "TradingMode": ["live", "paper", "Paper"],
    "TrustedTwsApiClientIPs": ["", "10.0.0.1", "10.0.0.1,10.0.0.2", "10.0.0.1, host.name"],
    "BindAddress": ["", "127.0.0.1", "::1"],
    "ConfirmOrderIdReset": ["", "ignore/ignore", "confirm"],
    "OverrideTwsApiPort": ["", "4002"],
}
BAD = {
    "AutoRestartTime": ["23:45", "11:45PM", "1:45 PM", "11:45  PM", '"11:45 PM"', "13:00 PM", "00:10 AM", "11:60 PM"],
    "ColdRestartTime": ["1:05", "24:00", "01:05 PM", "Sunday 13:05"],
    "ClosedownAt": ["Samstag 23:30", "22", "23:30 Saturday"],
    "SaveTwsSettingsAt": ["8:00", "30 mins", "Every", "Every 0", "Every 1440", "Every 24 hours", "Every 30 seconds"],
    "ReadOnlyApi": ["true", "1", "yes ", "y"],
    "ExistingSessionDetectedAction": ["prmary", "none"],
    "CommandServerPort": ["65536", "-1", "7462 ", "port", "0x10"],
    "SecondFactorAuthenticationExitInterval": ["0", "1.5", "60s"],
    "TradingMode": ["both", "demo"],
    "FIX": ["yes"],
    "IbDir": ["/tmp"],
    "ReadOnlyLogin": ["yes"],
    "TrustedTwsApiClientIPs": ["10.0.0.1;10.0.0.2", "10.0.0.1,"],
    "BindAddress": ["127.0.0.1 10.0.0.1"],
    "LogStructureWhen": ["sometimes"],
    "TrustedTwsApiClientIPss": ["10.0.0.1"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in GOOD.items() for value in values])
def test_a_good_value_passes(key: str, value: str) -> None:
    text = settings.parse(CREDENTIALS + f"{key}={value}\r\n".encode()).text(key)
    assert text.lower() == (value or settings.KEYS[key].blank).lower()


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD.items() for value in values])
def test_a_bad_value_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(settings.InvalidSettings) as caught:
        settings.parse(CREDENTIALS + f"{key}={value}\n".encode())
    (problem,) = caught.value.problems
    assert key in problem
    assert "config.ini line 3" in problem
    assert repr(value) in problem or "knows no key" in problem


def test_an_unknown_key_is_met_with_the_one_that_was_meant() -> None:
    with pytest.raises(settings.InvalidSettings, match="is ReadOnlyApi meant"):
        settings.parse(CREDENTIALS + b"ReadOnlyAPI=yes\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"IbLoginId=user\nIbPassword=s3cret\\", "is blank"),
        (b"IbLoginId=user\nIbPassword=s3cret \n", "blanks at its start or end"),
        (b"IbLoginId=user\nIbPassword=\\ s3cret\n", "blanks at its start or end"),
        (b"IbLoginId=user\nIbPassword=s3\\cret\n", "single backslash"),
        ("IbLoginId=user\nIbPassword=s3crét\n".encode(), "UTF-8"),
        (b"IbLoginId=user\nIbPassword=s3cret\\\nReadOnlyApi=yes\n", "swallows the next line"),
        (b"IbLoginId=user\nIbPassword=${TWS_PASSWORD}\n", "placeholder"),
        (b"IbLoginId=user\nIbPassword=s3cret\nIbPassword=s3cret\n", "stands in line 2 already"),
        (b"IbLoginId=user\n", "IbPassword is blank"),
        (b"IbPassword=s3cret\n", "IbLoginId is blank"),
    ],
)
def test_bad_credentials_are_refused_and_not_told(data: bytes, words: str) -> None:
    if words == "is blank":
        settings.parse(data)  # a lonely backslash at the end of the file joins nothing
        return
    with pytest.raises(settings.InvalidSettings, match=words) as caught:
        settings.parse(data)
    assert "s3c" not in str(caught.value)


def test_blank_values_are_the_defaults_of_ibc() -> None:
    parsed = settings.parse(CREDENTIALS)
    assert parsed.text("TradingMode") == "live"
    assert parsed.flag("AcceptNonBrokerageAccountWarning")
    assert not parsed.flag("ReadOnlyApi")
    assert parsed.number("LoginDialogDisplayTimeout") == 60
    assert parsed.number("OverrideTwsApiPort") is None
    assert parsed.text("ExistingSessionDetectedAction") == "manual"


def test_the_dump_is_sorted_and_hides_credentials() -> None:
    assert settings.read(CREDENTIALS + b"FIXPassword=\nAutoRestartTime=10:00 PM\nNope= x\n").dump() == [
        "IBC Settings:", "    AutoRestartTime=10:00 PM", "    FIXPassword=", "    IbLoginId=***", "    IbPassword=***",
        "    Nope=x", "End IBC Settings", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("ReadOnlyApi=TRUE", "ReadOnlyApi", True),
        ("ReadOnlyApi=yes ", "ReadOnlyApi", False),
        ("AcceptNonBrokerageAccountWarning=nope", "AcceptNonBrokerageAccountWarning", True),
        ("LoginDialogDisplayTimeout=60s", "LoginDialogDisplayTimeout", 60),
        ("LoginDialogDisplayTimeout=+5", "LoginDialogDisplayTimeout", 5),
        ("CommandPrompt=  IBC>  ", "CommandPrompt", "IBC>"),
        ("ExistingSessionDetectedAction=First", "ExistingSessionDetectedAction", "First"),
    ],
)
def test_values_are_read_as_ibc_reads_them(line: str, key: str, value: str | bool | int) -> None:
    said: list[str] = []
    read = settings.read(f"{line}\n".encode(), said.append)
    got = read.flag(key) if isinstance(value, bool) else read.number(key) if isinstance(value, int) else read.text(key)
    assert str(got).lower() == str(value).lower()
    assert said == (['Invalid number "60s" for property "LoginDialogDisplayTimeout"'] if "60s" in line else [])


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(settings.InvalidSettings) as caught:
        settings.parse(CREDENTIALS + b"ReadOnlyApi=maybe\nNope=1\nTradingMode=demo\n")
    assert len(caught.value.problems) == 3


def test_what_is_misread_is_told_beside_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes(CREDENTIALS + b"ReadOnlyApi=maybe\n")
    read, problems = settings.load(path, print)
    assert not read.flag("ReadOnlyApi")
    assert problems == ["config.ini line 3: ReadOnlyApi: 'maybe' is not one of yes, no"]


def test_the_template_of_the_image_knows_every_key_but_the_hidden_ones() -> None:
    template = (PACKAGE_ROOT / "image" / "templates" / "config.ini.tmpl").read_bytes()
    keys = [entry.key for entry in properties.parse(template)]
    known = {name for name, key in settings.KEYS.items() if key.since == RECORDED_AT}
    assert known - set(keys) == {"IncludeStackTraceForExceptions", "LogComponents", "ShowAllTrades"}
    assert set(keys) <= known
    assert len(keys) == len(set(keys))
    assert template.count(b"\n") == template.count(b"\r\n")
