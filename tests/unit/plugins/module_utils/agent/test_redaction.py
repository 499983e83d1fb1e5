# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import html
import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent.redaction import MASK, Redactor

TRANSCRIPTS = sorted((Path(__file__).parents[4] / "transcripts").rglob("*.log"))
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
        ("env IbPassword=abc TWS_USERID=bob x", "env IbPassword=*** TWS_USERID=*** x"),
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


# Each holds *hunter 2*, or a part of it where it could not be told from the words behind it.
SHAPES = {
    "an option": "run --password hunter-2 --port 4001",
    "an option with a sign": "run --password=hunter-2 --port 4001",
    "an option of one letter": "curl -u bob:hunter-2 example.org",
    "options as a list": 'Cmd: ["--password", "hunter 2", "--port"]',
    "a name of settings": "IbPassword hunter-2",
    "settings": "  IbPassword = hunter, 2; hunter",
    "an environment": "env A=1 DB_PASS=hunter 2 B=2",
    "pw": "pw=hunter-2",
    "pwd": "pwd: hunter-2",
    "pin": "PIN=1234hunter",
    "auth": "auth: hunter-2",
    "a code": "TWOFACTOR_CODE=hunter-2",
    "a key": "routing_key: hunter-2",
    "whose": "password for user bob: hunter 2",
    "said": "the new password was set to hunter 2",
    "in quotes": 'with password "hunter 2"',
    "a quote in quotes": '{"password": "a\\"hunter 2", "port": 1}',
    "JSON in JSON": json.dumps(json.dumps({"password": 'a"hunter 2', "port": 1})),
    "JSON in JSON in JSON": json.dumps(json.dumps(json.dumps({"password": 'a"hunter\\', "port": 1}))),
    "a list": '{"passwords": ["hunter", "2]hunter"], "port": 1}',
    "an object": '{"token": {"a": {"b}": "hunter"}, "c": [2, "hunter"]}, "port": 1}',
    "an object over lines": json.dumps({"credentials": {"a": ["hunter", 2]}, "port": 1}, indent=1),
    "a list of YAML": "secret:\n- hunter\n- 2\nport: 1",
    "a block of YAML": "  passphrase: |\n    hunter\n    2\n  port: 1",
    "XML": "<password>hunter 2</password><port>1</port>",
    "a header": "Cookie: a=hunter; b=hunter, 2",
    "a header with a scheme": 'Authorization: Digest username="u", response="hunter"',
    "a header without one": "Proxy-Authorization: hunter 2",
    "a header of one's own": "X-Api-Key: hunter-2",
    "a bot": "POST api.telegram.org/bot123456:AAEhunter/getMe",
    "a bot's path": "url: /bot123456:AAEhunter/getMe",
    "a hook": "POST hooks.slack.com/services/T00/B00/XXhunter",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_value_of_a_secret(shape: str) -> None:
    found = Redactor([])(SHAPES[shape])
    assert "hunter" not in found
    assert MASK in found
    # Words around it stay.
    assert [word for word in ("port", "4001", "B=2", "getMe") if (word in SHAPES[shape]) != (word in found)] in (
        [], ["getMe"]
    )  # fmt: skip


ENCODERS: list[Callable[[str], str]] = [
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="!*'()/")),
    quote_plus,
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    html.escape,
    lambda text: "".join(f"&#{ord(each)};" for each in text),
    repr,
    lambda text: repr(text.encode()),
    shlex.quote,
    str.upper,
]
PASSWORD = st.text(st.sampled_from("abcXYZ019!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ äü€😀"), min_size=8, max_size=14)


@settings(max_examples=300)
@given(PASSWORD, st.lists(st.sampled_from(ENCODERS), max_size=2))
@example("zürich&1", [ENCODERS[3]])
@example('p"a\\s s', [ENCODERS[0], ENCODERS[0]])
def test_a_known_value_in_any_encoding(secret: str, encoders: list[Callable[[str], str]]) -> None:
    secret = f"x7{secret.strip()}7x"
    written = secret
    for encode in encoders:
        written = encode(written)
    found = Redactor([secret])(f"before <{written}> after")
    rest = re.fullmatch(r"before <(.*)\*\*\*(.*)> after", found)
    assert rest
    assert re.fullmatch(r"[b\\\"']*", html.unescape(unquote(html.unescape(unquote("".join(rest.groups()))))), re.I)


