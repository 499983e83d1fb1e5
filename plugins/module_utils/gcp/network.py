# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network with everything that belongs to it: inspect it, and plan its changes or its removal."""

from __future__ import annotations

import collections.abc as c
import functools
import typing as t

from ..agent.problem import Problem, table
from . import users
from .api import plan
from .api.client import start
from .api.compute import Compute
from .api.errors import GcpError, RefusedError
from .api.normal import last, link
from .api.plan import Change, DesiredState, Key
from .api.resource import MARK_LABEL, Body, Options, Resource, is_marked
from .resources import address, firewall, network, router, subnet
from .resources.address import ADDRESS
from .resources.firewall import FIREWALL
from .resources.network import NETWORK
from .resources.router import ROUTER
from .resources.run_job import RUN
from .resources.subnet import SUBNET
from .rules import place

RESOURCES = (NETWORK, SUBNET, ADDRESS, ROUTER, FIREWALL)
# Names used by the modules.
SECTIONS = {NETWORK: "network", SUBNET: "subnets", ADDRESS: "addresses", ROUTER: "routers", FIREWALL: "firewalls"}

_problem = table(
    {
        "gcp-subnet-missing": ("the region has no such subnet", "add it to subnets, or correct the name"),
        "gcp-reservation-missing": (
            "no address of this name is reserved in the region",
            "add it to addresses, or correct the name",
        ),
    }
)


class Observed:
    """Every resource of the region, by type and name."""

    def __init__(self, compute: Compute, name: str) -> None:
        self.compute = compute
        self._path = NETWORK.path(compute.place, name)
        self._network = name
        found = compute.get(NETWORK, name)
        self.all: dict[Resource, dict[str, Body]] = {NETWORK: {name: found} if found else {}}
        # The first call has fetched a token for the others.
        listed = {each: start(functools.partial(compute.list, each)) for each in RESOURCES if each is not NETWORK}
        for resource, future in listed.items():
            self.all[resource] = {body["name"]: body for body in future.result()}

    def belonging(self, resource: Resource) -> dict[str, Body]:
        """Resources that belong to the network: inside it, or reserved for it."""
        return {name: body for name, body in self.all[resource].items() if self._belongs(resource, body)}

    def _belongs(self, resource: Resource, body: Body) -> bool:
        if resource is ADDRESS:
            inside = last(body.get("subnetwork", "")) in self.belonging(SUBNET)
            return inside or body.get("labels", {}).get(MARK_LABEL) == self._network
        return resource is NETWORK or link(body["network"]) == self._path

    def is_gone(self, path: str) -> bool:
        """Whether a referenced resource was deleted between reading one list and the next."""
        compute, name = self.compute, last(path)
        return any(
            path == each.path(compute.place, name) and name not in self.all[each] and compute.get(each, name) is None
            for each in RESOURCES
        )

    def report(self, named: t.Container[Key] = frozenset()) -> dict[str, t.Any]:
        """Return the resources of the network, and the *named* ones, in the API's form by the modules' names."""
        found: dict[str, t.Any] = {
            SECTIONS[resource]: {
                name: body
                for name, body in bodies.items()
                if self._belongs(resource, body) or (resource.collection, name) in named
            }
            for resource, bodies in self.all.items()
        }
        return {**found, "network": found["network"].get(self._network)}


def problems(options: Options) -> list[Problem]:
    """Validate the options of gcp_network; empty when nothing is wrong."""
    found = [*place(options), *network.problems(options["network"])]
    found += [*subnet.problems(options["subnets"] or []), *address.problems(options["addresses"] or [])]
    found += router.problems(options["router"]) if options["router"] else []
    return [*found, *firewall.problems(options["firewalls"] or [])]


def desired(options: Options) -> list[DesiredState]:
    """The desired state of every resource, in order of creation."""
    found = [network.desired(options["network"])]
    found += [subnet.desired(options, each) for each in options["subnets"] or []]
    found += [address.desired(options, each) for each in options["addresses"] or []]
    if options["router"]:
        found.append(router.desired(options, options["router"]))
    return found + [firewall.desired(options, each) for each in options["firewalls"] or []]


def _all(found: Observed) -> list[Body]:
    return [body for bodies in found.all.values() for body in bodies.values()]


