# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One API connection, from the hello to the last byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from . import hostile, messages, requests, wire
from .gateway import Gateway

HELLO_SECONDS = (0.010, 0.025)
START_SECONDS = (0.002, 0.003)
"""How long a real gateway takes to answer the hello, and from startApi to the first message."""

FARMS = (("farm_broken", 2104, 2103, "Market data farm", "usfarm"),
         ("", 2104, 2103, "Market data farm", "cashfarm"),
         ("hmds_broken", 2106, 2105, "HMDS data farm", "ushmds"),
         ("secdef_broken", 2158, 2157, "Sec-def data farm", "secdefnj"))  # fmt: skip
"""The fault that breaks it, the codes for OK and broken, the kind of farm and its name."""

LINK_LOST = (1100, "Connectivity between IBKR and Trader Workstation has been lost.")
LINK_BROKEN = (2110, "Connectivity between Trader Workstation and server is broken. It will be restored automatically.")
LINK_DATA_LOST = (1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost.")
LINK_RESTORED = (
    1102,
    "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
    "All data farms are connected: usfarm; cashfarm; ushmds; secdefnj.",
)
ID_IN_USE = (326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
DISCLAIMER = (10141, "Paper trading disclaimer must first be accepted for API connection.")


def farm_notice(fault: str, args: dict[str, Any] | None) -> tuple[int, str]:
    """Return code and text about a farm: broken when *args* are given, else OK."""
    _, healthy, broken, kind, name = next(row for row in FARMS if row[0] == fault)
    name = (args or {}).get("farm", name)
    state = "OK" if args is None else "broken"
    return (healthy if args is None else broken), f"{kind} connection is {state}:{name}"


class Server(Protocol):
    """The part of the server that a session uses."""

    gateway: Gateway
    port: int

    def claim(self, session: Session, client_id: int) -> bool:
        """Give a client id to a session; False when another one has it."""

    def tell(self, session: Session, notice: tuple[int, str]) -> None:
        """Send a notice to one session, unless it is over."""

    async def thawed(self) -> None:
        """Wait while the API is frozen."""


class Session:
    """A client's connection. ``serve`` returns when it is over; the server closes the stream."""

    def __init__(self, server: Server, channel: hostile.Channel, number: int) -> None:
        self.server = server
        self.gateway = server.gateway
        self.channel = channel
        self.number = number
        self.version = 0
        self.client_id: int | None = None
        self.started = False

    async def send(self, message: wire.Message) -> None:
        """Write one message in a separate segment."""
        await self.channel.write(wire.frame(wire.encode(self.version, message)))

    async def notify(self, code: int, text: str, req_id: int = messages.NO_REQUEST) -> None:
        """Send an error or a notice."""
        await self.send(messages.error(self.version, code, text, req_id))

    async def _pause(self, bounds: tuple[float, float]) -> None:
        slow = self.gateway.fault("slow")
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", 2.0)))
        elif self.gateway.realistic_delays:
            await asyncio.sleep(random.uniform(*bounds))
        await self.server.thawed()

    async def serve(self) -> None:
        """Talk to the client until either side ends it; raises exceptions from reading or writing."""
        reader = self.channel.reader
        if await reader.readexactly(4) != wire.MAGIC:
            return
        hello = wire.parse_hello(await wire.read_frame(reader))
        self.gateway.record(self.number, None, "hello", low=hello.low, high=hello.high, options=hello.options)
        await self._pause(HELLO_SECONDS)
        if not await self._negotiate(hello):
            return
        while not self.started:
            request = requests.Request(wire.decode(self.version, await wire.read_frame(reader)))
            self._record(request)
            if request.id == 71:
                await self._pause(START_SECONDS)
                if not await self._start(request.number("client_id")):
                    return
        while True:
            request = requests.Request(wire.decode(self.version, await wire.read_frame(reader)))
            self._record(request)
            if self.gateway.fault("slow") is not None:
                await self._pause(START_SECONDS)
            await self.server.thawed()
            if self.gateway.fault("unresponsive") is None:
                await self._answer(request)

    async def _answer(self, request: requests.Request) -> None:
        for message in requests.answer(self.gateway, self.version, self.server.port, self.client_id or 0, request):
            await self.send(message)

    def _record(self, request: requests.Request) -> None:
        if request.id == 71:
            self.client_id = request.number("client_id")
        self.gateway.record(self.number, self.client_id, request.spec.name, id=request.id, form=request.form)

    async def _negotiate(self, hello: wire.Hello) -> bool:
        """Answer the hello; False to close the connection."""
        name = self.gateway.first("hello")
        args = self.gateway.fault(name) if name else None
        if name in hostile.BEHAVIOURS:
            await hostile.BEHAVIOURS[name](self.channel, args or {})
            return False
        version = wire.negotiate(self.gateway.max_version, hello)
        if name == "ignores_client_max":
            version = self.gateway.max_version
        if version is None:
            return False
        self.version = version
        shown = {"old_version": "76", "non_numeric_version": "abc"}.get(name or "", str(version))
        if self.gateway.fault("notice_before_version") is not None:
            code, text = farm_notice("farm_broken", None)
            await self.channel.write(wire.frame(wire.texts(4, 2, -1, code, text)))
            await asyncio.sleep(0.02)  # ibapi drops data that shares a segment with a frame before the version
        await self.channel.write(wire.frame(wire.texts(shown, self._connection_time())))
        if name == "version_then_silent":
            await self.channel.silence()
            return False
        return True

    def _connection_time(self) -> str:
        zone = self.gateway.time_zone
        now = datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()
        return f"{now:%Y%m%d %H:%M:%S %Z}"

    async def _start(self, client_id: int) -> bool:
        """Begin the session: accounts, next id, notices; False when it is refused or ended."""
        gateway, fault = self.gateway, self.gateway.fault
        in_use = fault("client_id_in_use")
        taken = in_use is not None and client_id in (in_use.get("ids") or [client_id])
        if gateway.disclaimer_open or fault("disclaimer") is not None:
            await self.notify(*DISCLAIMER)
            return False
        if taken or not self.server.claim(self, client_id):
            await self.notify(*ID_IN_USE)
            return False
        self.started = True
        await self._send_accounts()
        notices = fault("endless_notices")
        if notices is not None:
            code, text = farm_notice("farm_broken", None)
            chunk = wire.frame(wire.encode(self.version, messages.error(self.version, code, text)))
            await self.channel.flood(hostile.forever(chunk * 100), notices, 64 << 20)
            return False
        closes, reset = fault("closes_during_sync"), fault("port_reset")
        if closes is not None:
            await asyncio.sleep(float(closes.get("delay", 0.05)))
            return False
        if reset is not None:
            await self.notify(*port_reset(reset))
            return False
        if fault("unresponsive") is None:
            for code, text in self._notices():
                await self.notify(code, text)
            lost = fault("link_lost")
            if lost is not None:
                delay = float(lost.get("delay", 0.15))
                asyncio.get_running_loop().call_later(delay, self.server.tell, self, LINK_LOST)
        return True

    async def _send_accounts(self) -> None:
        fault = self.gateway.fault
        accounts: str | bytes = "" if fault("empty_accounts") is not None else ",".join(self.gateway.shown_accounts)
        broken = fault("bad_utf8_accounts") is not None
        if broken:
            accounts = b"\xff\xfeDU\xc3"
        if fault("no_accounts") is None and fault("endless_notices") is None:
            await self.send(messages.managed_accounts(accounts))
        if fault("no_valid_id") is None and fault("endless_notices") is None:
            message = messages.next_valid_id(self.gateway.next_order_id)
            await self.send(message._replace(text=(1, "none")) if broken else message)

    def _notices(self) -> Iterator[tuple[int, str]]:
        for name, healthy, _, kind, farm in FARMS:
            args = self.gateway.fault(name) if name else None
            yield (healthy, f"{kind} connection is OK:{farm}") if args is None else farm_notice(name, args)
        if self.gateway.fault("link_down") is not None:
            yield LINK_BROKEN
        if (self.gateway.fault("competing_session") or {}).get("announce"):
            yield 10197, messages.COMPETING_TEXT
        ends = self.gateway.fault("desupport_notice")
        if ends is not None:
            yield desupport_notice(ends)


def port_reset(args: dict[str, Any]) -> tuple[int, str]:
    """Return code and text of 'the API port was moved'."""
    return 1300, (
        "TWS socket port has been reset and this connection is being dropped. "
        f"Please reconnect on the new port - {args.get('port', 4011)}"
    )


def desupport_notice(args: dict[str, Any]) -> tuple[int, str]:
    """Return code and text of IBKR's announcement that it will no longer accept this release."""
    version, day, minimum = (
        args.get(name, known) for name, known in (("version", "1045.1"), ("day", "20261215"), ("minimum", "1050.1"))
    )
    return 2172, (
        f"The version of the application you are running, {version}, needs to be upgraded, as it will be desupported "
        f"on {day}. The minimum supported version at that time will be {minimum}."
    )
