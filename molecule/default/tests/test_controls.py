"""The files of every control, also of those whose effect only a kernel of its own shows, and what the role refuses."""

from __future__ import annotations

import re
import typing as t

import pytest
from testinfra.host import Host

FILES = {
    "accounts": ("/etc/login.defs", r"^UMASK\s+077$"),
    "apparmor": ("/etc/systemd/system/apparmor.service.d/ibgw.conf", r"^\[Service\]$"),
    "audit": ("/etc/audit/rules.d/40-ibgw-gateway.rules", r"^-a always,exit -F dir=/etc/ibgw "),
    "boot": ("/etc/default/grub.d/99-ibgw.cfg", r"^GRUB_CMDLINE_LINUX=\".*\baudit=1\b.*\bapparmor=1\b"),
    "fail2ban": ("/etc/fail2ban/jail.local", r"^banaction\s*=\s*nftables"),
    "firewall": ("/etc/nftables.conf", r"hook input .* policy drop;"),
    "integrity": ("/etc/aide/aide.conf", r"^/etc Content$"),
    "kernel": ("/etc/sysctl.d/99-zz-ibgw.conf", r"^net\.ipv4\.ip_forward = 1$"),
    "logs": ("/etc/systemd/journald.conf", r"^Storage=persistent$"),
    "modules": ("/etc/modprobe.d/ibgw.conf", r"^install cramfs /bin/false$"),
    "mounts": ("/etc/fstab", r"^tmpfs /dev/shm tmpfs \S*noexec"),
    "passwords": ("/etc/pam.d/common-auth", r"pam_faillock\.so preauth"),
    "permissions": ("/etc/tmpfiles.d/ibgw-permissions.conf", r"^z /boot/"),
    "scheduled": ("/etc/cron.allow", r"^root$"),
    "services": ("/etc/systemd/system.conf.d/ibgw-keys.conf", r"^CtrlAltDelBurstAction=none$"),
    "ssh": ("/etc/ssh/sshd_config.d/10-ibgw.conf", r"^PasswordAuthentication no$"),
    "sudo": ("/etc/sudoers.d/00-ibgw", r"\buse_pty\b"),
    "time": ("/etc/systemd/timesyncd.conf.d/ibgw.conf", r"^NTP=\S"),
    "updates": ("/etc/apt/apt.conf.d/60-ibgw", r'Unattended-Upgrade::Automatic-Reboot "false";'),
}


@pytest.mark.parametrize("control", FILES)
def test_what_a_control_writes(host: Host, control: str) -> None:
    path, expected = FILES[control]
    assert re.search(expected, host.check_output("cat %s", path), re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        ("{hardening_ssh_allow_users: [alice]}", ["hardening_ssh_allow_users", "operator"]),
        ("{hardening_ssh_from: [192.0.2.0/24]}", ["hardening_ssh_from", "10.211.0.1"]),
        ("{hardening_ssh_kex: [rot13-sha1]}", ["hardening_ssh_kex", "rot13-sha1"]),
        ("{hardening_ssh_ports: [2222]}", ["hardening_ssh_ports", "22"]),
        ("{hardening_kernel_settings: {net.ipv4.ip_forward: 0}}", ["hardening_kernel_settings", "net.ipv4.ip_forward"]),
        ("{hardening_kernel_settings: {kernel.no_such: 1}}", ["hardening_kernel_settings", "kernel.no_such"]),
    ],
)
def test_a_setting_that_cannot_work_is_refused_and_nothing_is_touched(
    host: Host, name: str, playbook: t.Callable[..., t.Any], settings: str, sentences: list[str]
) -> None:
    def newest() -> str:
        return host.check_output("find /etc -newermt '-1 year' -printf '%%T@ %%p\n' | sort -n | tail -1")

    before = newest()
    run = playbook("site.yml", name, "--tags", "hardening", "-e", settings)
    assert (run.status, run.changed) == (2, 0), run.printed
    assert all(sentence in run.printed for sentence in sentences), run.printed
    assert newest() == before
