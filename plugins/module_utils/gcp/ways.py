# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a kind of resource: how it compares, what can change, and by which calls."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from . import views

Body = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """A method of the API, its body, and what else the request says, in the library's names."""

    verb: str
    body: Body | None = None
    parameters: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Ways:
    """*view* is what a resource compares by. *mutable* are the fields that the API can change from one view to another.

    *create* are the calls that make one by its name and view, *change* those that bring what is found to a view, given
    the fields that differ.
    """

    view: c.Callable[[t.Mapping[str, t.Any]], views.View]
    mutable: c.Callable[[views.View, views.View], set[str]]
    create: c.Callable[[str, views.View], list[Call]]
    change: c.Callable[[str, Body, views.View, set[str]], c.Iterator[Call]]


def fixed(*fields: str) -> c.Callable[[views.View, views.View], set[str]]:
    """What can change where that does not depend on the values."""
    return lambda _before, _wanted: set(fields)


def filled(name: str, wanted: views.View, **more: t.Any) -> Body:
    """The body that makes a resource: what is empty is left to the API."""
    return {"name": name, **more, **{field: value for field, value in wanted.items() if value not in (None, [], "")}}
