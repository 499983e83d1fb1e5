# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide the next action: fold a look at a gateway into its record, and return the one thing to do next, if any.

Pure: the time is an argument, and nothing is touched. The rules cover the operation that IBC leaves to a person
(docs/how-to/sessions.md): a live gateway asks for no push outside a sign-in, a refused password is not tried again,
nothing outlives its time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from .. import playbooks
from ..api import verdicts
from ..controller import milestones, promises
from ..controller.findings import FINDINGS
from ..controller.marks import APPOINTMENT, TAP, WINDOW, Finding
from ..engine.log import epoch
from ..releases import NOT_ACCEPTED
from . import keeping, week, windows
from .inspection import NO_ENGINE, Gateway
from .plan import Plan
from .store import MANUAL, PAPER, SIGN_IN, Appointment, Grant, Record

LIVE = "live"
# In ``Record.stopped_by``: stopped by IBC's PAUSE, which keeps the sign-in.
PAUSE = "PAUSE"
# There too: stopped at the week's end, or at that of a window.
PLANNED = "the plan"
ANSWERS = verdicts.ANSWERS
HUNG = ("no_handshake", "no_valid_id", "unresponsive", "tcp_timeout")
HUNG_LOOKS = 2
HEAL_SECONDS = 24 * 3600.0
# Name of the grant for a start outside the sessions.
OUTSIDE = "outside of the sessions"
# A paper gateway that ended by itself within its window is started once more, after this long.
RETRY_SECONDS = 60.0
WINDOW_STARTS = 2
# Sign-ins without success within an hour; IBKR locks a user after ten.
LOGINS_PER_HOUR = 8
HOUR = 3600.0
# A look takes this long at most.
LOOK_SECONDS = 20.0

SIGN_IN_STEP = f"With the phone at hand: {playbooks.LIVE_SIGNIN}"
_RESUME = f"Its sign-in is kept, so no push is needed: ibgwctl resume, or {playbooks.SITE}"
# A lost sign-in is worth a push of an appointment, and a tap.
_ANEW = (APPOINTMENT, TAP)
CAUSES: dict[str, Finding] = {
    "session_lost": Finding(
        "the live gateway is down, and a start would send a push to somebody's phone", SIGN_IN_STEP, again=_ANEW
    ),
    "sign_in_asked": Finding(
        "the live gateway asked for a full sign-in that nobody had started, and was stopped", SIGN_IN_STEP, again=_ANEW
    ),
    "sign_in_ended": Finding(
        "the gateway went down in the middle of its sign-in", SIGN_IN_STEP, again=_ANEW, of_image=True
    ),
    "push_missed": Finding("no push was approved within the bounds of the sign-in", SIGN_IN_STEP, again=_ANEW),
    "sign_in_late": Finding("the sign-in did not complete in its time", SIGN_IN_STEP, again=_ANEW, of_image=True),
    "ended": Finding(
        "the gateway ended by itself outside of its sessions",
        "Look at its log, docker logs; the next session starts it, and ibgwctl start does so now.",
        again=(WINDOW,),
    ),
    "ended_twice": Finding(
        "the gateway ended by itself twice in its session",
        "Look at its log, docker logs; the next session tries again, and ibgwctl start does so now.",
        again=(WINDOW,),
    ),
    "no_password": Finding(
        "the gateway's password could not be had",
        "ibgwctl history shows why; the next session tries again, and ibgwctl start does so now.",
        again=(WINDOW,),
    ),
    NOT_ACCEPTED: Finding(
        "IBKR no longer accepts the release of its image, so it is not started",
        f"Set gateway_image to a newer digest, then run {playbooks.UPGRADE}.",
        again=(WINDOW,),
    ),
    "wrong_account": Finding(
        verdicts.API_STATES["wrong_account"].meaning, verdicts.API_STATES["wrong_account"].next_step
    ),
    **{name: row for name, row in FINDINGS.items() if name != "push_missed"},
}
# A cause of a later release, after a downgrade to this one.
OTHER_CAUSE = Finding("the gateway was stopped until a person looks at it", "ibgwctl history shows why.")


