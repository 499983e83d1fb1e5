# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one entry point: names, types, values and pairs of hosts, all problems at once."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from tests.playbooks.bad_inputs import BAD

from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.rules import check

ROOT = pathlib.Path(__file__).resolve().parents[5]
DEFAULTS: dict[str, Any] = {}
for file in ROOT.glob("roles/*/defaults/**/*.yml"):
    DEFAULTS.update(yaml.safe_load(file.read_text()) or {})
ROLES = {
    path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"]["main.yml"]["options"]
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
}
PLAYBOOKS = yaml.safe_load((ROOT / "playbooks/vars/options.yml").read_text())
CONTEXT = check.Context(
    check.Specification(ROLES, PLAYBOOKS, {name: value for name, value in DEFAULTS.items() if value is not None}),
    ["paper", "bastion"],
)
VM: dict[str, Any] = {
    "project": "demo-project",
    "region": "europe-west1",
    "zone": "europe-west1-b",
    "name": "ibgw-paper",
    "mode": "paper",
    "image": "debian-cloud/debian-13",
    "disk": {"size": 20},
    "metadata": {},
    "snapshots": {},
}
GOOD: dict[str, Any] = {
    "gateway_mode": "paper",
    "gateway_user": "alice",
    "gateway_password": "s3cr3t-Pass",
    "gateway_image": "ghcr.io/gnzsnz/ib-gateway@sha256:" + "0" * 64,
}
RENDERED = {
    "gateway_name": "paper",
    "gateway_port": 4002,
    "gateway_start": True,
    "gateway_ready_timeout": 180,
    "gateway_memory": "2g",
    "gateway_java_heap_mb": 768,
    "gateway_templates_dir": "/x",
    "hardening_fail2ban_ignore": ["10.0.0.0/8"],
    "hardening_ssh_banner": "Private.\n",
    "access_docker_network_name": "ibgw-paper",
    "access_wireguard_interface": "wg-paper",
    "__client_portal_environment": {"IBEAM_ACCOUNT": "/run/secrets/ibkr_user"},
    "__gcp_vm_options": VM,
    "gcp_vm_project": "demo-project",
    "gcp_vm_zone": "europe-west1-b",
    "gcp_vm_region": "europe-west1",
    "gcp_vm_name": "ibgw-paper",
}
ALL = ["hardening", "docker_engine", "gateway", "client_portal", "session", "access", "gcp_vm"]


class Variables:
    """A host with these variables; one that is a failing template raises its error."""

    def __init__(self, **own: object) -> None:
        self.missing = ""
        self.own = GOOD | own
        plain = {name: value for name, value in DEFAULTS.items() if "{{" not in str(value)}
        self.all = {**plain, **RENDERED, **self.own}
        self.read: set[str] = set()

    def names(self) -> Iterable[str]:
        return self.own

    def __getitem__(self, name: str) -> object:
        self.read.add(name)
        value = self.all[name]
        if value == "FAILS":
            raise check.RenderError("'nope' is undefined", self.missing)
        return value


def found(*roles: str, **own: object) -> list[tuple[str, str]]:
    return [(each.id, each.variable) for each in check.host(Variables(**own), roles or ALL, CONTEXT)]


