"""The real Prometheus fires and resolves the rules that no fault of test_observability.py is made for.

The watcher is stopped, and its file has other samples: that the faults write such samples, promtool proves over a
driven watcher (tests/unit).
"""

from __future__ import annotations

import base64
import re
import time
import typing as t

import pytest
from testinfra.host import Host
from tests.role_values import value
from tests.sandbox.prometheus import Prometheus

DAY = 86400
FILE = "/var/lib/prometheus/node-exporter/ibgw_live.prom"
WATCHER = "ibgw-watch@live"
NOT_READY = {'state{state="ready"}': 0.0, 'state{state="stopped"}': 1.0}
# Of each rule the samples, by the metric's name without its prefix and the label that they have beside the gateway's;
# a time is given in seconds from now.
SAMPLES: dict[str, dict[str, float]] = {
    "GatewayNotReadyInSession": {"window_open": 1.0, **NOT_READY},
    "GatewaySignInDue": {"sign_in_due_timestamp_seconds": 3600.0, "valid_until_timestamp_seconds": 60.0},
    "GatewaySignInOverdue": {"sign_in_due_timestamp_seconds": -60.0, "healthy": 0.0, **NOT_READY},
    "GatewayReleaseEnding": {"release_ending": 1.0, "release_accepted_until_timestamp_seconds": 9.0 * DAY},
    "GatewayReleaseEnds": {"release_ending": 1.0, "release_accepted_until_timestamp_seconds": 6.0 * DAY},
    "GatewayCertificateEnding": {'certificate_end_timestamp_seconds{certificate="server"}': 20.0 * DAY},
    "GatewayCertificateEnds": {'certificate_end_timestamp_seconds{certificate="server"}': 6.0 * DAY},
    "GatewayDiskFilling": {'disk_free_ratio{filesystem="root"}': 0.09},
    "GatewayDiskFull": {'disk_free_ratio{filesystem="root"}': 0.04},
    "GatewayClockWrong": {"clock_skew_seconds": -6.0},
    "GatewayAlertsStuck": {"alerts_waiting": 1.0},
}
# These count over a quarter of an hour, and resolve no sooner.
COUNTED: dict[str, tuple[str, float]] = {
    "GatewayLooksFail": ("looks_failed_total", 4.0),
    "GatewayHeartbeatFails": ("heartbeats_failed_total", 5.0),
}
# The scenario has it wait for an hour, since its own tests restart the watcher.
PENDING = "GatewayWatcherRestarts"
# By the faults of test_observability.py.
ELSEWHERE = {
    *("GatewayDegraded", "GatewayBlocked", "GatewayEngineDown", "GatewayNotWatched", "GatewayMissing"),
    *("GatewayTextfileFails", "GatewayNotScraped", "Watchdog"),
}


class Samples:
    """The watcher's file, without the watcher."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.lines = host.file(FILE).content_string.splitlines()

    def write(self, **changed: float) -> None:
        """Write the watcher's samples, these changed or added, and a look that is as recent as can be."""
        now = time.time()
        wanted = {"last_look_timestamp_seconds": 600.0, **changed}
        samples = {_sample(key): seconds + now if "_timestamp_" in key else seconds for key, seconds in wanted.items()}
        kept = [line for line in self.lines if line.rpartition(" ")[0] not in samples]
        text = "\n".join([*kept, *(f"{name} {number}" for name, number in samples.items()), ""])
        encoded = base64.b64encode(text.encode()).decode()
        self.host.check_output(f"echo {encoded} | base64 -d >{FILE}.new && mv {FILE}.new {FILE}")


def _sample(key: str) -> str:
    name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", key).groups()  # type: ignore[union-attr]
    return f'ibgw_{name}{{gateway="live"{"," + labels if labels else ""}}}'


@pytest.fixture(scope="module")
def samples(host: Host, prometheus: Prometheus) -> t.Iterator[Samples]:
    prometheus.until(seconds=60)
    host.check_output(f"systemctl stop {WATCHER}")
    yield Samples(host)
    host.check_output(f"systemctl start {WATCHER}")


@pytest.mark.parametrize("alert", SAMPLES)
def test_it_fires_and_resolves(alert: str, samples: Samples, prometheus: Prometheus) -> None:
    samples.write(**SAMPLES[alert])
    prometheus.until(alert)
    samples.write()
    prometheus.until()


def test_what_is_counted_fires(samples: Samples, prometheus: Prometheus) -> None:
    for start, counted in enumerate(({}, {}, {}, dict(COUNTED.values()))):
        samples.write(watcher_start_timestamp_seconds=float(start), **counted)
        time.sleep(3)  # a few scrapes
    prometheus.until(*COUNTED)
    assert PENDING in prometheus.alerts("pending")


def test_no_rule_is_left_out() -> None:
    rules = {each["alert"] for each in value("observability", "__observability_rules")}
    assert rules == {*SAMPLES, *COUNTED, PENDING, *ELSEWHERE}
