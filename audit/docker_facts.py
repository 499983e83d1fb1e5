"""Print the facts for the Docker checks as JSON. Runs on the audited machine, as root, with its own Python."""

from __future__ import annotations

import glob
import grp
import json
import os
import pwd
import stat
import subprocess

UNITS = ("/etc/systemd/system/", "/lib/systemd/system/")
PATHS = (
    "/etc/containerd/config.toml",
    "/etc/default/docker",
    "/etc/docker",
    "/etc/docker/daemon.json",
    "/etc/sysconfig/docker",
    "/run/containerd/containerd.sock",
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim",
    "/usr/bin/containerd-shim-runc-v1",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/bin/runc",
    "/var/lib/docker",
    "/var/run/docker.sock",
)


def output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def unit(name: str) -> str:
    return next((place + name for place in UNITS if os.path.isfile(place + name)), "")


def attributes(path: str) -> dict[str, object] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    owner, group = pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name
    return {"mode": stat.S_IMODE(found.st_mode), "owner": f"{owner}:{group}"}


def rules() -> str:
    """The audit rules in force; without auditctl, those on disk."""
    if any(os.access(f"{place}/auditctl", os.X_OK) for place in ("/usr/sbin", "/sbin")):
        return output("auditctl", "-l")
    return "\n".join(line for line in text("/etc/audit/audit.rules").splitlines() if line[:1] not in ("", "#", ";"))


info = json.loads(output("docker", "info", "--format", "{{json .}}") or "{}")
root = info.get("DockerRootDir") or "/var/lib/docker"
if any("userns" in option for option in info.get("SecurityOptions") or []):
    root = os.path.realpath(f"{root}/..")
certificates = [path for path in glob.glob("/etc/docker/certs.d/**/*.crt", recursive=True) if os.path.isfile(path)]
daemon = output("pgrep", "--newest", "--full", "dockerd").split()
files = {path: attributes(path) for path in (*PATHS, *certificates)}
files.update({f"unit {name}": attributes(unit(name)) for name in ("docker.service", "docker.socket") if unit(name)})
print(
    json.dumps(
        {
            "info": info,
            "settings": json.loads(text("/etc/docker/daemon.json") or "{}"),
            "arguments": text(f"/proc/{daemon[0]}/cmdline").split("\0") if daemon else [],
            "rules": rules(),
            "units": {name: unit(name) for name in ("docker.service", "docker.socket")},
            "files": files,
            "certificates": certificates,
            "root_is_mounted": os.path.ismount(root) or f" {root} " in text("/proc/self/mountinfo"),
            "content_trust": os.environ.get("DOCKER_CONTENT_TRUST", ""),
            "group": output("getent", "group", "docker").strip().rpartition(":")[2],
        }
    )
)