@dataclass(frozen=True)
class Seen:
    """One look at a gateway, reduced to the rules' inputs."""

    state: str
    reason: str
    next_step: str
    exists: bool
    running: bool
    started_at: str | None
    signed_in: bool
    asks_for_sign_in: bool
    finding: str | None
    api_state: str | None
    restart_used: bool = False
    # Whether its controller can restart it without a sign-in.
    restarts: bool = True
    pushes_missed: int = 0
    # Sign-ins tried by this start, by any kind of evidence.
    logins: int = 0
    fault: str | None = None
    # The code that a person has to type in the window to sign it in.
    wanted: str = ""
    # Why the container is down, and whether that was a refusal of its settings before any push.
    exit_meaning: str = ""
    settings_refused: bool = False
    # Whether it is down by a clean close: at a time of its own settings, or by whoever sits at its desktop.
    closed: bool = False
    # Whether the API was asked in this look; what it said may be of an earlier one.
    asked: bool = True
    # Whether the log ends with a PAUSE.
    paused: bool = False


def seen(gateway: Gateway, asked: bool = True) -> Seen:
    """Return what the last look at *gateway* showed."""
    container: dict[str, Any] = gateway.container or {}
    judgement, summary = gateway.judgement(), gateway.summary
    api_state = gateway.verdict["api_state"] if gateway.verdict else None
    # The engine may have dropped the lines of a days-old sign-in; the API still answers.
    down, meaning = not container.get("running"), container.get("exit_meaning") or ""
    code = container.get("exit_code")
    # A code may have another meaning once a JVM has begun.
    refused = code in gateway.driver.settings_codes and meaning == gateway.driver.exit_codes[code]
    unwritten = summary.phase == milestones.NO_RUN and api_state in ANSWERS
    return Seen(
        state=judgement.state,
        reason=judgement.reason,
        next_step=judgement.next_step,
        exists=bool(container.get("exists")),
        running=bool(container.get("running")),
        started_at=container.get("started_at"),
        signed_in=summary.phase in (milestones.SIGNED_IN, milestones.CONFIGURED) or unwritten,
        asks_for_sign_in=summary.asks_for_sign_in,
        finding=gateway.finding,
        api_state=api_state,
        restart_used=summary.restart_used,
        restarts=promises.basis(gateway.driver, promises.RESTART).kept,
        pushes_missed=gateway.pushes_missed,
        logins=summary.all_logins,
        fault=gateway.engine_fault,
        wanted=judgement.wanted,
        exit_meaning=meaning if down else "",
        settings_refused=down and refused and not summary.pushes,
        closed=down and code == 0,
        asked=asked,
        paused=summary.phase == milestones.PAUSED,
    )


@dataclass(frozen=True)
class Step:
    """An action: ``stop`` (by IBC first), ``kill`` (no session to log off, and a push is about to be sent),
    ``restart`` (by IBC, no push), ``start``, ``blocked`` (only to say so), or ``announce``, ``sign_in`` and ``miss`` of
    an *appointment*; *cause* blocks the gateway until a person acts."""

    action: str
    why: str
    cause: str | None = None
    grant: Grant | None = None
    appointment: Appointment | None = None


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def outside_of_sessions(plan: Plan, by: str, begun: float) -> Grant:
    """Return the grant of a gateway that was started outside its sessions; without sessions it has no limit."""
    return Grant(MANUAL, by, begun, begun + plan.manual_minutes * 60, OUTSIDE)


def _correct_times(record: Record, now: float) -> None:
    """Forget times that lie ahead: the clock has been set back since, and they would hold up what is due."""
    record.since = min(record.since, now)
    if record.healed_at > now:
        record.healed_at = 0.0
    if record.served_window > now:
        record.served_window = 0.0


