"""Time from the log line of an unrequested sign-in to the end of the container, with the real watcher.

`PYTHONPATH=plugins/module_utils python bench/reaction.py [BUSY]` runs it alone, as root, beside BUSY busy processes a
core (2). The watcher is a process of its own with Nice and CPUWeight of its unit, its settings and its memory in a
directory of their own; the gateway is a container of the stand-in's image. Both moments are the engine's: the time in
front of the line, and the container's end. The busy processes end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import typing as t

from agent.controller import password
from agent.engine.log import epoch
from agent.session import descriptor, plan, store, watcher
from agent.session.control import Control
from agent.session.inspection import container_facts
from sandbox.machine.common import labelled

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "sandbox" / "gateway" / "build"
UNIT = ROOT / "roles/session/templates/ibgw-watch@.service.j2"
NAME = "bench"
CONTAINER = "ibgw-bench-reaction"
LIMIT_MS = 300
# The watcher kills the ninth start within an hour before its log says anything (policy.LOGINS_PER_HOUR).
ROUNDS = 8
BUSY_A_CORE = 2
BUSY_SECONDS = 180
GROUP = "ibgw-bench-watch"
TELLS = "Starting session: will exit if login dialog"
PUSH = "Second Factor Authentication initiated"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def places(directory: str) -> None:
    """Redirect all paths of the gateway to *directory*."""
    descriptor.ROOT = os.path.join(directory, "etc")
    store.ROOT = os.path.join(directory, "var")
    password.ROOT = os.path.join(directory, "run")


def setting(name: str) -> int | None:
    """Return the setting in the watcher's unit."""
    found = re.search(rf"(?m)^{name}=(-?\d+)$", UNIT.read_text())
    return int(found[1]) if found else None


def control_group() -> pathlib.Path:
    """Where a group of this bench is, in version 2 of control groups or in version 1."""
    root = pathlib.Path("/sys/fs/cgroup")
    return root / ("" if (root / "cgroup.controllers").exists() else "cpu") / GROUP


def as_its_unit() -> None:
    """Give this process the priority that systemd gives the watcher."""
    os.nice(setting("Nice") or 0)
    weight, group = setting("CPUWeight"), control_group()
    if weight is None:
        return
    group.mkdir(exist_ok=True)
    # In version 1 systemd takes 1,024 shares for a weight of 100.
    scale = {"cpu.weight": 1.0, "cpu.shares": 10.24}
    [file] = [group / name for name in scale if (group / name).exists()]
    file.write_text(str(round(weight * scale[file.name])))
    (group / "cgroup.procs").write_text(str(os.getpid()))


@contextlib.contextmanager
def under_load(busy_a_core: int) -> t.Iterator[None]:
    """Keep the processors busy."""
    command = [sys.executable, "-c", f"import time; end = time.time() + {BUSY_SECONDS}\nwhile time.time() < end: pass"]
    busy = [subprocess.Popen(command) for _each in range(busy_a_core * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


@contextlib.contextmanager
def gateway(image: str, directory: str) -> t.Iterator[Control]:
    """A live stand-in gateway, created but not started, with its watcher running."""
    settings = os.path.join(directory, "settings")
    os.makedirs(settings)
    os.chown(settings, 1000, 1000)
    docker("create", "--name", CONTAINER, *labelled("bench"), "--volume",
           f"{settings}:/home/ibgateway/tws_settings", "--env", "TWS_SETTINGS_PATH=/home/ibgateway/tws_settings",
           "--env", "TRADING_MODE=live", "--env", f"TWS_USERID={NAME}", "--env", f"TWS_PASSWORD={NAME}",
           "--env", "EXISTING_SESSION_DETECTED_ACTION=primary", image)  # fmt: skip
    found = descriptor.Descriptor(
        name=NAME, mode="live", container=CONTAINER, image=image, host="127.0.0.1", port=1, client_id=917, accounts=[],
        command_port=7462, settings_dir=settings, revision="",
    )  # fmt: skip
    os.makedirs(os.path.join(descriptor.ROOT, NAME))
    with open(descriptor.path(NAME), "w", encoding="utf-8") as file:
        json.dump({"schema": 1, **vars(found)}, file)
    process = subprocess.Popen([sys.executable, __file__, "--watch", directory], stdout=subprocess.DEVNULL)
    try:
        control = Control(found, plan.Plan())
        while not control.store.load("live").checked_at:
            time.sleep(0.1)
        yield control
    finally:
        process.terminate()
        process.wait()
        if control_group().exists():
            control_group().rmdir()
        docker("rm", "--force", "--volumes", CONTAINER)


def ended(control: Control, seconds: float = 60.0) -> dict[str, t.Any]:
    """Wait until the container has ended and the watcher is done with it; return its facts."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        facts = container_facts(control.engine, CONTAINER)
        record = control.store.load("live")
        if facts["status"] == "exited" and (record.container_started_at, record.state) == (
            facts["started_at"],
            "blocked",
        ):
            return facts
        time.sleep(0.1)
    raise SystemExit("nobody has ended it in time")


def reaction(control: Control) -> float:
    """Start the container as `docker start` does; return the milliseconds from the sign-in's line to the container's
    end."""
    docker("start", CONTAINER)
    facts = ended(control)
    log = docker("logs", "--timestamps", "--since", facts["started_at"], CONTAINER)
    stamp = re.search(rf"^(\S+) .*{re.escape(TELLS)}", log, re.MULTILINE)
    if stamp is None or PUSH in log:
        raise SystemExit(f"not ended between its start and its push: see docker logs {CONTAINER}")
    return (epoch(facts["finished_at"]) - epoch(stamp[1])) * 1000


def measure(rounds: int = ROUNDS, busy_a_core: int = BUSY_A_CORE) -> list[float]:
    """Milliseconds, one sample a start."""
    image = subprocess.run([BUILD], check=True, capture_output=True, text=True).stdout.split()[-1]
    with tempfile.TemporaryDirectory() as directory, under_load(busy_a_core):
        places(directory)
        with gateway(image, directory) as control:
            print(f"reaction: {rounds} starts", flush=True)
            return [reaction(control) for _round in range(rounds)]


def main() -> None:
    if sys.argv[1:2] == ["--watch"]:
        places(sys.argv[2])
        as_its_unit()
        watcher.watch(NAME)
    samples = measure(busy_a_core=int(sys.argv[1]) if sys.argv[1:] else BUSY_A_CORE)
    print(f"{sorted(map(round, samples))} ms (at most {LIMIT_MS}); load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
