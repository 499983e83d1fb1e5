"""Judge: the checks of the CIS Docker Benchmark 1.6 on host (1.1), daemon (2), its files (3) and content trust (4.5).

They are those of docker-bench-security, with its ids and its verdicts: PASS, WARN, and nothing (INFO, NOTE) if a check
does not apply or is up to a person. docker-bench-security itself is neither in Debian nor on PyPI.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.machine import AuditError, Machine
from audit.report import Finding, Verdict

Facts = dict[str, Any]
# Audited only if they exist; the first two always.
WATCHED = {
    "1.1.3": "/usr/bin/dockerd", "1.1.4": "/run/containerd", "1.1.5": "/var/lib/docker", "1.1.6": "/etc/docker",
    "1.1.10": "/etc/default/docker", "1.1.11": "/etc/docker/daemon.json", "1.1.12": "/etc/containerd/config.toml",
    "1.1.13": "/etc/sysconfig/docker", "1.1.14": "/usr/bin/containerd", "1.1.15": "/usr/bin/containerd-shim",
    "1.1.16": "/usr/bin/containerd-shim-runc-v1", "1.1.17": "/usr/bin/containerd-shim-runc-v2",
    "1.1.18": "/usr/bin/runc",
}  # fmt: skip
ALWAYS_WATCHED = ("1.1.3", "1.1.4")
# (owner's check, mode's check, path, owner, most permissive mode)
KEPT = (
    ("3.1", "3.2", "unit docker.service", "root:root", 0o644),
    ("3.3", "3.4", "unit docker.socket", "root:root", 0o644),
    ("3.5", "3.6", "/etc/docker", "root:root", 0o755),
    ("3.15", "3.16", "/var/run/docker.sock", "root:docker", 0o660),
    ("3.17", "3.18", "/etc/docker/daemon.json", "root:root", 0o644),
    ("3.19", "3.22", "/etc/default/docker", "root:root", 0o644),
    ("3.21", "3.20", "/etc/sysconfig/docker", "root:root", 0o644),
    ("3.23", "3.24", "/run/containerd/containerd.sock", "root:root", 0o660),
)


@dataclass(frozen=True)
class Check:
    """A check that passes or warns; `passes` is None if it does not apply."""

    name: str
    title: str
    passes: Callable[[Facts], bool | None]


def setting(facts: Facts, key: str, option: str = "") -> Any:
    """A setting of the daemon, from its command line or its file; dockerd refuses both."""
    flag = f"--{option or key}"
    for argument in facts["arguments"]:
        if argument == flag or argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
            return {"": True, "true": True, "false": False}.get(value, value)
    return facts["settings"].get(key)


def listens_on_tcp(facts: Facts) -> bool:
    hosts = [*facts["settings"].get("hosts", []), *facts["arguments"]]
    return any("tcp://" in host for host in hosts)


def tls(facts: Facts) -> bool | None:
    return bool(setting(facts, "tlsverify")) if listens_on_tcp(facts) else None


def trusted_users(facts: Facts) -> bool | None:
    """docker-bench-security leaves the group's members to a person; an empty group passes."""
    return None if facts["group"] else True


