# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of ibg-controller: one command a connection, and the health page."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Say = Callable[..., None]


async def serve_commands(
    log: Say, obey: Callable[[str], Awaitable[str]], stop: Callable[[], None], environment: Mapping[str, str]
) -> None:
    """Listen where CONTROLLER_COMMAND_SERVER_PORT says; *stop* is what STOP does behind its answer.

    With CONTROLLER_COMMAND_SERVER_AUTH_TOKEN a line ``AUTH TOKEN`` stands before the command.
    """
    port = environment.get("CONTROLLER_COMMAND_SERVER_PORT", "")
    token = environment.get("CONTROLLER_COMMAND_SERVER_AUTH_TOKEN", "")
    if not port:
        log("Command server: CONTROLLER_COMMAND_SERVER_PORT not set, skipping")
        return

    async def answer(peer: str, lines: list[str]) -> str:
        if token and not lines[0].upper().startswith("AUTH "):
            log(f"Command server: {peer} rejected — no AUTH line", "WARNING")
            return "ERR auth_required"
        if token and lines[0][5:] != token:
            log(f"Command server: {peer} rejected — auth failed", "WARNING")
            return "ERR auth_failed"
        log(f"Command server: {peer} sent '{lines[-1].upper()}'")
        return await obey(lines[-1].upper())

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [(await reader.readline()).decode(errors="replace").strip() for _line in range(2 if token else 1)]
        said = await answer("{}:{}".format(*writer.get_extra_info("peername")[:2]), lines)
        writer.write(f"{said}\n".encode())
        await writer.drain()
        writer.close()
        if said == "OK STOP":
            log("Command server: STOP received — initiating shutdown")
            stop()

    host = environment.get("CONTROLLER_COMMAND_SERVER_HOST") or "0.0.0.0"  # its own default
    await asyncio.start_server(hear, host, int(port))
    if token:
        log("Command server: auth token required")
    log(f"Command server: listening on {host}:{port}")


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
