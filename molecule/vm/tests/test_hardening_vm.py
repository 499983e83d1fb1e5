"""Hardening that shows only with a separate kernel, after a reboot."""

from __future__ import annotations

import json
import shlex
import typing as t

import pytest
from testinfra.host import Host


@pytest.fixture(scope="module")
def mounts(host: Host) -> dict[str, set[str]]:
    """Mount options in force, by mount point."""
    found = json.loads(host.check_output("findmnt --json --list --output TARGET,OPTIONS"))
    return {mount["target"]: set(mount["options"].split(",")) for mount in found["filesystems"]}


def pairs(text: str) -> dict[str, str]:
    """Of lines KEY = VALUE, as sysctl reads and prints them; the last one of a key counts."""
    found = (line.lstrip("-").partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): " ".join(value.split()) for key, _equals, value in found}


def started(host: Host, unit: str) -> int:
    """Microseconds from the kernel's start to that of a unit."""
    return int(host.check_output("systemctl show --value --property=ActiveEnterTimestampMonotonic %s", unit))


def test_the_kernel_has_the_settings(host: Host) -> None:
    wanted = pairs(host.check_output("cat /etc/sysctl.d/*ibgw*.conf"))
    assert len(wanted) > 20
    # A key that this kernel lacks is not a difference.
    shown = host.run(f"sysctl --ignore {shlex.join(key for key in wanted if '*' not in key)}").stdout
    found = pairs(shown)
    assert {key: (value, wanted[key]) for key, value in found.items() if value != wanted[key]} == {}
    assert found["net.ipv4.ip_forward"] == "1"


def test_the_audit_rules_are_loaded_and_final(host: Host) -> None:
    status = dict(line.split(maxsplit=1) for line in host.check_output("auditctl -s").splitlines() if " " in line)
    assert status["enabled"] == "2"
    assert status["pid"] != "0"
    assert status["lost"] == "0"
    wanted = host.check_output("grep --no-filename --count '^-[aw]' /etc/audit/audit.rules")
    loaded = host.check_output("auditctl -l | grep --count '^-[aw]'")
    assert int(loaded) == int(wanted)
    # auditctl's status is 255, which testinfra takes for a failure of SSH.
    assert host.run("! auditctl -D").succeeded


def test_what_happens_is_written_down(host: Host) -> None:
    host.check_output("cat /etc/ibgw/paper/gateway.json")
    assert "/etc/ibgw" in host.check_output("ausearch --input-logs --start recent --interpret --file /etc/ibgw")


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "/var/tmp"])
def test_nothing_is_run_from_where_everybody_writes(host: Host, mounts: dict[str, set[str]], place: str) -> None:
    assert {"nosuid", "nodev", "noexec"} <= mounts[place]
    script = f"{place}/ibgw-test"
    host.check_output("install -m 0755 /dev/null %s", script)
    try:
        assert host.run("%s", script).rc == 126
    finally:
        host.check_output("rm %s", script)


def test_apparmor_confines_the_gateway(host: Host) -> None:
    assert host.file("/sys/module/apparmor/parameters/enabled").content_string.strip() == "Y"
    pid = host.check_output("docker inspect --format '{{.State.Pid}}' ibgw-paper")
    assert host.file(f"/proc/{pid}/attr/current").content_string.strip("\n\0") == "docker-default (enforce)"


def test_the_firewall_was_there_before_the_network(host: Host) -> None:
    assert (
        "network-pre.target" in host.check_output("systemctl show --value --property=Before nftables.service").split()
    )
    firewall = started(host, "nftables.service")
    assert 0 < firewall <= started(host, "systemd-networkd.service")
    assert firewall <= started(host, "ssh.service")
    assert "policy drop" in host.check_output("nft list table inet ibgw")


def test_a_restart_of_the_firewall_keeps_the_rules_of_docker(host: Host) -> None:
    """As an upgrade of the package does it, unattended."""
    before = host.check_output("iptables-save --table nat | grep --count '^-A'")
    host.check_output("systemctl restart nftables.service")
    assert host.check_output("iptables-save --table nat | grep --count '^-A'") == before
    assert "policy drop" in host.check_output("nft list table inet ibgw")


@pytest.mark.parametrize("module_name", ["usb-storage", "cramfs", "dccp"])
def test_modules_that_nobody_needs_do_not_load(host: Host, module_name: str) -> None:
    assert host.run("modprobe %s", module_name).rc != 0
    assert module_name.replace("-", "_") not in host.check_output("lsmod")


def test_no_program_leaves_a_core(host: Host) -> None:
    assert host.check_output("sysctl --values fs.suid_dumpable") == "0"
    assert host.check_output("bash -c 'ulimit -c'") == "0"


def test_the_journal_has_the_boot_before(host: Host) -> None:
    boots = host.check_output("journalctl --list-boots --quiet --no-pager").splitlines()
    assert len(boots) >= 2


def test_the_clock_is_looked_after(host: Host) -> None:
    services = host.check_output("systemctl is-active systemd-timesyncd.service chrony.service || true").split()
    assert services.count("active") == 1


def test_updates_say_what_they_know_of_the_kernel(module: t.Callable[..., dict[str, t.Any]]) -> None:
    found = module("ibops.gateway.host_updates")
    assert found["reboot_required"] is False
    assert found["restart_wanted"] == []


def test_nothing_failed_at_boot(host: Host) -> None:
    assert host.check_output("systemctl --failed --plain --no-legend") == ""
