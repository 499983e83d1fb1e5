# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small market of the stand-in: a few instruments, one position, an account's figures, and price bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class Instrument(NamedTuple):
    """A contract that the stand-in knows; prices in its currency."""

    con_id: int
    symbol: str
    sec_type: str
    exchange: str
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str
    long_name: str
    min_tick: str
    price: float


INSTRUMENTS = (
    Instrument(265598, "AAPL", "STK", "SMART", "NASDAQ", "USD", "AAPL", "NMS", "APPLE INC", "0.01", 190.5),
    Instrument(756733, "SPY", "STK", "SMART", "ARCA", "USD", "SPY", "SPY", "SS SPDR S&P 500 ETF", "0.01", 520.25),
    Instrument(12087792, "EUR", "CASH", "IDEALPRO", "", "USD", "EUR.USD", "EUR.USD", "European Monetary Union Euro",
               "0.00005", 1.085),
)  # fmt: skip
HOLDING = INSTRUMENTS[0]
HOLDING_SIZE, HOLDING_COST = "10", 150.25

ACCOUNT_VALUES = (
    ("AccountReady", "true", ""),
    ("AccountType", "INDIVIDUAL", ""),
    ("AvailableFunds", "985000.00", "USD"),
    ("BuyingPower", "3940000.00", "USD"),
    ("CashBalance", "998095.00", "BASE"),
    ("NetLiquidation", "1000000.00", "USD"),
    ("TotalCashValue", "998095.00", "USD"),
)
"""Key, value and currency of what account requests are told."""


class Bar(NamedTuple):
    """One bar of historical data; date as the client asked for it (text or epoch seconds)."""

    date: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    average: float
    trades: int


def find(con_id: int, symbol: str, sec_type: str, currency: str) -> Instrument | None:
    """Look an instrument up as the gateway does: by its id, else by the other fields given."""
    for item in INSTRUMENTS:
        if con_id:
            if item.con_id == con_id:
                return item
        elif item.symbol == symbol and sec_type in ("", item.sec_type) and currency in ("", item.currency):
            return item
    return None


def bars(item: Instrument, epoch_dates: bool, now: float, count: int = 6) -> tuple[Bar, ...]:
    """Return *count* five-second bars that end at *now*."""
    newest = datetime.fromtimestamp(now // 5 * 5, UTC)
    result = []
    for index in range(count):
        start = newest - timedelta(seconds=5 * (count - index))
        date = str(int(start.timestamp())) if epoch_dates else start.strftime("%Y%m%d-%H:%M:%S")
        price = item.price
        result.append(Bar(date, price, price, price, price, 100, price, 10))
    return tuple(result)
