"""No lock-out, ever: thirty bad configurations of sshd and of the firewall, and cuts at every step.

Each is put in place by guarded_files as a wrong role would: past the refusals, most of them past validation. After each
a new login works within a minute, the files are as they were, and the run, or the next one, says what was put back.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sandbox.machine.common import ROOT, docker, docker_command
from tests.sandbox.conftest import HERE, SLOT, Machine, changed

pytestmark = pytest.mark.parametrize("machine", ["trixie"], indirect=True)

SSHD = "/etc/ssh/sshd_config.d/10-ibgw.conf"
FIREWALL = "/etc/nftables.conf"
RESTART = "sh -c 'systemctl reset-failed ssh.service; systemctl restart ssh.service'"
LOAD = "nft -f /etc/nftables.conf"
# The host goes back so soon, that thirty of these last minutes.
SECONDS = 4
LIMIT = 60.0
RULES = """table inet ibgw
delete table inet ibgw
table inet ibgw {
    chain input {
        type filter hook input priority filter; policy POLICY;
        RULE
    }
}
"""


@dataclass(frozen=True)
class Fault:
    """Return arguments of the module that lock somebody out; *cut* kills the controller at that step."""

    name: str
    content: str
    path: str = SSHD
    commands: tuple[str, ...] = (RESTART,)
    validate: tuple[str, ...] = ()
    # Before and after the run, on the machine.
    before: str = ""
    after: str = ""
    cut: str = ""
    # Part of what the run, or when it was cut the next one, says.
    says: str = "put back as it was"

    def arguments(self) -> dict[str, Any]:
        file = {"path": self.path, "content": self.content, "mode": "0600", "commands": list(self.commands)}
        undo = [LOAD] if self.path == FIREWALL else [RESTART]
        return {"files": [file], "validate": list(self.validate), "undo": undo, "seconds": SECONDS}


def sshd(name: str, content: str, **rest: Any) -> Fault:
    return Fault(name, f"{content}\n", **rest)


def firewall(name: str, rule: str, policy: str = "drop", **rest: Any) -> Fault:
    content = RULES.replace("POLICY", policy).replace("RULE", rule)
    return Fault(name, content, FIREWALL, (LOAD,), **rest)


def syntax(chance: random.Random) -> Fault:
    line = chance.choice(
        ["PermitRotLogin no", "Port", "Ciphers rot13", "Match User", "PermitOpen", "AllowUsers", "Port 99999"]
    )
    return sshd(f"a line that sshd does not understand: {line}", line)


def syntax_validated(chance: random.Random) -> Fault:
    line = chance.choice(["MaxAuthTries many", "KexAlgorithms none-such", "LogLevel LOUD"])
    return sshd(f"a line that sshd -t refuses: {line}", line, validate=("/usr/sbin/sshd -t",))


def dead(chance: random.Random) -> Fault:
    line = chance.choice(["Ciphers rot13", "HostKey"])
    return sshd("sshd dies of its settings", line, commands=("sh -c 'kill -HUP $(cat /run/sshd.pid)'",))


def wrong_users(chance: random.Random) -> Fault:
    name = "".join(chance.choices("abcdefgh", k=6))
    return sshd(
        "nobody is let in",
        chance.choice([f"AllowUsers {name}", f"AllowGroups {name}", "DenyUsers oper*", f"AllowUsers *@{name}"]),
    )


def wrong_port(chance: random.Random) -> Fault:
    return sshd("another port", f"Port {chance.randrange(1024, 60000)}")


def no_keys(chance: random.Random) -> Fault:
    return sshd(
        "no way to authenticate",
        chance.choice(
            ["PubkeyAuthentication no", "AuthorizedKeysFile none", "PubkeyAcceptedAlgorithms rsa-sha2-512",
             "AuthenticationMethods password"]
        ),
    )  # fmt: skip


def no_session(chance: random.Random) -> Fault:
    return sshd(
        "a login without a session",
        chance.choice(["ForceCommand /bin/false", "MaxSessions 0", "ChrootDirectory /nowhere"]),
    )


def lacking(chance: random.Random) -> Fault:
    line = chance.choice(
        ["KexAlgorithms diffie-hellman-group1-sha1", "Ciphers 3des-cbc", "MACs hmac-md5-96\nCiphers aes256-ctr",
         "HostKeyAlgorithms ssh-rsa"]
    )  # fmt: skip
    return sshd(f"algorithms that the client lacks: {line.split()[1]}", line)


def no_ssh(chance: random.Random) -> Fault:
    rule = chance.choice(
        ["ct state established accept", "tcp dport 443 accept", "ip saddr 192.0.2.0/24 tcp dport 22 accept", ""]
    )
    return firewall("a firewall without SSH", rule)


def no_established(chance: random.Random) -> Fault:
    rule = chance.choice(["ct state established drop", "tcp dport 22 ct state != new drop"])
    return firewall("a firewall that drops what is established", rule, policy="accept")


def rejecting(chance: random.Random) -> Fault:
    return firewall("a firewall that resets SSH", "tcp dport 22 reject with tcp reset", policy="accept")


def bad_rules(chance: random.Random) -> Fault:
    rule = chance.choice(["tcp dport ssh accpet", "}", "ip saddr 10.0.0.0/99 accept", "jump nowhere"])
    validate = chance.choice([(), ("nft --check --file /etc/nftables.conf",)])
    return firewall(f"rules that nft refuses: {rule}", rule, validate=validate)


# All of /etc on a disk of its own, so that it can be full.
SMALL = """mkdir -p /mnt/etc && mount -t tmpfs -o size=16m tmpfs /mnt/etc && cp -a /etc/. /mnt/etc/ &&
mount --bind /mnt/etc /etc && systemctl daemon-reload"""
FILL = "dd if=/dev/zero of=/etc/filler bs=4k"
LARGE = "umount -l /etc; umount -l /mnt/etc; systemctl daemon-reload; systemctl restart ssh.service"


def full_disk(chance: random.Random) -> Fault:
    """Met while the new files are written: nothing has changed yet."""
    before = f"sudo sh -c '{SMALL}; {FILL} 2>/dev/null; true'"
    size = chance.randrange(1, 40) * 1000
    return sshd(
        "a disk that is full",
        "# " + "x" * size,
        before=before,
        after=f"sudo sh -c '{LARGE}'",
        says="Nothing was changed",
    )


def filling_disk(chance: random.Random) -> Fault:
    """Full once the new files are there: the way back takes no space."""
    return sshd(
        "a disk that gets full on the way",
        f"AllowUsers {chance.choice(['nobody', 'somebody'])}",
        commands=(f"sh -c '{FILL}; true'", RESTART),
        before=f"sudo sh -c '{SMALL}'",
        after=f"sudo sh -c '{LARGE}'",
    )


def session_killed(chance: random.Random) -> Fault:
    """The connection ends under the module's feet, in a step by chance."""
    kill = "pkill -KILL -u operator sshd"
    step = chance.choice(["validate", "commands"])
    bad = chance.choice(["AllowUsers nobody", "MaxAuthTries 4"])
    if step == "validate":
        return sshd("the connection is cut while it is validated", bad, validate=(kill,))
    return sshd("the connection is cut while it takes effect", bad, commands=(RESTART, kill))


