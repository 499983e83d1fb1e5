# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's lease: one owner at a time decides about its container, and makes, starts, stops or replaces it.

A working process holds a kernel lock, which ends with the process. Between the tasks of one run, its owner keeps the
lease by a record with an expiry. That is measured since boot, so setting the wall clock does not extend it, and a
reboot ends it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from .. import record_file
from ..text import printable

# The maximum for which an owner can keep it between two tasks, in seconds.
MOST_SECONDS = 3600.0
_RETRY_SECONDS = 0.1


class BusyError(Exception):
    """Another owner holds the gateway's lease; the message has owner, purpose, start and expiry."""


@dataclass(frozen=True)
class Kept:
    """The holder of the lease between two tasks, until *expires* seconds after *boot*."""

    owner: str
    purpose: str
    since: str
    boot: str
    expires: float


def since_boot() -> float:
    """Seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def this_boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


class Lease:
    """The lease of gateway *name*, in *directory*. *clock* gives seconds since boot, *boot* tells boots apart."""

    def __init__(
        self,
        directory: str,
        name: str,
        clock: Callable[[], float] = since_boot,
        boot: Callable[[], str] = this_boot,
    ) -> None:
        self._directory, self._name, self._clock, self._boot = directory, name, clock, boot
        self._lock_path = os.path.join(directory, "lock")
        self._kept_path = os.path.join(directory, "lease.json")

    @contextlib.contextmanager
    def held(
        self,
        owner: str,
        purpose: str,
        patience: float = 0.0,
        keep: Callable[[], float] = float,
        take_over: bool = False,
    ) -> Iterator[str]:
        """Hold the lease until the block ends or the process dies; waits *patience* seconds for another process.

        When the block succeeds, *owner* keeps the lease for *keep* more seconds, else it is free. Yields who else kept
        it, in words, with *take_over*; else an empty text. Raises BusyError when another process holds it, or, without
        *take_over*, another owner keeps it.
        """
        with self.beside(owner, purpose, patience) as another:
            if another and not take_over:
                raise BusyError(
                    f"gateway {self._name} is busy: {another}; try again when that has ended. Nothing was touched."
                )
            kept = 0.0
            try:
                yield another
                kept = keep()
            finally:
                self._keep(owner, purpose, kept)

    @contextlib.contextmanager
    def beside(self, owner: str, purpose: str, patience: float = 0.0) -> Iterator[str]:
        """Hold the lock until the block ends or the process dies, and leave the lease with its present keeper.

        Yields who that is, in words; empty if nobody else. Raises BusyError when another process holds it.
        """
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._lock(handle, patience)
            another = self._another(owner)
            # The record is only for the message, which goes without it on a full disk.
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
                told = f"{purpose} by {owner}, since {time.strftime('%H:%M:%S')}"
                os.pwrite(handle, told.encode(), 0)
            yield another
        finally:
            os.close(handle)

    def release(self, owner: str) -> None:
        """End the lease that *owner* keeps."""
        with contextlib.suppress(BusyError), self.held(owner, "the end"):
            pass

    def _lock(self, handle: int, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    who = printable(os.pread(handle, 300, 0).decode(errors="replace"), 300) or "another process"
                    raise BusyError(
                        f"gateway {self._name} is busy: {who}; try again when that has ended. Nothing was touched."
                    ) from None
                time.sleep(_RETRY_SECONDS)

    def _another(self, owner: str) -> str:
        """Describe the present owner, if another; empty when the lease is free or its record cannot be read.

        A damaged record is set aside: it locks nobody out, and is there to be looked at.
        """
        try:
            kept = record_file.load(Kept, self._kept_path)
        except record_file.DamagedError:
            record_file.set_aside(self._kept_path)
            return ""
        except OSError:
            return ""
        left = kept.expires - self._clock()
        if kept.boot != self._boot() or kept.owner == owner or not 0 < left <= MOST_SECONDS:
            return ""
        until = time.strftime("%H:%M:%S", time.localtime(time.time() + left))
        return printable(f"{kept.purpose} by {kept.owner}, since {kept.since}, until {until} at the latest", 300)

    def _keep(self, owner: str, purpose: str, seconds: float) -> None:
        """Write or end the record. On a full disk the lease ends, so that it locks out no operator."""
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(self._kept_path)
        if seconds <= 0:
            return
        expires = self._clock() + min(seconds, MOST_SECONDS)
        record = asdict(Kept(owner, purpose, time.strftime("%H:%M:%S"), self._boot(), expires))
        with contextlib.suppress(OSError):
            handle = os.open(self._kept_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"schema": record_file.SCHEMA, **record}, file)
