# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from tests.lint.files import ROOT
from tests.lint.tables import access_table

from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.rules import access, mtls

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
}


def problems(**changed: Any) -> list[Problem]:
    return access.problems({**GOOD, **changed}, ["bastion"])


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"gateway_access": ["local"], "hardening_firewall": False},
        {"gateway_access": ["docker_network"], "access_vpc_addresses": []},
        {"access_vpc_addresses": ["100.64.0.9"], "access_vpc_from": ["100.64.1.0/24"]},
        {"hardening_ssh_from": ["35.235.240.0/20", "10.0.0.0/8"]},
        {"hardening_ssh_from": ["35.0.0.0/8"]},
        {"access_ssh_tunnel_bastion": "bastion", "access_ssh_tunnel_host_keys": []},
        # Without a word on ways it is the loopback; on a bastion's own it is known.
        {"gateway_access": None, "hardening_firewall": False},
        {"gateway_access": ["iap"], "hardening_firewall": False},
        {"access_ssh_tunnel_user": None},
        {"access_ssh_tunnel_port": 1024},
        {"access_ssh_tunnel_port": 65535},
        {"access_vpc_port": 1},
        {"access_vpc_port": 65535},
        # Google's range counts also where the list has its bits beyond the mask.
        {"hardening_ssh_from": ["35.235.240.9/20"]},
    ],
)
def test_what_works_is_not_refused(changed: dict[str, Any]) -> None:
    assert problems(**changed) == []


# A conflict is reported for the other variable, with its value.
ELSEWHERE = {
    "network-of-portal": {"gateway_access": {repr(GOOD["gateway_access"])}},
    "access-without-firewall": {"gateway_access": {repr(GOOD["gateway_access"])}},
    "source-family": {"access_vpc_from": {"'fd20:1::/64'"}},
    "address-family": {"access_vpc_addresses": {repr(GOOD["access_vpc_addresses"])}},
    # Of the methods that have the gateway's port, too, nothing is told.
    "port-of-ssh": {"gateway_port": {"4002"}},
}


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("gateway_access", ["vcp"], "access-unknown"),
        ("gateway_access", ["local", "local"], "access-twice"),
        ("gateway_access", "vpc", "access-not-a-list"),
        ("gateway_stack", "client_portal", "network-of-portal"),
        ("hardening_firewall", False, "access-without-firewall"),
        ("access_vpc_addresses", [], "addresses-empty"),
        ("access_vpc_addresses", ["vm.internal"], "address-invalid"),
        ("access_vpc_addresses", ["0.0.0.0"], "address-public"),
        ("access_vpc_addresses", ["::"], "address-public"),
        ("access_vpc_addresses", ["34.1.2.3"], "address-public"),
        ("access_vpc_addresses", ["127.0.0.1"], "address-public"),
        ("access_vpc_addresses", ["10.128.0.7"], "source-family"),
        ("access_vpc_from", [], "sources-empty"),
        ("access_vpc_from", ["0.0.0.0/0"], "source-public"),
        ("access_vpc_from", ["::/0"], "source-public"),
        ("access_vpc_from", ["8.8.8.0/24"], "source-public"),
        ("access_vpc_from", ["10.0.0.0/7"], "source-public"),
        ("access_vpc_from", ["10.8.0.1/26"], "source-invalid"),
        ("access_vpc_from", ["cloud-run"], "source-invalid"),
        ("access_vpc_from", ["10.8.0.0/26"], "address-family"),
        ("access_vpc_metrics_from", ["8.8.8.0/24"], "source-public"),
        ("access_vpc_metrics_from", ["10.8.0.0/26"], "address-family"),
        ("access_vpc_port", 70000, "not-a-number-within"),
        ("access_vpc_port", 65536, "not-a-number-within"),
        ("access_vpc_port", 0, "not-a-number-within"),
        ("access_ssh_tunnel_port", 0, "tunnel-port"),
        ("access_ssh_tunnel_port", 1, "tunnel-port"),
        ("access_ssh_tunnel_port", 1023, "tunnel-port"),
        ("access_ssh_tunnel_port", 65536, "tunnel-port"),
        ("access_ssh_tunnel_user", "a user", "tunnel-user"),
        ("access_vpc_addresses", ["vm.internal", "34.1.2.3"], "address-public"),
        ("access_vpc_from", ["cloud-run", "8.8.8.0/24"], "source-public"),
        ("access_vpc_port", 22, "port-of-ssh"),
        ("hardening_ssh_ports", [4002], "port-of-ssh"),
        ("access_docker_network_name", "clients", "network-name"),
        ("access_docker_network_name", "ibgw-", "network-name"),
        ("access_ssh_tunnel_bastion", "", "bastion-empty"),
        ("access_ssh_tunnel_bastion", "-oProxyCommand=x", "bastion-invalid"),
        ("access_ssh_tunnel_host_keys", [], "bastion-keys-missing"),
        ("access_ssh_tunnel_host_keys", ["SHA256:abc"], "bastion-key-invalid"),
        ("access_ssh_tunnel_user", "root", "tunnel-user"),
        ("access_ssh_tunnel_port", 900, "tunnel-port"),
        ("hardening_ssh_from", ["10.0.0.0/8"], "iap-sources"),
    ],
)
def test_what_cannot_work_is_refused(variable: str, value: object, id_: str) -> None:
    told = [problem for problem in problems(**{variable: value}) if problem.id == id_]
    assert told
    here = {variable: {repr(value), *map(repr, value if isinstance(value, list) else ())}}
    at = ELSEWHERE.get(id_) or here if id_ != "port-of-ssh" or variable == "hardening_ssh_ports" else here
    assert {problem.variable for problem in told} == set(at)
    assert all(problem.value is None or problem.value in at[problem.variable] for problem in told), told
    # Empty or missing values are not shown.
    assert {problem.value is None for problem in told} == {id_.endswith(("-empty", "-missing"))}
    assert "None" not in "".join(problem.wrong + problem.fix for problem in told)


