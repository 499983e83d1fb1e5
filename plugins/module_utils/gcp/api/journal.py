# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests to Google and their answers; every report is made from it."""

from __future__ import annotations

import dataclasses
import enum
import threading


class State(enum.Enum):
    """The progress of a write. After SENT and ACCEPTED its outcome is still open."""

    SENT = "sent, and no answer came"
    REFUSED = "refused"
    ACCEPTED = "accepted, and not known to have ended"
    FAILED = "failed"
    GONE = "refused, as what it deletes was gone already"
    DONE = "done"


@dataclasses.dataclass
class Entry:
    """A write, for example C(firewalls.update api); *command* shows its operation."""

    action: str
    state: State = State.SENT
    command: str = ""

    @property
    def may_have_effect(self) -> bool:
        return self.state not in (State.REFUSED, State.FAILED, State.GONE)

    @property
    def is_open(self) -> bool:
        return self.state in (State.SENT, State.ACCEPTED)


class Journal:
    """The writes of a run. It may be used by many threads."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._done: list[Entry] = []
        self._lock = threading.Lock()

    def send(self, action: str) -> Entry:
        """Note a write just before it is sent."""
        with self._lock:
            self._entries.append(Entry(action))
            return self._entries[-1]

    def end(self, entry: Entry, state: State) -> None:
        """Note how a write ended."""
        with self._lock:
            entry.state = state
            if state is State.DONE:
                self._done.append(entry)

    @property
    def actions(self) -> list[str]:
        """The completed writes, in the order in which they ended."""
        with self._lock:
            return [entry.action for entry in self._done]

    @property
    def unfinished(self) -> list[str]:
        """The writes whose outcome is unknown."""
        with self._lock:
            return [entry.action for entry in self._entries if entry.is_open]

    @property
    def is_empty(self) -> bool:
        """Whether certainly nothing was changed."""
        return not self.actions and not self.unfinished

    def report(self) -> str:
        """Return the completed actions, and each unfinished one with the command that shows its outcome."""
        if self.is_empty:
            return "Nothing was changed."
        parts = [f"Done before: {', '.join(self.actions)}."] if self.actions else []
        with self._lock:
            left = [entry for entry in self._entries if entry.is_open]
        for entry in left:
            if entry.state is State.ACCEPTED:
                parts.append(f"Google goes on with {entry.action}: `{entry.command}` shows how it ends.")
            else:
                parts.append(f"{entry.action} was sent and not answered: it may have been carried out.")
        return " ".join(parts)
