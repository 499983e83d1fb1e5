"""Measure a probe against a bare interpreter, and compare the verdicts of probe, ib_async and a TCP port check."""

from __future__ import annotations

import pathlib
import socket
import subprocess
import sys
import time
import typing as t

from ibgw_standin import faults
from ibgw_standin.testing import running

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROBE = ROOT / "plugins" / "module_utils" / "agent" / "api" / "__main__.py"
SYSTEM_PYTHON = "/usr/bin/python3"  # the Python that runs modules on a VM; ib_async needs the virtual environment's
TIMEOUT = 4.0
# Endless floods, on which ib_async would spend minutes and hundreds of MiB.
LONG_FLOODS = {"huge_stream", "zero_frames", "endless_notices"}
IB_ASYNC = """
import logging, sys
from ib_async import IB
logging.disable(logging.CRITICAL)
try:
    IB().connect("127.0.0.1", int(sys.argv[1]), clientId=7, timeout=4, readonly=True)
    print("connected")
except BaseException as error:
    print(type(error).__name__)
"""


class Cost(t.NamedTuple):
    """One process from start to exit: seconds, peak resident MiB, its first word."""

    seconds: float
    mib: float
    said: str


def process(*command: str) -> Cost:
    """Run a command once, timed by bench/measure.py."""
    ended = subprocess.run(
        [sys.executable, "-S", str(ROOT / "bench" / "measure.py"), "1", *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    seconds, mib, said = ended.stdout.split()
    return Cost(float(seconds), float(mib), said)


def process_cost(rounds: int = 20) -> dict[str, list[Cost]]:
    """Interleaved runs of a bare interpreter, the probe, and a connect with ib_async, against a ready stand-in."""
    samples: dict[str, list[Cost]] = {"python": [], "probe": [], "ib_async": []}
    with running(extra=["--no-delays"]) as standin:
        port = str(standin.port)
        for _round in range(rounds):
            samples["python"].append(process(SYSTEM_PYTHON, "-c", "pass"))
            samples["probe"].append(process(SYSTEM_PYTHON, str(PROBE), "127.0.0.1", port))
            samples["ib_async"].append(process(sys.executable, "-c", IB_ASYNC, port))
    return samples


def tcp_check(port: int) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
        said = "open"
    except OSError as error:
        said = type(error).__name__
    return said, time.perf_counter() - started


def verdicts() -> list[dict[str, t.Any]]:
    """For no fault and each fault of the stand-in: the three verdicts, and after how many seconds."""
    rows = []
    for name in (None, *faults.FAULTS):
        if name in LONG_FLOODS or (name and faults.FAULTS[name].layer == "event"):
            continue
        with running(fault=name) as standin:
            said, seconds = tcp_check(standin.port)
            probe = process(
                sys.executable,
                "-m",
                "agent.api",
                "127.0.0.1",
                str(standin.port),
                "--mode",
                "paper",
                "--timeout",
                str(TIMEOUT),
            )
            client = process(sys.executable, "-c", IB_ASYNC, str(standin.port))
        rows.append(
            {
                "fault": name or "none",
                "probe": probe.said,
                "probe_s": round(probe.seconds, 3),
                "ib_async": client.said,
                "ib_async_s": round(client.seconds, 3),
                "tcp": said,
                "tcp_s": round(seconds, 4),
            }
        )
        print(f"readiness: {rows[-1]}", flush=True)
    return rows
