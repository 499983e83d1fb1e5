# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's messages: each function returns a :class:`~ibgw_standin.wire.Message` in text and protobuf form.

Layouts: the field tables of IBKR's published clients, text forms by version, field numbers of their descriptors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from . import protobuf
from .catalogue import HOLDING, HOLDING_COST, HOLDING_SIZE, Bar, Instrument
from .wire import Message, Text

NO_REQUEST = -1
"""Request id of a message that answers no request."""

READ_ONLY_TEXT = "Error validating request.-'cr' : cause - The API interface is currently in Read-Only mode."
AUTO_BIND_TEXT = "Only API connections with clientId set to 0 can set the auto bind TWS orders property."
COMPETING_TEXT = "No market data during competing live session"


def error(version: int, code: int, text: str, req_id: int = NO_REQUEST, now: float | None = None) -> Message:
    """Errors and notices (4)."""
    millis = int((time.time() if now is None else now) * 1000)
    if version >= 194:
        fields: tuple[Text, ...] = (req_id, code, text, "", millis)
    elif version >= 166:
        fields = (2, req_id, code, text, "")
    else:
        fields = (2, req_id, code, text)
    return Message(4, fields, ((1, req_id), (2, millis), (3, code), (4, text)))


def managed_accounts(accounts: str | bytes) -> Message:
    """The accounts of the session (15), separated by commas."""
    return Message(15, (1, accounts), ((1, accounts),))


def next_valid_id(order_id: int) -> Message:
    """The first order id that a client may use (9)."""
    return Message(9, (1, order_id), ((1, order_id),))


def current_time(now: float) -> Message:
    """The gateway's clock in seconds (49)."""
    return Message(49, (1, int(now)), ((1, int(now)),))


def current_time_in_millis(now: float) -> Message:
    """The gateway's clock in milliseconds (109)."""
    return Message(109, (int(now * 1000),), ((1, int(now * 1000)),))


def _contract_proto(item: Instrument) -> bytes:
    return protobuf.encode(
        (
            (1, item.con_id), (2, item.symbol), (3, item.sec_type), (8, item.exchange), (9, item.primary_exchange),
            (10, item.currency), (11, item.local_symbol), (12, item.trading_class),
        )
    )  # fmt: skip


def position(account: str) -> Message:
    """The one position of an account (61)."""
    item = HOLDING
    return Message(
        61,
        (3, account, item.con_id, item.symbol, item.sec_type, "", 0.0, "", "", item.primary_exchange, item.currency,
         item.local_symbol, item.trading_class, HOLDING_SIZE, HOLDING_COST),
        ((1, account), (2, _contract_proto(item)), (3, HOLDING_SIZE), (4, HOLDING_COST)),
    )  # fmt: skip


def portfolio(account: str) -> Message:
    """The same position, valued (7)."""
    item, size = HOLDING, int(HOLDING_SIZE)
    value, profit = item.price * size, (item.price - HOLDING_COST) * size
    return Message(
        7,
        (8, item.con_id, item.symbol, item.sec_type, "", 0.0, "0", "", item.primary_exchange, item.currency,
         item.local_symbol, item.trading_class, HOLDING_SIZE, item.price, value, HOLDING_COST, profit, 0.0, account),
        ((1, _contract_proto(item)), (2, HOLDING_SIZE), (3, item.price), (4, value), (5, HOLDING_COST), (6, profit),
         (7, 0.0), (8, account)),
    )  # fmt: skip


def account_value(account: str, key: str, value: str, currency: str) -> Message:
    """One figure of an account (6)."""
    return Message(6, (2, key, value, currency, account), ((1, key), (2, value), (3, currency), (4, account)))


def account_time(now: float) -> Message:
    """When the account's figures were taken (8)."""
    clock = time.strftime("%H:%M", time.localtime(now))
    return Message(8, (1, clock), ((1, clock),))


def account_multi(req_id: int, account: str, key: str, value: str, currency: str) -> Message:
    """One figure for a request over several accounts (73)."""
    return Message(
        73,
        (1, req_id, account, "", key, value, currency),
        ((1, req_id), (2, account), (4, key), (5, value), (6, currency)),
    )