def module_killed(chance: random.Random) -> Fault:
    """kill -9 of the process that changes the files."""
    kill = "sh -c 'kill -KILL $PPID'"
    if chance.random() < 0.5:
        return sshd("the module is killed before the change takes effect", "AllowUsers nobody", validate=(kill,))
    return sshd("the module is killed after", "AllowUsers nobody", commands=(RESTART, kill))


def controller_killed(chance: random.Random) -> Fault:
    """kill -9 of everything on this side; the host is alone with a change that shuts it."""
    step = chance.choice(["staged", "armed", "applied"])
    slow = ("sleep 2",)
    return sshd(
        f"the controller is killed: {step}",
        "AllowUsers nobody",
        validate=slow if step == "armed" else (),
        commands=(RESTART, *slow) if step == "applied" else (RESTART,),
        cut=step,
        says="did not last" if step != "staged" else "",
    )


KINDS: list[Callable[[random.Random], Fault]] = [
    syntax, syntax_validated, dead, wrong_users, wrong_port, no_keys, no_session, lacking, no_ssh, no_established,
    rejecting, bad_rules, full_disk, filling_disk, session_killed, module_killed, controller_killed,
]  # fmt: skip
FAULTS = [KINDS[seed % len(KINDS)](random.Random(seed)) for seed in range(30)]


