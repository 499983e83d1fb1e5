# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and restart one gateway of this host, gently and within bounds."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import playbooks
from ..api import verdicts
from ..controller import commands, milestones, promises
from ..engine.client import Engine, EngineError
from .inspection import Gateway
from .wait import wait_for

# Where the container sets none.
STOP_GRACE = 90
# The share of the grace period for IBC's STOP, and the minimum for SIGTERM.
IBC_SHARE, TERM_SECONDS = 2 / 3, 1.0
COMMAND_PATIENCE = 20.0
PAUSE_SINCE = (3, 24, 0)
ENABLE_API = "ENABLEAPI"
# IBC says in its log that it has heard a command (CommandChannel). One that it did not hear, or whose settings dialog
# was not to be had, may be heard a moment later.
ENABLE_TRIES, ENABLE_APART_SECONDS = 3, 20.0
_RETRY_SECONDS = 1.0
_KILL_SECONDS = 4.0


class SessionError(Exception):
    """The request was refused or failed; the message says why and what to do."""


class BlockedError(SessionError):
    """The gateway was stopped and stays stopped until a person acts; the message says how."""


class NoPasswordError(SessionError):
    """The password could not be obtained, so nothing was started; the message says why."""


@dataclass
class Outcome:
    """The actions taken, in words; ``how`` a gateway was stopped: the name of its controller, or ``docker``."""

    changed: bool = False
    actions: list[str] = field(default_factory=list)
    how: str | None = None
    exit_code: int | None = None

    def did(self, action: str) -> None:
        self.changed = True
        self.actions.append(action)


def start(gateway: Gateway, allow_signin: bool) -> Outcome:
    """Return what a start would do with the container; for a live gateway a sign-in needs *allow_signin*, since it
    sends a push. Nothing is started. Raises SessionError."""
    descriptor, container, outcome = gateway.deployed(), gateway.seen(), Outcome()
    if container["running"]:
        return outcome
    if not container["exists"]:
        raise SessionError(f"container {descriptor.container} does not exist: run {playbooks.SITE} to create it")
    if descriptor.mode == "live" and not allow_signin:
        raise SessionError(
            f"starting gateway {descriptor.name} signs in to a live account and sends a push to somebody's phone; "
            "set allow_signin: true when that person is ready"
        )
    outcome.did("docker start")
    return outcome


def stop(gateway: Gateway, engine: Engine, timeout: float, check: bool) -> Outcome:
    """Stop by the controller's STOP, which logs off from IBKR; if the container still runs after *timeout* seconds, by
    Docker. A container whose start script ignores SIGTERM (:func:`_deaf`) has no session and is killed instead.

    The controller has at most two thirds of the container's own grace period; the whole takes at most 15 seconds longer
    than that period, by STOP, SIGTERM or SIGKILL. Raises SessionError when the container still runs.
    """
    descriptor, outcome = gateway.deployed(), Outcome()
    name, container = descriptor.container, gateway.seen()
    if not container["running"]:
        return outcome
    if check:
        outcome.did(f"{descriptor.driver.title} STOP")
        return outcome
    begun = gateway.clock()
    grace = container["stop_grace"] or STOP_GRACE
    killed_at, ibc_until = begun + grace, begun + min(timeout, grace * IBC_SHARE)
    if container["status"] == "paused":
        with contextlib.suppress(EngineError):
            engine.unpause(name)
            outcome.did("docker unpause")
    signs_off = _ask_to_stop(gateway, engine, outcome, ibc_until)
    if outcome.how and outcome.exit_code is None:
        outcome.exit_code = _ended(engine, name, max(ibc_until - gateway.clock(), _RETRY_SECONDS))
    if outcome.exit_code is None:
        # Without a session, logging off takes no time.
        left = (killed_at if signs_off else ibc_until) - gateway.clock()
        deaf = outcome.how is None and _deaf(gateway)
        terminate(engine, name, 0 if deaf else round(max(left, TERM_SECONDS)), outcome)
    return outcome


