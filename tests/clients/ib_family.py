# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in the environment of ib_async or ib_insync: ``ib_family.py MODULE HOST PORT`` prints what was seen as JSON."""

from __future__ import annotations

import importlib
import json
import sys


def main(module_name: str, host: str, port: str) -> None:
    module = importlib.import_module(module_name)
    ib = module.IB()
    ib.RequestTimeout = 5
    errors: list[int] = []
    ib.errorEvent += lambda req_id, code, *rest: errors.append(code)
    ib.connect(host, int(port), clientId=7)
    stock = module.Stock("AAPL", "SMART", "USD")
    details = ib.reqContractDetails(stock)
    bars = ib.reqHistoricalData(module.Forex("EURUSD"), "", "30 S", "5 secs", "MIDPOINT", False)
    seen = {
        "version": ib.client.serverVersion(),
        "accounts": ib.managedAccounts(),
        "next_id": ib.client.getReqId(),
        "time": ib.reqCurrentTime().timestamp(),
        "positions": [[found.account, found.contract.symbol, found.position] for found in ib.positions()],
        "net_liquidation": [found.value for found in ib.accountSummary() if found.tag == "NetLiquidation"],
        "portfolio": [[found.contract.conId, found.marketPrice] for found in ib.portfolio()],
        "account_values": sorted({found.tag for found in ib.accountValues()}),
        "contract": [[found.contract.conId, found.longName, found.timeZoneId, found.minTick] for found in details],
        "bars": [bar.close for bar in bars],
        "errors": errors,
    }
    ib.disconnect()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
