# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one gateway, from what its container, its log and its API show."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from . import milestones, states
from .descriptor import Descriptor
from .engine import Engine, EngineError, NotFoundError
from .probe import ATTEMPT_SECONDS, probe

REVISION_LABEL = "ibops.gateway.revision"
# Of a network of a gateway's clients; its value is the gateway's name.
NETWORK_LABEL = "ibops.gateway.clients"
_EPOCH = datetime.fromtimestamp(0, UTC)
_PHASES = {
    milestones.NO_RUN: "the container has started, the gateway's JVM not yet",
    milestones.LAUNCHED: "the gateway's JVM has started and shows no login window yet",
    milestones.LOGIN_WINDOW: "the login window is open",
    milestones.SIGNING_IN: "the sign-in is under way",
    milestones.WAITING_2FA: "a push was sent and waits for approval",
    milestones.SIGNED_IN: "the sign-in has completed, the API settings are being applied",
    milestones.CONFIGURED: "IBC has completed its configuration",
    milestones.ENDED: "the gateway's JVM has ended in a running container",
    milestones.PAUSED: "the gateway is paused: its sign-in is kept",
}
# A start that stays in one phase for so many seconds has stalled: IBC waits for what it does not know, for ever.
STALL_SECONDS = 180.0
_STALL_SECONDS = {milestones.ENDED: 45.0}


@dataclass(frozen=True)
class Judgement:
    """The state of a gateway (one of :data:`.states.GATEWAY_STATES`) with its reason and what a person does next;
    *final* when waiting cannot make it ready."""

    state: str
    reason: str
    next_step: str
    final: bool = False


def judge(container: dict[str, Any] | None, summary: milestones.Summary, verdict: dict[str, Any] | None) -> Judgement:
    """Weigh the three observations; None stands for one that could not, or need not, be made."""
    if container is not None and not container["running"]:
        return _not_running(container, summary)
    if verdict is not None and (verdict["final"] or verdict["api_state"] == "ready"):
        return _by_api(verdict)
    if summary.finding is not None:
        row = states.FINDINGS[summary.finding]
        said = f" ({summary.last_error})" if summary.last_error else ""
        return Judgement(row.state, row.meaning + said, row.next_step, row.final)
    starting = verdict is None or states.describe(verdict["api_state"]).state == states.STARTING
    if summary.phase == milestones.WAITING_2FA and starting:
        return Judgement(
            states.WAITING_2FA,
            f"{_PHASES[summary.phase]} (push {summary.pushes} of this start)",
            "Approve it on the phone within three minutes.",
        )
    if verdict is None:
        return Judgement(states.STARTING, _PHASES[summary.phase], "Wait for the sign-in.")
    if starting and container is not None:
        state = states.DEGRADED if summary.usable else states.STARTING
        signing_in = summary.phase in (milestones.LOGIN_WINDOW, milestones.SIGNING_IN)
        dialog = f"; the last dialog is entitled {summary.last_dialog}" if signing_in and summary.last_dialog else ""
        return Judgement(state, f"{_PHASES[summary.phase]}{dialog}; {verdict['reason']}", verdict["next_step"])
    if verdict["api_state"] == "link_down" and summary.contested:
        row = states.SIGNED_IN_ELSEWHERE
        return Judgement(row.state, f"{row.meaning} (dialog {summary.last_dialog})", row.next_step)
    return _by_api(verdict)


def _by_api(verdict: dict[str, Any]) -> Judgement:
    row = states.describe(verdict["api_state"])
    return Judgement(row.state, verdict["reason"], verdict["next_step"], verdict["final"])


def _not_running(container: dict[str, Any], summary: milestones.Summary) -> Judgement:
    if not container["exists"]:
        return Judgement(states.STOPPED, "its container does not exist", "Run site.yml to create it.", final=True)
    if container["status"] == "restarting":
        return Judgement(states.STARTING, "Docker is about to start the container again", "Wait for the sign-in.")
    if container["status"] == "created":
        return Judgement(states.STOPPED, "its container has never been started", "Start it.", final=True)
    reason = f"its container has exited with code {container['exit_code']}"
    if container["exit_meaning"]:
        reason += f" ({container['exit_meaning']})"
    row = states.FINDINGS.get(summary.finding or "")
    if row is not None:
        return Judgement(states.STOPPED, f"{reason}: {row.meaning}", row.next_step, final=True)
    step = "Start it." if container["exit_code"] in (0, 137, 143) else "Look at the container's log, then start it."
    return Judgement(states.STOPPED, reason, step, final=True)


