from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules.hardening import problems

SETTINGS = {
    "hardening_accounts_umask": "077",
    "hardening_accounts_su_group": "sugroup",
    "hardening_passwords_cost": 7,
    "hardening_passwords_min_length": 15,
    "hardening_passwords_min_classes": 4,
    "hardening_passwords_lock_after": 3,
    "hardening_sudo_settings": {"use_pty": True, "requiretty": False},
    "hardening_audit_secrets": ["/etc/ibgw"],
    "hardening_audit_rules": ["-w /srv -p wa -k srv"],
    "hardening_audit_log_size": 32,
    "hardening_audit_log_count": 8,
    "hardening_logs_syslog": True,
    "hardening_logs_remote": {},
}
CONTROLS = [f"hardening_{name}" for name in ("accounts", "passwords", "sudo", "audit", "logs")]


def test_the_defaults_are_fine() -> None:
    assert problems(SETTINGS, {"duplicates": []}, CONTROLS) == []


@pytest.mark.parametrize(
    ("name", "value", "id_"),
    [
        ("accounts_umask", 63, "accounts-umask"),
        ("accounts_umask", "0x7", "accounts-umask"),
        ("accounts_su_group", "no such", "accounts-group"),
        ("passwords_cost", 12, "passwords-number"),
        ("passwords_lock_after", 0, "passwords-number"),
        ("sudo_settings", {"requiretty": True}, "sudo-harmful"),
        ("sudo_settings", {"log_input": True}, "sudo-harmful"),
        ("audit_secrets", ["etc/ibgw"], "audit-path"),
        ("audit_rules", ["-D"], "audit-rule"),
        ("audit_log_count", 1, "audit-number"),
        ("logs_remote", {"port": 6514}, "logs-remote-host"),
    ],
)
def test_each_problem_names_its_variable(name: str, value: t.Any, id_: str) -> None:
    (found,) = problems({**SETTINGS, f"hardening_{name}": value}, {"duplicates": []}, CONTROLS)
    assert (found.id, found.variable) == (id_, f"hardening_{name}")


def test_a_remote_log_needs_rsyslog() -> None:
    settings = {**SETTINGS, "hardening_logs_remote": {"host": "logs.example.com"}, "hardening_logs_syslog": False}
    (found,) = problems(settings, {"duplicates": []}, CONTROLS)
    assert (found.id, found.variable) == ("logs-remote-syslog", "hardening_logs_remote")


def test_ambiguous_accounts_are_refused_with_the_fix() -> None:
    (found,) = problems(SETTINGS, {"duplicates": ["uid 1000 occurs 2 times"]}, CONTROLS)
    assert (found.id, found.wrong) == ("accounts-duplicate", "uid 1000 occurs 2 times")
    assert problems(SETTINGS, {"duplicates": ["uid 1000 occurs 2 times"]}, []) == []