def test_good_settings_have_no_problem() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("variable", "value", "id_"),
    [
        ("gateway_readonly_api", True, "unknown-name"),
        ("live_check_drfit", True, "unknown-name"),
        ("gateway_machine_role", "ibops.gateway.aws", "not-a-choice"),
        ("gateway_user", None, "required"),
        ("gateway_user", "", "required"),
        ("gateway_mode", "papr", "not-a-choice"),
        ("gateway_stack", "web", "not-a-choice"),
        ("docker_engine_source", "foo", "not-a-choice"),
        ("gateway_name", None, "null"),
        ("hardening_ssh_banner", None, "null"),
        ("gateway_name", "FAILS", "not-rendered"),
        ("gateway_password", "FAILS", "not-rendered"),
        ("gateway_accounts", "DU1", "not-a-list"),
        ("gateway_closedown_at", 1320, "not-text"),
        ("gateway_port", "four", "not-a-whole-number"),
        ("gateway_memory", "512m", "container-memory"),
        ("gateway_memory", "much", "container-size"),
        ("gateway_cpus", 0.001, "container-cpus"),
        ("gateway_access", ["vcp"], "not-a-choice"),
        ("hardening_ssh_rsa_bits", 1024, "ssh-rsa-bits-few"),
        ("hardening_ssh_ports", [0], "ssh-port"),
        ("hardening_ssh_ports", ["ssh"], "not-a-whole-number"),
        ("live_check_valid_hours", "soon", "not-a-number"),
        ("desktop", "ajar", "not-a-choice"),
        ("session_client_id", 917, "watcher-client-id-taken"),
        ("session_alerts", ["mail"], "not-a-mapping"),
        ("client_portal_allow", ["*"], "portal-allow"),
        ("client_portal_memory", "2 GiB", "container-size"),
        ("client_portal_pids_limit", 1, "not-a-number-within"),
        ("__gcp_vm_options", {**VM, "machine_type": "e2-micro"}, "gcp-machine-type-small"),
        ("gateway_paper_sessions", [{"name": "a"}], "missing-suboption"),
        *(
            ("gateway_serial", value, "serial-invalid")
            for value in ("lots", "0", 0, -3, "-3", "0%", 1.5, True, "1,5", [1, "lots"], [[1]], {"a": 1})
        ),
        ("gateway_serial", "FAILS", "not-rendered"),
    ],
)
def test_each_kind_of_problem_comes_alone(variable: str, value: object, id_: str) -> None:
    assert {each for each, _ in found(**{variable: value})} == {id_}


@pytest.mark.parametrize("value", [1, "5", "20%", "100%", [1, "50%"]])
def test_numbers_of_gateways_that_ansible_takes(value: object) -> None:
    assert found(gateway_serial=value) == []


# Every access method, so that a value which several of them take over is told by one.
ALL_METHODS = {
    "gateway_access": ["local", "docker_network", "vpc", "ssh_tunnel", "mtls", "wireguard"],
    "access_vpc_addresses": ["10.128.0.7"],
    "access_vpc_from": ["10.8.0.0/26"],
    "access_ssh_tunnel_bastion": "bastion",
    "access_mtls_clients": ["pipeline"],
    "access_mtls_from": ["10.8.0.0/26"],
    "access_wireguard_addresses": ["10.99.0.1/24"],
    "access_wireguard_peers": [
        {"name": "bob", "public_key": "A" * 42 + "E=", "allowed_ips": ["10.99.0.2"]},
    ],
    "access_wireguard_from": ["10.8.0.0/26"],
}


def test_every_access_method_at_once_has_no_problem() -> None:
    assert found(**ALL_METHODS) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("gateway_port", value) for value in (0, -1, 70000, "70000", 10**9, "4oo2", 4002.5)),
        *(
            (f"access_{method}_port", value)
            for method in ("vpc", "mtls", "ssh_tunnel", "wireguard")
            for value in (0, -1, 70000, "70000", "x")
        ),
        ("access_vpc_port", 22),
        ("access_mtls_port", 443),
        ("access_ssh_tunnel_port", 443),
        ("access_wireguard_port", 22),
        ("access_wireguard_udp_port", 70000),
        ("session_http_port", 70000),
        ("access_ssh_tunnel_bastion", "-oProxyCommand=x"),
        ("access_ssh_tunnel_bastion", ""),
    ],
)
def test_one_wrong_value_is_one_line(variable: str, value: object) -> None:
    [(_id, where)] = found(**{**ALL_METHODS, variable: value})
    assert where == variable


@pytest.mark.parametrize(
    ("variable", "value", "derived"),
    [
        ("gateway_port", "4oo2", "access_vpc_port"),
        ("hardening_ssh_from", ["me"], "hardening_fail2ban_ignore"),
    ],
)
def test_a_default_that_is_made_of_a_wrong_value_is_not_told(variable: str, value: object, derived: str) -> None:
    host = Variables(**ALL_METHODS, **{variable: value})
    host.all[derived] = value
    assert [each.variable.partition("[")[0] for each in check.host(host, ALL, CONTEXT)] == [variable]
    host.own[derived] = value
    assert len(check.host(host, ALL, CONTEXT)) == 2


@pytest.mark.parametrize(("variable", "value", "id_"), BAD)
def test_what_people_type_is_told_once(variable: str, value: object, id_: str) -> None:
    own = {variable: "FAILS" if id_ == "not-rendered" else value}
    told = found(*[role for role in ALL if role != "client_portal"], **own)
    assert id_ in [each for each, _ in told]
    assert len({where for _, where in told}) == len(told) <= 3, told


