# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determine the state of one gateway from its container, its log and its API."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .. import playbooks
from ..api import verdicts
from ..api.probe import ATTEMPT_SECONDS, probe
from ..controller import ibc, milestones, promises
from ..controller.findings import FINDINGS
from ..controller.marks import Controller
from ..engine.client import Engine, EngineError, LateError, NotFoundError
from ..engine.log import Log
from ..releases import Outlook, outlook
from ..text import printable
from . import store
from .descriptor import Descriptor

REVISION_LABEL = "ibops.gateway.revision"
# Label of a network for a gateway's clients; its value is the gateway's name.
NETWORK_LABEL = "ibops.gateway.clients"
# The gateway's release, in the image's environment.
RELEASE_VARIABLE = "IB_GATEWAY_VERSION"
# Exit code of a process ended by SIGTERM.
TERMINATED = 143
_PHASES = {
    milestones.NO_RUN: "the container has started, the gateway's JVM not yet",
    milestones.LAUNCHED: "the gateway's JVM has started and shows no login window yet",
    milestones.LOGIN_WINDOW: "the login window is open",
    milestones.SIGNING_IN: "the sign-in is under way",
    milestones.WAITING_2FA: "a push was sent and waits for approval",
    milestones.ANSWERED: "the push was answered, and the sign-in has not completed: it was denied, or IBKR is slow",
    milestones.LAPSED: "the push's time is over; one that was approved at the last moment would still sign in",
    milestones.SIGNED_IN: "the sign-in has completed, the API settings are being applied",
    milestones.CONFIGURED: "the controller has completed its configuration",
    milestones.ENDED: "the gateway's JVM has ended in a running container",
    milestones.PAUSED: "the gateway is paused: its sign-in is kept",
}
# A start that stays in one phase for this many seconds has stalled: IBC waits without end at a dialog that it does not
# know.
STALL_SECONDS = 180.0
# A push lives for three minutes.
_STALL_SECONDS = {milestones.ENDED: 45.0, milestones.ANSWERED: 60.0, milestones.WAITING_2FA: 240.0}
# An approval in a push's last seconds looks like a missed push until the sign-in continues; IBC begins another sign-in
# by itself after five seconds.
LAPSE_SECONDS, LAPSE_SECONDS_AGAIN = 20.0, 4.0
# The next step for a hung gateway, alone or after another step.
_RESTART = verdicts.describe("unresponsive").next_step
APPROVE = "Approve it on the phone within three minutes."
SWITCH_ON = (
    f"Switch on Enable ActiveX and Socket Clients in TWS (Global Configuration, API, Settings; {playbooks.DESKTOP})."
)
TYPE_IT = f"Type it there before the sign-in ends: {playbooks.DESKTOP} opens the window."
_SIGN_IN_ANEW = f"If it does not go on: {playbooks.LIVE_SIGNIN}, with the phone at hand."
# A dialog that stays open this long in a sign-in is one that IBC does not know.
DIALOG_SECONDS = 10.0
NO_ENGINE = "See systemctl status docker; running containers stay."
# How many processes of a container are inspected.
MAX_PROCESSES = 200


@dataclass(frozen=True)
class Judgement:
    """The state of a gateway (one of :data:`.states.GATEWAY_STATES`) with its reason and the next step for a person;
    *final* when waiting cannot make it ready."""

    state: str
    reason: str
    next_step: str
    final: bool = False
    # The code that a person has to type in the window: a name of milestones.TYPED.
    wanted: str = ""


