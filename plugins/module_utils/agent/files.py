# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files whole or not at all: no reader, full disk or killed run ever leaves or sees half of one."""

from __future__ import annotations

import abc
import collections.abc as c
import contextlib
import errno
import os
import shlex
import stat
import subprocess
import tempfile

# The kernel's own limit (path_resolution(7)).
MAX_LINKS = 40


class UntrustedError(OSError):
    """A path that a user other than root can change, or an entry placed there; the path is ``filename``."""

    LOOP, NOT_EMPTY = errno.ELOOP, errno.ENOTEMPTY

    def __init__(self, text: str, path: str) -> None:
        super().__init__(errno.EPERM, text, path)


def refuse_shared(path: str, status: os.stat_result, passing: bool = True) -> None:
    """UntrustedError unless only root (or we) can change names in this directory.

    When only *passing* to a directory of root's, a sticky one, such as /tmp, is fine: nobody else can rename entries in
    it.
    """
    if status.st_uid not in (0, os.geteuid()):
        raise UntrustedError(f"this directory above it is user {status.st_uid}'s: chown root {path}", path)
    others = 0o002 | (0o020 if status.st_gid != 0 else 0)
    if status.st_mode & others and not (passing and status.st_mode & stat.S_ISVTX):
        raise UntrustedError(f"others may write this directory above it: chmod go-w {path}", path)


def resolve(path: str) -> str:
    """Resolve *path*, the last link included, accepting only links in directories where only root writes.

    Raises UntrustedError where another user could redirect root. Missing components are kept as they are.
    """
    left, place, links = path.split("/")[::-1], "/", 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            place = os.path.dirname(place)
            continue
        try:
            refuse_shared(place, os.lstat(place))
            below = os.path.join(place, name)
            mode = os.lstat(below).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return os.path.join(place, name, *left[::-1])
        if stat.S_ISLNK(mode):
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(below)
            left += target.split("/")[::-1]
            place = "/" if target.startswith("/") else place
        else:
            place = below
    return place


# The state of a path, links not followed: empty if nothing exists; ``target`` of a link; else ``mode``, ``owner``,
# ``group`` as numbers, and, for a file only, ``content``.
State = dict[str, "int | str"]


def read(path: str, content: bool = True) -> State:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return {}
    if stat.S_ISLNK(status.st_mode):
        return {"target": os.readlink(path)}
    state: State = {"mode": stat.S_IMODE(status.st_mode), "owner": status.st_uid, "group": status.st_gid}
    if content and stat.S_ISREG(status.st_mode):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            state["content"] = file.read()
    return state