def terminate(engine: Engine, name: str, patience: int, outcome: Outcome) -> None:
    """Stop container *name* by Docker, and kill it after *patience* seconds (0: at once); into *outcome*. Raises
    SessionError when it still runs."""
    outcome.how = "docker"
    if patience:
        outcome.did(f"docker stop -t {patience}")
        with contextlib.suppress(EngineError):
            engine.stop(name, patience, patience + _KILL_SECONDS)
            # It answers when the container has ended: only a slow host keeps the exit code back.
            outcome.exit_code = _ended(engine, name, _KILL_SECONDS)
    if outcome.exit_code is None:
        outcome.did("docker kill")
        with contextlib.suppress(EngineError):
            engine.kill(name)
        outcome.exit_code = _ended(engine, name, _KILL_SECONDS)
    if outcome.exit_code is None:
        raise SessionError(f"container {name} still runs after STOP and docker kill: see journalctl -u docker")


def _ask_to_stop(gateway: Gateway, engine: Engine, outcome: Outcome, until: float) -> bool:
    """Send the controller its STOP, waiting for an IBC that does not listen yet. Returns whether there may be a
    session."""
    descriptor, patience = gateway.deployed(), min(gateway.clock() + COMMAND_PATIENCE, until)
    driver = descriptor.driver
    while outcome.exit_code is None:
        try:
            commands.send(engine, descriptor.container, descriptor.command_port, driver.commands["stop"], driver.title)
            outcome.did(f"{driver.title} STOP")
            outcome.how = driver.name
            return True
        except commands.UnderWayError:
            # A killed stop has asked already: a signal now would cut the log-off short.
            outcome.did(f"{driver.title} STOP (already in progress)")
            outcome.how = driver.name
            return True
        except commands.NoServerError as error:
            # IBC listens before it signs in: while it does not listen, there is no session to cut off.
            if gateway.clock() >= patience or driver.listens_late:
                outcome.did(f"{driver.title} STOP failed: {error}")
                return driver.listens_late
            outcome.exit_code = _ended(engine, descriptor.container, _RETRY_SECONDS)
        except (commands.ChannelError, EngineError) as error:
            # It may just have ended by itself; and an engine, a bash or an IBC that does not answer must not prevent a
            # stop.
            found = gateway.seen()
            outcome.exit_code = found["exit_code"]
            if found["running"]:
                outcome.did(f"{driver.title} STOP failed: {error}")
            return True
    return False


def _deaf(gateway: Gateway) -> bool:
    """Whether the container would ignore SIGTERM: the start script of a controller that listens late sets its trap
    after the first sign-in (run.sh, L385; before that, a docker stop took its whole timeout and ended with 137)."""
    summary = gateway.summary
    unfinished = summary.phase in milestones.SIGN_IN_PHASES or summary.finding == "password_empty"
    return gateway.driver.listens_late and unfinished


def _ended(engine: Engine, name: str, timeout: float) -> int | None:
    """Wait for the container's end; None when it still runs, or the engine does not answer."""
    try:
        return engine.wait(name, timeout)
    except EngineError:
        return None


def pause(
    gateway: Gateway, engine: Engine, timeout: float, check: bool, accepted: Callable[[], None] = lambda: None
) -> Outcome:
    """Stop the gateway by IBC's PAUSE, which keeps the sign-in; it takes effect at the next full minute.

    *accepted* is called when IBC has accepted the command. Raises SessionError, also for a controller without PAUSE.
    """
    check_restart(gateway)
    descriptor, version, outcome = gateway.deployed(), gateway.summary.controller_version, Outcome()
    if _numbers(version) < PAUSE_SINCE:
        raise SessionError(
            f"gateway {descriptor.name} has IBC {version or 'of an unknown version'}, and PAUSE came with "
            f"{'.'.join(map(str, PAUSE_SINCE))}: move to a newer image"
        )
    outcome.did("IBC PAUSE")
    if check:
        return outcome
    outcome.actions.extend(
        commands.send(engine, descriptor.container, descriptor.command_port, descriptor.driver.commands["pause"])
    )
    accepted()
    outcome.exit_code = engine.wait(descriptor.container, timeout)
    if outcome.exit_code is None:
        raise SessionError(
            f"IBC accepted PAUSE, but gateway {descriptor.name} still runs after {timeout:.0f} s: compare the "
            "container's TZ with TimeZone in jts.ini"
        )
    outcome.how = "pause"
    return outcome


