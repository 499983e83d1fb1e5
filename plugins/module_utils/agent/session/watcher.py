# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher of one gateway: it listens to the container's log, looks each minute, and does what the policy says.

One process per gateway, ``ibgw-watch@<name>.service``. It holds the gateway's lease while it looks and acts. When
another run keeps the lease between two of its tasks, the watcher starts nothing, but still ends what must end. While
somebody else acts, it only prevents unrequested pushes.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import queue
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import playbooks
from ..api import verdicts
from ..api.probe import SETTLE_SECONDS
from ..controller import own_logs
from ..controller.commands import ChannelError
from ..engine.client import EngineError
from ..portal import place
from ..releases import CRITICAL, DAY, NOT_ACCEPTED, WARNING
from ..text import printable
from . import background, descriptor, keeping, lifecycle, plan, policy, spool, watching, week
from .channel_kinds import Alert
from .control import Control, ReleaseRefused
from .delivery import Delivery
from .lease import BusyError
from .publish import Publisher
from .store import PAPER, SIGN_IN, Appointment, Record, Store
from .telling import REPEAT_SECONDS, SEVERITY, Telling

BY = "the watcher"
BUSY_SECONDS = 2.0
# Well within the service manager's limit (WatchdogSec), however long the interval.
LISTEN_SECONDS = 120.0
# Avoids reopening in a tight loop a log that ends while its container runs.
REOPEN_SECONDS = 0.1
SOON_SECONDS = 5.0
# Actions taken even when another run keeps the lease.
ENDS = ("stop", "kill")
# How often certificates' expiries are checked, and the alert thresholds in days.
ENDS_SECONDS = 6 * 3600.0
ENDS_TOLD = {0: "critical", 7: "critical", 21: "warning"}
# How often the gateway's own logs are bounded.
LOGS_SECONDS = 3600.0
# How often to repeat that IBKR will stop accepting a gateway's release.
RELEASE_REPEATS = {WARNING: 7 * DAY, CRITICAL: DAY}
Known = tuple[Any, tuple[Any, int]]
Settings = tuple[descriptor.Descriptor, plan.Plan]
# How often unreadable settings are tried again.
UNREADABLE_SECONDS = 10.0


LOG_GAP = "the log went on past the engine's rotation before it was read: some of its lines were never seen"
LOG_GAP_STEP = "See docker logs of its container; raise gateway_log_max_size where it writes so much rightly."
HELD_STEP = "Stop the gateway, which ends it; if nobody of yours changed the container, change the password at IBKR."
DISK_STEP = "On its host: df -h /var/lib/ibgw, then docker system df. Until there is room no sign-in starts."


def _gaps(log: dict[str, Any] | None) -> int:
    """How often the log of a record has lost lines; 0 if unknown."""
    gaps = (log or {}).get("gaps")
    return gaps if isinstance(gaps, int) else 0


