# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m ibgw_standin.relay``: acts like the image's socat, for tests without one.

It listens before the gateway does, accepts everybody, and only then connects: a client cannot distinguish a closed
port, a closed connection and a reset, because all of them arrive as an end of file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

LINGER_SECONDS = 0.5
"""How long one direction may go on after the other one has ended (socat's -t)."""


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    with contextlib.suppress(OSError):
        far_reader, far_writer = await asyncio.open_connection(host, port)
        both = {asyncio.create_task(_pipe(reader, far_writer)), asyncio.create_task(_pipe(far_reader, writer))}
        _, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if left:
            await asyncio.wait(left, timeout=LINGER_SECONDS)
        for task in left:
            task.cancel()
        far_writer.close()
    writer.close()


async def serve(listen: int, host: str, port: int) -> None:
    """Relay from a port of 127.0.0.1 (0 takes a free one) until cancelled."""
    server = await asyncio.start_server(lambda r, w: _relay(r, w, host, port), "127.0.0.1", listen)
    print(f"listening 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="ibgw_standin.relay", description=__doc__)
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--to", type=int, required=True, metavar="PORT")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.listen, options.host, options.to))


if __name__ == "__main__":
    main()
