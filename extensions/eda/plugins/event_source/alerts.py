# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Event source of ansible-rulebook: the alerts that watchers send to a channel of kind webhook."""

from __future__ import annotations

DOCUMENTATION = r"""
---
short_description: Receive the alerts of gateways
description:
  - Listens for what watchers send to a channel of kind V(webhook), at C(/alerts). docs/how-to/alerts.md describes it.
  - An alert becomes an event with C(kind), C(about), C(gateway), C(host), C(severity), C(title), C(text),
    C(next_step) and C(at). The key V(state/blocked) is the kind V(state) about V(blocked).
  - Actions are limited to the gateway's host, by C(meta.hosts). An alert of a gateway whose settings cannot be read
    has no host, and its actions no limit.
  - What is refused has a status of 4xx, which the watcher shows. Where the rules are busy, the status is 503, and the
    watcher sends the alert again.
requirements:
  - Python 3.11 or later, and the collection on the control node as it was installed
options:
  token:
    description: "What the watcher sends as C(Authorization: Bearer ...), at least 16 characters."
    type: str
    required: true
  host:
    description: The address to listen at.
    type: str
    default: 127.0.0.1
  port:
    description: The port to listen at.
    type: int
    default: 8443
  certfile:
    description: The certificate with its chain, in PEM, which the gateways' hosts have to trust.
    type: path
  keyfile:
    description: The key of O(certfile); needed with it.
    type: path
  behind_tls_proxy:
    description:
      - Listen without TLS at another address than this machine's own, because a proxy in front has it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Take the alerts
  ibops.gateway.alerts:
    host: 0.0.0.0
    certfile: /etc/ibgw-events/fullchain.pem
    keyfile: /etc/ibgw-events/key.pem
    token: "{{ ALERTS_TOKEN }}"
"""

import asyncio
import hmac
import ipaddress
import logging
import re
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

# ansible-rulebook runs this file by its path, and has no collections on Python's path.
sys.path.append(str(Path(__file__).absolute().parents[7]))

from ansible_collections.ibops.gateway.plugins.module_utils.agent import record_file
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.channel_kinds import (
    ALERT_KINDS,
    SCHEMA,
    SEVERITIES,
    Alert,
)
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable

OPTIONS = {"token", "host", "port", "certfile", "keyfile", "behind_tls_proxy"}
TOKEN_CHARACTERS = 16
BODY_BYTES = 1 << 16
BODY_SECONDS = 10.0
# Less than a watcher waits for an answer.
QUEUE_SECONDS = 5.0
# A refused body is read on for so long, that its sender sees the status.
LINGER_SECONDS = 1.0
# Behind --limit it is one host and nothing else.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
TEXT_CHARACTERS = {"about": 200, "title": 300, "text": 2000, "next_step": 1000}

Event = dict[str, Any]
logger = logging.getLogger("ibops.gateway.alerts")


@dataclass(frozen=True)
class Settings:
    """Where to listen, with what certificate (None: without TLS), and the token to expect."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    token: bytes


def settings(args: dict[str, Any]) -> Settings:
    """Return the checked options; ValueError names the first that cannot work, and shows no value."""
    if unknown := sorted(args.keys() - OPTIONS):
        raise ValueError(f"unknown option {printable(unknown[0])}: use {', '.join(sorted(OPTIONS))}")
    token = args.get("token")
    # ansible-rulebook turns a variable of digits into a number.
    if not isinstance(token, str) or len(token) < TOKEN_CHARACTERS:
        raise ValueError(
            f"token is not a text of at least {TOKEN_CHARACTERS} characters: make one by openssl rand -hex 32"
        )
    host, tls = str(args.get("host") or "127.0.0.1"), _tls(args.get("certfile"), args.get("keyfile"))
    if not tls and not args.get("behind_tls_proxy") and not _is_own(host):
        raise ValueError("token would cross the network in clear: set certfile and keyfile, or behind_tls_proxy")
    return Settings(host, int(args.get("port") or 8443), tls, token.encode())


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tls(certfile: str | None, keyfile: str | None) -> ssl.SSLContext | None:
    if not certfile and not keyfile:
        return None
    if not certfile or not keyfile:
        raise ValueError("certfile and keyfile need each other: set both, or neither")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)
    return context


def event_of(body: bytes) -> Event:
    """Return the event from a request's body; raises DamagedError, which shows no value."""
    data = record_file.parse(body)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise record_file.DamagedError(f"it is not an alert of schema {SCHEMA}")
    alert = record_file.build(Alert, data)
    kind, _slash, about = alert.key.partition("/")
    if kind not in ALERT_KINDS:
        raise record_file.DamagedError("key is of no known kind")
    if alert.severity not in SEVERITIES:
        raise record_file.DamagedError("severity is none")
    # The host of a gateway whose settings cannot be read is not known.
    for field, name in (("gateway", alert.gateway), ("host", alert.host or alert.gateway)):
        if not NAME.fullmatch(name):
            raise record_file.DamagedError(f"{field} is not a name")
    texts = {"about": about, "title": alert.title, "text": alert.text, "next_step": alert.next_step}
    event = {"kind": kind, "gateway": alert.gateway, "host": alert.host, "severity": alert.severity, "at": alert.at}
    event |= {name: harmless(text, TEXT_CHARACTERS[name]) for name, text in texts.items()}
    return event | ({"meta": {"hosts": [alert.host]}} if alert.host else {})


def harmless(text: str, limit: int) -> str:
    """Return a text in at most *limit* printable characters, without the beginning of a template.

    ansible-rulebook passes events on as extra variables, which Ansible trusts as templates.
    """
    return re.sub(r"\{(?=[{%#])", "{ ", printable(text, limit))[:limit]


class Receiver:
    """Puts the alerts of those who know *token* into *queue*."""

    def __init__(self, queue: asyncio.Queue[Any], token: bytes) -> None:
        self._queue, self._expected = queue, b"Bearer " + token

    async def take(self, request: web.Request) -> web.Response:
        """Answer one request: 202 once the rules have its alert."""
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self._expected):
            return self._refuse(request, 401, "it does not have the token")
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            return self._refuse(request, 415, "it is not plain JSON")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                event = event_of(await request.read())
        except TimeoutError:
            return self._refuse(request, 408, "its body does not come")
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(request, 413, f"it has more than {BODY_BYTES} bytes")
        except record_file.DamagedError as fault:
            return self._refuse(request, 422, str(fault))
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._queue.put(event)
        except TimeoutError:
            return self._refuse(request, 503, "the rules are busy")
        logger.info("%s/%s of %s on %s is taken", event["kind"], event["about"], event["gateway"], event["host"])
        return web.Response(status=202)

    @staticmethod
    def _refuse(request: web.Request, status: int, why: str) -> web.Response:
        logger.warning("refused what %s sent (%d): %s", request.remote, status, printable(why))
        return web.Response(status=status, text=f"{printable(why)}\n")


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Listen until cancelled; ansible-rulebook calls it."""
    wanted = settings(args)
    application = web.Application(client_max_size=BODY_BYTES)
    application.router.add_post("/alerts", Receiver(queue, wanted.token).take)
    runner = web.AppRunner(application, access_log=None, lingering_time=LINGER_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, wanted.host, wanted.port, ssl_context=wanted.tls).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