class Watcher:
    """Watch the gateway of *control*; *alive* reports to the service manager, *fault* is a fault of its settings.

    *delivery* may still be sending alerts of the previous watcher, *restarts* says whether systemd had to restart it.
    """

    def __init__(
        self,
        control: Control,
        alive: Callable[[], None] = lambda: None,
        fault: str = "",
        delivery: Delivery | None = None,
        restarts: watching.Restarts | None = None,
    ) -> None:
        self.control, self.alive, self.fault = control, alive, fault
        self.delivery = delivery or Delivery(control.store)
        self.outbox = self.delivery.outbox
        if self.outbox.damage:
            control.store.note("damaged", self.outbox.damage, control.now())
        self._asked_at = self._ends_looked_at = self._logs_bounded_at = float("-inf")
        self._logs_fault = ""
        self._telling = Telling(self.delivery, control.plan, control.descriptor.accounts, self._offered)
        self._interval = float(control.plan.interval)
        self.publisher = Publisher(control, self.outbox, restarts)
        # The watcher has its own API client id: others may connect at the same time.
        control.gateway.endpoint["client_id"] = control.plan.client_id
        # The watcher is in no hurry, and lets the gateway finish.
        control.gateway.endpoint["settle"] = SETTLE_SECONDS

    def run(self, rounds: int | None = None, ended: Callable[[], bool] = lambda: False) -> None:
        """Watch until *ended*, or for this many rounds. No fault of the gateway ends it."""
        with self.control.gateway.listening(), contextlib.closing(self.publisher):
            for _round in itertools.count() if rounds is None else range(rounds):
                self.alive()
                if ended():
                    return
                try:
                    until = self.look()
                except BusyError:
                    self._guard()
                    self._tell_of_another()
                    until = self.control.now() + BUSY_SECONDS
                except Exception as error:  # a watcher that ends cannot alert
                    self._guard()
                    self._tell_of_failure(error)
                    until = self.control.now() + self._interval
                self.alive()
                self.listen(min(until, self.control.now() + LISTEN_SECONDS))

    def _guard(self) -> None:
        """While somebody else acts, and may be stuck, prevent any push without a grant on disk."""
        control, name = self.control, self.control.descriptor.container
        with contextlib.suppress(Exception):  # a failure here must not end the watcher
            # In this order: a sign-in writes the grant first, then starts.
            control.gateway.refresh()
            asks = control.gateway.has_log and control.gateway.summary.asks_for_sign_in
            record = control.store.read()
            if asks and record and record.mode == policy.LIVE and not record.granted(control.now(), SIGN_IN):
                control.engine.kill(name)
                control.store.note("kill", policy.CAUSES["sign_in_asked"].meaning, control.now(), cause="sign_in_asked")

    def _tell_of_another(self) -> None:
        """Alert on a state that the lease's holder has written, such as a dialog in a sign-in."""
        with contextlib.suppress(OSError, ValueError):
            record = self.control.store.read()
            if record:
                self._tell(record, record, urgent=True)
                self.publisher.publish(record)

    def _tell_of_failure(self, error: Exception) -> None:
        """Turn an unexpected failure of a look into a state and an alert; the next look is still tried."""
        now, kind = self.control.now(), type(error).__name__
        self.publisher.tally.looks_failed += 1
        with contextlib.suppress(Exception):
            record = self.control.store.load(self.control.descriptor.mode)
            self.control.store.note("failed", f"the look failed: {kind}: {printable(str(error))}", now)
            policy.fail(record, f"the watcher cannot look at the gateway ({kind})", now)
            with contextlib.suppress(OSError):
                self.control.store.save(record)
            self._telling.put("state/degraded", SEVERITY[record.state], "is degraded", record, now, REPEAT_SECONDS)
            self.delivery.begin(now)
            self.publisher.publish(record, f"the look failed ({kind})")

    def look(self) -> float:
        """Look once, act, and send alerts; return the moment of the next look."""
        control, now, began = self.control, self.control.now, self.control.gateway.clock()
        with control.store.lease.beside(control.owner, "a look") as another:
            gateway = control.gateway
            asked = self._observe()
            record = control.store.load(control.descriptor.mode)
            before = copy.copy(record)
            if not another:
                lifecycle.enable_api(gateway, control.engine)
            look = control.observe(record, asked)
            step = policy.decide(record, look, control.plan, now())
            if step and (not another or step.action in ENDS):
                self._do(step, record)
            if self.fault:
                policy.unreadable(record, self.fault, before, now())
            if record.state != before.state:
                control.store.note("state", record.reason, now(), state=record.state)
            gaps, log = _gaps(record.log), gateway.log_state()
            record.log = log
            if log["gaps"] > gaps:
                control.store.note("log_gap", LOG_GAP, now())
                self._telling.of_fault("log_gap", "lines of its log are lost", LOG_GAP, LOG_GAP_STEP, now())
            amiss = self._save(record)
            if fault := control.withdraw_password(record):
                self._tell_of_password(fault, now())
            next_look = policy.next_moment(record, control.plan, now())
            next_look = min(next_look, now() + max(gateway.turns_at - gateway.clock(), 0.0))
            # The API opens a moment after IBC reports success.
            opens = gateway.summary.usable and gateway.clock() - gateway.phase_since < self._interval
            if opens and record.state != verdicts.READY:
                next_look = min(next_look, now() + SOON_SECONDS)
        if amiss:
            self._telling.of_fault("not_saved", "its state is not kept", amiss, DISK_STEP, now())
        self._tell(before, record, urgent=bool(self.fault) or self.control.gateway.dialog is not None)
        if abs(now() - self._logs_bounded_at) >= LOGS_SECONDS:
            self._logs_bounded_at = now()
            self._bound_logs(now())
        tally = self.publisher.tally
        tally.looks, tally.look_seconds = tally.looks + 1, gateway.clock() - began
        self.publisher.publish(record, amiss)
        return next_look

    def _bound_logs(self, now: float) -> None:
        """Keep the gateway's own logs within their bounds; a directory that cannot be worked in is noted once."""
        control, tally, fault = self.control, self.publisher.tally, ""
        plan = control.plan
        try:
            kept = own_logs.bound(control.descriptor.settings_dir, plan.gateway_log_days, plan.gateway_log_mib, now)
        except OSError as error:
            fault = f"the gateway's own logs cannot be bounded: {error.filename}: {error.strerror}"
        else:
            tally.logs, tally.logs_removed = kept.size, tally.logs_removed + kept.removed
            if kept.files:
                text = f"{kept.files} of the gateway's own logs, {kept.removed / own_logs.MIB:.0f} MiB"
                control.store.note("logs_removed", text, now)
        if fault and fault != self._logs_fault:
            control.store.note("failed", fault, now)
        self._logs_fault = fault

    def _save(self, record: Record) -> str:
        """Save the record; return why that failed, empty where it did not."""
        try:
            self.control.store.save(record)
        except OSError as error:
            return f"the state cannot be written down ({error.strerror})"
        return ""

    def _tell_of_password(self, fault: str, now: float) -> None:
        if self._telling.of_fault("password_held", "its password is not withdrawn", fault, HELD_STEP, now):
            self.control.store.note("password_held", fault, now)

    def _observe(self) -> bool:
        """Look at container and log, and ask the API each minute, or sooner when the log says that it can answer;
        return whether it was asked."""
        gateway = self.control.gateway
        self._refresh(self._known())
        rested = gateway.clock() - self._asked_at
        answered = gateway.verdict is not None and gateway.verdict["api_state"] == "ready"
        soon = gateway.summary.usable and not answered and rested >= SOON_SECONDS
        stands = gateway.container is not None and gateway.container["status"] == "paused"
        # A gateway that may have to be killed now is not ready, and asking a hung API takes seconds.
        urgent = gateway.summary.asks_for_sign_in and not self._may_ask()
        if not gateway.has_log or stands or urgent or not (soon or rested >= self._interval - 1):
            return False
        gateway.ask()
        self._asked_at = gateway.clock()
        return True

    def _may_ask(self) -> bool:
        """Whether the gateway may sign in, and send a push for it."""
        control = self.control
        return not control.live or control.store.load(control.descriptor.mode).granted(control.now(), SIGN_IN)

    def _refresh(self, known: Known) -> None:
        """Look at container and log; the API's last answer stays valid for the same run of the JVM."""
        gateway = self.control.gateway
        verdict, run = known
        gateway.refresh()
        gateway.verdict = verdict if self._known()[1] == run else None

    def _known(self) -> Known:
        """Return the API's last answer, and the JVM run that gave it."""
        gateway = self.control.gateway
        return gateway.verdict, ((gateway.container or {}).get("started_at"), gateway.summary.jvm_runs)

    def _do(self, step: policy.Step, record: Record) -> None:
        control, known = self.control, self._known()
        # Kill first, note later: a push may be less than a second away.
        fault = self._kill() if step.action == "kill" else None
        control.store.note(step.action, step.why, control.now(), cause=step.cause)
        if fault:
            control.store.note("failed", f"kill: {fault}", control.now())
        if step.cause:
            record.blocked, record.grant = step.cause, None
            record.count(f"blocked_{step.cause}")
        try:
            match step.action:
                case "stop":
                    control.end(record)
                case "kill" if not fault:
                    record.grant = None
                case "restart":
                    record.healed_at = control.now()
                    control.store.save(record)
                    lifecycle.request_restart(control.gateway, control.engine)
                case "start":
                    self._start(step, record)
                case "announce" | "sign_in" | "miss" if step.appointment:
                    self._appointment(step, step.appointment, record)
        except (lifecycle.SessionError, ChannelError, EngineError, OSError) as error:
            control.store.note("failed", f"{step.action}: {error}", control.now())
            if isinstance(error, ReleaseRefused):
                record.blocked = NOT_ACCEPTED
            if isinstance(error, lifecycle.NoPasswordError) and record.window_starts >= policy.WINDOW_STARTS:
                record.blocked = "no_password"
        if step.action in ("stop", "kill") and not step.cause:
            record.stopped_by = policy.PLANNED
        self._refresh(known)
        control.observe(record, asked=False)

    def _kill(self) -> EngineError | None:
        """Kill the container now; return why that failed."""
        try:
            self.control.engine.kill(self.control.descriptor.container)
        except EngineError as error:
            return error
        return None

    def _start(self, step: policy.Step, record: Record) -> None:
        grant = step.grant
        if grant and grant.kind == PAPER:
            first = grant.window > record.served_window
            record.served_window, record.window_starts = grant.window, 1 if first else record.window_starts + 1
            if not first:
                key = f"ended/{grant.window:.0f}/started_again"
                what, does = "it ended by itself in its session", "It is started once more: ibgwctl history."
                self._telling.of_fault(key, what, record.reason, does, self.control.now())
        self.control.begin(record, grant)

    def _appointment(self, step: policy.Step, found: Appointment, record: Record) -> None:
        """Announce the sign-in that is due by appointment, have systemd begin it, or say why it is left out."""
        control, wanted, fault = self.control, self.control.plan, step.why
        if step.action == "announce":
            record.appointment = found
            text = f"{step.why[:1].upper()}{step.why[1:]}, with {wanted.pushes} pushes at most. Have the phone at hand."
            does = (
                f"ibgwctl later {record.gateway} puts it off by an hour, ibgwctl skip {record.gateway} leaves it out."
            )
            self._put_appointment(
                f"{found.of:.0f}/{found.at:.0f}", "will need the phone", text, does, ("later", "skip")
            )
            return
        # Settled before it begins: whatever comes then, it is not tried again.
        keeping.settle(record, found)
        control.store.save(record)
        if step.action == "sign_in":
            until = f"{keeping.deadline(found, wanted):.0f}"
            fault = background.begin("sign-in", record.gateway, "--by", step.why, "--until", until)
        if fault:
            text = f"The appointment on {keeping.words(found, wanted)} is not kept: {fault}."
            self._put_appointment(f"{found.of:.0f}/missed", "does not sign in by itself", text, policy.SIGN_IN_STEP)

    def _put_appointment(
        self, key: str, what: str, text: str, next_step: str, actions: tuple[str, ...] = ("sign_in", "later")
    ) -> None:
        name, host, now = self.control.descriptor.name, self.control.plan.host, self.control.now()
        title = f"{name} on {host} {what}" if host else f"{name} {what}"
        self.outbox.put(Alert(f"appointment/{key}", name, host, "warning", title, text, next_step, now, actions))

    def listen(self, until: float) -> None:
        """Return when a log line or a start may change a decision, or at the moment *until*, also if the wall clock is
        set meanwhile."""
        gateway, control = self.control.gateway, self.control
        deadline = gateway.clock() + until - control.now()

        def rest() -> float:
            return max(deadline - gateway.clock(), 0.0)

        if gateway.has_log:
            before = self._heard()
            while rest() and self._heard() == before:
                if not gateway.listen(rest()):
                    gateway.sleep(REOPEN_SECONDS)
                    return
            return
        name = control.descriptor.container
        try:
            with control.engine.starts(name, rest()) as starts, contextlib.suppress(queue.Empty):
                starts.get(timeout=rest())
        except EngineError:
            gateway.sleep(min(BUSY_SECONDS, rest()))

    def _heard(self) -> tuple[object, ...]:
        summary = self.control.gateway.summary
        return (
            summary.phase,
            summary.jvm_runs,
            summary.pushes,
            summary.finding,
            summary.asks_for_sign_in,
            summary.open_dialog,
        )

    def _tell(self, before: Record, record: Record, urgent: bool = False) -> None:
        """Queue due alerts, and send the queue."""
        now = self.control.now()
        self._telling.of_state(before, record, now, urgent)
        self._telling.of_restarts(self.publisher.restarts, now)
        if record.mode == policy.LIVE:
            self._remind(record, now)
        for alert in spool.take(self.control.store.directory):
            self.outbox.put(alert)
        self._tell_of_release(record, now)
        if abs(now - self._ends_looked_at) >= ENDS_SECONDS:
            self._ends_looked_at = now
            self._tell_of_ends(record, now)
        self.delivery.begin(now)

    def _remind(self, record: Record, now: float) -> None:
        signed_in = policy.moment(record.signed_in_at) if record.signed_in_at else None
        deadline = self.control.plan.sign_in_deadline
        # The outbox takes the same reminder once.
        key = week.reminder_due(policy.moment(now), signed_in, deadline, ())
        again = 0 < record.remind_at <= now < record.remind_at + REPEAT_SECONDS and record.valid_until is None
        for each in filter(None, (key, f"{record.remind_at:.0f}" if again else None)):
            self._telling.put(f"reminder/{each}", "warning", "needs its weekly sign-in", record, now)

    def _tell_of_release(self, record: Record, now: float) -> None:
        """Queue an alert that IBKR will stop accepting the release: at once, and as critical in the last seven days.

        Keyed by severity, not by date, so that a gateway that announces a new date each time cannot flood the alerts.
        """
        ends, name, host = self.control.gateway.release(now), record.gateway, self.control.plan.host
        if repeat := RELEASE_REPEATS.get(ends.severity):
            title = " on ".join(filter(None, (name, host))) + f": {ends.text}"
            alert = Alert(f"release/{ends.severity}", name, host, ends.severity, title, "", ends.next_step, now)
            self.outbox.put(alert, repeat)

    def _tell_of_ends(self, record: Record, now: float) -> None:
        """Queue alerts for expiring certificates of access method mtls: each once at 21 days, at 7 and at expiry."""
        place = os.path.join(descriptor.ROOT, record.gateway, "mtls")
        if not os.path.isdir(place):
            return
        from . import health  # and ssl with it, only where there are certificates

        self.publisher.tally.ends.clear()
        for found in health.certificates(now, place):
            self.publisher.tally.certificate(found["path"], found["ends_at"])
            days, file = found["days_left"], os.path.basename(found["path"])
            due = [limit for limit in ENDS_TOLD if days is not None and days < limit]
            if due:
                what = f"{file} of mutual TLS {f'ends in {days:.0f} days' if days >= 0 else 'has ended'}"
                title = " on ".join(filter(None, (record.gateway, self.control.plan.host))) + f": {what}"
                text = "Then no client of mutual TLS is accepted."
                step = f"{playbooks.SITE} renews it; replace a CA (ca.crt) by hand, docs/how-to/access.md."
                key = f"ends/{file}/{found['ends_at']:.0f}/{due[0]}"
                alert = Alert(key, record.gateway, self.control.plan.host, ENDS_TOLD[due[0]], title, text, step, now)
                self.outbox.put(alert)

    def _offered(self, record: Record, now: float) -> tuple[str, ...]:
        running = bool((self.control.gateway.container or {}).get("running"))
        return policy.offered(record, running, now)


