# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.redaction import Redactor

KNOWN = ("ann1234", 'p"a\\s s&1', "zürich", "ab")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("IB Gateway.  API Account: ann1234 ANN1234", "IB Gateway.  API Account: *** ***"),
        ('as "p\\"a\\\\s s&1" and p%22a%5Cs%20s%261 and p&quot;a\\s s&amp;1', 'as "***" and *** and ***'),
        ("cCJhXHMgcyYx is base64", "*** is base64"),
        ("by z\\u00fcrich and zürich", "by *** and ***"),
        ("a word as short as ab stays", None),
        ("https://user:pw@host:1/path?x=1 ftp://h/", "https://*** ftp://***"),
        ("to me.and+you@mail.example.org", "to ***"),
        ("ibgw-watch@live.service", None),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ('{"token": "abc", "api_key":"x y", "login_attempts": 3, "on_token": true}',
         '{"token": "***", "api_key":"***", "login_attempts": 3, "on_token": true}'),
        ("IbPassword=abc TWS_USERID=bob x", "IbPassword=*** TWS_USERID=*** x"),
        ("the password is abc, or so", "the password is ***, or so"),
        ("accounts: U1234567,DF7654321 du1234567", "accounts: ***,DF***21 DU***67"),
        ("Notice for U1234567 (I7654321A)", "Notice for U***67 (I***1A)"),
        ("from 10.1.2.3:4001, 127.0.0.1:4002, 0.0.0.0", "from ***:4001, 127.0.0.1:4002, 0.0.0.0"),
        ("release 10.45.1j, at 12:34:56 and 2026-11-20T09:43:55.123456789Z", None),
        ("fe80::1 2001:db8::2/64 ::1 02:42:ac:11:00:02", "*** ***/64 ::1 ***"),
        ("xoxb1234567890abcdefghijkl 9d3c2b1a-1111-2222-3333-444455556666", "*** ***"),
        (f"image@sha256:{'0f' * 32}", None),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nmore", "***\nmore"),
        ("a -----BEGIN EC KEY-----\nMII\nand no end", "a ***"),
        ('"by": "bob (ibgwctl, process 12)"', '"by": "*** (ibgwctl, process 12)"'),
    ],
)  # fmt: skip
def test_redaction(text: str, redacted: str | None) -> None:
    assert Redactor(KNOWN)(text) == (text if redacted is None else redacted)


@settings(max_examples=50)
@given(st.from_regex(r"[a-z][a-z\n]{4,20}[a-z]", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_a_known_value_is_in_no_text(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)


def test_data_keeps_its_form() -> None:
    found = {"password": 'a "b', "tokens": 3, "ann1234": [{"reason": '{"passwd": "x y"}', "ok": None}]}
    assert Redactor(KNOWN).data(found) == {
        "password": "***", "tokens": 3, "***": [{"reason": '{"passwd": "***"}', "ok": None}],
    }  # fmt: skip


@pytest.mark.parametrize("part", ["a", "passwd", "U1234567 ", "1:", "a@", "http://", "-----BEGIN ", "token=", '"', "é"])
def test_its_time_is_linear_in_the_text(part: str) -> None:
    redact, text = Redactor([f"secret{number}" for number in range(100)]), part * ((1 << 20) // len(part))
    begun = time.monotonic()
    redact(text)
    assert time.monotonic() - begun < 5