def _check_unused(options: Options, found: Observed, planned: list[Change]) -> None:
    """RefusedError if something uses a resource that the changes delete."""
    if users.needed(planned):
        endpoints = {RUN.host: options["run_endpoint"], users.VPC_ACCESS.host: options["vpcaccess_endpoint"]}
        leaving = {f"projects/{options['project']}/{each}" for each in options["removed_before"]}
        used = users.of_network(found.compute, _all(found), endpoints)
        uses = (use for use in used if not found.is_gone(use[0]))
        users.check_removable(planned, uses, found.compute.place, leaving)


def changes(options: Options, found: Observed) -> list[Change]:
    """The changes from *found* to the options; RefusedError with everything that prevents them."""
    named = {
        section: {each["name"] for each in options[section] or []} for section in ("subnets", "addresses", "firewalls")
    }
    wrong: list[Problem] = [
        *subnet.overlaps(options["subnets"] or [], found.belonging(SUBNET).values()),
        *_missing_references(
            options, named["subnets"] | set(found.all[SUBNET]), named["addresses"] | set(found.all[ADDRESS])
        ),
    ]
    planned: list[Change | None] = []
    for each in desired(options):
        try:
            planned.append(plan.change(each, found.all[each.resource].get(each.name), options["recreate"]))
        except RefusedError as error:
            wrong += error.problems
    if wrong:
        raise RefusedError(wrong)
    if options["firewalls"] is not None:
        planned += [
            plan.removal(FIREWALL, body, frozenset())
            for name, body in found.belonging(FIREWALL).items()
            if is_marked(body) and name not in named["firewalls"]
        ]
    made = [change for change in planned if change]
    _check_unused(options, found, made)
    return made


def removal(options: Options, found: Observed) -> tuple[list[Change], list[str]]:
    """The changes that remove the network's resources created by the collection, and those kept, as C(addresses/nat).

    RefusedError if something uses a resource to be removed. A public address cannot be recovered, so it goes last.
    """
    ours = {resource: _marked(resource, found) for resource in RESOURCES}
    left = [
        (resource, name)
        for resource in RESOURCES
        for name in found.belonging(resource)
        if name not in {body["name"] for body in ours[resource]}
    ]
    planned: list[Change] = []
    for resource, bodies in (
        (FIREWALL, ours[FIREWALL]),
        (ROUTER, ours[ROUTER]),
        (ADDRESS, [body for body in ours[ADDRESS] if body.get("subnetwork")]),
        (SUBNET, ours[SUBNET]),
        (NETWORK, ours[NETWORK]),
        (ADDRESS, [body for body in ours[ADDRESS] if not body.get("subnetwork")]),
    ):
        # Everything that may use this type is gone by then. Rules use no subnet and no address.
        before = frozenset() if resource in (FIREWALL, ROUTER) else frozenset(change.key for change in planned)
        planned += [plan.removal(resource, body, before) for body in bodies]
    _check_unused(options, found, planned)
    return planned, [f"{resource.collection}/{name}" for resource, name in left]


def check_done(options: Options, found: Observed) -> None:
    """GcpError if a change that Google reported as done is not visible."""
    planned = changes(options, found) if options["state"] == "present" else removal(options, found)[0]
    left = [action for change in planned for action in change.actions]
    if left:
        raise GcpError(f"Google has answered that all is done, and a second look asks for {', '.join(left)}.")


def _marked(resource: Resource, found: Observed) -> list[Body]:
    return [body for body in found.belonging(resource).values() if is_marked(body)]


def _missing_references(
    options: Options, subnets: t.Container[str], addresses: t.Container[str]
) -> c.Iterator[Problem]:
    """Refuse the name of a subnet or an address that is neither in the options nor existing."""
    for variable, name in _references(options, "subnets", "subnet"):
        if name not in subnets:
            yield _problem("gcp-subnet-missing", variable, name)
    for variable, name in (*_references(options, "addresses", ""), *_references(options, "draining", "")):
        if name not in addresses:
            yield _problem("gcp-reservation-missing", variable, name)


def _references(options: Options, in_nats: str, in_addresses: str) -> c.Iterator[tuple[str, str]]:
    for number, nat in enumerate((options["router"] or {}).get("nats") or []):
        for index, name in enumerate(nat[in_nats] or []):
            yield f"router.nats[{number}].{in_nats}[{index}]", name
    for index, each in enumerate(options["addresses"] or []):
        if in_addresses and each[in_addresses]:
            yield f"addresses[{index}].{in_addresses}", each[in_addresses]
