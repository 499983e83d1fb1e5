# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy, watching
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.plan import Plan
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.store import MANUAL, SIGN_IN, Grant, Record

HEALTHY = {
    "name": "ibgw-watch@live.service",
    "load": "loaded",
    "enabled": "enabled",
    "active": "active",
    "sub": "running",
    "result": "success",
    "next": "",
    "restarts": 0,
    "up_seconds": 5000.0,
}


@pytest.mark.parametrize(
    ("changes", "late", "said"),
    [
        ({}, 0.0, None),
        # systemd says so
        ({"active": "failed", "sub": "failed"}, 0.0, "failed"),
        ({"active": "activating", "sub": "auto-restart", "restarts": 7}, 0.0, "restarted 7 times"),
        ({"active": "inactive", "sub": "dead"}, 0.0, "inactive"),
        ({"active": "inactive", "sub": "dead", "enabled": "enabled-runtime"}, 0.0, "inactive"),
        # It is up, and was not a moment ago.
        ({"restarts": 3, "up_seconds": 1.0}, 0.0, "restarted 3 times, last 1 s ago"),
        ({"restarts": 3, "up_seconds": 599.0}, 0.0, "restarted 3 times"),
        ({"restarts": 3, "up_seconds": 600.0}, 0.0, None),
        ({"restarts": 3, "up_seconds": None}, 0.0, "restarted 3 times"),
        ({"up_seconds": 1.0}, 0.0, None),
        # It is up and does not look.
        ({}, 1.0, "1 s overdue"),
        ({}, 5000.0, None),
        # Just started by a person, it has not had the time.
        ({"up_seconds": 30.0}, 90.0, None),
        ({"up_seconds": 91.0}, 90.0, "90 s overdue"),
        # Nobody wants one.
        ({"active": "inactive", "enabled": "disabled"}, 500.0, None),
        ({"load": "not-found", "active": "inactive", "enabled": ""}, 500.0, None),
    ],
)
def test_faults(changes: dict[str, Any], late: float, said: str | None) -> None:
    found = watching.fault(HEALTHY | changes, late)
    assert (found is None) == (said is None), found
    assert (said or "") in (found or "")


def test_where_systemd_cannot_be_asked() -> None:
    assert watching.fault(None, 500.0) is None


def test_the_unit_as_systemd_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    shown = """Id=ibgw-watch@live.service
LoadState=loaded
UnitFileState=enabled
ActiveState=active
SubState=running
Result=success
NRestarts=4
ActiveEnterTimestampMonotonic=2000000
"""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        assert options["timeout"] == watching.COMMAND_SECONDS
        return subprocess.CompletedProcess(command, 0, shown, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("time.monotonic", lambda: 12.0)
    found = watching.unit("live")
    assert found == HEALTHY | {"restarts": 4, "up_seconds": 10.0}
    assert (asked[0][:2], asked[0][-1]) == (["systemctl", "show"], "ibgw-watch@live.service")
    shown = "Id=x.service\nActiveEnterTimestampMonotonic=0\n"
    assert (watching.unit("live") or {})["up_seconds"] is None


@pytest.mark.parametrize(
    "error", [FileNotFoundError(), subprocess.TimeoutExpired("systemctl", 1), subprocess.CalledProcessError(1, "s")]
)
def test_a_systemctl_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", run)
    assert watching.unit("live") is None


@pytest.mark.parametrize(
    ("interval", "ago", "grant", "late"),
    [
        (60, 0, None, 0.0),
        (60, 140, None, 0.0),
        (60, 141, None, 1.0),
        (10, 41, None, 1.0),
        (60, 500, MANUAL, 360.0),
        # During a sign-in, its actor looks instead of the watcher.
        (60, 500, SIGN_IN, 0.0),
        (60, -5, None, 0.0),
    ],
)
def test_late_is_two_intervals_and_a_look(interval: int, ago: float, grant: str | None, late: float) -> None:
    now = 10_000.0
    record = Record("live", "live", checked_at=now - ago)
    record.grant = Grant(grant, "Ann", now - 600, now + 600) if grant else None
    assert policy.late_seconds(record, Plan(interval=interval), now) == late