def test_the_first_fault_hides_no_second_one() -> None:
    found = problems(access_vpc_addresses=["vm.internal", "34.1.2.3"], access_vpc_from=["cloud-run", "8.8.8.0/24"])
    told = {(problem.id, problem.value) for problem in found}
    assert {("address-invalid", "'vm.internal'"), ("address-public", "'34.1.2.3'")} <= told
    assert {("source-invalid", "'cloud-run'"), ("source-public", "'8.8.8.0/24'")} <= told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        # A text that is not an address has no family, and a range with bits beyond its mask has one.
        (
            {"access_vpc_addresses": ["10.128.0.7", "fd20::7", "vm.internal"]},
            {("address-invalid", "access_vpc_addresses")},
        ),
        ({"access_vpc_from": ["10.8.0.1/26", "fd20:1::/64"]}, {("source-invalid", "access_vpc_from")}),
        ({"access_vpc_from": ["::/0", "10.8.0.0/26"]}, {("source-public", "access_vpc_from")}),
        ({"access_vpc_metrics_from": GOOD["access_vpc_from"]}, set()),
        ({"gateway_port": "", "access_vpc_port": None, "access_ssh_tunnel_port": None}, set()),
        # The same ranges are told once.
        (
            {
                "access_vpc_from": ["8.8.8.0/24", "fd20:1::/64"],
                "access_vpc_metrics_from": ["8.8.8.0/24", "fd20:1::/64"],
            },
            {("source-public", "access_vpc_from")},
        ),
        (
            {"access_ssh_tunnel_bastion": None, "access_ssh_tunnel_host_keys": []},
            {("bastion-empty", "access_ssh_tunnel_bastion")},
        ),
        # The gateway's own port is told of the gateway alone.
        (
            {"gateway_port": 0, "access_vpc_port": None, "access_ssh_tunnel_port": None},
            {("not-a-number-within", "gateway_port")},
        ),
    ],
)
def test_nothing_else_is_told(changed: dict[str, Any], told: set[tuple[str, str]]) -> None:
    assert {(problem.id, problem.variable) for problem in problems(**changed)} == told


@pytest.mark.parametrize(("given", "value"), [("70000", "'70000'"), (70000, "70000"), ("65_6000", "'65_6000'")])
def test_a_port_is_shown_as_it_was_written(given: object, value: str) -> None:
    told = [problem for problem in problems(access_vpc_port=given) if problem.id == "not-a-number-within"]
    assert {(problem.variable, problem.value) for problem in told} == {("access_vpc_port", value)}


def test_the_loopback_is_for_everybody_without_a_firewall() -> None:
    [found] = problems(gateway_access=["docker_network"], hardening_firewall=False)
    assert (found.id, found.variable, found.value) == ("access-loopback-open", "gateway_access", "['docker_network']")


def gateway(host: str, **variables: Any) -> dict[str, Any]:
    return {"host": host, "address": "vm", "gateway_mode": host, "gateway_name": host, **variables}