def enable_api(gateway: Gateway, engine: Engine) -> None:
    """Have IBC enable the API of a TWS that is signed in and does not listen: it is off in a new settings directory.

    Once in a run of the JVM, three times where IBC does not hear it, and of TWS alone; the gateway's API is always on
    (IBC's EnableApiTask, ENABLEAPI).
    """
    descriptor, summary, before, now = gateway.deployed(), gateway.summary, gateway.enable_requests, gateway.clock()
    if len(before) >= ENABLE_TRIES or (before and now - before[-1] < ENABLE_APART_SECONDS):
        return
    closed = (gateway.verdict or {}).get("api_state") == "proxy_up_gateway_down"
    usable = summary.usable and not summary.asks_for_sign_in
    if descriptor.program == "tws" and closed and usable and ENABLE_API not in summary.commands:
        before.append(now)
        with contextlib.suppress(commands.ChannelError, EngineError):
            commands.send(engine, descriptor.container, descriptor.command_port, ENABLE_API)


def _numbers(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))


def request_restart(gateway: Gateway, engine: Engine) -> list[str]:
    """Ask IBC for its RESTART, which takes effect at the next full minute; return IBC's replies.

    Raises SessionError when this gateway cannot, ChannelError when IBC refuses.
    """
    check_restart(gateway)
    descriptor = gateway.deployed()
    return commands.send(engine, descriptor.container, descriptor.command_port, descriptor.driver.commands["restart"])


def check_restart(gateway: Gateway) -> None:
    """Raise SessionError when the gateway cannot restart without a sign-in."""
    name = gateway.deployed().name
    if refused := promises.refusal(gateway.driver, promises.RESTART, name):
        raise SessionError(f"{refused} Nothing was touched.")
    container, summary = gateway.seen(), gateway.summary
    if not container["running"]:
        raise SessionError(f"gateway {name} is stopped: RESTART needs a signed-in gateway.")
    if summary.jvm_runs and summary.phase not in (milestones.SIGNED_IN, milestones.CONFIGURED):
        raise SessionError(
            f"gateway {name} is not signed in (phase {summary.phase}), and RESTART keeps a "
            "sign-in: wait until it is ready"
        )
    if summary.restart_used:
        raise SessionError(
            f"gateway {name} has had its RESTART: IBC takes one in a JVM's life. Wait until "
            "the restart has happened (two minutes at most); if it does not, stop and start it, which "
            "is a new sign-in"
        )


def restart(gateway: Gateway, engine: Engine, timeout: float, check: bool) -> Outcome:
    """Restart the gateway's JVM by IBC's RESTART, which keeps the sign-in, and wait until the API is ready again.

    Raises SessionError.
    """
    outcome = Outcome()
    check_restart(gateway)
    outcome.did("IBC RESTART")
    if check:
        return outcome
    runs = gateway.summary.jvm_runs
    replies = request_restart(gateway, engine)
    outcome.actions.extend(replies)
    if wait_for(gateway, verdicts.READY, timeout, after_run=runs):
        outcome.did("ready again")
        return outcome
    judgement = gateway.judgement()
    if gateway.summary.jvm_runs <= runs and gateway.has_log:
        raise SessionError(
            f"IBC accepted RESTART ({replies[-1]}), but no restart began within {timeout:.0f} s: "
            "compare the container's TZ with TimeZone in jts.ini"
        )
    raise SessionError(f"the gateway restarted but is {judgement.state}: {judgement.reason}. {judgement.next_step}")
