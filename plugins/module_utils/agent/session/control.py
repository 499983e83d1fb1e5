# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Act on one gateway and record it: every action is granted first, noted, and taken by one actor at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import playbooks, releases
from ..api import verdicts
from ..controller import controllers, milestones, password, promises, settings_dir
from ..engine import neighbours
from ..engine.client import Engine, EngineError, NotFoundError
from . import descriptor as descriptors
from . import health, keeping, lifecycle, policy, watching, week
from .acting import Acting
from .descriptor import Descriptor
from .inspection import RELEASE_VARIABLE, Gateway, container_facts, variables
from .lifecycle import BlockedError, NoPasswordError, Outcome, SessionError
from .managed import readable
from .plan import Plan
from .store import MANUAL, SIGN_IN, Grant, Record, Store
from .wait import wait_for

STOP_SECONDS = 60.0
PAUSE_MARGIN_SECONDS = 1800.0
EXAMINE_SECONDS = 10.0
RESUME_SECONDS = 300.0
# A push approved at the last moment may still complete the sign-in and open the API.
OPENS_SECONDS = 60.0
_APPROVED = (milestones.ANSWERED, milestones.SIGNED_IN, milestones.CONFIGURED)
# The only report on a live gateway in a run that names none.
UNREQUESTED = (
    "gateway {name} is a live gateway and this run has no limit. A change could cost a sign-in on somebody's phone. "
    "Name what you mean: -l live, or -e gateway_touch_live=true for all"
)
Say = Callable[[str, str], None]
_WORDS = {
    milestones.LOGIN_WINDOW: ("login_window", "the login window is open"),
    milestones.SIGNING_IN: ("signing_in", "user and password are entered"),
    milestones.WAITING_2FA: ("push_sent", "a push was sent: approve it on the phone now"),
    milestones.SIGNED_IN: ("signed_in", "logged in"),
    milestones.CONFIGURED: ("configured", "the API's settings are applied"),
}


class Refused(SessionError):
    """A rule forbids the action; nothing was touched."""


class ReleaseRefused(Refused):
    """IBKR no longer accepts the gateway's release, so that a sign-in can only fail."""


