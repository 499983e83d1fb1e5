# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.filter.access_problems import access_problems
from ansible_collections.ibops.gateway.plugins.filter.gateway_problems import gateway_problems

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGG2KigqgRP7D91b1BXutdXtNgUuxpMh3EOQUZQbJMz1 root@bastion"
GOOD: dict[str, Any] = {
    "gateway_name": "paper",
    "gateway_mode": "paper",
    "gateway_port": 4002,
    "gateway_access": ["local", "docker_network", "vpc", "ssh_tunnel", "iap"],
    "access_docker_network_name": "ibgw-paper",
    "access_vpc_addresses": ["10.128.0.7", "fd20::7"],
    "access_vpc_from": ["10.8.0.0/26", "10.9.1.4", "fd20:1::/64"],
    "access_vpc_port": 4002,
    "access_ssh_tunnel_bastion": "bastion.example.net",
    "access_ssh_tunnel_host_keys": [KEY],
    "access_ssh_tunnel_user": "ibgw-tunnel",
    "access_ssh_tunnel_port": 4002,
    "bastion_is_known": False,
}


class Host(dict[str, Any]):
    """A host whose variables that nobody has to compare cannot be had, as a secret by a lookup that fails."""

    def get(self, name: str, default: Any = None) -> Any:
        assert not {"passphrase", "password"} & set(name.split("_")), name
        return super().get(name, default)


def test_a_secret_of_another_host_is_not_asked_for() -> None:
    other = {"inventory_hostname": "other", "gateway_mode": "live", "gateway_access": ["mtls"]}
    secrets = {"access_mtls_ca_passphrase": "x", "gateway_password": "y"}
    assert access_problems(GOOD, [Host(other | secrets)]) == []
    gateway_problems(GOOD, [Host(other | secrets)])


def problems(*inventory: dict[str, Any], **changed: Any) -> list[str]:
    return access_problems({**GOOD, **changed}, inventory)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"gateway_access": ["local"], "hardening_firewall": False},
        {"gateway_access": ["docker_network"], "access_vpc_addresses": []},
        {"access_vpc_addresses": ["100.64.0.9"], "access_vpc_from": ["100.64.1.0/24"]},
        {"hardening_ssh_from": ["35.235.240.0/20", "10.0.0.0/8"]},
        {"hardening_ssh_from": ["35.0.0.0/8"]},
        {"access_ssh_tunnel_bastion": "bastion", "access_ssh_tunnel_host_keys": [], "bastion_is_known": True},
    ],
)
def test_what_works_is_not_refused(changed: dict[str, Any]) -> None:
    assert problems(**changed) == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("gateway_access", ["vcp"], "did you mean vpc?"),
        ("gateway_access", ["local", "local"], "named more than once"),
        ("gateway_access", "vpc", "write it as [vpc]"),
        ("gateway_stack", "client_portal", "joins no docker_network"),
        ("hardening_firewall", False, "vpc opens ports"),
        ("access_vpc_addresses", [], "it is empty"),
        ("access_vpc_addresses", ["vm.internal"], "not an IP address"),
        ("access_vpc_addresses", ["0.0.0.0"], "not an address of a private network"),
        ("access_vpc_addresses", ["::"], "not an address of a private network"),
        ("access_vpc_addresses", ["34.1.2.3"], "not an address of a private network"),
        ("access_vpc_addresses", ["127.0.0.1"], "The loopback is there by itself"),
        ("access_vpc_addresses", ["10.128.0.7"], "has no address of that kind"),
        ("access_vpc_from", [], "nobody could connect"),
        ("access_vpc_from", ["0.0.0.0/0"], "not within a private network"),
        ("access_vpc_from", ["::/0"], "not within a private network"),
        ("access_vpc_from", ["8.8.8.0/24"], "not within a private network"),
        ("access_vpc_from", ["10.0.0.0/7"], "not within a private network"),
        ("access_vpc_from", ["10.8.0.1/26"], "no range of addresses"),
        ("access_vpc_from", ["cloud-run"], "no range of addresses"),
        ("access_vpc_from", ["10.8.0.0/26"], "nobody of access_vpc_from comes by IPv6"),
        ("access_vpc_port", 70000, "is no TCP port"),
        ("access_vpc_port", 22, "is that of the SSH server"),
        ("hardening_ssh_ports", [4002], "is that of the SSH server"),
        ("access_docker_network_name", "clients", "is no name for it"),
        ("access_docker_network_name", "ibgw-", "is no name for it"),
        ("access_ssh_tunnel_bastion", "", "name a host of the inventory"),
        ("access_ssh_tunnel_bastion", "-oProxyCommand=x", "not the name or address of a host"),
        ("access_ssh_tunnel_host_keys", [], "nobody can ask it who it is"),
        ("access_ssh_tunnel_host_keys", ["SHA256:abc"], "is no public key"),
        ("access_ssh_tunnel_user", "root", "no account for a tunnel"),
        ("access_ssh_tunnel_port", 900, "use one from 1024 to 65535"),
        ("hardening_ssh_from", ["10.0.0.0/8"], "Identity-Aware Proxy forwards from"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, value: object, said: str) -> None:
    found = problems(**{variable: value})
    assert any(said in problem for problem in found), found


def test_the_loopback_is_for_everybody_without_a_firewall() -> None:
    [found] = problems(gateway_access=["docker_network"], hardening_firewall=False)
    assert "set hardening_firewall: true, or name local as well" in found


def gateway(host: str, **variables: Any) -> dict[str, Any]:
    return {"inventory_hostname": host, "ansible_host": "vm", "gateway_mode": host, "gateway_name": host, **variables}


VPC = {"gateway_access": ["vpc"], "access_vpc_addresses": ["10.128.0.7"]}
TUNNEL = {"gateway_access": ["ssh_tunnel"], "access_ssh_tunnel_bastion": "bastion"}
NETWORK = {"gateway_access": ["docker_network"], "access_docker_network_name": "ibgw-both"}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (VPC, VPC, None),
        ({**VPC, "access_vpc_port": 5000}, {**VPC, "access_vpc_port": 5000}, "share a VM and port 5000 of 10.128.0.7"),
        ({**VPC, "access_vpc_port": 5000}, {**VPC, "access_vpc_port": 5000, "ansible_host": "other"}, None),
        (TUNNEL, TUNNEL, None),
        (TUNNEL, {**TUNNEL, "access_ssh_tunnel_port": 4002, "ansible_host": "other"}, "share port 4002 of bastion"),
        (NETWORK, NETWORK, "share a VM and the network 'ibgw-both'"),
        (NETWORK, {**NETWORK, "access_docker_network_name": "ibgw-other"}, None),
        (NETWORK, {**NETWORK, "gateway_access": ["local"]}, None),
    ],
)
def test_two_gateways(one: dict[str, Any], other: dict[str, Any], said: str | None) -> None:
    found = problems(gateway("paper", **one), gateway("live", **other))
    assert [said in problem for problem in found] == ([True] if said else [])