def write(path: str, state: State) -> None:
    """Bring a path to this state; a file or link is replaced atomically (OSError: the old one is untouched)."""
    if not state:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if "target" not in state and "content" not in state:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        set_attributes(path, state)
        return
    handle, temporary = tempfile.mkstemp(prefix=".ibgw-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if "target" in state:
                os.unlink(temporary)
                os.symlink(str(state["target"]), temporary)
            else:
                set_attributes(temporary, state)
                file.write(str(state["content"]))
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_private(path: str, content: str) -> None:
    """Write a file for this process's user alone, in one step. OSError."""
    write(path, {"content": content, "mode": 0o600, "owner": os.geteuid(), "group": os.getegid()})


def set_attributes(path: str, state: State) -> None:
    os.chown(path, int(state["owner"]), int(state["group"]))
    os.chmod(path, int(state["mode"]))


class Entry(abc.ABC):
    """The desired state of one path. An attribute that is None stays as found; a new path gets the caller's own, and
    *new_mode*."""

    new_mode = 0o644
    reads_content = True
    # A command that validates the text; ``%s`` in it is a file with the text.
    validate: str | None = None

    def __init__(self, path: str, mode: int | None = None, owner: int | None = None, group: int | None = None) -> None:
        self.path, self.mode, self.owner, self.group = path, mode, owner, group

    def check(self, wanted: State) -> None:
        """ValueError with the command's complaint about the *wanted* text. If its program is missing, nothing reads the
        file."""
        if not self.validate or "content" not in wanted:
            return
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(str(wanted["content"]))
            file.flush()
            argv = [word.replace("%s", file.name) for word in shlex.split(self.validate)]
            with contextlib.suppress(FileNotFoundError):
                done = subprocess.run(argv, capture_output=True, text=True, check=False)
                if done.returncode:
                    said = (done.stderr.strip() or done.stdout.strip()).replace(file.name, self.path)[-2000:]
                    raise ValueError(f"{self.path}: {argv[0]} refuses the new text: {said}")

    def found(self) -> State:
        parent = resolve(os.path.dirname(self.path))
        with contextlib.suppress(FileNotFoundError):
            refuse_shared(parent, os.stat(parent), passing=False)
        return read(self.path, self.reads_content)

    def make(self, wanted: State) -> None:
        write(self.path, wanted)

    @abc.abstractmethod
    def wanted(self, found: State) -> State:
        """Return the desired state, given the state *found*."""

    def attributes(self, found: State) -> State:
        def choose(wanted: int | None, name: str, default: int) -> int | str:
            return found.get(name, default) if wanted is None else wanted

        return {
            "mode": choose(self.mode, "mode", self.new_mode),
            "owner": choose(self.owner, "owner", os.geteuid()),
            "group": choose(self.group, "group", os.getegid()),
        }

    def difference(self, before: State, after: State) -> dict[str, str]:
        """Return the change as ``--diff`` prints it."""
        return {
            "before": self.shown(before),
            "after": self.shown(after),
            "before_header": self.path,
            "after_header": self.path,
        }

    def shown(self, state: State) -> str:
        if not state:
            return ""
        if "target" in state:
            return f"link to {state['target']}\n"
        text = f"mode {state['mode']:04o} owner {state['owner']} group {state['group']}\n"
        return text + str(state.get("content", ""))


class Directory(Entry):
    new_mode = 0o755

    def wanted(self, found: State) -> State:
        return self.attributes(found)


class File(Entry):
    """A file whose whole text is known."""

    def __init__(self, path: str, content: str, mode: int, owner: int, group: int) -> None:
        super().__init__(path, mode, owner, group)
        self.content = content

    def wanted(self, found: State) -> State:
        return {**self.attributes(found), "content": self.content}


class Secret(File):
    """A file of which only the fact of a change is shown."""

    def difference(self, before: State, after: State) -> dict[str, str]:
        difference = super().difference(before, after)
        if before and before["content"] != after["content"]:
            difference["after"] += "(another secret than before)\n"
        return difference

    def shown(self, state: State) -> str:
        return super().shown({**state, "content": "(secret, not shown)\n"}) if state else ""


class Edited(Entry):
    """Somebody else's file in which we manage some lines; *edit* maps its text to the wanted text."""

    def __init__(
        self,
        path: str,
        edit: c.Callable[[str], str],
        mode: int | None = None,
        owner: int | None = None,
        group: int | None = None,
        optional: bool = False,
        new_mode: int = 0o644,
    ) -> None:
        super().__init__(resolve(path), mode, owner, group)
        self.edit, self.optional, self.new_mode = edit, optional, new_mode

    def wanted(self, found: State) -> State:
        if self.optional and not found:
            return {}
        return {**self.attributes(found), "content": self.edit(str(found.get("content", "")))}


class Link(Entry):
    def __init__(self, path: str, target: str) -> None:
        super().__init__(path)
        self.target = target

    def wanted(self, found: State) -> State:
        return {"target": self.target}


class Absent(Entry):
    def wanted(self, found: State) -> State:
        return {}

    def shown(self, state: State) -> str:
        """Hide a file that is not world-readable: it may hold a key."""
        private = "content" in state and not int(state["mode"]) & 0o004
        return super().shown({**state, "content": "(not shown)\n"} if private else state)


class Attributes(Entry):
    """Only mode, owner and group of an existing path, for example a program."""

    reads_content = False

    def __init__(self, path: str, mode: int | None = None, owner: int | None = None, group: int | None = None) -> None:
        super().__init__(resolve(path), mode, owner, group)

    def wanted(self, found: State) -> State:
        return {**found, **self.attributes(found)} if found else {}

    def make(self, wanted: State) -> None:
        set_attributes(self.path, wanted)


def reconcile(entries: list[Entry], check: bool) -> list[dict[str, str]]:
    """Bring every entry to its wanted form, in order (nothing is written when *check*).

    Returns one ``{before, after, before_header, after_header}`` per entry that differed: what ``--diff`` prints.
    Raises ValueError for a text that its program refuses (run *check* first to leave nothing half done), and OSError
    with the entry's path; entries before it are done, later ones unchanged.
    """
    changes = []
    for entry in entries:
        try:
            found = entry.found()
            wanted = entry.wanted(found)
            if found == wanted:
                continue
            entry.check(wanted)
            changes.append(entry.difference(found, wanted))
            if not check:
                entry.make(wanted)
        except UntrustedError:
            raise
        except OSError as fault:
            raise OSError(fault.errno, fault.strerror, entry.path) from fault
    return changes
