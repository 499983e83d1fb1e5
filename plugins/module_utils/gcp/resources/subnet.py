# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...agent.problem import Problem, table
from ..api.normal import Normalized, link, log, without_none
from ..api.plan import DesiredState, constant
from ..api.resource import Body, Call, Options, Resource, Verb, create_marked
from ..rules import PRIVATE, Range, ip_range, is_private, named, repeated
from . import network

# The longest and the shortest prefix for each use of a subnet.
PREFIXES = {"gateway": (29, 0), "cloud_run": (26, 0), "connector": (28, 28)}


def _normalized(body: t.Mapping[str, t.Any]) -> Normalized:
    return {
        "network": link(body["network"]),
        # An IPv6-only subnet has none.
        "ipCidrRange": body.get("ipCidrRange", ""),
        "privateIpGoogleAccess": body.get("privateIpGoogleAccess", False),
        "logConfig": log(body),
    }


def _mutable(before: Normalized, desired: Normalized) -> set[str]:
    found = {"logConfig", "privateIpGoogleAccess"}
    if before["ipCidrRange"] and Range(before["ipCidrRange"]).subnet_of(Range(desired["ipCidrRange"])):
        found.add("ipCidrRange")
    return found


def _change(_name: str, found: Body, desired: Normalized, differing: set[str]) -> c.Iterator[Call]:
    # First, since the fingerprint belongs to the state that was read.
    if "logConfig" in differing:
        yield Call("patch", {"logConfig": desired["logConfig"], "fingerprint": found["fingerprint"]})
    if "privateIpGoogleAccess" in differing:
        yield Call("setPrivateIpGoogleAccess", {"privateIpGoogleAccess": desired["privateIpGoogleAccess"]})
    if "ipCidrRange" in differing:
        yield Call("expandIpCidrRange", {"ipCidrRange": desired["ipCidrRange"]})


SUBNET = Resource(
    "subnetworks",
    "Subnetwork",
    "subnetwork",
    "region",
    verbs={
        "expandIpCidrRange": Verb("expand_ip_cidr_range_unary", "SubnetworksExpandIpCidrRangeRequest"),
        "setPrivateIpGoogleAccess": Verb(
            "set_private_ip_google_access_unary", "SubnetworksSetPrivateIpGoogleAccessRequest"
        ),
    },
    normalized=_normalized,
    mutable=_mutable,
    create=create_marked,
    change=_change,
)


_problem = table(
    {
        "gcp-subnet-public": ("a public range", "choose one in {private}"),
        "gcp-subnet-overlap": ("it overlaps {other} of {name}", "choose ranges that do not overlap"),
        "gcp-subnet-taken": ("it overlaps {other} of subnet {name} in the network", "choose a free range"),
        "gcp-subnet-size": ("a subnet for {use} has to be {wanted}", "choose such a range"),
    }
)


def problems(subnets: list[t.Any]) -> c.Iterator[Problem]:
    """Validate the options of subnets."""
    yield from repeated("subnets", [subnet["name"] for subnet in subnets])
    earlier: dict[str, Range] = {}
    for index, subnet in enumerate(subnets):
        variable, value = f"subnets[{index}]", subnet["range"]
        yield from named(f"{variable}.name", subnet["name"])
        found, wrong = ip_range(f"{variable}.range", value)
        yield from wrong
        if found is None:
            continue
        yield from _size(f"{variable}.range", subnet["use"] or "gateway", found)
        if not is_private(found):
            yield _problem("gcp-subnet-public", f"{variable}.range", value, private=", ".join(map(str, PRIVATE)))
        for name, other in earlier.items():
            if other.overlaps(found):
                yield _problem("gcp-subnet-overlap", f"{variable}.range", value, other=other, name=name)
        earlier[subnet["name"]] = found


def overlaps(subnets: t.Iterable[Options], existing: t.Iterable[Body]) -> c.Iterator[Problem]:
    """Refuse a subnet that overlaps a range in the network that is not in the options."""
    ours = {subnet["name"]: subnet["range"] for subnet in subnets}
    for other in existing:
        ranges = [each["ipCidrRange"] for each in other.get("secondaryIpRanges", []) if each.get("ipCidrRange")]
        ranges += [other["ipCidrRange"]] if other["name"] not in ours and other.get("ipCidrRange") else []
        for theirs in map(Range, ranges):
            for index, value in enumerate(ours.values()):
                if Range(value).overlaps(theirs):
                    yield _problem(
                        "gcp-subnet-taken", f"subnets[{index}].range", value, other=theirs, name=other["name"]
                    )


def desired(options: Options, subnet: Options) -> DesiredState:
    """The desired state of one subnet of a whole document."""
    given = without_none(
        {
            "network": network.path(options),
            "ipCidrRange": subnet["range"],
            "privateIpGoogleAccess": subnet["private_google_access"],
            "logConfig": _flow_logs(subnet["flow_logs"]),
        }
    )
    initial = {"privateIpGoogleAccess": True, "stackType": "IPV4_ONLY"}
    return DesiredState(SUBNET, subnet["name"], constant(given), initial, network.needs(options))


def _size(variable: str, use: str, found: Range) -> c.Iterator[Problem]:
    longest, shortest = PREFIXES[use]
    if not shortest <= found.prefixlen <= longest:
        wanted = f"/{longest}" if shortest == longest else f"/{longest} or larger"
        yield _problem("gcp-subnet-size", variable, str(found), use=use, wanted=wanted)


def _flow_logs(options: Options | None) -> Normalized | None:
    if options is None:
        return None
    return without_none(
        {
            "enable": options["enabled"],
            "aggregationInterval": options["aggregation_interval"],
            "flowSampling": options["sampling"],
            "metadata": options["metadata"],
        }
    )
