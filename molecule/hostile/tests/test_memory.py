"""Damaged state files: set aside by name and reported, while the watcher goes on."""

from __future__ import annotations

import json
import typing as t

import pytest

SESSION, DEPLOYED = "/var/lib/ibgw/paper/session", "/etc/ibgw/paper"
DAMAGE = {
    "state_wrong_types": (
        "state.json",
        '{"gateway": 1, "mode": [], "since": "x", "grant": null, "counts": 3, "state": {}}',
    ),
    "state_a_list": ("state.json", "[]"),
    "state_not_json": ("state.json", "\\0377\\0376\\0000"),
    "state_infinite": (
        "state.json",
        '{"gateway": "paper", "mode": "paper", "since": 1e999, "grant": null, "checked_at": NaN}',
    ),
    "history_not_utf8": ("history.jsonl", "\\0377\\0376{}\\n[1]\\n"),
    "outbox_wrong_types": ("alerts.json", '{"pending": 7, "told": [null], "channels": "x"}'),
    "outbox_not_json": ("alerts.json", "{{{{"),
}
PLANS = {
    "plan_not_json": ("session.json", "{{{{"),
    "plan_wrong_types": ("session.json", '{"interval": "soon", "paper_sessions": 4}'),
    "plan_unknown_zone": (
        "session.json",
        '{"paper_sessions": [{"name": "open", "days": ["mon"], "time": "09:30", "zone": "US/Nowhere", '
        '"lead_minutes": 10, "max_minutes": 90}]}',
    ),
    "descriptor_not_json": ("gateway.json", "{{{{"),
    "descriptor_wrong_types": ("gateway.json", '{"schema": 1, "name": 3, "port": "x"}'),
}


def damage(memory: t.Any, path: str, content: str) -> float:
    """Replace a file while the watcher is away; return the machine's time of its return."""
    memory.machine.out(f"systemctl stop ibgw-watch@paper && printf '%b' '{content}' >{path}")
    memory.machine.out("systemctl start --no-block ibgw-watch@paper")
    return float(memory.machine.out("date +%s.%N"))


def lives(memory: t.Any) -> None:
    """The watcher has not been started again, and would have been by now."""
    memory.machine.out("sleep 3")
    assert (memory.watcher("NRestarts"), memory.watcher("ActiveState")) == ("0", "active")


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged(memory: t.Any, kind: str) -> None:
    name, content = DAMAGE[kind]
    before = memory.running()
    since = damage(memory, f"{SESSION}/{name}", content)
    lives(memory)
    memory.until(lambda record: record["state"] == "ready" and record["checked_at"] > since, 15)
    for command in ("status", "history"):
        done = memory.machine.run(f"ibgwctl {command} paper --json", memory.LONGEST_LOOK)
        assert (done.rc, "Traceback" in done.stderr, bool(json.loads(done.stdout))) == (0, False, True)
    assert memory.running() == before


@pytest.mark.parametrize("kind", PLANS)
def test_damaged_settings(memory: t.Any, kind: str) -> None:
    """Unreadable settings give a state and an alert; the watcher lives on."""
    name, content = PLANS[kind]
    before, told = memory.running(), len(memory.machine.alerts())
    damage(memory, f"{DEPLOYED}/{name}", content)
    lives(memory)
    done = memory.machine.run("ibgwctl status paper --json", memory.LONGEST_LOOK)
    assert "Traceback" not in done.stderr
    assert done.rc != 0
    assert name in done.stdout
    assert [each for each in memory.machine.alerts(told) if each["gateway"] == "paper"]
    assert memory.running() == before
