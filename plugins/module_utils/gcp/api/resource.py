# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe a type of resource: its location, how it is compared, and the calls that change it."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
import typing as t

from .normal import Normalized

Body = dict[str, t.Any]
Options = t.Mapping[str, t.Any]
# Networks, subnets, routers, firewall rules and policies have no labels: their description ends in this.
MARK = "[ibops.gateway]"
# Everything else has this label; its value is the network or the VM that the resource belongs to.
MARK_LABEL = "ibops-gateway"


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of the API: its verb, its body, and other fields of the request in the library's names.

    One with *always* puts back into service what verb *undoes* took out of it. It is made even if the calls in between
    failed; if it fails too, *always* is the sentence that says what is down and how to fix it.
    """

    verb: str
    body: Body | None = None
    parameters: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    always: str = ""
    undoes: str = ""


@dataclasses.dataclass(frozen=True)
class Verb:
    """A method in google-cloud-compute: its function, the body's message, and the request's field for the name.

    C({key}) and C({message}) are the resource's. Without *message* there is no body.
    """

    function: str
    message: str = "{message}"
    key: str = "{key}"

    def field(self, resource: Resource) -> str:
        """The request's field for the body: the message's name in lower case."""
        words = re.sub("(?<=[a-z])([A-Z])", r"_\1", self.message.format(message=resource.message))
        return f"{words.lower()}_resource"


COMMON_VERBS = {
    "delete": Verb("delete_unary", ""),
    "insert": Verb("insert_unary", key=""),
    "patch": Verb("patch_unary"),
    "update": Verb("update_unary"),
}


def nothing_mutable(_before: Normalized, _desired: Normalized) -> set[str]:
    return set()


def mutable(*fields: str) -> c.Callable[[Normalized, Normalized], set[str]]:
    """The fields that can change, whatever their values."""
    return lambda _before, _desired: set(fields)


def never_created(_name: str, _desired: Normalized) -> list[Call]:
    return []


def never_changed(_name: str, _found: Body, _desired: Normalized, _differing: set[str]) -> c.Iterator[Call]:
    return iter(())


@dataclasses.dataclass(frozen=True, eq=False)
class Resource:
    """A type of resource.

    *collection* is the API's, *message* its schema, *key* a request's field for the name, *scope* C(region), C(zone) or
    empty for global. *normalized* is the form for comparison. *mutable* are the fields that the API can change between
    two forms; *create* and *change* are the calls for it. With *reread* the resource is read again just before a
    change, because the API has no fingerprint for it.
    """

    collection: str
    message: str
    key: str
    scope: str = ""
    verbs: t.Mapping[str, Verb] = dataclasses.field(default_factory=dict)
    normalized: c.Callable[[t.Mapping[str, t.Any]], Normalized] = dict
    mutable: c.Callable[[Normalized, Normalized], set[str]] = nothing_mutable
    create: c.Callable[[str, Normalized], list[Call]] = never_created
    change: c.Callable[[str, Body, Normalized, set[str]], c.Iterator[Call]] = never_changed
    reread: bool = False

    @property
    def service(self) -> str:
        """The library's module."""
        return re.sub("([A-Z])", r"_\1", self.collection).lower()

    @property
    def client(self) -> str:
        return f"{self.collection[0].upper()}{self.collection[1:]}Client"

    def verb(self, name: str) -> Verb:
        return self.verbs.get(name) or COMMON_VERBS[name]

    def path(self, options: Options, name: str) -> str:
        """The path by which other resources refer to one; *options* has C(project), and C(region) or C(zone)."""
        place = f"{self.scope}s/{options[self.scope]}" if self.scope else "global"
        return f"projects/{options['project']}/{place}/{self.collection}/{name}"


def without_empty(name: str, desired: Normalized, **more: t.Any) -> Body:
    """The body that creates a resource; empty fields are left to the API."""
    return {"name": name, **more, **{field: value for field, value in desired.items() if value not in (None, [], "")}}


def create_marked(name: str, desired: Normalized) -> list[Call]:
    """Create a resource whose description carries the mark."""
    return [Call("insert", without_empty(name, desired, description=MARK))]


def is_marked(body: t.Mapping[str, t.Any]) -> bool:
    """Whether the collection has created a resource."""
    return MARK_LABEL in body.get("labels", {}) or str(body.get("description", "")).endswith(MARK)
