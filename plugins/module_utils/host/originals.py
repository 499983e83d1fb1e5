# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep each file as it was before a role first wrote it, so that the role's work can be taken back.

A directory holds ``index.json``, and the content of each file that had one. It is written before the files are: a run
that is cut leaves too much in it, never too little. A file that somebody else has changed since the role wrote it is
theirs, and is not touched.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import typing as t

from ..agent import files, record_file

ABSENT, CONTENT, LINK, ATTRIBUTES = "absent", "content", "link", "attributes"
# Files of ours have it in their names.
OURS = "ibgw"


@dataclasses.dataclass(frozen=True)
class Original:
    """One path: what was there (*kind*, with its attributes), and the digest of what was *written* in its place.

    ``commands`` make the new file take effect. ``retire`` runs before the old one is put back; of a guarded file it
    makes the old one take effect.
    """

    path: str
    kind: str
    written: str
    guarded: bool = False
    target: str = ""
    mode: int = 0
    owner: int = 0
    group: int = 0
    commands: list[str] = dataclasses.field(default_factory=list)
    retire: list[str] = dataclasses.field(default_factory=list)

    def found(self) -> files.State:
        return files.read(self.path, content=self.kind != ATTRIBUTES)

    def is_used(self) -> bool:
        """Whether it was made as a directory, and has something in it now."""
        made = self.kind == ABSENT and os.path.isdir(self.path) and not os.path.islink(self.path)
        return made and bool(os.listdir(self.path))


@dataclasses.dataclass(frozen=True)
class Index:
    """``index.json``. It stays, empty, when everything was put back."""

    originals: list[Original] = dataclasses.field(default_factory=list)


class UnknownError(Exception):
    """Nothing says what was there."""


class Originals:
    """The originals in the directory *root*."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._index = f"{root}/index.json"

    def keep(self, wanted: c.Sequence[tuple[files.Entry, c.Mapping[str, t.Any]]], guarded: bool = False) -> None:
        """Before entries are written: keep what is there, unless it is kept already. Each comes with its option.

        Keeps nothing on a host that has files of ours of which nobody kept the originals. OSError, DamagedError.
        """
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        with self._alone():
            kept = {each.path: each for each in self._read(Index()).originals}
            pairs = [(entry, option, entry.found()) for entry, option in wanted]
            if not os.path.exists(self._index) and any(found and OURS in entry.path for entry, _o, found in pairs):
                return
            # A path can be written twice, here or in another run: whole by one entry, its attributes by another.
            states = {path: each.found() for path, each in kept.items()}
            for entry, option, found in pairs:
                found = {**found, **states.get(entry.path, {})}
                after = states[entry.path] = entry.wanted(found)
                if found != after:
                    kept[entry.path] = dataclasses.replace(
                        self._first(kept.get(entry.path), entry, found),
                        written=digest(after),
                        guarded=guarded,
                        commands=list(option["commands"]),
                        retire=list(option["retire"]),
                    )
            self._write(Index(list(kept.values())))

    def due(self) -> tuple[list[Original], list[str]]:
        """Return the originals to put back, the last written first, and the paths that somebody has changed since.

        A directory that is in use is in neither. Raises UnknownError where nobody kept anything, DamagedError, OSError.
        """
        due, left = [], []
        for each in reversed(self._read(None).originals):
            found = each.found()
            if digest(found) == each.written:
                due += [] if each.is_used() else [each]
            elif found != self._before(each):
                left.append(each.path)
        return due, left

    def option(self, original: Original) -> dict[str, t.Any]:
        """Return what the path has to be again, as an element of option ``files``. Raises DamagedError, OSError."""
        option: dict[str, t.Any] = {"path": original.path, "commands": original.retire}
        if original.kind == ABSENT:
            return {**option, "state": "absent"}
        if original.kind == LINK:
            return {**option, "target": original.target}
        attributes = {"mode": f"{original.mode:04o}", "owner": str(original.owner), "group": str(original.group)}
        if original.kind == ATTRIBUTES:
            return {**option, **attributes, "state": "attributes"}
        return {**option, **attributes, "content": self._before(original)["content"]}

    def any(self) -> bool:
        """Whether anything is kept. Raises DamagedError, OSError."""
        return bool(self._read(Index()).originals)

    def forget(self) -> None:
        """Everything was put back. OSError."""
        with self._alone():
            self._write(Index())
            for name in os.listdir(self.root):
                if name != "index.json":
                    os.unlink(f"{self.root}/{name}")

    def _first(self, kept: Original | None, entry: files.Entry, found: files.State) -> Original:
        """The original as it is *kept*; of a file of which only the attributes were written, the content is added."""
        if kept and (kept.kind != ATTRIBUTES or "content" not in found):
            return kept
        return self._original(entry, {**found, **(self._before(kept) if kept else {})})

    def _original(self, entry: files.Entry, found: files.State) -> Original:
        if not found:
            return Original(entry.path, ABSENT, "")
        if "target" in found:
            return Original(entry.path, LINK, "", target=str(found["target"]))
        attributes: dict[str, t.Any] = {name: found[name] for name in ("mode", "owner", "group")}
        if "content" not in found:
            return Original(entry.path, ATTRIBUTES, "", **attributes)
        files.write_private(self._place(entry.path), str(found["content"]))
        return Original(entry.path, CONTENT, "", **attributes)

    def _before(self, original: Original) -> files.State:
        if original.kind == ABSENT:
            return {}
        if original.kind == LINK:
            return {"target": original.target}
        state: files.State = {"mode": original.mode, "owner": original.owner, "group": original.group}
        if original.kind == CONTENT:
            kept = files.read(self._place(original.path))
            if "content" not in kept:
                raise record_file.DamagedError(f"the content kept of {original.path} is missing")
            state["content"] = kept["content"]
        return state

    def _place(self, path: str) -> str:
        return f"{self.root}/{hashlib.sha256(path.encode()).hexdigest()[:32]}"

    @contextlib.contextmanager
    def _alone(self) -> c.Iterator[None]:
        handle = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self, default: Index | None) -> Index:
        try:
            return record_file.load(Index, self._index)
        except FileNotFoundError:
            if default is None:
                raise UnknownError from None
            return default
        except record_file.DamagedError as fault:
            text = f"{self._index}: {fault}; without it the files cannot be put back"
            raise record_file.DamagedError(text) from None

    def _write(self, index: Index) -> None:
        files.write_private(self._index, json.dumps({"schema": record_file.SCHEMA, **dataclasses.asdict(index)}))


def commands(originals: c.Iterable[Original], which: t.Literal["commands", "retire"]) -> list[str]:
    """Return the commands of several originals, each once."""
    return list(dict.fromkeys(command for each in originals for command in getattr(each, which)))


def digest(state: files.State) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
