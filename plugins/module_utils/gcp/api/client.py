# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask Google: one deadline, one retry and one table of errors for every API.

Requests' timeouts are per read, and name resolution has none. So each exchange runs in its own thread, which is
abandoned at the deadline; its answer is limited in bytes.
"""

from __future__ import annotations

import collections.abc as c
import concurrent.futures
import copy
import dataclasses
import threading
import time
import typing as t

from . import errors, library
from .errors import Failure, GcpError, NoAnswerError
from .journal import Journal

# One request.
CALL_SECONDS = 60.0
# Transient errors are retried after this time, then after twice as long, and so on.
PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
ATTEMPTS = 5
# Of a channel whose connection is lost: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
RECONNECT_MILLISECONDS = 1000
# 500 VMs with their metadata are 3 MB.
LONGEST_ANSWER = 32 * 1024 * 1024
NO_ANSWER = "no answer from the API"

Answer = t.TypeVar("Answer")


@dataclasses.dataclass(frozen=True)
class Api:
    """An API: its host name, and a sentence about the roles that may use it."""

    host: str
    roles: str


class Client:
    """One API in one project. All calls together wait at most *seconds* from now on.

    Every method raises GcpError. It may be used by many threads.
    """

    def __init__(
        self,
        api: Api,
        project: str,
        credentials: c.Callable[[], t.Any],
        api_endpoint: str | None,
        seconds: float,
        attempts: int | None = None,
    ) -> None:
        self._attempts = attempts or ATTEMPTS
        self.api, self.project, self.seconds = api, project, seconds
        self._ends = time.monotonic() + seconds
        self._endpoint = api_endpoint
        self._interrupted: concurrent.futures.Future[None] = concurrent.futures.Future()
        self.journal = Journal()
        self._exceptions, self._requests, self._auth, self._protobuf, self._transport = library.load(
            "google-cloud-compute",
            "google.api_core.exceptions",
            "requests.exceptions",
            "google.auth.exceptions",
            "google.protobuf.json_format",
            "google.auth.transport.requests",
        )
        self._credentials = self._bounded(f"the credentials for {api.host}", credentials, seconds)

    def build(self, service: t.Any) -> t.Any:
        """Build a client of Google's library, over REST, at our endpoint and with our limits."""
        options = {"api_endpoint": self._endpoint} if self._endpoint else {}
        built = service(transport="rest", credentials=self._credentials, client_options=options)
        # The library has no public way to limit an answer.
        built.transport._session.hooks["response"].append(self._limited)
        return built

    def build_grpc(self, service: t.Any) -> t.Any:
        """Build a client of an API whose library has no REST. Its calls need :meth:`metadata`."""
        (grpc,) = library.load("google-cloud-monitoring", "grpc")
        options = [
            ("grpc.max_receive_message_length", LONGEST_ANSWER),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_MILLISECONDS),
        ]
        scheme, _separator, address = (self._endpoint or f"https://{self.api.host}").rpartition("://")
        if scheme == "http":
            channel = grpc.insecure_channel(address.rstrip("/"), options)
        else:
            channel = grpc.secure_channel(address.rstrip("/"), grpc.ssl_channel_credentials(), options)
        return service(transport=service.get_transport_class("grpc")(channel=channel))

    def metadata(self) -> list[tuple[str, str]]:
        """The fields by which a call over gRPC says who asks; for calls made by :meth:`ask`."""
        headers: dict[str, str] = {}
        self._credentials.before_request(self._transport.Request(), "POST", f"https://{self.api.host}/", headers)
        return [(name.lower(), value) for name, value in headers.items()]

    def other(self, api: Api, api_endpoint: str | None) -> Client:
        """Another API, with the same credentials and the same deadline."""
        found = copy.copy(self)
        found.api, found._endpoint = api, api_endpoint
        return found

    def fetch(self, path: str, what: str) -> library.Body:
        """One resource by its path below the endpoint, in the API's own form, without Google's library.

        *what* describes the attempt, as for :meth:`ask`.
        """
        session = self._session()

        def send(timeout: float) -> library.Body:
            response = session.get(self._url(path), timeout=timeout)
            if response.status_code != 200:
                raise self._exceptions.from_http_response(response)
            return dict(response.json())

        return self.ask(what, send)

    def _session(self) -> t.Any:
        session = self._transport.AuthorizedSession(self._credentials)
        session.hooks["response"].append(self._limited)
        return session

    def _url(self, path: str) -> str:
        return f"{(self._endpoint or f'https://{self.api.host}').rstrip('/')}{path}"

    def fetch_all(
        self, path: str, field: str, entries: c.Callable[[library.Body], c.Iterable[library.Body]] | None = None
    ) -> list[library.Body]:
        """The resources called *field* of a list, by its path below the endpoint, in the API's own form.

        Without Google's library, which some APIs lack, and which is slow to load for one list. *entries* extracts them
        from an answer; by default they are its *field*.
        """
        session, url = self._session(), self._url(path)

        def pages(timeout: float) -> list[library.Body]:
            found: list[library.Body] = []
            token = ""
            while True:
                response = session.get(url, params={"pageToken": token} if token else {}, timeout=timeout)
                if response.status_code != 200:
                    raise self._exceptions.from_http_response(response)
                try:
                    body = response.json()
                    found += entries(body) if entries else body.get(field, [])
                    token = body.get("nextPageToken", "")
                except (ValueError, AttributeError, TypeError) as error:
                    raise self._protobuf.ParseError(str(error)) from error
                if not token:
                    return found

        return self.ask(f"{field}.list", pages)

    def whole(self, answer: Answer) -> Answer:
        """Return *answer* if it is a resource or an operation, which has a name; for calls made by :meth:`ask`."""
        if not getattr(answer, "name", ""):
            raise self._protobuf.ParseError("it names nothing")
        return answer

    def left(self) -> float:
        """How many seconds are left."""
        return self._ends - time.monotonic()

    def ask(
        self, what: str, call: c.Callable[[float], Answer], seconds: float | None = None, repeat: bool = True
    ) -> Answer:
        """Make *call*, which receives a timeout in seconds.

        With *repeat*, transient errors are retried; a request id keeps a write from being done twice.
        Raises NotFoundError, ChangedMeanwhileError, NoAnswerError when the outcome is unknown, and GcpError for
        everything else.
        """
        attempt, pause, unknown = 1, PAUSE_SECONDS, False
        while True:
            try:
                return self._exchange(what, call, max(0.1, min(seconds or CALL_SECONDS, self.left())))
            except _AttemptError as error:
                again = error.retry == errors.ALWAYS or (error.retry == errors.SOME and attempt < self._attempts)
                unknown |= isinstance(error.told, NoAnswerError)
                if not (repeat and again) or self.left() < pause:
                    error.told.unknown = unknown
                    raise error.told from error.__cause__
                attempt += error.retry == errors.SOME
            concurrent.futures.wait([self._interrupted], pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def pause(self, seconds: float, what: str) -> None:
        """Wait a little; GcpError with *what* when the deadline would pass."""
        if self.left() < seconds:
            raise GcpError(f"{what} after the {self.seconds:g} s of timeout. Run again, with a longer timeout.")
        concurrent.futures.wait([self._interrupted], seconds)

    def interrupt(self) -> None:
        """End all waits now."""
        if not self._interrupted.done():
            self._interrupted.set_result(None)

    def allow(self, seconds: float) -> None:
        """Allow calls for this long after the deadline or an interruption."""
        self._interrupted = concurrent.futures.Future()
        self._ends = max(self._ends, time.monotonic() + seconds)

    def explained(self, failure: Failure, what: str) -> GcpError:
        return errors.explained(failure, what, self.project, self.api.host, self.api.roles)

    def _exchange(self, what: str, call: c.Callable[[float], Answer], seconds: float) -> Answer:
        """Make one attempt; _AttemptError describes a failure."""
        try:
            return self._bounded(what, lambda: call(seconds), seconds)
        except self._exceptions.GoogleAPICallError as error:
            failure = errors.failure(error)
            raise _AttemptError(self.explained(failure, what), errors.row(failure).retry) from error
        except (self._requests.RequestException, NoAnswerError) as error:
            said = errors.printable(str(error))
            told = (
                error if isinstance(error, NoAnswerError) else NoAnswerError(f"{what}: no answer from the API: {said}")
            )
            raise _AttemptError(told, errors.SOME) from error
        except self._auth.GoogleAuthError as error:
            said = errors.printable(str(error))
            refused = GcpError(f"{what}: the credentials give no access: {said}. Renew them and run again.")
            raise _AttemptError(refused, errors.NEVER) from error
        except (self._protobuf.ParseError, AttributeError, TypeError, ValueError) as error:
            # The library assumes that JSON has Google's form, even in errors.
            told = NoAnswerError(
                f"{what}: the answer is not Google's: {errors.printable(str(error))}. Check api_endpoint, and whether "
                "a proxy or a portal answers in Google's place."
            )
            raise _AttemptError(told, errors.NEVER) from error

    def _bounded(self, what: str, call: c.Callable[[], Answer], seconds: float) -> Answer:
        """Abandon *call* after these seconds, whatever it waits for, or when the run is interrupted."""
        future, interrupted = start(call), self._interrupted
        either: list[concurrent.futures.Future[t.Any]] = [future, interrupted]
        concurrent.futures.wait(either, seconds, concurrent.futures.FIRST_COMPLETED)
        if not future.done() and interrupted.done():
            raise NoAnswerError(f"{what}: interrupted")
        if not future.done():
            raise NoAnswerError(f"{what}: {NO_ANSWER}: none that was whole within {seconds:.3g} s")
        return future.result()

    def _limited(self, response: t.Any, **_options: t.Any) -> t.Any:
        """Turn an answer that is too long into an error: a hook of requests, before the answer is read."""
        stream = response.raw.stream

        def limited(*how: t.Any, **options: t.Any) -> c.Iterator[bytes]:
            size = 0
            for chunk in stream(*how, **options):
                size += len(chunk)
                if size > LONGEST_ANSWER:
                    raise self._requests.ContentDecodingError(f"it is longer than {LONGEST_ANSWER} bytes")
                yield chunk

        response.raw.stream = limited
        return response


class _AttemptError(Exception):
    """A failed attempt; *told* is the error to raise, *retry* whether another attempt may help."""

    def __init__(self, told: GcpError, retry: str) -> None:
        super().__init__(str(told))
        self.told, self.retry = told, retry


def start(call: c.Callable[[], Answer]) -> concurrent.futures.Future[Answer]:
    """Run *call* in a daemon thread."""
    future: concurrent.futures.Future[Answer] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