def observe(record: Record, look: Seen, plan: Plan, now: float) -> None:
    """Bring *record* up to date with a look."""
    _correct_times(record, now)
    record.checked_at, record.wanted = now, look.wanted
    if look.fault:
        _tell(record, verdicts.DEGRADED, look.fault, NO_ENGINE, now)
        return
    if look.running:
        record.stopped_by = ""
    elif record.stopping:
        record.stopped_by, record.stopping = record.stopping, ""
    recall_pause(record, look)
    if look.running and look.started_at != record.container_started_at:
        record.count("starts")
        record.container_started_at = look.started_at
        record.hung_looks = record.logins_counted = 0
    if look.running and (look.state == verdicts.READY or (look.signed_in and look.api_state in ANSWERS)):
        record.blocked = None
        if record.mode == LIVE and (record.grant or record.signed_in_at is None):
            # When a gateway signed in before the watcher, only its start is known.
            record.signed_in_at = min(now, record.grant.ends_at) if record.grant else epoch(look.started_at or "")
            record.grant = None
            record.count("sign_ins")
    _count_logins(record, look, now)
    if record.mode != LIVE and look.running and plan.paper_sessions and record.grant is None:
        begun = epoch(look.started_at or "") or now
        record.grant = outside_of_sessions(plan, "somebody", begun)
    if record.grant and record.grant.name == OUTSIDE and not plan.paper_sessions:
        record.grant = None
    if record.mode == LIVE:
        _note_validity(record, look, plan, now)
        found = keeping.upcoming(record, plan, now)
        if found and record.valid_until and found.of < record.valid_until:
            keeping.settle(record, found)
    if look.asked or not look.running:
        record.hung_looks = record.hung_looks + 1 if look.running and look.api_state in HUNG else 0
    state, reason, next_step = look.state, look.reason, look.next_step
    if record.blocked and not look.running:
        state = verdicts.BLOCKED
        reason, next_step = _why(record, look), _cause(record).next_step
    elif record.mode == LIVE and not look.running:
        next_step = _RESUME if record.stopped_by == PAUSE and record.valid_until else SIGN_IN_STEP
    _tell(record, state, reason, next_step, now)


def _cause(record: Record) -> Finding:
    return CAUSES.get(str(record.blocked), OTHER_CAUSE)


def _why(record: Record, look: Seen) -> str:
    """Return the cause in words; where a container has ended in its sign-in, with what its exit code means."""
    ended_by_itself = look.exit_meaning and record.blocked in ("sign_in_ended", "bad_settings", "ended")
    return _cause(record).meaning + (f" ({look.exit_meaning})" if ended_by_itself else "")


def _lasts(record: Record, again: str) -> bool:
    """Whether a person has to fix the cause first, before *again* is worth a try."""
    return bool(record.blocked) and again not in _cause(record).again


def recall_pause(record: Record, look: Seen) -> None:
    """Learn of a pause from the log where the record of it is lost; the sign-in came after the container's start."""
    if record.mode == LIVE and record.signed_in_at is None and look.paused and not look.running:
        record.stopped_by, record.signed_in_at = PAUSE, epoch(look.started_at or "")


def _count_logins(record: Record, look: Seen, now: float) -> None:
    """Record the sign-ins tried since one succeeded, for which the log's word is not enough: the API has to answer. A
    start counts as one even without a line in the log."""
    recent = [at for at in record.logins if now - HOUR < at <= now]
    tried = max(look.logins, 1)
    if look.running and look.signed_in and look.api_state in ANSWERS:
        record.logins, record.logins_counted = [], tried
    elif look.running:
        new = min(max(tried - record.logins_counted, 0), 2 * LOGINS_PER_HOUR)
        record.logins = [*recent, *[now] * new][-2 * LOGINS_PER_HOUR :]
        record.logins_counted = tried
    else:
        record.logins = recent


def _note_validity(record: Record, look: Seen, plan: Plan, now: float) -> None:
    """A sign-in is valid for the rest of its week, while the gateway runs (or restarts on its token)."""
    week_of = record.signed_in_at if record.signed_in_at is not None else 0.0
    ends = week.valid_until(moment(week_of)).timestamp()
    valid = (look.running or record.stopped_by == PAUSE) and record.signed_in_at is not None and now < ends
    record.valid_until = ends if valid else None
    record.sign_in_due = week.sign_in_deadline(moment(ends if valid else now), plan.sign_in_deadline).timestamp()


def fail(record: Record, reason: str, now: float) -> None:
    """Record a failed look, which is a state too."""
    _tell(record, verdicts.DEGRADED, reason, "See journalctl -u ibgw-watch@ and ibgwctl history.", now)


def unreadable(record: Record, fault: str, before: Record, now: float) -> None:
    """Degrade a gateway whose settings cannot be read, whatever its API says, unless it is blocked."""
    if record.state != verdicts.BLOCKED:
        record.since = before.since if before.state == verdicts.DEGRADED else now
        record.state, record.reason = verdicts.DEGRADED, fault
        record.next_step = f"Run {playbooks.SITE}, which rewrites it."


