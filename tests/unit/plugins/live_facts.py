"""Made-up facts of live and paper gateways, as module gateway_health returns them."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from zoneinfo import ZoneInfo

import jinja2
import yaml
from tests.lint.files import ROOT

from ansible_collections.ibops.gateway.plugins.module_utils.agent import releases
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy

NEW_YORK = ZoneInfo("America/New_York")
DIGEST = "ghcr.io/gnzsnz/ib-gateway@sha256:" + "0123456789ab" + "0" * 52
PLAYBOOK: dict[str, t.Any] = yaml.safe_load((ROOT / "playbooks/live_check.yml").read_text())[-1]


def thresholds(**changes: object) -> dict[str, t.Any]:
    """The playbook's own defaults."""
    written = PLAYBOOK["vars"]["__live_check_thresholds"]
    found = {name: re.search(r"default\((\w+)\)", value) for name, value in written.items()}
    return {name: yaml.safe_load(match[1]) for name, match in found.items() if match} | changes


def at(day: int, clock: str) -> float:
    """A moment of November 2026, New York time; Sunday is the 22nd."""
    return datetime.fromisoformat(f"2026-11-{day:02d}T{clock}").replace(tzinfo=NEW_YORK).timestamp()


NOW = at(27, "10:00:00")


def event(day: int, clock: str, name: str, text: str = "", **more: str) -> dict[str, t.Any]:
    return {"at": at(day, clock), "event": name, "text": text, **more}


def state(day: int, clock: str, name: str) -> dict[str, t.Any]:
    return event(day, clock, "state", f"it is {name}", state=name)


def daily_restarts(*days: int) -> list[dict[str, t.Any]]:
    return [each for day in days for each in (state(day, "22:00:05", "starting"), state(day, "22:01:20", "ready"))]


GOOD_EVENTS = [
    state(19, "22:01:20", "ready"),
    *daily_restarts(20),
    event(21, "23:30:02", "stop", "IBKR's week is over: the sign-in is void from Sunday 01:00"),
    state(21, "23:30:40", "stopped"),
    event(22, "09:11:20", "start", "started by the operator"),
    state(22, "09:11:25", "waiting_2fa"),
    event(22, "09:12:00", "sign_in", "signed in", by="the operator"),
    state(22, "09:12:00", "ready"),
    *daily_restarts(22, 23, 24, 25, 26),
]
BAD_EVENTS = [
    state(19, "22:01:20", "ready"),
    event(21, "23:30:02", "stop", "IBKR's week is over: the sign-in is void from Sunday 01:00"),
    state(21, "23:30:40", "stopped"),
    event(22, "13:00:00", "start", "started by the operator"),
    state(22, "13:00:20", "waiting_2fa"),
    event(22, "13:09:40", "blocked", "no push was approved within the bounds of the sign-in", cause="push_missed"),
    event(22, "16:20:00", "start", "started by the operator"),
    event(22, "16:21:00", "sign_in", "signed in", by="the operator"),
    state(22, "16:21:00", "ready"),
    *daily_restarts(22, 23),
    state(24, "10:05:00", "degraded"),
    event(24, "11:07:00", "restart", "the API has hung for 2 looks in a row"),
    state(24, "11:07:05", "starting"),
    state(24, "11:08:30", "ready"),
    *daily_restarts(24),
    state(25, "14:31:00", "degraded"),
    state(25, "19:40:00", "ready"),
    event(26, "03:12:44", "none", "the live gateway is down, and a start would send a push", cause="session_lost"),
    state(26, "03:12:44", "blocked"),
]


def unit(name: str, active: str = "active", **more: t.Any) -> dict[str, t.Any]:
    base: dict[str, t.Any] = {
        "name": name,
        "load": "loaded",
        "enabled": "enabled",
        "active": active,
        "sub": "running",
        "result": "success",
        "restarts": 0,
        "up_seconds": 86400.0,
    }
    return {**base, "next": "Fri 2026-11-27 05:40:34 UTC" if name.endswith(".timer") else "", **more}


def disk(percent: float, path: str = "/", **more: t.Any) -> dict[str, t.Any]:
    total = 20 << 30
    base = {"path": path, "total": total, "free": round(total * percent / 100), "free_percent": percent}
    return {**base, "inodes_percent": 91.0, "reason": None, **more}


def certificate(days: float | None, reason: str | None = None) -> dict[str, t.Any]:
    return {"path": "/etc/ibgw/live/tls/server.crt", "days_left": days, "ends_at": 0.0, "reason": reason}


def ends(release: str | None, announced: str | None = None) -> dict[str, t.Any]:
    """Until when IBKR accepts a release, at the moment of these facts."""
    return releases.outlook(release, announced, NOW)._asdict()


