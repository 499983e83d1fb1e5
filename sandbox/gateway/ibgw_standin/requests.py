# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supported requests: where their arguments are in text and in protobuf, and how they are answered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from . import catalogue, messages, protobuf
from .gateway import Gateway
from .wire import Incoming, Message

READ_ONLY_REFUSES = frozenset({3, 4, 5, 15, 16, 58, 99})
"""Requests that a read-only API answers with 321 and a dialog."""

Path = tuple[int, ...]


class Spec(NamedTuple):
    """A request: its name, and per argument the index among the texts and the path of protobuf field numbers."""

    name: str
    args: Mapping[str, tuple[int, Path]] = MappingProxyType({})


def _contract(start: int) -> dict[str, tuple[int, Path]]:
    return {
        "con_id": (start, (2, 1)),
        "symbol": (start + 1, (2, 2)),
        "sec_type": (start + 2, (2, 3)),
        "currency": (start + 9, (2, 10)),
    }


_REQ_ID = {"req_id": (1, (1,))}

SPECS: dict[int, Spec] = {
    1: Spec("reqMktData", _REQ_ID | _contract(2)),
    2: Spec("cancelMktData", _REQ_ID),
    3: Spec("placeOrder", {"req_id": (0, (1,))}),
    4: Spec("cancelOrder", {"req_id": (0, (1,))}),
    5: Spec("reqOpenOrders"),
    6: Spec("reqAccountUpdates", {"subscribe": (1, (1,)), "account": (2, (2,))}),
    7: Spec("reqExecutions", _REQ_ID),
    8: Spec("reqIds"),
    9: Spec("reqContractData", _REQ_ID | _contract(2)),
    14: Spec("setServerLogLevel"),
    15: Spec("reqAutoOpenOrders"),
    16: Spec("reqAllOpenOrders"),
    17: Spec("reqManagedAccts"),
    20: Spec("reqHistoricalData", {"req_id": (0, (1,)), "format_date": (19, (8,))} | _contract(1)),
    25: Spec("cancelHistoricalData", _REQ_ID),
    49: Spec("reqCurrentTime"),
    58: Spec("reqGlobalCancel"),
    59: Spec("reqMarketDataType"),
    61: Spec("reqPositions"),
    62: Spec("reqAccountSummary", _REQ_ID | {"tags": (3, (3,))}),
    63: Spec("cancelAccountSummary", _REQ_ID),
    64: Spec("cancelPositions"),
    71: Spec("startApi", {"client_id": (1, (1,)), "options": (2, (2,))}),
    76: Spec("reqAccountUpdatesMulti", _REQ_ID | {"account": (2, (2,))}),
    77: Spec("cancelAccountUpdatesMulti", _REQ_ID),
    99: Spec("reqCompletedOrders"),
    105: Spec("reqCurrentTimeInMillis"),
    108: Spec("reqConfig", {"req_id": (0, (1,))}),
    109: Spec("updateConfig", {"req_id": (0, (1,))}),
}


class Request:
    """A request with its arguments by name, whichever form it came in."""

    def __init__(self, incoming: Incoming) -> None:
        self.id = incoming.id
        self.spec = SPECS.get(incoming.id, Spec(f"request {incoming.id}"))
        self._incoming = incoming

    @property
    def form(self) -> str:
        """``text`` or ``protobuf``."""
        return "text" if self._incoming.proto is None else "protobuf"

    def text(self, name: str) -> str:
        """Return an argument as text; one that was not sent is empty."""
        index, path = self.spec.args[name]
        if self._incoming.proto is None:
            return self._incoming.text[index] if index < len(self._incoming.text) else ""
        fields = self._incoming.proto
        for number in path[:-1]:
            nested = fields.get(number, [b""])[-1]
            fields = protobuf.decode(nested if isinstance(nested, bytes) else b"")
        value = fields.get(path[-1], [""])[-1]
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return str(protobuf.signed(value) if isinstance(value, int) else value)

    def number(self, name: str, default: int = 0) -> int:
        """Return an argument as a whole number; *default* if it is not one."""
        try:
            return int(self.text(name))
        except ValueError:
            return default


def answer(  # noqa: C901  one case for each request
    gateway: Gateway, version: int, port: int, client_id: int, request: Request
) -> Iterator[Message]:
    """Yield the gateway's answers to a request; each message is written separately."""
    now = time.time()
    req_id = request.number("req_id", messages.NO_REQUEST) if "req_id" in request.spec.args else messages.NO_REQUEST
    accounts = gateway.shown_accounts
    match request.id:
        case number if number in READ_ONLY_REFUSES and gateway.read_only:
            gateway.dialog_shown += 1
            yield messages.error(version, 321, messages.READ_ONLY_TEXT)
        case 3 | 4:
            yield messages.error(version, 201, "Order rejected - reason:The stand-in gateway takes no orders.", req_id)
        case 15 if client_id != 0:
            yield messages.error(version, 327, messages.AUTO_BIND_TEXT)
        case 5 | 15 | 16:
            yield messages.open_order_end()
        case 6 if request.text("subscribe") not in ("0", ""):
            account = request.text("account") or accounts[0]
            for figure in catalogue.ACCOUNT_VALUES:
                yield messages.account_value(account, *figure)
            yield messages.portfolio(account)
            yield messages.account_time(now)
            yield messages.account_download_end(account)
        case 7:
            yield messages.end(55, req_id)
        case 8:
            yield messages.next_valid_id(gateway.next_order_id)
        case 17:
            yield messages.managed_accounts(",".join(accounts))
        case 49:
            yield messages.current_time(now)
        case 61:
            yield from map(messages.position, accounts)
            yield messages.position_end()
        case 62:
            wanted = request.text("tags").split(",")
            for account in accounts:
                for key, value, currency in catalogue.ACCOUNT_VALUES:
                    if key in wanted:
                        yield messages.account_summary(req_id, account, key, value, currency)
            yield messages.end(64, req_id)
        case 76:
            account = request.text("account") or accounts[0]
            for figure in catalogue.ACCOUNT_VALUES:
                yield messages.account_multi(req_id, account, *figure)
            yield messages.end(74, req_id)
        case 99:
            yield messages.completed_orders_end()
        case 105:
            yield messages.current_time_in_millis(now)
        case 1 | 9 | 20:
            yield from _about_instrument(gateway, version, request, req_id, now)
        case 108:
            yield messages.config(req_id, gateway.read_only, port, gateway.restart_time, True)
        case 109:
            yield messages.config_update(req_id, "error", "The stand-in gateway's settings come from config.ini.")
        case number if number not in SPECS:
            yield messages.error(version, 320, f"Error reading request. Unknown message id {number}.")


def _about_instrument(gateway: Gateway, version: int, request: Request, req_id: int, now: float) -> Iterator[Message]:
    if request.id == 1 and "competing_session" in gateway.faults:
        yield messages.error(version, 10197, messages.COMPETING_TEXT, req_id)
        return
    item = catalogue.find(
        request.number("con_id"), request.text("symbol"), request.text("sec_type"), request.text("currency")
    )
    if item is None:
        text = "No security definition has been found for the request"
        yield messages.error(version, 200, text, req_id)
    elif request.id == 1:
        text = "Requested market data is not subscribed."
        yield messages.error(version, 354, text, req_id)
    elif request.id == 9:
        yield messages.contract_details(version, req_id, item)
        yield messages.end(52, req_id)
    else:
        bars = catalogue.bars(item, request.text("format_date") == "2", now)
        yield from messages.historical_data(version, req_id, bars)
