# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules.access import pairs, problems

KEY = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
OTHER = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
PEER = {"name": "notebook", "public_key": KEY, "allowed_ips": ["10.99.0.2", "fd99::2"]}
GOOD: dict[str, Any] = {
    "gateway_name": "paper",
    "gateway_mode": "paper",
    "gateway_port": 4002,
    "gateway_access": ["wireguard"],
    "access_wireguard_addresses": ["10.99.0.1/24", "fd99::1/64"],
    "access_wireguard_from": ["0.0.0.0/0", "::/0"],
    "access_wireguard_peers": [PEER],
    "access_wireguard_port": 4002,
    "access_wireguard_udp_port": 51820,
    "access_wireguard_interface": "wg-paper",
}


def second(**changed: Any) -> list[dict[str, Any]]:
    return [PEER, {"name": "phone", "public_key": OTHER, "allowed_ips": ["10.99.0.3"], **changed}]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"access_wireguard_peers": second()},
        {"access_wireguard_addresses": ["100.64.0.1/24", "10.99.0.1/24", "fd99::1/64"]},
        {"gateway_access": ["local"], "access_wireguard_peers": []},
    ],
)
def test_what_works_is_not_refused(changed: dict[str, Any]) -> None:
    assert problems({**GOOD, **changed}, []) == []


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("access_wireguard_addresses", [], "wireguard-addresses-empty"),
        ("access_wireguard_addresses", ["10.99.0.1"], "wireguard-address-alone"),
        ("access_wireguard_addresses", ["vm/24"], "wireguard-address"),
        ("access_wireguard_addresses", ["34.1.2.3/24"], "wireguard-address-public"),
        ("access_wireguard_addresses", ["fe80::1/64"], "wireguard-address-public"),
        ("access_wireguard_from", [], "wireguard-sources-empty"),
        ("access_wireguard_from", ["anywhere"], "wireguard-source"),
        ("access_wireguard_peers", [], "wireguard-peers-empty"),
        ("access_wireguard_peers", second(public_key=KEY), "wireguard-peer-twice"),
        ("access_wireguard_peers", second(name="notebook"), "wireguard-peer-twice"),
        ("access_wireguard_peers", second(name="a\n[Peer]"), "wireguard-peer-name"),
        ("access_wireguard_peers", second(public_key=KEY[:-4]), "wireguard-peer-key"),
        ("access_wireguard_peers", second(public_key=f"{OTHER}\n"), "wireguard-peer-key"),
        ("access_wireguard_peers", second(allowed_ips=[]), "wireguard-peer-without-address"),
        ("access_wireguard_peers", second(allowed_ips=["10.99.0.0/24"]), "wireguard-peer-address"),
        ("access_wireguard_peers", second(allowed_ips=["0.0.0.0"]), "wireguard-peer-outside"),
        ("access_wireguard_peers", second(allowed_ips=["10.99.0.2"]), "wireguard-peer-address-taken"),
        ("access_wireguard_peers", second(allowed_ips=["10.99.0.1"]), "wireguard-peer-address-taken"),
        ("access_wireguard_interface", "wireguard-of-paper", "wireguard-interface"),
        ("access_wireguard_interface", "wg 0", "wireguard-interface"),
        ("access_wireguard_udp_port", 70000, "wireguard-udp-port"),
        ("hardening_firewall", False, "access-without-firewall"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, value: object, id_: str) -> None:
    told = [problem for problem in problems({**GOOD, variable: value}, []) if problem.id == id_]
    assert told
    assert {problem.value is None for problem in told} == {
        id_.endswith(("-empty", "-without-address", "-twice", "-key"))
    }


def test_two_gateways_on_one_vm_have_an_interface_and_a_port_each() -> None:
    live = {**GOOD, "gateway_name": "live", "gateway_mode": "live", "gateway_port": 4001, "access_wireguard_port": 4001}
    found = pairs([{**GOOD, "host": "paper", "address": "vm"}, {**live, "host": "live", "address": "vm"}])
    assert [(problem.id, problem.variable) for problem in found] == [
        ("wireguard-shared", "access_wireguard_udp_port"),
        ("wireguard-shared", "access_wireguard_interface"),
    ]
    by_default = {name: value for name, value in live.items() if not name.endswith(("_interface", "udp_port"))}
    assert pairs([{**GOOD, "host": "p", "address": "vm"}, {**by_default, "host": "l", "address": "vm"}]) == []
