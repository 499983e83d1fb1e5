# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read JSON files back, checked against the types of a dataclass; a damaged one is set aside.

A full disk, a bad sector, an editor or an older release can leave anything in a file. A reader gets valid data
or :class:`DamagedError`, never a value that fails later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import stat
import types
import typing as t

SCHEMA = 1
FILE_BYTES = 1 << 20
# Covers epoch seconds until the year 2286, and every count kept here.
MAX_NUMBER = 1e10
_Kind = t.TypeVar("_Kind")


class DamagedError(ValueError):
    """The data is damaged; the message names place and fault, and shows no value."""


def parse(data: bytes) -> object:
    """Parse the JSON of *data*; DamagedError also for NaN, infinity and too deeply nested lists."""
    try:
        return json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, (json.JSONDecodeError, DamagedError)) else type(error).__name__
        raise DamagedError(f"it is not JSON ({reason})") from None


def _refuse(word: str) -> t.NoReturn:
    raise DamagedError(f"{word} is not a number")


def part(data: object, *names: str) -> t.Any:
    """Return what stands at a path of objects, None where there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def read(path: str) -> object:
    """The JSON in a file of at most 1 MiB. Raises DamagedError, FileNotFoundError and other OSErrors."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise DamagedError("it is not a file")
    with open(path, "rb") as file:
        data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise DamagedError(f"it is larger than {FILE_BYTES} bytes")
    return parse(data)


def load(kind: type[_Kind], path: str) -> _Kind:
    """The dataclass *kind* from a file. Raises DamagedError, FileNotFoundError and other OSErrors."""
    return build(kind, read(path))


def build(kind: type[_Kind], data: object, place: str = "") -> _Kind:
    """Build the dataclass *kind* from parsed JSON, its fields checked; unknown keys belong to a later release.

    A field of the class may be str, int, float, bool, None, Any, a dataclass, and list, tuple, frozenset, dict or a
    union of those. A float may be written as an int. Numbers are from 0 to 1e10. Raises DamagedError.
    """
    if not isinstance(data, dict):
        raise DamagedError(f"{place or 'it'} is not an object")
    if not place and data.get("schema", SCHEMA) != SCHEMA:
        raise DamagedError("schema is that of another release")
    values = {}
    for field in dataclasses.fields(t.cast(t.Any, kind)):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in data:
            values[field.name] = value(_types(t.cast(t.Any, kind))[field.name], data[field.name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DamagedError(f"{where} is missing")
    return kind(**values)


@functools.cache
def _types(kind: t.Any) -> dict[str, t.Any]:
    return t.get_type_hints(kind)


def value(wanted: t.Any, data: object, place: str) -> t.Any:
    """*data* as the type *wanted*; DamagedError."""
    origin, of = t.get_origin(wanted), t.get_args(wanted)
    if origin in (t.Union, types.UnionType):
        return _one_of(of, data, place)
    if origin in (list, tuple, frozenset):
        if isinstance(data, list):
            return origin(value(of[0], each, f"{place}[{index}]") for index, each in enumerate(data))
    elif origin is dict:
        if isinstance(data, dict):
            return {text(key, place): value(of[1], each, f"{place}.*") for key, each in data.items()}
    elif dataclasses.is_dataclass(wanted):
        return build(t.cast(t.Any, wanted), data, place)
    elif wanted is t.Any:
        return data
    elif wanted is str and isinstance(data, str):
        return text(data, place)
    elif wanted in (int, float) and isinstance(data, (int, float)) and not isinstance(data, bool):
        if 0 <= data <= MAX_NUMBER and isinstance(data, (wanted, int)):
            return data
    elif wanted in (bool, type(None)) and isinstance(data, wanted):
        return data
    raise DamagedError(f"{place} is not what it should be ({getattr(wanted, '__name__', wanted)})")


def _one_of(kinds: tuple[t.Any, ...], data: object, place: str) -> t.Any:
    faults = []
    for kind in kinds:
        try:
            return value(kind, data, place)
        except DamagedError as fault:
            faults.append(fault)
    raise faults[0]


def text(data: str, place: str) -> str:
    """Return *data* if it can be encoded again; DamagedError for a lone surrogate."""
    try:
        data.encode()
    except UnicodeEncodeError:
        raise DamagedError(f"{place} holds half a character") from None
    return data


def set_aside(path: str) -> str:
    """Rename a damaged file to ``.damaged``, replacing an earlier one; return its new path."""
    aside = f"{path}.damaged"
    with contextlib.suppress(OSError):
        os.replace(path, aside)
        return aside
    return path
