"""The audited machine: made by the project's own playbooks, reached over SSH like Ansible does."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# An emulated machine is an order of magnitude slower than the slowest rented one.
PATIENCE_SECONDS = 3600
BOOT_SECONDS = 900
# Ansible's login variables.
CONNECTION = {
    "address": "ansible_host | default(inventory_hostname)",
    "port": "ansible_port | default(22)",
    "user": "ansible_user | default('')",
    "key": "ansible_ssh_private_key_file | default('')",
    "options": "ansible_ssh_common_args | default('')",
}


class AuditError(Exception):
    """An action failed; the message says why."""


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


@dataclass
class Machine:
    """An inventory host; `environment` chooses the sandbox's backend, release and slot."""

    host: str
    environment: dict[str, str]

    def playbook(self, *arguments: str) -> None:
        """Run a playbook on this host, showing its output live."""
        command = [str(BIN / "ansible-playbook"), "-l", self.host, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment())
        if done.returncode != 0:
            raise AuditError(f"ansible-playbook {' '.join(arguments)} ended with status {done.returncode}")

    def set_up(self) -> None:
        """Set up the sandbox's parts for this machine."""
        if subprocess.run([str(ROOT / "sandbox" / "setup")], cwd=ROOT, env=self._environment()).returncode != 0:
            raise AuditError("sandbox/setup failed")

    def run(self, script: str, stdin: str | bytes = b"", check: bool = True) -> str:
        """The standard output of a shell script run as root on the machine."""
        command = [*self._ssh, f"sudo -n sh -c {shlex.quote(script)}"]
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(command, input=given, capture_output=True, timeout=PATIENCE_SECONDS)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise AuditError(
                f"on {self.host}, `{script.strip().splitlines()[-1]}` failed ({done.returncode}): {said[-2000:]}"
            )
        return done.stdout.decode(errors="replace")

    def install(self, *packages: str) -> None:
        """Install missing Debian packages."""
        names = " ".join(packages)
        self.run(f"""
            dpkg-query --show --showformat='${{db:Status-Abbrev}}\\n' {names} 2>/dev/null >/run/ibgw-audit.state &&
                ! grep -qv '^.i' /run/ibgw-audit.state && rm /run/ibgw-audit.state && exit
            rm -f /run/ibgw-audit.state
            export DEBIAN_FRONTEND=noninteractive
            apt-get -qq update && apt-get -qq -y --no-install-recommends install {names} >&2""")

    def version(self, package: str) -> str:
        return self.run(f"dpkg-query --show --showformat='${{Version}}' {package}")

    @cached_property
    def codename(self) -> str:
        """The release's name: bookworm, trixie"""
        return self.run(". /etc/os-release; printf %s $VERSION_CODENAME")

    def reboot(self) -> None:
        """Restart the machine and wait for another boot id; impossible for a container."""
        if self.run("systemd-detect-virt --container || true").strip() != "none":
            return
        before = self.boot_id()
        self.run("systemctl reboot", check=False)
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(5)
            try:
                if self.boot_id() != before:
                    # Judges look at running services: everything that starts at boot must have started.
                    self.run("systemctl is-system-running --wait", check=False)
                    return
            except (AuditError, subprocess.TimeoutExpired):
                continue
        raise AuditError(f"{self.host} did not come back within {BOOT_SECONDS} s of its reboot")

    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id")

    @property
    def address(self) -> tuple[str, int]:
        return self._connection["address"], int(self._connection["port"])

    def _environment(self) -> dict[str, str]:
        # On an emulated machine, sudo alone can take longer than the default of 10 s.
        words = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "ANSIBLE_TIMEOUT": "90"}
        return {**os.environ, **words, **self.environment}

    @cached_property
    def _connection(self) -> dict[str, str]:
        template = ", ".join(f"'{name}': ({value}) | string" for name, value in CONNECTION.items())
        words = ["-m", "ansible.builtin.debug", "-a", f"msg={{{{ {{{template}}} }}}}"]
        as_json = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
        command = [str(BIN / "ansible"), self.host, *words]
        done = subprocess.run(command, cwd=ROOT, env=self._environment() | as_json, capture_output=True, text=True)
        try:
            connection: dict[str, str] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][self.host]["msg"]
        except (ValueError, LookupError) as error:
            raise AuditError(f"no inventory host {self.host}: {done.stderr.strip() or done.stdout.strip()}") from error
        return connection

    @cached_property
    def _ssh(self) -> list[str]:
        to = self._connection
        key = ["-i", to["key"]] if to["key"] else []
        user = f"{to['user']}@" if to["user"] else ""
        alive = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=30"]
        return ["ssh", *shlex.split(to["options"]), *alive, *key, "-p", str(to["port"]), f"{user}{to['address']}"]
