# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take out of a text what its readers must not learn: the known secrets in every form, and what looks like one.

For texts that leave the host. It takes too much rather than too little, in time that is linear in the text, whose lines
are cut.
"""

from __future__ import annotations

import base64
import html
import ipaddress
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from .api import accounts

MASK = "***"
# A shorter word is found in too many others.
_SHORTEST = 3
# A line is redacted up to here, and shown up to the half of it: no secret is cut in two by its end.
_LONGEST = 4000
_PEM = ("-----BEGIN ", "-----END ")
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)[^\s\"'<>\\]+", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_UNITS = (".service", ".timer", ".socket", ".mount")
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)\s+[^\s\"',]+", re.IGNORECASE)
# A name that tells of a secret, a user or an account, and its value: of JSON, YAML, properties, headers and commands.
_SECRETS = r"pass(?:word|wd|phrase|code)?|secret|token|credential|api[_-]?key|private[_-]?key|session[_-]?id|cookie|otp"
_SECRET = re.compile(_SECRETS, re.IGNORECASE)
_NAMED = re.compile(
    rf"""({_SECRETS}|
    user(?:id|name)?|login(?:id)?|account(?:id)?)
    ([\w.-]{{0,40}}\\{{0,3}}["']?\s{{0,4}}[=:]\s{{0,4}}|\s{{1,4}}(?:is|was)\s{{1,4}})
    (?:(?P<mark>\\{{0,3}}["'])(?P<quoted>(?:(?!(?P=mark))(?:\\.|.)){{0,400}})(?P=mark)|(?P<bare>[^\s"',;}}\]\\]+))""",
    re.IGNORECASE | re.VERBOSE,
)
# Values of such a name that tell nothing.
_PLAIN = re.compile(r"(?:true|false|null|none|-?\d{1,3}(?:\.\d{1,3})?|\*{3}|)|[{[].*", re.IGNORECASE | re.DOTALL)
_MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", re.IGNORECASE)
_V4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_V6 = re.compile(r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]{5,16}")
_OPAQUE = re.compile(r"(sha256:)?[A-Za-z0-9_+=-]{20,}")
_OPERATOR = re.compile(r"[^\s\"]{1,64}( \(ibgwctl, process )")


class Redactor:
    """Redacts texts by patterns, and by *known* values, each as it is and as programs write it."""

    def __init__(self, known: Iterable[str]) -> None:
        words = {each.strip() for each in known}
        forms = {form for word in words if len(word) >= _SHORTEST for form in _forms(word)}
        # The longer first, of which a shorter one may be a part.
        self._known = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        text = _without_keys(text)
        for form in self._known:
            text = text.replace(form, MASK)
        return "\n".join(self._line(line[:_LONGEST])[: _LONGEST // 2] for line in text.split("\n"))

    def data(self, found: object) -> object:
        """Return parsed JSON with each text in it redacted."""
        if isinstance(found, str):
            return self(found)
        if isinstance(found, dict):
            hidden = {key for key, each in found.items() if isinstance(each, str) and _SECRET.search(str(key))}
            return {self(str(key)): MASK if key in hidden else self.data(each) for key, each in found.items()}
        return [self.data(each) for each in found] if isinstance(found, (list, tuple)) else found

    def _line(self, text: str) -> str:
        text = _URL.sub(rf"\1{MASK}", text)
        text = _MAIL.sub(lambda found: found[0] if found[0].endswith(_UNITS) else MASK, text)
        text = _SCHEME.sub(rf"\1 {MASK}", text)
        text = _NAMED.sub(_named, text)
        text = _OPERATOR.sub(rf"{MASK}\1", text)
        text = _WORD.sub(_account, text)
        text = _MAC.sub(MASK, text)
        text = _V4.sub(_address, _V6.sub(_address, text))
        return _OPAQUE.sub(_opaque, text)


def _forms(word: str) -> set[str]:
    encoded = base64.b64encode(word.encode("utf-8", "replace")).decode().rstrip("=")
    written = {json.dumps(word)[1:-1], quote(word, safe=""), quote_plus(word), html.escape(word), encoded}
    return {word, word.lower(), word.upper(), *written}


def _without_keys(text: str) -> str:
    """*text* without PEM blocks; one without an end takes the rest with it."""
    begin, end = _PEM
    parts, at = [], 0
    while (start := text.find(begin, at)) >= 0:
        parts += [text[at:start], MASK]
        stop = text.find(end, start)
        if stop < 0:
            return "".join(parts)
        rest = text.find("-----", stop + len(end))
        at = len(text) if rest < 0 else rest + len("-----")
    return "".join([*parts, text[at:]])


def _named(found: re.Match[str]) -> str:
    mark = found["mark"] or ""
    if _PLAIN.fullmatch(found["quoted"] if mark else found["bare"]):
        return found[0]
    return f"{found[1]}{found[2]}{mark}{MASK}{mark}"


def _account(found: re.Match[str]) -> str:
    return accounts.mask(found[0].upper()) if accounts.looks_like_one(found[0]) else found[0]


def _address(found: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else MASK


def _opaque(found: re.Match[str]) -> str:
    """A long run with letters and digits is a key or a token, unless it is a digest by name."""
    word = found[0]
    plain = found[1] or not (any(map(str.isdigit, word)) and any(map(str.isalpha, word)))
    return word if plain else MASK
