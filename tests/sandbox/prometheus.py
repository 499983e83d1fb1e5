"""A real Prometheus on a machine of a scenario: its alerts and its answers."""

from __future__ import annotations

import json
import shlex
import time
import typing as t
import urllib.parse

from testinfra.host import Host


class Prometheus:
    """Asked by its API on the loopback of its machine."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def ask(self, path: str, **parameters: str | float) -> t.Any:
        url = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        code = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=5).read().decode())"
        return json.loads(self.host.check_output(f"python3 -c {shlex.quote(code)}"))["data"]

    def alerts(self, state: str) -> set[str]:
        """The names of those in a state, "pending" or "firing"."""
        return {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"] if each["state"] == state}

    def until(self, *alerts: str, seconds: float = 30) -> None:
        """Wait until exactly these alerts, and the watchdog, fire."""
        deadline = time.monotonic() + seconds
        while (found := self.alerts("firing") - {"Watchdog"}) != {*alerts}:
            assert time.monotonic() < deadline, (found, alerts)
            time.sleep(0.5)