def changed(facts: dict[str, t.Any], changes: dict[str, t.Any]) -> dict[str, t.Any]:
    """The facts with others in their places; of a dict, only the named parts are others."""
    for name, value in changes.items():
        old = facts.get(name)
        facts[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return facts


def merged(facts: dict[str, t.Any], changes: dict[str, t.Any]) -> dict[str, t.Any]:
    """The facts with each change in place of a fact, or of the named parts of one that is a dict."""
    parts = {name for name, value in changes.items() if isinstance(value, dict) and isinstance(facts.get(name), dict)}
    return {**facts, **changes, **{name: {**facts[name], **changes[name]} for name in parts}}


SECRET = {"path": "/etc/ibgw/paper/password", "age_days": 30.0, "mode": "0600", "owner": "root"}


def live(**changes: t.Any) -> dict[str, t.Any]:
    """A live gateway in a good week; each change replaces a fact, or the named parts of one that is a dict."""
    facts: dict[str, t.Any] = {
        "deployed": True,
        "gateway_name": "live",
        "mode": "live",
        "checked_at": NOW,
        "look": {
            "state": "ready",
            "api_state": "ready",
            "reason": "the API answers, the accounts fit and nothing is reported broken",
            "next_step": "Connect.",
            "accounts": ["U***67"],
            "account_count": 1,
            "pending": False,
            "clock_skew": 0.4,
            "container": {"name": "ibgw-live", "exists": True, "running": True, "image": DIGEST},
            "milestones": {"controller": "ibc", "controller_version": "3.24.2", "gateway_version": "10.50.1d"},
            "release": ends("10.50.1d"),
        },
        "accounts": {"fit": True, "allowed": 1, "served": 1, "reason": None},
        "session": {
            "state": "ready",
            "since": at(26, "22:01:20"),
            "signed_in_at": at(22, "09:12:00"),
            "valid_until": at(29, "01:00:00"),
            "sign_in_due": at(29, "17:00:00"),
            "blocked": None,
            "stopped_by": "",
            "week": "valid",
            "late_seconds": 0.0,
            "stale_seconds": 21.0,
            "reset_until": None,
            "window": None,
            "next_window": None,
            "plan": {"interval": 60, "sign_in_deadline": "17:00", "weekly_close": True, "sessions": 0},
            "reason": None,
        },
        "history": {"events": GOOD_EVENTS, "reason": None},
        "image": {"wanted": DIGEST, "running": DIGEST, "pinned": True, "same": True, "present": True, "reason": None},
        "log": {"bytes": 1 << 20, "files": 1, "since": at(22, "09:11:20"), "bytes_per_day": 1 << 18, "reason": None},
        "restarts": {"jvm_runs": 6, "by_docker": 0, "started_at": at(22, "09:11:20"), "up_days": 5.03, "reason": None},
        "clock": {"synchronised": True, "service": True, "container": False, "reason": None},
        "disks": [disk(60.0)],
        "units": {
            "units": [
                unit("ibgw-watch@live.service"),
                unit("apt-daily.timer"),
                unit("apt-daily-upgrade.timer"),
                unit("docker.service"),
            ],
            "reason": None,
        },
        "secret": {**SECRET, "source": None, "exposed": False, "reason": None},
        "certificates": [],
        "client": {"installed": True, "python": "/opt/ibgw/client/bin/python"},
    }
    return merged(facts, changes)


def down(
    state: str = "stopped", reason: str = "its container has exited with code 0 (a clean close)"
) -> dict[str, t.Any]:
    """The look at a gateway whose container does not run."""
    return {
        "state": state,
        "api_state": None,
        "reason": reason,
        "next_step": "Start it.",
        "accounts": [],
        "account_count": None,
        "clock_skew": None,
        "container": {"name": "ibgw-live", "exists": True, "running": False, "image": DIGEST},
    }


def bad() -> dict[str, t.Any]:
    """A live gateway in a bad week."""
    look = down("blocked", "the live gateway is down, and a start would send a push to somebody's phone")
    facts = live(
        look={**look, "next_step": policy.SIGN_IN_STEP},
        accounts={"fit": None, "served": None, "reason": "the API named no account"},
        session={
            "state": "blocked",
            "since": at(26, "03:12:44"),
            "signed_in_at": at(22, "16:21:00"),
            "valid_until": None,
            "blocked": "session_lost",
            "week": "overdue",
        },
        history={"events": BAD_EVENTS},
        image={"running": DIGEST.replace("0123456789ab", "ba9876543210"), "same": False},
        log={"bytes": 49 << 20, "files": 5, "bytes_per_day": 230 << 20},
        clock={"synchronised": False, "service": True},
        secret={"age_days": 214.0},
    )
    facts["disks"] = [disk(4.2), disk(12.5, "/var/lib/docker")]
    facts["certificates"] = [certificate(11.4)]
    facts["units"]["units"][0]["active"] = "failed"
    facts["units"]["units"][2]["active"] = "inactive"
    return facts


def paper(**changes: t.Any) -> dict[str, t.Any]:
    """A paper gateway between two sessions."""
    facts = live(
        gateway_name="paper",
        mode="paper",
        look=down(),
        session={
            "state": "stopped",
            "since": at(27, "09:50:00"),
            "signed_in_at": None,
            "valid_until": None,
            "stopped_by": "the plan",
            "week": None,
            "next_window": {"name": "open", "start": at(30, "09:20:00"), "end": at(30, "10:50:00")},
        },
        accounts={"fit": None, "served": None, "reason": "the API named no account"},
    )
    facts["units"]["units"][0]["name"] = "ibgw-watch@paper.service"
    return merged(facts, changes)


def client(*failed: str) -> dict[str, t.Any]:
    """Return the deep check's result, with the steps that failed."""
    names = ("connect", "current_time", "accounts", "positions", "account_summary", "contract")
    steps = [{"name": name, "ok": name not in failed, "elapsed": 12.0, "detail": f"of {name}"} for name in names]
    return {"steps": steps, "client": "ib_async 2.1.0, Python 3.13.5"}


NO_DRIFT: dict[str, t.Any] = {"ran": True, "changes": [], "failed": [], "reason": None}


def page(report: dict[str, t.Any]) -> str:
    """The page as the playbook writes it."""
    loader = jinja2.FileSystemLoader(ROOT / "playbooks/templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("live_check.html.j2").render(live_check_report=report)
