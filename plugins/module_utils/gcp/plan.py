# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to a resource: the difference, and the right calls for it."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import ipaddress
import typing as t

from . import views
from .errors import GcpError
from .kinds import ADDRESS, FIREWALL, MARK, MARK_LABEL, NETWORK, ROUTER, SUBNET, Kind
from .wanted import Key, Wish

Body = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """A method of the API and its body."""

    verb: str
    body: Body | None = None


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


def is_marked(kind: Kind, body: t.Mapping[str, t.Any]) -> bool:
    """Whether the collection has made a resource."""
    if kind is ADDRESS:
        return MARK_LABEL in body.get("labels", {})
    return str(body.get("description", "")).endswith(MARK)


def change(wish: Wish, found: Body | None, recreate: bool) -> Change | None:
    """What brings *found* to the wish, None when nothing has to be done; GcpError when it cannot be changed."""

    def again(body: Body | None) -> Change | None:
        return change(wish, body, recreate)

    def made(calls: t.Iterable[Call], before: views.View | None, wanted: views.View) -> Change:
        return Change(wish.kind, wish.name, tuple(calls), before, wanted, wish.needs, again)

    new = views.merged(wish.initial, wish.given(None, True))
    if found is None:
        return made([Call("insert", _insert(wish, new))], None, new)
    before = views.VIEWS[wish.kind](found)
    wanted = views.merged(before, wish.given(before, is_marked(wish.kind, found)))
    differing = {name for name in wanted if wanted[name] != before.get(name)}
    if not differing:
        return None
    immutable = sorted(differing - _mutable(wish.kind, before, wanted))
    if not immutable:
        return made(_calls(wish.kind, wish.name, found, wanted, differing), before, wanted)
    if recreate and is_marked(wish.kind, found):
        return made([Call("delete"), Call("insert", _insert(wish, new))], before, new)
    raise GcpError(_immutable(wish, before, wanted, immutable, recreate))


def removal(kind: Kind, found: Body, after: frozenset[Key]) -> Change:
    """What removes a resource, once those of *after* are gone."""

    def again(body: Body | None) -> Change | None:
        return removal(kind, body, after) if body else None

    return Change(kind, found["name"], (Call("delete"),), views.VIEWS[kind](found), None, after, again)


def _mutable(kind: Kind, before: views.View, wanted: views.View) -> set[str]:
    """The fields that the API can change from one view to the other."""
    if kind is SUBNET:
        mine, theirs = (ipaddress.IPv4Network(view["ipCidrRange"]) for view in (before, wanted))
        return {"logConfig", "privateIpGoogleAccess", *(["ipCidrRange"] if mine.subnet_of(theirs) else [])}
    if kind is FIREWALL:
        action = ["allowed", "denied"] if bool(before["allowed"]) == bool(wanted["allowed"]) else []
        return set(wanted) - {"network", "direction", "allowed", "denied"} | set(action)
    return {NETWORK: {"mtu", "routingConfig"}, ADDRESS: {"labels"}, ROUTER: {"nats"}}[kind]


def _immutable(wish: Wish, before: views.View, wanted: views.View, fields: list[str], recreate: bool) -> str:
    details = ", ".join(f"{name} is {before.get(name)!r} and should be {wanted[name]!r}" for name in fields)
    fix = "set `recreate: true` to have it deleted and made anew"
    if recreate:
        fix = "it does not carry the collection's mark, so that it is not recreated: delete it yourself"
    return f"{wish.kind.collection} {wish.name}: {details}. Google cannot change that: {fix}, or ask for what is there."


def _insert(wish: Wish, wanted: views.View) -> Body:
    """The body that makes a resource: what is empty is left to the API."""
    text = {} if wish.kind is ADDRESS else {"description": MARK}
    body = {"name": wish.name, **text, **{name: value for name, value in wanted.items() if value not in (None, [], "")}}
    return body


def _calls(kind: Kind, name: str, found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    values = {field: wanted[field] for field in sorted(differing)}
    if kind is NETWORK:
        yield Call("patch", values)
    elif kind is SUBNET:
        # First, since the fingerprint is that of what was read.
        if "logConfig" in values:
            yield Call("patch", {"logConfig": values["logConfig"], "fingerprint": found["fingerprint"]})
        if "privateIpGoogleAccess" in values:
            yield Call("setPrivateIpGoogleAccess", {"privateIpGoogleAccess": values["privateIpGoogleAccess"]})
        if "ipCidrRange" in values:
            yield Call("expandIpCidrRange", {"ipCidrRange": values["ipCidrRange"]})
    elif kind is ADDRESS:
        yield Call("setLabels", {**values, "labelFingerprint": found["labelFingerprint"]})
    elif kind is ROUTER:
        yield _router_call(name, found, wanted)
    else:
        # An empty list does not get through PATCH: the whole rule is put.
        yield Call("update", {"name": name, **{field: value for field, value in wanted.items() if value != []}})


def _router_call(name: str, found: Body, wanted: views.View) -> Call:
    if wanted["nats"]:
        return Call("patch", {"nats": wanted["nats"]})
    kept = ("bgp", "bgpPeers", "description", "encryptedInterconnectRouter", "interfaces", "network")
    return Call("update", {"name": name, **{field: found[field] for field in kept if field in found}})
