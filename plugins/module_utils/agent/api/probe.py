# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a TWS API usable? One attempt, one deadline, one named answer, and no harm done.

The only requests are START_API with a client id of its own and the current time: nothing that a read-only gateway would
ask a person about, and no subscription that another client could lose. So a read-only API is noticed here only when the
gateway reports it (error 321). From API version 219 on its settings could be requested (reqConfig), but only over a
second connection and by a request that nobody has tried on a real gateway; the gateway's log has the same information.

Imports are kept to what a bare interpreter loads in milliseconds, because the process start is nearly the whole cost
of a probe. Whatever the peer sends, the process stays under 14 MiB and about a second of processor time.
"""

from __future__ import annotations

# The C layer alone: `socket` brings `selectors` and `enum` with it, which is half of what a bare probe costs.
import _socket as socket
import _thread
import errno
import time

from ..text import printable
from . import accounts as account_ids
from . import verdicts, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

CLIENT_ID = 917
ATTEMPT_SECONDS = 5.0
SETTLE_SECONDS = 0.3
# After a report on every kind of farm, this much silence ends the default settling time.
QUIET_SECONDS = 0.03
MUTE_SECONDS = 0.25
GOODBYE_SECONDS = 0.5
RECEIVED_BYTES = 1 << 16
MAX_NOTICES = 50
# More farms than IBKR has; any beyond that share one row per kind.
MAX_FARMS = 100
# The minimum per address of a name: with many dead ones in front, some stay untried, but not all.
ADDRESS_SECONDS = 0.25

# Codes decide, not texts: texts change between versions and follow the gateway's language.
_MARKET_DATA, _HISTORICAL, _DEFINITIONS = "market data", "historical data", "security definition"
_FARM_NOTICES = {
    2103: (_MARKET_DATA, "broken"),
    2104: (_MARKET_DATA, "ok"),
    2108: (_MARKET_DATA, "ok"),
    2119: (_MARKET_DATA, "connecting"),
    2105: (_HISTORICAL, "broken"),
    2106: (_HISTORICAL, "ok"),
    2107: (_HISTORICAL, "ok"),
    2157: (_DEFINITIONS, "broken"),
    2158: (_DEFINITIONS, "ok"),
}
FARM_STATUSES = ("ok", "connecting", "broken")
_FARM_KINDS = frozenset(kind for kind, _status in _FARM_NOTICES.values())
_LINK_DOWN, _LINK_UP = (1100, 2110), (1101, 1102)
_PORT_MOVED = 1300
_COMPETING_SESSION = 10197
_REFUSED_REQUEST, _READ_ONLY = 321, "read-only"
# IBKR announces the date from which it rejects this release. The text may be longer than other notices.
_RELEASE_ENDS, _ANNOUNCEMENT = 2172, 400
_OTHER_FARMS = "others"
# The notice of a restored link names the farms that are still missing, but not their kinds.
_NOT_CONNECTED, _ANY_KIND = "not connected", "data"
_CONNECT_STATES = {
    errno.ECONNREFUSED: "port_closed",
    errno.ETIMEDOUT: "tcp_timeout",
    errno.ECONNRESET: "closed_before_handshake",
}


def probe(
    host: str,
    port: int,
    *,
    client_id: int = CLIENT_ID,
    mode: str | None = None,
    accounts: Iterable[str] = (),
    ignored_farms: Iterable[str] = (),
    timeout: float = ATTEMPT_SECONDS,
    settle: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Look once at the API on *host*:*port* and return its state; never raises, never takes longer than *timeout*
    seconds (plus 0.25 s for the mute connect and 0.5 s for the polite close), name resolution included. The addresses
    of a name share the time: each gets an equal part of the rest, at least 0.25 s, and the next one is tried when a
    connect fails. The first address that accepts is taken as the gateway.

    *mode* (``live`` or ``paper``) and *accounts* (the allowed ids) are checked as :class:`.accounts.Check` describes. A
    data farm in *ignored_farms* (by its name, or the part before a dot) may be broken. *settle* is how long to wait for
    reports of trouble after the session starts, in seconds; None: 0.3, or less once the gateway has reported on every
    kind of data farm and been silent for 0.03. A peer that exceeds the limits of :mod:`.wire` is judged as if the time
    were over.

    Returns a dictionary whose keys are always there: ``api_state`` (a key of :data:`.states.API_STATES`, or
    ``rejected:<code>``), ``reason``, ``next_step``, ``final`` (waiting cannot help), ``server_version``,
    ``connection_time`` (the gateway's own text), ``accounts`` (masked), ``account_count``, ``account_fault`` (how the
    accounts differ from those wanted; None when they do not, or when none was named), ``next_valid_id``, ``read_only``
    (True once the gateway said so, else None), ``release_notice`` (IBKR's text that this release will no longer be
    accepted, notice 2172, for :func:`..releases.outlook`; else None), ``clock_skew`` (seconds), ``farms`` (how many
    data farms are ok, connecting and broken; one that is ignored is never broken), ``notices`` (code and text each, the
    first 50 different ones), ``notice_count`` (all of them) and ``timings`` (ms per step).
    """
    check, ignored = account_ids.Check(mode, accounts), frozenset(ignored_farms)
    attempt = _Attempt(host, port, client_id, check, ignored, timeout, settle, clock, now)
    try:
        attempt.converse()
    except _Verdict as verdict:
        return attempt.result(verdict.api_state, verdict.detail, verdict.next_step)
    finally:
        attempt.close()
    return attempt.result("ready")


