# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ibgw_standin import jts

TEMPLATE = """[IBGateway]
WriteDebug=false
TrustedIPs=10.0.0.1
ApiOnly=true

[Logon]
TimeZone=America/New_York
UseSSL=false

[Communication]
"""


def prepared(path: Path, trusted: str = "") -> tuple[jts.JtsIni, list[str]]:
    said: list[str] = []
    return jts.prepare(path, trusted, said.append), said


def test_ibc_adds_what_it_needs_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(TEMPLATE)
    ini, said = prepared(path, "10.0.0.2, 10.0.0.3")
    assert jts.JtsIni(path.read_text()).sections == ini.sections
    assert ini.sections == {
        "IBGateway": {"WriteDebug": "false", "TrustedIPs": "127.0.0.1,10.0.0.2, 10.0.0.3", "ApiOnly": "true"},
        "Logon": {
            "TimeZone": "America/New_York", "UseSSL": "true", "s3store": "true", "Locale": "en",
            "displayedproxymsg": "1",
        },
        "Communication": {},
    }  # fmt: skip
    assert said[1:9] == [
        "Can't find setting: [Logon]/s3store=true", "Can't find setting: [Logon]/Locale=en",
        "Can't find setting: [Logon]/displayedproxymsg=1",
        "Found setting: [Logon]/UseSSL=false: updating value to true",
        "Found setting: [IBGateway]/ApiOnly=true",
        "Found setting: [IBGateway]/TrustedIPs=10.0.0.1: updating value to 127.0.0.1,10.0.0.2, 10.0.0.3",
        f"Some settings updated in {path}", f"Missing lines in {path}",
    ]  # fmt: skip


def test_a_complete_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(TEMPLATE)
    prepared(path)
    path.chmod(0o444)
    before = path.stat()
    assert prepared(path)[1][-1] == f"Confirmed {path} contains required minimal lines"
    assert path.stat() == before


def test_s3store_is_added_only(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text("[Logon]\ns3store=false\n")
    assert prepared(path)[0].get("Logon", "s3store") == "false"


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    ini, said = prepared(path)
    assert said[0] == f"Creating minimal {path}"
    assert jts.JtsIni(path.read_text()).sections == ini.sections
    assert ini.get("IBGateway", "ApiOnly") == "true"


def test_the_gateway_adds_its_own_and_moves_sections(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(TEMPLATE)
    path.write_text(str(jts.own(prepared(path)[0], "paper")))
    again = jts.JtsIni(path.read_text())
    assert list(again.sections) == sorted(again.sections)
    assert again.get("Logon", "tradingMode") == "p"
    assert again.get("Communication", "Region") == "us"
    assert again.time_zone == "America/New_York"
    assert prepared(path)[0].sections == again.sections


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key=value\n", "line 1: 'key=value' is neither"),
        ("[Logon]\nkey\n", "line 2: 'key' is neither"),
        ("[Logon]\na=1\na=2\n", "a stands there twice"),
        ("[Logon]\n[Logon]\n", "section [Logon] stands there twice"),
        ("[Logon]\nTimeZone=New York\n", "'New York' is no IANA time zone"),
        ("[Logon]\nTimeZone=../UTC\n", "no IANA time zone"),
    ],
)
def test_what_would_be_misread_is_told(text: str, words: str) -> None:
    ini = jts.JtsIni(text)
    assert words in ini.problems[0]
    assert ini.time_zone == ""


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (None, 1108, "already exists but is a directory"),
        (b"\xff", 1109, "Unexpected IOException on .*: Input length = 1"),
    ],
)
def test_a_file_that_ibc_cannot_use_is_an_error(tmp_path: Path, content: bytes | None, code: int, words: str) -> None:
    path = tmp_path / "jts.ini"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(jts.JtsError, match=words) as caught:
        prepared(path)
    assert caught.value.code == code


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(jts.JtsError, match="Problem creating ") as caught:
        prepared(tmp_path / "none" / "jts.ini")
    assert caught.value.code == 1109
