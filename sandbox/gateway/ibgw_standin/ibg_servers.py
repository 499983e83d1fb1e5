# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of ibg-controller: one command a connection, and the health page."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

Say = Callable[..., None]
# The command port reads so many bytes at most, and waits so many seconds for more.
MOST, PATIENCE = 1024, 5.0


async def serve_commands(
    log: Say, obey: Callable[[str], Awaitable[str]], stop: Callable[[], None], environment: Mapping[str, str]
) -> asyncio.Task[None] | None:
    """Listen where CONTROLLER_COMMAND_SERVER_PORT says; *stop* is what STOP does behind its answer.

    One connection is served at a time, the others wait. With CONTROLLER_COMMAND_SERVER_AUTH_TOKEN a line ``AUTH TOKEN``
    stands before the command. An exception of *obey* ends the task, and nothing is served any more.
    """
    port = environment.get("CONTROLLER_COMMAND_SERVER_PORT", "")
    token = environment.get("CONTROLLER_COMMAND_SERVER_AUTH_TOKEN", "")
    if not port:
        log("Command server: CONTROLLER_COMMAND_SERVER_PORT not set, skipping")
        return None
    waiting: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def answer(peer: str, lines: list[str]) -> str:
        if token and not lines[0].upper().startswith("AUTH "):
            log(f"Command server: {peer} rejected — no AUTH line", "WARNING")
            return "ERR auth_required"
        if token and lines[0][5:].strip() != token:
            log(f"Command server: {peer} rejected — auth failed", "WARNING")
            return "ERR auth_failed"
        if token and len(lines) < 2:
            return "ERR empty_command"
        command = lines[1 if token else 0].strip().upper()
        log(f"Command server: {peer} sent {command!r}")
        return await obey(command)

    async def serve() -> None:
        while True:
            reader, writer = await waiting.get()
            try:
                lines = await _lines(reader, 2 if token else 1)
                said = await answer("{}:{}".format(*writer.get_extra_info("peername")[:2]), lines)
                writer.write(f"{said}\n".encode())
                with suppress(OSError):
                    await writer.drain()
            except OSError as error:
                log(f"Command server: handler error: {type(error).__name__}: {error}", "WARNING")
                continue
            finally:
                writer.close()
            if said == "OK STOP":
                log("Command server: STOP received — initiating shutdown")
                stop()

    host = environment.get("CONTROLLER_COMMAND_SERVER_HOST") or "0.0.0.0"  # its own default
    await asyncio.start_server(lambda *each: waiting.put_nowait(each), host, int(port))
    if token:
        log("Command server: auth token required")
    log(f"Command server: listening on {host}:{port}")
    return asyncio.create_task(serve())


async def _lines(reader: asyncio.StreamReader, count: int) -> list[str]:
    """Read so many lines, or fewer when the client has ended or has sent too much; OSError."""
    data = b""
    while data.count(b"\n") < count and len(data) < MOST:
        try:
            more = await asyncio.wait_for(reader.read(256), PATIENCE)
        except TimeoutError:
            raise TimeoutError("timed out") from None
        if not more:
            break
        data += more
    return data.decode(errors="replace").splitlines() or [""]


async def serve_health(
    log: Say, snapshot: Callable[[], dict[str, Any]], environment: Mapping[str, str] = os.environ
) -> None:
    """Serve /health, which is 200 where the snapshot's status is healthy, and /ready, which always is."""
    port = environment.get("CONTROLLER_HEALTH_SERVER_PORT", "")
    if not port:
        log("Health server: CONTROLLER_HEALTH_SERVER_PORT not set, skipping")
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).decode(errors="replace").split(" ")[1:2]
        health = snapshot()
        code, body = {
            "/health": (
                "200 OK" if health["status"] == "healthy" else "503 Service Unavailable", json.dumps(health)
            ),
            "/ready": ("200 OK", '{"status":"up"}'),
        }.get("".join(path), ("404 Not Found", '{"error":"not_found"}'))  # fmt: skip
        writer.write(f"HTTP/1.0 {code}\r\nContent-Type: application/json\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    host = environment.get("CONTROLLER_HEALTH_SERVER_HOST") or "0.0.0.0"  # its own default
    await asyncio.start_server(answer, host, int(port))
    log(f"Health server: listening on {host}:{port} (GET /health, /ready)")
