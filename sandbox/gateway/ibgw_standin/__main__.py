# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m ibgw_standin``: the TWS API alone, ready at once, for tests of anything that speaks it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping
from typing import Any

from . import faults
from .commands import gateway_commands, version
from .control import ControlServer, Reply
from .gateway import PORTS, Gateway
from .server import ApiServer


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="ibgw_standin", description=__doc__)
    parser.add_argument("--mode", choices=PORTS, default="paper")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="0 takes a free one (default: 4001 live, 4002 paper)")
    parser.add_argument("--control", metavar="PATH", help="unix socket for standin-ctl")
    parser.add_argument("--max-version", type=version, default=225, help="157 to 225 (default)")
    parser.add_argument("--accounts", default="", help="separated by commas")
    parser.add_argument("--time-zone", default="", help="of the connection time, as Europe/Zurich")
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="may be given several times")
    parser.add_argument("--no-delays", action="store_true", help="answer as fast as possible")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    gateway = Gateway(
        options.mode,
        accounts=[name for name in options.accounts.split(",") if name],
        max_version=options.max_version,
        time_zone=options.time_zone,
        read_only=options.read_only,
        active=faults.parse_list(" ".join(options.fault)),
    )
    gateway.realistic_delays = not options.no_delays
    server = ApiServer(gateway, options.host, PORTS[options.mode] if options.port is None else options.port)
    loop = asyncio.get_running_loop()

    def restart(request: Mapping[str, Any]) -> Reply:
        """Close the port for a few seconds, as a restart of the gateway does; paper asks for its disclaimer again."""
        gateway.update(logged_in=False, disclaimer_open=options.mode == "paper")
        closed, asking = float(request.get("seconds", 0.5)), float(request.get("disclaimer_seconds", 0.3))
        loop.call_later(closed, lambda: gateway.update(logged_in=True))
        loop.call_later(closed + asking, lambda: gateway.update(disclaimer_open=False))
        return {}

    control = None
    if options.control:
        control = ControlServer(options.control, gateway_commands(gateway, server) | {"restart": restart})
        await control.start()
    gateway.update(logged_in=True)
    print(f"listening {server.host}:{server.port}", flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    server.close()
    if control is not None:
        control.close()


def main() -> None:
    """Run the program."""
    try:
        options = parse(sys.argv[1:])
        asyncio.run(serve(options))
    except (OSError, faults.UnknownFault) as error:
        sys.exit(f"ibgw_standin: {error}")


if __name__ == "__main__":
    main()