class Gateway:
    """One gateway under observation: an API endpoint and, for one of ours, the container with its log behind it.

    *endpoint* holds the arguments of :func:`.probe.probe` (host, port, …). Without *descriptor* there is only the
    endpoint; without a reachable engine too, and :attr:`engine_fault` then says why.
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
        self.summary = milestones.Summary()
        self.phase_since = clock()
        self.verdict: dict[str, Any] | None = None
        self.attempts = 0
        self._read_to = ""

    @property
    def has_log(self) -> bool:
        return bool(self.container and self.container["running"] and not self.engine_fault)

    def refresh(self) -> None:
        """Look at the container and read its log from its last start; the endpoint is left alone."""
        if self.descriptor is None:
            return
        name = self.descriptor.container
        try:
            self._engine = self._engine or Engine()
            self.container = container_facts(self._engine, name)
            self.engine_fault = None
            self.summary, self._read_to = milestones.Summary(), ""
            if self.container["exists"] and self.container["started_at"]:
                self.phase_since = self.clock() - max(0.0, self._now() - epoch(self.container["started_at"]))
                lines = self._engine.logs(name, since=_log_start(self.container))
                self.feed(lines)
                self._read_to = lines[-1].partition(" ")[0] if lines else ""
        except EngineError as error:
            self.engine_fault, self.container = str(error), None

    def deployed(self) -> Descriptor:
        """Return the descriptor, for what only a gateway of ours has."""
        if self.descriptor is None:
            raise ValueError("this gateway is an endpoint only")
        return self.descriptor

    def seen(self) -> dict[str, Any]:
        """Look at the container and return what there is of it; EngineError when the engine cannot be asked."""
        self.refresh()
        if self.container is None:
            raise EngineError(self.engine_fault)
        return self.container

    def feed(self, lines: Iterable[str]) -> None:
        """Fold log lines in, each with the engine's time in front; those that the refresh has read are passed over."""
        for line in lines:
            stamp, _blank, text = line.partition(" ")
            if stamp <= self._read_to:
                continue
            phase, runs = self.summary.phase, self.summary.jvm_runs
            self.summary.feed([text])
            if self.summary.phase != phase:
                self.phase_since = self.clock() - max(0.0, self._now() - epoch(stamp))
            if self.summary.jvm_runs != runs:
                self.verdict = None

    @contextlib.contextmanager
    def follow(self) -> Iterator[queue.SimpleQueue[str | None]]:
        """Yield a queue of the log lines to come (None: the log has ended); one that stays empty without a log."""
        if not self.has_log or self.container is None or self._engine is None:
            yield _Silence(self.sleep)
            return
        since = f"{epoch(self._read_to):.9f}" if self._read_to else _log_start(self.container)
        with self._engine.follow(self.container["name"], since) as lines:
            yield lines

    def ask(self, timeout: float = ATTEMPT_SECONDS) -> None:
        """Probe the API once and keep the verdict."""
        self.verdict = probe(**self.endpoint, timeout=timeout)
        self.attempts += 1

    def look(self, timeout: float = ATTEMPT_SECONDS, ask: bool = True) -> None:
        """Look once at everything that there is: container, log and, unless told otherwise, the API."""
        self.refresh()
        if ask:
            self.ask(timeout)

    def judgement(self) -> Judgement:
        found = judge(self.container, self.summary, self.verdict)
        patience = _STALL_SECONDS.get(self.summary.phase, STALL_SECONDS)
        stalled = self.has_log and found.state == states.STARTING and self.clock() - self.phase_since >= patience
        if not stalled:
            return found
        return replace(
            found,
            state=states.DEGRADED,
            reason=f"its start has stalled: {found.reason}",
            next_step="Look at the container's log and at the gateway's window for a dialog that waits for a person.",
        )

    def report(self) -> dict[str, Any]:
        """Return everything known, JSON-ready; ``api_state`` is None when the API was not asked."""
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
                "clock_skew",
                "notice_count",
            )
        )
        report = {
            "notices": [],
            "timings": {},
            "accounts": [],
            **api,
            "attempts": self.attempts,
            "host": self.endpoint.get("host"),
            "port": self.endpoint.get("port"),
            "reason": judgement.reason,
            "next_step": judgement.next_step,
            "final": judgement.final,
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
            "milestones": self.summary.as_dict(),
        }


class _Silence(queue.SimpleQueue[str | None]):
    """The log of a gateway that has none: nothing ever comes, and waiting for it takes its time."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep

    def get(self, block: bool = True, timeout: float | None = None) -> str | None:
        self._sleep(timeout or 0)
        raise queue.Empty


def _log_start(container: dict[str, Any]) -> str:
    """The log of the last start: the engine notes it a little after the first line, and the run before ended earlier
    (or later, where the clock was set back)."""
    started, ended = epoch(container["started_at"]), epoch(container["finished_at"] or "")
    return f"{max(started - 1, ended if ended <= started else 0.0):.9f}"


def container_facts(engine: Engine, name: str) -> dict[str, Any]:
    """Return what there is of container *name*: exists, running, status, exit_code, exit_meaning, started_at,
    finished_at (of the run before, where it runs), image, revision, networks (None where there is nothing to tell)."""
    names = ("status", "exit_code", "exit_meaning", "started_at", "finished_at", "image", "revision", "networks")
    facts: dict[str, Any] = dict.fromkeys(names)
    facts.update(name=name, exists=False, running=False)
    try:
        found = engine.inspect(name)
    except NotFoundError:
        return facts
    state, config = found["State"], found["Config"]
    facts.update(
        exists=True,
        running=state["Status"] == "running",
        status=state["Status"],
        image=config["Image"],
        revision=(config.get("Labels") or {}).get(REVISION_LABEL),
        networks=sorted(found["NetworkSettings"]["Networks"]),
    )
    for fact, key in (("started_at", "StartedAt"), ("finished_at", "FinishedAt")):
        if not state[key].startswith("0001-"):
            facts[fact] = state[key]
    if facts["status"] in ("exited", "dead"):
        facts["exit_code"] = state["ExitCode"]
        facts["exit_meaning"] = milestones.IBC.exit_codes.get(state["ExitCode"])
    return facts


def epoch(stamp: str) -> float:
    """Return the epoch seconds of the engine's time stamps (``2026-11-20T09:43:55.123456789Z``), to the microsecond;
    0 for anything else."""
    try:
        moment = datetime.fromisoformat(stamp[:26].rstrip("Z")).replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return (moment - _EPOCH).total_seconds()
