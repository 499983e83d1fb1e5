# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deep check: connect as a pipeline does, with ib_async, and read what a pipeline reads.

A standalone script: module `gateway_client_check` feeds it to the interpreter of the venv with ib_async (``python -
'{"host": …}' < client_check.py``), and it prints one JSON object. It is read-only: no order, no subscription to account
updates. A request of ib_async may wait without end, so every step has its own limit.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ib_async

MAX_ERRORS = 20


class Check:
    """One session over *ib*, step by step, within *timeout* seconds in all and *step_timeout* for each."""

    def __init__(self, ib: ib_async.IB, timeout: float, step_timeout: float) -> None:
        self._ib, self._step_timeout = ib, step_timeout
        self._deadline = time.monotonic() + timeout
        self.steps: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.accounts: list[str] = []
        self.position_count: int | None = None
        self.account_values: list[dict[str, str]] = []
        ib.errorEvent += self._note

    def _note(self, _request: int, code: int, text: str, *_more: object) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({"code": code, "text": text[:200]})

    async def step(self, name: str, work: Callable[[], Awaitable[str]]) -> bool:
        """Run *work*, which returns its observation or raises; record outcome and time; return whether it succeeded."""
        started = time.monotonic()
        limit = max(min(self._step_timeout, self._deadline - started), 0.001)
        try:
            ok, detail = True, await asyncio.wait_for(work(), limit)
        except TimeoutError:
            ok, detail = False, f"no answer within {limit:.1f} s"
        except Exception as error:  # any exception of the library or the gateway is this step's finding
            ok, detail = False, f"{type(error).__name__}: {error}"[:200]
        self.steps.append(
            {"name": name, "ok": ok, "elapsed": round((time.monotonic() - started) * 1000, 1), "detail": detail}
        )
        return ok

    async def connect(self, host: str, port: int, client_id: int) -> str:
        import ib_async

        await self._ib.connectAsync(
            host,
            port,
            client_id,
            timeout=self._step_timeout,
            readonly=True,
            raiseSyncErrors=True,
            fetchFields=ib_async.StartupFetchNONE,
        )
        return f"server version {self._ib.client.serverVersion()}"

    async def current_time(self) -> str:
        moment = await self._ib.reqCurrentTimeAsync()
        return f"{abs(moment.timestamp() - time.time()):.1f} s from this host's clock"

    async def read_accounts(self) -> str:
        self.accounts = list(self._ib.managedAccounts())
        if not self.accounts:
            raise LookupError("no account")
        return f"{len(self.accounts)} accounts"

    async def positions(self) -> str:
        self.position_count = len(await self._ib.reqPositionsAsync())
        return f"{self.position_count} positions"

    async def account_summary(self) -> str:
        values = await self._ib.accountSummaryAsync()
        self.account_values = [
            {"account": value.account, "tag": value.tag, "value": value.value, "currency": value.currency}
            for value in values
        ]
        if not values:
            raise LookupError("the summary is empty")
        return f"{len(values)} values"

    async def contract(self, wanted: dict[str, Any]) -> str:
        import ib_async

        details = await self._ib.reqContractDetailsAsync(ib_async.Contract(**wanted))
        if not details:
            raise LookupError("unknown contract")
        found = details[0].contract
        return f"conId {found.conId}" if found else "found"


async def check(options: dict[str, Any]) -> dict[str, Any]:
    """Run every step against ``options`` (host, port, client_id, timeout, step_timeout, contract); JSON-ready."""
    import ib_async

    ib = ib_async.IB()
    run = Check(ib, options["timeout"], options["step_timeout"])
    try:
        if await run.step("connect", lambda: run.connect(options["host"], options["port"], options["client_id"])):
            await run.step("current_time", run.current_time)
            await run.step("accounts", run.read_accounts)
            await run.step("positions", run.positions)
            await run.step("account_summary", run.account_summary)
            await run.step("contract", lambda: run.contract(options["contract"]))
    finally:
        ib.disconnect()
    return {
        "steps": run.steps,
        "errors": run.errors,
        "accounts": run.accounts,
        "position_count": run.position_count,
        "account_values": run.account_values,
        "client": f"ib_async {ib_async.__version__}, Python {platform.python_version()}",
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(check(json.loads(sys.argv[1])))))
