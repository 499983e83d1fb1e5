"""Parse the judges' output into figures, notes, and findings under the names that waivers use."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from audit import docker, lynis, ssh_audit

LYNIS = """
# Lynis Report
lynis_version=3.1.4
lynis_tests_done=250
hardening_index=64
warning[]=PKGS-7392|Found one or more vulnerable packages.|-|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|AllowTcpForwarding (set YES to NO)|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|ClientAliveCountMax (set 3 to 2)|-|
suggestion[]=KRNL-6000|One or more sysctl values differ from the scan profile and could be tweaked||-|
suggestion[]=NETW-3200|Determine if protocol 'dccp' is really needed on this system|-|-|
suggestion[]=FILE-6310|To decrease the impact of a full /home file system, place /home on a separate partition|-|-|
suggestion[]=HRDN-7230|Harden the system by installing at least one malware scanner for periodic file system scans|-|-|
details[]=KRNL-6000|sysctl|desc:sysctl key;field:kernel.kptr_restrict;prefval:2;value:0;|
details[]=KRNL-6000|sysctl|desc:sysctl key;field:net.ipv4.conf.all.forwarding;prefval:0;value:1;|
details[]=SSH-7408|sshd|desc:sshd option;field:AllowTcpForwarding;prefval:NO;value:YES;|
"""


def test_lynis() -> None:
    verdict = lynis.read(LYNIS)
    assert verdict.figures == {"index": 64, "warnings": 1, "suggestions": 6}
    sysctl = "suggestion: One or more sysctl values differ from the scan profile and could be tweaked"
    ssh = "suggestion: Consider hardening SSH configuration"
    assert {finding.name: finding.text for finding in verdict.findings} == {
        "PKGS-7392": "warning: Found one or more vulnerable packages.",
        "SSH-7408 AllowTcpForwarding": f"{ssh} (AllowTcpForwarding (set YES to NO))",
        "SSH-7408 ClientAliveCountMax": f"{ssh} (ClientAliveCountMax (set 3 to 2))",
        "KRNL-6000 kernel.kptr_restrict": f"{sysctl} (kernel.kptr_restrict wants 2, found 0)",
        "KRNL-6000 net.ipv4.conf.all.forwarding": f"{sysctl} (net.ipv4.conf.all.forwarding wants 0, found 1)",
        "NETW-3200 dccp": "suggestion: Determine if protocol 'dccp' is really needed on this system",
        "FILE-6310 /home": "suggestion: To decrease the impact of a full /home file system, place /home on a separate "
        "partition",
        "HRDN-7230": "suggestion: Harden the system by installing at least one malware scanner for periodic "
        "file system scans",
    }


def test_ssh_audit() -> None:
    report = {
        "banner": {"software": "OpenSSH_10.0p2"},
        "kex": [
            {"algorithm": "mlkem768x25519-sha256", "notes": {"info": ["available since OpenSSH 9.9"]}},
            {"algorithm": "ecdh-sha2-nistp256", "notes": {"fail": ["weak curve"], "warn": ["no post-quantum"]}},
        ],
        "key": [{"algorithm": "ssh-rsa", "keysize": 2048, "notes": {"warn": ["small modulus"]}}],
        "mac": [{"algorithm": "hmac-sha1", "notes": {}}],
        "additional_notes": ["Be aware"],
    }
    verdict = ssh_audit.read(report)
    assert verdict.figures == {"fail": 1, "warn": 2}
    assert [(finding.name, finding.text) for finding in verdict.findings] == [
        ("kex ecdh-sha2-nistp256", "[fail] weak curve"),
        ("kex ecdh-sha2-nistp256", "[warn] no post-quantum"),
        ("key ssh-rsa", "[warn] 2048 small modulus"),
    ]
    assert verdict.notes == ["Be aware"]


def facts() -> dict[str, Any]:
    """The machine's answers for an engine without a finding."""
    watched = [*docker.WATCHED.values(), "/lib/systemd/system/docker.service", "/lib/systemd/system/docker.socket"]
    return {
        "info": {
            "ServerVersion": "26.1.5", "Driver": "overlay2", "LoggingDriver": "journald", "LiveRestoreEnabled": True,
            "SecurityOptions": ["name=seccomp,profile=builtin", "name=no-new-privileges"],
        },
        "settings": {
            "icc": False, "log-level": "info", "userns-remap": "default", "authorization-plugins": ["some"],
            "no-new-privileges": True, "userland-proxy": False, "default-ulimits": {"nofile": {}},
        },
        "arguments": ["/usr/sbin/dockerd", "-H", "fd://"],
        "rules": "\n".join(f"-w {path} -p wa -k docker" for path in [*watched, "/run/containerd/containerd.sock"]),
        "units": {unit: f"/lib/systemd/system/{unit}" for unit in ("docker.service", "docker.socket")},
        "files": {
            "/etc/docker": {"mode": 0o755, "owner": "root:root"},
            "/var/lib/docker": {"mode": 0o710, "owner": "root:root"},
            "/usr/bin/runc": {"mode": 0o755, "owner": "root:root"},
            "/var/run/docker.sock": {"mode": 0o660, "owner": "root:docker"},
            "/etc/docker/certs.d/r/ca.crt": {"mode": 0o444, "owner": "root:root"},
        },
        "certificates": ["/etc/docker/certs.d/r/ca.crt"],
        "root_is_mounted": True,
        "content_trust": "1",
        "group": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "warnings"),
    [
        ((), None, []),
        (("root_is_mounted",), False, ["1.1.1"]),
        # Members of the group are for a person to decide about.
        (("group",), "alice", []),
        (("rules",), "", ["1.1.3", "1.1.4", "1.1.5", "1.1.6", "1.1.7", "1.1.9", "1.1.18"]),
        (("settings", "icc"), True, ["2.2"]),
        (("settings", "log-level"), "debug", ["2.3"]),
        (("settings", "insecure-registries"), ["r:5000"], ["2.5"]),
        (("settings", "hosts"), ["tcp://0.0.0.0:2375"], ["2.7"]),
        (("arguments",), ["/usr/sbin/dockerd", "--icc=true", "--iptables=false"], ["2.2", "2.4"]),
        (("settings", "userns-remap"), None, ["2.9"]),
        (("settings", "authorization-plugins"), [], ["2.12"]),
        (("info", "LoggingDriver"), "json-file", ["2.13"]),
        (("settings", "no-new-privileges"), False, ["2.14"]),
        (("info", "LiveRestoreEnabled"), False, ["2.15"]),
        (("settings", "userland-proxy"), None, ["2.16"]),
        (("content_trust",), "", ["4.5"]),
        (("files", "/etc/docker", "mode"), 0o775, ["3.6"]),
        (("files", "/var/run/docker.sock"), {"mode": 0o666, "owner": "root:root"}, ["3.15", "3.16"]),
        (("files", "/etc/docker/certs.d/r/ca.crt", "mode"), 0o644, ["3.8"]),
    ],
)
def test_docker(place: tuple[str, ...], value: Any, warnings: list[str]) -> None:
    found = copy.deepcopy(facts())
    target = found
    for key in place[:-1]:
        target = target[key]
    if place:
        target[place[-1]] = value
    verdict = docker.read(found)
    assert [finding.name for finding in verdict.findings] == warnings
    assert verdict.figures == {"warnings": len(warnings)}
