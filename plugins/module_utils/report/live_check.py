# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the live check: facts in, rows and one sentence out. Pure; runs on the control node.

This module util is **private** to the collection: it may change at any time.
"""

from __future__ import annotations

import collections.abc as c
import math
import textwrap
import typing as t
from datetime import UTC

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks, releases
from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import health, policy, watching, week
from ansible_collections.ibops.gateway.plugins.module_utils.agent.text import printable
from ansible_collections.ibops.gateway.plugins.module_utils.report.picture import (
    KINDS,
    LIVE,
    Facts,
    lasting,
    many,
    new_york,
    picture,
    ticks,
)

OK, WARN, ACT = "ok", "warn", "act"
VERDICTS = (OK, WARN, ACT)
WIDTH = 110
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
TEXT_LIMIT = 400

Row = dict[str, str]


def row(check: str, verdict: str, text: str, next_step: str = "") -> Row:
    return {
        "check": printable(check),
        "verdict": verdict,
        "text": printable(text, TEXT_LIMIT),
        "next_step": printable(next_step, TEXT_LIMIT),
    }


def unknown(check: str, fact: Facts, next_step: str = "") -> Row:
    return row(check, WARN, f"not known: {fact.get('reason') or 'the host did not say'}", next_step)


def worst(rows: c.Iterable[Row]) -> str:
    return max((each["verdict"] for each in rows), key=VERDICTS.index, default=OK)


def size(count: float) -> str:
    for unit, factor in (("GiB", GIB), ("MiB", MIB)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count / KIB:.1f} KiB"


# The rows


class Check:
    """The rows of one host from its *facts*, the deep check, the drift and the thresholds."""

    def __init__(
        self, host: str, facts: Facts, thresholds: Facts, client: Facts | None = None, drift: Facts | None = None
    ) -> None:
        self.host, self.facts, self.client, self.drift = host, facts, client, drift
        self.watcher_wanted, self.client_wanted = bool(thresholds["watcher"]), bool(thresholds["client_check"])
        self.limits = {
            name: float(value) for name, value in thresholds.items() if name not in ("watcher", "client_check")
        }
        self.deployed = bool(facts.get("deployed"))
        self.live = facts.get("mode") == LIVE
        self.portal = facts.get("stack") == "client_portal"
        self.now = float(facts.get("checked_at") or 0.0)
        self.look: Facts = facts.get("look") or {}
        self.session: Facts = facts.get("session") or {}
        container: Facts = self.look.get("container") or {}
        self.running = bool(container.get("running"))
        self.exists = bool(container.get("exists"))
        self.resting = self._rests()

    def rows(self) -> list[Row]:
        if not self.deployed:
            return [self._absent(), *self._drift()]
        found = [each.judge(self) for each in CHECKS if each.portal or not self.portal]
        return [row for some in found for row in ([some] if isinstance(some, dict) else some)]

    def about(self) -> str:
        """Describe the checked gateway in one line."""
        if not self.deployed:
            return "no gateway was seen"
        name, mode = self._name(), str(self.facts.get("mode"))
        seen: Facts = self.look.get("milestones") or {}
        words = [f"{mode} gateway{'' if name == mode else f' {name}'}", f"checked {new_york(self.now)} New York"]
        if seen.get("gateway_version"):
            words.append(f"release {seen['gateway_version']}")
        if seen.get("controller_version"):
            words.append(f"{str(seen.get('controller')).upper()} {seen['controller_version']}")
        return printable("; ".join(words))

    def sentence(self, rows: c.Sequence[Row]) -> str:
        """The answer: until when all is well and what comes next, or what a person has to do."""
        name = self._name() if self.deployed else self.host
        to_do = [each for each in rows if each["verdict"] == ACT]
        warnings = sum(each["verdict"] == WARN for each in rows)
        more = f" ({many(warnings, 'warning')})" if warnings else ""
        if to_do:
            first = to_do[0]
            others = f" ({many(len(to_do) - 1, 'more finding')} to act on)" if len(to_do) > 1 else ""
            step = first["next_step"] or "Look at it."
            what = "" if first["check"] in ("state", "session", "gateway", "host") else f"{first['check']}: "
            return f"{name} needs a person: {what}{first['text']}{others}; next: {step}"
        if self.portal:
            return f"{name} is fine and {self.look.get('state')}{more}; its session lasts as long as it is kept"
        if self.live and self.resting:
            return f"{name} is closed for the weekend{more}; next: sign in {self._sign_in_times()}"
        if self.live:
            until = new_york(float(self.session.get("valid_until") or self.now))
            return f"{name} is fine until {until} New York{more}; next: sign in {self._sign_in_times(with_day=False)}"
        return f"{name} is fine and {self.look.get('state')}{more}; {self._paper_session()}"

    def _site(self) -> str:
        return playbooks.on_host(playbooks.SITE, self.host)

    def _absent(self) -> Row:
        facts = self.facts
        if facts.get("unreachable"):
            return row("host", ACT, "it cannot be reached", "Is the VM running? Does SSH reach it?")
        if facts.get("deployed") is False:
            return row("gateway", ACT, str(facts.get("reason")), self._site())
        return row("gateway", ACT, f"it could not be looked at: {facts.get('msg') or 'no result'}", self._site())

    def _rests(self) -> bool:
        """Whether it is rightly down: then checks that need a running gateway are not findings."""
        session = self.session
        stopped = self.look.get("state") == verdicts.STOPPED and self.exists
        by = session.get("stopped_by")
        if self.portal:
            return bool(stopped)
        if self.live:
            closed = session.get("week") == week.CLOSING and (session.get("plan") or {}).get("weekly_close")
            return bool(stopped and closed and by != policy.PAUSE)
        return bool(stopped and (by or (session.get("next_window") and not session.get("window"))))

    def _state(self) -> Row:
        look, session = self.look, self.session
        state, step = str(look.get("state")), str(look.get("next_step") or "")
        text = f"{state}: {look.get('reason')}"
        if state == verdicts.READY:
            return row("state", OK, f"ready, account {', '.join(look.get('accounts') or ['?'])}; the API answered")
        if state == verdicts.DEGRADED and session.get("reset_until"):
            until = new_york(session["reset_until"], "%H:%M")
            text += "; IBKR's servers are in their reset"
            return row("state", WARN, text, f"Look again after {until} New York time.")
        if state == verdicts.STOPPED and self.portal:
            return row("state", WARN, text, step)
        if self.exists and state == verdicts.STOPPED:
            text += f"; stopped by {session['stopped_by']}" if session.get("stopped_by") else ""
            return self._stopped(text, step)
        return row("state", WARN if state == verdicts.STARTING and not self.live else ACT, text, step)

    def _stopped(self, text: str, step: str) -> Row:
        session, name = self.session, self._name()
        if self.live:
            if self.resting:
                return row("state", WARN, "closed until IBKR's new week begins", f"Sign in {self._sign_in_times()}.")
            if session.get("stopped_by") == policy.PAUSE:
                return row("state", ACT, "paused: its sign-in is kept", f"sudo ibgwctl resume {name}")
            return row("state", ACT, text, policy.CAUSES["session_lost"].next_step)
        if self.resting:
            return row("state", OK, text)
        if window := session.get("window"):
            return row("state", ACT, f"{text}; session {window['name']} should be on", f"sudo ibgwctl start {name}")
        return row("state", ACT, text, step)

    def _name(self) -> str:
        return str(self.facts.get("gateway_name"))

    def _sign_in_times(self, with_day: bool = True) -> str:
        """The sign-in hours of the Sunday after the present sign-in's week, or of the week without one."""
        closing = self.session.get("week") == week.CLOSING
        at = policy.moment(self.session.get("valid_until") or (_new_week(self.now) if closing else self.now))
        deadline = (self.session.get("plan") or {}).get("sign_in_deadline") or week.SIGN_IN_DEADLINE
        opens = week.sign_in_opens(at)
        hours = f"between {opens:%H:%M} and {week.sign_in_deadline(at, deadline):%H:%M}"
        return f"on {opens:%A %Y-%m-%d} {hours} New York time" if with_day else hours

    def _until(self) -> list[Row]:
        session = self.session
        if session.get("reason") or not session.get("state"):
            verdict = ACT if self.live else WARN
            return [row("session", verdict, f"not known: {session.get('reason')}", self._site())]
        if not self.live:
            return [row("session", OK, self._paper_session())]
        until, signed_in = session.get("valid_until"), session.get("signed_in_at")
        if not until:
            due = "was due" if session.get("week") == week.OVERDUE else "is due"
            text = f"no valid sign-in; one {due} {self._sign_in_times()}"
            return [row("session", WARN if self.resting else ACT, text, policy.CAUSES["session_lost"].next_step)]
        since = f"signed in {new_york(signed_in, '%a %Y-%m-%d %H:%M')}, " if signed_in else ""
        left = until - self.now
        text = f"{since}valid until {new_york(until, '%a %Y-%m-%d %H:%M')} New York ({lasting(left)} left)"
        if left <= self.limits["valid_hours"] * 3600:
            return [row("session", WARN, text, f"Sign in {self._sign_in_times()}.")]
        return [row("session", OK, text)]

    def _paper_session(self) -> str:
        window, following = self.session.get("window"), self.session.get("next_window")
        if window:
            return f"session {window['name']} until {new_york(window['end'], '%a %H:%M')} New York time"
        if following:
            return f"next session {following['name']} {new_york(following['start'])} New York time"
        return "no session is planned"

    def _accounts(self) -> list[Row]:
        accounts: Facts = self.facts.get("accounts") or {}
        if self.resting:
            return []
        if accounts.get("fit") is None:
            return [unknown("accounts", accounts)]
        if not accounts["fit"]:
            return [row("accounts", ACT, str(accounts.get("reason")), str(self.look.get("next_step")))]
        served = many(int(accounts.get("served") or 0), "account")
        if accounts.get("allowed"):
            return [row("accounts", OK, f"{served}, all among the {accounts['allowed']} allowed")]
        text = f"{served}, of the right kind; any {self.facts.get('mode')} account would be accepted"
        step = "Name the allowed ones in gateway_accounts." if self.live else ""
        return [row("accounts", WARN if self.live else OK, text, step)]

    def _deep(self) -> list[Row]:
        if self.resting:
            return []
        if not (self.facts.get("client") or {}).get("installed"):
            if not self.client_wanted:
                return [row("deep check", OK, "not wanted (gateway_client_check is false)")]
            return [row("deep check", WARN, "ib_async is not installed on the host", self._site())]
        client = self.client or {}
        steps = client.get("steps") or []
        if client.get("skipped") or not client:
            return [row("deep check", WARN, "not made: the gateway is not ready")]
        failed = [f"{step['name']}: {step['detail']}" for step in steps if not step["ok"]]
        if failed or not steps:
            text = "; ".join(failed) or str(client.get("msg") or "it told nothing")
            step = playbooks.on_host(playbooks.command("client_check"), self.host)
            return [row("deep check", ACT, text, step)]
        names = ", ".join(step["name"].replace("_", " ") for step in steps)
        return [row("deep check", OK, f"{client.get('client') or 'ib_async'}: {names}")]

    def _unit(self, name: str) -> Facts | None:
        units = (self.facts.get("units") or {}).get("units") or []
        return next((unit for unit in units if unit["name"] == name), None)

    def _watcher(self) -> Row:
        if not self.watcher_wanted:
            return row("watcher", OK, "not wanted (session_watch is false)")
        name = watching.unit_name(self._name())
        units: Facts = self.facts.get("units") or {}
        if units.get("units") is None:
            return unknown("watcher", units)
        unit = self._unit(name)
        if unit is None or unit["active"] != "active":
            said = "is not installed" if unit is None or unit["load"] == "not-found" else f"is {unit['active']}"
            step = self._site() if said == "is not installed" else f"systemctl status {name}, then {self._site()}"
            return row("watcher", ACT, f"{name} {said}: nobody watches this gateway", step)
        if fault := watching.fault(unit, float(self.session.get("late_seconds") or 0.0)):
            return row("watcher", ACT, fault, f"journalctl -u {name}")
        age = self.session.get("stale_seconds")
        if age is None:
            return row("watcher", WARN, "active, but it never looked", f"journalctl -u {name}")
        if unit["enabled"] not in ("enabled", "enabled-runtime"):
            return row("watcher", WARN, "active, but not started at boot", self._site())
        return row("watcher", OK, f"active, last look {round(age)} s ago")

    def _events(self) -> list[Row]:
        history: Facts = self.facts.get("history") or {}
        if history.get("events") is None:
            return [unknown("week", history)]
        marks = ticks(self.facts)
        counts = {kind: [each for each in marks if each["kind"] == kind] for kind in KINDS}
        text = ", ".join(many(len(counts[kind]), KINDS[kind].word) for kind in KINDS)
        blocked = counts["blocked"] + counts["failed"]
        if blocked:
            last = max(blocked, key=lambda each: float(each["at"]))
            at = new_york(last["at"], "%a %H:%M")
            step = "See the picture of the week; sudo ibgwctl history " + self._name()
            return [row("week", WARN, f"{text}; last on {at}: {last['title']}", step)]
        return [row("week", OK, f"{text} in seven days")]

    def _image(self) -> Row:
        image: Facts = self.facts.get("image") or {}
        wanted = image.get("wanted")
        if not wanted:
            return unknown("image", image, self._site())
        short = str(wanted).rpartition("@sha256:")[2][:12]
        if not image.get("pinned"):
            return row("image", WARN, f"{wanted} is a tag, which may move", "Set gateway_image to a digest.")
        if image.get("same") is False:
            ran = str(image.get("running")).rpartition("@sha256:")[2][:12]
            return row("image", WARN, f"{ran} is in the container, {short} is pinned", self._applied())
        if image.get("present") is False:
            return row("image", WARN, f"{short} is not on the host", self._site())
        return row("image", OK, f"pinned to {short}{', as the container has it' if image.get('same') else ''}")

    def _release(self) -> list[Row]:
        """Until when IBKR accepts the gateway's release; no row for a stopped gateway with unknown release."""
        ends: Facts = self.look.get("release") or {}
        if not ends.get("text") or (ends["severity"] == releases.OK and not ends["release"] and not self.running):
            return []
        if ends["severity"] == releases.OK and not ends["release"]:
            return [row("release", WARN, "not known: neither image nor log names it", self._site())]
        verdict = {releases.WARNING: WARN, releases.CRITICAL: ACT}.get(ends["severity"], OK)
        return [row("release", verdict, str(ends["text"]), str(ends["next_step"]))]

    def _applied(self) -> str:
        if self.portal and self.live:
            return f"{self._site()} -e gateway_apply=now, which is a sign-in."
        return "The next sign-in applies it." if self.live else self._site()

    def _pending(self) -> list[Row]:
        if not self.running:
            return []
        if self.look.get("pending"):
            return [
                row("settings", WARN, "the container runs with other settings than those deployed", self._applied())
            ]
        return [row("settings", OK, "none are pending")]

    def _restarts(self) -> list[Row]:
        restarts: Facts = self.facts.get("restarts") or {}
        if restarts.get("jvm_runs") is None:
            return [unknown("restarts", restarts)]
        if not self.running or restarts.get("up_days") is None:
            return []
        runs, days, docker = int(restarts["jvm_runs"]), float(restarts["up_days"]), int(restarts.get("by_docker") or 0)
        text = f"{many(max(runs - 1, 0), 'restart')} of the JVM in {lasting(days * 86400)}"
        if docker:
            return [row("restarts", WARN, f"{text}; Docker restarted the container {docker} times", self._site())]
        if runs - 1 > math.ceil(days) + self.limits["restarts"]:
            step = f"docker logs ibgw-{self._name()} says why: more than one a day is not the daily restart."
            return [row("restarts", WARN, text, step)]
        return [row("restarts", OK, text)]

    def _log(self) -> list[Row]:
        log: Facts = self.facts.get("log") or {}
        if log.get("bytes") is None:
            return [unknown("log", log)] if self.exists else []
        a_day = log.get("bytes_per_day")
        grown = "" if a_day is None else f", {size(a_day)} a day"
        text = f"{size(log['bytes'])} in {many(int(log.get('files') or 1), 'file')}{grown}"
        if a_day is not None and a_day > self.limits["log_mib_per_day"] * MIB:
            step = f"docker logs --tail 100 ibgw-{self._name()}: something is said again and again."
            return [row("log", WARN, text, step)]
        return [row("log", OK, text)]

    def _clock(self) -> Row:
        clock: Facts = self.facts.get("clock") or {}
        skew = self.look.get("clock_skew")
        off = "" if skew is None else f", {abs(skew):.1f} s from the gateway's"
        if clock.get("synchronised") is None:
            return unknown("clock", clock)
        if not clock["synchronised"]:
            if clock.get("container"):
                step = "See to the clock of the machine around it."
                return row("clock", WARN, f"not known to be synchronised: the host is a container{off}", step)
            step = f"timedatectl status; {self._site()} --tags hardening_time"
            return row("clock", ACT, f"not synchronised with a time server{off}", step)
        if skew is not None and abs(skew) > self.limits["skew_seconds"]:
            return row("clock", WARN, f"synchronised{off}", "timedatectl timesync-status")
        return row("clock", OK, f"synchronised{off}")

    def _disks(self) -> list[Row]:
        found = []
        for disk in self.facts.get("disks") or []:
            check = f"disk {disk['path']}"
            if disk.get("free_percent") is None:
                found.append(unknown(check, disk))
                continue
            inodes = disk.get("inodes_percent")
            least = min(disk["free_percent"], 100.0 if inodes is None else inodes)
            text = f"{disk['free_percent']:.1f} % free ({disk['free'] / GIB:.1f} of {disk['total'] / GIB:.1f} GiB)"
            if inodes is not None and inodes < disk["free_percent"]:
                text += f", {inodes:.1f} % of the inodes"
            verdict = ACT if least < self.limits["disk_act"] else WARN if least < self.limits["disk_warn"] else OK
            step = "Make room: docker system df, journalctl --disk-usage, du -x /var." if verdict != OK else ""
            found.append(row(check, verdict, text, step))
        return found

    def _secret(self) -> Row:
        secret: Facts = self.facts.get("secret") or {}
        if secret.get("exposed"):
            text = "the password is within the container's reach, and nobody signs in"
            return row("secret", ACT, text, "See ibgwctl history and journalctl -u ibgw-watch@*.")
        if secret.get("source"):
            return row("secret", OK, f"not kept on the VM; for each start from {secret['source']}")
        if secret.get("age_days") is None:
            return row("secret", ACT, f"not known: {secret.get('reason')}", self._site())
        text = f"the password's file is {secret['age_days']:.0f} days old, mode {secret['mode']}, {secret['owner']}'s"
        if int(secret["mode"], 8) & 0o027 or secret["owner"] != "root":
            return row("secret", ACT, f"{text}: others may read or write it", self._site())
        if secret["age_days"] > self.limits["secret_days"]:
            return row("secret", WARN, text, "Change the password at IBKR and where the inventory takes it from.")
        return row("secret", OK, text)

    def _certificates(self) -> list[Row]:
        found = []
        for each in self.facts.get("certificates") or []:
            days = each.get("days_left")
            check = f"certificate {each['path'].rpartition('/')[2]}"
            if days is None:
                found.append(unknown(check, each))
                continue
            text = f"{each['path']}: {days:.0f} days left" if days >= 0 else f"{each['path']}: expired"
            act, warn = days < self.limits["certificate_act_days"], days < self.limits["certificate_warn_days"]
            verdict = ACT if act else WARN if warn else OK
            renewal = (
                "Make a new CA: docs/how-to/access.md." if check.endswith(" ca.crt") else f"Renew it: {self._site()}"
            )
            found.append(row(check, verdict, text, "" if verdict == OK else renewal))
        return found

    def _timers(self) -> Row:
        known: Facts = self.facts.get("units") or {}
        if known.get("units") is None:
            return unknown("timers", known)
        watcher = watching.unit_name(self._name())
        units = [unit for unit in known["units"] if unit["name"] != watcher]
        failed = [unit["name"] for unit in units if unit["active"] == "failed"]
        idle = [unit["name"] for unit in units if unit["name"].endswith(".timer") and unit["active"] != "active"]
        if failed:
            return row("timers", WARN, f"failed: {', '.join(failed)}", f"systemctl status {failed[0]}")
        if idle:
            return row("timers", WARN, f"not armed: {', '.join(idle)}", self._site())
        armed = {unit["name"].removesuffix(".timer"): unit["next"] for unit in units if unit["name"].endswith(".timer")}
        if health.UPDATES_TIMER.removesuffix(".timer") not in armed:
            text = "nothing applies security updates by itself"
            return row("timers", WARN, text, "See hardening_updates of role hardening.")
        return row("timers", OK, f"armed: {', '.join(sorted(armed))}")

    def _drift(self) -> list[Row]:
        drift = self.drift
        if drift is None:
            return [row("drift", OK, "not looked for (live_check_drift is false)")]
        step = f"{self._site()} --check --diff"
        if drift.get("failed"):
            names = _some(drift["failed"])
            return [row("drift", ACT, f"site.yml --check fails at {names}", step)]
        if not drift.get("ran"):
            return [row("drift", WARN, f"not known: {drift.get('reason')}", step)]
        if drift.get("changes"):
            names = _some(drift["changes"])
            count = many(len(drift["changes"]), "task")
            return [row("drift", WARN, f"site.yml would change something in {count}: {names}", step)]
        return [row("drift", OK, "site.yml would change nothing")]


