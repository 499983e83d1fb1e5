# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take out of a text what its readers must not learn: the known secrets in every form, and what looks like one.

For texts that leave the host. It takes too much rather than too little, in time that is linear in the text, whose lines
are cut.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterable, Iterator

from . import secret_names
from .api import accounts
from .unescaped import Span, Unescaped

MASK = "***"
# A shorter word is found in too many others.
_SHORTEST = 3
# A line is redacted up to here, and shown up to the half of it: no secret is cut in two by its end.
_LONGEST = 4000
_PEM = ("-----BEGIN ", "-----END ")
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)[^\s\"'<>\\]+", re.IGNORECASE)
# A URL without its scheme, but for names of images and of Java's modules.
_PLACE = re.compile(
    r"\b(?!java[a-z]*\.|jdk\.)((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,12}(?::\d{1,5})?/)([^\s\"'<>\\]+)", re.IGNORECASE
)
_IMAGE = re.compile(r"[a-z0-9._/-]*(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?[.,;:)\]}]{0,3}")
_BOT = re.compile(r"\bbot\d{5,12}:[\w-]+|\b\d{8,12}:[\w-]{20,}", re.ASCII)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_UNITS = (".service", ".timer", ".socket", ".mount")
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)\s+[^\s\"',]+", re.IGNORECASE)
# The user and the password of curl and its like.
_LOGIN = re.compile(r"(?<!\S)(-u\s{0,4})[^\s:]{1,64}:\S+")
_MAC = re.compile(r"\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b", re.IGNORECASE)
_V4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_V6 = re.compile(r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]{5,16}")
_OPAQUE = re.compile(r"(sha256:)?([A-Za-z0-9_+-]{20,})={0,2}")
# Parts of the names of programs, files and settings.
_TAME = re.compile(
    r"[A-Za-z]*|\d{1,8}|\d{1,2}[A-Za-z]{1,12}|[A-Za-z]{2,12}\d{1,3}(?:[a-z]\d)?|(?:\d?[a-z]?[A-Z][a-z]{2,})+"
)
_OPERATOR = re.compile(r"[^\s\"]{1,64}( \(ibgwctl, process )")


class Redactor:
    """Redacts texts by patterns, and by *known* values, each as it is and as programs write it."""

    def __init__(self, known: Iterable[str]) -> None:
        words = {word for each in known if len(word := each.strip()) >= _SHORTEST}
        raw = {form for word in words for form in (word, word.lower(), word.upper(), _base64(word))}
        # The longer first, of which a shorter one may be a part.
        self._raw = sorted(raw, key=lambda form: (-len(form), form))
        self._plain = {alone: sorted(_plain(words, alone)) for alone in (False, True)}

    def __call__(self, text: str) -> str:
        text = _without_keys(text)
        text = _masked(text, self._known(text))
        for form in self._raw:
            text = text.replace(form, MASK)
        text = "\n".join(line[:_LONGEST] for line in text.split("\n"))
        text = _PLACE.sub(_place, _URL.sub(rf"\1{MASK}", text))
        text = _masked(text, secret_names.values(text))
        return "\n".join(_line(line)[: _LONGEST // 2] for line in text.split("\n"))

    def _known(self, text: str) -> Iterator[Span]:
        for alone, words in self._plain.items():
            unescaped = Unescaped(text, alone)
            yield from unescaped.places(words)
            yield from unescaped.places_in_base64(words)

    def data(self, found: object, meant: str = "") -> object:
        """Return parsed JSON with each text in it redacted, and all of what a key *meant* as a secret."""
        if found and (meant == secret_names.SECRET or (meant and isinstance(found, str))):
            return found if secret_names.is_plain(str(found)) else MASK
        if isinstance(found, str):
            return self(found)
        if isinstance(found, dict):
            return {self(str(key)): self.data(each, secret_names.meant(str(key))) for key, each in found.items()}
        if not isinstance(found, (list, tuple)):
            return found
        # An argument belongs to the option before it.
        options = [secret_names.meant(each) if isinstance(each, str) and each[:1] == "-" else "" for each in found]
        return [self.data(each, option) for each, option in zip(found, ["", *options], strict=False)]


def _line(text: str) -> str:
    text = _BOT.sub(MASK, text)
    text = _MAIL.sub(lambda found: found[0] if found[0].endswith(_UNITS) else MASK, text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    text = _LOGIN.sub(rf"\1{MASK}", text)
    text = _OPERATOR.sub(rf"{MASK}\1", text)
    text = _WORD.sub(_account, text)
    text = _MAC.sub(MASK, text)
    text = _V4.sub(_address, _V6.sub(_address, text))
    return _OPAQUE.sub(_opaque, text)


def _base64(word: str) -> str:
    return base64.b64encode(word.encode("utf-8", "replace")).decode().rstrip("=")


def _plain(words: Iterable[str], alone: bool) -> set[str]:
    forms = {form for word in words for form in (Unescaped(word, alone).text, word.encode("utf-8", "replace").hex())}
    return {form for form in forms if len(form) >= _SHORTEST}


def _masked(text: str, spans: Iterable[Span]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], MASK]
        at = max(at, end)
    return "".join([*parts, text[at:]])


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


def _place(found: re.Match[str]) -> str:
    return found[0] if _IMAGE.fullmatch(found[2]) else found[1] + MASK


def _account(found: re.Match[str]) -> str:
    return accounts.mask(found[0].upper()) if accounts.looks_like_one(found[0]) else found[0]


def _address(found: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return found[0] if address.is_loopback or address.is_unspecified else MASK


def _opaque(found: re.Match[str]) -> str:
    """A long run with letters and digits is a key or a token, unless it is a digest by name or made of words."""
    word = found[2]
    both = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    tame = all(_TAME.fullmatch(part) for part in re.split(r"[_+-]", word))
    return found[0] if found[1] or tame or not both else MASK
