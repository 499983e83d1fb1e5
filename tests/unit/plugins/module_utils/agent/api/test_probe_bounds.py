# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's cost against hostile peers: memory, processor time and seconds."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import __main__ as command
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts, wire

MIB = 14.0
CPU_SECONDS = 1.0
TIMEOUT = 1.0
# The mute connect, the polite close, and the start of an interpreter on a busy machine.
LATE_SECONDS = 0.25 + 0.5 + 5

# In a small process of its own, because a child's peak begins with the size of the process that forked it.
MEASURE = """
import os, sys, time
started = time.monotonic()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_child, status, usage = os.wait4(child, 0)
print(status, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, time.monotonic() - started)
"""
MESSAGE = wire.message
GREETING = MESSAGE(178, "20261120 09:43:55 UTC")


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def full(payload: bytes) -> bytes:
    """A frame of the size limit that begins so and goes on with the last two bytes of *payload*."""
    room = wire.MAX_FRAME - len(payload)
    return framed(payload + (payload[-2:] * (room // 2 + 1))[:room])


SESSION = GREETING + MESSAGE(15, 1, "DU1234567") + MESSAGE(9, 1, 1)
# The verdict, what comes first, and what follows it again and again.
STREAMS: dict[str, tuple[str, bytes, bytes]] = {
    "fields of two bytes": ("no_handshake", b"", full(b"1\0")),
    "fields of two bytes in the session": ("no_accounts", GREETING, full(b"1\0")),
    "nothing but NULs": ("not_tws", b"", full(b"\0\0")),
    "NULs behind a kind": ("no_handshake", b"", full(b"4567\0\0\0")),
    "a notice of NULs": ("not_tws", b"", full(b"4\0\0\0")),
    "a kind that never ends": ("not_tws", b"", full(b"11")),
    "a version that never ends": ("unsupported_version", b"", framed(b"9" * 40 + b"\0" + b"t" * 1_000_000)),
    "350,000 accounts": ("no_valid_id", GREETING, full(b"15\0001\0DU1,DU2,D,")),
    "350,000 accounts, the last one live": (
        "wrong_account",
        GREETING,
        framed(b"15\0001\0" + b"D1," * 300_000 + b"U1\0"),
    ),
    "accounts of one letter": ("no_valid_id", GREETING, full(b"15\0001\0D,")),
    "commas": ("no_accounts", GREETING, full(b"15\0001\0,,")),
    "blanks between commas": ("no_accounts", GREETING, full(b"15\0001\0 ,")),
    "an account without end": ("not_tws", GREETING, full(b"15\0001\0DD")),
    "accounts that are not text": ("not_tws", GREETING, full(b"15\0001\0\xff,")),
    "an order id without end": ("not_tws", GREETING, full(b"9\0001\000099")),
    "a time without end": ("not_tws", SESSION, full(b"49\0001\00099")),
    "a notice without end": ("ready", SESSION + MESSAGE(49, 1, 1), full(b"4\0002\0-1\0002104\0xx")),
    "a notice of wide characters": (
        "ready",
        SESSION + MESSAGE(49, 1, 1),
        full(b"4\0002\0-1\0002104\0" + "\N{GRINNING FACE}".encode() * 200_000),
    ),
    "notices without end": ("no_accounts", GREETING, MESSAGE(4, 2, -1, 2104, "OK:usfarm") * 1000),
    "farms without end": (
        "no_accounts",
        GREETING,
        b"".join(MESSAGE(4, 2, -1, 2104, f"OK:{n:030}") for n in range(50_000)),
    ),
    "escapes without end": (
        "no_accounts",
        GREETING,
        b"".join(MESSAGE(4, 2, -1, 2103, f"\x1b{n}\u202e" * 200) for n in range(1000)),
    ),
    "the smallest frames": ("no_handshake", b"", MESSAGE(7) * 10_000),
    "frames of one digit": ("no_handshake", b"", framed(b"7") * 10_000),
    "accounts again and again": ("no_valid_id", GREETING, MESSAGE(15, 1, "DU1,DU2") * 1000),
    "a frame too large": ("not_tws", b"", framed(bytes(wire.MAX_FRAME + 1))),
    "a frame of 2 GiB": ("not_tws", b"", b"\x7f\xff\xff\xff" + bytes(65536)),
    "frames of nothing": ("not_tws", b"", bytes(65536)),
    "random bytes": ("not_tws", b"", b"\xff" + random.Random(326).randbytes(65536)),
    "HTTP": ("not_tws", b"", b"HTTP/1.1 200 OK\r\n" * 1000),
}


class Cost(NamedTuple):
    said: str
    mib: float
    cpu: float
    seconds: float


def cost(*arguments: object) -> Cost:
    """Run the probe's command as a VM does, and measure it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, sys.executable, "-I", "-S", command.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *said, measured = done.stdout.splitlines()
    _status, mib, cpu, seconds = map(float, measured.split())
    return Cost(said[0].partition(": ")[0], mib, cpu, seconds)


@pytest.mark.parametrize("name", STREAMS)
def test_a_hostile_stream(serve: Any, name: str) -> None:
    verdict, first, repeated = STREAMS[name]

    def behaviour(script: Any) -> None:
        script.hello()
        script.connection.sendall(first)
        for _time in range(1000):
            script.connection.sendall(repeated)

    # Cases judged by received data, not by missing data, get enough time for a busy machine.
    timeout = TIMEOUT if verdict in verdicts.LATE else 10 * TIMEOUT
    found = cost("127.0.0.1", serve(behaviour), "--timeout", timeout, "--mode", "paper")
    assert found.said == verdict
    assert found.mib <= MIB
    assert found.cpu <= CPU_SECONDS
    assert found.seconds <= timeout + LATE_SECONDS


def test_the_result_of_the_worst_as_json(serve: Any) -> None:
    """The whole result is bounded too: notices, accounts and reasons at their longest."""
    ids = ",".join(f"D{n:039}" for n in range(20_000))

    def behaviour(script: Any) -> None:
        script.start(accounts=ids, next_id="9" * 40)
        for n in range(5000):
            script.notice(2103, f"{n}:" + "\U0010fffe" * 900)
        script.answer_time("9" * 40)
        script.stay()

    assert cost("127.0.0.1", serve(behaviour), "--timeout", 3, "--json").mib <= MIB