def judge(container: dict[str, Any] | None, summary: milestones.Summary, verdict: dict[str, Any] | None) -> Judgement:
    """Combine the three observations; None stands for one that could not, or need not, be made."""
    if container is not None and not container["running"]:
        return _not_running(container, summary)
    answers = verdict is not None and verdict["api_state"] == "ready"
    if container is not None and container["status"] == "paused":
        step = f"docker unpause {container['name']}: it goes on where it stands. A stop lets it go on first."
        return Judgement(verdicts.DEGRADED, "its container is paused (docker pause): its processes stand still", step)
    if container is not None and container["frozen"] and not answers:
        reason = (
            f"its process {container['frozen']} is frozen: it was stopped by a signal (SIGSTOP) and has not gone on"
        )
        step = f"docker kill -s CONT {container['name']} lets the main process go on; else stop it and start it."
        return Judgement(verdicts.DEGRADED, reason, step)
    if verdict is not None and (verdict["final"] or verdict["api_state"] == "ready"):
        return _by_api(verdict)
    if summary.finding is not None:
        row = FINDINGS[summary.finding]
        said = f" ({summary.last_error})" if summary.last_error else ""
        return Judgement(verdicts.BLOCKED, row.meaning + said, row.next_step, final=True)
    starting = verdict is None or verdicts.describe(verdict["api_state"]).state == verdicts.STARTING
    if summary.phase == milestones.WAITING_2FA and starting:
        return Judgement(
            verdicts.WAITING_2FA,
            f"{_PHASES[summary.phase]} (push {summary.pushes} of this start)",
            APPROVE,
        )
    if verdict is None:
        return Judgement(verdicts.STARTING, _doing(summary), "Wait for the sign-in.")
    if starting and container is not None:
        state = verdicts.DEGRADED if summary.usable else verdicts.STARTING
        signing_in = summary.phase in (milestones.LOGIN_WINDOW, milestones.SIGNING_IN)
        dialog = f'; the last dialog is entitled "{summary.last_dialog}"' if signing_in and summary.last_dialog else ""
        return Judgement(state, f"{_doing(summary)}{dialog}; {verdict['reason']}", verdict["next_step"])
    if verdict["api_state"] == "link_down" and summary.contested:
        elsewhere = verdicts.SIGNED_IN_ELSEWHERE
        reason = f"{elsewhere.meaning} (dialog {summary.last_dialog!r})"
        return Judgement(elsewhere.state, reason, elsewhere.next_step)
    return _by_api(verdict)


def _doing(summary: milestones.Summary) -> str:
    idles = f"; it waits {summary.idles} s for the end of IBKR's nightly maintenance" if summary.idles else ""
    return _PHASES[summary.phase] + idles


def _by_api(verdict: dict[str, Any]) -> Judgement:
    row = verdicts.describe(verdict["api_state"])
    return Judgement(row.state, verdict["reason"], verdict["next_step"], verdict["final"])


_STATUSES = {
    "created": ("has never been started", "Start it."),
    "removing": ("is being removed", f"Wait until it is gone, then run {playbooks.SITE}."),
    "dead": ("is dead: Docker could not remove it whole", f"docker rm -f it, then run {playbooks.SITE}."),
}


def _not_running(container: dict[str, Any], summary: milestones.Summary) -> Judgement:
    if not container["exists"]:
        return Judgement(
            verdicts.STOPPED, "its container does not exist", f"Run {playbooks.SITE} to create it.", final=True
        )
    if container["status"] == "restarting":
        return Judgement(verdicts.STARTING, "Docker is about to start the container again", "Wait for the sign-in.")
    if container["status"] != "exited":
        meaning, step = _STATUSES.get(container["status"], (f"is {container['status']}", "See docker inspect of it."))
        return Judgement(verdicts.STOPPED, f"its container {meaning}", step, final=True)
    reason = f"its container has exited with code {container['exit_code']}"
    if container["exit_meaning"]:
        reason += f" ({container['exit_meaning']})"
    row = FINDINGS.get(summary.finding or "")
    if row is not None:
        return Judgement(verdicts.STOPPED, f"{reason}: {row.meaning}", row.next_step, final=True)
    ended = container["exit_code"] in (0, 137, 143) or container["exit_meaning"] == ibc.UNDER_JAVA
    step = "Start it." if ended else "Look at the container's log, then start it."
    return Judgement(verdicts.STOPPED, reason, step, final=True)


