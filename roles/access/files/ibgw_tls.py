"""Mutual TLS to an IB Gateway for a program that speaks plain TCP, such as ib_async.

It needs Python 3.11 or newer and nothing else.

In a program:       with tunnel("gateway.example.org", 4102, "live", folder="bundle") as port:
                        ib.connect("127.0.0.1", port, clientId=1)
From a shell:       python ibgw_tls.py gateway.example.org 4102 live 4002

The third word is the gateway's name in its certificate. The way in is a port of this machine's loopback, which all of
its users can open.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path


def context(folder: str | Path) -> ssl.SSLContext:
    """TLS 1.3 with the certificate of the bundle in *folder*, and with gateways that its CA knows only."""
    made = ssl.create_default_context(cafile=str(Path(folder, "ca.crt")))
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(Path(folder, "client.crt"), Path(folder, "client.key"))
    return made


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def listen(host: str, port: int, name: str, folder: str | Path, local_port: int = 0) -> asyncio.Server:
    """Serve a port of the loopback (0: a free one); each connection to it is one to the gateway."""
    tls = context(folder)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
        except OSError as fault:
            print(f"ibgw_tls: {host}:{port}: {fault}", file=sys.stderr)
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return await asyncio.start_server(carry, "127.0.0.1", local_port)


@contextlib.contextmanager
def tunnel(host: str, port: int, name: str, folder: str | Path = ".") -> Iterator[int]:
    """A port of the loopback that leads to the gateway, for the length of a ``with`` block."""
    started = Future[tuple[int, Callable[[], object]]]()

    async def serve() -> None:
        stop = asyncio.Event()
        try:
            server = await listen(host, port, name, folder)
        except Exception as fault:
            started.set_exception(fault)
            return
        stopper = partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)
        started.set_result((server.sockets[0].getsockname()[1], stopper))
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    local_port, stop = started.result()
    try:
        yield local_port
    finally:
        stop()
        thread.join()


async def main(host: str, port: str, name: str, local_port: str) -> None:
    server = await listen(host, int(port), name, Path(__file__).parent, int(local_port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