@dataclass
class Run:
    """A run of guarded.yml, and its output."""

    machine: Machine
    change: dict[str, Any]
    output: str = field(default="")

    def start(self) -> subprocess.Popen[str]:
        names = {"SANDBOX_SLOT": str(SLOT), "SANDBOX_RELEASE": self.machine.release, "SANDBOX_BACKEND": "container"}
        program = Path(sys.executable).with_name("ansible-playbook")
        extra = json.dumps({"change": self.change, "ansible_timeout": 3})
        return subprocess.Popen(
            [str(program), str(HERE / "guarded.yml"), "-l", "paper", "-e", extra],
            cwd=ROOT,
            env=os.environ | names | {"LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def whole(self) -> str:
        # Warnings are wrapped, where there is no terminal after 79 letters.
        self.output = " ".join(self.start().communicate()[0].split())
        return self.output


def login_within(machine: Machine, seconds: float) -> float:
    """How long until a new login works; the test fails when it takes longer. Few tries, as a person would."""
    begin = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            if machine.ssh("true", timeout=8).returncode == 0:
                return time.monotonic() - begin
        assert time.monotonic() - begin < seconds, "no login works"
        time.sleep(2)


def state(machine: Machine) -> str:
    """The files in question, the rules in force, and nothing of ours left beside them."""
    files = f"sudo sha256sum {SSHD} {FIREWALL}; sudo stat -c '%n %a %U' {SSHD} {FIREWALL}"
    return machine.run(
        f"{files}; sudo nft -s list chain inet ibgw input; sudo ls -A /etc/ssh/sshd_config.d /etc/ibgw/rollback"
    )


@pytest.fixture(scope="module")
def good(machine: Machine) -> str:
    """The machine as the role leaves it."""
    machine.play("hardened.yml", "--tags", "hardening_ssh,hardening_firewall")
    return state(machine)


def kill_when(run: Run, seen: str) -> None:
    """kill -9 of all of the controller once a command on the machine succeeds, asked not by SSH, which may be shut."""
    process = run.start()
    look = docker_command("exec", run.machine.name, "sh", "-c", seen)
    while process.poll() is None and subprocess.run(look, capture_output=True).returncode:
        pass
    assert process.poll() is None, process.communicate()[0]
    # Each worker leads a session of its own.
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.killpg(process.pid, signal.SIGKILL)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(worker), signal.SIGKILL)
    process.communicate()


ARMED = "ls -d /etc/ibgw/rollback/*.armed"
SEEN = {"staged": "true", "armed": ARMED, "applied": f"{ARMED} && sshd -T | grep -q 'allowusers nobody'"}


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{seed:02}-{fault.name}" for seed, fault in enumerate(FAULTS)])
def test_the_host_goes_back(machine: Machine, good: str, fault: Fault) -> None:
    if fault.before:
        machine.run(fault.before)
    run = Run(machine, fault.arguments())
    if fault.cut:
        kill_when(run, SEEN[fault.cut])
    else:
        run.whole()
    begin = time.monotonic()
    login_within(machine, LIMIT)
    if fault.cut:
        # The next run's report, for the same name and without changes.
        file = {"path": FIREWALL, "content": machine.run(f"sudo cat {FIREWALL}") + "\n", "mode": "0600"}
        time.sleep(max(0, SECONDS + 1 - (time.monotonic() - begin)))
        run = Run(machine, {"files": [file], "seconds": SECONDS})
        run.whole()
    found = state(machine)
    if fault.after:
        machine.run(fault.after)
    assert fault.says.lower() in run.output.lower(), run.output
    assert fault.says != "put back as it was" or fault.path in run.output, run.output
    assert found == good


def test_a_reboot_before_the_proof(machine: Machine, good: str) -> None:
    run = Run(machine, sshd("a reboot", "AllowUsers nobody").arguments() | {"seconds": 600})
    kill_when(run, ARMED)
    docker("restart", "--time", "20", machine.name)
    login_within(machine, LIMIT)
    # The last thing that it does is to reload systemd.
    assert machine.run("systemctl show --value --property=Result ibgw-rollback.service") == "success"
    file = {"path": FIREWALL, "content": machine.run(f"sudo cat {FIREWALL}") + "\n", "mode": "0600"}
    assert "did not last: it was restarted" in Run(machine, {"files": [file], "seconds": SECONDS}).whole()
    assert state(machine) == good


def test_a_good_change_is_kept_and_then_costs_no_login(machine: Machine, good: str) -> None:
    # Time enough to prove it, however busy the controller is.
    change = sshd("good", machine.run(f"sudo cat {SSHD}") + "\n# More.").arguments() | {"seconds": 60}
    assert changed(Run(machine, change).whole()) == 1
    logins = "sudo journalctl -u ssh.service --output cat | grep -c 'Accepted publickey'"
    before = int(machine.run(logins))
    assert changed(Run(machine, change).whole()) == 0
    # The run's own login and this test's.
    assert int(machine.run(logins)) <= before + 2
