"""This machine's Docker engine and the packages that the sandbox needs: used if present, else installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from sandbox.machine import mirror
from sandbox.machine.common import (
    LABEL,
    LOGS,
    NETWORK,
    ROOT,
    SUBNET,
    SandboxError,
    as_root,
    docker,
    present,
    run,
    run_long,
    say,
)  # fmt: skip

# Program or file -> the Debian and Ubuntu package that contains it.
NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "openssl": "openssl",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
NEEDED_FOR_VM = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mkfs.ext4": "e2fsprogs",
}
# The label of an engine that set-up started, whichever checkout's: the last one's clean stops it.
STARTED_HERE = f"{LABEL}=engine"
PID_FILES = {"dockerd": Path("/var/run/docker.pid"), "containerd": Path("/var/run/docker/containerd/containerd.pid")}
START_SECONDS = 60


def has(thing: str) -> bool:
    # A user's PATH lacks sbin, where root's programs are.
    return (
        Path(thing).exists()
        if thing.startswith("/")
        else bool(shutil.which(thing, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"))
    )


def install_missing(backend: str) -> None:
    """Install missing packages for a backend (container or vm), after announcing them."""
    wanted = NEEDED | (NEEDED_FOR_VM if backend == "vm" else {})
    missing = {package for thing, package in wanted.items() if not has(thing)}
    if not has("docker") or (not has("dockerd") and not answers()):
        missing |= {"docker.io", "iptables"}
        host = mirror.host_release()
        if host.get("ID") == "debian" and int(host.get("VERSION_ID", "99")) >= 13:
            missing.add("docker-cli")
    if not missing:
        return
    packages = sorted(missing)
    if not has("apt-get"):
        raise SandboxError(
            f"This machine has no apt. Install what Debian calls {', '.join(packages)}, and run this again."
        )
    say(f"Installing system packages: {' '.join(packages)}")
    apt = as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"])
    run_long("Reading the package lists", "apt-update", [*apt, "update"])
    run_long("Installing", "apt-install", [*apt, "install", "--no-install-recommends", *packages])


def answers() -> bool:
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except SandboxError as error:
        if "not running" in str(error) or "no 'docker'" in str(error):
            return False
        raise
    return True


def start() -> None:
    """Ensure a running engine: the present one, else systemd's, else one started here."""
    if answers():
        return
    by_systemd = Path("/run/systemd/system").is_dir()
    log = LOGS / "dockerd.log"
    if by_systemd:
        say("Starting the Docker engine (systemctl start docker)")
        run(as_root(["systemctl", "start", "docker"]))
    else:
        LOGS.mkdir(parents=True, exist_ok=True)
        forget_killed(PID_FILES)
        say(f"Starting the Docker engine, without systemd (log: {log.relative_to(ROOT)})")
        with log.open("w") as output:
            # In its own session and without our pipes: it outlives this run, and a CI job does not wait for it.
            subprocess.Popen(
                as_root(["dockerd", "--label", STARTED_HERE]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            end = run(["journalctl", "-u", "docker", "-n", "5"] if by_systemd else ["tail", "-n", "5", str(log)])
            raise SandboxError(f"The Docker engine did not answer within {START_SECONDS} s. The end of its log:\n{end}")
        time.sleep(0.5)


def forget_killed(pid_files: dict[str, Path]) -> None:
    """Remove pid files of killed programs: no engine starts if another process has that pid by now."""
    for program, path in pid_files.items():
        if not path.exists():
            continue
        process = Path("/proc", path.read_text().strip(), "comm")
        if not process.exists() or process.read_text().strip() != program:
            run(as_root(["rm", str(path)]))


def ensure_network() -> None:
    """Ensure the sandbox's network; SandboxError if another one has its name or its addresses."""
    wanted = f"network {SUBNET}"
    form = f'{{{{index .Labels "{LABEL}"}}}} {{{{range .IPAM.Config}}}}{{{{.Subnet}}}}{{{{end}}}}'
    found = present("network", NETWORK, form)
    if found == wanted:
        return
    if found is not None:
        raise SandboxError(
            f"A Docker network '{NETWORK}' exists that the sandbox did not make, or not with {SUBNET}. "
            f"Remove it (docker network rm {NETWORK}) and run this again."
        )
    say(f"Making the Docker network {NETWORK} ({SUBNET})")
    try:
        docker("network", "create", "--label", f"{LABEL}=network", "--subnet", SUBNET, NETWORK)
    except SandboxError as error:
        if present("network", NETWORK, form) == wanted:
            # Another checkout's set-up was quicker.
            return
        raise SandboxError(
            f"{error}\nThe sandbox needs {SUBNET}; `docker network ls` and `ip route` show who has it."
        ) from error
