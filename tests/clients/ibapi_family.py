# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the environment of ibapi or nautilus-ibapi: ``ibapi_family.py HOST PORT`` prints what was seen as JSON."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import Any

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.wrapper import EWrapper

SECONDS = 5.0


class App(EWrapper, EClient):
    """Puts every callback that a test looks at into a queue."""

    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.calls: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.errors: list[int] = []

    def error(self, *args: Any) -> None:
        """9.81: reqId, code, text; 10.46: reqId, time, code, text, json."""
        self.errors.append(args[2] if isinstance(args[2], int) else args[1])

    def managedAccounts(self, accountsList: str) -> None:
        self.calls.put(("accounts", accountsList))

    def nextValidId(self, orderId: int) -> None:
        self.calls.put(("next_id", orderId))

    def currentTime(self, time: int) -> None:
        self.calls.put(("time", time))

    def position(self, account: str, contract: Contract, position: Any, avgCost: float) -> None:
        self.calls.put(("position", [account, contract.symbol, float(position)]))

    def positionEnd(self) -> None:
        self.calls.put(("position end", None))

    def accountSummary(self, reqId: int, account: str, tag: str, value: str, currency: str) -> None:
        self.calls.put(("summary", value))

    def accountSummaryEnd(self, reqId: int) -> None:
        self.calls.put(("summary end", reqId))

    def contractDetails(self, reqId: int, contractDetails: Any) -> None:
        found = contractDetails
        seen = [found.contract.conId, found.longName, found.timeZoneId, float(found.minTick)]
        self.calls.put(("contract", seen))

    def contractDetailsEnd(self, reqId: int) -> None:
        self.calls.put(("contract end", reqId))

    def historicalData(self, reqId: int, bar: Any) -> None:
        self.calls.put(("bar", float(bar.close)))

    def historicalDataEnd(self, reqId: int, start: str, end: str) -> None:
        self.calls.put(("bar end", reqId))

    def openOrderEnd(self) -> None:
        self.calls.put(("open order end", None))

    def completedOrdersEnd(self) -> None:
        self.calls.put(("completed orders end", None))

    def execDetailsEnd(self, reqId: int) -> None:
        self.calls.put(("executions end", reqId))

    def updateAccountValue(self, key: str, val: str, currency: str, accountName: str) -> None:
        self.calls.put(("account value", key))

    def updatePortfolio(self, contract: Contract, position: Any, marketPrice: float, *rest: Any) -> None:
        self.calls.put(("portfolio", [contract.conId, marketPrice]))

    def accountDownloadEnd(self, accountName: str) -> None:
        self.calls.put(("account end", accountName))

    def accountUpdateMultiEnd(self, reqId: int) -> None:
        self.calls.put(("multi end", reqId))

    def configResponseProtoBuf(self, configResponseProto: Any) -> None:
        settings = configResponseProto.api.settings
        self.calls.put(("config", [settings.readOnlyApi, settings.socketPort, list(settings.trustedIPs)]))

    def gather(self, last: str, *wanted: str) -> dict[str, list[Any]]:
        """Return the calls of the wanted names until one named *last* comes."""
        seen: dict[str, list[Any]] = {name: [] for name in (*wanted, last)}
        while True:
            name, value = self.calls.get(timeout=SECONDS)
            if name in seen:
                seen[name].append(value)
            if name == last:
                return seen


def contract(symbol: str, kind: str, exchange: str) -> Contract:
    """Return a contract to ask about."""
    wanted = Contract()
    wanted.symbol, wanted.secType, wanted.exchange, wanted.currency = symbol, kind, exchange, "USD"
    return wanted


def main(host: str, port: str) -> None:
    app = App()
    app.connect(host, int(port), clientId=7)
    threading.Thread(target=app.run, daemon=True).start()
    seen: dict[str, Any] = {"version": app.serverVersion()}
    begin = app.gather("next_id", "accounts")
    seen |= {"accounts": begin["accounts"][0].split(","), "next_id": begin["next_id"][0]}
    app.reqCurrentTime()
    seen["time"] = app.gather("time")["time"][0]
    app.reqPositions()
    seen["positions"] = app.gather("position end", "position")["position"]
    app.reqAccountSummary(1, "All", "NetLiquidation")
    seen["net_liquidation"] = app.gather("summary end", "summary")["summary"]
    app.reqContractDetails(2, contract("AAPL", "STK", "SMART"))
    seen["contract"] = app.gather("contract end", "contract")["contract"]
    forex = contract("EUR", "CASH", "IDEALPRO")
    app.reqHistoricalData(3, forex, "", "30 S", "5 secs", "MIDPOINT", 0, 1, False, [])
    seen["bars"] = app.gather("bar end", "bar")["bar"]
    app.reqOpenOrders()
    app.gather("open order end")
    app.reqCompletedOrders(False)
    app.gather("completed orders end")
    app.reqAccountUpdates(True, "")
    updates = app.gather("account end", "account value", "portfolio")
    seen |= {"account_values": sorted(set(updates["account value"])), "portfolio": updates["portfolio"]}
    app.reqAccountUpdatesMulti(4, "", "", False)
    app.gather("multi end")
    app.reqIds(-1)
    app.gather("next_id")
    if app.serverVersion() >= 219:
        from ibapi.protobuf.ConfigRequest_pb2 import ConfigRequest

        app.reqConfigProtoBuf(ConfigRequest(reqId=5))
        seen["config"] = app.gather("config")["config"][0]
    seen["errors"] = app.errors
    print(json.dumps(seen), flush=True)
    os._exit(0)  # disconnect() waits up to a second for the reader's time-out


if __name__ == "__main__":
    main(*sys.argv[1:])
