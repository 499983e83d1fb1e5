# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of a resource, and what has to be done to it: the difference, and the right calls for it."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from . import network_ways, views, vm_ways
from .errors import GcpError
from .kinds import MARK, MARK_LABEL, Kind
from .ways import Body, Call, Ways

Key = tuple[str, str]
WAYS: dict[Kind, Ways] = {**network_ways.WAYS, **vm_ways.WAYS}


@dataclasses.dataclass(frozen=True)
class Change:
    """The calls that take a resource from one view to another; None stands for a resource that is not there.

    *after* are the changes that have to be done first, if they are to be done at all. *again* plans anew with the
    resource as it is then.
    """

    kind: Kind
    name: str
    calls: tuple[Call, ...]
    before: views.View | None
    wanted: views.View | None
    after: frozenset[Key] = frozenset()
    again: c.Callable[[Body | None], Change | None] = lambda _found: None

    @property
    def key(self) -> Key:
        return self.kind.collection, self.name

    @property
    def actions(self) -> list[str]:
        return [f"{self.kind.collection}.{call.verb} {self.name}" for call in self.calls]


@dataclasses.dataclass(frozen=True)
class Wish:
    """A resource as it should be: *given* says what its view has to have, *initial* what else a new one gets.

    *given* gets the view of what is there, or None, and whether the collection has made it, or will.
    *needs* are the resources that have to be there before it. *check* raises GcpError for a change that must not be.
    """

    kind: Kind
    name: str
    given: c.Callable[[views.View | None, bool], views.View]
    initial: views.View
    needs: frozenset[Key] = frozenset()
    check: c.Callable[[Change], None] = lambda _change: None

    @property
    def key(self) -> Key:
        return self.kind.collection, self.name


def constant(given: views.View) -> c.Callable[[views.View | None, bool], views.View]:
    """What is wanted whatever is there."""
    return lambda _before, _marked: given


def is_marked(body: t.Mapping[str, t.Any]) -> bool:
    """Whether the collection has made a resource."""
    return MARK_LABEL in body.get("labels", {}) or str(body.get("description", "")).endswith(MARK)


def change(wish: Wish, found: Body | None, recreate: bool) -> Change | None:
    """What brings *found* to the wish, None when nothing has to be done; GcpError when it cannot be changed."""
    if found is None:
        new = _new(wish)
        return _made(wish, recreate, WAYS[wish.kind].create(wish.name, new), None, new)
    ways = WAYS[wish.kind]
    before = ways.view(found)
    wanted = views.merged(before, wish.given(before, is_marked(found)))
    differing = {name for name in wanted if wanted[name] != before.get(name)}
    if not differing:
        return None
    immutable = sorted(differing - ways.mutable(before, wanted))
    if not immutable:
        return _made(wish, recreate, ways.change(wish.name, found, wanted, differing), before, wanted)
    if recreate and is_marked(found):
        return renewal(wish, found)
    raise GcpError(_immutable(wish, before, wanted, immutable, recreate))


def renewal(wish: Wish, found: Body) -> Change:
    """What deletes a resource and makes it anew."""
    new, ways = _new(wish), WAYS[wish.kind]
    return _made(wish, True, [Call("delete"), *ways.create(wish.name, new)], ways.view(found), new)


def removal(kind: Kind, found: Body, after: frozenset[Key]) -> Change:
    """What removes a resource, once those of *after* are gone."""

    def again(body: Body | None) -> Change | None:
        return removal(kind, body, after) if body else None

    return Change(kind, found["name"], (Call("delete"),), WAYS[kind].view(found), None, after, again)


def diff(changes: c.Iterable[Change]) -> dict[str, dict[str, t.Any]]:
    """What Ansible shows: the views of what changes, by C(firewalls/api)."""
    ordered = sorted(changes, key=lambda each: each.key)
    return {
        "before": {"/".join(each.key): each.before for each in ordered if each.before is not None},
        "after": {"/".join(each.key): each.wanted for each in ordered if each.wanted is not None},
    }


def _new(wish: Wish) -> views.View:
    return views.merged(wish.initial, wish.given(None, True))


def _made(wish: Wish, recreate: bool, calls: t.Iterable[Call], before: views.View | None, wanted: views.View) -> Change:
    planned = Change(
        wish.kind, wish.name, tuple(calls), before, wanted, wish.needs, lambda body: change(wish, body, recreate)
    )
    wish.check(planned)
    return planned


def _immutable(wish: Wish, before: views.View, wanted: views.View, fields: list[str], recreate: bool) -> str:
    details = ", ".join(f"{name} is {before.get(name)!r} and should be {wanted[name]!r}" for name in fields)
    fix = "set `recreate: true` to have it deleted and made anew"
    if recreate:
        fix = "it does not carry the collection's mark, so that it is not recreated: delete it yourself"
    return f"{wish.kind.collection} {wish.name}: {details}. Google cannot change that: {fix}, or ask for what is there."
