"""The cost of reading 50 MB of log: processor time and peak memory, and whether the summary is right afterwards.

`PYTHONPATH=.ansible/collections python bench/log_burst.py` prints a row for each kind of flood, each in its own
process, without a container.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from ansible_collections.ibops.gateway.plugins.module_utils.agent.engine.log import Log

STAMP = b"2026-11-30T22:08:42.123456789Z "
RUN = (".> Starting IBC/IB gateway", "Starting session: will exit if login dialog", "Login attempt: 1")
SIGNED_IN = (b"Login has completed", b"Configuration tasks completed")
FLOODS = {
    "long lines": b"x" * 2000 + b"\n",
    "lines of one byte": b"x\n",
    "NULs": b"\0" * 2000 + b"\n",
    "bytes that are not UTF-8": b"\xff\xfe" * 1000 + b"\n",
    "near the marks": b"IBC: Login has complete Login attempt: x Login faile\n",
    "a title without an end": b"detected dialog entitled: " * 77 + b"\n",
    "marks": b"IBC: Login failed\n",
    "no end of a line": b"x" * 16000,
}
WRITTEN = 50_000_000
BLOCK = 1 << 18


def flood(kind: str, written: int) -> Log:
    """Feed *written* bytes of a flood, framed as the engine does, with milestones before, within and after it."""
    line = FLOODS[kind]
    log = Log(time.monotonic, time.time)
    log.feed(b"".join(STAMP + each.encode() + b"\n" for each in RUN))
    frame = b"\1\0\0\0" + (len(STAMP) + len(line)).to_bytes(4, "big") + STAMP + line
    frames = max(BLOCK // len(frame), 1)
    block, blocks = frame * frames, max(written // (frames * len(line)), 1)
    for at in range(blocks):
        log.feed(block)
        if at == blocks // 2:
            log.feed(b"\n" + STAMP + b"Second Factor Authentication initiated\n")
    log.feed(b"\n" + b"".join(STAMP + each + b"\n" for each in SIGNED_IN))
    return log


def burst(kind: str) -> str:
    """Return the row of a flood of 50 MB: processor seconds, peak memory, and whether the summary is right."""
    begun = time.process_time()
    log = flood(kind, WRITTEN)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    right = (log.summary.pushes, log.summary.phase) == (1, "configured")
    return f"{kind:<26} {seconds:6.2f} s {peak:7.1f} MiB   {'right' if right else 'WRONG'}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(burst(sys.argv[1]) + "\n")
    else:
        for each in FLOODS:
            subprocess.run([sys.executable, __file__, each], check=True)
