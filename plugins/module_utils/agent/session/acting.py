# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a gateway's lease for an action, and keep its record, whatever its API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..engine.client import Engine
from .journal import Named
from .lifecycle import SessionError
from .store import Record, Store

# A watcher releases the lease after one look.
PATIENCE = 30.0


class Acting:
    """One gateway of this host, acted on by *by*. *now* gives epoch seconds.

    *owner* holds the lease during an action, and keeps it for *keep* more seconds after a successful one.
    """

    descriptor: Named
    by: str
    owner: str
    keep: float
    engine: Engine
    store: Store
    now: Callable[[], float]

    @contextlib.contextmanager
    def acting(self, what: str, take_over: bool = False) -> Iterator[Record]:
        """Yield the record for an action; it is saved when the block ends, even by an error.

        With *take_over*, even if another run keeps the lease between two of its tasks. Raises BusyError, and
        SessionError when the record cannot be saved.
        """
        with self.store.lease.held(self.owner, what, PATIENCE, lambda: self.keep, take_over) as another:
            if another:
                self.store.note("taken_over", f"{what} by {self.owner} ended the lease of: {another}", self.now())
            record = self.store.load(self.descriptor.mode)
            try:
                yield record
            finally:
                self.settle(record)
                self.save(record)

    def settle(self, record: Record) -> None:
        """Bring what belongs to the record in order before it is saved."""

    def save(self, record: Record) -> None:
        try:
            self.store.save(record)
        except OSError as error:
            raise SessionError(
                f"what gateway {self.descriptor.name} may do cannot be written to {self.store.state_path}: "
                f"{error.strerror}. Fix that and try again"
            ) from error
