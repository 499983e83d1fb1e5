"""The sandbox's base images: Debian roots from Debian packages, as images of the Docker engine and as disks of VMs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sandbox.machine import keys, mirror, vm
from sandbox.machine.common import CACHE, LABEL, as_root, docker, machine_image_note, present, run, run_long, say

HERE = Path(__file__).parent
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# The packages of a Debian cloud image on which somebody could depend.
PACKAGES = (
    "ca-certificates", "cron", "curl", "dbus", "gnupg", "iproute2", "iputils-ping", "kmod", "less", "libpam-systemd",
    "logrotate", "netbase", "openssh-server", "procps", "python3", "python3-apt", "sudo", "systemd", "systemd-sysv",
    "tzdata", "unattended-upgrades",
)  # fmt: skip
VM_PACKAGES = ("apparmor", "initramfs-tools", "libnss-myhostname", "linux-image-cloud-amd64", "udev")
# The files here that are copied into a root.
FILES = {"container": ("customize", "seed", "init"), "vm": ("customize", "seed", "initramfs", "vm-seed.service")}
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")


@dataclass(frozen=True)
class Root:
    """A Debian root: a release (trixie, bookworm) and a kind of machine (container, vm)."""

    release: str
    kind: str

    def command(self, target: str) -> list[str]:
        """The mmdebstrap command that makes it."""
        packages = [*PACKAGES, *(VM_PACKAGES if self.kind == "vm" else ())]
        return [
            "env", f"IBGW_KIND={self.kind}", "mmdebstrap",
            "--variant=minbase", f"--keyring={KEYRING}", f"--include={','.join(packages)}",
            *(f"--aptopt={option}" for option in [*mirror.reach(), 'Acquire::Languages "none";']),
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
            *([f"--essential-hook={HERE / 'initramfs'}"] if self.kind == "vm" else ()),
            f"--customize-hook={HERE / 'customize'}",
            self.release, target, *mirror.sources(self.release),
        ]  # fmt: skip

    @cached_property
    def inputs(self) -> str:
        """Hash of its inputs: the command, without this checkout's path, and the files copied in."""
        digest = hashlib.sha256(json.dumps([word.replace(str(HERE), "") for word in self.command("-")]).encode())
        for name in FILES[self.kind]:
            digest.update((HERE / name).read_bytes())
        return digest.hexdigest()

    def build(self) -> Path:
        """Its tar, from the cache if possible."""
        name = f"root-{self.release}-{self.kind}"
        tar = CACHE / f"{name}-{self.inputs[:16]}.tar"
        if not tar.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            for old in CACHE.glob(f"{name}-*"):
                old.unlink()
            new = tar.with_suffix(".new.tar")
            title = f"Building Debian {self.release} for the {self.kind} machine, from Debian packages"
            run_long(title, name, as_root(self.command(str(new))))
            new.replace(tar)
        return tar


def ensure_machine_image(release: str) -> None:
    """Ensure a release's machine image in the engine, built from the present checkout and mirror.

    Its tag is that of its inputs: no other checkout's set-up gives a checkout's machines another image.
    """
    root = Root(release, "container")
    tag = f"ibgw-sandbox-machine:{release}-{root.inputs[:16]}"
    if not present("image", tag, "{{.Id}}"):
        tar = root.build()
        say(f"Importing {tag} into the Docker engine")
        changes = [
            'CMD ["/usr/local/sbin/sandbox-init"]',
            "ENV container=docker",
            f"LABEL {LABEL}=image",
        ]
        docker("import", *(word for change in changes for word in ("--change", change)), str(tar), tag)
    keys.write(machine_image_note(release), f"{tag}\n")


def ensure_vm_base(release: str) -> None:
    """Ensure the kernel, initrd and disk of a release's VM, in .sandbox/cache/vm-<release>."""
    root = Root(release, "vm")
    base = CACHE / f"vm-{release}-{root.inputs[:16]}"
    if not base.exists():
        tar = root.build()
        new = base.with_name(f".{base.name}")
        run(as_root(["rm", "-rf", str(new)]))
        run_long(
            "Making a disk of it",
            f"disk-{release}",
            as_root([str(HERE / "disk"), str(tar), str(new), str(os.getuid())]),
        )
        new.rename(base)
        tar.unlink()
    link = CACHE / f"vm-{release}"
    if not link.is_symlink() or link.readlink() != Path(base.name):
        link.unlink(missing_ok=True)
        link.symlink_to(base.name)
    # A VM's disk is an overlay on its base, which is removed after its last VM.
    kept = {base.name} | {json.loads(record.read_text())["base"] for record in vm.MACHINES.glob("*/options.json")}
    for old in CACHE.glob(f"vm-{release}-*"):
        if old.name not in kept:
            shutil.rmtree(old)
