"""A client that runs for weeks beside a gateway that does not: copy it, and put your strategy into class Strategy.

It lives through the gateway's restart each night, lost links to IBKR (1100, 1101, 1102, 2110), a client id that is
still taken (326), an API that hangs, and the close from Saturday to Sunday's sign-in. Settings come from the
environment: IB_HOST (127.0.0.1), IB_PORT (4002), IB_CLIENT_ID (31). SIGTERM and SIGINT end it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import ib_async

# The gateway is away for a minute at night and for half a day at the weekend: try soon, and then every minute.
FIRST_PAUSE, LONGEST_PAUSE = (float(each) for each in os.environ.get("IB_PAUSES", "2,60").split(","))
# Of one try to connect. The image's relay accepts while the gateway is down, so the connection alone says nothing.
CONNECT_SECONDS = float(os.environ.get("IB_CONNECT_SECONDS", "15"))
# After so long without a notice the gateway is asked for the time; without an answer the connection is given up.
QUIET_SECONDS = float(os.environ.get("IB_QUIET_SECONDS", "60"))
ANSWER_SECONDS = float(os.environ.get("IB_ANSWER_SECONDS", "10"))

LINK_LOST, LINK_BACK_DATA_LOST, LINK_BACK, LINK_DOWN, ID_TAKEN = 1100, 1101, 1102, 2110, 326
CLOSED, CLOSED_BY_GATEWAY = 0, "closed by the gateway"
NOTICES = (LINK_LOST, LINK_BACK_DATA_LOST, LINK_BACK, LINK_DOWN, ID_TAKEN)


def say(message: str, **fields: object) -> None:
    """Write one line that journald and log collectors read."""
    print(json.dumps({"message": message, **fields}), flush=True)


class Strategy:
    """Yours. It acts between `resume` and `pause`, and at no other time."""

    async def resume(self, ib: ib_async.IB, subscribe: bool) -> None:
        """Go on: compare orders and positions with your own record first, since anything may have happened meanwhile.

        With *subscribe* there is no subscription to data any more: ask for all of them again.
        """
        orders = await ib.reqAllOpenOrdersAsync()
        say("trading", subscribe=subscribe, open_orders=len(orders), positions=len(ib.positions()))

    def pause(self, why: str) -> None:
        """Send nothing more: orders would fail, or be sent twice. What is at the exchange stays there."""
        say("paused", why=why)


Events = asyncio.Queue[int]


def listen(ib: ib_async.IB) -> Events:
    """The notices of a connection that matter here, in their order, and its end."""
    events: Events = asyncio.Queue()

    def notice(_request: int, code: int, _text: str, _contract: object) -> None:
        if code in NOTICES:
            events.put_nowait(code)

    ib.errorEvent += notice
    ib.disconnectedEvent += lambda: events.put_nowait(CLOSED)
    return events


async def connect(ib: ib_async.IB, host: str, port: int, client_id: int, events: Events) -> str:
    """Connect once; empty when the API answers, else why not."""
    try:
        await ib.connectAsync(host, port, clientId=client_id, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        while not events.empty():
            if events.get_nowait() == ID_TAKEN:
                # Never under another id: the orders of this one would be out of sight. A connection of ours that
                # broke is forgotten by the gateway within minutes.
                return f"client id {client_id} is in use"
        return f"no answer ({type(error).__name__})"
    return "" if ib.managedAccounts() else "no accounts"


async def trade(ib: ib_async.IB, strategy: Strategy, events: Events) -> str:
    """Trade until the connection is of no use any more, and return why."""
    trading = False
    if events.empty():
        # Else it is 2110 or 1100: the gateway is there, and its link to IBKR is not.
        await asyncio.wait_for(strategy.resume(ib, subscribe=True), ANSWER_SECONDS)
        trading = True
    while True:
        try:
            event = await asyncio.wait_for(events.get(), QUIET_SECONDS)
        except TimeoutError:
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), ANSWER_SECONDS)
            continue
        if event == CLOSED:
            return CLOSED_BY_GATEWAY
        if event in (LINK_LOST, LINK_DOWN):
            # The gateway repeats it.
            if trading or event == LINK_DOWN:
                strategy.pause(f"notice {event}")
            trading = False
        elif event in (LINK_BACK, LINK_BACK_DATA_LOST):
            await asyncio.wait_for(strategy.resume(ib, event == LINK_BACK_DATA_LOST), ANSWER_SECONDS)
            trading = True


async def run(host: str, port: int, client_id: int, strategy: Strategy) -> None:
    """Connect and trade, again and again, until cancelled."""
    pause, told = FIRST_PAUSE, ""
    while True:
        # A new one each time: what the old one knew of orders and positions is out of date.
        ib = ib_async.IB()
        events = listen(ib)
        try:
            why = await connect(ib, host, port, client_id, events)
            if not why:
                pause, told = FIRST_PAUSE, ""
                say("connected", client_id=client_id, accounts=len(ib.managedAccounts()))
                try:
                    why = await trade(ib, strategy, events)
                except TimeoutError:
                    why = "the API hangs"
                except ConnectionError:
                    # Of a request that was pending, when the watcher restarted a gateway that hangs for example.
                    why = CLOSED_BY_GATEWAY
                strategy.pause(why)
        finally:
            ib.disconnect()
        if why != told:
            # Once, and not each minute from Saturday to Sunday.
            say("waiting for the gateway", why=why)
            told = why
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def main() -> int:
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    settings = os.environ
    host, port = settings.get("IB_HOST", "127.0.0.1"), int(settings.get("IB_PORT", "4002"))
    try:
        await run(host, port, int(settings.get("IB_CLIENT_ID", "31")), Strategy())
    except asyncio.CancelledError:
        say("told to stop")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
