"""Run a command; print seconds, peak resident MiB and its first word, one line per run: `measure.py ROUNDS COMMAND...`.

A separate process, because a child's peak starts at the size of the process that forked it.
"""

import os
import sys
import time

for _round in range(int(sys.argv[1])):
    read, write = os.pipe()
    started = time.perf_counter()
    child = os.posix_spawn(
        sys.argv[2],
        sys.argv[2:],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)],
    )
    os.close(write)
    with os.fdopen(read, "rb") as output:
        said = output.read().split()
    _child, _status, usage = os.wait4(child, 0)
    print(time.perf_counter() - started, usage.ru_maxrss / 1024, said[0].decode().rstrip(":") if said else "-")
