# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the values of keys that name a secret or a user, in JSON, settings, commands, headers and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .unescaped import Span

SECRET, USER = "secret", "user"
# A list or an object of several lines is taken as a value up to here.
_WIDEST = 20_000
# A key is a run of these characters around one of these words.
_HINT = re.compile(
    r"pass|pw|secret|token|credential|key|session|cookie|otp|pin|auth|psk|jwt|code|user|login|account", re.I
)
_NAME = re.compile(r"[\w.-]{1,128}", re.ASCII)
_BEFORE = 64
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ANYWHERE = re.compile(
    r"passwor[dt]|passwd|passphrase|passcode|secret|token|credential|apikey|privatekey|cookie|sessionid"
    r"|(?:pwd|authorization|(?:factor|fa|auth|verification|security|recovery|login)code)$"
)
# As a word of its own, at the end.
_SHORT = {"pass", "pw", "pwd", "pin", "otp", "totp", "auth", "psk", "jwt"}
_USER = re.compile(r"(?:user(?:id|name)?|loginid|account(?:s|id)?)$")
# When something happened, and no secret.
_PHASES = {"reauth", "postauth", "preauth"}
# May have spaces in it; a token has none.
_PHRASE = re.compile(r"pass|pw|secret|credential|auth", re.IGNORECASE)
# At the end of a name: it is still the secret, or it is about the secret.
_STILL = {"value", "data", "header", "hash", "text", "string"}
_ABOUT = frozenset(
    re.findall(
        r"\w+",
        "action age attempts at count days device dialog dir directory expiry field file hours interval kind length"
        " limit manager minutes path policy seconds server since size state status store timeout type until warning",
    )
)
# The whole line of such a header is its value.
_HEADER = re.compile(r"cookie|authorization", re.IGNORECASE)
_SCHEME = re.compile(r"(?:bearer|basic|digest|negotiate)[ \t]{1,8}", re.IGNORECASE)
# A name of programs, and no word of a sentence.
_COINED = re.compile(r"-|.*(?:_|[a-z][A-Z])")
_SEPARATOR = re.compile(
    r"""(?P<close>\\*["'])?(?:
    [ \t]{0,8}(?P<sign>=>|:=|[=:])[ \t]{0,8}
    |(?P<tag>>)
    |(?P<said>[ \t]{1,8}(?:(?:(?:is|was)[ ])?(?:set|changed)[ ]to|(?:is|was)(?:[ ]now)?)[ \t]{1,8})
    |(?P<whose>[ \t](?:for|of)(?:[ \t][^\s:=]{1,64}){1,4}[ \t]?[:=][ \t]{0,8})
    |(?P<argument>,\s{0,8}(?=\\*["']))
    |(?P<quote>[ \t]{1,8}(?=\\*["']))
    |(?P<space>[ \t\0]{1,8}(?=\S)(?!--[A-Za-z]))
    )""",
    re.VERBOSE,
)
_QUOTE = re.compile(r"(\\*)([\"'])")
_BRACKET = re.compile(r"(?P<quote>\\*[\"'])|(?P<open>[\[{(])|[\]})]")
_INDENT = re.compile(r"[ \t]{0,40}")
_BARE = re.compile(r"[^\s,;}\]\"'\\]*")
_WORD = re.compile(r"[^\s,;]*")
_ARGUMENT = re.compile(r"[^\s\0]*")
_CLAUSE = re.compile(r"(?:(?!\.\s)[^\n,;])*")
# Where the value of a key without quotes ends: at the next key.
_NEXT = re.compile(r"[\s,;&|]+-{0,2}[\"']?[A-Za-z_][\w.-]{0,64}[\"']?[ \t]?(?:=|:(?!//))|\n")
_FIRST = frozenset(("", "export", "set", "setenv"))
# A value that begins on the next line, further to the right.
_BLOCK = re.compile(r"[|>]?[+-]?[ \t]*\n")
# Values that tell nothing, and words of a sentence about a secret.
_PLAIN = re.compile(r"(?:true|false|yes|no|on|off|null|none|-?\d{1,3}(?:\.\d{1,3})?|\*{3}|)[\s,;.)}\]]*", re.IGNORECASE)
_TALK = re.compile(
    r"[(\[]?(?:a|and|are|as|at|been|being|by|can|changed|correct|could|empty|expired|for|from|good|given|has|have|in"
    r"|incorrect|invalid|is|kept|late|locked|may|missing|must|needed|never|not|now|of|on|only|or|read|refused|removed"
    r"|required|rotated|set|stale|still|that|the|there|to|too|unset|used|valid|was|were|will|with|without|wrong|written)\b"
    r"|[^\w\s\"']\s",
    re.IGNORECASE,
)


