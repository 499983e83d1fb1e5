# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's settings directory. The container can write to it, so root works in it by descriptor, never by path.

Whatever stands in a file's place there (a link, a second name of another file, a FIFO, a device, a file of gigabytes)
is neither read nor written through: it is reported, and replaced by a rename or unlinked.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import signal
import stat
import subprocess

from ..files import Entry, State, UntrustedError, refuse_shared
from ..session.descriptor import Descriptor
from .jts import Keys, keys, reconcile

JTS_INI, TOKEN = "jts.ini", "autorestart"
JTS_BYTES = 1 << 20
# A settings directory of the gateway has a few dozen entries.
MAX_ENTRIES = 10_000
# Passes over the entries to remove, and names reported.
MAX_PASSES, MAX_TOLD = 100, 10
# The container may swap the entry between a look and a rename; then it is tried again.
TRIES = 5
# Flags by which IBC's start script goes on after an exit, in the directory itself.
FLAGS = ("PAUSE", "COLDRESTART")
# Where the directory above, which is root's alone, takes what cannot be removed at once, and for how long one run
# works at emptying it; the next one goes on.
ASIDE, ASIDE_SECONDS = ".ibgw-aside", 10.0
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# Somebody writes; not a plain file, or a file system without leases; another user's without CAP_LEASE; gone meanwhile.
_NO_LEASE = (errno.EAGAIN, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOLCK, errno.EACCES, errno.EPERM, errno.ENOENT)


