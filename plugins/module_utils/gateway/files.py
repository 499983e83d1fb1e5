# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are whole or not there: a reader, a full disk or a killed run never meets half of one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile


class Entry:
    """One wanted directory (``content is None``) or file, with its owner, group (numeric ids) and mode."""

    def __init__(
        self, path: str, mode: int, owner: int = 0, group: int = 0, content: str | None = None, secret: bool = False
    ) -> None:
        self.path, self.mode, self.owner, self.group = path, mode, owner, group
        self.content, self.secret = content, secret

    def found(self) -> dict[str, object]:
        """What is there now, in the form of :meth:`wanted`; an empty dictionary when nothing is."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return {}
        found: dict[str, object] = {
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "owner": status.st_uid,
            "group": status.st_gid,
        }
        if self.content is not None:
            with open(self.path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                found["content"] = file.read()
        return found

    def wanted(self) -> dict[str, object]:
        wanted: dict[str, object] = {"mode": f"{self.mode:04o}", "owner": self.owner, "group": self.group}
        return wanted if self.content is None else {**wanted, "content": self.content}

    def apply(self) -> None:
        """Make it so; a file is replaced in one step (OSError when that fails, the old one is then untouched)."""
        if self.content is None:
            os.makedirs(self.path, mode=self.mode, exist_ok=True)
            os.chown(self.path, self.owner, self.group)
            os.chmod(self.path, self.mode)
            return
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".ibgw-", dir=os.path.dirname(self.path))
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                os.fchown(file.fileno(), self.owner, self.group)
                os.fchmod(file.fileno(), self.mode)
                file.write(self.content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def difference(self, found: dict[str, object]) -> dict[str, str]:
        """What ``--diff`` prints; of a secret only that it is another one."""
        before, after = self._shown(found), self._shown(self.wanted())
        if self.secret and found and found["content"] != self.content:
            after += "(another secret than before)\n"
        return {"before": before, "after": after, "before_header": self.path, "after_header": self.path}

    def _shown(self, side: dict[str, object]) -> str:
        if not side:
            return ""
        text = f"mode {side['mode']} owner {side['owner']} group {side['group']}\n"
        if "content" not in side:
            return text
        return text + ("(secret, not shown)\n" if self.secret else str(side["content"]))


def reconcile(entries: list[Entry], check: bool) -> list[dict[str, str]]:
    """Bring every entry to its wanted form, in order (nothing is written when *check*).

    Returns one ``{before, after, before_header, after_header}`` per entry that differed: what ``--diff`` prints.
    Raises OSError with the entry's path; the entries before it are done, the others as they were.
    """
    changes = []
    for entry in entries:
        try:
            found = entry.found()
            if found == entry.wanted():
                continue
            changes.append(entry.difference(found))
            if not check:
                entry.apply()
        except OSError as fault:
            raise OSError(fault.errno, fault.strerror, entry.path) from fault
    return changes
