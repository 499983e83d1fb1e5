# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the resources of a network are changed."""

from __future__ import annotations

import collections.abc as c
import ipaddress

from . import views
from .kinds import ADDRESS, FIREWALL, MARK, NETWORK, ROUTER, SUBNET, Kind
from .ways import Body, Call, Ways, filled, fixed


def _create_marked(name: str, wanted: views.View) -> list[Call]:
    return [Call("insert", filled(name, wanted, description=MARK))]


def _create_address(name: str, wanted: views.View) -> list[Call]:
    return [Call("insert", filled(name, wanted))]


def _change_network(_name: str, _found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    yield Call("patch", {field: wanted[field] for field in sorted(differing)})


def _mutable_subnet(before: views.View, wanted: views.View) -> set[str]:
    mine, theirs = (ipaddress.IPv4Network(view["ipCidrRange"]) for view in (before, wanted))
    return {"logConfig", "privateIpGoogleAccess", *(["ipCidrRange"] if mine.subnet_of(theirs) else [])}


def _change_subnet(_name: str, found: Body, wanted: views.View, differing: set[str]) -> c.Iterator[Call]:
    # First, since the fingerprint is that of what was read.
    if "logConfig" in differing:
        yield Call("patch", {"logConfig": wanted["logConfig"], "fingerprint": found["fingerprint"]})
    if "privateIpGoogleAccess" in differing:
        yield Call("setPrivateIpGoogleAccess", {"privateIpGoogleAccess": wanted["privateIpGoogleAccess"]})
    if "ipCidrRange" in differing:
        yield Call("expandIpCidrRange", {"ipCidrRange": wanted["ipCidrRange"]})


def _change_address(_name: str, found: Body, wanted: views.View, _differing: set[str]) -> c.Iterator[Call]:
    yield Call("setLabels", {"labels": wanted["labels"], "labelFingerprint": found["labelFingerprint"]})


def _change_router(name: str, found: Body, wanted: views.View, _differing: set[str]) -> c.Iterator[Call]:
    if wanted["nats"]:
        yield Call("patch", {"nats": wanted["nats"]})
        return
    kept = ("bgp", "bgpPeers", "description", "encryptedInterconnectRouter", "interfaces", "network")
    yield Call("update", {"name": name, **{field: found[field] for field in kept if field in found}})


def _mutable_firewall(before: views.View, wanted: views.View) -> set[str]:
    action = {"allowed", "denied"} if bool(before["allowed"]) == bool(wanted["allowed"]) else set()
    return set(wanted) - {"network", "direction", "allowed", "denied"} | action


def _change_firewall(name: str, _found: Body, wanted: views.View, _differing: set[str]) -> c.Iterator[Call]:
    # An empty list does not get through PATCH: the whole rule is put.
    yield Call("update", {"name": name, **{field: value for field, value in wanted.items() if value != []}})


WAYS: dict[Kind, Ways] = {
    NETWORK: Ways(views.network, fixed("mtu", "routingConfig"), _create_marked, _change_network),
    SUBNET: Ways(views.subnet, _mutable_subnet, _create_marked, _change_subnet),
    ADDRESS: Ways(views.address, fixed("labels"), _create_address, _change_address),
    ROUTER: Ways(views.router, fixed("nats"), _create_marked, _change_router),
    FIREWALL: Ways(views.firewall, _mutable_firewall, _create_marked, _change_firewall),
}