def test_a_variable_of_a_wrong_type_is_at_most_three_lines() -> None:
    assert len(found(gateway_accounts=list(range(9)))) == 3


@pytest.mark.parametrize(("missing", "told"), [("vault_user", "'vault_user' is not set"), ("", "is not shown")])
def test_of_a_secret_the_variable_that_is_not_set_is_named(missing: str, told: str) -> None:
    host = Variables(gateway_user="FAILS")
    host.missing = missing
    (problem,) = check.host(host, ALL, CONTEXT)
    assert told in problem.wrong
    assert "nope" not in problem.wrong


def test_nothing_of_a_role_that_is_not_asked_for() -> None:
    own = Variables(hardening_ssh_rsa_bits="x", gateway_password="FAILS", docker_engine_sauce=1)
    assert [each.id for each in check.host(own, [], CONTEXT)] == ["unknown-name"]
    assert "gateway_password" not in own.read


@pytest.mark.parametrize("name", ["gateway_user", "gateway_password", "gateway_accounts", "gateway_environment"])
@pytest.mark.parametrize("value", [48151623, ["s-48151623"], {"k": 48151623}, "x 48151623 "])
def test_what_is_not_shown(name: str, value: object) -> None:
    for problem in check.host(Variables(**{name: value}), ALL, CONTEXT):
        assert "48151623" not in str(problem)


VALUES = (None, True, 5, 1.5, "", "x\n", [], ["x", 5, None], {}, {"x": 5}, "FAILS", float("inf"), -1, "5")


@pytest.mark.thorough
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_no_value_makes_a_traceback(role: str, value: object) -> None:
    for name in ROLES[role]:
        for problem in check.host(Variables(**{name: value}), ALL, CONTEXT):
            assert str(problem).isprintable()
            assert len(str(problem)) < 600


def gateway(name: str, **own: object) -> dict[str, Variables]:
    return {name: Variables(**{"gateway_user": name, "gateway_name": name, **own})}


def pairs(inventory: dict[str, Variables], roles: list[str]) -> list[Problem]:
    return check.pairs(inventory, roles, CONTEXT.specification)


def test_pairs() -> None:
    vm: dict[str, object] = {"ansible_host": "192.0.2.1"}
    shared = gateway("a", **vm) | gateway("b", **vm, gateway_port=5000) | gateway("c", gateway_port=5000)
    assert pairs(shared, ALL) == []
    shared |= gateway("d", **vm, gateway_port=5000)
    assert [(each.id, each.host) for each in pairs(shared, ALL)] == [("gateway-port-shared", "d")]
    assert pairs(shared, ["session"]) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            {"ansible_host": "localhost", "ansible_port": 2222},
            {"ansible_host": "localhost", "ansible_port": 2223},
            False,
        ),
        ({"ansible_host": "localhost", "ansible_port": 22}, {"ansible_host": "localhost"}, True),
        ({"ansible_host": "10.0.0.5", "ansible_ssh_common_args": "-J a"}, {"ansible_host": "10.0.0.5"}, False),
        # By another user it is the same machine.
        ({"ansible_host": "vm", "ansible_user": "ann"}, {"ansible_host": "vm", "ansible_user": "bob"}, True),
    ],
)
def test_one_end_of_a_connection_is_one_machine(one: dict[str, object], other: dict[str, object], same: bool) -> None:
    pair = gateway("a", **one, gateway_port=5000) | gateway("b", **other, gateway_port=5000)
    expected = [("gateway-port-shared", "b")] if same else []
    assert [(each.id, each.host) for each in pairs(pair, ALL)] == expected


def test_what_the_machine_itself_tells_counts() -> None:
    pair = gateway("a", gateway_port=5000) | gateway("b", gateway_port=5000) | gateway("c", gateway_port=5000)
    seen = {"a": "m1", "b": "m1", "c": "m2"}
    found = check.machines(pair, seen, ["gateway", "access"], CONTEXT.specification)
    assert [(each.id, each.host) for each in found] == [("gateway-port-shared", "b")]
    assert check.machines(pair, {"a": "m1", "b": "m2", "c": "m3"}, ["gateway", "access"], CONTEXT.specification) == []


