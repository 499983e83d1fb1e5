"""Memory that is not what it should be: set aside by name, said, and watched on."""

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


def damage(paper: t.Any, path: str, content: str) -> None:
    paper.machine.out(f"printf '%b' '{content}' >{path} && systemctl restart --no-block ibgw-watch@paper")
    paper.machine.out("sleep 8")


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged(paper: t.Any, kind: str) -> None:
    name, content = DAMAGE[kind]
    before = paper.running()
    damage(paper, f"{SESSION}/{name}", content)
    assert (paper.watcher("NRestarts"), paper.watcher("ActiveState")) == ("0", "active")
    assert paper.until(lambda record: record["state"] == "ready", 20)["gateway"] == "paper"
    for command in ("status", "history"):
        done = paper.machine.run(f"ibgwctl {command} paper --json", paper.LONGEST_LOOK)
        assert (done.rc, "Traceback" in done.stderr, bool(json.loads(done.stdout))) == (0, False, True)
    assert paper.running() == before


@pytest.mark.parametrize("kind", PLANS)
def test_damaged_settings(paper: t.Any, kind: str) -> None:
    """What root wrote and cannot be read: a state and an alert, and no watcher that dies of it for ever."""
    name, content = PLANS[kind]
    before, told = paper.running(), len(paper.machine.alerts())
    damage(paper, f"{DEPLOYED}/{name}", content)
    assert (paper.watcher("NRestarts"), paper.watcher("ActiveState")) == ("0", "active")
    done = paper.machine.run("ibgwctl status paper --json", paper.LONGEST_LOOK)
    assert "Traceback" not in done.stderr
    assert done.rc != 0
    assert name in done.stdout
    assert [each for each in paper.machine.alerts(told) if each["gateway"] == "paper"]
    assert paper.running() == before
