"""Remove everything that the sandbox made on this machine: `sandbox/clean`. It touches nothing else, and asks nothing.

That is: Docker objects with the sandbox's label, VMs of this checkout, the Docker engine if set-up started it itself,
and .sandbox.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

from sandbox.machine import engine, vm
from sandbox.machine.common import LABEL, STATE, SandboxError, as_root, docker, run, say

STOP_SECONDS = 30


def remove_objects() -> list[str]:
    """Remove containers, volumes, networks and images, by label; returns a line for each that stays."""
    label = ["--filter", f"label={LABEL}"]
    # A container that somebody runs from one of the images inherits the label, but is theirs.
    containers = f'{{{{if ne (.Label "{LABEL}") "image"}}}}{{{{.Names}}}}{{{{end}}}}'
    kinds = {
        "container": (["ps", "--all", *label, "--format", containers], ["rm", "--force", "--volumes"]),
        "volume": (["volume", "ls", *label, "--format", "{{.Name}}"], ["volume", "rm"]),
        "network": (["network", "ls", *label, "--format", "{{.Name}}"], ["network", "rm"]),
        "image": (["images", *label, "--quiet", "--no-trunc"], ["rmi", "--force"]),
    }
    return [
        line
        for kind, (find, remove) in kinds.items()
        for line in remove_each(kind, list(dict.fromkeys(docker(*find).split())), remove)
    ]


def remove_each(kind: str, names: list[str], remove: list[str]) -> list[str]:
    """Remove objects; returns a line for each that stays.

    A refused removal is retried while others succeed: an image can only be removed after those made from it.
    """
    while names:
        refused = {}
        for name in names:
            try:
                docker(*remove, name)
            except SandboxError as error:
                refused[name] = f"The {kind} {name} stays: {error}"
            else:
                say(f"Removed the {kind} {name}")
        if len(refused) == len(names):
            return list(refused.values())
        names = list(refused)
    return []


def stop_engine() -> None:
    """Stop the Docker engine that set-up started; an earlier or a newer one stays."""
    if not engine.DOCKERD_PID.exists():
        return
    pid = engine.DOCKERD_PID.read_text().strip()
    program = Path(f"/proc/{pid}/comm")
    others = docker("ps", "--quiet") if engine.answers() else ""
    if others:
        say("The Docker engine that set-up had started keeps running: so do other containers")
    elif program.exists() and program.read_text().strip() == "dockerd":
        run(as_root(["kill", f"-{signal.SIGTERM.value}", pid]))
        deadline = time.monotonic() + STOP_SECONDS
        while program.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        say(f"Stopped the Docker engine that set-up had started (process {pid})")
    engine.DOCKERD_PID.unlink()


def remove_state() -> None:
    """Remove .sandbox, with root's help for root's files."""
    if not STATE.exists():
        return
    try:
        shutil.rmtree(STATE)
    except PermissionError:
        run(as_root(["rm", "-rf", str(STATE)]))
    say(f"Removed {STATE.name}/ with its keys, images and logs")


def main() -> int:
    left: list[str] = []
    try:
        for place in sorted(vm.MACHINES.glob("*")):
            if vm.remove(place.name):
                say(f"Removed the VM {place.name}")
        if engine.has("docker") and engine.answers():
            left = remove_objects()
        stop_engine()
        remove_state()
    except SandboxError as error:
        print(f"clean: {error}", file=sys.stderr)
        return 1
    print("\n".join(left), file=sys.stderr, end="\n" if left else "")
    return 1 if left else 0
