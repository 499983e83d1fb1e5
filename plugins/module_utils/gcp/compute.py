# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute Engine: read one, list all, read a VM's guest attributes, write and wait."""

from __future__ import annotations

import collections.abc as c
import json
import re
import time
import typing as t
import uuid

from . import library
from .errors import ChangedMeanwhileError, GcpError, explained, quota, reasons
from .kinds import INSTANCE, Kind, verb

CALL_SECONDS = 60.0
# Google's wait returns after at most two minutes.
WAIT_SECONDS = 130.0
# What goes away by itself is tried again after this time, then after twice as long, and so on.
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
ATTEMPTS = 5
PASSING = (429, 500, 502, 503, 504)

Body = dict[str, t.Any]
Answer = t.TypeVar("Answer")


def endpoint(given: str) -> str:
    """The address of the API from the forms that people have it in, with C(/compute/v1/) at its end or without."""
    return re.sub(r"/?(compute/v1/?)?$", "", given)


class Compute:
    """The API of one project, region and zone. Nothing waits for longer than *seconds* from now on, all calls together.

    Every method raises GcpError. It may be used by many threads.
    """

    def __init__(
        self,
        project: str,
        region: str,
        credentials: c.Callable[[], t.Any],
        api_endpoint: str | None,
        seconds: float,
        kinds: c.Iterable[Kind],
        zone: str = "",
    ) -> None:
        self.project, self.region = project, region
        self._seconds, self._ends = seconds, time.monotonic() + seconds
        self._places = {"": {}, "region": {"region": region}, "zone": {"zone": zone}}
        kinds = tuple(kinds)
        scopes = sorted({kind.scope for kind in kinds})
        operations = {scope: f"{scope or 'global'}_operations" for scope in scopes}
        self._library = library.load([*operations.values(), *(kind.service for kind in kinds)])
        options = {"api_endpoint": endpoint(api_endpoint)} if api_endpoint else {}
        who = credentials()

        def client(service: str, name: str) -> t.Any:
            build = getattr(self._library.services[service], name)
            return build(credentials=who, client_options=options)

        self._clients = {kind.collection: client(kind.service, kind.client) for kind in kinds}
        # What a method returns as an operation polls Google's own address, whatever the endpoint: these do not.
        self._operations = {
            scope: client(service, f"{(scope or 'global').capitalize()}OperationsClient")
            for scope, service in operations.items()
        }

    def get(self, kind: Kind, name: str) -> Body | None:
        """A resource as the API has it; None when there is none."""
        what = f"{kind.collection}.get {name}"
        call = self._clients[kind.collection].get
        request = {**self._place(kind), kind.key: name}
        try:
            found = self._send(what, lambda timeout: call(request=request, timeout=timeout, retry=None))
        except self._library.exceptions.NotFound:
            return None
        return library.plain(found)

    def list(self, kind: Kind) -> list[Body]:
        """All resources of a kind, those of a region or zone in ours."""
        call = self._clients[kind.collection].list
        request = self._place(kind)
        return self._send(
            f"{kind.collection}.list",
            lambda timeout: [library.plain(each) for each in call(request=request, timeout=timeout, retry=None)],
        )

    def guest_attributes(self, name: str, path: str) -> tuple[Body, ...]:
        """The C(namespace), C(key) and C(value) of each entry that VM *name* has published below *path*."""
        what = f"instances.getGuestAttributes {name}"
        call = self._clients[INSTANCE.collection].get_guest_attributes
        request = {**self._place(INSTANCE), INSTANCE.key: name, "query_path": path}
        try:
            found = self._send(what, lambda timeout: call(request=request, timeout=timeout, retry=None))
        except self._library.exceptions.NotFound:
            return ()
        return tuple(library.plain(found).get("queryValue", {}).get("items", []))

    def write(self, kind: Kind, action: str, name: str, body: Body | None, parameters: t.Mapping[str, t.Any]) -> None:
        """Change something and wait until it is changed; ChangedMeanwhileError when it is not what it was.

        What is gone already counts as deleted.
        """
        what, method = f"{kind.collection}.{action} {name}", verb(kind, action)
        request: Body = {**self._place(kind), **parameters, "request_id": str(uuid.uuid4())}
        if method.key:
            request[method.key.format(key=kind.key)] = name
        if body is not None:
            message = getattr(self._library.types, method.message.format(message=kind.message))
            request[method.field(kind)] = message.from_json(json.dumps(body))
        call = getattr(self._clients[kind.collection], method.function)
        try:
            operation = self._send(what, lambda timeout: call(request=request, timeout=timeout, retry=None))
        except self._library.exceptions.NotFound as error:
            if action == "delete":
                return
            raise ChangedMeanwhileError(f"{what}: {error.message}") from error
        self._wait(what, kind, operation)

    def _place(self, kind: Kind) -> dict[str, str]:
        return {"project": self.project, **self._places[kind.scope]}

    def _send(self, what: str, call: c.Callable[[float], Answer], seconds: float = CALL_SECONDS) -> Answer:
        """Call with a timeout, again after what passes: the request's id keeps it from being done twice."""
        attempt, pause = 1, PAUSE_SECONDS
        while True:
            try:
                return call(max(0.1, min(seconds, self._left())))
            except self._library.exceptions.NotFound:
                raise
            except Exception as error:
                # Another operation on it ends by itself, so that only the deadline limits how often that is looked at.
                busy = self._is_answer(error) and "resourceNotReady" in reasons(error)
                attempts_left = busy or (self._passes(error) and attempt < ATTEMPTS)
                if not attempts_left or self._left() < pause:
                    raise self._explained(error, what) from error
            time.sleep(pause)
            attempt, pause = attempt + (not busy), min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _is_answer(self, error: t.Any) -> bool:
        return isinstance(error, self._library.exceptions.GoogleAPICallError)

    def _passes(self, error: t.Any) -> bool:
        if self._is_answer(error):
            return error.code in PASSING
        return isinstance(error, self._library.connection_errors)

    def _explained(self, error: Exception, what: str) -> Exception:
        """An exception for people, or the same where it is a mistake of ours."""
        if self._is_answer(error):
            return explained(error, what, self.project)
        if isinstance(error, self._library.connection_errors):
            return GcpError(f"{what}: no answer from the API: {error}")
        if type(error).__module__.startswith("google.auth"):
            return GcpError(f"{what}: the credentials give no access: {error}. Renew them and run again.")
        return error

    def _wait(self, what: str, kind: Kind, operation: t.Any) -> None:
        client = self._operations[kind.scope]
        request = {**self._place(kind), "operation": operation.name}
        done = self._library.types.Operation.Status.DONE
        while operation.status != done:
            if self._left() <= 0:
                raise GcpError(
                    f"{what}: not done within the {self._seconds:g} s of timeout; Google goes on with it "
                    f"(operation {operation.name}). Run again, with a longer timeout."
                )
            operation = self._send(
                what, lambda timeout: client.wait(request=request, timeout=timeout, retry=None), WAIT_SECONDS
            )
        if operation.error.errors:
            found = operation.error.errors[0]
            if "QUOTA" in found.code:
                raise quota(what, found.message)
            raise GcpError(f"{what}: {found.code}: {found.message}")

    def _left(self) -> float:
        return self._ends - time.monotonic()
