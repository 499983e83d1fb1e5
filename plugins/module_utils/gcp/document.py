# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of all gateways and bastions of an inventory, as module gcp_network takes it.

A rule that is not in the document is removed, and a field that is omitted keeps somebody's manual change: so each rule
states every field that decides who gets in.
"""

from __future__ import annotations

import collections
import collections.abc as c
import typing as t

from ..rules.gateway import port

Host = c.Mapping[str, t.Any]
Document = dict[str, t.Any]

# Settings of the network: those of the first gateway, so that every host writes the same document.
SHARED = (
    "gcp_vm_gateway_range",
    "gcp_vm_cloud_run_range",
    "gcp_vm_connector_range",
    "gcp_vm_egress",
    "gcp_vm_ssh_from",
    "gcp_vm_firewalls",
)
_RULE = {
    "direction": "INGRESS",
    "action": "allow",
    "priority": 1000,
    "target_tags": [],
    "target_service_accounts": [],
    "log": True,
    "disabled": False,
}
# Sources of the checks of a connector's health (GoogleCloudPlatform/cloud-foundation-fabric, networking-policy.yaml).
_HEALTH_CHECKS = ["35.199.224.0/19", "107.178.230.64/26"]
_HEALTH_PORTS = [
    {"protocol": "tcp", "ports": ["667"]},
    {"protocol": "udp", "ports": ["665-666"]},
    {"protocol": "icmp"},
]


def network(gateways: c.Sequence[Host], bastions: c.Sequence[Host], own: Host) -> Document:
    """Return options ``subnets``, ``addresses``, ``router`` and ``firewalls`` of module gcp_network.

    *gateways* and *bastions* are the inventory's variables of each host, without any role's defaults; *own* are the
    variables of role gcp_vm on the host at hand.
    """
    first = gateways[0] if gateways else {}
    shared = {name: first.get(name, own[name]) for name in SHARED}
    return {
        "subnets": _subnets(own["gcp_vm_network"], shared),
        "addresses": _addresses(own["gcp_vm_network"], shared, [*gateways, *bastions]),
        "router": _router(own["gcp_vm_network"], shared),
        "firewalls": [{**_RULE, **rule} for rule in _rules(own["gcp_vm_network"], shared, gateways, bastions)],
    }


def _name(host: Host) -> str:
    return host.get("gcp_vm_name") or host["inventory_hostname"]


def _subnets(name: str, shared: Host) -> list[Document]:
    ranges = {"gateway": "gcp_vm_gateway_range", "run": "gcp_vm_cloud_run_range", "connector": "gcp_vm_connector_range"}
    uses = {"run": "cloud_run"}
    return [
        {"name": f"{name}-{short}", "range": shared[variable], "use": uses.get(short, short)}
        for short, variable in ranges.items()
        if shared[variable]
    ]


def _addresses(name: str, shared: Host, hosts: c.Iterable[Host]) -> list[Document]:
    """Return the reserved addresses; a VM's own outlives it, as the pipeline's settings do."""
    found: list[Document] = [{"name": f"{name}-nat", "type": "EXTERNAL"}] if shared["gcp_vm_egress"] == "nat" else []
    for host in hosts:
        inside = {"name": _name(host), "type": "INTERNAL", "subnet": f"{name}-gateway"}
        found.append({**inside, "address": host["gcp_vm_address"]} if host.get("gcp_vm_address") else inside)
        if shared["gcp_vm_egress"] == "external_ip":
            found.append({"name": f"{_name(host)}-external", "type": "EXTERNAL"})
    return found


def _router(name: str, shared: Host) -> Document | None:
    if shared["gcp_vm_egress"] != "nat":
        return None
    return {"name": name, "nats": [{"name": name, "addresses": [f"{name}-nat"], "subnets": [f"{name}-gateway"]}]}


def _rules(name: str, shared: Host, gateways: c.Sequence[Host], bastions: c.Sequence[Host]) -> c.Iterator[Document]:
    ssh = [{"protocol": "tcp", "ports": ["22"]}]
    yield {
        "name": f"{name}-allow-ssh",
        "rules": ssh,
        "source_ranges": shared["gcp_vm_ssh_from"],
        "destination_ranges": [],
        "target_tags": ["ib-gateway", *(["ib-bastion"] if bastions else [])],
    }
    if bastions:
        yield {
            "name": f"{name}-allow-tunnel",
            "description": "The gateways' tunnels to the bastion",
            "rules": ssh,
            "source_ranges": [shared["gcp_vm_gateway_range"]],
            "destination_ranges": [],
            "target_tags": ["ib-bastion"],
        }
    accounts = collections.Counter(host.get("gcp_vm_service_account", "") for host in (*gateways, *bastions))
    for gateway in gateways:
        yield from _api_rule(name, shared, gateway, accounts)
    if shared["gcp_vm_connector_range"]:
        yield {
            "name": f"{name}-allow-connector-health",
            "rules": _HEALTH_PORTS,
            "source_ranges": _HEALTH_CHECKS,
            "destination_ranges": [],
            "target_tags": ["vpc-connector"],
            "log": False,
        }
    for rule in shared["gcp_vm_firewalls"]:
        inside: Document = {"destination_ranges": []} if rule.get("direction", "INGRESS") == "INGRESS" else {}
        yield {**inside, **rule}
    yield {
        "name": f"{name}-deny-ingress",
        "description": "Refuse and log everything else",
        "action": "deny",
        "priority": 65534,
        "rules": [{"protocol": "all"}],
        "source_ranges": ["0.0.0.0/0"],
        "destination_ranges": [],
    }


def _api_rule(name: str, shared: Host, gateway: Host, accounts: c.Mapping[str, int]) -> c.Iterator[Document]:
    usual = [shared[each] for each in ("gcp_vm_cloud_run_range", "gcp_vm_connector_range") if shared[each]]
    sources = gateway.get("gcp_vm_api_from", usual)
    if not sources:
        return
    account = gateway.get("gcp_vm_service_account", "")
    # An account shared by several VMs would open each VM's port on all of them.
    alone = account and accounts[account] == 1
    yield {
        "name": f"{name}-allow-api-{_name(gateway)}",
        "description": f"The {gateway.get('gateway_mode', '')} gateway's API",
        "rules": [{"protocol": "tcp", "ports": [str(gateway.get("access_vpc_port") or port(gateway))]}],
        "source_ranges": sources,
        "destination_ranges": [],
        **({"target_service_accounts": [account]} if alone else {"target_tags": [_name(gateway)]}),
    }