def notifier() -> Callable[[str], None]:
    """Return a function that reports the service's state to systemd (sd_notify(3)); without systemd it does nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return lambda _text: None
    address = "\0" + address[1:] if address.startswith("@") else address

    def notify(text: str) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(text.encode(), address)

    return notify


def stamp(name: str) -> tuple[object, ...]:
    """Return a fingerprint that changes whenever the settings of gateway *name* are rewritten."""
    found: list[object] = []
    for path in (descriptor.path(name), plan.path(name), place.path(name)):
        try:
            status = os.stat(path)
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
        except OSError as error:
            found.append(error.errno)
    return tuple(found)


def settings(name: str, good: Settings | None) -> tuple[Settings | None, str]:
    """Return the descriptor and the plan of gateway *name*, and the faults of their files.

    Unreadable settings are replaced by those last *good*, or by a plan that starts nothing. None without a descriptor,
    now or before.
    """
    try:
        found, fault = descriptor.load(name), ""
    except descriptor.DescriptorError as error:
        return good, str(error)
    wanted, fault = plan.load_or_default(name)
    return (found, good[1] if fault and good else wanted), fault


def tell_unreadable(delivery: Delivery, fault: str, now: float) -> None:
    """Turn a gateway that cannot be watched into a state and an alert, over the readable channels."""
    memory = delivery.store
    with memory.lease.held(BY, "a look"):
        record = memory.load("")
        before = copy.copy(record)
        policy.unreadable(record, fault, before, now)
        if before.reason != fault:
            memory.note("state", fault, now, state=record.state)
        memory.save(record)
    title = f"{memory.name} cannot be watched"
    alert = Alert("state/degraded", memory.name, "", "warning", title, fault, record.next_step, now)
    delivery.outbox.put(alert, REPEAT_SECONDS)
    delivery.begin(now)


def watch(name: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Watch gateway *name* until the process ends; raises DescriptorError for an invalid name.

    Unreadable settings are a state and an alert; they are read again whenever their files change.
    """
    notify, restarts = notifier(), watching.Restarts(name)
    if os.path.exists(place.path(name)):
        _watch_portal(name, notify, sleep, restarts)
    delivery = Delivery(Store(name))
    good: Settings | None = None
    notify("READY=1")
    while True:
        seen = stamp(name)
        good, fault = settings(name, good)
        if good:
            control = Control(*good, by=BY)
            watcher = Watcher(control, lambda: notify("WATCHDOG=1"), fault, delivery, restarts)
            watcher.run(ended=partial(_changed, name, seen))
            continue
        while not _changed(name, seen):
            notify("WATCHDOG=1")
            with contextlib.suppress(BusyError, OSError):
                tell_unreadable(delivery, fault, time.time())
            sleep(UNREADABLE_SECONDS)


def _watch_portal(
    name: str, notify: Callable[[str], None], sleep: Callable[[float], None], restarts: watching.Restarts
) -> None:
    """Watch the Client Portal Gateway *name* until the process is ended; settings are read again when they change."""
    from ..portal.watcher import PortalWatcher  # only there: TLS, and a websocket

    delivery = Delivery(Store(name))
    notify("READY=1")
    while True:
        seen, wanted = stamp(name), plan.load_or_default(name)[0]
        try:
            watcher = PortalWatcher(name, wanted, delivery=delivery, restarts=restarts)
        except (OSError, ValueError) as error:
            with contextlib.suppress(BusyError, OSError):
                tell_unreadable(delivery, str(error), time.time())
            notify("WATCHDOG=1")
            sleep(UNREADABLE_SECONDS)
        else:
            watcher.run(lambda: notify("WATCHDOG=1"), partial(_changed, name, seen), sleep)


def _changed(name: str, before: tuple[object, ...]) -> bool:
    return stamp(name) != before