@dataclass
class Control(Acting):
    """One gateway of this host, acted on by *by*. *now* gives epoch seconds.

    *owner* holds the lease during an action, and keeps it for *keep* more seconds after a successful one.
    """

    descriptor: Descriptor
    plan: Plan
    by: str = "the operator"
    engine: Engine = field(default_factory=Engine)
    now: Callable[[], float] = time.time
    owner: str = ""
    keep: float = 0.0
    # The password that came with the request.
    password: str | None = None
    # The moment at which a sign-in ends, however much time it has left.
    until: float = math.inf

    def __post_init__(self) -> None:
        # The name beside each push.
        self.asked_by = self.owner or self.by
        self.owner = self.owner or f"{self.by} (process {os.getpid()})"
        self.store = Store(self.descriptor.name)
        self.gateway = Gateway(self.descriptor.endpoint(), self.descriptor, self.engine)

    @property
    def live(self) -> bool:
        return self.descriptor.mode == policy.LIVE

    @property
    def container(self) -> str:
        return self.descriptor.container

    @property
    def units(self) -> tuple[str, ...]:
        return (watching.unit_name(self.descriptor.name),)

    def glance(self, record: Record) -> None:
        """Look now, and bring *record* up to date with that; nothing is written."""
        self.gateway.look()
        policy.observe(record, policy.seen(self.gateway), self.plan, self.now())

    def await_ready(self, timeout: float) -> tuple[bool, bool, dict[str, Any]]:
        """Wait until it is ready; return whether it is, whether waiting longer is in vain, and a report."""
        ready = wait_for(self.gateway, verdicts.READY, timeout)
        report = self.gateway.report()
        return ready, report["final"], report

    def described(self) -> dict[str, Any]:
        return {descriptors.FILE: dataclasses.asdict(self.descriptor)}

    def examine(self, now: float) -> dict[str, Any]:
        """Everything that the live check goes by, one look at the API included."""
        return health.examine(self.gateway, now, EXAMINE_SECONDS)

    def secrets(self) -> Iterator[str]:
        """The passwords that this host keeps for it; what cannot be read is passed over."""
        name = self.descriptor.name
        return readable(password.kept_path(name), password.path(name))

    def settle(self, record: Record) -> None:
        self.withdraw_password(record)

    def observe(self, record: Record, asked: bool = True) -> policy.Seen:
        """Bring *record* up to date with the last look, and write a name beside each push that it shows."""
        # While the engine does not answer, nothing is known of another start.
        started, pushes = (self.gateway.container or {}).get("started_at"), self.gateway.summary.pushes
        fresh = record.pushes_named is not None and started and started != record.container_started_at
        named = 0 if fresh else record.pushes_named
        if named is not None and pushes > named:
            who = record.grant.by if record.grant and record.granted(self.now(), SIGN_IN) else ""
            text = f"{pushes - named} sent, asked for by {who or 'nobody'}"
            self.store.note("push", text, self.now(), by=who, pushes=pushes - named)
        record.pushes_named = pushes
        look = policy.seen(self.gateway, asked)
        policy.observe(record, look, self.plan, self.now())
        return look

    def allow(self, record: Record, grant: Grant | None) -> None:
        """Permit the gateway to run and provide its password; saved before anything starts, so that the watcher leaves
        it alone. Raises SessionError."""
        try:
            password.provide(self.descriptor, self.password, asks=not self.live or grant is not None)
        except password.PasswordError as error:
            raise NoPasswordError(str(error)) from error
        record.grant, record.blocked, record.stopping = grant, None, ""
        record.pushes_named = record.pushes_named or 0
        # The pause ends once the gateway runs again, so that a resume that was killed can be repeated.
        if grant is not None or not self.live:
            record.stopped_by = ""
        self.save(record)

    def withdraw_password(self, record: Record) -> str:
        """Take the password away from a container that needs none: a live gateway outside a sign-in, or a stopped paper
        gateway. Return the fault; the watcher tries again."""
        if not password.held(self.descriptor.name) or (self.live and record.granted(self.now(), SIGN_IN)):
            return ""
        try:
            running = container_facts(self.engine, self.descriptor.container)["running"]
            if self.live or not running:
                password.withdraw(self.descriptor, self.engine, running)
        except (password.PasswordError, EngineError) as error:
            return str(error)
        return ""

    def refuse_closed_week(self) -> None:
        if self.live and self.plan.weekly_close and week.closing(policy.moment(self.now())):
            raise Refused(
                f"gateway {self.descriptor.name}: IBKR voids every sign-in on {week.VOIDED} New York time, so one that "
                f"is made now is worth nothing: sign in from {week.OPENED} on"
            )

    def start(self, allow_signin: bool, minutes: float | None = None, check: bool = False) -> Outcome:
        """Start the existing container without waiting; a paper gateway with sessions runs for at most *minutes*.

        A paused gateway is resumed instead, which sends no push, and waited for. Raises SessionError.
        """
        if allow_signin:
            self.refuse_closed_week()
        if check:
            kept = self.kept(self.store.load(self.descriptor.mode))
            return lifecycle.start(self.gateway, allow_signin or kept)
        with self.acting("start") as record:
            if not self.gateway.seen()["running"] and self.kept(record):
                return self.resume_kept(record, RESUME_SECONDS)
            outcome = lifecycle.start(self.gateway, allow_signin)
            if outcome.changed:
                self.begin(record, self.grant(minutes))
                self.store.note("start", f"started by {self.by}", self.now())
                self._look(record)
            return outcome

    def begin(self, record: Record, grant: Grant | None) -> None:
        """Start the container for the lease's holder, after removing leftovers that would keep it from signing in.
        Raises SessionError, EngineError."""
        self.admit()
        with self._settings_directory():
            settings_dir.remove_stale(self.descriptor)
        self.allow(record, grant)
        self.engine.start(self.descriptor.container)

    def grant(self, minutes: float | None) -> Grant | None:
        """Return the grant for a start by a person; a paper gateway without sessions runs until it is stopped."""
        now = self.now()
        if self.live:
            return Grant(SIGN_IN, self.asked_by, now, min(now + self.plan.sign_in_minutes * 60, self.until))
        if minutes is not None:
            return Grant(MANUAL, self.by, now, now + minutes * 60)
        return policy.outside_of_sessions(self.plan, self.by, now) if self.plan.paper_sessions else None

    def stop(self, timeout: float = STOP_SECONDS, check: bool = False) -> Outcome:
        """Stop gently, and leave it stopped; a run that is dead or between two of its tasks prevents nobody from it.
        Raises SessionError when it still runs."""
        if check:
            return lifecycle.stop(self.gateway, self.engine, timeout, check=True)
        with self.acting("stop", take_over=True) as record:
            record.stopping = self.by
            # A full disk must not prevent a stop.
            with contextlib.suppress(SessionError):
                self.save(record)
            outcome = self.end(record, timeout)
            record.stopped_by, record.stopping = self.by, ""
            self._look(record)
            return outcome

    def end(self, record: Record, timeout: float = STOP_SECONDS) -> Outcome:
        """Stop gently, for the lease's holder; ends the permission to run."""
        outcome = lifecycle.stop(self.gateway, self.engine, timeout, check=False)
        record.grant = None
        if outcome.changed:
            self.store.note("stop", f"stopped by {self.by} ({', '.join(outcome.actions)})", self.now())
        return outcome

    def restart(self, timeout: float, check: bool = False) -> Outcome:
        """Restart the JVM by IBC, which costs no push, and wait until the API is ready. Raises SessionError."""
        if check:
            return lifecycle.restart(self.gateway, self.engine, timeout, check=True)
        with self.acting("restart"):
            self.store.note("restart", f"RESTART by {self.by}", self.now())
            return lifecycle.restart(self.gateway, self.engine, timeout, check=False)

    def skip(self) -> str:
        """Leave the next sign-in by appointment out; return what is done in words. Raises Refused."""
        with self.acting("skip") as record:
            found = keeping.upcoming(record, self.plan, self.now())
            if found is None:
                raise Refused(f"gateway {self.descriptor.name} has no sign-in by appointment (session_sign_in_at)")
            keeping.settle(record, found)
            text = f"the appointment on {keeping.words(found, self.plan)} is left out"
            self.store.note("skip", text, self.now(), by=self.asked_by)
            return text

    def later(self) -> str:
        """Put the next sign-in by appointment off by an hour, or have the one that is due reminded of then; return what
        is done in words. Raises Refused."""
        now, name = self.now(), self.descriptor.name
        with self.acting("later") as record:
            found = keeping.upcoming(record, self.plan, now)
            if found is None or now < found.of - keeping.NEAR_SECONDS:
                if not self.live or record.valid_until is not None:
                    raise Refused(f"gateway {name}: no sign-in is due that could be later")
                record.remind_at = now + keeping.LATER_SECONDS
                text = "a reminder comes in an hour"
            else:
                moved = keeping.put_off(found, now)
                if keeping.too_late(moved, self.plan):
                    raise Refused(
                        f"gateway {name}: an hour later no time is left before session_sign_in_deadline: sign in now, "
                        f"or ibgwctl skip {name}"
                    )
                record.appointment = moved
                text = f"the appointment is now on {keeping.words(moved, self.plan)}"
            self.store.note("later", text, now, by=self.asked_by)
            return text

    def pause(self, timeout: float, check: bool = False) -> Outcome:
        """Stop a live gateway by IBC's PAUSE, which keeps the sign-in for :meth:`resume`. Raises SessionError.

        It takes effect at the next full minute.
        """
        with self.acting("pause") as record:
            self.gateway.look()
            self.observe(record)
            if record.valid_until is None or record.valid_until - self.now() < PAUSE_MARGIN_SECONDS:
                raise Refused(
                    f"gateway {self.descriptor.name}: a pause keeps a sign-in until {week.VOIDED} New York time, and "
                    "there is none that lasts another half an hour. Nothing was touched."
                )
            if check:
                return lifecycle.pause(self.gateway, self.engine, timeout, check=True)

            def accepted() -> None:
                record.stopping = policy.PAUSE
                self.save(record)

            try:
                outcome = lifecycle.pause(self.gateway, self.engine, timeout, check=False, accepted=accepted)
            except SessionError:
                record.stopping = ""
                raise
            record.stopped_by, record.stopping, record.grant = policy.PAUSE, "", None
            self.store.note("pause", f"PAUSE by {self.by}", self.now())
            return outcome

    def resume(self, timeout: float, check: bool = False) -> Outcome:
        """Start a paused gateway on its kept sign-in and wait until it is ready; it is stopped before it can send a
        push. Raises SessionError."""
        with self.acting("resume") as record:
            self.gateway.seen()
            kept = self.kept(record)
            if record.stopped_by != policy.PAUSE:
                raise Refused(f"gateway {self.descriptor.name} is not paused: there is nothing to resume")
            if not kept:
                raise Refused(
                    f"gateway {self.descriptor.name} has no kept sign-in (no autorestart file, or its week is over): "
                    f"sign in by {playbooks.LIVE_SIGNIN}"
                )
            if check:
                return Outcome(True, ["docker start"])
            return self.resume_kept(record, timeout)

    def kept(self, record: Record) -> bool:
        """Whether a PAUSE stopped the gateway, and its kept sign-in is still valid."""
        policy.recall_pause(record, policy.seen(self.gateway))
        if record.stopped_by != policy.PAUSE or record.signed_in_at is None:
            return False
        if not promises.basis(self.descriptor.driver, promises.START).kept:
            return False
        if self.now() >= week.valid_until(policy.moment(record.signed_in_at)).timestamp():
            return False
        with self._settings_directory():
            return settings_dir.has_token(self.descriptor)

    def resume_kept(self, record: Record, timeout: float) -> Outcome:
        """Resume, for the lease's holder. Raises SessionError."""
        outcome = Outcome()
        outcome.did("docker start")
        self.admit()
        self.allow(record, None)
        self.engine.start(self.descriptor.container)
        try:
            ready = wait_for(self.gateway, verdicts.READY, timeout, tell=self._no_push)
        except SessionError:
            self.engine.kill(self.descriptor.container)
            record.blocked, record.stopped_by = "sign_in_asked", ""
            raise
        if not ready:
            judgement = self.gateway.judgement()
            raise SessionError(f"the gateway is resumed but {judgement.state}: {judgement.reason}")
        self._look(record)
        self.store.note("resume", f"resumed by {self.by}", self.now())
        return outcome

    def admit(self) -> None:
        """Refuse a start that conflicts with another container or listener (same user, port, or name in another mode),
        or with a controller other than the deployed one, or a release that IBKR does not accept."""
        names = neighbours.own_names(self.descriptor.container)
        try:
            found = self.engine.inspect(names[0])
        except NotFoundError:
            raise Refused(f"container {names[0]} does not exist: run {playbooks.SITE} to create it") from None
        if why := controllers.mixed(self.descriptor.controller, found["Config"]):
            raise Refused(
                f"gateway {self.descriptor.name} is not started: {why}. Run {playbooks.SITE} for the controller "
                "that is meant. Nothing was touched."
            )
        release = variables(found["Config"].get("Env")).get(RELEASE_VARIABLE, "")
        why = None if releases.NOT_ACCEPTED in self.descriptor.image_accept else releases.refusal(release, self.now())
        if why:
            raise ReleaseRefused(
                f"gateway {self.descriptor.name} is not started: {releases.NOT_ACCEPTED}: {why}. Set gateway_image to "
                f"a newer digest and run {playbooks.UPGRADE}, or take it by gateway_image_accept: "
                f"[{releases.NOT_ACCEPTED}] and run {playbooks.SITE}. Nothing was touched."
            )
        own = neighbours.neighbour(found)
        mine = neighbours.Candidate(self.descriptor.name, names, self.descriptor.mode, own.users, own.ports)
        fault = neighbours.mode_objection(mine, [own], "", False) or neighbours.objection(
            mine, neighbours.around(self.engine)
        )
        if fault:
            raise Refused(f"{fault}. Nothing was touched.")

    def _no_push(self) -> None:
        if self.gateway.summary.asks_for_sign_in:
            raise SessionError(
                f"gateway {self.descriptor.name} asked for a full sign-in instead of resuming, and was stopped before "
                f"a push was sent: sign in by {playbooks.LIVE_SIGNIN}"
            )

    def sign_in(self, say: Say, force: bool = False) -> Record:
        """Sign a live gateway in with a person at the phone, within ``plan.pushes`` pushes and
        ``plan.sign_in_minutes`` minutes; each step goes to *say* as (step, text). A paused gateway is resumed instead,
        which sends no push, unless *force* is set.

        Returns the record of the ready gateway; one that is ready already is left alone unless *force* is set. Raises
        Refused before anything is touched, SessionError when the sign-in fails: the gateway is then stopped and
        blocked.
        """
        name = self.descriptor.name
        if not self.live:
            raise Refused(f"gateway {name} is a paper gateway, which signs in by itself: start it")
        self.refuse_closed_week()
        with self.acting("sign-in") as record:
            if not self.gateway.seen()["exists"]:
                raise Refused(
                    f"container {self.descriptor.container} does not exist: run {playbooks.SITE} to create it"
                )
            self.gateway.ask()
            if self.gateway.judgement().state == verdicts.READY and not force:
                say("already", f"{name} is signed in and ready; nothing to do")
                return record
            if self.kept(record) and not force:
                say("resuming", f"{name} is paused: resuming on the kept sign-in, which sends no push")
                self.resume_kept(record, RESUME_SECONDS)
                self._signed_in(record, say)
                return record
            self.admit()
            self.allow(record, self.grant(None))
            self._clear(say)
            # Ending the old session took part of the time, and a guard must not end a gateway that may still sign in.
            record.grant = self.grant(None)
            self.save(record)
            self._push_by_push(record, say)
            return record

    def _clear(self, say: Say) -> None:
        """Remove leftovers of an earlier session that would keep a new one from signing in."""
        if lifecycle.stop(self.gateway, self.engine, STOP_SECONDS, check=False).changed:
            say("stopped", "the old session was signed off")
        with self._settings_directory():
            for name in settings_dir.remove_stale(self.descriptor):
                say("cleaned", f"removed a stale {name}")

    @contextlib.contextmanager
    def _settings_directory(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = error.filename or self.descriptor.settings_dir
            raise SessionError(
                f"gateway {self.descriptor.name}: {place}: {error.strerror}. Fix that on the host and try again"
            ) from error

    def _push_by_push(self, record: Record, say: Say) -> None:
        deadline = self.gateway.clock() + min(self.plan.sign_in_minutes * 60, self.until - self.now())
        missed, cause, detail = 0, "push_missed", ""
        while missed < self.plan.pushes:
            left = deadline - self.gateway.clock()
            if left <= 0:
                break
            say("starting", f"starting the gateway ({self.plan.pushes - missed} pushes and {left:.0f} s at most)")
            self.engine.start(self.descriptor.container)
            progress = Progress(self, record, say, self.plan.pushes - missed)
            signed_in = self._signs_in(progress, left)
            if not signed_in and self.gateway.finding is None and self.gateway.summary.phase in _APPROVED:
                record.grant = Grant(SIGN_IN, self.asked_by, self.now(), self.now() + OPENS_SECONDS)
                self.save(record)
                signed_in = self._signs_in(progress, OPENS_SECONDS)
            record.count("pushes", self.gateway.summary.pushes)
            if signed_in:
                self._signed_in(record, say)
                return
            found, lapsed = policy.seen(self.gateway), self.gateway.summary.phase == milestones.LAPSED
            if policy.CAUSES.get(found.finding or "", policy.OTHER_CAUSE).at_once and not found.signed_in:
                with contextlib.suppress(EngineError):
                    self.engine.kill(self.descriptor.container)
            lifecycle.stop(self.gateway, self.engine, STOP_SECONDS, check=False)
            if found.finding not in (None, "push_missed") or not found.pushes_missed:
                known = [each for each in (found.finding, found.api_state) if each in policy.CAUSES]
                late = "push_missed" if missed or lapsed else "sign_in_late"
                cause = known[0] if known else late if found.running else policy.ended(found)
                detail = "" if known else f" ({found.reason})"
                break
            missed += found.pushes_missed
            say("push_missed", f"{missed} of {self.plan.pushes} pushes not approved in time")
        record.grant, record.blocked = None, cause
        self._look(record)
        why = f"{policy.CAUSES[cause].meaning}{detail}"
        self.store.note("blocked", why, self.now(), cause=cause)
        raise BlockedError(f"gateway {self.descriptor.name} is not signed in: {why}. {policy.CAUSES[cause].next_step}")

    def _signs_in(self, progress: Progress, timeout: float) -> bool:
        try:
            return wait_for(self.gateway, verdicts.READY, timeout, tell=progress)
        except SignedIn:
            return True
        except TooManyPushes:
            return False

    def _signed_in(self, record: Record, say: Say) -> None:
        self.observe(record)
        accounts = ", ".join((self.gateway.verdict or {}).get("accounts", ()))
        but = "" if record.state == verdicts.READY else f", but it is {record.state}: {record.reason}"
        say("verified", f"the API answers and serves account {accounts}{but}")
        self.store.note("sign_in", "signed in", self.now(), by=self.asked_by)
        if record.valid_until:
            until = policy.moment(record.valid_until).astimezone(week.NEW_YORK)
            say("valid", f"valid until {until:%A %Y-%m-%d %H:%M} New York time")

    def _look(self, record: Record) -> None:
        """Update the record after an action, for readers who come before the watcher's next look."""
        self.gateway.refresh()
        self.observe(record, asked=False)


class TooManyPushes(Exception):
    """IBC is about to send more pushes than the sign-in may take."""


class SignedIn(Exception):
    """Signed in, but with trouble behind the API: that does not justify wasting an approved push."""


class Progress:
    """Report each new phase of a sign-in once, write it to the record, and end the wait after *pushes* missed
    pushes."""

    def __init__(self, control: Control, record: Record, say: Say, pushes: int) -> None:
        self._control, self._record, self._say, self._pushes = control, record, say, pushes
        self._said = ("", 0)
        self._troubled: tuple[bool, str | None] = (False, None)

    def __call__(self) -> None:
        control, summary = self._control, self._control.gateway.summary
        lifecycle.enable_api(control.gateway, control.engine)
        now = (summary.phase, summary.pushes)
        if now != self._said and summary.phase in _WORDS:
            for phase in self._passed(*now):
                self._say(*self._words(phase))
            self._said = now
            control.observe(self._record)
            control.save(self._record)
        judgement, dialog = control.gateway.judgement(), control.gateway.dialog
        troubled = (judgement.state == verdicts.DEGRADED, dialog)
        if troubled != self._troubled:
            self._troubled = troubled
            if judgement.wanted:
                self._say(judgement.wanted, f"{judgement.reason}. {judgement.next_step}")
            elif dialog is not None:
                self._say("dialog", f'a dialog waits for a person: "{dialog}"')
            elif troubled[0]:
                self._say("stalled", f"{judgement.reason}. {judgement.next_step}")
            control.observe(self._record)
            control.save(self._record)
        if control.gateway.pushes_missed >= self._pushes:
            raise TooManyPushes
        if summary.usable and (control.gateway.verdict or {}).get("api_state") in policy.ANSWERS:
            raise SignedIn

    def _words(self, phase: str) -> tuple[str, str]:
        step, text = _WORDS[phase]
        if phase == milestones.SIGNING_IN and self._control.gateway.driver.names_pushes_late:
            text += ": a push may be on the phone now, before the log names it; approve it"
        return step, text

    def _passed(self, phase: str, pushes: int) -> list[str]:
        """Return the phases since the last one: several log lines may arrive at once."""
        order = list(_WORDS)
        before, pushed = self._said
        first = order.index(before) + 1 if before in order else 0
        between = [
            each for each in order[first : order.index(phase)] if each != milestones.WAITING_2FA or pushes > pushed
        ]
        return [*between, phase]
