"""A sandbox machine as a QEMU VM with its own kernel, by KVM where that works, else by emulation."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from sandbox.machine import keys
from sandbox.machine.common import CACHE, STATE, SandboxError, run, say

MACHINES = STATE / "vm"
QEMU = "qemu-system-x86_64"
ACCELERATOR = STATE / "accelerator"
PROBE_SECONDS = 5
# A boot sector that writes 16 to the debug port, at which QEMU exits with status 2 * 16 + 1.
PROBE_SECTOR = b"\xb0\x10\xe6\xf4\xf4".ljust(510, b"\0") + b"\x55\xaa"
PROBE_STATUS = 33


def accelerator() -> str:
    """kvm or tcg (emulation), as set-up has found."""
    if not ACCELERATOR.exists():
        works = kvm_works()
        say(
            "VMs run on KVM"
            if works
            else "VMs are emulated, because KVM does not run a guest here; a boot takes about a minute"
        )
        keys.write(ACCELERATOR, "kvm" if works else "tcg")
    return ACCELERATOR.read_text()


def kvm_works() -> bool:
    """Whether KVM runs a guest; /dev/kvm alone does not show that: with incomplete virtualisation, it hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    sector = STATE / "probe.img"
    sector.write_bytes(PROBE_SECTOR)
    command = [QEMU, "-accel", "kvm", "-m", "16", "-nodefaults", "-display", "none", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4", "-drive", f"file={sector},format=raw,readonly=on"]  # fmt: skip
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    finally:
        sector.unlink()
    return done.returncode == PROBE_STATUS


def base(release: str) -> Path:
    """The directory with a release's kernel, initrd and disk, which set-up makes; its name changes with its content."""
    link = CACHE / f"vm-{release}"
    if not link.exists() or not shutil.which(QEMU):
        raise SandboxError(f"There is no VM image of Debian {release}. Run `make setup BACKEND=vm`, which builds it.")
    return link.resolve()


def inspect(name: str) -> dict[str, Any] | None:
    """{running, made_from} of a VM, None without one."""
    record = MACHINES / name / "options.json"
    if not record.exists():
        return None
    return {"running": _pid(name) is not None, "made_from": json.loads(record.read_text())}


def wanted(options: dict[str, Any]) -> dict[str, Any]:
    """A VM's properties for comparison: the role's options, the base's name, and this checkout's key."""
    return options | {"base": base(options["release"]).name, "key": keys.fingerprint()}


def made_from(found: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = found["made_from"]
    return options


def create(options: dict[str, Any]) -> None:
    """Make a disk as an overlay on the base's, and start the VM."""
    if platform.machine() != "x86_64":
        raise SandboxError(
            f"The vm backend is for x86_64 machines, this one is {platform.machine()}. Use the container backend."
        )
    name = options["name"]
    place = MACHINES / name
    place.mkdir(parents=True, exist_ok=True)
    backing = CACHE / options["base"] / "disk.img"
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(backing), str(place / "disk.qcow2")])
    keys.write(place / "options.json", json.dumps(options, sort_keys=True))
    try:
        start(name)
    except SandboxError:
        remove(name)
        raise


def start(name: str) -> None:
    place = MACHINES / name
    options = json.loads((place / "options.json").read_text())
    files = CACHE / options["base"]
    kernel_line = f"root=LABEL=sandbox rw fsck.mode=skip console=ttyS0 systemd.hostname={options['hostname']}"
    accel = accelerator()
    # With emulation, a second processor may execute the old version of an instruction that Linux has just patched:
    # "Oops: int3".
    cpus = {"kvm": options["cpus"], "tcg": 1}[accel]
    command = [
        QEMU, "-name", name, "-accel", accel, "-cpu", {"kvm": "host", "tcg": "max"}[accel],
        "-m", str(options["memory_mb"]), "-smp", str(cpus),
        "-nodefaults", "-display", "none", "-serial", f"file:{place / 'console.log'}",
        "-kernel", str(files / "vmlinuz"), "-initrd", str(files / "initrd.img"), "-append", kernel_line,
        # Like a container, a sandbox machine need not survive a crash of its host: no flushes.
        "-drive", f"file={place / 'disk.qcow2'},format=qcow2,if=virtio,cache=unsafe",
        "-drive", f"file={keys.SEED},format=raw,if=none,id=seed,readonly=on",
        "-device", "virtio-blk-pci,drive=seed,serial=seed",
        "-netdev", f"user,id=net,hostfwd=tcp:{options['address']}:{options['port']}-:22",
        "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci",
        "-pidfile", str(place / "pid"), "-daemonize",
    ]  # fmt: skip
    try:
        run(command)
    except SandboxError as error:
        if "host forwarding rule" in str(error):
            raise SandboxError(
                f"Port {options['port']} of {options['address']} is in use (`ss -ltnp` shows by whom). "
                f"Free it, or use another slot (SANDBOX_SLOT=5)."
            ) from error
        raise


def remove(name: str) -> bool:
    """End a VM and remove its disk; False when there is none."""
    place = MACHINES / name
    if not place.exists():
        return False
    pid = _pid(name)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        while _pid(name) is not None:
            time.sleep(0.05)
    shutil.rmtree(place)
    return True


def _pid(name: str) -> int | None:
    """The process of a VM; None if it has ended, even if another process has its pid by now."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((MACHINES / name / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(MACHINES / name / "pid").encode() in words:
            return pid
    return None
