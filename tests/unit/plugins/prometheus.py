# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' own programs, and the collection's rules evaluated by them over what a watcher has told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.plugins import exposition

from ansible_collections.ibops.gateway.plugins.filter.prometheus import prometheus_rules

ROOT = Path(__file__).parents[3]
RULES: dict[str, Any] = yaml.safe_load((ROOT / "roles/observability/vars/main/rules.yml").read_text())
# Seconds between two scrapes, and between two evaluations.
STEP = 15
TARGET = "vm:9100"
Scrape = Mapping[str, float]


def debian(package: str, program: str) -> str:
    """The command of a program: what is installed, else Debian's, unpacked below .cache, so that no service starts."""
    if installed := shutil.which(program):
        return installed
    place = ROOT / ".cache" / package
    place.mkdir(parents=True, exist_ok=True)
    unpacked = place / "usr" / "bin" / program
    with (place / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # parallel test runs share it
        if not unpacked.exists():
            subprocess.run(["apt-get", "-q", "download", package], cwd=place, check=True)
            for each in place.glob("*.deb"):
                subprocess.run(["dpkg-deb", "--extract", each, place], check=True)
                each.unlink()
    return os.fspath(unpacked)


@pytest.fixture(scope="session")
def promtool() -> str:
    return debian("prometheus", "promtool")


@pytest.fixture(scope="session")
def amtool() -> str:
    return debian("prometheus-alertmanager", "amtool")


def scrape(text: str, begun: float) -> dict[str, float]:
    """The series of one scrape, as Prometheus labels them; moments are seconds from *begun*."""
    found = {series("up"): 1.0}
    for name, samples in exposition.read(text)[1].items():
        for labels, value in samples.items():
            shift = begun if name.endswith("_timestamp_seconds") else 0.0
            found[series(name, **dict(labels))] = value - shift
    return found


def series(name: str, **labels: str) -> str:
    pairs = {**labels, "instance": TARGET, "job": "ibgw"}
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in pairs.items())}}}"


class Prometheus:
    """A Prometheus with the collection's rules, whose time begins at 0, for gateway *name*."""

    def __init__(self, promtool: str, place: Path, name: str) -> None:
        self._promtool, self._place = promtool, place
        self.scrapes: list[Scrape] = []
        self._asked: list[dict[str, object]] = []
        rules = prometheus_rules(
            RULES["__observability_rules"], RULES["__observability_records"], [{"gateway": name, "target": TARGET}]
        )
        (place / "rules.yml").write_text(yaml.safe_dump(rules))

    @property
    def now(self) -> int:
        return STEP * len(self.scrapes)

    def fired(self, alerts: set[str], since: int) -> None:
        """Expect that exactly these alerts, and the watchdog, fire at any time from *since* until now."""
        self._ask(f'present_over_time(ALERTS{{alertstate="firing"}}[{self.now - since}s])', alerts)

    def fires(self, alerts: set[str]) -> None:
        """Expect that exactly these alerts, and the watchdog, fire now."""
        self._ask('ALERTS{alertstate="firing"}', alerts)

    def _ask(self, expr: str, alerts: set[str]) -> None:
        samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted({*alerts, "Watchdog"})]
        asked = {"expr": f"group by (alertname) ({expr})", "eval_time": f"{self.now - STEP}s", "exp_samples": samples}
        self._asked.append(asked)

    def judge(self) -> str:
        """Return what promtool has to say; empty where everything is as expected."""
        names = sorted({name for each in self.scrapes for name in each})
        given = [{"series": name, "values": " ".join(_values(self.scrapes, name))} for name in names]
        test = {"interval": f"{STEP}s", "input_series": given, "promql_expr_test": self._asked}
        content = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}s", "tests": [test]}
        (self._place / "test.yml").write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [self._promtool, "test", "rules", "test.yml"], cwd=self._place, capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr


def _values(scrapes: Sequence[Scrape], name: str) -> list[str]:
    """The series as promtool writes it; one that is not in a scrape is marked as Prometheus marks it."""
    found, there = [], False
    for each in scrapes:
        found.append(repr(each[name]) if name in each else "stale" if there else "_")
        there = name in each
    return found