def _tell(record: Record, state: str, reason: str, next_step: str, now: float) -> None:
    if state != record.state:
        record.since = now
    record.state, record.reason, record.next_step = state, reason, next_step


def decide(record: Record, look: Seen, plan: Plan, now: float) -> Step | None:
    """Return the action due now, None without one. Call it after :func:`observe`."""
    if look.fault or not look.exists:
        return None
    cause = look.finding or look.api_state
    if look.running and len(record.logins) > LOGINS_PER_HOUR:
        cause = "too_many_attempts"
    if look.running and cause in CAUSES:
        # A gentle stop takes seconds, in which IBC would try again; there is no session to log off.
        at_once = CAUSES[cause].at_once and not look.signed_in
        return Step("kill" if at_once else "stop", CAUSES[cause].meaning, cause)
    # A PAUSE that IBC has accepted takes effect at the next full minute; a STOP now would waste the sign-in.
    if look.running and record.stopping and record.stopping != PAUSE:
        return Step("stop", f"the stop that {record.stopping} began did not end")
    if look.running and record.grant and now >= record.grant.ends_at:
        return _over(record, look)
    rules = _live if record.mode == LIVE else _paper
    return rules(record, look, plan, now) or _heal(record, look, now)


def _over(record: Record, look: Seen) -> Step:
    if record.mode == LIVE:
        return Step("stop" if look.signed_in else "kill", CAUSES["sign_in_late"].meaning, "sign_in_late")
    return Step("stop", "its time is over")


def ended(look: Seen) -> str:
    """Return the cause of a sign-in whose container has ended by itself."""
    return "bad_settings" if look.settings_refused else "sign_in_ended"


def _live(record: Record, look: Seen, plan: Plan, now: float) -> Step | None:
    signing_in = record.granted(now, SIGN_IN)
    if not look.running and signing_in:
        # A sign-in holds the lock until it is done, so none is under way now.
        cause = ended(look)
        return Step("blocked", CAUSES[cause].meaning, cause)
    if not look.running:
        lost = record.signed_in_at is not None and not record.stopped_by and not record.blocked
        if lost:
            return Step("blocked", CAUSES["session_lost"].meaning, "session_lost")
        return _appointed(record, plan, now)
    void = record.signed_in_at is not None and record.valid_until is None and not signing_in
    if plan.weekly_close and (void or week.closing(moment(now))):
        return Step(
            "stop" if look.signed_in else "kill", f"IBKR's week is over: the sign-in is void from {week.VOIDED}"
        )
    if signing_in and look.pushes_missed >= plan.pushes:
        return Step("stop", CAUSES["push_missed"].meaning, "push_missed")
    if look.asks_for_sign_in and not signing_in:
        return Step("kill", CAUSES["sign_in_asked"].meaning, "sign_in_asked")
    return None if signing_in else _appointed(record, plan, now)


def _appointed(record: Record, plan: Plan, now: float) -> Step | None:
    """Return what is due of a sign-in by appointment."""
    found = keeping.upcoming(record, plan, now)
    if found is None or now < found.at - keeping.LEAD_SECONDS:
        return None
    planned = found if found.told_at else keeping.announced(found, now)
    if hindrance := _hindrance(record, planned, plan, now):
        return Step("miss", hindrance, appointment=found)
    if not found.told_at:
        return Step("announce", f"it signs in by appointment on {keeping.words(planned, plan)}", appointment=planned)
    if now < found.at:
        return None
    return Step("sign_in", f"the appointment on {keeping.words(found, plan)}", appointment=found)


def _hindrance(record: Record, found: Appointment, plan: Plan, now: float) -> str:
    """Return why an appointment cannot be kept; empty where it can."""
    if now > found.at + keeping.GRACE_SECONDS:
        return "nobody watched at its time"
    if keeping.too_late(found, plan):
        return "no time is left before the deadline"
    if _lasts(record, APPOINTMENT):
        return _cause(record).meaning
    by_a_person = record.stopped_by not in ("", PLANNED)
    if by_a_person and record.since >= week.last_token_death(moment(found.of)).timestamp():
        return f"{record.stopped_by} has stopped it since the week began"
    return ""


