# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the hardening settings: what cannot work on a host, or would lock its operator out.

*settings* are the ``hardening_*`` variables by name, *host* is what module ``hardening_info`` returned. A problem is a
sentence or two: the variable, the fault, the fix.
"""

from __future__ import annotations

import collections.abc as c
import difflib
import fnmatch
import ipaddress
import re
import typing as t

from ..host import updates

Settings = c.Mapping[str, t.Any]
Host = c.Mapping[str, t.Any]


def problems(settings: Settings, host: Host, controls: c.Collection[str]) -> list[str]:
    """Every problem of *controls*, the names of the switches that are on."""
    checks: dict[str, c.Callable[[Settings, Host], list[str]]] = {
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
    found = [problem for control, check in checks.items() if control in controls for problem in check(settings, host)]
    return list(dict.fromkeys(found))


# Names that only a newer OpenSSH knows are left out by an older one; every other unknown name is a mistake.
NEWER_KEX = frozenset({"mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"})
NAME = re.compile(r"[\w.@!*?/:-]+")


def ssh_problems(settings: Settings, host: Host) -> list[str]:
    """Find SSH settings that sshd refuses or that lock the operator out."""
    return [
        *unknown_algorithms(settings, host),
        *ports_problems(settings, host),
        *users_problems(settings, host),
        *numbers_problems(settings),
        *forward_problems(settings),
        *banner_problems(settings),
    ]


def unknown_algorithms(settings: Settings, host: Host) -> c.Iterator[str]:
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
                meant = f" Did you mean {near[0]}?" if near else f" It knows: {', '.join(known)}."
                yield f"{name}: the host's OpenSSH does not know {each}.{meant}"
        if not set(settings[name]) & set(known):
            yield f"{name}: nothing in it that the host's OpenSSH knows. Name at least one of: {', '.join(known)}."


def ports_problems(settings: Settings, host: Host) -> c.Iterator[str]:
    name, ports = "hardening_ssh_ports", settings["hardening_ssh_ports"]
    port = host["connection"]["port"]
    wrong = [each for each in ports if not 1 <= int(each) <= 65535]
    if wrong:
        yield f"{name}: {wrong[0]} is not a port. Ports are numbers from 1 to 65535."
    elif not ports:
        yield f"{name}: empty, so that nobody could sign in. Name at least port {port or 22}."
    elif port and port not in map(int, ports):
        yield (
            f"{name}: this connection comes in at port {port}, which is not among {ports}. Add it; take it out in a "
            "second run, which comes in at the new port."
        )


def users_problems(settings: Settings, host: Host) -> c.Iterator[str]:
    users, groups = settings["hardening_ssh_allow_users"], settings["hardening_ssh_allow_groups"]
    connection = host["connection"]
    user, client = connection["user"], connection["client"]
    for name, listed in (("hardening_ssh_allow_users", users), ("hardening_ssh_allow_groups", groups)):
        for each in listed:
            if not NAME.fullmatch(each):
                yield f"{name}: {each!r} is not a name. Write one name or pattern for each element, without blanks."
    if user == "root":
        yield (
            "hardening_ssh: this connection signs in as root, which sshd will refuse. Sign in as another user who may "
            "use sudo (ansible_user, ansible_become)."
        )
    if not user:
        return
    if users and not any(allows(pattern, user, client) for pattern in users):
        yield (
            f"hardening_ssh_allow_users: {user}, who runs this play, is not among {', '.join(users)}. Add the name, or "
            "leave the list empty, which means exactly this user."
        )
    if groups and not any(fnmatch.fnmatchcase(group, pattern) for group in connection["groups"] for pattern in groups):
        yield (
            f"hardening_ssh_allow_groups: {user}, who runs this play, is in the groups "
            f"{', '.join(connection['groups'])}, none of which is among {', '.join(groups)}. Add one, or leave the "
            "list empty."
        )


def allows(pattern: str, user: str, client: str | None) -> bool:
    """Whether an element of AllowUsers lets the user in from the client."""
    name, at, place = pattern.partition("@")
    if not fnmatch.fnmatchcase(user, name):
        return False
    if not at or client is None:
        return True
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(place, strict=False)
    except ValueError:
        return fnmatch.fnmatchcase(client, place)


def numbers_problems(settings: Settings) -> c.Iterator[str]:
    bits = int(settings["hardening_ssh_rsa_bits"])
    if bits < 3072:
        yield f"hardening_ssh_rsa_bits: {bits} is less than 3072, which lasts until 2030 at most. Take 3072 or 4096."
    elif bits > 16384:
        yield f"hardening_ssh_rsa_bits: {bits} is more than OpenSSH's 16384. Take 3072 or 4096."
    for name, least in (
        ("hardening_ssh_max_auth_tries", 1),
        # Ansible's connection and one beside it.
        ("hardening_ssh_max_sessions", 2),
        ("hardening_ssh_login_grace_time", 10),
        ("hardening_ssh_alive_interval", 1),
        ("hardening_ssh_alive_count", 1),
    ):
        if int(settings[name]) < least:
            yield f"{name}: {settings[name]} would keep everybody out, or nobody. The least is {least}."
    startups = str(settings["hardening_ssh_max_startups"])
    parts = [int(part) for part in startups.split(":")] if re.fullmatch(r"\d+:\d+:\d+", startups) else []
    if not parts or not 2 <= parts[0] <= parts[2] or not 1 <= parts[1] <= 100:
        yield (
            f"hardening_ssh_max_startups: {startups!r} is not begin:percent:full, with begin from 2 up to full and "
            "percent from 1 to 100. For example 10:30:60."
        )
    levels = ("INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3")
    if settings["hardening_ssh_log_level"] not in levels:
        yield (
            f"hardening_ssh_log_level: {settings['hardening_ssh_log_level']} would hide who signed in, or is unknown. "
            "Take VERBOSE or INFO."
        )


def forward_problems(settings: Settings) -> c.Iterator[str]:
    for each in settings["hardening_ssh_forward_to"]:
        host, colon, port = str(each).rpartition(":")
        if not (host and colon and port.isdigit() and 1 <= int(port) <= 65535) or re.search(r"\s", host):
            yield f"hardening_ssh_forward_to: {each!r} is not host:port. For example 127.0.0.1:4002."


def banner_problems(settings: Settings) -> c.Iterator[str]:
    if re.search(r"\\[a-zA-Z]", settings["hardening_ssh_banner"]):
        yield (
            "hardening_ssh_banner: a backslash and a letter is what agetty replaces by facts about the system. Write "
            "text without backslashes."
        )


def fail2ban_problems(settings: Settings, host: Host) -> list[str]:
    name = "hardening_fail2ban_ignore"
    found = list(range_problems(name, settings[name]))
    for name in ("hardening_fail2ban_max_retry", "hardening_fail2ban_find_time", "hardening_fail2ban_ban_time"):
        if int(settings[name]) < 1:
            found.append(f"{name}: {settings[name]} is less than 1. Take at least 1, or switch hardening_fail2ban off.")
    return found


def firewall_problems(settings: Settings, host: Host) -> list[str]:
    """Find firewall settings that nft refuses or that lock the operator out."""
    found = [
        *range_problems("hardening_ssh_from", settings["hardening_ssh_from"]),
        *range_problems("hardening_firewall_metadata", settings["hardening_firewall_metadata"]),
        *range_problems("hardening_firewall_containers_reach", settings["hardening_firewall_containers_reach"]),
        *ports_problems(settings, host),
    ]
    client = host["connection"]["client"]
    if not settings["hardening_ssh_from"]:
        found.append(
            "hardening_ssh_from: empty, so that nobody could sign in. Name the ranges that operators come from"
            + (f", among them {client}." if client else ".")
        )
    elif client and not found:
        address = ipaddress.ip_address(client)
        mapped = getattr(address, "ipv4_mapped", None)
        if not any((mapped or address) in ipaddress.ip_network(each) for each in settings["hardening_ssh_from"]):
            found.append(
                f"hardening_ssh_from: this connection comes from {client}, as the host sees it, which is in none of "
                f"{', '.join(settings['hardening_ssh_from'])}. Add that address or its range."
            )
    for each in settings["hardening_firewall_container_interfaces"]:
        if not re.fullmatch(r"[\w.-]{1,14}[\w.*-]", each):
            found.append(
                f"hardening_firewall_container_interfaces: {each!r} is not an interface name, of at most 15 letters, "
                "digits, dots and dashes, with a star at the end for any ending. For example br-*."
            )
    found += [
        f"hardening_firewall_metadata_users: the host has no local user {each!r}. Make it, or take it out of the list."
        for each in settings["hardening_firewall_metadata_users"]
        if each not in host["uids"]
    ]
    for name in ("hardening_firewall_ssh_per_second", "hardening_firewall_log_per_minute"):
        if int(settings[name]) < 0:
            found.append(f"{name}: {settings[name]} is less than 0. 0 switches it off.")
    return list(dict.fromkeys(found))


def range_problems(name: str, ranges: c.Iterable[str]) -> c.Iterator[str]:
    for each in ranges:
        try:
            ipaddress.ip_network(each)
        except ValueError as fault:
            try:
                fix = f"Write {ipaddress.ip_network(each, strict=False)}."
            except ValueError:
                fix = "Write it as address/length, for example 10.0.0.0/8 or fc00::/7."
            yield f"{name}: {each!r} is not a range of addresses ({fault}). {fix}"


def accounts_problems(settings: Settings, host: Host) -> list[str]:
    found = [
        f"hardening_accounts: {duplicate}. Give each its own (usermod --uid, groupmod --gid, vipw), lock an account "
        "without a password (passwd --lock), or set hardening_accounts to false."
        for duplicate in host["duplicates"]
    ]
    umask = settings["hardening_accounts_umask"]
    if not re.fullmatch("[0-7]{3}", str(umask)):
        found.append(f"hardening_accounts_umask: {umask!r} is not three octal digits. Write for example '077', quoted.")
    group = settings["hardening_accounts_su_group"]
    if not re.fullmatch("[a-z][a-z0-9]*", group):
        found.append(f"hardening_accounts_su_group: {group!r} is not a name of a group. Use small letters and digits.")
    return found


def passwords_problems(settings: Settings, host: Host) -> list[str]:
    # The bounds of yescrypt, of pam_pwquality, and of a lock that is one.
    bounds = {"cost": (1, 11), "min_length": (6, 512), "min_classes": (0, 4), "lock_after": (1, 100)}
    return [
        f"hardening_passwords_{name}: {value} is not between {least} and {most}. Choose one that is."
        for name, (least, most) in bounds.items()
        for value in [int(settings[f"hardening_passwords_{name}"])]
        if not least <= value <= most
    ]


# Settings of sudoers that are good elsewhere.
HARMFUL = {
    "log_input": "it writes down what Ansible sends, secrets among it",
    "noexec": "Ansible runs programs by a shell, and could run none",
    "requiretty": "Ansible has no terminal, and could not become root",
}


def sudo_problems(settings: Settings, host: Host) -> list[str]:
    chosen = settings["hardening_sudo_settings"]
    return [
        f"hardening_sudo_settings: {name} must stay off: {reason}. Remove it."
        for name, reason in HARMFUL.items()
        if chosen.get(name)
    ]


def audit_problems(settings: Settings, host: Host) -> list[str]:
    found = [
        f"hardening_audit_secrets: {path!r} is not an absolute path without blanks. Write it from / on."
        for path in settings["hardening_audit_secrets"]
        if not re.fullmatch(r"/\S+", path)
    ]
    found += [
        f"hardening_audit_rules: {rule!r} is not a rule. It has to begin with -a or -w, see auditctl(8)."
        for rule in settings["hardening_audit_rules"]
        if not re.match("-[aAw] ", rule)
    ]
    for name in ("log_size", "log_count"):
        if int(settings[f"hardening_audit_{name}"]) < 2:
            found.append(f"hardening_audit_{name}: less than 2 leaves nothing to look at. Choose more.")
    return found


def logs_problems(settings: Settings, host: Host) -> list[str]:
    remote, found = settings["hardening_logs_remote"], []
    if remote and not remote.get("host"):
        found.append("hardening_logs_remote: it does not say where to. Set host, or leave all of it empty.")
    if remote and not settings["hardening_logs_syslog"]:
        found.append("hardening_logs_remote: rsyslog sends it, and is off. Set hardening_logs_syslog to true.")
    return found


# What a value would break here, by the kernel's key.
FORBIDDEN = {
    ("net.ipv4.ip_forward", "0"): "Docker's containers would have no network",
    ("net.ipv4.conf.all.forwarding", "0"): "Docker's containers would have no network",
    ("kernel.modules_disabled", "1"): "Docker and nftables could load no module until the next boot",
    ("user.max_user_namespaces", "0"): "services with PrivateUsers= and Docker's userns-remap could not start",
    ("user.max_net_namespaces", "0"): "no container could start",
    ("user.max_pid_namespaces", "0"): "no container could start",
    ("user.max_mnt_namespaces", "0"): "no container and no service with a sandbox could start",
}


def kernel_problems(settings: Settings, host: Host) -> list[str]:
    """Find kernel settings that this kernel refuses or that break the host."""
    name = "hardening_kernel_settings"
    return [
        f"{name}: {problem}"
        for key, value in settings[name].items()
        if value is not None
        for problem in key_problems(str(key), str(value), host)
    ]


def key_problems(key: str, value: str, host: Host) -> c.Iterator[str]:
    if not re.fullmatch(r"[\w.*/:@-]+", key) or "\n" in value:
        yield f"{key!r} is not a key and a value of sysctl(8). Write the key with dots and the value on one line."
        return
    reason = FORBIDDEN.get((key.replace("/", "."), value.strip()))
    if reason:
        yield f"with {key} = {value} {reason}. Take it out."
    if "*" in key:
        return
    now = host["sysctls"][key]
    if now is None:
        yield (
            f"kernel {host['kernel']} has no key {key}. Mind the spelling, or take it out; "
            "one of a module that is not loaded yet belongs in a file of /etc/sysctl.d."
        )
    elif numbers(now) and numbers(value) != numbers(now):
        count = numbers(now)
        shape = "one number" if count == 1 else f"{count} numbers"
        yield f"{key} takes {shape} (now {now}), not {value!r}. Write {shape}."


def numbers(value: str) -> int:
    """How many numbers a value is; 0 when it is something else."""
    words = value.split()
    return len(words) if all(re.fullmatch(r"-?\d+", word) for word in words) else 0


# What a Docker host on a VM cannot be without, among what a list of modules for other machines may name.
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


def modules_problems(settings: Settings, host: Host) -> list[str]:
    name = "hardening_modules_blocked"
    needed = [
        f"{name}: {module} is needed by Docker, the firewall or the machine itself. Take it out."
        for module in settings[name]
        if any(fnmatch.fnmatchcase(str(module).replace("-", "_"), pattern) for pattern in NEEDED_MODULES)
    ]
    return needed + [
        f"{option}: {module!r} is not the name of a module. Write it as lsmod shows it."
        for option in (name, "hardening_modules_allowed")
        for module in settings[option]
        if not re.fullmatch(r"[\w-]+", str(module))
    ]


# Directories from which the system itself or Docker needs to execute, or devices.
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


def mounts_problems(settings: Settings, host: Host) -> list[str]:
    found = []
    size = str(settings["hardening_mounts_tmp_size"])
    if not re.fullmatch(r"[1-9]\d*[kKmMgG%]?", size):
        found.append(f"hardening_mounts_tmp_size: {size!r} is not a size of mount(8). Write for example 512M or 25%.")
    for path, options in settings["hardening_mounts_bound"].items():
        name = f"hardening_mounts_bound: {path!r}"
        if not re.fullmatch(r"(/[\w.-]+)+|/", str(path)) or str(path) in NOT_BOUND:
            found.append(f"{name} cannot be mounted onto itself here. Take it out.")
        elif options and not re.fullmatch(r"[a-z]+(,[a-z]+)*", str(options)):
            found.append(f"{name} has the options {options!r}. Write options of mount(8) with commas between them.")
    return found


def boot_problems(settings: Settings, host: Host) -> list[str]:
    name = "hardening_boot_parameters"
    found = [
        f"{name}: {key}={value} is not one parameter. Write name and value without blanks, quotes and dollars."
        for key, value in settings[name].items()
        if value is not None and not re.fullmatch(r"[\w.-]+=[^\s\"'$`\\]*", f"{key}={value}")
    ]
    password = settings["hardening_boot_password"]
    if password and not re.fullmatch(r"grub\.pbkdf2\.sha512\.\d+\.[0-9A-F]+\.[0-9A-F]+", password):
        found.append(
            "hardening_boot_password: not what grub-mkpasswd-pbkdf2 prints. Write its last word, from grub.pbkdf2 on."
        )
    return found


def integrity_problems(settings: Settings, host: Host) -> list[str]:
    return [
        f"{name}: {path!r} is not an absolute path. Begin it with a slash."
        for name in ("hardening_integrity_paths", "hardening_integrity_except")
        for path in settings[name]
        if not re.fullmatch(r"/[^\s]*", path)
    ]


def services_to_change(
    wanted: c.Mapping[str, str], found: c.Mapping[str, c.Mapping[str, bool]], predicted: bool
) -> dict[str, str]:
    """The units of *wanted* (``started``, ``stopped`` or ``masked``) that are otherwise.

    A unit that does not exist need not be stopped; when *predicted*, one may still be missing that is to be started.
    """

    def differs(unit: str, state: str) -> bool:
        is_ = found[unit]
        if not is_["exists"]:
            return state == "started" and not predicted
        if state == "masked":
            return not is_["masked"]
        if state == "stopped":
            return is_["enabled"] or is_["active"]
        return not ((is_["active"] or is_["skipped"]) and (is_["enabled"] or is_["static"]))

    return {unit: state for unit, state in wanted.items() if differs(unit, state)}
