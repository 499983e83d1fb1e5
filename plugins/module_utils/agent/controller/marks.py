# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find a gateway controller's marks in a container's log: literal texts, at a cost linear in the log's bytes."""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

# Limits: bytes of a line that are searched, and finds of one mark in a block.
MAX_LINE = 2000
MAX_FINDS = 200
# Texts that several marks share: in a block without the text, none of those marks is searched for.
_GATES = (
    b"ogin",
    b"uthentication",
    b"entitled: ",
    b"IBC",
    b"sername or ",
    b"ot supported",
    b"API",
    b"ession",
    b"restart",
)

# The bytes that occur in the engine's header and time.
_FRONT_BYTES = b"0123456789-:.TZ \0\1\2"
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) ")
# Before a line's text: the engine's header of 8 bytes, one of which may look like a line end, and the time.
_FRONT = 8 + 31


class Event(NamedTuple):
    """A log event: its name, its value (may be empty), and the engine's time of the line (may be empty)."""

    name: str
    value: str
    stamp: str


class _Mark:
    """A text in the log that marks an *event*; *first*: only at the start of a line."""

    def __init__(self, event: str, text: str) -> None:
        literal, group, value = text.removeprefix("^").partition("(")
        self.event, self.first, self._text = event, text.startswith("^"), literal.encode()
        self.gate = next((gate for gate in _GATES if gate in self._text), self._text)
        self._valued = re.compile(re.escape(self._text) + (group + value).encode()) if group else None

    def finds(self, block: bytes) -> Iterator[tuple[int, str]]:
        """Yield its position in *block* and its value: the first MAX_FINDS, and the last one."""
        at = block.find(self._text)
        if at >= 0 and self._valued:
            matches = self._valued.finditer(block, at)
            for match in (*itertools.islice(matches, MAX_FINDS), *collections.deque(matches, 1)):
                yield match.start(), match[1].decode("utf-8", "replace").strip()
        elif at >= 0:
            for _each in range(MAX_FINDS):
                yield at, ""
                at = block.find(self._text, at + len(self._text))
                if at < 0:
                    return
            yield block.rfind(self._text), ""


# Values of Finding.again, before anybody has fixed the cause: the next paper window, a sign-in by appointment (it is
# worth its push), a person by one tap.
WINDOW, APPOINTMENT, TAP = "window", "appointment", "tap"


class Finding(NamedTuple):
    """Why a gateway does not become ready, in words for a person: its *meaning* and the *next_step*.

    *again*: who may try again. *at_once*: it is killed, since another attempt, another push or something unknown would
    follow during a gentle stop. *of_image*: an image that is new there may be at fault, so that the one before comes
    back; else it is the account or the phone.
    """

    meaning: str
    next_step: str
    again: tuple[str, ...] = ()
    at_once: bool = False
    of_image: bool = False


class Controller:
    """One program that signs the gateway in: its log's marks by event, its commands, its exit codes, its settings.

    *name* is the descriptor's word for it, *title* a person's. *exit_codes_after_start* are those with another meaning
    once a JVM has begun, *settings_codes* those by which settings are refused. It *listens_late* if it takes commands
    only after its first complete sign-in, *names_pushes_late* if a push is sent before the log mentions it, and
    *password_is_property* if it reads the password from a Java properties file.

    A mark is a literal text; ``^`` before it: at the start of a line; a group after it is the event's value. In each
    line, only the first event in the table's order counts. An event in *findings* is a finding by itself; the others
    are handled by the methods ``_on_<event>`` of :class:`.milestones.Summary`, so that another controller needs only a
    table.
    """

    def __init__(
        self,
        name: str,
        title: str,
        marks: dict[str, tuple[str, ...]],
        commands: dict[str, str],
        exit_codes: dict[int, str],
        findings: dict[str, Finding],
        settings_file: str,
        password_key: str,
        exit_codes_after_start: dict[int, str] | None = None,
        settings_codes: frozenset[int] = frozenset(),
        listens_late: bool = False,
        names_pushes_late: bool = False,
        password_is_property: bool = True,
    ) -> None:
        self.name, self.title, self.commands, self.exit_codes = name, title, commands, exit_codes
        self.settings_file, self.password_key = settings_file, password_key
        self.exit_codes_after_start, self.settings_codes = exit_codes_after_start or {}, settings_codes
        self.listens_late, self.names_pushes_late = listens_late, names_pushes_late
        self.password_is_property = password_is_property
        self.names, self.findings = tuple(marks), findings
        self._marks = [_Mark(event, each) for event, texts in marks.items() for each in texts]
        self._gates = {mark.gate: mark.gate.translate(None, _FRONT_BYTES) for mark in self._marks}

    def events(self, block: bytes) -> Iterator[Event]:
        """Yield the events of *block*, lines of a log as the engine sends them, in order.

        The cost is linear whatever the block contains: marks are searched for as literals, and of one that occurs more
        than MAX_FINDS times, the first MAX_FINDS and the last count.
        """
        found: dict[int, Event] = {}
        # Without the bytes of the engine's prefixes, which are most of the cost of short lines: a text that is missing
        # even then is not in the block.
        bare = block.translate(None, _FRONT_BYTES)
        open_gates = {gate for gate, short in self._gates.items() if short in bare and gate in block}
        for mark in (mark for mark in self._marks if mark.gate in open_gates):
            for at, value in mark.finds(block):
                begin, stamp = _line(block, at)
                if begin is not None and begin not in found and not (mark.first and begin != at):
                    found[begin] = Event(mark.event, value, stamp)
        for begin in sorted(found):
            yield found[begin]


def _line(block: bytes, at: int) -> tuple[int | None, str]:
    """Return where the text of the line around *at* begins, and the engine's time before it; None where *at* is beyond
    the part of a line that is searched."""
    floor = max(0, at - MAX_LINE - _FRONT)
    begin = block.rfind(b"\n", floor, at) + 1
    if not begin and floor:
        return None, ""
    stamp = STAMP.search(block, begin, min(at, begin + _FRONT))
    if stamp is None:
        return begin, ""
    return stamp.end() if at - stamp.end() <= MAX_LINE else None, stamp[1].decode()
