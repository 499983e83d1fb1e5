"""The state of this machine that a run in the sandbox must not change: save it before, compare it after.

    python3 -m sandbox.machine.host_state save FILE
    python3 -m sandbox.machine.host_state compare FILE      # lists what differs; status 1 when something does

A snapshot is {part: {name: value}}. Run it as root: other users cannot see the firewall, audit rules and some settings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from sandbox.machine.common import LABEL, docker

Part = dict[str, str]
Snapshot = dict[str, Part]

# Counters, random numbers and per-process views, which change by themselves; and values of single network interfaces,
# because Docker makes and removes those.
VOLATILE = re.compile(
    r"fs/(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota/|binfmt_misc/)|kernel/(ns_last_pid|pty/nr|random/|sched_domain)"
    r"|kernel/perf_event_max_sample_rate|net/.*/(conf|neigh)/(?!all/|default/)|net/netfilter/nf_conntrack_count"
    r"|vm/(compact_memory|drop_caches|stat_refresh)"
)
# Modules that the kernel loads on demand for Docker or a packet filter.
ON_DEMAND = re.compile(
    r"(br_netfilter|bridge|ip6?_tables|ip6?t_|iptable_|ip6table_|llc|nf_|nfnetlink|nft_|overlay|stp|veth|x_tables|xt_)"
)
CONFIGURATION = (
    "/etc/audit",
    "/etc/docker",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/modprobe.d",
    "/etc/ssh",
    "/etc/sysctl.conf",
    "/etc/sysctl.d",
)
CHAIN_COUNTERS = re.compile(r" ?\[\d+:\d+\]")
CLOCK_TOLERANCE_SECONDS = 5.0


def sysctls() -> Part:
    root = Path("/proc/sys")
    values = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and not VOLATILE.match(name):
            try:
                values[name] = path.read_text(errors="replace").strip()
            except OSError:
                # Some are write-only, others are for other hardware.
                continue
    return values


def modules() -> Part:
    loaded = Path("/proc/modules")
    names = [line.split()[0] for line in loaded.read_text().splitlines()] if loaded.exists() else []
    return {name: "loaded" for name in names if not ON_DEMAND.match(name)}


def firewall() -> Part:
    """Rules other than Docker's, which has its own chains and a rule for each of its bridges."""
    rules: Part = {}
    for program in ("iptables-save", "ip6tables-save"):
        table = ""
        for line in _output(program).splitlines():
            table = line if line.startswith("*") else table
            if line.startswith(("-A", ":")) and not re.search(
                r"DOCKER|docker0|br-[0-9a-f]{12}|172\.1[6-9]\.|10\.211\.", line
            ):
                rules[f"{program} {table} {CHAIN_COUNTERS.sub('', line)}"] = "present"
    for line in _output("nft", "list", "tables").splitlines():
        family, name = line.split()[1:3]
        # The iptables programs' rules are above.
        if (family, name) not in {
            (f, n) for f in ("ip", "ip6") for n in ("filter", "mangle", "nat", "raw", "security")
        }:
            rules[f"nft {family} {name}"] = _output("nft", "--stateless", "list", "table", family, name)
    return rules


def audit() -> Part:
    return {"rules": _output("auditctl", "-l")}


def docker_objects() -> Part:
    """Objects without the sandbox's label, by id and name."""
    kinds = {
        "container": ["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"],
        "volume": ["volume", "ls", "--format", "{{.Name}}"],
        "network": ["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"],
        "image": ["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"],
    }
    found: Part = {}
    for kind, command in kinds.items():
        ours = set(docker(*command, "--filter", f"label={LABEL}").splitlines())
        found |= {f"{kind} {line}": "present" for line in docker(*command).splitlines() if line not in ours}
    return found


def files(places: Iterable[Path]) -> Part:
    """Mode and hash of every file at or under some places."""
    found = {}
    for place in places:
        for path in [place, *sorted(place.rglob("*"))]:
            if path.is_file():
                found[str(path)] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


def mounts() -> Part:
    lines = Path("/proc/mounts").read_text().splitlines()
    words = [line.split() for line in lines]
    return {
        f"{w[1]} {w[2]}": w[3]
        for w in words
        if not w[1].startswith(("/var/lib/docker", "/run/docker", "/var/run/docker"))
    }


def snapshot() -> Snapshot:
    profiles = Path("/sys/kernel/security/apparmor/profiles")
    return {
        "sysctl": sysctls(),
        "module": modules(),
        "audit": audit(),
        "firewall": firewall(),
        "docker": docker_objects(),
        "ssh": files({Path.home() / ".ssh", Path("/root/.ssh")}),
        "configuration": files(Path(place) for place in CONFIGURATION),
        "mount": mounts(),
        "apparmor": dict.fromkeys(profiles.read_text().splitlines(), "loaded") if profiles.exists() else {},
        "name": {"hostname": socket.gethostname()},
        # Wall clock minus uptime: changes only when somebody sets the clock.
        "clock": {"offset": f"{time.time() - time.monotonic():.1f}"},
    }


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """One line for each difference."""
    lines = []
    for part in before:
        old, new = before[part], after.get(part, {})
        for name in sorted(old.keys() | new.keys()):
            if part == "clock" and abs(float(old[name]) - float(new[name])) < CLOCK_TOLERANCE_SECONDS:
                continue
            if old.get(name) != new.get(name):
                lines.append(f"{part}: {name}: {old.get(name, 'absent')!s} -> {new.get(name, 'absent')!s}")
    return lines


def _output(*command: str) -> str:
    """The output of a program; empty if it is missing or not permitted."""
    if not shutil.which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["save", "compare"])
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.action == "save":
        arguments.file.write_text(json.dumps(snapshot(), indent=1, sort_keys=True))
        return 0
    lines = differences(json.loads(arguments.file.read_text()), snapshot())
    print("\n".join(lines) or "this machine is as it was")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
