# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the Client Portal Gateway over HTTPS, as a client would, which state its session is in, and why.

Sources: IBKR's Web API reference (/tickle, /iserver/auth/status, /sso/validate, /iserver/accounts, websocket) and its
limits: 10 requests a second through this gateway, /tickle once a second, /sso/validate once a minute.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import http.client
import ipaddress
import itertools
import json
import math
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass, field

from .. import bounded_http, record_file, websocket
from ..api import accounts as account_ids
from ..api import verdicts
from ..text import printable

DOWN, UNAUTHENTICATED, COMPETING, CONNECTED, READY = STATES = verdicts.PORTAL_STATES
API = "/v1/api"
# IBKR allows /sso/validate once a minute.
VALIDATE_SECONDS = 60.0
# For all requests of a look, which with the engine's are to end within 20 s.
LOOK_SECONDS = 15.0
_HEADERS = {"User-Agent": "ibops.gateway", "Accept": "application/json"}
_MAX_MESSAGES = 20
_SIGN_IN = (
    "Look at the container's log for the sign-in; where a person has to, open the gateway's page by ssh -L and sign in."
)


@dataclass(frozen=True)
class Endpoint:
    """Where a Client Portal Gateway listens, and how its certificate is checked."""

    host: str
    port: int
    context: ssl.SSLContext
    # Seconds for a whole request.
    timeout: float = 10.0

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Verdict:
    """The state of the gateway, the reason, and the next step; *final* when waiting cannot make it ready, *reopens*
    when :func:`reopen` may."""

    state: str
    reason: str
    next_step: str
    final: bool = False
    accounts: list[str] = field(default_factory=list)
    reopens: bool = False


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its *body* parsed, {} unless it is a JSON object."""

    status: int
    body: dict[str, t.Any]


class NoAnswerError(Exception):
    """No gateway answers; *final* when another program or certificate is there."""

    def __init__(self, reason: str, next_step: str, final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.next_step, self.final = reason, next_step, final


def context_for(host: str, ca_path: str | None) -> ssl.SSLContext:
    """How to check the certificate; ValueError where it would not be checked beyond the loopback.

    The gateway's own certificate is the same in every copy of it, so it identifies nobody.
    """
    if ca_path:
        return ssl.create_default_context(cafile=ca_path)
    if host != "localhost" and not _is_loopback(host):
        raise ValueError(
            f"host {host} is not the loopback, and without ca_path anybody on the way could read and change what is "
            "said: give ca_path, the CA that signed the gateway's certificate"
        )
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(endpoint: Endpoint, method: str, path: str, body: object = None) -> Answer:
    """Make one request, *body* as JSON; raises NoAnswerError."""
    url = f"https://{endpoint.address}{API}{path}"
    content = b"" if method == "POST" else None
    headers = _HEADERS
    if body is not None:
        content, headers = json.dumps(body).encode(), {**_HEADERS, "Content-Type": "application/json"}
    try:
        status, reply = bounded_http.request(method, url, endpoint.timeout, headers, content, endpoint.context)
    except (OSError, http.client.HTTPException) as error:
        raise _no_answer(error) from error
    return Answer(status, _object(reply))


def _object(text: bytes) -> dict[str, t.Any]:
    """Parse a JSON object; {} for anything else."""
    try:
        found = record_file.parse(text)
    except record_file.DamagedError:
        return {}
    return found if isinstance(found, dict) else {}


def tickle(endpoint: Endpoint) -> Answer:
    """Send a tickle, which keeps the gateway's session."""
    return ask(endpoint, "POST", "/tickle")


def reopen(endpoint: Endpoint) -> Answer:
    """Ask for the brokerage session of who is signed in already: no sign-in, no push, and nobody else's is ended."""
    return ask(endpoint, "POST", "/iserver/auth/ssodh/init", {"publish": True, "compete": False})