def account_summary(req_id: int, account: str, tag: str, value: str, currency: str) -> Message:
    """One figure of the account summary (63)."""
    return Message(
        63,
        (1, req_id, account, tag, value, currency),
        ((1, req_id), (2, account), (3, tag), (4, value), (5, currency)),
    )


def end(message_id: int, req_id: int) -> Message:
    """The end of an answer to a numbered request: 52 (protobuf and text alike), 55, 64, 74."""
    return Message(message_id, (1, req_id), ((1, req_id),))


def position_end() -> Message:
    """The end of the positions (62)."""
    return Message(62, (1,))


def open_order_end() -> Message:
    """The end of the open orders (53)."""
    return Message(53, (1,))


def completed_orders_end() -> Message:
    """The end of the completed orders (102), without fields."""
    return Message(102)


def account_download_end(account: str) -> Message:
    """The end of an account's figures (54)."""
    return Message(54, (1, account), ((1, account),))


def contract_details(version: int, req_id: int, item: Instrument) -> Message:
    """Everything about one instrument (10)."""
    order_types, hours = "LMT,MKT,STP", "20261120:0930-20261120:1600"
    text: list[Text] = [] if version >= 164 else [8]
    text += [req_id, item.symbol, item.sec_type, ""]
    text += [""] if version >= 182 else []
    text += [0.0, "", item.exchange, item.currency, item.local_symbol, item.trading_class, item.trading_class]
    text += [item.con_id, item.min_tick]
    text += [100] if version < 164 else []
    text += ["", order_types, item.exchange, 1, 0, item.long_name, item.primary_exchange, "", "", "", ""]
    text += ["America/New_York", hours, hours, "", 0, 0, 1, "", "", "26", ""]
    text += ["COMMON"] if version >= 152 else []
    text += ["1"] if version == 163 else []
    text += ["1", "1", "100"] if version >= 164 else []
    text += [0] if version >= 186 else []
    details = protobuf.encode(
        (
            (1, item.trading_class), (2, item.min_tick), (3, order_types), (4, item.exchange), (5, 1),
            (7, item.long_name), (12, "America/New_York"), (13, hours), (14, hours), (18, 1), (21, "26"),
            (23, "COMMON"), (24, "1"), (25, "1"), (26, "100"),
        )
    )  # fmt: skip
    return Message(10, tuple(text), ((1, req_id), (2, _contract_proto(item)), (3, details)))


def historical_data(version: int, req_id: int, bars: Sequence[Bar]) -> list[Message]:
    """The bars (17) and, from version 196, the message that ends them (108)."""
    start, finish = (bars[0].date, bars[-1].date) if bars else ("", "")
    text: list[Text] = [req_id] if version >= 196 else [req_id, start, finish]
    text.append(len(bars))
    proto: list[tuple[int, protobuf.Value]] = [(1, req_id)]
    for bar in bars:
        text += bar
        proto.append((2, protobuf.encode(
            ((1, bar.date), (2, bar.open), (3, bar.high), (4, bar.low), (5, bar.close), (6, str(bar.volume)),
             (7, str(bar.average)), (8, bar.trades))
        )))  # fmt: skip
    messages = [Message(17, tuple(text), tuple(proto))]
    if version >= 196:
        messages.append(Message(108, (req_id, start, finish), ((1, req_id), (2, start), (3, finish))))
    return messages


def config(req_id: int, read_only: bool, port: int, logoff: str, restart: bool) -> Message:
    """The API settings of the gateway (110, protobuf only)."""
    settings = protobuf.encode(
        ((1, read_only), (3, True), (8, port), (10, False), (17, "Error"), (19, 30), (26, False), (27, True),
         (31, False), (35, True), (36, "127.0.0.1"))
    )  # fmt: skip
    lock = protobuf.encode(((1, logoff), (3, "autoRestart" if restart else "autoLogoff")))
    return Message(110, (), ((1, req_id), (2, lock), (4, protobuf.encode(((2, settings),)))))


def config_update(req_id: int, status: str, text: str) -> Message:
    """The answer to a request to change the API settings (111, protobuf only)."""
    return Message(111, (), ((1, req_id), (2, status), (3, text)))
