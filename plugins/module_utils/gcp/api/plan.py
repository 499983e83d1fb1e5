# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of changes: the difference between observed and desired state, and the calls that close it."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from ...agent.problem import table
from .errors import GcpError, RefusedError
from .normal import Normalized, merged
from .resource import Body, Call, Options, Resource, is_marked

Key = tuple[str, str]
_problem = table(
    {
        "gcp-immutable": (
            "it is {before} and should be {wanted}, and Google cannot change that",
            "set recreate: true to have the resource deleted and created again, or keep the present value",
        ),
        "gcp-immutable-foreign": (
            "it is {before} and should be {wanted}, and Google cannot change that; the collection has not created the "
            "resource, and so does not delete it",
            "delete it yourself, or keep the present value",
        ),
    }
)


@dataclasses.dataclass(frozen=True)
class Change:
    """The calls that take a resource from *before* to *desired*; None: it does not exist.

    *after* are changes that come first, if planned at all. *again* plans again with the resource's current state.
    """

    resource: Resource
    name: str
    calls: tuple[Call, ...]
    before: Normalized | None
    desired: Normalized | None
    after: frozenset[Key] = frozenset()
    again: c.Callable[[Body | None], Change | None] = lambda _found: None

    @property
    def key(self) -> Key:
        return self.resource.collection, self.name

    @property
    def actions(self) -> list[str]:
        return [f"{self.resource.collection}.{call.verb} {self.name}" for call in self.calls]

    def path(self, place: Options) -> str:
        """The resource's path below the project."""
        return self.resource.path(place, self.name).removeprefix(f"projects/{place['project']}/")

    @property
    def deletes(self) -> bool:
        return any(call.verb == "delete" for call in self.calls)


@dataclasses.dataclass(frozen=True)
class DesiredState:
    """A resource as it should be: *given* are the requested fields, *initial* the additional ones of a new resource.

    *given* is called with the normalized resource, or None, and whether the collection has created it, or will.
    *needs* are the resources that have to exist first. *check* raises RefusedError for a change that must not be made.
    """

    resource: Resource
    name: str
    given: c.Callable[[Normalized | None, bool], Normalized]
    initial: Normalized
    needs: frozenset[Key] = frozenset()
    check: c.Callable[[Change], None] = lambda _change: None

    @property
    def key(self) -> Key:
        return self.resource.collection, self.name


def constant(given: Normalized) -> c.Callable[[Normalized | None, bool], Normalized]:
    """The same fields whatever exists."""
    return lambda _before, _marked: given


def change(desired: DesiredState, found: Body | None, recreate: bool) -> Change | None:
    """The change from *found* to the desired state, None without a difference; RefusedError if it is impossible."""
    resource = desired.resource
    if found is None:
        new = _new(desired)
        return _planned(desired, recreate, resource.create(desired.name, new), None, new)
    before = resource.normalized(found)
    wanted = merged(before, desired.given(before, is_marked(found)))
    differing = {name for name in wanted if wanted[name] != before.get(name)}
    if not differing:
        return None
    immutable = sorted(differing - resource.mutable(before, wanted))
    if not immutable:
        return _planned(desired, recreate, resource.change(desired.name, found, wanted, differing), before, wanted)
    if recreate and is_marked(found):
        return recreation(desired, found)
    kind = "gcp-immutable-foreign" if recreate else "gcp-immutable"
    raise RefusedError(
        _problem(
            kind,
            f"{resource.collection}/{desired.name}.{field}",
            before=repr(before.get(field)),
            wanted=repr(wanted[field]),
        )
        for field in immutable
    )


def recreation(desired: DesiredState, found: Body) -> Change:
    """Delete a resource and create it again."""
    new, resource = _new(desired), desired.resource
    # A disk is created with its VM.
    created = resource.create(desired.name, new)
    gone = f"{resource.collection} {desired.name} is deleted, and not created again: the next run creates it."
    insert = [dataclasses.replace(each, always=gone, undoes="delete") for each in created[:1]]
    calls = [Call("delete"), *insert, *created[1:]]
    return _planned(desired, True, calls, resource.normalized(found), new)


def removal(resource: Resource, found: Body, after: frozenset[Key]) -> Change:
    """Delete a resource, once those of *after* are gone."""

    def again(body: Body | None) -> Change | None:
        return removal(resource, body, after) if body else None

    return Change(resource, found["name"], (Call("delete"),), resource.normalized(found), None, after, again)


def diff(changes: c.Iterable[Change]) -> dict[str, dict[str, t.Any]]:
    """Ansible's diff: the normalized resources that change, by C(firewalls/api)."""
    ordered = sorted(changes, key=lambda each: each.key)
    return {
        "before": {"/".join(each.key): each.before for each in ordered if each.before is not None},
        "after": {"/".join(each.key): each.desired for each in ordered if each.desired is not None},
    }


def _new(desired: DesiredState) -> Normalized:
    return merged(desired.initial, desired.given(None, True))


def _planned(
    desired: DesiredState, recreate: bool, calls: t.Iterable[Call], before: Normalized | None, wanted: Normalized
) -> Change:
    planned = Change(
        desired.resource,
        desired.name,
        tuple(calls),
        before,
        wanted,
        desired.needs,
        lambda body: _again(desired, before, body, recreate),
    )
    desired.check(planned)
    return planned


def _again(desired: DesiredState, before: Normalized | None, body: Body | None, recreate: bool) -> Change | None:
    if before is not None and body is None:
        raise GcpError(
            f"{desired.resource.collection} {desired.name}: somebody has deleted it while this ran. Run again to have "
            "it recreated."
        )
    return change(desired, body, recreate)