def printable(text: str, limit: int = 60) -> str:
    """A text from the container in at most *limit* printable characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:limit])
    return shown.encode("utf-8", "replace").decode() + ("..." if len(text) > limit else "")


@contextlib.contextmanager
def opened(path: str) -> c.Iterator[SettingsDirectory]:
    """The directory at *path*; only root can change its parents, and none of them is a link.

    Raises FileNotFoundError where it is missing, and UntrustedError.
    """
    names = [name for name in path.split("/") if name]
    with contextlib.ExitStack() as handles:
        above, handle = -1, os.open("/", _DIRECTORY)
        handles.callback(os.close, handle)
        for depth, name in enumerate(names):
            refuse_shared("/" + "/".join(names[:depth]), os.fstat(handle))
            above, handle = handle, _open_directory(handle, name, path)
            handles.callback(os.close, handle)
        try:
            yield SettingsDirectory(path, handle, above)
        finally:
            _empty_aside(f"{os.path.dirname(path.rstrip('/'))}/{ASIDE}")


def _empty_aside(path: str) -> None:
    """Remove what was set aside, however deep and wide it is, for ASIDE_SECONDS."""
    if os.path.lexists(path):
        with contextlib.suppress(subprocess.SubprocessError):
            command = ["rm", "-rf", "--one-file-system", path]
            subprocess.run(command, timeout=ASIDE_SECONDS, check=False, capture_output=True)


def _open_directory(parent: int, name: str, path: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except NotADirectoryError as fault:
        raise UntrustedError(f"{printable(name)} is not a directory", path) from fault
    except OSError as fault:
        if fault.errno == UntrustedError.LOOP:
            raise UntrustedError(f"{printable(name)} is a link", path) from fault
        raise


class SettingsDirectory:
    """An open settings directory; new files in it get its owner. *above* is the directory of root's that it is in."""

    def __init__(self, path: str, handle: int, above: int) -> None:
        self.path, self.handle, self._above = path, handle, above
        self.owner = os.fstat(handle).st_uid

    def names(self) -> list[str]:
        """Its entries, sorted; UntrustedError for more than 10,000."""
        with os.scandir(self.handle) as entries:
            found = sorted(entry.name for entry in itertools.islice(entries, MAX_ENTRIES + 1))
        if len(found) > MAX_ENTRIES:
            raise UntrustedError(f"it holds more than {MAX_ENTRIES} entries: clear it", self.path)
        return found

    def flags(self) -> list[str]:
        """Return the names that begin with a flag's prefix, at most 10,000 of them."""
        with os.scandir(self.handle) as entries:
            return list(itertools.islice((e.name for e in entries if e.name.startswith(FLAGS)), MAX_ENTRIES))

    def read(self, name: str, limit: int) -> tuple[os.stat_result, bytes]:
        """Status and content of a plain file; FileNotFoundError, or UntrustedError for anything else in its place."""
        try:
            handle = os.open(name, _FILE, dir_fd=self.handle)
        except FileNotFoundError:
            raise
        except OSError as fault:
            raise self._untrusted(name, "a link" if fault.errno == UntrustedError.LOOP else "not a file") from fault
        try:
            status = os.fstat(handle)
            self._expect_ours(name, status, limit)
            content = b""
            while len(content) <= limit and (more := os.read(handle, limit + 1 - len(content))):
                content += more
        finally:
            os.close(handle)
        if len(content) > limit:
            raise self._untrusted(name, f"larger than {limit} bytes")
        return status, content

    def _expect_ours(self, name: str, status: os.stat_result, limit: int) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._untrusted(name, "not a file")
        if status.st_nlink != 1:
            raise self._untrusted(name, "another name of a file elsewhere")
        if status.st_uid != self.owner:
            raise self._untrusted(name, f"a file of user {status.st_uid}")
        if status.st_size > limit:
            raise self._untrusted(name, f"larger than {limit} bytes")

    def _untrusted(self, name: str, what: str) -> UntrustedError:
        return UntrustedError(f"it is {what}", f"{self.path}/{printable(name)}")

    def replace(self, name: str, content: bytes, mode: int, owner: int, group: int) -> None:
        """Replace the entry by a new file; raises OSError with the old one untouched."""
        temporary = f".ibgw-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600, dir_fd=self.handle)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchown(handle, owner, group)
                os.fchmod(handle, mode)
                file.write(content)
                file.flush()
                os.fsync(handle)
            self._rename_over(temporary, name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self.handle)
            raise

    def _rename_over(self, temporary: str, name: str) -> None:
        for _try in range(TRIES):
            try:
                os.rename(temporary, name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
                return
            except IsADirectoryError:
                self.set_aside(name)
        raise self._untrusted(name, "made a directory again and again")

    def set_aside(self, name: str) -> None:
        """Move an entry that cannot be removed at once out of the container's reach."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(ASIDE, 0o700, dir_fd=self._above)
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, f"{ASIDE}/{secrets.token_hex(8)}", src_dir_fd=self.handle, dst_dir_fd=self._above)

    def remove(self, name: str) -> None:
        """Remove an entry of any type; a directory that is not empty is set aside."""
        for _try in range(TRIES):
            try:
                if stat.S_ISDIR(os.stat(name, dir_fd=self.handle, follow_symlinks=False).st_mode):
                    os.rmdir(name, dir_fd=self.handle)
                else:
                    os.unlink(name, dir_fd=self.handle)
                return
            except FileNotFoundError:
                return
            except (IsADirectoryError, NotADirectoryError):
                # It was swapped after the look.
                continue
            except OSError as fault:
                if fault.errno != UntrustedError.NOT_EMPTY:
                    raise
                self.set_aside(name)
                return
        raise self._untrusted(name, "another thing at each look")

    def remove_unwritten(self, name: str) -> bool:
        """Remove a plain file unless a process has it open for writing, or that cannot be told; whether it is gone.

        The kernel grants a read lease (fcntl(2)) only while nobody can write, and whoever opens it then waits for us.
        """
        try:
            handle = os.open(name, _FILE, dir_fd=self.handle)
        except OSError:
            return False
        try:
            # The signal that tells of somebody who waits would end us; by default this one does nothing.
            fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            os.unlink(name, dir_fd=self.handle)
        except OSError as fault:
            if fault.errno not in _NO_LEASE:
                raise
            return False
        finally:
            os.close(handle)
        return True

    def directories(self) -> c.Iterator[SettingsDirectory]:
        """The directories in it, however many entries there are, each open until the next one."""
        with os.scandir(self.handle) as entries:
            for name in (entry.name for entry in entries if entry.is_dir(follow_symlinks=False)):
                try:
                    handle = os.open(name, _DIRECTORY, dir_fd=self.handle)
                except OSError:
                    continue
                try:
                    yield SettingsDirectory(f"{self.path}/{printable(name)}", handle, self._above)
                finally:
                    os.close(handle)

    def token_directories(self) -> c.Iterator[SettingsDirectory]:
        """The directories in it that hold something by the name of a token, each open until the next one."""
        return (each for each in self.directories() if each.holds(TOKEN))

    def holds(self, name: str) -> bool:
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=self.handle, follow_symlinks=False)
            return True
        return False


def remove_stale(descriptor: Descriptor) -> list[str]:
    """Remove the leftovers of a crash that would break a new sign-in; returns the first ten names, printable.

    These are the tokens and the flags PAUSE and COLDRESTART. Raises UntrustedError or another OSError.
    """
    removed: list[str] = []
    with contextlib.suppress(FileNotFoundError), opened(descriptor.settings_dir) as directory:
        for _pass in range(MAX_PASSES):
            flags = directory.flags()
            for name in flags:
                directory.remove(name)
            removed.extend(flags[: MAX_TOLD - len(removed)])
            if len(flags) < MAX_ENTRIES:
                break
        for below in directory.token_directories():
            below.remove(TOKEN)
            removed.append(TOKEN)
    return [printable(name) for name in removed[:MAX_TOLD]]


def has_token(descriptor: Descriptor) -> bool:
    """Whether a sign-in is kept: the gateway has a token. Raises UntrustedError or another OSError."""
    with contextlib.suppress(FileNotFoundError), opened(descriptor.settings_dir) as directory:
        for below in directory.token_directories():
            with contextlib.suppress(UntrustedError):
                below.read(TOKEN, JTS_BYTES)
                return True
    return False


class JtsIni(Entry):
    """``jts.ini``, of which we manage some keys; anything in its place other than the gateway's own file is
    replaced."""

    def __init__(self, directory: str, wanted: str, owner: int, group: int) -> None:
        super().__init__(f"{directory}/{JTS_INI}", None, owner, group)
        self.directory, self.ours = directory, wanted
        self.new_mode = 0o600

    def found(self) -> State:
        try:
            with opened(self.directory) as directory:
                status, content = directory.read(JTS_INI, JTS_BYTES)
        except FileNotFoundError:
            return {}
        except UntrustedError as fault:
            if fault.filename != self.path:
                raise
            return {"untrusted": str(fault.strerror)}
        return {
            "mode": stat.S_IMODE(status.st_mode),
            "owner": status.st_uid,
            "group": status.st_gid,
            "content": content.decode("utf-8", "surrogateescape"),
        }

    def wanted(self, found: State) -> State:
        attributes = self.attributes(found)
        text = reconcile(str(found.get("content", "")), self.ours)
        return {**attributes, "mode": int(attributes["mode"]) & 0o666, "content": text}

    def make(self, wanted: State) -> None:
        content = str(wanted["content"]).encode("utf-8", "surrogateescape")
        with opened(self.directory) as directory:
            directory.replace(JTS_INI, content, int(wanted["mode"]), int(wanted["owner"]), int(wanted["group"]))

    def shown(self, state: State) -> str:
        """Only the keys that we manage, since the container writes the file."""
        if not state:
            return ""
        if "untrusted" in state:
            return f"({state['untrusted']}; not shown)\n"
        held: Keys = keys(str(state["content"]))
        lines = [
            f"[{section}] {key}={printable(held[section, key], 200)}\n"
            for section, key in keys(self.ours)
            if (section, key) in held
        ]
        return super().shown({**state, "content": "".join(lines)})