@settings(max_examples=200)
@given(st.text(max_size=9), PASSWORD, st.text(max_size=9), st.sampled_from([0, 1]), st.booleans())
@example("bob:", "hunter22", "", 0, False)
@example("\\", "hunter22", "", 0, False)
def test_a_known_value_in_base64(before: str, secret: str, after: str, safe: int, quoted: bool) -> None:
    secret = f"x7{secret.strip()}7x"
    told = before + (json.dumps(secret) if quoted else secret) + after
    encode = (base64.b64encode, base64.urlsafe_b64encode)[safe]
    written = encode(told.encode("utf-8", "replace")).decode()
    assert Redactor([secret])(f"log {written} more") in (
        f"log {MASK}{'=' * written.count('=')} more",
        f"log {MASK} more",
    )


@settings(max_examples=200)
@given(
    st.sampled_from(["password", "IbPassword", "VNC_SERVER_PASSWORD", "api_key", "auth", "pin", "clientSecret"]),
    st.recursive(
        st.text(st.sampled_from('abc ,:;=[]{}"\\'), max_size=9).map(lambda text: f"hunter{text}hunter"),
        lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=3), inner, min_size=1),
        max_leaves=5,
    ),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([None, 1]),
)
def test_the_value_of_a_secret_in_json(key: str, value: object, deep: int, indent: int | None) -> None:
    text = json.dumps({"port": 4001, key: value, "last": "there"}, indent=indent)
    for _each in range(deep):
        text = json.dumps({"message": text})
    found = Redactor([])(text)
    assert "hunter" not in found
    assert "there" in found
    assert "hunter" not in json.dumps(Redactor([]).data({key: value, "argv": [f"--{key}", value]}))


def test_log_lines_stay() -> None:
    """But for users, sessions and addresses: the recordings have no other secret."""
    assert len(TRANSCRIPTS) > 100
    expected = re.compile(
        r"(?<=user.name = )ibgateway|(?<=ibcsessionid)( ?= ?)\w+|(?<=://)\S+|\b172\.\d+\.\d+\.\d+", re.ASCII
    )
    changed = []
    for path in TRANSCRIPTS:
        # The recorder's own notes do not count.
        lines = [line for line in path.read_text(errors="replace").splitlines() if not line.startswith("#")]
        for before, after in zip(lines, Redactor(["ann1234"])("\n".join(lines)).split("\n"), strict=True):
            if expected.sub(lambda found: f"{found[1] or ''}{MASK}", before[:4000])[:2000] != after:
                changed.append((path.name, before, after))
    assert changed == []


@settings(max_examples=50)
@given(st.from_regex(r"[a-z][a-z\n]{4,20}[a-z]", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_a_known_value_is_in_no_text(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)


def test_data_keeps_its_form() -> None:
    found = {"password": 'a "b', "tokens": 3, "ann1234": [{"reason": '{"passwd": "x y"}', "ok": None}]}
    assert Redactor(KNOWN).data(found) == {
        "password": "***", "tokens": 3, "***": [{"reason": '{"passwd": "***"}', "ok": None}],
    }  # fmt: skip


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    "part",
    ["a", "passwd", "U1234567 ", "1:", "a@", "http://", "-----BEGIN ", "token=", '"', "é", "%25", "\\", "&amp;", "pw:[",
     '"pw": {', "password for ", "secret:\n ", "auth 'x", "a.b/C", "YWJjZGVm", "pw=on "],
)  # fmt: skip
def test_its_time_is_linear_in_the_text(part: str, end: str) -> None:
    part += end
    redact, text = Redactor([f"secret{number}" for number in range(100)]), part * ((1 << 17) // len(part))
    begun = time.monotonic()
    redact(text)
    assert time.monotonic() - begun < 5
