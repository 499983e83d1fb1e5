# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections whose resources are changed in one call each, without operations: read, compare, carry out."""

from __future__ import annotations

import abc
import collections.abc as c
import dataclasses
import typing as t

from .client import Client
from .errors import ChangedMeanwhileError, GcpError, InterruptedRunError, NotFoundError
from .journal import State
from .library import Body


@dataclasses.dataclass(frozen=True)
class Change:
    """The call that takes a resource from *before* to *after*, in the form for comparison; None: it does not exist.

    *key* is our name for it, *name* Google's where it exists. *body* is what is sent.
    """

    collection: str
    key: str
    verb: str
    before: Body | None
    after: Body | None
    body: Body = dataclasses.field(default_factory=dict)
    name: str = ""

    @property
    def action(self) -> str:
        return f"{self.collection}.{self.verb} {self.key}"


class Collection(abc.ABC):
    """The resources of one collection that should be there, and the API to change them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.warnings: list[str] = []

    @abc.abstractmethod
    def read(self, timeout: float) -> list[Body]:
        """All resources of the project, ours and others, in the API's own form."""

    @abc.abstractmethod
    def changes(self, found: c.Iterable[Body]) -> list[Change]:
        """The changes from what was *found*; RefusedError if one is impossible."""

    @abc.abstractmethod
    def send(self, change: Change, timeout: float) -> t.Any:
        """Make the call, and return Google's message; None for a removal."""

    def carry_out(self, change: Change, again: bool = True) -> None:
        """Make the call. With *again*, look once more if somebody has changed the resource, and try what is left."""
        journal = self.client.journal
        entry, tried = journal.send(change.action), list[Change]()

        def attempt(timeout: float) -> None:
            # The answer was lost, not always the request, and a second one may create a second resource.
            if tried and not self._left(change, timeout):
                return
            tried.append(change)
            answer = self.send(change, timeout)
            if change.after is not None:
                self.client.whole(answer)

        try:
            self.client.ask(change.action, attempt)
        except InterruptedRunError:
            raise
        except (ChangedMeanwhileError, NotFoundError) as error:
            left = self.client.ask(f"{change.collection}.list", lambda timeout: self._left(change, timeout))
            gone = isinstance(error, NotFoundError) and change.after is None
            journal.end(entry, State.DONE if error.unknown and not left else State.GONE if gone else State.REFUSED)
            if left and not again:
                raise
            for each in left:
                self.carry_out(each, again=False)
        except GcpError as error:
            if not error.unknown:
                journal.end(entry, State.REFUSED)
            raise
        else:
            journal.end(entry, State.DONE)

    def _left(self, change: Change, timeout: float) -> list[Change]:
        """The changes still to make at the resource of *change*."""
        return [each for each in self.changes(self.read(timeout)) if each.key == change.key]


def restricted(found: t.Any, desired: t.Any) -> t.Any:
    """The part of *found* that *desired* speaks of: Google adds defaults, and people add what is theirs."""
    if isinstance(found, dict) and isinstance(desired, dict):
        return {name: restricted(found[name], value) for name, value in desired.items() if name in found}
    if isinstance(found, list) and isinstance(desired, list) and len(found) == len(desired):
        return [restricted(*pair) for pair in zip(found, desired, strict=True)]
    return found
