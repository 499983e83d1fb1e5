"""Refuse faulty settings of sshd, fail2ban and the firewall."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.problem import Problem
from ansible_collections.ibops.gateway.plugins.module_utils.rules.hardening import UNSEEN, problems

SETTINGS: dict[str, t.Any] = {
    "hardening_ssh_ports": [22],
    "hardening_ssh_allow_users": [],
    "hardening_ssh_allow_groups": [],
    "hardening_ssh_kex": ["mlkem768x25519-sha256", "sntrup761x25519-sha512@openssh.com"],
    "hardening_ssh_ciphers": ["aes256-gcm@openssh.com"],
    "hardening_ssh_macs": ["hmac-sha2-512-etm@openssh.com"],
    "hardening_ssh_host_key_algorithms": ["ssh-ed25519"],
    "hardening_ssh_rsa_bits": 3072,
    "hardening_ssh_max_auth_tries": 3,
    "hardening_ssh_max_sessions": 4,
    "hardening_ssh_max_startups": "10:30:60",
    "hardening_ssh_login_grace_time": 60,
    "hardening_ssh_alive_interval": 60,
    "hardening_ssh_alive_count": 3,
    "hardening_ssh_log_level": "VERBOSE",
    "hardening_ssh_forward_to": ["127.0.0.1:4002"],
    "hardening_ssh_banner": "Private.\n",
    "hardening_fail2ban_ignore": ["10.0.0.0/8"],
    "hardening_fail2ban_max_retry": 5,
    "hardening_fail2ban_find_time": 600,
    "hardening_fail2ban_ban_time": 3600,
    "hardening_ssh_from": ["10.0.0.0/8", "fc00::/7"],
    "hardening_firewall_container_interfaces": ["docker0", "br-*"],
    "hardening_firewall_containers_reach": [],
    "hardening_firewall_metadata": ["169.254.169.254"],
    "hardening_firewall_metadata_users": [],
    "hardening_firewall_ssh_per_second": 10,
    "hardening_firewall_log_per_minute": 6,
}
HOST: dict[str, t.Any] = {
    "connection": {"user": "operator", "groups": ["users", "adm"], "client": "10.211.0.1", "port": 22},
    # Debian 12: no ML-KEM.
    "algorithms": {
        "kex": ["curve25519-sha256", "sntrup761x25519-sha512@openssh.com"],
        "cipher": ["aes256-gcm@openssh.com", "aes256-ctr"],
        "mac": ["hmac-sha2-512-etm@openssh.com"],
        "sig": ["ssh-ed25519", "ssh-rsa"],
    },
    "uids": {"root": 0, "operator": 1000},
}
CONTROLS = ["hardening_ssh", "hardening_fail2ban", "hardening_firewall"]


def found(host: dict[str, t.Any] | None = None, **settings: t.Any) -> list[Problem]:
    changed = {f"hardening_{name}": value for name, value in settings.items()}
    connection = {**HOST["connection"], **(host or {})}
    return problems({**SETTINGS, **changed}, {**HOST, "connection": connection}, CONTROLS)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ssh_allow_users": ["operator"]},
        {"ssh_allow_users": ["oper*@10.211.0.0/16"]},
        {"ssh_allow_users": ["operator@10.211.*"]},
        {"ssh_allow_groups": ["adm"]},
        {"ssh_ports": [2222, 22]},
        {"ssh_forward_to": []},
        {"ssh_from": ["10.211.0.1"]},
        {"ssh_rsa_bits": "4096"},
    ],
)
def test_accepted(settings: dict[str, t.Any]) -> None:
    assert found(**settings) == []


@pytest.mark.parametrize(
    ("name", "value", "id_"),
    [
        ("ssh_allow_users", ["alice", "bob"], "ssh-user-left-out"),
        ("ssh_allow_users", ["operator@192.0.2.0/24"], "ssh-user-left-out"),
        ("ssh_allow_users", ["operator alice"], "ssh-name"),
        ("ssh_allow_groups", ["wheel"], "ssh-group-left-out"),
        ("ssh_ports", [2222], "ssh-port-left-out"),
        ("ssh_ports", [], "ssh-ports-empty"),
        ("ssh_ports", [70000], "ssh-port"),
        ("ssh_kex", ["curve25519-sha265"], "ssh-algorithm"),
        ("ssh_kex", ["mlkem768x25519-sha256"], "ssh-algorithms-none"),
        ("ssh_kex", [], "ssh-algorithms-none"),
        ("ssh_ciphers", ["rot13"], "ssh-algorithm"),
        ("ssh_macs", [], "ssh-algorithms-none"),
        ("ssh_host_key_algorithms", ["ssh-rsa"], "ssh-algorithm"),
        ("ssh_rsa_bits", 2048, "ssh-rsa-bits-few"),
        ("ssh_rsa_bits", 65536, "ssh-rsa-bits-many"),
        ("ssh_max_sessions", 1, "ssh-too-few"),
        ("ssh_login_grace_time", 0, "ssh-too-few"),
        ("ssh_max_startups", "10", "ssh-startups"),
        ("ssh_max_startups", "100:30:60", "ssh-startups"),
        ("ssh_log_level", "QUIET", "ssh-log-level"),
        ("ssh_forward_to", ["4002"], "ssh-forward"),
        ("ssh_banner", "Debian \\n \\l\n", "ssh-banner"),
        ("fail2ban_ignore", ["10.0.0.0/33"], "range-invalid"),
        ("fail2ban_max_retry", 0, "fail2ban-number"),
        (
            "ssh_from",
            ["192.0.2.0/24"],
            "ssh-from-left-out",
        ),
        (
            "ssh_from",
            [],
            "ssh-from-empty",
        ),
        ("ssh_from", ["10.211.0.1/16"], "range-invalid"),
        ("ssh_from", ["office"], "range-invalid"),
        ("firewall_container_interfaces", ["br-* accept"], "firewall-interface"),
        ("firewall_metadata", ["metadata.google.internal"], "range-invalid"),
        ("firewall_metadata_users", ["operator", "agent"], "firewall-user-missing"),
        ("firewall_containers_reach", ["registry.internal"], "range-invalid"),
        ("firewall_containers_reach", ["10.1.2.3/8"], "range-invalid"),
        ("firewall_ssh_per_second", -1, "firewall-number"),
    ],
)
def test_refused_by_name(name: str, value: object, id_: str) -> None:
    assert (id_, f"hardening_{name}") in [(problem.id, problem.variable) for problem in found(**{name: value})]


def test_a_fault_of_two_controls_is_told_once() -> None:
    assert len(found(ssh_ports=[2222])) == 1


def test_root_is_told_to_come_as_somebody_else() -> None:
    assert found({"user": "root"})[0].id == "ssh-as-root"


@pytest.mark.parametrize("client", ["::ffff:10.211.0.1", "fd00::1", None])
def test_the_client_as_the_host_sees_it(client: str | None) -> None:
    assert found({"client": client}) == []


def test_without_ssh_nobody_can_be_locked_out() -> None:
    nobody = {"user": None, "client": None, "port": None, "groups": []}
    assert found(nobody, ssh_allow_users=["alice"], ssh_from=["192.0.2.0/24"], ssh_ports=[2222]) == []


def test_what_needs_the_host_is_left_to_it() -> None:
    needs_host = {"ssh_allow_users": ["alice"], "ssh_kex": ["rot13"], "firewall_metadata_users": ["agent"]}
    changed = {f"hardening_{name}": value for name, value in needs_host.items()}
    assert problems({**SETTINGS, **changed}, UNSEEN, CONTROLS) == []
    assert [each.id for each in problems({**SETTINGS, "hardening_ssh_from": []}, UNSEEN, CONTROLS)] == [
        "ssh-from-empty"
    ]