class _Verdict(Exception):
    """The conversation has ended with this result."""

    def __init__(self, api_state: str, detail: str = "", next_step: str = "") -> None:
        super().__init__(api_state)
        self.api_state, self.detail, self.next_step = api_state, detail, next_step


class _Attempt:
    """One conversation: the messages so far, and the steps that receive them."""

    def __init__(
        self,
        host: str,
        port: int,
        client_id: int,
        accounts: account_ids.Check,
        ignored_farms: frozenset[str],
        timeout: float,
        settle: float | None,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._host, self._port, self._client_id = host, port, client_id
        self._accounts, self._ignored_farms = accounts, ignored_farms
        self._clock, self._now = clock, now
        self._settle, self._settle_asked = SETTLE_SECONDS if settle is None else settle, settle is not None
        self._started = self._step_started = clock()
        self._deadline = self._started + timeout
        self._socket: socket.socket
        self._connected = False
        self._decoder = wire.Decoder()
        # One buffer for everything received: a block per answer, cut to its length, fragments the heap.
        self._received = memoryview(bytearray(RECEIVED_BYTES))
        self._at_eof: Callable[[], _Verdict] = self._closed_before_handshake
        self._session_asked = False
        self._timings: dict[str, float] = {}
        self._version: int | None = None
        self._connection_time: str | None = None
        self._next_valid_id: int | None = None
        self._clock_skew: float | None = None
        self._notices: dict[tuple[int, str], None] = {}
        self._notice_count = 0
        self._error: int | None = None
        self._link: int | None = None
        self._moved: str | None = None
        self._competing = False
        self._read_only: bool | None = None
        self._release_notice: str | None = None
        self._farms: dict[tuple[str, str], str] = {}

    def converse(self) -> None:
        """Go through the whole sequence; raises _Verdict at the first obstacle to ready."""
        self._connect()
        self._done("connect")
        self._send(wire.hello())
        while self._version is None:
            self._hear(self._deadline, "no_handshake")
        self._done("handshake")
        self._at_eof = self._closed_after_handshake
        self._session_asked = True
        self._send(wire.message(wire.START_API, 2, self._client_id, ""))
        while not self._accounts.count or self._next_valid_id is None:
            self._hear(self._deadline, "no_valid_id" if self._accounts.count else "no_accounts")
        self._done("session")
        settled = self._clock() + self._settle
        self._send(wire.message(wire.REQ_CURRENT_TIME, 1))
        while self._clock_skew is None:
            self._hear(self._deadline, "unresponsive")
        self._done("current_time")
        while self._hear(self._settled_at(settled)):
            pass
        while self._hear(0):
            pass
        self._done("settle")
        self._judge()

    def close(self) -> None:
        """Disconnect so that the gateway has freed the client id when this returns: end the stream, wait for its
        end."""
        if not self._connected:
            return
        try:
            if self._session_asked:
                self._socket.shutdown(socket.SHUT_WR)
                until = self._clock() + GOODBYE_SECONDS
                while (left := until - self._clock()) > 0:
                    self._socket.settimeout(left)
                    if not self._socket.recv_into(self._received):
                        break
        except OSError:
            pass
        finally:
            self._socket.close()

    def result(self, api_state: str, detail: str = "", next_step: str = "") -> dict[str, Any]:
        row = verdicts.describe(api_state)
        self._timings["total"] = self._milliseconds_since(self._started)
        return {
            "api_state": api_state,
            "reason": f"{row.meaning} ({account_ids.hide(detail, self._accounts.first)})" if detail else row.meaning,
            "next_step": next_step or row.next_step,
            "final": row.final,
            "server_version": self._version,
            "connection_time": self._connection_time,
            "accounts": account_ids.mask_all(self._accounts.first),
            "account_count": self._accounts.count,
            "account_fault": self._account_fault(),
            "next_valid_id": self._next_valid_id,
            "read_only": self._read_only,
            "release_notice": self._release_notice and account_ids.hide(self._release_notice, self._accounts.first),
            "clock_skew": self._clock_skew,
            "farms": self._farm_counts(),
            "notices": [
                {"code": code, "text": account_ids.hide(text, self._accounts.first)} for code, text in self._notices
            ],
            "notice_count": self._notice_count,
            "timings": self._timings,
        }

    def _farm_counts(self) -> dict[str, int]:
        counts = dict.fromkeys(FARM_STATUSES, 0)
        for status in self._farms.values():
            counts[status] += 1
        return counts

    def _done(self, step: str) -> None:
        self._timings[step] = self._milliseconds_since(self._step_started)
        self._step_started = self._clock()

    def _milliseconds_since(self, moment: float) -> float:
        return round((self._clock() - moment) * 1000, 1)

    # Talking

    def _connect(self) -> None:
        """Connect within the deadline, to the first address of the host that accepts."""
        failure: Exception = TimeoutError()
        try:
            found = self._addresses()
            for number, (family, kind, protocol, _name, address) in enumerate(found):
                left = self._deadline - self._clock()
                if number and left <= 0:
                    break
                share = max(left / (len(found) - number), ADDRESS_SECONDS)
                self._socket = socket.socket(family, kind, protocol)
                try:
                    self._socket.settimeout(max(min(share, left), 0.001))
                    self._socket.connect(address)
                    self._family, self._peer = family, address
                    self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connected = True
                    return
                except OSError as error:
                    failure = error
                    self._socket.close()
        except (OSError, ValueError, OverflowError) as error:
            failure = error
        if isinstance(failure, TimeoutError):
            raise _Verdict("tcp_timeout")
        code = failure.errno if isinstance(failure, OSError) else None
        api_state = _CONNECT_STATES.get(code or 0, "unreachable")
        raise _Verdict(api_state, "" if api_state == "port_closed" else printable(str(failure)))

    def _addresses(self) -> list[Any]:
        """Return getaddrinfo's result; names are resolved in a thread, which a dead DNS server may block for much
        longer."""
        # As bytes, because a str would load the codec for international names: a tenth of the whole probe.
        name = self._host.encode() if self._host.isascii() else self._host
        if _is_literal(self._host):
            return socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM)
        answer: list[Any] = []
        answered = _thread.allocate_lock()
        answered.acquire()

        def resolve() -> None:
            try:
                answer.append(socket.getaddrinfo(name, self._port, type=socket.SOCK_STREAM))
            except (OSError, ValueError, OverflowError) as error:
                answer.append(error)
            answered.release()

        _thread.start_new_thread(resolve, ())
        if not answered.acquire(timeout=max(self._deadline - self._clock(), 0)):
            raise _Verdict("unreachable", f"the name {printable(self._host, 60)} did not resolve in time")
        if isinstance(answer[0], Exception):
            raise answer[0]
        return list(answer[0])

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(max(self._deadline - self._clock(), 0.001))
            self._socket.sendall(data)
        except OSError:
            pass  # The peer has closed: read what it sent before, and how it ended.

    def _hear(self, until: float, when_late: str = "") -> bool:
        """Read what the peer sends next, waiting until *until* (0: only what has already arrived).

        Returns False when nothing came in time, or raises the verdict *when_late* if one is given.
        """
        left = until - self._clock()
        if self._decoder.spent:
            if when_late:
                raise _Verdict(when_late, "it sends more than a start-up ever has")
            return False
        try:
            if left <= 0 and until != 0:
                raise TimeoutError
            self._socket.settimeout(max(left, 0))
            # Through the image's relay, a delayed acknowledgement costs 40 ms per message.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            count = self._socket.recv_into(self._received)
        except (TimeoutError, BlockingIOError):
            if when_late:
                raise _Verdict(when_late) from None
            return False
        except OSError:
            count = 0
        if not count:
            raise self._at_eof()
        for message in self._decoder.feed(self._received[:count]):
            self._take(message)
        if self._decoder.fault:
            raise _Verdict("not_tws", self._decoder.fault)
        return True

    # Understanding

    def _take(self, message: wire.Message) -> None:
        fields = message.fields
        kind = wire.number(fields[0])
        if kind is None:
            raise _Verdict("not_tws", f"a message of kind {printable(fields[0], 20)!r}")
        if self._version is None and len(fields) == 2:
            self._version, self._connection_time = kind, printable(fields[1], 60)
            if not wire.MIN_VERSION <= kind <= wire.MAX_VERSION:
                raise _Verdict("unsupported_version", f"it answered {kind}")
        elif fields[0] == wire.NOTICE:
            self._take_notice(fields)
        elif self._version is None:
            return
        elif fields[0] == wire.MANAGED_ACCOUNTS:
            self._take_accounts(message)
        elif fields[0] == wire.NEXT_VALID_ID:
            self._next_valid_id = _numeric(fields[-1], "order id")
            if self._next_valid_id < 1:
                raise _Verdict("no_valid_id", f"it said {self._next_valid_id}")
        elif fields[0] == wire.CURRENT_TIME:
            self._clock_skew = round(abs(_numeric(fields[-1], "time") - self._now()), 1)

    def _take_accounts(self, message: wire.Message) -> None:
        check = self._accounts.anew()
        for piece in message.pieces():
            ids = piece.decode("utf-8", "replace").split(",")
            if not account_ids.are_ids(ids):
                raise _Verdict("not_tws", "an account id that is not letters and digits")
            check.take(ids)
        if check.count:
            self._accounts = check
        if wrong := self._accounts.wrong:
            raise _Verdict("wrong_account", wrong)

    def _take_notice(self, fields: list[str]) -> None:
        """Note an error message: ``4, version, request id, code, text[, more]``."""
        code = wire.number(fields[3]) if len(fields) > 4 else None
        if code is None:
            raise _Verdict("not_tws", "an error message without a code")
        self._notice_count += 1
        if len(self._notices) < MAX_NOTICES:
            self._notices[code, printable(fields[4])] = None
        if code in verdicts.REJECTING_CODES:
            raise _Verdict(f"rejected:{code}")
        if code in _FARM_NOTICES:
            self._take_farm(*_FARM_NOTICES[code], _farm_name(fields[4]))
        elif code in _LINK_DOWN:
            self._link = code
        elif code in _LINK_UP:
            self._link = None
            for name in _farms_not_connected(fields[4]):
                self._take_farm(_ANY_KIND, "broken", name)
        elif code == _PORT_MOVED:
            self._moved = printable(fields[4])
        elif code == _COMPETING_SESSION:
            self._competing = True
        elif code == _RELEASE_ENDS:
            self._release_notice = printable(fields[4], _ANNOUNCEMENT)
        elif not 2100 <= code < 2200:
            self._error = code
            if code == _REFUSED_REQUEST and _READ_ONLY in fields[4].lower():
                self._read_only = True

    def _take_farm(self, kind: str, status: str, name: str) -> None:
        """Note the status of a farm; a broken one stays so until it is reported as OK."""
        known = (kind, name) in self._farms or len(self._farms) < MAX_FARMS
        farm = (kind, name if known else _OTHER_FARMS)
        if status == "broken" and {name, name.partition(".")[0]} & self._ignored_farms:
            status = "connecting"
        if self._farms.get(farm) != "broken" or (known and status != "connecting"):
            self._farms[farm] = status
        if status == "ok":
            self._farms.pop((_ANY_KIND, name), None)

    def _settled_at(self, settled: float) -> float:
        end = min(settled, self._deadline)
        early = not self._settle_asked and self._healthy_burst_seen()
        return min(end, self._clock() + QUIET_SECONDS) if early else end

    def _healthy_burst_seen(self) -> bool:
        """Whether the gateway has reported every kind of farm as healthy."""
        return (
            self._link is None
            and not self._competing
            and "broken" not in self._farms.values()
            and {kind for kind, _name in self._farms} >= _FARM_KINDS
        )

    def _judge(self) -> None:
        """Raise the verdict for trouble reported in a session that has started."""
        if lost := self._lost():
            raise lost
        troubles = []
        if deviation := self._accounts.deviation:
            troubles.append((deviation, verdicts.CORRECT_ACCOUNTS))
        if self._competing:
            troubles.append(("error 10197: a competing live session", verdicts.END_OTHER_SESSION))
        troubles += [
            (f"{kind} farm {name or '?'} is broken", verdicts.WAIT_FOR_FARM)
            for (kind, name), status in self._farms.items()
            if status == "broken"
        ]
        if troubles:
            steps = dict.fromkeys(step for _said, step in troubles)
            raise _Verdict("degraded", ", ".join(said for said, _step in troubles[:5]), " ".join(steps))

    def _account_fault(self) -> str | None:
        return (self._accounts.wrong or self._accounts.deviation) if self._accounts.count else None

    def _closed_before_handshake(self) -> _Verdict:
        """Closed without a greeting: a second, silent connection shows whether the relay or the gateway did it.

        A relay without a gateway behind it closes that one too, at once; a gateway waits for the client's greeting.
        """
        if self._error is not None:
            return _Verdict(f"rejected:{self._error}")
        self._step_started = self._clock()
        try:
            mute = socket.socket(self._family, socket.SOCK_STREAM)
            try:
                mute.settimeout(MUTE_SECONDS)
                mute.connect(self._peer)
                mute.settimeout(max(self._step_started + MUTE_SECONDS - self._clock(), 0.001))
                closed = not mute.recv(1)
            finally:
                mute.close()
        except ConnectionRefusedError:
            return _Verdict("port_closed")
        except OSError:
            closed = False
        self._done("mute_connect")
        return _Verdict("proxy_up_gateway_down" if closed else "closed_before_handshake")

    def _closed_after_handshake(self) -> _Verdict:
        return self._lost() or _Verdict("closed_after_handshake" if self._error is None else f"rejected:{self._error}")

    def _lost(self) -> _Verdict | None:
        """The verdict when the API has left this port or the gateway has lost its link to IBKR, else None."""
        if self._moved is not None:
            return _Verdict("port_moved", f"error {_PORT_MOVED}: {self._moved}")
        return None if self._link is None else _Verdict("link_down", f"error {self._link}")


def _is_literal(host: str) -> bool:
    """Whether *host* is an address, which needs no resolver."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            return True
        except (OSError, ValueError):
            pass
    return False


def _numeric(text: str, name: str) -> int:
    value = wire.number(text)
    if value is None:
        raise _Verdict("not_tws", f"{name} {printable(text, 20)!r} is not a number")
    return value


def _farm_name(text: str) -> str:
    """Return the farm named at the end of a farm notice, after its colon or its full stop."""
    _sentence, colon, name = text.rpartition(":")
    return printable((name if colon else text.partition(".")[2]).strip(), 40)


def _farms_not_connected(text: str) -> list[str]:
    """Return the farms that the notice of a restored link lists as not connected, the first :data:`MAX_FARMS`."""
    place = text.lower().find(_NOT_CONNECTED)
    if place < 0:
        return []
    listed = text[place + len(_NOT_CONNECTED) :].lstrip(" :").partition(". ")[0]
    names = (name.strip(" .") for name in listed.replace(",", ";").split(";")[:MAX_FARMS])
    return [printable(name, 40) for name in names if name]
