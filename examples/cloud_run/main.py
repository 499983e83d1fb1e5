"""A pipeline for Cloud Run: connect to the gateway, do the work, and exit with a status.

Settings come from the environment: IB_HOST, IB_PORT (4002), IB_CLIENT_ID (21; each further task of an execution takes
the next one), IB_CONNECT_SECONDS (90). Exit status: 0 done, 1 no gateway, or it has ended the connection, 2 wrong
settings, 3 told to stop.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time

import ib_async

ATTEMPT_SECONDS = 10.0
PAUSE_SECONDS = 1.0


def say(severity: str, message: str, **fields: object) -> None:
    """Write one line that Cloud Logging reads."""
    print(json.dumps({"severity": severity, "message": message, **fields}), flush=True)


async def connect(ib: ib_async.IB, host: str, port: int, client_id: int, seconds: float) -> bool:
    """Connect, retrying for *seconds*: an instance's connection to the VPC may take a minute or more."""
    ends = time.monotonic() + seconds
    while True:
        try:
            limit = max(0.1, min(ATTEMPT_SECONDS, ends - time.monotonic()))
            await ib.connectAsync(host, port, clientId=client_id, timeout=limit, readonly=True)
            return True
        except (OSError, TimeoutError) as error:
            if time.monotonic() + PAUSE_SECONDS >= ends:
                say("ERROR", f"{host}:{port} gave no answer in {seconds:g} s: {error!r}")
                return False
            say("INFO", f"{host}:{port} is not there yet: {error!r}")
            await asyncio.sleep(PAUSE_SECONDS)


async def work(ib: ib_async.IB) -> None:
    """The pipeline's work. Here: list what is in the account."""
    values = await ib.accountSummaryAsync()
    worth = {value.account: value.value for value in values if value.tag == "NetLiquidation"}
    held = [f"{each.position:g} {each.contract.symbol}" for each in ib.positions()]
    say("INFO", f"worth {worth}, held {held}", accounts=ib.managedAccounts())


async def run(host: str, port: int, client_id: int, seconds: float) -> int:
    """Connect, work, and disconnect cleanly, also when Cloud Run cancels the execution (SIGTERM, then 10 s)."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    ib = ib_async.IB()
    try:
        if not await connect(ib, host, port, client_id, seconds):
            return 1
        say("INFO", f"connected to {host}:{port} as client {client_id}")
        await work(ib)
        return 0
    except ConnectionError as error:
        # Of a request that was pending, or made afterwards.
        say("ERROR", f"{host}:{port} has ended the connection: {error!r}")
        return 1
    except asyncio.CancelledError:
        say("WARNING", "told to stop")
        return 3
    finally:
        ib.disconnect()


def main() -> int:
    settings = os.environ
    try:
        host, port = settings["IB_HOST"], int(settings.get("IB_PORT", "4002"))
        # Two clients cannot share an id.
        client_id = int(settings.get("IB_CLIENT_ID", "21")) + int(settings.get("CLOUD_RUN_TASK_INDEX", "0"))
        seconds = float(settings.get("IB_CONNECT_SECONDS", "90"))
    except (KeyError, ValueError) as error:
        say(
            "ERROR", f"settings: {error!r}: IB_HOST is an address, IB_PORT, IB_CLIENT_ID and IB_CONNECT_SECONDS numbers"
        )
        return 2
    return asyncio.run(run(host, port, client_id, seconds))


if __name__ == "__main__":
    sys.exit(main())
