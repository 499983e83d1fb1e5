"""The attacker inside a gateway's container: all of it is within the power of the container's own user.

`docker exec -i CONTAINER python3 - ATTACK [WORD...] < attacker.py`; a lasting attack continues in the background and
ends with the container.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import itertools
import os
import pathlib
import signal
import socket
import struct
import sys
import time

SETTINGS = pathlib.Path.home() / "tws_settings"
COMMAND_PORT = 7462
API_PORTS = {"paper": 4002, "live": 4001}
CHUNK = 1 << 20


def processes(word: str) -> list[int]:
    """Return the processes whose command line has *word* in it, without this one."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill(word: str, number: int) -> None:
    for process in processes(word):
        os.kill(process, number)


def detach() -> None:
    """Go on in the background, for as long as the container runs."""
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(null, handle)


def take_over() -> None:
    """End the JVM, and keep the start script from noticing: its ports are free, and the container runs on."""
    kill("ibcstart.sh", signal.SIGSTOP)
    kill("ibgw_standin.ibc", signal.SIGKILL)


def listen(port: int) -> socket.socket:
    deadline = time.monotonic() + 5
    while True:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("0.0.0.0", port))
        except OSError:
            server.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        server.listen(16)
        return server


def serve(server: socket.socket, answer: c.Callable[[socket.socket], None]) -> None:
    """Give each connection a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _peer = server.accept()
        if os.fork() == 0:
            with contextlib.suppress(OSError):
                answer(connection)
            os._exit(0)
        connection.close()


def replies(kind: str) -> c.Iterator[tuple[bytes, float]]:
    """Yield what the command server says, and the pause before it says more."""
    yield from {
        "busy": itertools.repeat((b"INFO busy\r\n", 3.0)),
        "nothing": itertools.repeat((b"", 3600.0)),
        "ok_and_nothing": itertools.chain(
            [(b"OK Shutting down: STOP command\n", 0.0)], itertools.repeat((b"", 3600.0))
        ),
        "flood": itertools.repeat((b"INFO busy\r\n" * 5000, 0.0)),
        "one_line_without_end": itertools.repeat((b"x" * 65536, 0.0)),
        "a_byte_a_second": itertools.repeat((b"O", 1.0)),
    }[kind]


def commands(kind: str) -> None:
    """Take the JVM's place at the command server's port."""
    take_over()
    server = listen(COMMAND_PORT)
    detach()

    def answer(connection: socket.socket) -> None:
        for reply, pause in replies(kind):
            connection.sendall(reply)
            time.sleep(pause)

    serve(server, answer)


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def frames(kind: str) -> None:
    """Take the API's place, and answer the start of a session with frames that are within the limit of 1 MiB."""
    take_over()
    server = listen(API_PORTS[os.environ["TRADING_MODE"]])
    detach()
    size = CHUNK - 16
    payload = {
        "two_byte_fields": b"1\0" * (size // 2),
        "empty_fields": b"\0" * size,
        "350_000_accounts": b"15\x001\0" + b"," * 350_000 + b"\0",
        "many_accounts": b"15\x001\0" + b",".join(b"DU%d" % number for number in range(100_000)) + b"\0",
        "notices": b"4\x002\0-1\x002104\0" + b"x" * (size - 20) + b"\0",
    }[kind]

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(frame(b"178\x0020261130 12:00:00 UTC\0"))
        connection.recv(4096)
        for _each in range(64):
            connection.sendall(frame(payload))
        time.sleep(3600)

    serve(server, answer)


def log(kind: str, mebibytes: str) -> None:
    """Write this much to the container's log, that of its first process."""
    line = {
        "long_lines": b"x" * 2000 + b"\n",
        "one_byte_lines": b"x\n",
        "no_line_ends": b"x" * 2000,
        "near_matches": b"detected dialog entitled: " * 76 + b"\n",
        "versions": b" " * 1990 + b"Version:\n",
    }[kind]
    chunk = line * (CHUNK // len(line))
    with open("/proc/1/fd/1", "wb", buffering=0) as file:
        for _each in range(int(mebibytes)):
            left = memoryview(chunk)
            while left:
                left = left[file.write(left) :]
        file.write(b"\n")


def say(*lines: str) -> None:
    """Write these lines to the log; the JVM is gone, so that nobody says more."""
    take_over()
    add(*lines)


def add(*lines: str) -> None:
    """Write these lines to the log, beside those of the JVM."""
    with open("/proc/1/fd/1", "w", encoding="utf-8") as file:
        for line in lines:
            file.write(line.encode().decode("unicode_escape") + "\n")


def logins(words: str, pause: str) -> None:
    """Try to sign in endlessly, as the gateway's controller does, ending in an unknown message."""
    take_over()
    detach()
    with open("/proc/1/fd/1", "w", encoding="utf-8", buffering=1) as file:
        for _each in range(40):
            for line in (
                "Starting session: will exit if login dialog is not displayed within 120 seconds",
                "Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT",
                "Login attempt: 1",
                words,
                "Cold restart in progress",
            ):
                if line:
                    file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}:000 IBC: {line}\n")
                time.sleep(float(pause) / 5)


def swap() -> None:
    """Change jts.ini for a link to /etc/shadow and back, as often as can be."""
    own, link = SETTINGS / "own", SETTINGS / "link"
    own.write_bytes((SETTINGS / "jts.ini").read_bytes())
    detach()
    while True:
        link.symlink_to("/etc/shadow")
        link.rename(SETTINGS / "jts.ini")
        copy = SETTINGS / "copy"
        copy.write_bytes(own.read_bytes())
        copy.rename(SETTINGS / "jts.ini")


def freeze() -> None:
    """Stop the JVM where it is."""
    kill("ibgw_standin.ibc", signal.SIGSTOP)


ATTACKS: dict[str, c.Callable[..., None]] = {
    "add": add,
    "commands": commands,
    "frames": frames,
    "freeze": freeze,
    "log": log,
    "logins": logins,
    "say": say,
    "swap": swap,
}

if __name__ == "__main__":
    ATTACKS[sys.argv[1]](*sys.argv[2:])