class Judged(t.NamedTuple):
    """A check: what *judge* makes a warning, and what a person has to act on, by the *options* with thresholds.

    Not *portal*: of an IB Gateway alone, since a Client Portal Gateway has no such thing.
    """

    name: str
    judge: c.Callable[[Check], Row | list[Row]]
    warn: str = ""
    act: str = ""
    options: tuple[str, ...] = ()
    portal: bool = True


# In the order of the table on the screen. `make generate` writes docs/how-to/live_check.md's from it.
CHECKS = (
    Judged(
        "state",
        Check._state,
        "closed for the weekend; degraded within IBKR's reset; paper is starting",
        "anything else but `ready`; paper is down in its window",
    ),
    Judged(
        "session",
        Check._until,
        "the sign-in ends within so many hours",
        "there is none, or role `session` has not run",
        ("live_check_valid_hours",),
        portal=False,
    ),
    Judged(
        "accounts",
        Check._accounts,
        "live without an allow-list (`gateway_accounts`)",
        "another account than allowed",
    ),
    Judged(
        "deep check",
        Check._deep,
        "ib_async is wanted and not on the host yet; the gateway is not ready",
        "a step failed",
        ("gateway_client_check",),
        portal=False,
    ),
    Judged(
        "watcher",
        Check._watcher,
        "it has never inspected; not enabled at boot",
        "not active (unless `session_watch: false`); ended by itself and restarted within ten minutes; its inspection "
        "is overdue (two intervals and 20 s)",
    ),
    Judged(
        "week",
        Check._events,
        "the watcher blocked the gateway, or failed to do something, in the last seven days",
    ),
    Judged("image", Check._image, "a tag instead of a digest; another one in the container; not on the host"),
    Judged(
        "release",
        Check._release,
        "IBKR accepts it until a known day, or asks for a newer one; it is not known",
        "that day is at most seven days away, or past",
        portal=False,
    ),
    Judged("settings", Check._pending, "changed ones are pending"),
    Judged(
        "restarts",
        Check._restarts,
        "so many JVM starts more than one a day; restarts by Docker",
        "",
        ("live_check_restarts",),
        portal=False,
    ),
    Judged("log", Check._log, "grows by more MiB a day", "", ("live_check_log_mib_per_day",)),
    Judged(
        "clock",
        Check._clock,
        "differs from the gateway's by more seconds",
        "follows no time server",
        ("live_check_skew_seconds",),
    ),
    Judged(
        "disk (/, Docker, settings)",
        Check._disks,
        "less than so many percent free, of space or inodes",
        "less than so many",
        ("live_check_disk_warn", "live_check_disk_act"),
    ),
    Judged(
        "secret",
        Check._secret,
        "paper: the password's file is older than so many days",
        "paper: others may read it, or it is missing; live: it is within the container's reach though nobody signs in",
        ("live_check_secret_days",),
    ),
    Judged(
        "certificate, CRL (`/etc/ibgw/**/*.crt`, `*.crl`)",
        Check._certificates,
        "fewer days left",
        "fewer days left",
        ("live_check_certificate_warn_days", "live_check_certificate_act_days"),
    ),
    Judged(
        "timers",
        Check._timers,
        "a unit of ours failed; a timer, or that of the security updates, is not armed",
    ),
    Judged(
        "drift",
        Check._drift,
        "`site.yml --check` would change something, or did not end in time",
        "it fails",
        ("live_check_drift_minutes",),
    ),
)


