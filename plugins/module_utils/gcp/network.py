# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network and what belongs to it: what is there, what has to change, and changing it."""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import typing as t

from . import plan, rules, views
from .compute import Compute
from .errors import GcpError
from .kinds import ADDRESS, FIREWALL, KINDS, MARK_LABEL, NETWORK, ROUTER, SUBNET, Kind
from .plan import Change, Key
from .wanted import Wishes
from .ways import Body

Options = t.Mapping[str, t.Any]
# Google's names, and the options'.
SECTIONS = {NETWORK: "network", SUBNET: "subnets", ADDRESS: "addresses", ROUTER: "routers", FIREWALL: "firewalls"}


class Present:
    """What is there: every resource of the region, by kind and name."""

    def __init__(self, compute: Compute, network: str) -> None:
        self._path = NETWORK.path(compute.project, compute.region, network)
        self._network = network
        found = compute.get(NETWORK, network)
        self.all = {NETWORK: {network: found} if found else {}}
        # The first call has fetched a token, which the others use.
        with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
            others = {kind: pool.submit(compute.list, kind) for kind in KINDS if kind is not NETWORK}
            for kind, listed in others.items():
                self.all[kind] = {body["name"]: body for body in listed.result()}

    def belonging(self, kind: Kind) -> dict[str, Body]:
        """Those that belong to the network: inside of it, or reserved for it."""
        return {name: body for name, body in self.all[kind].items() if self._belongs(kind, body)}

    def _belongs(self, kind: Kind, body: Body) -> bool:
        if kind is ADDRESS:
            inside = body.get("subnetwork", "").rsplit("/", 1)[-1] in self.belonging(SUBNET)
            return inside or body.get("labels", {}).get(MARK_LABEL) == self._network
        return kind is NETWORK or views.link(body["network"]) == self._path

    def report(self, named: t.Container[Key] = frozenset()) -> dict[str, t.Any]:
        """What belongs to the network or is *named*, in the API's form, by the options' sections."""
        found: dict[str, t.Any] = {
            SECTIONS[kind]: {
                name: body
                for name, body in bodies.items()
                if self._belongs(kind, body) or (kind.collection, name) in named
            }
            for kind, bodies in self.all.items()
        }
        return {**found, "network": found["network"].get(self._network)}


def present(options: Options, found: Present) -> list[Change]:
    """The changes that bring what is *found* to the options; GcpError with everything that is in the way."""
    declared = {
        section: {each["name"] for each in options[section] or []} for section in ("subnets", "addresses", "firewalls")
    }
    wrong = [
        *rules.existing_ranges(options, found.belonging(SUBNET).values()),
        *rules.missing_references(
            options, declared["subnets"] | set(found.all[SUBNET]), declared["addresses"] | set(found.all[ADDRESS])
        ),
    ]
    changes: list[Change | None] = []
    for wish in Wishes(options).all():
        try:
            changes.append(plan.change(wish, found.all[wish.kind].get(wish.name), options["recreate"]))
        except GcpError as error:
            wrong.append(str(error))
    if wrong:
        raise GcpError(" ".join(wrong))
    if options["firewalls"] is not None:
        changes += [
            plan.removal(FIREWALL, body, frozenset())
            for name, body in found.belonging(FIREWALL).items()
            if plan.is_marked(body) and name not in declared["firewalls"]
        ]
    return [change for change in changes if change]


def absent(found: Present) -> tuple[list[Change], list[str]]:
    """The changes that remove what the collection has made for the network, and what is left, as C(addresses/nat).

    GcpError when something that is left keeps the network from being removed.
    """
    ours = {kind: _marked(kind, found) for kind in KINDS}
    left = [
        (kind, name) for kind in KINDS for name in found.belonging(kind) if name not in {b["name"] for b in ours[kind]}
    ]
    for network in ours[NETWORK]:
        _check_removable(network, left, ours[SUBNET])
    changes: list[Change] = []
    for kind in (FIREWALL, ROUTER, ADDRESS, SUBNET, NETWORK):
        # Nothing that may use one of this kind is left by then. Rules keep no subnet and no address in use.
        before = frozenset() if kind in (FIREWALL, ROUTER) else frozenset(change.key for change in changes)
        changes += [plan.removal(kind, body, before) for body in ours[kind]]
    return changes, [f"{kind.collection}/{name}" for kind, name in left]


def _marked(kind: Kind, found: Present) -> list[Body]:
    return [body for body in found.belonging(kind).values() if plan.is_marked(body)]


def _check_removable(network: Body, left: c.Iterable[tuple[Kind, str]], ours: c.Iterable[Body]) -> None:
    inside = [f"{kind.collection}/{name}" for kind, name in left if kind in (SUBNET, ROUTER, FIREWALL)]
    removed = {views.link(subnet["selfLink"]) for subnet in ours}
    elsewhere = {views.link(subnet) for subnet in network.get("subnetworks", [])} - removed
    inside += sorted(path for path in elsewhere if f"subnetworks/{path.rsplit('/', 1)[-1]}" not in inside)
    if inside:
        raise GcpError(
            f"network {network['name']} cannot be removed: it has {', '.join(inside)}, which this run does not remove, "
            "as the collection has not made it or it is in another region. Remove it first. Nothing was changed."
        )