class Portal:
    """One gateway and the accounts that it must have; with *streams* its websocket has to answer as well."""

    def __init__(
        self, endpoint: Endpoint, mode: str | None = None, allowed: c.Sequence[str] = (), streams: bool = True
    ) -> None:
        self.endpoint, self.mode, self.allowed, self.streams = endpoint, mode, list(allowed), streams
        self._validated_at, self._valid = -math.inf, False
        self._deadline = math.inf

    def _place(self) -> Endpoint:
        """The endpoint, for a request in what is left of the look; NoAnswerError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _no_answer(TimeoutError())
        return dataclasses.replace(self.endpoint, timeout=min(self.endpoint.timeout, left))

    def look(self) -> Verdict:
        self._deadline = time.monotonic() + LOOK_SECONDS
        try:
            return self._look()
        except NoAnswerError as error:
            return Verdict(DOWN, error.reason, error.next_step, error.final)

    def _look(self) -> Verdict:
        answer = ask(self._place(), "POST", "/iserver/auth/status")
        status = answer.body
        if answer.status == 401:
            return Verdict(UNAUTHENTICATED, "nobody is signed in: it has no session (HTTP 401)", _SIGN_IN)
        if answer.status != 200:
            return _odd(answer)
        if "authenticated" not in status:
            return Verdict(
                DOWN, "the service that answers is not a Client Portal Gateway", "Correct host and port.", final=True
            )
        if status.get("competing"):
            return Verdict(
                COMPETING,
                "the same IBKR user is in another session, which has the trading rights",
                "End the other session (TWS, IB Gateway, IBKR Mobile, the Client Portal); give the API its own user.",
            )
        if not status["authenticated"]:
            return self._not_authenticated(str(status.get("fail") or status.get("message") or ""))
        if not status.get("connected"):
            return Verdict(
                CONNECTED,
                "signed in, but the gateway has lost its link to IBKR's servers",
                "Wait: IBKR resets it each night at 01:00 of the region; after some minutes, restart the container.",
            )
        return self._usable()

    def _not_authenticated(self, told: str) -> Verdict:
        if time.monotonic() - self._validated_at > VALIDATE_SECONDS:
            self._validated_at = time.monotonic()
            self._valid = bool(ask(self._place(), "GET", "/sso/validate").body.get("RESULT"))
        if not self._valid:
            return Verdict(UNAUTHENTICATED, "nobody is signed in, or the sign-in has expired", _SIGN_IN)
        return Verdict(
            CONNECTED,
            f"signed in, but without a brokerage session{': ' + printable(told) if told else ''}",
            "POST /iserver/auth/ssodh/init opens it; an image that signs in by itself does that at its next look.",
            reopens=True,
        )

    def _usable(self) -> Verdict:
        found = ask(self._place(), "GET", "/iserver/accounts").body.get("accounts")
        served = [str(account) for account in found] if isinstance(found, list) else []
        if not served:
            return Verdict(CONNECTED, "signed in, but it names no accounts yet", "Wait some seconds.")
        check = account_ids.Check(self.mode, self.allowed)
        check.take(served)
        if check.wrong:
            return Verdict(
                CONNECTED,
                f"signed in to the wrong account: {check.wrong}",
                "Stop it, and correct gateway_user, gateway_mode or gateway_accounts.",
                final=True,
                accounts=served,
            )
        if check.deviation:
            return Verdict(CONNECTED, f"signed in, but {check.deviation}", verdicts.CORRECT_ACCOUNTS, accounts=served)
        if self.streams and (fault := self._stream_fault()):
            return Verdict(
                CONNECTED,
                f"the API answers, but its websocket does not: {fault}",
                "Wait some seconds; if it stays, restart the container, or look with websocket: false.",
                accounts=served,
            )
        what = "API and websocket answer" if self.streams else "the API answers"
        return Verdict(READY, f"it is signed in, its accounts fit, and {what}", "Connect.", accounts=served)

    def _stream_fault(self) -> str | None:
        """Return why the websocket does not confirm an authenticated session; None when it does."""
        session = tickle(self._place()).body.get("session")
        place = self._place()
        headers = {**_HEADERS, "Cookie": f"api={session}"}
        deadline = time.monotonic() + place.timeout
        try:
            plain = socket.create_connection((place.host, place.port), place.timeout)
        except OSError as error:
            return _no_answer(error).reason

        def listen() -> str | None:
            with plain, place.context.wrap_socket(plain, server_hostname=place.host) as connection:
                stream = websocket.messages(connection, place.address, f"{API}/ws", headers)
                for message in itertools.islice(stream, _MAX_MESSAGES):
                    told = _told(message)
                    if told is not None:
                        websocket.say_goodbye(connection)
                        return None if told else "it says that its session is not authenticated"
                return "it ends without a word on its session"

        try:
            return bounded_http.within(deadline - time.monotonic(), listen, lambda: bounded_http.shut(plain))
        except websocket.WebsocketError as error:
            return str(error)
        except OSError as error:
            return _no_answer(error).reason


def _told(message: bytes) -> bool | None:
    """Whether a message reports an authenticated session; None when it is about something else."""
    body = _object(message)
    topic, arguments = body.get("topic"), body.get("args")
    if topic == "sts" and isinstance(arguments, dict) and "authenticated" in arguments:
        return bool(arguments["authenticated"])
    return True if topic == "system" and body.get("success") else None


def _odd(answer: Answer) -> Verdict:
    told = printable(str(answer.body.get("error", "")))
    reasons = {
        403: ("it refuses this address", "Add the address to ips.allow of conf.yaml (client_portal_allow)."),
        404: ("the service that answers is not a Client Portal Gateway", "Correct host and port."),
        429: ("IBKR's limit of requests is exceeded", "Wait ten minutes, and ask less often."),
    }
    reason, next_step = reasons.get(
        answer.status,
        ("IBKR's servers behind it do not answer", "Wait some minutes; IBKR's own status page may say more."),
    )
    detail = f" (HTTP {answer.status}{': ' + told if told else ''})"
    return Verdict(DOWN, reason + detail, next_step, final=answer.status == 404)


def _no_answer(error: Exception) -> NoAnswerError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoAnswerError(
            f"its certificate is not signed by the CA in ca_path ({error.verify_message})",
            "Give the gateway a certificate of that CA (client_portal_keystore), or correct ca_path.",
            final=True,
        )
    if isinstance(error, ssl.SSLError | http.client.HTTPException) and not isinstance(
        error, http.client.RemoteDisconnected | ssl.SSLEOFError
    ):
        return NoAnswerError("what answers there does not speak HTTPS", "Correct host and port.", final=True)
    if isinstance(error, TimeoutError):
        return NoAnswerError("it does not answer in time", "Look at the container's log and its load.")
    if isinstance(error, ConnectionRefusedError):
        return NoAnswerError("nothing listens on the port", "Start the container, or correct host and port.")
    return NoAnswerError(
        f"the connection fails ({printable(str(error)) or type(error).__name__})",
        "Wait some seconds; then look at the container's log.",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
