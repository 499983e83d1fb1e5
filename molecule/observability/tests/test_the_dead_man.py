"""Whatever ends the watcher's work, somebody else tells: a dead man's switch on another machine (files/dead_man.py).

These tests come last, since Prometheus reports their faults for minutes after them. Each begins and ends with a call.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import json
import os
import time
import typing as t

import pytest
from sandbox.machine.common import NETWORK, docker
from testinfra.host import Host

TOLD_SECONDS = 300
SLOT = os.environ["SANDBOX_SLOT"]
VM, ADDRESS = f"ibgw-sandbox-{SLOT}-live", f"10.211.0.{11 + 10 * int(SLOT)}"
WATCHER = "ibgw-watch@live.service"
MEMORY = "/var/lib/ibgw/live/session"


class Switch:
    """The switch on its machine: its clock is the tests', since both machines are containers of this kernel."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def first(self, what: str, since: float, seconds: float) -> float:
        """The moment of the first call or "down" after *since*, as soon as there is one."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.host.check_output("tail -n 20 /var/lib/ibgw-dead-man.jsonl").splitlines()
            events = [json.loads(line) for line in lines]
            if found := [each["at"] for each in events if each["what"] == what and each["at"] > since]:
                return t.cast("float", found[0])
            assert time.monotonic() < deadline, (what, events[-3:])
            time.sleep(1)


@contextlib.contextmanager
def network_gone(_host: Host) -> c.Iterator[None]:
    docker("network", "disconnect", NETWORK, VM)
    try:
        yield
    finally:
        docker("network", "connect", "--ip", ADDRESS, NETWORK, VM)


@contextlib.contextmanager
def disk_full(host: Host) -> c.Iterator[None]:
    """Its memory is on a disk without a free block: for the watcher alone, which has its own view of mounts."""
    full = f"{MEMORY}.full"
    inside = f"nsenter --mount --target $(systemctl show --property MainPID --value {WATCHER})"
    host.check_output(
        f"mkdir {full} && {inside} mount -t tmpfs -o size=4m,mode=0700 full {full} && {inside} cp -a {MEMORY}/. {full}"
    )
    filled = host.run(f"{inside} dd if=/dev/zero of={full}/filler bs=4k")
    assert "No space left on device" in filled.stderr
    host.check_output(f"{inside} mount --bind {full} {MEMORY}")
    try:
        yield
    finally:
        host.check_output(f"{inside} umount {MEMORY} {full} && rmdir {full}")


@contextlib.contextmanager
def watcher_loops(host: Host) -> c.Iterator[None]:
    """It is killed a few seconds after each of its starts."""
    kill = f"while :; do systemctl kill --signal=KILL {WATCHER}; sleep 6; done"
    host.check_output(f"systemd-run --unit=killer sh -c '{kill}'")
    try:
        yield
    finally:
        # By a person, after which it is not suspect.
        host.check_output(f"systemctl stop killer && systemctl restart {WATCHER}")


@contextlib.contextmanager
def vm_killed(_host: Host) -> c.Iterator[None]:
    docker("kill", VM)
    try:
        yield
    finally:
        docker("start", VM)
        # It leaves a live gateway down, and is silent until a person signs it in.
        up = f"until systemctl is-active --quiet docker {WATCHER}; do sleep 1; done"
        docker("exec", VM, "sh", "-c", f"{up}; echo any | ibgwctl sign-in live --password-stdin")


FAULTS = (network_gone, disk_full, watcher_loops, vm_killed)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_somebody_else_tells(
    fault: t.Callable[[Host], t.ContextManager[None]],
    host: Host,
    monitoring: Host,
    capsys: pytest.CaptureFixture[str],
) -> None:
    switch = Switch(monitoring)
    # Right after a call it takes longest.
    switch.first("call", time.time(), 90)
    began = time.time()
    with fault(host):
        down = switch.first("down", began, TOLD_SECONDS)
        mended = time.time()
    up = switch.first("call", mended, 150)
    with capsys.disabled():
        print(f"\n{fault.__name__}: told {down - began:.0f} s after it began, called {up - mended:.0f} s after its end")
    assert down - began <= TOLD_SECONDS