def _new_week(now: float) -> float:
    """While live is closed: the end of IBKR's week, imminent or just past."""
    at = policy.moment(now)
    just_came = at < week.sign_in_opens(at).astimezone(UTC)
    return (week.last_token_death(at) if just_came else week.token_death(at)).timestamp()


def _some(names: c.Sequence[str], most: int = 4) -> str:
    more = len(names) - most
    return "; ".join(names[:most]) + (f"; and {more} more" if more > 0 else "")


# The terminal


def table(rows: c.Sequence[Row]) -> list[str]:
    """The rows as aligned lines of at most 110 characters, with the next step below each finding."""
    first = max((len(each["check"]) for each in rows), default=0)
    first = min(first, WIDTH // 3)
    indent = len("warn") + 2 + first + 2
    lines = []
    for each in rows:
        text = textwrap.wrap(each["text"], WIDTH - indent) or [""]
        # A command stays on one line, so that it can be copied.
        room = WIDTH - indent if "ansible-playbook " not in each["next_step"] else 10_000
        step = textwrap.wrap(f"-> {each['next_step']}", room, subsequent_indent="   ")
        lines.append(f"{each['verdict']:4}  {each['check'][:first]:{first}}  {text[0]}".rstrip())
        lines += [" " * indent + line for line in text[1:] + (step if each["next_step"] else [])]
    return lines


def report(
    facts: Facts,
    host: str,
    thresholds: Facts,
    client: Facts | None = None,
    drift: Facts | None = None,
    commands: c.Callable[[str, str], str] = lambda text, _host: text,
) -> dict[str, t.Any]:
    """The whole report on one host; *commands* localizes the commands in the host's next steps."""
    check = Check(host, facts, thresholds, client, drift)
    rows = [{**each, "next_step": commands(each["next_step"], host)} for each in check.rows()]
    return {
        "host": host,
        "about": check.about(),
        "gateway_name": facts.get("gateway_name"),
        "mode": facts.get("mode"),
        "checked_at": facts.get("checked_at"),
        "verdict": worst(rows),
        "sentence": printable(check.sentence(rows), 4 * TEXT_LIMIT),
        "rows": rows,
        "lines": table(rows),
        "picture": picture(facts) if check.deployed else "",
        "events": [
            {"at": new_york(each["at"], "%a %Y-%m-%d %H:%M:%S"), "what": each["title"]} for each in ticks(facts)
        ],
    }
