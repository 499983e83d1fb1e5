# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The heartbeat: while all is well, the watcher calls a dead man's switch, a service that alarms when calls stop.

So a lost host, a hung watcher, a full disk or a dead network is reported by somebody else. The call follows a look that
found no fault, never a timer of its own, and runs in a thread, so that a service that drips its answer delays no look.
The URL is a secret: no message of this module contains it.
"""

from __future__ import annotations

import json
import os
import threading
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import bounds, playbooks, record_file
from ..problem import Problem, table
from . import alerts, descriptor

METHODS = ("POST", "GET")
# Bounds of the seconds between calls: the shortest period of common services, and the longest that alarms within
# minutes.
EVERY = (60, 3600)
# Limit for one call, name resolution included.
CALL_SECONDS = 10.0
# From a failed call to the next.
RETRY_SECONDS = 30.0
SCHEMA = 1

_problem = table(
    {
        "heartbeat-url-missing": ("missing", "set it to the URL that the service gives, or take session_heartbeat out"),
        "heartbeat-not-https": (
            "not https, so whoever reads it on the way could keep the switch quiet",
            "use a URL that begins with https://",
        ),
        "heartbeat-faster-than-looks": (
            "less than session_interval, and it is called after a look only",
            "set it to {interval} or more, or session_interval to less",
        ),
    }
)


@dataclass(frozen=True)
class Settings:
    """``heartbeat.json``: the URL, the interval in seconds, and the method."""

    url: str
    every: int = EVERY[0]
    method: str = METHODS[0]


def path(name: str) -> str:
    return os.path.join(descriptor.ROOT, name, "heartbeat.json")


def problems(given: Mapping[str, t.Any], interval: object) -> list[Problem]:
    """Return every problem of ``session_heartbeat``; *interval* is ``session_interval``."""
    if not given:
        return []
    variable = "session_heartbeat"
    found = []
    url = str(given.get("url") or "")
    if not url:
        found.append(_problem("heartbeat-url-missing", f"{variable}.url"))
    elif not alerts.safe(url):
        found.append(_problem("heartbeat-not-https", f"{variable}.url"))
    every, shortest = given.get("every", EVERY[0]), bounds.whole(interval) or 0
    if wrong := bounds.problem(f"{variable}.every", every, EVERY):
        found.append(wrong)
    elif (bounds.whole(every) or 0) < shortest:
        found.append(_problem("heartbeat-faster-than-looks", f"{variable}.every", every, interval=shortest))
    return found


def load(name: str) -> Settings | None:
    """Return the settings of gateway *name*, None where it has no heartbeat. Raises OSError and DamagedError."""
    try:
        found = record_file.load(Settings, path(name))
    except FileNotFoundError:
        return None
    if not alerts.safe(found.url) or found.method not in METHODS or not EVERY[0] <= found.every <= EVERY[1]:
        raise record_file.DamagedError("it has a URL, a method or a time that cannot be used")
    return found


class Heartbeat:
    """The calls for gateway *name*; *clock* is monotonic, *now* gives epoch seconds.

    ``sent`` and ``failed`` count them, ``last`` is the last success (epoch seconds, 0: never), ``fault`` why the last
    call failed, without the URL.
    """

    def __init__(
        self, name: str, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self._name, self._clock, self._now = name, clock, now
        self._called_at = float("-inf")
        self._call: threading.Thread | None = None
        self.sent = self.failed = 0
        self.last, self.fault = 0.0, ""

    def beat(self, body: Mapping[str, t.Any]) -> None:
        """Call with *body* if it is due; returns at once. No second call starts before the first has ended."""
        if self._call is not None and self._call.is_alive():
            return
        try:
            settings = load(self._name)
        except (OSError, ValueError) as error:
            self.fault = f"heartbeat.json cannot be used ({type(error).__name__}): run {playbooks.SITE} to rewrite it"
            return
        if settings is None:
            return
        # Looks may be seconds early, and come many times a second while a gateway starts.
        rest = min(settings.every, RETRY_SECONDS) if self.fault else settings.every
        if self._clock() - self._called_at < rest - 1:
            return
        self._called_at = self._clock()
        content = json.dumps({"schema": SCHEMA, **body}).encode()
        self._call = threading.Thread(target=self._send, args=(settings, content), daemon=True)
        self._call.start()

    def wait(self, seconds: float) -> None:
        """Wait until the current call has ended."""
        if self._call is not None:
            self._call.join(seconds)

    def _send(self, settings: Settings, content: bytes) -> None:
        from .. import bounded_http  # only where there is a heartbeat

        body = content if settings.method == "POST" else None
        headers = {"Content-Type": "application/json", "User-Agent": "ibops.gateway"}
        try:
            # Redirects are not followed: they could pass the secret URL on.
            status, _answer = bounded_http.request(settings.method, settings.url, CALL_SECONDS, headers, body)
            fault = "" if 200 <= status < 300 else f"HTTP status {status}"
        except TimeoutError:
            fault = "it did not answer in time"
        except Exception as error:  # the text may contain the URL; the type does not
            fault = type(error).__name__
        self.fault = fault
        if fault:
            self.failed += 1
        else:
            self.sent, self.last = self.sent + 1, self._now()
