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


def test_ibc_adds_what_it_needs_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(TEMPLATE)
    ini = jts.prepare(path, "10.0.0.2, 10.0.0.3")
    assert jts.JtsIni(path.read_text()).sections == ini.sections
    assert ini.sections == {
        "IBGateway": {"WriteDebug": "false", "TrustedIPs": "127.0.0.1,10.0.0.2,10.0.0.3", "ApiOnly": "true"},
        "Logon": {
            "TimeZone": "America/New_York", "UseSSL": "true", "s3store": "true", "Locale": "en",
            "displayedproxymsg": "1",
        },
        "Communication": {},
    }  # fmt: skip


def test_s3store_is_added_only(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text("[Logon]\ns3store=false\n")
    assert jts.prepare(path, "").get("Logon", "s3store") == "false"


def test_a_missing_file_and_directory_are_made(tmp_path: Path) -> None:
    path = tmp_path / "settings" / "jts.ini"
    assert jts.prepare(path, "").get("IBGateway", "TrustedIPs") == "127.0.0.1"
    assert path.exists()


def test_the_gateway_adds_its_own_and_moves_sections(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(TEMPLATE)
    jts.write(path, jts.own(jts.prepare(path, ""), "paper"))
    again = jts.JtsIni(path.read_text())
    assert list(again.sections) == sorted(again.sections)
    assert again.get("Logon", "tradingMode") == "p"
    assert again.get("Communication", "Region") == "us"
    assert again.time_zone == "America/New_York"
    assert jts.prepare(path, "").sections == again.sections


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key=value\n", "line 1: 'key=value' is neither"),
        ("[Logon]\nkey\n", "line 2: 'key' is neither"),
        ("[Logon]\na=1\na=2\n", "a stands there twice"),
        ("[Logon]\n[Logon]\n", "section .Logon. stands there twice"),
        ("[Logon]\nTimeZone=New York\n", "'New York' is no IANA time zone"),
        ("[Logon]\nTimeZone=../UTC\n", "no IANA time zone"),
    ],
)
def test_what_would_be_misread_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "jts.ini"
    path.write_text(text)
    with pytest.raises(jts.JtsError, match=words) as caught:
        jts.prepare(path, "")
    assert caught.value.code == 1105


def test_a_file_that_cannot_be_replaced_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "jts.ini"
    path.mkdir()
    with pytest.raises(jts.JtsError) as caught:
        jts.write(path, jts.JtsIni())
    assert caught.value.code == 1109


def test_a_settings_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(jts.JtsError) as caught:
        jts.prepare(tmp_path / "a" / "b" / "jts.ini", "")
    assert caught.value.code == 1106