def _paper(record: Record, look: Seen, plan: Plan, now: float) -> Step | None:
    window = windows.current(plan.paper_sessions, moment(now))
    if look.running or _lasts(record, WINDOW):
        return None
    if window is None:
        lost = record.container_started_at is not None and not (record.stopped_by or record.blocked or look.closed)
        return Step("blocked", CAUSES["ended"].meaning, "ended") if lost else None
    begin, end = window.start.timestamp(), window.end.timestamp()
    grant = Grant(PAPER, PLANNED, now, end, window.session.name, begin)
    if begin > record.served_window:
        return Step("start", f"session {window.session.name} is due", grant=grant)
    if record.served_window != begin or record.stopped_by or record.blocked:
        return None
    if record.window_starts >= WINDOW_STARTS:
        return Step("blocked", CAUSES["ended_twice"].meaning, "ended_twice")
    rested = now - record.since >= RETRY_SECONDS
    return Step("start", f"session {window.session.name} ended by itself: once more", grant=grant) if rested else None


def _heal(record: Record, look: Seen, now: float) -> Step | None:
    """Restart a hung API by IBC, which costs no push, once a day. A person does the rest, and everything where the
    controller's restart is a sign-in."""
    hung = look.restarts and look.running and look.signed_in and record.hung_looks >= HUNG_LOOKS
    if hung and not look.restart_used and now - record.healed_at >= HEAL_SECONDS:
        return Step("restart", f"the API has hung for {record.hung_looks} looks in a row")
    return None


def next_moment(record: Record, plan: Plan, now: float) -> float:
    """Return the next moment at which a rule may change its result without news from the gateway."""
    moments = [now + plan.interval]
    if record.grant:
        moments.append(record.grant.ends_at)
    if record.mode == LIVE:
        moments += [week.next_close(moment(now)).timestamp(), record.remind_at]
        if found := keeping.upcoming(record, plan, now):
            moments += [found.at - keeping.LEAD_SECONDS, found.at]
    elif window := windows.upcoming(plan.paper_sessions, moment(now)):
        moments.append(window.start.timestamp())
    return min(each for each in moments if each > now)


def late_seconds(record: Record, plan: Plan, now: float) -> float:
    """Return by how much the last look is older than two intervals and a look; 0 during a sign-in, which looks instead
    of the watcher."""
    patience = 2 * plan.interval + LOOK_SECONDS
    return 0.0 if record.granted(now, SIGN_IN) else max(now - record.checked_at - patience, 0.0)


def offered(record: Record, running: bool, now: float) -> tuple[str, ...]:
    """Return what a person may answer to a message on a live gateway, by one tap."""
    if record.mode != LIVE:
        return ()
    if running:
        return ("stop",)
    return () if _lasts(record, TAP) or week.closing(moment(now)) else ("sign_in", "later")


def blocked(cause: str | None, container: dict[str, Any] | None) -> dict[str, str]:
    """Return the state, reason and next step that *cause* gives a stopped gateway; empty without a cause."""
    if cause not in CAUSES or not container or container["running"]:
        return {}
    return {"state": verdicts.BLOCKED, "reason": CAUSES[cause].meaning, "next_step": CAUSES[cause].next_step}


def shown(record: Record, plan: Plan, now: float, weekly: bool = True) -> dict[str, Any]:
    """Return a record for people and programs: moments in epoch seconds, and the week's also in New York time.

    For a live gateway whose sign-in is *weekly*, add the *week* (:func:`.week.phase`).
    """
    result: dict[str, Any] = asdict(record)
    for name in ("valid_until", "sign_in_due"):
        at = result[name]
        local = moment(at).astimezone(week.NEW_YORK).strftime("%a %Y-%m-%d %H:%M") if at else None
        result[f"{name}_new_york"] = local
    if weekly and record.mode == LIVE:
        signed_in = moment(record.signed_in_at) if record.signed_in_at and record.valid_until else None
        result["week"] = week.phase(moment(now), signed_in, plan.sign_in_deadline)
        found = keeping.upcoming(record, plan, now)
        result["signs_in_at"] = found and keeping.words(found, plan)
    return result