class Gateway:
    """One gateway under observation: an API endpoint and, for a deployed gateway, its container and log.

    *endpoint* holds the arguments of :func:`.probe.probe` (host, port, …). Without *descriptor*, or without a reachable
    engine, there is only the endpoint; :attr:`engine_fault` says why.
    """

    def __init__(
        self,
        endpoint: dict[str, Any],
        descriptor: Descriptor | None = None,
        engine: Engine | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint, self.descriptor = endpoint, descriptor
        self.clock, self._now, self.sleep = clock, now, sleep
        self._engine = engine
        self.engine_fault: str | None = None
        self.container: dict[str, Any] | None = None
        # Looked up at each call, since tests replace them by a driven clock.
        self._log = Log(lambda: self.clock(), lambda: self._now(), self.driver)  # pylint: disable=unnecessary-lambda
        self._recalled = self._listening = False
        self.verdict: dict[str, Any] | None = None
        self.attempts = 0
        # When TWS's API was asked for in this run of the JVM (lifecycle.enable_api).
        self.enable_requests: list[float] = []

    # The log is what a sign-in is followed by.
    reads_log = True

    @property
    def driver(self) -> Controller:
        """The table of its controller, or IBC's without a descriptor."""
        return self.descriptor.driver if self.descriptor else ibc.IBC

    @property
    def summary(self) -> milestones.Summary:
        return self._log.summary

    @property
    def has_log(self) -> bool:
        return bool(self.container and self.container["running"] and not self.engine_fault)

    def refresh(self) -> None:
        """Inspect the container and read new log lines; the endpoint is left alone."""
        if self.descriptor is None:
            return
        if not self._recalled:
            self._recalled = True
            self._log.recall(store.Store(self.descriptor.name).log())
        try:
            self._engine = self._engine or Engine()
            try:
                self._refresh(self._engine, self.descriptor)
            except LateError:
                raise
            except EngineError:
                # Somebody may have replaced or removed the container between two requests.
                self._log.close()
                self._refresh(self._engine, self.descriptor)
        except EngineError as error:
            self._log.close()
            self.engine_fault, self.container = str(error), None

    def _refresh(self, engine: Engine, wanted: Descriptor) -> None:
        self.container = container_facts(engine, wanted.container)
        self.engine_fault = None
        if self.container["exists"] and self.container["started_at"]:
            runs = (self._log.started_at, self.summary.jvm_runs)
            self._log.read_on(engine, self.container, self._listening)
            if (self._log.started_at, self.summary.jvm_runs) != runs:
                self._run_anew()
            if wanted.program == "tws" and self.container["exit_code"] == 0:
                self.container["exit_code"] = self._desktops_exit_code()
            self.container["exit_meaning"] = self._exit_meaning(self.container["exit_code"])
        if not self.has_log:
            self._log.close()

    def _desktops_exit_code(self) -> int:
        """IBC's exit code, from its log: the desktop image's init exits with 0 whatever IBC's code, and on SIGTERM
        too."""
        summary = self.summary
        if summary.jvm_runs and summary.phase not in (milestones.ENDED, milestones.PAUSED):
            return TERMINATED
        return summary.exit_codes[-1] if summary.exit_codes else 0

    def _exit_meaning(self, code: int | None) -> str | None:
        if code is None:
            return None
        after = self.driver.exit_codes_after_start.get(code) if self.summary.jvm_runs else None
        return after or self.driver.exit_codes.get(code)

    def deployed(self) -> Descriptor:
        """Return the descriptor; for managed gateways only."""
        if self.descriptor is None:
            raise ValueError("this gateway is an endpoint only")
        return self.descriptor

    def seen(self) -> dict[str, Any]:
        """Inspect the container and return its facts; EngineError when the engine does not answer."""
        self.refresh()
        if self.container is None:
            raise EngineError(self.engine_fault)
        return self.container

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the log stream open between looks, for :meth:`listen`."""
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
            self._log.close()

    def listen(self, timeout: float) -> bool:
        """Wait for log lines, at most *timeout* seconds, and read them; without a log, only wait.

        Returns whether the log goes on; if not, it has ended or was never read, and a refresh tells more.
        """
        if not self.has_log:
            self.sleep(timeout)
            return True
        runs = self.summary.jvm_runs
        goes_on = self._log.listen(timeout)
        if self.summary.jvm_runs != runs:
            self._run_anew()
        return goes_on

    def _run_anew(self) -> None:
        self.verdict, self.enable_requests = None, []

    def log_state(self) -> dict[str, Any]:
        """Return the log's summary and cursor for the state file."""
        return self._log.as_state()

    @property
    def phase_since(self) -> float:
        return self._log.phase_since

    @property
    def dialog(self) -> str | None:
        """The title of a dialog in the sign-in that waits for a person."""
        title = self.summary.open_dialog if self.summary.phase in milestones.SIGN_IN_PHASES else None
        return title if title is not None and self.clock() - self._log.dialog_since >= DIALOG_SECONDS else None

    @property
    def finding(self) -> str | None:
        """The finding in the log that keeps the gateway from becoming ready, a key of findings.FINDINGS."""
        if self.summary.finding is None and self.lapsed and not self.summary.tries_again:
            return "push_missed"
        return self.summary.finding or ("stale_token" if self.mode == "paper" and self._on_stale_token() else None)

    @property
    def lapsed(self) -> bool:
        """Whether a push has expired, long enough ago to rule out an approval at the last moment."""
        return self.summary.phase == milestones.LAPSED and self.clock() >= self._lapses_at

    @property
    def _lapses_at(self) -> float:
        return self.phase_since + (LAPSE_SECONDS_AGAIN if self.summary.tries_again else LAPSE_SECONDS)

    @property
    def pushes_missed(self) -> int:
        return self.summary.pushes_missed + self.lapsed

    @property
    def turns_at(self) -> float:
        """When, by :attr:`clock`, the same log will lead to another state; infinite if never."""
        moments = [math.inf]
        signing_in = self.summary.phase in milestones.SIGN_IN_PHASES
        if signing_in and self.summary.open_dialog is not None and self.dialog is None:
            moments.append(self._log.dialog_since + DIALOG_SECONDS)
        if self.summary.phase == milestones.LAPSED and not self.lapsed:
            moments.append(self._lapses_at)
        return min(moments)

    @property
    def mode(self) -> str | None:
        return self.descriptor.mode if self.descriptor else None

    def _on_stale_token(self) -> bool:
        waits = self.summary.phase in (milestones.LAUNCHED, milestones.LOGIN_WINDOW)
        return self.summary.on_token and waits and self._stalled()

    def _stalled(self) -> bool:
        patience = _STALL_SECONDS.get(self.summary.phase, STALL_SECONDS) + self.summary.idles
        return self.has_log and self.clock() - self.phase_since >= patience

    def ask(self, timeout: float = ATTEMPT_SECONDS) -> None:
        """Probe the API once and keep the verdict."""
        self.verdict = probe(**self.endpoint, timeout=timeout)
        self.attempts += 1

    def look(self, timeout: float = ATTEMPT_SECONDS, ask: bool = True) -> None:
        """Look once at container, log and, unless told otherwise, the API."""
        self.refresh()
        if ask:
            self.ask(timeout)

    def judgement(self) -> Judgement:
        if self.engine_fault and self.verdict is None:
            return Judgement(verdicts.DEGRADED, self.engine_fault, NO_ENGINE)
        found = self._by_controller(judge(self.container, self.summary, self.verdict))
        if not self.has_log or found.final:
            return found
        if self._log.behind:
            return Judgement(
                verdicts.DEGRADED,
                "its log is written faster than it can be read, so that its state is not known",
                "See docker logs --tail 50 of its container; stop it where that is nothing that it should say.",
            )
        if found.state == verdicts.READY:
            return self._by_settings(found)
        if found.state not in (verdicts.STARTING, verdicts.WAITING_2FA):
            return found
        if self.lapsed and not self.summary.tries_again:
            row = FINDINGS["push_missed"]
            return Judgement(verdicts.BLOCKED, row.meaning, row.next_step, final=True)
        if self._on_stale_token():
            row = FINDINGS["stale_token"]
            if self.mode == "paper":
                return Judgement(verdicts.BLOCKED, row.meaning, row.next_step, final=True)
            # Only a person gives up a live gateway's sign-in.
            return Judgement(verdicts.DEGRADED, row.meaning, _SIGN_IN_ANEW)
        if self.dialog in milestones.TYPED:
            name, wanted = milestones.TYPED[self.dialog]
            reason = f"{name}: IBKR asks for {wanted}, in a dialog of the gateway's window"
            return replace(found, state=verdicts.DEGRADED, reason=reason, next_step=TYPE_IT, wanted=name)
        if self.dialog is not None:
            reason, step = (
                f'a dialog entitled "{self.dialog}" waits in the sign-in: {found.reason}',
                verdicts.OPERATOR_LOOK,
            )
            if self.summary.release_notice:
                ends = self.release(self._now())
                reason = f'a dialog entitled "{self.dialog}" waits in the sign-in; it announces: {ends.text}'
                step = f"Press its OK ({playbooks.DESKTOP}). {ends.next_step}"
            return replace(found, state=verdicts.DEGRADED, reason=reason, next_step=step)
        if self._stalled():
            reason, step = f"its start has stalled: {found.reason}", verdicts.OPERATOR_LOOK
            if self.summary.phase == milestones.WAITING_2FA:
                reason += (
                    "; IBKR may ask for a code, a card or a passkey in that dialog, of which a push is only one kind"
                )
                step = TYPE_IT
            return replace(found, state=verdicts.DEGRADED, reason=reason, next_step=step)
        return found

    def _by_controller(self, found: Judgement) -> Judgement:
        """Adapt *found* to another controller than IBC (no restart by command, a push before it is named), and to an
        API that IBC did not switch on."""
        if not promises.basis(self.driver, promises.RESTART).kept:
            instead = promises.basis(self.driver, promises.RESTART).instead
            found = replace(found, next_step=found.next_step.replace(_RESTART, instead))
        unnamed = self.driver.names_pushes_late and self.mode == "live" and self.summary.phase == milestones.SIGNING_IN
        if unnamed and found.state == verdicts.STARTING:
            reason = (
                "user and password are entered: a push may be on the phone, and the log names it 25 s later, or never"
            )
            return replace(found, state=verdicts.WAITING_2FA, reason=reason, next_step=APPROVE)
        if self.enable_requests and (self.verdict or {}).get("api_state") == "proxy_up_gateway_down":
            return replace(found, next_step=SWITCH_ON)
        return found

    def _by_settings(self, found: Judgement) -> Judgement:
        """Degrade a gateway whose API is read-only against the inventory, or writable against it."""
        wanted = self.descriptor.read_only_api if self.descriptor else None
        refused = self.summary.write_refused or (self.verdict or {}).get("read_only")
        is_so = True if refused else self.summary.read_only
        if wanted is None or is_so is None or is_so == wanted:
            return found
        return Judgement(
            verdicts.DEGRADED,
            f"its API is {'' if is_so else 'not '}read-only, and gateway_read_only_api is {str(wanted).lower()}",
            f"Apply the setting: a new start (live: {playbooks.LIVE_SIGNIN}), or correct gateway_read_only_api.",
        )

    def release(self, now: float) -> Outlook:
        """Return until when IBKR accepts the gateway's release, by IBKR's announcement, else by the table. *now* is in
        epoch seconds."""
        announced = (self.verdict or {}).get("release_notice") or self.summary.release_notice
        return outlook((self.container or {}).get("release") or self.summary.gateway_version, announced, now)

    def report(self) -> dict[str, Any]:
        """Return all that is known, JSON-ready; ``api_state`` is None when the API was not asked."""
        judgement = self.judgement()
        api = self.verdict or dict.fromkeys(
            (
                "api_state",
                "server_version",
                "connection_time",
                "account_count",
                "account_fault",
                "next_valid_id",
                "read_only",
                "release_notice",
                "clock_skew",
                "notice_count",
            )
        )
        report = {
            "notices": [],
            "farms": {},
            "timings": {},
            "accounts": [],
            **api,
            "attempts": self.attempts,
            "host": self.endpoint.get("host"),
            "port": self.endpoint.get("port"),
            "reason": judgement.reason,
            "next_step": judgement.next_step,
            "final": judgement.final,
            "release": self.release(self._now())._asdict(),
        }
        if self.descriptor is None:
            return report
        wanted = self.descriptor.revision
        return {
            **report,
            "state": judgement.state,
            "gateway_name": self.descriptor.name,
            "mode": self.descriptor.mode,
            "container": self.container,
            "engine": {"reachable": self.engine_fault is None, "reason": self.engine_fault},
            "pending": bool(self.container and self.container["running"] and self.container["revision"] != wanted),
            "milestones": {
                **self.summary.as_dict(),
                "pushes_missed": self.pushes_missed,
                "finding": self.finding,
                "log_gaps": self._log.gaps,
            },
        }


def container_facts(engine: Engine, name: str) -> dict[str, Any]:
    """Inspect container *name*; None where it does not exist.

    exists, running (it has processes, paused or not), status, frozen (a process that a signal has stopped), exit_code
    and exit_meaning (once ended), started_at, finished_at (of the previous run, while it runs), stop_grace (seconds),
    id, image, release (the gateway's, from the image's environment), revision, networks.
    """
    names = (
        "id",
        "status",
        "frozen",
        "stop_grace",
        "exit_code",
        "exit_meaning",
        "started_at",
        "finished_at",
        "image",
        "release",
        "revision",
        "networks",
    )
    facts: dict[str, Any] = dict.fromkeys(names)
    facts.update(name=name, exists=False, running=False)
    try:
        found = engine.inspect(name)
    except NotFoundError:
        return facts
    state, config = found["State"], found["Config"]
    facts.update(
        exists=True,
        id=found["Id"],
        running=state["Status"] in ("running", "paused"),
        status=printable(state["Status"], 40),
        stop_grace=config.get("StopTimeout"),
        image=config["Image"],
        release=variables(config.get("Env")).get(RELEASE_VARIABLE),
        revision=(config.get("Labels") or {}).get(REVISION_LABEL),
        networks=sorted(found["NetworkSettings"]["Networks"]),
    )
    for fact, key in (("started_at", "StartedAt"), ("finished_at", "FinishedAt")):
        if not state[key].startswith("0001-"):
            facts[fact] = state[key]
    if facts["status"] in ("exited", "dead"):
        facts["exit_code"] = state["ExitCode"]
    if facts["status"] == "running":
        facts["frozen"] = frozen(state.get("Pid") or 0)
    return facts


def variables(environment: list[str] | None) -> dict[str, str]:
    """Return an environment as the engine reports it, by name; values are cut to 200 printable characters."""
    return {name: printable(value) for name, _sign, value in (each.partition("=") for each in environment or [])}


def frozen(pid: int) -> str | None:
    """Return the name of a process that a signal has stopped: process *pid* of this host, or one below it.

    None where there is none, or where the kernel does not say.
    """
    waiting = [pid] if pid > 0 else []
    for at in range(MAX_PROCESSES):
        if at >= len(waiting):
            break
        with contextlib.suppress(OSError, ValueError, IndexError):
            place = f"/proc/{waiting[at]}"
            with open(f"{place}/stat", encoding="utf-8", errors="replace") as file:
                name, _end, rest = file.read(1000).partition("(")[2].rpartition(")")
            if rest.split()[0] == "T":
                return printable(name, 40)
            with open(f"{place}/task/{waiting[at]}/children", encoding="ascii") as file:
                waiting.extend(int(child) for child in file.read(10000).split())
    return None
