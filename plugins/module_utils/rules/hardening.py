# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the hardening settings: find those that cannot work on a host, or would lock out its operator.

*settings* are the ``hardening_*`` variables by name, *host* is what module ``machine_info`` returned, or
:data:`UNSEEN` before the host is contacted.
"""

from __future__ import annotations

import collections.abc as c
import difflib
import fnmatch
import ipaddress
import re
import typing as t

from ..agent.problem import Problem, table
from ..host import updates

Settings = c.Mapping[str, t.Any]
Host = c.Mapping[str, t.Any]


UNSEEN: Host = {
    "connection": {"user": None, "groups": [], "client": None, "port": None},
    "algorithms": {"kex": [], "cipher": [], "mac": [], "sig": []},
    "uids": None,
    "duplicates": [],
    "sysctls": None,
}
_problem = table(
    {
        "ssh-algorithm": ("the host's OpenSSH does not know it", "{fix}"),
        "ssh-algorithms-none": ("nothing in it that the host's OpenSSH knows", "name at least one of {known}"),
        "ssh-port": ("not a port", "use 1 to 65535"),
        "ssh-ports-empty": ("empty, so that nobody could sign in", "name at least port {port}"),
        "ssh-port-left-out": (
            "this connection comes in at port {port}, which is not in it",
            "add it; take it out in a second run, which comes in at the new port",
        ),
        "ssh-name": ("not a name", "write one name or pattern for each element, without blanks"),
        "ssh-as-root": (
            "this connection signs in as root, which sshd will refuse",
            "sign in as another user who may use sudo (ansible_user, ansible_become)",
        ),
        "ssh-user-left-out": (
            "{user}, who runs this play, is not in it",
            "add the name, or leave the list empty, which means exactly this user",
        ),
        "ssh-group-left-out": (
            "{user}, who runs this play, is in the groups {groups}, none of which is in it",
            "add one, or leave the list empty",
        ),
        "ssh-rsa-bits-few": ("less than 3072, which lasts until 2030 at most", "use 3072 or 4096"),
        "ssh-rsa-bits-many": ("more than OpenSSH's 16384", "use 3072 or 4096"),
        "ssh-too-few": ("it would keep everybody out, or nobody", "use at least {least}"),
        "ssh-startups": (
            "not begin:percent:full, with begin from 2 up to full and percent from 1 to 100",
            "write for example 10:30:60",
        ),
        "ssh-log-level": ("it would hide who signed in, or is unknown", "use VERBOSE or INFO"),
        "ssh-forward": ("not host:port", "write for example 127.0.0.1:4002"),
        "ssh-banner": (
            "a backslash and a letter is what agetty replaces by facts about the system",
            "write text without backslashes",
        ),
        "fail2ban-number": ("less than 1", "use at least 1, or switch hardening_fail2ban off"),
        "ssh-from-empty": ("empty, so that nobody could sign in", "name the ranges that operators come from{among}"),
        "ssh-from-left-out": (
            "this connection comes from {client}, as the host sees it, which is in none of its ranges",
            "add that address or its range",
        ),
        "firewall-interface": (
            "not an interface name of at most 15 letters, digits, dots and dashes, a star at the end for any ending",
            "write for example br-*",
        ),
        "firewall-user-missing": ("the host has no such local user", "make it, or take it out of the list"),
        "firewall-number": ("less than 0", "use 0 to switch it off, or more"),
        "range-invalid": ("not a range of addresses ({fault})", "{fix}"),
        "accounts-duplicate": (
            "{duplicate}",
            "give each its own (usermod --uid, groupmod --gid, vipw), lock an account without a password (passwd "
            "--lock), or set hardening_accounts to false",
        ),
        "accounts-umask": ("not three octal digits", "write for example '077', in quotes"),
        "accounts-group": ("not a name of a group", "use lower case letters and digits"),
        "passwords-number": ("not between {least} and {most}", "choose one that is"),
        "sudo-harmful": ("{name} must stay off: {reason}", "remove it"),
        "audit-path": ("not an absolute path without blanks", "write it from / on"),
        "audit-rule": ("not a rule", "begin it with -a or -w, see auditctl(8)"),
        "audit-number": ("less than 2 leaves nothing to look at", "choose more"),
        "logs-remote-host": ("it does not say where to", "set host, or leave all of it empty"),
        "logs-remote-syslog": ("rsyslog sends it, and is off", "set hardening_logs_syslog to true"),
        "kernel-setting": (
            "not a key and a value of sysctl(8)",
            "write the key with dots and the value on one line",
        ),
        "kernel-forbidden": ("with it {reason}", "take it out"),
        "kernel-unknown": (
            "kernel {kernel} has no such key",
            "check the spelling, or take it out; one of a module that is not loaded yet belongs in a file of "
            "/etc/sysctl.d",
        ),
        "kernel-numbers": ("it takes {shape} (now {now})", "write {shape}"),
        "module-needed": ("Docker, the firewall or the machine itself needs it", "take it out"),
        "module-name": ("not the name of a module", "write it as lsmod shows it"),
        "mounts-size": ("not a size of mount(8)", "write for example 512M or 25%"),
        "mounts-path": ("it cannot be mounted onto itself", "take it out"),
        "mounts-options": ("not options of mount(8)", "write them with commas between them"),
        "boot-parameter": ("not one parameter", "write name and value without blanks, quotes and dollars"),
        "boot-password": (
            "not what grub-mkpasswd-pbkdf2 prints",
            "write its last word, from grub.pbkdf2 on",
        ),
        "integrity-path": ("not an absolute path", "begin it with a slash"),
    }
)


def problems(settings: Settings, host: Host, controls: c.Collection[str]) -> list[Problem]:
    """Return every problem of *controls*, the names of the enabled switches."""
    found = [problem for control, check in _CHECKS.items() if control in controls for problem in check(settings, host)]
    return list(dict.fromkeys(found))


# An older OpenSSH may lack names that only a newer one knows; every other unknown name is a mistake.
NEWER_KEX = frozenset({"mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"})
NAME = re.compile(r"[\w.@!*?/:-]+")


def ssh_problems(settings: Settings, host: Host) -> list[Problem]:
    """Find SSH settings that sshd refuses or that lock the operator out."""
    return [
        *unknown_algorithms(settings, host),
        *ports_problems(settings, host),
        *users_problems(settings, host),
        *numbers_problems(settings),
        *forward_problems(settings),
        *banner_problems(settings),
    ]


def unknown_algorithms(settings: Settings, host: Host) -> c.Iterator[Problem]:
    for name, kind, newer in (
        ("hardening_ssh_kex", "kex", NEWER_KEX),
        ("hardening_ssh_ciphers", "cipher", frozenset[str]()),
        ("hardening_ssh_macs", "mac", frozenset[str]()),
        ("hardening_ssh_host_key_algorithms", "sig", frozenset[str]()),
    ):
        known = [each for each in host["algorithms"][kind] if each not in ("ssh-dss", "ssh-rsa")]
        if not known:
            continue
        for each in settings[name]:
            if each not in known and each not in newer:
                near = difflib.get_close_matches(each, known, 1)
                fix = f"write {near[0]}" if near else f"choose one of {', '.join(known)}"
                yield _problem("ssh-algorithm", name, each, fix=fix)
        if not set(settings[name]) & set(known):
            yield _problem("ssh-algorithms-none", name, settings[name], known=", ".join(known))


def ports_problems(settings: Settings, host: Host) -> c.Iterator[Problem]:
    name, ports = "hardening_ssh_ports", settings["hardening_ssh_ports"]
    port = host["connection"]["port"]
    wrong = [each for each in ports if not 1 <= int(each) <= 65535]
    if wrong:
        yield _problem("ssh-port", name, wrong[0])
    elif not ports:
        yield _problem("ssh-ports-empty", name, port=port or 22)
    elif port and port not in map(int, ports):
        yield _problem("ssh-port-left-out", name, ports, port=port)


def users_problems(settings: Settings, host: Host) -> c.Iterator[Problem]:
    users, groups = settings["hardening_ssh_allow_users"], settings["hardening_ssh_allow_groups"]
    connection = host["connection"]
    user, client = connection["user"], connection["client"]
    for name, listed in (("hardening_ssh_allow_users", users), ("hardening_ssh_allow_groups", groups)):
        for each in listed:
            if not NAME.fullmatch(each):
                yield _problem("ssh-name", name, each)
    if user == "root":
        yield _problem("ssh-as-root", "hardening_ssh")
    if not user:
        return
    if users and not any(allows(pattern, user, client) for pattern in users):
        yield _problem("ssh-user-left-out", "hardening_ssh_allow_users", users, user=user)
    if groups and not any(fnmatch.fnmatchcase(group, pattern) for group in connection["groups"] for pattern in groups):
        own = ", ".join(connection["groups"])
        yield _problem("ssh-group-left-out", "hardening_ssh_allow_groups", groups, user=user, groups=own)


def allows(pattern: str, user: str, client: str | None) -> bool:
    """Whether an element of AllowUsers admits the user from the client."""
    name, at, place = pattern.partition("@")
    if not fnmatch.fnmatchcase(user, name):
        return False
    if not at or client is None:
        return True
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(place, strict=False)
    except ValueError:
        return fnmatch.fnmatchcase(client, place)


def numbers_problems(settings: Settings) -> c.Iterator[Problem]:
    bits = int(settings["hardening_ssh_rsa_bits"])
    if bits < 3072:
        yield _problem("ssh-rsa-bits-few", "hardening_ssh_rsa_bits", bits)
    elif bits > 16384:
        yield _problem("ssh-rsa-bits-many", "hardening_ssh_rsa_bits", bits)
    for name, least in (
        ("hardening_ssh_max_auth_tries", 1),
        # Ansible's connection, and one more.
        ("hardening_ssh_max_sessions", 2),
        ("hardening_ssh_login_grace_time", 10),
        ("hardening_ssh_alive_interval", 1),
        ("hardening_ssh_alive_count", 1),
    ):
        if int(settings[name]) < least:
            yield _problem("ssh-too-few", name, settings[name], least=least)
    startups = str(settings["hardening_ssh_max_startups"])
    parts = [int(part) for part in startups.split(":")] if re.fullmatch(r"\d+:\d+:\d+", startups) else []
    if not parts or not 2 <= parts[0] <= parts[2] or not 1 <= parts[1] <= 100:
        yield _problem("ssh-startups", "hardening_ssh_max_startups", startups)
    levels = ("INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3")
    level = settings["hardening_ssh_log_level"]
    if level not in levels:
        yield _problem("ssh-log-level", "hardening_ssh_log_level", level)


def forward_problems(settings: Settings) -> c.Iterator[Problem]:
    for each in settings["hardening_ssh_forward_to"]:
        host, colon, port = str(each).rpartition(":")
        if not (host and colon and port.isdigit() and 1 <= int(port) <= 65535) or re.search(r"\s", host):
            yield _problem("ssh-forward", "hardening_ssh_forward_to", each)


def banner_problems(settings: Settings) -> c.Iterator[Problem]:
    if re.search(r"\\[a-zA-Z]", settings["hardening_ssh_banner"]):
        yield _problem("ssh-banner", "hardening_ssh_banner", settings["hardening_ssh_banner"])


def fail2ban_problems(settings: Settings, host: Host) -> list[Problem]:
    name = "hardening_fail2ban_ignore"
    found = list(range_problems(name, settings[name]))
    for name in ("hardening_fail2ban_max_retry", "hardening_fail2ban_find_time", "hardening_fail2ban_ban_time"):
        if int(settings[name]) < 1:
            found.append(_problem("fail2ban-number", name, settings[name]))
    return found


def firewall_problems(settings: Settings, host: Host) -> list[Problem]:
    """Find firewall settings that nft refuses or that lock the operator out."""
    found = [
        *range_problems("hardening_ssh_from", settings["hardening_ssh_from"]),
        *range_problems("hardening_firewall_metadata", settings["hardening_firewall_metadata"]),
        *range_problems("hardening_firewall_containers_reach", settings["hardening_firewall_containers_reach"]),
        *ports_problems(settings, host),
    ]
    client = host["connection"]["client"]
    if not settings["hardening_ssh_from"]:
        among = f", among them {client}" if client else ""
        found.append(_problem("ssh-from-empty", "hardening_ssh_from", among=among))
    elif client and not found:
        address = ipaddress.ip_address(client)
        mapped = getattr(address, "ipv4_mapped", None)
        if not any((mapped or address) in ipaddress.ip_network(each) for each in settings["hardening_ssh_from"]):
            ranges = settings["hardening_ssh_from"]
            found.append(_problem("ssh-from-left-out", "hardening_ssh_from", ranges, client=client))
    for each in settings["hardening_firewall_container_interfaces"]:
        if not re.fullmatch(r"[\w.-]{1,14}[\w.*-]", each):
            found.append(_problem("firewall-interface", "hardening_firewall_container_interfaces", each))
    found += [
        _problem("firewall-user-missing", "hardening_firewall_metadata_users", each)
        for each in settings["hardening_firewall_metadata_users"]
        if host["uids"] is not None and each not in host["uids"]
    ]
    for name in ("hardening_firewall_ssh_per_second", "hardening_firewall_log_per_minute"):
        if int(settings[name]) < 0:
            found.append(_problem("firewall-number", name, settings[name]))
    return list(dict.fromkeys(found))


def range_problems(name: str, ranges: c.Iterable[str]) -> c.Iterator[Problem]:
    for each in ranges:
        try:
            ipaddress.ip_network(each)
        except ValueError as fault:
            try:
                fix = f"write {ipaddress.ip_network(each, strict=False)}"
            except ValueError:
                fix = "write it as address/length, for example 10.0.0.0/8 or fc00::/7"
            yield _problem("range-invalid", name, each, fault=fault, fix=fix)


def accounts_problems(settings: Settings, host: Host) -> list[Problem]:
    found = [
        _problem("accounts-duplicate", "hardening_accounts", duplicate=duplicate) for duplicate in host["duplicates"]
    ]
    umask = settings["hardening_accounts_umask"]
    if not re.fullmatch("[0-7]{3}", str(umask)):
        found.append(_problem("accounts-umask", "hardening_accounts_umask", umask))
    group = settings["hardening_accounts_su_group"]
    if not re.fullmatch("[a-z][a-z0-9]*", group):
        found.append(_problem("accounts-group", "hardening_accounts_su_group", group))
    return found


def passwords_problems(settings: Settings, host: Host) -> list[Problem]:
    # The bounds of yescrypt, of pam_pwquality, and of an effective lockout.
    bounds = {"cost": (1, 11), "min_length": (6, 512), "min_classes": (0, 4), "lock_after": (1, 100)}
    return [
        _problem("passwords-number", f"hardening_passwords_{name}", value, least=least, most=most)
        for name, (least, most) in bounds.items()
        for value in [int(settings[f"hardening_passwords_{name}"])]
        if not least <= value <= most
    ]


# Sudoers settings that would be good elsewhere.
HARMFUL = {
    "log_input": "it writes down what Ansible sends, secrets among it",
    "noexec": "Ansible runs programs by a shell, and could run none",
    "requiretty": "Ansible has no terminal, and could not become root",
}


def sudo_problems(settings: Settings, host: Host) -> list[Problem]:
    chosen = settings["hardening_sudo_settings"]
    return [
        _problem("sudo-harmful", "hardening_sudo_settings", name=name, reason=reason)
        for name, reason in HARMFUL.items()
        if chosen.get(name)
    ]


def audit_problems(settings: Settings, host: Host) -> list[Problem]:
    found = [
        _problem("audit-path", "hardening_audit_secrets", path)
        for path in settings["hardening_audit_secrets"]
        if not re.fullmatch(r"/\S+", path)
    ]
    found += [
        _problem("audit-rule", "hardening_audit_rules", rule)
        for rule in settings["hardening_audit_rules"]
        if not re.match("-[aAw] ", rule)
    ]
    for name in ("log_size", "log_count"):
        if int(settings[f"hardening_audit_{name}"]) < 2:
            found.append(_problem("audit-number", f"hardening_audit_{name}", settings[f"hardening_audit_{name}"]))
    return found


def logs_problems(settings: Settings, host: Host) -> list[Problem]:
    remote, found = settings["hardening_logs_remote"], []
    if remote and not remote.get("host"):
        found.append(_problem("logs-remote-host", "hardening_logs_remote", remote))
    if remote and not settings["hardening_logs_syslog"]:
        found.append(_problem("logs-remote-syslog", "hardening_logs_remote", remote))
    return found


# The damage that a value would do here, by kernel key.
FORBIDDEN = {
    ("net.ipv4.ip_forward", "0"): "Docker's containers would have no network",
    ("net.ipv4.conf.all.forwarding", "0"): "Docker's containers would have no network",
    ("kernel.modules_disabled", "1"): "Docker and nftables could load no module until the next boot",
    ("user.max_user_namespaces", "0"): "services with PrivateUsers= and Docker's userns-remap could not start",
    ("user.max_net_namespaces", "0"): "no container could start",
    ("user.max_pid_namespaces", "0"): "no container could start",
    ("user.max_mnt_namespaces", "0"): "no container and no service with a sandbox could start",
}


def kernel_problems(settings: Settings, host: Host) -> list[Problem]:
    """Find kernel settings that this kernel refuses or that break the host."""
    return [
        problem
        for key, value in settings["hardening_kernel_settings"].items()
        if value is not None
        for problem in key_problems(str(key), str(value), host)
    ]


def key_problems(key: str, value: str, host: Host) -> c.Iterator[Problem]:
    place = f"hardening_kernel_settings.{key}"
    if not re.fullmatch(r"[\w.*/:@-]+", key) or "\n" in value:
        yield _problem("kernel-setting", place, value)
        return
    reason = FORBIDDEN.get((key.replace("/", "."), value.strip()))
    if reason:
        yield _problem("kernel-forbidden", place, value, reason=reason)
    if "*" in key or host["sysctls"] is None:
        return
    now = host["sysctls"][key]
    if now is None:
        yield _problem("kernel-unknown", place, value, kernel=host["kernel"])
    elif numbers(now) and numbers(value) != numbers(now):
        count = numbers(now)
        shape = "one number" if count == 1 else f"{count} numbers"
        yield _problem("kernel-numbers", place, value, shape=shape, now=now)


def numbers(value: str) -> int:
    """How many numbers a value consists of; 0 if it is something else."""
    words = value.split()
    return len(words) if all(re.fullmatch(r"-?\d+", word) for word in words) else 0


# Modules that a Docker host on a VM needs, though lists for other machines may block them.
NEEDED_MODULES = (
    *(
        "overlay",
        "bridge",
        "br_netfilter",
        "veth",
        "stp",
        "llc",
        "tun",
        "nf_*",
        "nft_*",
        "xt_*",
        "ip_tables",
        "ip6_tables",
    ),
    *("iptable_*", "ip_set", "ext4", "xfs", "btrfs", "vfat", "fat", "nls_*", "loop", "dm_*", "virtio*", "nvme*", "gve"),
)


def modules_problems(settings: Settings, host: Host) -> list[Problem]:
    name = "hardening_modules_blocked"
    needed = [
        _problem("module-needed", name, module)
        for module in settings[name]
        if any(fnmatch.fnmatchcase(str(module).replace("-", "_"), pattern) for pattern in NEEDED_MODULES)
    ]
    return needed + [
        _problem("module-name", option, module)
        for option in (name, "hardening_modules_allowed")
        for module in settings[option]
        if not re.fullmatch(r"[\w-]+", str(module))
    ]


# Directories where the system itself or Docker needs to execute files or use devices.
NOT_BOUND = (
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/proc",
    "/run",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/lib/docker",
)


def mounts_problems(settings: Settings, host: Host) -> list[Problem]:
    found = []
    size = str(settings["hardening_mounts_tmp_size"])
    if not re.fullmatch(r"[1-9]\d*[kKmMgG%]?", size):
        found.append(_problem("mounts-size", "hardening_mounts_tmp_size", size))
    for path, options in settings["hardening_mounts_bound"].items():
        name = f"hardening_mounts_bound.{path}"
        if not re.fullmatch(r"(/[\w.-]+)+|/", str(path)) or str(path) in NOT_BOUND:
            found.append(_problem("mounts-path", name, options))
        elif options and not re.fullmatch(r"[a-z]+(,[a-z]+)*", str(options)):
            found.append(_problem("mounts-options", name, options))
    return found


def boot_problems(settings: Settings, host: Host) -> list[Problem]:
    name = "hardening_boot_parameters"
    found = [
        _problem("boot-parameter", f"{name}.{key}", value)
        for key, value in settings[name].items()
        if value is not None and not re.fullmatch(r"[\w.-]+=[^\s\"'$`\\]*", f"{key}={value}")
    ]
    password = settings["hardening_boot_password"]
    if password and not re.fullmatch(r"grub\.pbkdf2\.sha512\.\d+\.[0-9A-F]+\.[0-9A-F]+", password):
        found.append(_problem("boot-password", "hardening_boot_password"))
    return found


def integrity_problems(settings: Settings, host: Host) -> list[Problem]:
    return [
        _problem("integrity-path", name, path)
        for name in ("hardening_integrity_paths", "hardening_integrity_except")
        for path in settings[name]
        if not re.fullmatch(r"/[^\s]*", path)
    ]


_CHECKS: dict[str, c.Callable[[Settings, Host], c.Iterable[Problem]]] = {
    "hardening_ssh": ssh_problems,
    "hardening_fail2ban": fail2ban_problems,
    "hardening_firewall": firewall_problems,
    "hardening_updates": updates.problems,
    "hardening_accounts": accounts_problems,
    "hardening_passwords": passwords_problems,
    "hardening_sudo": sudo_problems,
    "hardening_audit": audit_problems,
    "hardening_logs": logs_problems,
    "hardening_kernel": kernel_problems,
    "hardening_modules": modules_problems,
    "hardening_mounts": mounts_problems,
    "hardening_boot": boot_problems,
    "hardening_integrity": integrity_problems,
}
# The controls that have rules, by their switches.
CONTROLS = tuple(_CHECKS)
