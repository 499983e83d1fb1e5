# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute Engine: read one, list all, read a VM's guest attributes, write and wait for the operation."""

from __future__ import annotations

import collections.abc as c
import re
import typing as t
import uuid

from . import library
from .client import Api, Client
from .errors import ChangedMeanwhileError, Failure, ForbiddenError, GcpError, NotFoundError
from .journal import Entry, State
from .resource import Body, Call, Resource

COMPUTE = Api(
    "compute.googleapis.com",
    "Roles that allow it are compute.networkAdmin for networks, compute.securityAdmin for firewall rules, "
    "and for VMs compute.instanceAdmin.v1, with iam.serviceAccountUser on the VM's service account.",
)
# Google's wait returns after at most two minutes.
WAIT_SECONDS = 130.0


class Compute:
    """The API of one project, region and zone. All calls together wait at most *seconds* from now on.

    Every method raises GcpError. It may be used by many threads.
    """

    def __init__(
        self,
        project: str,
        region: str,
        credentials: c.Callable[[], t.Any],
        api_endpoint: str | None,
        seconds: float,
        resources: c.Iterable[Resource],
        zone: str = "",
    ) -> None:
        self.place = {"project": project, "region": region, "zone": zone}
        resources = tuple(resources)
        scopes = {resource.scope or "global" for resource in resources}
        self.client = Client(COMPUTE, project, credentials, api_endpoint and endpoint(api_endpoint), seconds)
        self._messages, services = library.load_compute(
            [*(f"{scope}_operations" for scope in sorted(scopes)), *(resource.service for resource in resources)]
        )
        self._clients = {
            resource: self.client.build(getattr(services[resource.service], resource.client)) for resource in resources
        }
        # The library's operations poll Google's own address, whatever the endpoint: these do not.
        self._operations = {
            scope: self.client.build(getattr(services[f"{scope}_operations"], f"{scope.capitalize()}OperationsClient"))
            for scope in scopes
        }

    def get(self, resource: Resource, name: str) -> Body | None:
        """A resource in the API's form; None if it does not exist."""
        call = self._clients[resource].get
        request = {**self._scope(resource), resource.key: name}
        try:
            found = self.client.ask(
                f"{resource.collection}.get {name}",
                lambda timeout: self.client.whole(call(request=request, timeout=timeout, retry=None)),
            )
        except NotFoundError:
            return None
        return library.plain(found)

    def list_everywhere(self, resource: Resource) -> list[Body]:
        """All resources of a type in the project, of every region or zone."""
        call, request = self._clients[resource].aggregated_list, {"project": self.place["project"]}

        def pages(timeout: float) -> list[Body]:
            listed = call(request=request, timeout=timeout, retry=None)
            found = [body for _place, scope in listed for body in getattr(scope, resource.service)]
            return [library.plain(each) for each in found]

        return self.client.ask(f"{resource.collection}.aggregatedList", pages)

    def image(self, path: str) -> Body | None:
        """An image, or the newest one of a family, by its path; None if none is visible."""
        try:
            return self.client.fetch(f"/compute/v1/{path}", f"images.get {path.rpartition('/')[2]}")
        except (NotFoundError, ForbiddenError):
            return None

    def fetch_everywhere(self, collection: str) -> list[Body]:
        """All resources of a collection in the project, of every place, without Google's library."""
        path = f"/compute/v1/projects/{self.place['project']}/aggregated/{collection}"

        def entries(body: Body) -> c.Iterator[Body]:
            for scope in body.get("items", {}).values():
                yield from scope.get(collection, [])

        return self.client.fetch_all(path, collection, entries)

    def fetch_global(self, collection: str) -> list[Body]:
        """All global resources of a collection in the project, without Google's library."""
        path = f"/compute/v1/projects/{self.place['project']}/global/{collection}"
        return self.client.fetch_all(path, collection, lambda body: body.get("items", []))

    def list(self, resource: Resource) -> list[Body]:
        """All resources of a type, in our region or zone if the type has one."""
        call, request = self._clients[resource].list, self._scope(resource)
        return self.client.ask(
            f"{resource.collection}.list",
            lambda timeout: [library.plain(each) for each in call(request=request, timeout=timeout, retry=None)],
        )

    def guest_attributes(self, name: str, path: str) -> tuple[Body, ...]:
        """The C(namespace), C(key) and C(value) of each entry that VM *name* has published below *path*."""
        resource = next(each for each in self._clients if each.collection == "instances")
        call = self._clients[resource].get_guest_attributes
        request = {**self._scope(resource), resource.key: name, "query_path": path}
        try:
            found = self.client.ask(
                f"{resource.collection}.getGuestAttributes {name}",
                lambda timeout: call(request=request, timeout=timeout, retry=None),
            )
        except NotFoundError:
            return ()
        return tuple(library.plain(found).get("queryValue", {}).get("items", []))

    def write(self, resource: Resource, call: Call, name: str, entry: Entry) -> None:
        """Make a change and wait for the operation; ChangedMeanwhileError if the resource has changed.

        A resource to delete may be gone already. *entry* is the journal's.
        """
        what, verb = entry.action, resource.verb(call.verb)
        request: Body = {**self._scope(resource), **call.parameters, "request_id": str(uuid.uuid4())}
        if verb.key:
            request[verb.key.format(key=resource.key)] = name
        if call.body is not None:
            kind = getattr(self._messages, verb.message.format(message=resource.message))
            request[verb.field(resource)] = library.message(kind, call.body)
        send = getattr(self._clients[resource], verb.function)
        try:
            operation = self.client.ask(
                what, lambda timeout: self.client.whole(send(request=request, timeout=timeout, retry=None))
            )
        except GcpError as error:
            gone = isinstance(error, NotFoundError) and call.verb == "delete"
            if gone or not error.unknown:
                # If an answer was lost, the first try may have deleted it.
                state = State.DONE if gone and error.unknown else State.GONE if gone else State.REFUSED
                self.client.journal.end(entry, state)
            if gone:
                return
            raise ChangedMeanwhileError(str(error)) if isinstance(error, NotFoundError) else error from error
        place = f"--{resource.scope} {self.place[resource.scope]}" if resource.scope else "--global"
        entry.command = f"gcloud compute operations describe {operation.name} {place} --project {self.place['project']}"
        self.client.journal.end(entry, State.ACCEPTED)
        self._wait(entry, resource, operation)
        self.client.journal.end(entry, State.DONE)

    def _scope(self, resource: Resource) -> dict[str, str]:
        return {name: self.place[name] for name in ("project", resource.scope) if name}

    def _wait(self, entry: Entry, resource: Resource, operation: t.Any) -> None:
        what, client = entry.action, self._operations[resource.scope or "global"]
        request = {**self._scope(resource), "operation": operation.name}
        done = self._messages.Operation.Status.DONE
        while operation.status != done:
            if self.client.left() <= 0:
                raise GcpError(
                    f"{what}: not done within the {self.client.seconds:g} s of timeout; Google goes on with it. Run "
                    "again, with a longer timeout."
                )
            operation = self.client.ask(
                what,
                lambda timeout: self.client.whole(client.wait(request=request, timeout=timeout, retry=None)),
                WAIT_SECONDS,
            )
        if operation.error.errors:
            self.client.journal.end(entry, State.FAILED)
            found = operation.error.errors[0]
            raise self.client.explained(Failure(0, frozenset({found.code}), found.message), what)


def endpoint(given: str) -> str:
    """The API's address, given with or without C(/compute/v1/) at its end."""
    return re.sub(r"/?(compute/v1/?)?$", "", given)
