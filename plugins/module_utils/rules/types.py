# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check values against an argument specification: type, choices, required and unknown suboptions.

Stricter than Ansible, which turns numbers into text and text into lists: the roles use a variable as written, and
YAML's reading of an unquoted value is seldom intended. A boolean, a whole number and a decimal number may be written as
text, since ``-e name=value`` passes everything as text.
"""

from __future__ import annotations

import collections.abc as c
import datetime
import difflib
import re
import typing as t

from ..agent.problem import Problem, table

Option = c.Mapping[str, t.Any]
_problem = table(
    {
        "required": ("it is not set", "set it in the group or host variables"),
        "null": ("it has no value", "give it one, or remove the line so that the default holds"),
        "not-text": ("YAML reads it as {kind}, not as a text", "put it in quotes{example}"),
        "not-a-list": ("{kind}, not a list", "write one entry a line, or [{example}]"),
        "not-a-mapping": ("{kind}, not a mapping", "write one 'key: value' a line, or {{}} for none"),
        "not-a-boolean": ("{kind}, not true or false", "write true or false"),
        "not-a-whole-number": ("{kind}, not a whole number", "write digits only"),
        "not-a-number": ("{kind}, not a number", "write a number"),
        "not-a-choice": ("not one of {choices}", "{hint}"),
        "unknown-suboption": ("unknown key", "{hint}"),
        "missing-suboption": ("missing", "set it"),
    }
)
_WORDS = ("true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n")


def misread(value: object) -> str:
    """Describe the kind of value that YAML has read: "a number", "a date", …"""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false (so it does with an unquoted yes, no, on and off)"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, (datetime.date, datetime.datetime)):
        return "a date"
    if isinstance(value, c.Mapping):
        return "a mapping"
    return "a text" if isinstance(value, str) else "a list"


def problems(place: str, option: Option, value: object) -> c.Iterator[Problem]:
    """Yield the problems of *value* at *place*, an option or a part of one; ``no_log`` values are not shown."""
    shown = () if option.get("no_log") else (value,)
    kind = option.get("type", "str")
    if wrong := _wrong_type(kind, value):
        id_, details = wrong
        if id_ == "not-a-list" and shown and isinstance(value, str):
            details["example"] = value
        yield _problem(id_, place, *shown, **details)
    elif kind == "list":
        element = {"type": option.get("elements", "raw"), **{k: v for k, v in option.items() if k in _INHERITED}}
        for index, each in enumerate(t.cast("c.Sequence[object]", value)):
            yield from problems(f"{place}[{index}]", element, each)
    elif kind == "dict" and "options" in option:
        yield from _suboptions(place, option, t.cast("c.Mapping[str, object]", value))
    elif (choices := option.get("choices")) and value not in choices:
        near = difflib.get_close_matches(str(value), map(str, choices), 1)
        hint = f"write {near[0]}" if near else "write one of them"
        yield _problem(
            "not-a-choice", place, *shown, choices=", ".join(str(each) or "''" for each in choices), hint=hint
        )


_INHERITED = ("choices", "no_log", "options")


def _suboptions(place: str, option: Option, value: c.Mapping[str, object]) -> c.Iterator[Problem]:
    known: c.Mapping[str, Option] = option["options"]
    for key, each in value.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"write {near[0]}" if near else f"use {', '.join(known)}"
            yield _problem("unknown-suboption", f"{place}.{key}", hint=hint)
        elif each is not None or known[key].get("required"):
            inner = {**known[key], "no_log": known[key].get("no_log") or option.get("no_log")}
            yield from problems(f"{place}.{key}", inner, each)
    for key, each in known.items():
        if each.get("required") and key not in value:
            yield _problem("missing-suboption", f"{place}.{key}")


def _wrong_type(kind: str, value: object) -> tuple[str, dict[str, str]] | None:
    """The id and the details of the problem, where *value* is not of type *kind* of an argument specification."""
    details = {"kind": misread(value)}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_whole = is_number and (isinstance(value, int) or t.cast("float", value).is_integer())
    if kind in ("str", "path") and not isinstance(value, str):
        return "not-text", details | {"example": _clock(value)}
    if kind == "list" and not (isinstance(value, c.Sequence) and not isinstance(value, (str, bytes))):
        return "not-a-list", details | {"example": "…"}
    if kind == "dict" and not isinstance(value, c.Mapping):
        return "not-a-mapping", details
    if kind == "bool" and not (isinstance(value, bool) or str(value).lower() in _WORDS):
        return "not-a-boolean", details
    if kind == "int" and not (is_whole or (isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value))):
        return "not-a-whole-number", details
    if kind == "float" and not (is_number or (isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value))):
        return "not-a-number", details
    return None


def _clock(value: object) -> str:
    """The time of day that YAML 1.1 may have read as this number of minutes."""
    if isinstance(value, int) and not isinstance(value, bool) and 60 <= value < 1440:
        return f": an unquoted {value // 60:02}:{value % 60:02} is {value} to YAML"
    return ""


def required(place: str) -> Problem:
    """The problem of a required option that is not set."""
    return _problem("required", place)


def null(place: str) -> Problem:
    """The problem of an option that is set to nothing and has a default."""
    return _problem("null", place)