def test_gateways_of_one_machine_agree_in_its_settings() -> None:
    own: dict[str, object] = {"hardening_ssh_from": ["192.0.2.0/24"], "docker_engine_settings": {"x": "top-secret"}}
    pair = gateway("a", gateway_port=5001) | gateway("b", **own)
    found = check.machines(pair, {"a": "m1", "b": "m1"}, ["gateway", "access"], CONTEXT.specification)
    assert {(each.id, each.host, each.variable) for each in found} == {
        ("machine-settings-differ", "b", "hardening_ssh_from"),
        ("machine-settings-differ", "b", "docker_engine_settings"),
    }
    assert "top-secret" not in " ".join(map(str, found))
    assert "a is the same machine and has ['10.0.0.0/8'" in " ".join(map(str, found))


UBUNTU = {"id": "ubuntu", "version": "24.04"}


@pytest.mark.parametrize(
    ("seen", "consent", "found"),
    [
        ({"id": "debian", "version": "12"}, {}, ""),
        ({"id": "debian", "version": "13"}, {}, ""),
        (UBUNTU, {}, "system-unproven"),
        (UBUNTU, {"gateway_unproven_system": "false"}, "system-unproven"),
        (UBUNTU, {"gateway_unproven_system": "true"}, ""),
        ({"id": "ubuntu", "version": "26.04"}, {}, "system-unproven"),
        ({"id": "ubuntu", "version": "22.04"}, {"gateway_unproven_system": True}, "system-unknown"),
        ({"id": "fedora", "version": "43"}, {"gateway_unproven_system": True}, "system-unknown"),
        ({"id": "", "version": ""}, {}, "system-unknown"),
    ],
)
def test_which_systems_are_refused(seen: dict[str, str], consent: dict[str, object], found: str) -> None:
    own = gateway("a", **consent)["a"]
    assert [each.id for each in check.system(own, seen)] == ([found] if found else [])


def test_two_vms_with_one_service_account_read_each_others_password() -> None:
    account: dict[str, object] = {"gcp_vm_service_account": "x@y", "gateway_password_secret": "projects/p/secrets/s"}
    pair = gateway("a", **account) | gateway("b", **account)
    assert [(each.id, each.host) for each in pairs(pair, ALL)] == [("service-account-shared", "b")]
    assert pairs(gateway("a", **account) | gateway("b", **account, gcp_vm_share_service_account=True), ALL) == []


def test_a_secret_of_another_host_is_not_read() -> None:
    other = Variables(gateway_user="bob", access_mtls_ca_passphrase="x")
    pairs({"a": Variables(), "b": other}, ALL)
    assert not [name for name in other.read if {"passphrase", "password"} & {*name.split("_")} and "secret" not in name]


def test_a_template_that_fails_on_another_host_is_not_ours_to_tell() -> None:
    assert pairs(gateway("a") | gateway("b", gateway_access="FAILS"), ALL) == []


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], [{"a": 1}], [["a"]], "x", "", None, 1.5, True], ids=repr)
@pytest.mark.parametrize("variable", check.COMPARED)
def test_a_value_of_a_wrong_type_is_compared_with_nothing(variable: str, value: object) -> None:
    own = {**ALL_METHODS, variable: value}
    inventory = gateway("a", **own) | gateway("b", **own)
    pairs(inventory, [*check.PAIRS])
    check.machines(inventory, {"a": "m1", "b": "m1"}, [*check.PAIRS], CONTEXT.specification)


def test_a_default_that_goes_by_a_faulty_variable_is_not_told_of() -> None:
    own = Variables(gateway_mode="papr")
    own.all["access_mtls_port"] = "FAILS"
    assert [each.id for each in check.host(own, ALL, CONTEXT)] == ["not-a-choice"]
    alone = Variables()
    alone.all["access_mtls_port"] = "FAILS"
    assert [(each.id, each.variable) for each in check.host(alone, ALL, CONTEXT)] == [
        ("not-rendered", "access_mtls_port")
    ]


def test_what_hosts_share_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what one of them has for itself is looked at."""
    looked: list[str] = []

    def counted(name: str, option: Any, value: object) -> Any:
        looked.append(name)
        return types_problems(name, option, value)

    types_problems = check.types.problems
    monkeypatch.setattr(check.types, "problems", counted)
    sound: check.Sound = {}
    hosts = [Variables(), Variables(gateway_port=4102), Variables(gateway_port="one")]
    seen = []
    for each in hosts:
        looked.clear()
        wrong = {problem.variable for problem in check.host(each, ALL, CONTEXT, sound)}
        seen.append((len(looked) > 100, "gateway_port" in looked, wrong))
    assert seen == [(True, True, set()), (False, True, set()), (False, True, {"gateway_port"})]