DAEMON = (
    Check("1.1.1", "a separate partition for containers", lambda facts: facts["root_is_mounted"]),
    Check("1.1.2", "only trusted users control the daemon", trusted_users),
    Check("2.2", "no traffic between containers on the default bridge", lambda facts: setting(facts, "icc") is False),
    Check("2.3", "log level info", lambda facts: setting(facts, "log-level") in {None, "info"}),
    Check("2.4", "the daemon may write firewall rules", lambda facts: setting(facts, "iptables") is not False),
    Check(
        "2.5", "no insecure registries", lambda facts: not setting(facts, "insecure-registries", "insecure-registry")
    ),
    Check("2.6", "no aufs", lambda facts: facts["info"].get("Driver") != "aufs"),
    Check("2.7", "TLS where the daemon listens on TCP", tls),
    Check(
        "2.8", "default ulimits", lambda facts: True if setting(facts, "default-ulimits", "default-ulimit") else None
    ),
    Check("2.9", "user namespaces", lambda facts: bool(setting(facts, "userns-remap"))),
    Check("2.10", "the default cgroup parent", lambda facts: not setting(facts, "cgroup-parent")),
    Check(
        "2.11",
        "the default device size",
        lambda facts: "dm.basesize" not in str(setting(facts, "storage-opts", "storage-opt")),
    ),
    Check(
        "2.12",
        "an authorization plugin",
        lambda facts: bool(setting(facts, "authorization-plugins", "authorization-plugin")),
    ),
    Check("2.13", "central logging", lambda facts: facts["info"].get("LoggingDriver") != "json-file"),
    Check("2.14", "no new privileges", lambda facts: setting(facts, "no-new-privileges") is True),
    Check("2.15", "live restore", lambda facts: facts["info"].get("LiveRestoreEnabled") is True),
    Check("2.16", "no userland proxy", lambda facts: setting(facts, "userland-proxy") is False),
    Check("4.5", "content trust", lambda facts: facts["content_trust"] == "1"),
)


def seccomp(facts: Facts) -> bool | None:
    options = facts["info"].get("SecurityOptions") or []
    return True if any(option.startswith("name=seccomp,profile=") for option in options) else None


def watched(path: str, always: bool) -> Callable[[Facts], bool | None]:
    def passes(facts: Facts) -> bool | None:
        return path in facts["rules"] if always or facts["files"].get(path) else None

    return passes


def unit_watched(unit: str) -> Callable[[Facts], bool | None]:
    return lambda facts: facts["units"][unit] in facts["rules"] if facts["units"][unit] else None


def owned(path: str, owner: str) -> Callable[[Facts], bool | None]:
    return lambda facts: facts["files"][path]["owner"] == owner if facts["files"].get(path) else None


def closed(path: str, mode: int) -> Callable[[Facts], bool | None]:
    return lambda facts: facts["files"][path]["mode"] & ~mode == 0 if facts["files"].get(path) else None


def certificates(good: Callable[[Facts], bool]) -> Callable[[Facts], bool | None]:
    return lambda facts: (
        all(good(facts["files"][path]) for path in facts["certificates"]) if facts["certificates"] else None
    )


def checks() -> Iterator[Check]:
    yield from DAEMON
    yield Check("2.17", "a seccomp profile", seccomp)
    for name, path in WATCHED.items():
        yield Check(name, f"audit rule for {path}", watched(path, name in ALWAYS_WATCHED))
    for name, unit in {"1.1.7": "docker.service", "1.1.9": "docker.socket"}.items():
        yield Check(name, f"audit rule for {unit}", unit_watched(unit))
    yield Check("1.1.8", "audit rule for containerd.sock", watched("/run/containerd/containerd.sock", False))
    for of_owner, of_mode, path, owner, mode in KEPT:
        yield Check(of_owner, f"{path} belongs to {owner}", owned(path, owner))
        yield Check(of_mode, f"{path} has mode {mode:o} or less", closed(path, mode))
    yield Check(
        "3.7", "registries' certificates belong to root", certificates(lambda file: file["owner"].startswith("root:"))
    )
    yield Check(
        "3.8", "registries' certificates have mode 444 or less", certificates(lambda file: file["mode"] & ~0o444 == 0)
    )


def judge(machine: Machine) -> Verdict:
    script = Path(__file__).with_name("docker_facts.py").read_text()
    facts: Facts = json.loads(machine.run("python3 -", stdin=script))
    if "ServerVersion" not in facts["info"]:
        raise AuditError(f"there is no Docker engine running on {machine.host}")
    return read(facts)


def read(facts: Facts) -> Verdict:
    order = sorted(checks(), key=lambda check: [int(part) for part in check.name.split(".")])
    verdicts = {check.name: (check, check.passes(facts)) for check in order}
    findings = [Finding(name, f"WARN: {check.title}") for name, (check, passes) in verdicts.items() if passes is False]
    passed = sum(1 for _check, passes in verdicts.values() if passes)
    return Verdict(
        {"warnings": float(len(findings))}, findings, [], {"docker": facts["info"]["ServerVersion"], "passed": passed}
    )
