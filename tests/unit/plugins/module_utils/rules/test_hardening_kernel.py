from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.rules.hardening import (
    boot_problems,
    integrity_problems,
    kernel_problems,
    modules_problems,
    mounts_problems,
)

HOST = {
    "kernel": "6.12.0",
    "sysctls": {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.all.forwarding": "1",
        "net/ipv4/ip_forward": "1",
        "net.ipv4.tcp_rmem": "4096 131072 6291456",
        "kernel.core_pattern": "core",
        "kernel.kptr_restrict": "0",
        "kernel.modules_disabled": "0",
        "kernel.wrong": None,
    },
}
SETTINGS: dict[str, t.Any] = {
    "hardening_kernel_settings": {},
    "hardening_modules_blocked": [],
    "hardening_modules_allowed": [],
    "hardening_mounts_tmp_size": "25%",
    "hardening_mounts_bound": {"/var/tmp": "nosuid,nodev", "/home": None},
    "hardening_boot_parameters": {"quiet": "", "audit": 1, "vsyscall": None},
    "hardening_boot_password": "",
    "hardening_integrity_paths": ["/etc"],
    "hardening_integrity_except": [],
}


def settings(**changes: t.Any) -> dict[str, t.Any]:
    return SETTINGS | {f"hardening_{name}": value for name, value in changes.items()}


@pytest.mark.parametrize(
    ("key", "value", "id_"),
    [
        ("kernel.kptr_restrict", 2, None),
        ("kernel.kptr_restrict", "2", None),
        ("kernel.kptr_restrict", None, None),
        ("kernel.wrong", None, None),
        ("kernel.core_pattern", "|/bin/false", None),
        ("net.ipv4.tcp_rmem", "1 2 3", None),
        ("net.ipv4.conf.*.rp_filter", 1, None),
        ("kernel.modules_disabled", 0, None),
        ("kernel.wrong", 1, "kernel-unknown"),
        ("kernel.kptr_restrict", "yes", "kernel-numbers"),
        ("kernel.kptr_restrict", "1 2", "kernel-numbers"),
        ("kernel.kptr_restrict", "", "kernel-numbers"),
        ("net.ipv4.tcp_rmem", "4096", "kernel-numbers"),
        ("net.ipv4.ip_forward", 0, "kernel-forbidden"),
        ("net/ipv4/ip_forward", 0, "kernel-forbidden"),
        ("net.ipv4.conf.all.forwarding", "0", "kernel-forbidden"),
        ("kernel.modules_disabled", 1, "kernel-forbidden"),
        ("kernel.core_pattern", "core\nkernel.sysrq = 1", "kernel-setting"),
        ("kernel kptr", 1, "kernel-setting"),
    ],
)
def test_kernel_settings(key: str, value: t.Any, id_: str | None) -> None:
    found = kernel_problems(settings(kernel_settings={key: value}), HOST)
    assert [(problem.id, problem.variable) for problem in found] == [
        (each, f"hardening_kernel_settings.{key}") for each in [id_] if each
    ]


@pytest.mark.parametrize(
    ("blocked", "id_"),
    [
        (["udf"], None),
        (["overlay"], "module-needed"),
        (["br-netfilter"], "module-needed"),
        (["nft_ct"], "module-needed"),
        (["a b"], "module-name"),
    ],
)
def test_modules(blocked: list[str], id_: str | None) -> None:
    found = modules_problems(settings(modules_blocked=blocked), HOST)
    assert [problem.id for problem in found] == ([id_] if id_ else [])


@pytest.mark.parametrize(
    ("changes", "id_"),
    [
        ({}, None),
        ({"mounts_tmp_size": "512M"}, None),
        ({"mounts_tmp_size": "half"}, "mounts-size"),
        ({"mounts_tmp_size": "0"}, "mounts-size"),
        ({"mounts_bound": {"/usr": "nosuid"}}, "mounts-path"),
        ({"mounts_bound": {"data": "nosuid"}}, "mounts-path"),
        ({"mounts_bound": {"/home": "nosuid, nodev"}}, "mounts-options"),
    ],
)
def test_mounts(changes: dict[str, t.Any], id_: str | None) -> None:
    found = mounts_problems(settings(**changes), HOST)
    assert [problem.id for problem in found] == ([id_] if id_ else [])


@pytest.mark.parametrize(
    ("changes", "id_"),
    [
        ({}, None),
        ({"boot_parameters": {"audit": '1"; reboot'}}, "boot-parameter"),
        ({"boot_parameters": {"a b": 1}}, "boot-parameter"),
        ({"boot_password": "grub.pbkdf2.sha512.10000.AB01.CD02"}, None),
        ({"boot_password": "secret"}, "boot-password"),
    ],
)
def test_boot(changes: dict[str, t.Any], id_: str | None) -> None:
    found = boot_problems(settings(**changes), HOST)
    assert [problem.id for problem in found] == ([id_] if id_ else [])
    assert "secret" not in "".join(map(str, found))


def test_integrity() -> None:
    assert integrity_problems(settings(), HOST) == []
    (found,) = integrity_problems(settings(integrity_except=["tmp"]), HOST)
    assert (found.id, found.variable, found.value) == ("integrity-path", "hardening_integrity_except", "'tmp'")
