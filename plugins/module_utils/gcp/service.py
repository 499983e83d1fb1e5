# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of Google's smaller APIs, asked through its library: a deadline for everything, and errors for people."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import importlib
import json
import time
import typing as t

from . import library
from .compute import ATTEMPTS, CALL_SECONDS, LONGEST_PAUSE_SECONDS, PASSING
from .errors import GcpError, explained

PAUSE_SECONDS = 1.0

Body = dict[str, t.Any]
Answer = t.TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Service:
    """An API: its host name, the library for it, and a sentence about the roles that may use it."""

    api: str
    package: str
    distribution: str
    roles: str


class NoAnswerError(GcpError):
    """The request may have been carried out, or not."""


class Connection:
    """An API in one project. Nothing waits for longer than *seconds* from now on, all calls together."""

    def __init__(
        self,
        service: Service,
        project: str,
        credentials: c.Callable[[], t.Any],
        api_endpoint: str | None,
        seconds: float,
    ) -> None:
        self.service, self.project = service, project
        self._ends = time.monotonic() + seconds
        self._library = library.load_small(service.package, service.distribution)
        self.types = self._library.package
        self._options = {"api_endpoint": api_endpoint} if api_endpoint else {}
        self._credentials = credentials()

    def client(self, name: str) -> t.Any:
        """A client of the library, over REST."""
        build = getattr(self._library.package, name)
        return build(transport="rest", credentials=self._credentials, client_options=self._options)

    def left(self) -> float:
        """How many seconds are left."""
        return self._ends - time.monotonic()

    def ask(self, what: str, call: c.Callable[..., Answer], repeat: bool = True) -> Answer | None:
        """Carry out *call* with C(timeout) and C(retry); None when what it is about does not exist.

        With *repeat*, what passes by itself is tried again. NoAnswerError when it is not known whether it was done,
        GcpError for everything else.
        """
        exceptions = self._library.exceptions
        try:
            return call(timeout=max(0.1, min(CALL_SECONDS, self.left())), retry=self._retry() if repeat else None)
        except exceptions.NotFound:
            return None
        except Exception as error:
            # After the last try, the library tells of its patience: what it has run into is the cause.
            found = error.cause if isinstance(error, exceptions.RetryError) else error
            raise self._explained(what, found) from error

    def _explained(self, what: str, error: t.Any) -> t.Any:
        """An exception for people, or the same where it is a mistake of ours."""
        if isinstance(error, self._library.exceptions.GoogleAPICallError):
            told = explained(error, what, self.project, self.service.api, self.service.roles)
            return NoAnswerError(str(told)) if (error.code or 0) >= 500 else told
        if isinstance(error, self._library.connection_errors):
            return NoAnswerError(f"{what}: no answer from the API: {error}")
        if isinstance(error, self._library.auth_error):
            return GcpError(f"{what}: the credentials give no access: {error}. Renew them and run again.")
        return error

    def _retry(self) -> t.Any:
        left = [ATTEMPTS]

        def passes(error: t.Any) -> bool:
            left[0] -= 1
            passing = getattr(error, "code", None) in PASSING or isinstance(error, self._library.connection_errors)
            return passing and left[0] > 0

        retry = importlib.import_module("google.api_core.retry").Retry
        longest = max(0.1, min(self.left(), LONGEST_PAUSE_SECONDS * ATTEMPTS))
        return retry(passes, initial=PAUSE_SECONDS, maximum=LONGEST_PAUSE_SECONDS, timeout=longest)


def message(kind: t.Any, body: Body) -> t.Any:
    """A message of a kind from the API's own form."""
    return kind.from_json(json.dumps(body))