def meant(name: str) -> str:
    """Return what a key called *name* has as its value: SECRET, USER, or nothing of the kind."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and (words[-1] in _STILL or words[-1].isdecimal()):
        words.pop()
    if not words or words[-1] in _ABOUT:
        return ""
    joined = "".join(words)
    if joined in _PHASES:
        return ""
    if _ANYWHERE.search(joined) or words[-1] in _SHORT or (words[-1] == "key" and len(words) > 1):
        return SECRET
    return USER if _USER.search(joined) or words[-1] == "login" else ""


def is_plain(value: str) -> bool:
    """Whether *value* tells nothing."""
    return bool(_PLAIN.fullmatch(value))


def values(text: str) -> Iterator[Span]:
    """Yield where *text* has the value of such a key, in order."""
    at = 0
    while hint := _HINT.search(text, at):
        start = hint.start()
        while start > max(at, hint.start() - _BEFORE) and _NAME.match(text[start - 1]):
            start -= 1
        at = hint.end()
        if not (name := _NAME.match(text, start)):
            continue
        at = name.end()
        kind = meant(name[0])
        separator = _SEPARATOR.match(text, at) if kind else None
        if separator and (span := _value(text, kind, name, separator)) and not is_plain(text[slice(*span)]):
            yield span
            at = span[1]


def _value(text: str, kind: str, name: re.Match[str], separator: re.Match[str]) -> Span | None:
    at, way = separator.end(), separator.lastgroup
    end = _end_of_line(text, at)
    if not _belongs(text, kind, name, separator):
        return None
    if way == "tag":
        stop = text.find("<", at, end)
        return at, stop if stop >= 0 else end
    # Of a file of settings, whose values have no quotes.
    first = kind == SECRET and way == "sign" and not separator["close"] and _is_first(text, name.start())
    if first and _BLOCK.match(text, at):
        return at, _end_of_block(text, name.start(), at)
    quote = _QUOTE.match(text, at)
    if quote and not first:
        return quote.end(), _closing(text, quote, end)
    if kind == SECRET and text[at : at + 1] in ("[", "{", "("):
        closed = _balanced(text, at, end)
        return at, max(closed, end) if first else closed
    if way == "sign" and not separator["close"] and _HEADER.search(name[0]):
        scheme = _SCHEME.match(text, at)
        return scheme.end() if scheme else at, end
    return at, end if first else _end_of_bare(text, at, kind, name, separator)


def _belongs(text: str, kind: str, name: re.Match[str], separator: re.Match[str]) -> bool:
    """Whether what follows *separator* is the value of *name*."""
    at, way, closed = separator.end(), separator.lastgroup, bool(separator["close"])
    if way == "tag":
        return text[: name.start()].endswith("<")
    if way == "sign":
        return kind == SECRET or closed or not _TALK.match(text, at)
    if way == "argument":
        return closed and name[0].startswith("-")
    if way == "said":
        return (kind == SECRET or name[0].lower().startswith("user")) and not _TALK.match(text, at)
    if closed:
        return False
    coined = bool(_COINED.match(name[0])) and not name[0].lower().endswith("login")
    return (coined and not _TALK.match(text, at)) if way == "space" else (coined or kind == SECRET)


def _end_of_bare(text: str, at: int, kind: str, name: re.Match[str], separator: re.Match[str]) -> int:
    """Return where a value without quotes ends."""
    way = separator.lastgroup
    if way == "said":
        pattern = _CLAUSE
    elif way == "space" or name[0].startswith("-"):
        pattern = _ARGUMENT
    elif separator["close"] or kind == USER:
        pattern = _BARE
    elif not _PHRASE.search(name[0]):
        pattern = _WORD
    else:
        stop = _NEXT.search(text, at)
        return stop.start() if stop else len(text)
    found = pattern.match(text, at)
    return found.end() if found else at


def _is_first(text: str, start: int) -> bool:
    line = text.rfind("\n", 0, start) + 1
    return text[line:start].strip(" \t#;-") in _FIRST


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _end_of_block(text: str, start: int, at: int) -> int:
    """Return where the lines end that are further to the right than that of the key at *start*, or a list of its."""
    indent = _INDENT.match(text, text.rfind("\n", 0, start) + 1)
    deeper = re.compile(rf"[^\n]*(?:\n{indent[0] if indent else ''}(?:[ \t]|- )[^\n]*)*")
    found = deeper.match(text, at, at + _WIDEST)
    return found.end() if found else at


def _closing(text: str, quote: re.Match[str], end: int) -> int:
    """Return where the text in *quote* ends, which is that of JSON in JSON where it has backslashes itself."""
    depth = len(quote[1]).bit_length()
    for found in _QUOTE.finditer(text, quote.end(), end):
        if found[2] != quote[2]:
            continue
        escapes = len(found[1])
        for _each in range(depth):
            # A quote without a backslash is that of the text around.
            escapes = (escapes - 1) // 2 if escapes % 2 else 0
        if escapes % 2 == 0:
            return max(found.end() - 1 - len(quote[1]), quote.end())
    return end


def _balanced(text: str, at: int, end: int) -> int:
    """Return where the list or object at *at* ends; it may go over lines if its first ends with the bracket."""
    if not text[at + 1 : end].strip():
        end = min(len(text), at + _WIDEST)
    depth = 0
    while found := _BRACKET.search(text, at, end):
        at = found.end()
        if found["quote"] and (quote := _QUOTE.fullmatch(text, *found.span())):
            at = max(at, _closing(text, quote, min(end, _end_of_line(text, at))) + len(found[0]))
            continue
        depth += 1 if found["open"] else -1
        if not depth:
            return at
    return end
