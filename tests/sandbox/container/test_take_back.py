"""The hardening is taken back: the host has its own files again. The tests build on one another."""

from __future__ import annotations

import json

from sandbox.machine.common import docker
from tests.sandbox.conftest import Machine, changed

# Of each file and link: mode, owner, target, and the digest of its content.
LOOK = (
    "find /etc /usr/share/pam-configs /usr/local/sbin -type l -printf '%p %l\\n' "
    "-o -type f -printf '%p %m %U %G ' -exec sh -c 'sha256sum <$1' - {} \\;"
)
# With Debian's own settings these need a kernel of their own, which a container has not.
WITHOUT_KERNEL = {"acct.service", "audit-rules.service", "auditd.service"}
MINE = "/etc/login.defs"
_SEEN: dict[str, str] = {}


def look(machine: Machine) -> dict[str, str]:
    lines = machine.run(f'sudo sh -c "{LOOK.replace("$", chr(92) + "$")}"').splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_a_host_is_hardened_and_keeps_its_own_files(machine: Machine) -> None:
    machine.make()
    _SEEN.clear()
    _SEEN.update(look(machine))
    machine.play("hardened.yml")
    hardened = look(machine)
    assert changed(machine.play("taken_back.yml", "--check")) > 0
    assert look(machine) == hardened


def test_it_is_taken_back(machine: Machine) -> None:
    kept = json.loads(machine.run("sudo cat /var/lib/ibgw/originals/index.json"))["originals"]
    kinds = {each["path"]: each["kind"] for each in kept}
    machine.run(f"echo '# mine' | sudo tee -a {MINE}")
    assert MINE in machine.play("taken_back.yml")
    now = look(machine)
    # Files of packages that came with the hardening are Debian's again.
    packaged = {path for path, kind in kinds.items() if kind == "content" and path not in _SEEN}
    assert packaged <= now.keys()
    assert packaged.isdisjoint(machine.run("sudo dpkg --verify || true").split())
    theirs = kinds.keys() - packaged - {MINE}
    assert {path: now.get(path) for path in theirs} == {path: _SEEN.get(path) for path in theirs}
    assert {path for path in now if "ibgw" in path} == set()
    for profile in ("auth", "account", "password", "session"):
        assert now[f"/etc/pam.d/common-{profile}"].split()[-1] == _SEEN[f"/etc/pam.d/common-{profile}"].split()[-1]


def test_it_is_open_and_whole_after_a_restart(machine: Machine) -> None:
    assert machine.run("sudo -n id -u") == "0"
    assert "ibgw" not in machine.run("sudo nft list tables")
    docker("restart", machine.name)
    machine.make()
    machine.run("sudo systemctl is-system-running --wait || true")
    failed = machine.run("systemctl list-units --failed --plain --no-legend | cut -d ' ' -f 1").split()
    assert set(failed) <= WITHOUT_KERNEL
    assert changed(machine.play("taken_back.yml")) == 0


def test_it_can_be_hardened_again(machine: Machine) -> None:
    machine.play("hardened.yml")
    assert "inet ibgw" in machine.run("sudo nft list tables")