VPC = {"gateway_access": ["vpc"], "access_vpc_addresses": ["10.128.0.7"]}
TUNNEL = {"gateway_access": ["ssh_tunnel"], "access_ssh_tunnel_bastion": "bastion"}
WATCHED = {"session_http_port": 9464, "session_http_address": "127.0.0.1"}
NETWORK = {"gateway_access": ["docker_network"], "access_docker_network_name": "ibgw-both"}


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (VPC, VPC, None),
        (
            {**VPC, "access_vpc_port": 5000},
            {**VPC, "access_vpc_port": 5000},
            ("listener-shared", "access_vpc_port", "5000"),
        ),
        ({**VPC, "access_vpc_port": 5000}, {**VPC, "access_vpc_port": 5000, "address": "other"}, None),
        (TUNNEL, TUNNEL, None),
        (
            TUNNEL,
            {**TUNNEL, "access_ssh_tunnel_port": 4002, "address": "other"},
            ("tunnel-shared", "access_ssh_tunnel_port", "4002"),
        ),
        (NETWORK, NETWORK, ("network-shared", "access_docker_network_name", "'ibgw-both'")),
        (NETWORK, {**NETWORK, "access_docker_network_name": "ibgw-other"}, None),
        (NETWORK, {**NETWORK, "gateway_access": ["local"]}, None),
        (WATCHED, WATCHED, ("listener-shared", "session_http_port", "9464")),
        (WATCHED, {**WATCHED, "session_http_address": "10.128.0.7"}, None),
        (WATCHED, {**WATCHED, "address": "other"}, None),
        (WATCHED, {**WATCHED, "gateway_stack": "client_portal"}, None),
        (WATCHED, {"gateway_port": 9464}, ("listener-shared", "gateway_port", "9464")),
        (
            {**VPC, "access_vpc_port": 5000},
            {"gateway_access": ["mtls"], "access_mtls_addresses": ["10.128.0.7"], "access_mtls_port": 5000},
            ("listener-shared", "access_mtls_port", "5000"),
        ),
    ],
)
def test_two_gateways(one: dict[str, Any], other: dict[str, Any], told: tuple[str, str, str] | None) -> None:
    found = access.pairs([gateway("paper", **one), gateway("live", **other)])
    assert [(each.id, each.variable, each.value, each.host) for each in found] == ([(*told, "live")] if told else [])
    assert all("paper" in problem.wrong for problem in found)
    assert all(str(problem.value) in problem.wrong for problem in found if problem.id == "listener-shared")


def test_two_methods_of_one_gateway_have_ports_of_their_own() -> None:
    mtls = {"access_mtls_addresses": ["10.128.0.7"], "access_mtls_from": ["10.8.0.0/26"], "access_mtls_port": 5000}
    found = problems(gateway_access=["vpc", "mtls", "local"], access_vpc_port=5000, **mtls)
    [taken] = [each for each in found if each.id == "port-taken"]
    assert (taken.variable, taken.value) in {("access_mtls_port", "5000"), ("access_vpc_port", "5000")}
    assert all(text in taken.wrong for text in ("5000", "10.128.0.7", "access_"))


def test_what_both_gateways_publish_is_told_elsewhere() -> None:
    local = {"gateway_access": ["local"], "gateway_port": 5000}
    assert access.pairs([gateway("paper", **local), gateway("live", **local)]) == []


def test_tunnels_of_two_bastions_may_have_one_port() -> None:
    other = {**TUNNEL, "access_ssh_tunnel_bastion": "second", "access_ssh_tunnel_port": 4002, "address": "other"}
    assert access.pairs([gateway("paper", **TUNNEL), gateway("live", **other)]) == []
    [found] = access.pairs([gateway("paper", **TUNNEL), gateway("live", **{**other, **TUNNEL})])
    assert "bastion bastion" in found.wrong


def test_the_words_of_each_method_are_those_of_the_guide() -> None:
    assert access_table() in (ROOT / "docs/how-to/access.md").read_text()
    flags = {name: (each.listens, each.opens, each.loopback) for name, each in access.METHODS.items()}
    assert flags == {
        "local": (False, False, True),
        "docker_network": (False, False, False),
        "vpc": (True, True, False),
        "ssh_tunnel": (False, False, False),
        "mtls": (True, True, False),
        "wireguard": (True, True, False),
        "iap": (False, False, True),
    }


@pytest.mark.parametrize(("way", "near"), [("vcp", "vpc"), ("zzzz", None), ("ia", "iap")])
def test_an_unknown_way_is_told_with_the_nearest_one(way: str, near: str | None) -> None:
    [found] = problems(gateway_access=[way])
    assert (found.id, found.value) == ("access-unknown", repr(way))
    assert found.fix.startswith(f"write {near}") is (near is not None)


