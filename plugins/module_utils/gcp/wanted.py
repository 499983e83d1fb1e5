# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options ask for, in the API's words: a Wish for each resource."""

from __future__ import annotations

import typing as t

from . import views
from .kinds import ADDRESS, FIREWALL, MARK, MARK_LABEL, NETWORK, ROUTER, SUBNET, Kind
from .plan import Key, Wish, constant

Options = t.Mapping[str, t.Any]

LOG_FILTERS = {"all": "ALL", "errors": "ERRORS_ONLY", "translations": "TRANSLATIONS_ONLY"}


def without_none(values: Options) -> views.View:
    """What is given: None leaves alone."""
    return {name: value for name, value in values.items() if value is not None}


class Wishes:
    """The wishes of a document of options, in the order in which they can be made."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.network = options["network"]["name"]
        self._network_path = self._path(NETWORK, self.network)

    def all(self) -> list[Wish]:
        found = [self._network()]
        found += [self._subnet(each) for each in self.options["subnets"] or []]
        found += [self._address(each) for each in self.options["addresses"] or []]
        if self.options["router"]:
            found.append(self._router(self.options["router"]))
        return found + [self._firewall(each) for each in self.options["firewalls"] or []]

    def _path(self, kind: Kind, name: str) -> str:
        return kind.path(self.options["project"], self.options["region"], name)

    @property
    def _needs_network(self) -> frozenset[Key]:
        return frozenset({(NETWORK.collection, self.network)})

    def _network(self) -> Wish:
        options = self.options["network"]
        mode = {"routingConfig": {"routingMode": options["routing_mode"]}} if options["routing_mode"] else {}
        given = {"autoCreateSubnetworks": False, **mode, **without_none({"mtu": options["mtu"]})}
        return Wish(NETWORK, self.network, constant(given), {"routingConfig": {"routingMode": "REGIONAL"}})

    def _subnet(self, options: Options) -> Wish:
        given = without_none(
            {
                "network": self._network_path,
                "ipCidrRange": options["range"],
                "privateIpGoogleAccess": options["private_google_access"],
                "logConfig": _flow_logs(options["flow_logs"]),
            }
        )
        initial = {"privateIpGoogleAccess": True, "stackType": "IPV4_ONLY"}
        return Wish(SUBNET, options["name"], constant(given), initial, self._needs_network)

    def _address(self, options: Options) -> Wish:
        subnet = options["subnet"]
        fixed = without_none(
            {
                "addressType": options["type"],
                "networkTier": options["tier"],
                "subnetwork": self._path(SUBNET, subnet) if subnet else None,
                "address": options["address"],
            }
        )
        mark = {MARK_LABEL: self.network}
        labels = {key: str(value) for key, value in (options["labels"] or {}).items()}

        def given(before: views.View | None, marked: bool) -> views.View:
            if options["labels"] is None:
                return fixed if before else {**fixed, "labels": mark}
            return {**fixed, "labels": {**labels, **(mark if marked else {})}}

        initial = {"purpose": "GCE_ENDPOINT"} if options["type"] == "INTERNAL" else {"networkTier": "PREMIUM"}
        needs = frozenset({(SUBNET.collection, subnet)}) if subnet else frozenset()
        return Wish(ADDRESS, options["name"], given, initial, needs)

    def _router(self, options: Options) -> Wish:
        nats = {nat["name"]: self._nat(nat) for nat in options["nats"] or []}

        def given(before: views.View | None, marked: bool) -> views.View:
            if options["nats"] is None:
                return {"network": self._network_path}
            present = {nat["name"]: nat for nat in before["nats"]} if before else {}
            kept = {} if marked else {name: nat for name, nat in present.items() if name not in nats}
            ours = {name: _merged_nat(present.get(name), nat) for name, nat in nats.items()}
            ordered = sorted({**kept, **ours}.items())
            return {"network": self._network_path, "nats": [nat for _name, nat in ordered]}

        named = [
            name for nat in options["nats"] or [] for name in [*(nat["addresses"] or []), *(nat["draining"] or [])]
        ]
        used = [(ADDRESS.collection, name) for name in named]
        used += [(SUBNET.collection, name) for nat in options["nats"] or [] for name in nat["subnets"] or []]
        return Wish(ROUTER, options["name"], given, {}, self._needs_network | frozenset(used))

    def _nat(self, options: Options) -> views.View:
        found = without_none(
            {
                "name": options["name"],
                "tcpEstablishedIdleTimeoutSec": options["tcp_established_idle_timeout"],
                "minPortsPerVm": options["min_ports_per_vm"],
            }
        )
        if options["addresses"] is not None:
            found["natIpAllocateOption"] = "MANUAL_ONLY" if options["addresses"] else "AUTO_ONLY"
            found["natIps"] = sorted(self._path(ADDRESS, name) for name in options["addresses"])
        if options["draining"] is not None:
            found["drainNatIps"] = sorted(self._path(ADDRESS, name) for name in options["draining"])
        if options["subnets"] is not None:
            found["sourceSubnetworkIpRangesToNat"] = "LIST_OF_SUBNETWORKS"
            found["subnetworks"] = [
                {"name": self._path(SUBNET, name), "sourceIpRangesToNat": ["PRIMARY_IP_RANGE"]}
                for name in sorted(options["subnets"])
            ]
        if options["log"] == "none":
            found["logConfig"] = {"enable": False}
        elif options["log"]:
            found["logConfig"] = {"enable": True, "filter": LOG_FILTERS[options["log"]]}
        return found

    def _firewall(self, options: Options) -> Wish:
        rules = views.ports_by_protocol(
            {"IPProtocol": rule["protocol"], "ports": rule["ports"]} for rule in options["rules"]
        )
        allow = options["action"] == "allow"
        fixed = without_none(
            {
                "network": self._network_path,
                "direction": options["direction"],
                "priority": options["priority"],
                "allowed": rules if allow else [],
                "denied": [] if allow else rules,
                "sourceRanges": _ranges(options["source_ranges"]),
                "destinationRanges": _ranges(options["destination_ranges"]),
                "targetTags": _sorted(options["target_tags"]),
                "targetServiceAccounts": _sorted(options["target_service_accounts"]),
                "logConfig": None if options["log"] is None else {"enable": options["log"]},
                "disabled": options["disabled"],
            }
        )

        if options["source_ranges"] is not None:
            # Any one source lets in: they are given as a whole.
            fixed |= {"sourceTags": [], "sourceServiceAccounts": []}
        if options["source_tags"] is not None:
            fixed["sourceTags"] = _sorted(options["source_tags"])

        def given(_before: views.View | None, marked: bool) -> views.View:
            if options["description"] is None:
                return fixed
            return {**fixed, "description": f"{options['description']} {MARK if marked else ''}".strip()}

        initial = {"priority": 1000, "logConfig": {"enable": True}, "description": MARK}
        return Wish(FIREWALL, options["name"], given, initial, self._needs_network)


def _merged_nat(before: views.View | None, given: views.View) -> views.View:
    """A NAT as it should be. It gives up only what it has."""
    present = before or _new_nat()
    found = views.merged(present, given)
    had = {*present["natIps"], *present["drainNatIps"]}
    return {**found, "drainNatIps": [link for link in found["drainNatIps"] if link in had]}


def _new_nat() -> views.View:
    return {
        "natIpAllocateOption": "AUTO_ONLY",
        "natIps": [],
        "drainNatIps": [],
        "tcpEstablishedIdleTimeoutSec": 7200,
        "logConfig": {"enable": True, "filter": "ERRORS_ONLY"},
    }


def _flow_logs(options: Options | None) -> views.View | None:
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


def _ranges(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted({views.cidr(value) for value in values})


def _sorted(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(set(values))
