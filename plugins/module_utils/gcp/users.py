# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the users of resources to be removed. They are read before the first write and refused by name."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t

from ..agent.problem import table
from .api.client import Api
from .api.compute import Compute
from .api.errors import DisabledError, RefusedError
from .api.normal import last, link
from .api.plan import Change
from .api.resource import Body, Options
from .resources.address import ADDRESS
from .resources.network import NETWORK
from .resources.router import ROUTER
from .resources.run_job import RUN
from .resources.subnet import SUBNET

_problem = table({"gcp-in-use": ("{user} uses it, so nothing can be removed", "remove that first")})
COLLECTIONS = (
    "addresses",
    "forwardingRules",
    "instances",
    "interconnectAttachments",
    "networkEndpointGroups",
    "targetVpnGateways",
    "vpnGateways",
    "vpnTunnels",
)
# Google makes this one with a network, and removes it with that.
DEFAULT_ROUTE = re.compile(r"default-route-[0-9a-z-]+")
VPC_ACCESS = Api(
    "vpcaccess.googleapis.com",
    "Role vpcaccess.viewer allows reading connectors, which may use the network.",
)
# A user, and the paths of what it uses.
Use = tuple[str, set[str]]


def check_removable(
    changes: t.Sequence[Change], uses: c.Iterable[Use], place: Options, leaving: c.Iterable[str] = ()
) -> None:
    """RefusedError with each use of a resource that the changes delete, by one that they do not delete.

    *leaving* are the paths of resources removed before.
    """
    deleted = {change.resource.path(place, change.name): change for change in changes if change.deletes}
    gone = {*leaving, *(path for path, change in deleted.items() if change.desired is None)}
    project = f"projects/{place['project']}/"
    found = {
        _problem("gcp-in-use", "/".join(change.key), user=user.removeprefix(project))
        for user, used in uses
        if user not in gone
        for path, change in deleted.items()
        if path in used and path != user
    }
    if found:
        raise RefusedError(sorted(found))


def of_network(compute: Compute, bodies: c.Iterable[Body], endpoints: t.Mapping[str, str | None]) -> c.Iterator[Use]:
    """Every use of a network, its subnets and its addresses. *bodies* are the resources of the region.

    *endpoints* are other addresses of Google's APIs, by their host names.
    """
    for body in bodies:
        yield from _references(body)
    for collection in COLLECTIONS:
        for body in compute.fetch_everywhere(collection):
            yield link(body["selfLink"]), _targets(body)
    for body in compute.fetch_global("routes"):
        if not _goes_with_its_network(body):
            yield link(body["selfLink"]), _targets(body)
    yield from _serverless(compute, endpoints)


def _references(body: Body) -> c.Iterator[Use]:
    """The references between resources of Compute Engine, including those listed on the referenced resource."""
    own = link(body["selfLink"])
    yield own, _targets(body)
    for user in body.get("users", []):
        yield link(user), {own}
    for subnet in body.get("subnetworks", []) if "/global/networks/" in own else []:
        yield link(subnet), {own}
    for peering in body.get("peerings", []):
        yield f"peering {peering['name']} with {link(peering.get('network', ''))}", {own}
    if body.get("firewallPolicy"):
        yield f"firewall policy {last(body['firewallPolicy'])}", {own}
    if body.get("purpose") == "SERVERLESS":
        yield f"Cloud Run, which keeps address {body['name']} for an hour or two after its last use", _targets(body)


def _targets(body: Body) -> set[str]:
    nats, interfaces = body.get("nats", []), body.get("networkInterfaces", [])
    found = [part.get(field) for part in (body, *interfaces) for field in ("network", "router", "subnetwork")]
    for nat in nats:
        found += [*nat.get("natIps", []), *nat.get("drainNatIps", [])]
        found += [subnet["name"] for subnet in nat.get("subnetworks", [])]
    return {link(each) for each in found if each}


def _goes_with_its_network(route: Body) -> bool:
    """Whether Google removes a route together with its network, its subnet or its peering."""
    ours = {"nextHopNetwork", "nextHopPeering"} & set(route)
    gateway = last(route.get("nextHopGateway", "")) == "default-internet-gateway"
    return bool(ours) or (gateway and DEFAULT_ROUTE.fullmatch(route["name"]) is not None)


def _serverless(compute: Compute, endpoints: t.Mapping[str, str | None]) -> c.Iterator[Use]:
    """Return the users of a network through Direct VPC egress or a connector."""
    where = "projects/{project}/locations/{region}".format(**compute.place)
    for api, version, kind in ((RUN, "v2", "jobs"), (RUN, "v2", "services"), (VPC_ACCESS, "v1", "connectors")):
        try:
            listed = compute.client.other(api, endpoints.get(api.host)).fetch_all(f"/{version}/{where}/{kind}", kind)
        except DisabledError:
            # Without the API there are no such resources.
            continue
        for body in listed:
            template = body.get("template", {})
            access = template.get("template", template).get("vpcAccess", {})
            interfaces = access.get("networkInterfaces", []) if api is RUN else [_of_connector(body)]
            used = {path for each in interfaces for path in _named(compute, each)}
            yield f"{api.host} {kind} {last(body['name'])}", used


def _of_connector(body: Body) -> Body:
    subnet = body.get("subnet", {})
    project = subnet.get("projectId")
    name = subnet.get("name", "")
    return {"network": body.get("network", ""), "subnetwork": f"projects/{project}/x/{name}" if project else name}


def _named(compute: Compute, interface: Body) -> c.Iterator[str]:
    """The paths that an interface refers to. It gives networks and subnets by name or by path."""
    for resource, field in ((NETWORK, "network"), (SUBNET, "subnetwork")):
        given = link(interface.get(field, ""))
        if given and (not given.startswith("projects/") or given.startswith(f"projects/{compute.place['project']}/")):
            yield resource.path(compute.place, last(given))


def needed(changes: c.Iterable[Change]) -> bool:
    """Whether the changes delete something that may be in use."""
    return any(change.deletes and change.resource in (NETWORK, SUBNET, ADDRESS, ROUTER) for change in changes)