@pytest.mark.parametrize("firewall", [True, False])
@pytest.mark.parametrize("way", ["vpc", "mtls", "wireguard"])
def test_a_way_that_opens_the_vm_needs_its_firewall(way: str, firewall: bool) -> None:
    found = problems(gateway_access=["local", way], hardening_firewall=firewall)
    told = [problem for problem in found if problem.id == "access-without-firewall"]
    assert [way in problem.wrong for problem in told] == [True] * (not firewall)


@pytest.mark.parametrize(
    ("settings", "way", "expected"),
    [
        ({"gateway_mode": "live"}, "", 4001),
        ({"gateway_mode": "live"}, "vpc", 4001),
        ({"gateway_mode": "live", "access_vpc_port": "5000"}, "vpc", 5000),
        ({"gateway_mode": "live", "access_vpc_port": 5000}, "", 4001),
        ({"gateway_mode": "live"}, "mtls", mtls.PORTS["live"]),
        ({"gateway_mode": "paper"}, "mtls", mtls.PORTS["paper"]),
        ({"gateway_mode": "paper", "access_mtls_port": 5001}, "mtls", 5001),
        ({"gateway_mode": "paper", "access__port": 5002}, "", 4002),
    ],
)
def test_the_port_of_a_way(settings: dict[str, Any], way: str, expected: int) -> None:
    assert access.port(settings, way) == expected
    assert access.port(settings) == access.port(settings, "")


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        (("10.0.0.1", 1, "a"), ("10.0.0.1", 1, "b"), True),
        (("10.0.0.1", 1, "a"), ("10.0.0.1", 2, "b"), False),
        (("10.0.0.1", 1, "a"), ("10.0.0.2", 1, "b"), False),
        *[((every, 1, "a"), ("10.0.0.2", 1, "b"), True) for every in ("0.0.0.0", "::")],
        *[(("10.0.0.2", 1, "a"), (every, 1, "b"), True) for every in ("0.0.0.0", "::")],
        (("0.0.0.0", 1, "a"), ("10.0.0.2", 2, "b"), False),
    ],
)
def test_which_listeners_are_in_each_others_way(
    one: tuple[str, int, str], other: tuple[str, int, str], taken: bool
) -> None:
    assert access.same_place(one, other) is taken


def test_where_a_gateway_is_offered() -> None:
    settings = {**GOOD, "gateway_access": ["vpc", "mtls"], "access_mtls_addresses": ["10.128.0.7/24", "fdXX::X"]}
    port = mtls.PORTS["paper"]
    assert list(access.listeners(settings)) == [
        ("127.0.0.1", 4002, "gateway_port"),
        ("10.128.0.7", 4002, "access_vpc_port"),
        ("fd20::7", 4002, "access_vpc_port"),
        ("10.128.0.7", port, "access_mtls_port"),
        ("fdXX::X", port, "access_mtls_port"),
    ]


@pytest.mark.parametrize(("names", "shared"), [((None, None), False), (("x", "x"), True)])
def test_networks_without_a_name_of_their_own(names: tuple[str | None, ...], shared: bool) -> None:
    pair = [
        {
            "host": mode,
            "address": "vm",
            "gateway_mode": mode,
            "gateway_name": name,
            "gateway_access": ["docker_network"],
        }
        for mode, name in zip(("paper", "live"), names, strict=True)
    ]
    found = access.pairs(pair)
    assert [(problem.id, problem.value) for problem in found] == [("network-shared", "'ibgw-x'")] * shared


def test_two_tunnels_of_one_bastion_have_ports_of_their_own() -> None:
    one, other = gateway("paper", **TUNNEL), gateway("live", **TUNNEL, address="other")
    assert access.pairs([{**one, "access_ssh_tunnel_port": 5000}, {**other, "access_ssh_tunnel_port": 5001}]) == []
    [found] = access.pairs([{**one, "access_ssh_tunnel_port": 5000}, {**other, "access_ssh_tunnel_port": 5000}])
    assert (found.id, found.host, found.value) == ("tunnel-shared", "live", "5000")


def test_a_listening_method_without_a_check_of_its_own_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "WAYS", (*access.WAYS, "new"))
    monkeypatch.setattr(access, "LISTENING", (*access.LISTENING, "new"))
    own = {"access_new_addresses": ["8.8.8.8"], "access_new_from": ["0.0.0.0/0"], "access_new_port": 4010}
    found = problems(gateway_access=["new"], hardening_firewall=True, **own)
    assert {(each.id, each.variable) for each in found} == {
        ("address-public", "access_new_addresses"),
        ("source-public", "access_new_from"),
    }
