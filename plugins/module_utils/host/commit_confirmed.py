# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace files that could lock everybody out, on trial: the host itself restores them unless a new login confirms
them.

A kit is a directory ``<name>-<token>.<state>`` that holds hard links to the old files and a script that renames them
back, which takes neither Python nor disk space. Its name ends in its state, so that one rename decides between keeping
and rolling back, whoever comes first:

    new     being filled
    armed   systemd rolls back when the time is over, and at boot
    kept    confirmed, about to be removed
    undo    rolling back
    undone-time, undone-boot, undone-fault    rolled back, and why; removed once a run has reported it
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import time
import typing as t

from ..agent import files, record_file
from . import facts

ROOT = "/etc/ibgw/rollback"
UNITS = "/etc/systemd/system"
BOOT_UNIT = "ibgw-rollback.service"
# How long a running script may take, its commands included.
UNDO_SECONDS = 60.0

WHY = {
    "time": "no new login had proven the change in time",
    "boot": "it was restarted before a new login had proven the change",
    "fault": "the change failed on the host",
}


class GuardError(Exception):
    """The change was refused or rolled back; ``rolled_back`` names the files that were changed temporarily."""

    def __init__(self, text: str, rolled_back: c.Sequence[str] = ()) -> None:
        super().__init__(text)
        self.rolled_back = list(rolled_back)


class Change:
    """One path that is not as wanted."""

    def __init__(self, entry: files.Entry, found: files.State, wanted: files.State) -> None:
        self.path, self.found, self.wanted = entry.path, found, wanted
        self.difference = entry.difference(found, wanted)
        self.staged = ""


def plan(entries: c.Sequence[files.Entry]) -> list[Change]:
    """Return the changes.

    Raises GuardError for a path without an old file that a rename could restore, ValueError for an invalid text.
    """
    changes = []
    for entry in entries:
        found = entry.found()
        wanted = entry.wanted(found)
        if found == wanted:
            continue
        entry.check(wanted)
        if any(state and not {"content", "target"} & set(state) for state in (found, wanted)):
            raise GuardError(f"{entry.path}: only files and links can be guarded, this is or would be a directory")
        changes.append(Change(entry, found, wanted))
    return changes


def due(root: str, name: str, entries: c.Sequence[files.Entry], probe: c.Iterable[str], seconds: float) -> bool:
    """Whether there is anything to do: a change, one that is not in force, or the end of an earlier one."""
    differs = any(entry.wanted(found) != found for entry in entries for found in [entry.found()])
    return differs or bool(pending(root, name)) or not in_force(probe, seconds)


def in_force(probe: c.Iterable[str], seconds: float) -> bool:
    """Whether all commands succeed."""
    try:
        for command in probe:
            execute(command, seconds)
    except GuardError:
        return False
    return True


def execute(command: str, seconds: float) -> None:
    """Run a command line without a shell; GuardError with its output when it fails."""
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, timeout=seconds, cwd="/", check=False
        )
    except OSError as fault:
        raise GuardError(f"{command}: {fault.strerror}") from fault
    except subprocess.TimeoutExpired as fault:
        raise GuardError(f"{command}: not finished after {seconds:g} seconds") from fault
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise GuardError(f"{command}: exit status {done.returncode}: {said}")


def login() -> str | None:
    """The two ends of this process's SSH connection, which are unique to each connection."""
    return facts.login().get("SSH_CONNECTION")


@dataclasses.dataclass(frozen=True)
class OnTrial:
    """``record.json`` of a kit."""

    paths: list[str] = dataclasses.field(default_factory=list)
    at: int = 0
    login: str | None = None


class Kit:
    """One change on trial (see the module's docstring)."""

    def __init__(self, root: str, name: str, token: str) -> None:
        self.root, self.name, self.token = root, name, token
        self.unit = f"ibgw-rollback-{name}-{token}"

    def path(self, state: str) -> str:
        return f"{self.root}/{self.name}-{self.token}.{state}"

    @property
    def state(self) -> str:
        """The kit's state; empty if it does not exist."""
        for entry in sorted(os.listdir(self.root)) if os.path.isdir(self.root) else []:
            stem, _dot, state = entry.rpartition(".")
            if stem == f"{self.name}-{self.token}":
                return state
        return ""

    def record(self) -> dict[str, t.Any]:
        """Describe the change on trial for people: ``paths``, ``at`` (seconds since 1970) and ``login``."""
        with contextlib.suppress(OSError, record_file.DamagedError):
            return dataclasses.asdict(record_file.load(OnTrial, f"{self.path(self.state)}/record.json"))
        return dataclasses.asdict(OnTrial())

    # Forward

    def stage(self, changes: c.Sequence[Change]) -> list[str]:
        """Write every new file beside the one it will replace; return the directories created.

        A full disk is noticed here, before anything has changed.
        """
        made: list[str] = []
        for number, change in enumerate(changes):
            parent = os.path.dirname(change.path)
            missing = []
            while not os.path.isdir(parent):
                missing.append(parent)
                parent = os.path.dirname(parent)
            made += reversed(missing)
            if change.wanted:
                change.staged = f"{os.path.dirname(change.path)}/.ibgw-guard-{self.name}-{self.token}-{number}"
                files.write(change.staged, change.wanted)
        return made

    def unstage(self, changes: c.Sequence[Change], made: c.Sequence[str]) -> None:
        for change in changes:
            if change.staged:
                with contextlib.suppress(OSError):
                    os.unlink(change.staged)
        for directory in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(directory)

    def fill(self, changes: c.Sequence[Change], made: c.Sequence[str], undo: c.Sequence[str]) -> None:
        """Write everything that a rollback needs."""
        folder = self.path("new")
        os.makedirs(folder, mode=0o700)
        for number, change in enumerate(changes):
            if change.found:
                os.link(change.path, f"{folder}/{number}", follow_symlinks=False)
        record = {"paths": [change.path for change in changes], "at": int(time.time()), "login": login()}
        private: files.State = {"mode": 0o600, "owner": os.geteuid(), "group": os.getegid()}
        files.write(f"{folder}/record.json", {**private, "content": json.dumps(record)})
        files.write(f"{folder}/rollback", {**private, "content": self.script(changes, made, undo)})
        sync(folder)

    def script(self, changes: c.Sequence[Change], made: c.Sequence[str], undo: c.Sequence[str]) -> str:
        lines = [
            "#!/bin/sh",
            "# Puts back what the module guarded_files replaced. An argument says why: time, boot or fault.",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"cd {shlex.quote(self.root)} || exit 1",
            "back() {",
            '    test -e "$1" || test -L "$1" || return 0',
            "    # Two names of one file, when it was not replaced yet: mv would refuse.",
            '    test "$(stat -c %d:%i "$1")" = "$(stat -c %d:%i "$2" 2>/dev/null)" || mv -fT "$1" "$2"',
            "}",
            "# Whoever renames the kit first decides; an interrupted way back is gone to its end.",
            f"mv -T {shlex.quote(os.path.basename(self.path('armed')))} {self.name}-{self.token}.undo 2>/dev/null",
            f"cd {self.name}-{self.token}.undo 2>/dev/null || exit 0",
        ]
        for number, change in enumerate(changes):
            path = shlex.quote(change.path)
            if change.found:
                lines.append(f"back {number} {path}")
            else:
                lines.append(f"rm -f {path}")
            if change.staged:
                lines.append(f"rm -f {shlex.quote(change.staged)}")
        lines += [f"rmdir {shlex.quote(directory)} 2>/dev/null" for directory in reversed(made)]
        # At boot the services start after the rollback, with the old files.
        lines.append('if test "$1" != boot; then')
        lines += [f"    timeout {UNDO_SECONDS:g} {shlex.join(shlex.split(command))}" for command in undo]
        lines += ["    :", "fi", f'cd .. && mv -T {self.name}-{self.token}.undo {self.name}-{self.token}.undone-"$1"']
        return "\n".join(lines) + "\n"

    def arm(self, seconds: float) -> None:
        """From here on the host rolls back by itself."""
        install_boot_unit(self.root)
        # The timer first: without a kit it does nothing, while a kit without a timer would stay until the next boot.
        script = shlex.quote(f"{self.path('armed')}/rollback")
        subprocess.run(
            [
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={self.unit}",
                f"--description=Put back the configuration {self.name} unless a new login proves it",
                f"--on-active={seconds:g}s",
                "--timer-property=AccuracySec=100ms",
                "/bin/sh",
                "-c",
                f"test ! -e {script} || exec /bin/sh {script} time",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        os.rename(self.path("new"), self.path("armed"))
        sync(self.root)

    def replace(self, changes: c.Sequence[Change]) -> None:
        for change in changes:
            if change.wanted:
                os.replace(change.staged, change.path)
            else:
                os.unlink(change.path)

    # Keep or roll back

    def keep(self) -> bool:
        """Drop the old files; False if the host has already rolled back."""
        try:
            os.rename(self.path("armed"), self.path("kept"))
        except FileNotFoundError:
            return False
        self.disarm()
        shutil.rmtree(self.path("kept"))
        return True

    def go_back(self) -> str:
        """Restore the old files now; return the commands' output."""
        done = subprocess.run(
            ["/bin/sh", f"{self.path(self.state)}/rollback", "fault"],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        self.disarm()
        return (done.stdout + done.stderr).strip()

    def disarm(self) -> None:
        subprocess.run(["systemctl", "stop", f"{self.unit}.timer"], capture_output=True, check=False)

    def timer_runs(self) -> bool:
        return subprocess.run(["systemctl", "is-active", "--quiet", f"{self.unit}.timer"], check=False).returncode == 0

    def drop(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path(self.state))


def sync(directory: str) -> None:
    """Make the directory's state survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def kits(root: str, name: str) -> list[Kit]:
    found = []
    for entry in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        stem, token = entry.rpartition(".")[0].rpartition("-")[::2]
        if stem == name:
            found.append(Kit(root, name, token))
    return found


@contextlib.contextmanager
def alone(root: str, seconds: float) -> c.Iterator[None]:
    """Allow one run at a time on a host; GuardError if another does not end."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    handle = os.open(root, os.O_RDONLY)
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise GuardError(
                        "another run holds the host's configuration; run again when it has ended"
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def boot_unit(root: str) -> str:
    return f"""\
[Unit]
Description=Put back configuration that no new login has proven (ibops.gateway)
DefaultDependencies=no
RequiresMountsFor={root}
After=local-fs.target
Before=sysinit.target network-pre.target nftables.service ssh.service ssh.socket shutdown.target
Conflicts=shutdown.target
ConditionPathExistsGlob=|{root}/*.armed
ConditionPathExistsGlob=|{root}/*.undo

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for kit in {root}/*.armed {root}/*.undo; do \
test ! -e "$$kit/rollback" || /bin/sh "$$kit/rollback" boot; done; systemctl daemon-reload'
# At boot it only renames and reloads systemd; the undo commands do not run. Nothing below needs a namespace: where none
# can be made the unit would fail, and nobody would get in. All files stay open, since any may have been on trial.
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_FOWNER
IPAddressDeny=any
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
"""


def install_boot_unit(root: str) -> None:
    attributes: files.State = {"mode": 0o644, "owner": os.geteuid(), "group": os.getegid()}
    path = f"{UNITS}/{BOOT_UNIT}"
    wanted: dict[str, files.State] = {
        path: {**attributes, "content": boot_unit(root)},
        f"{UNITS}/sysinit.target.wants/{BOOT_UNIT}": {"target": path},
    }
    for place, state in wanted.items():
        if files.read(place) != state:
            files.write(place, state)


# A run


def settle(root: str, name: str) -> list[dict[str, t.Any]]:
    """Finish every kit of earlier runs; return the changes that the host rolled back, each with ``why``.

    An interrupted run leaves its kit armed: wait for the host, or, if its timer is gone, trigger the rollback.
    """
    told = []
    for kit in kits(root, name):
        end = time.monotonic() + UNDO_SECONDS
        while kit.state == "armed" and kit.timer_runs():
            time.sleep(0.2)
        while kit.state == "undo" and time.monotonic() < end:
            time.sleep(0.2)
        if kit.state in ("armed", "undo"):
            kit.go_back()
        outcome = told_of(kit)
        if outcome:
            told.append(outcome)
        kit.drop()
    return told


def pending(root: str, name: str) -> list[dict[str, t.Any]]:
    """Return the findings of :func:`settle` without waiting or changing anything."""
    return [
        told_of(kit) or {"paths": kit.record()["paths"], "at": kit.record()["at"], "why": "it is not proven yet"}
        for kit in kits(root, name)
        if kit.state not in ("new", "kept", "")
    ]


def told_of(kit: Kit) -> dict[str, t.Any]:
    """``paths``, ``at`` and ``why`` of a change that the host rolled back; else empty."""
    state, _dash, reason = kit.state.partition("-")
    if state != "undone":
        return {}
    record = kit.record()
    return {"paths": record["paths"], "at": record["at"], "why": WHY[reason]}


def sweep(name: str, paths: c.Iterable[str]) -> None:
    """Remove the new files of a run that was killed before it put them in place."""
    for directory in {os.path.dirname(path) for path in paths}:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.listdir(directory):
                if entry.startswith(f".ibgw-guard-{name}-"):
                    os.unlink(f"{directory}/{entry}")


def apply(
    kit: Kit,
    changes: c.Sequence[Change],
    validate: c.Sequence[str],
    commands: c.Sequence[str],
    undo: c.Sequence[str],
    seconds: float,
) -> None:
    """Put the new files in place, on trial; GuardError if that failed and everything was restored."""
    made: list[str] = []
    try:
        made = kit.stage(changes)
        kit.fill(changes, made, undo)
        kit.arm(seconds)
    except (OSError, subprocess.CalledProcessError) as fault:
        kit.unstage(changes, made)
        kit.drop()
        said = fault.stderr.strip() if isinstance(fault, subprocess.CalledProcessError) else reason(fault)
        raise GuardError(f"{said}. Nothing was changed") from fault
    try:
        kit.replace(changes)
        for command in [*validate, *commands]:
            execute(command, seconds)
    except (GuardError, OSError) as fault:
        said = kit.go_back()
        kit.drop()
        text = str(fault) if isinstance(fault, GuardError) else reason(fault)
        paths = [change.path for change in changes]
        raise GuardError(
            f"{text}. Put back as it was: {', '.join(paths) or 'the commands'}"
            + (f" (going back said: {said})" if said else ""),
            paths,
        ) from fault


def reason(fault: OSError) -> str:
    place = fault.filename2 or fault.filename
    return f"cannot write {place}: {fault.strerror}" if place else str(fault.strerror)
