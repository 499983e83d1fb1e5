# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can befall a gateway, and what its watcher makes of it: the table of docs/faults.md, played by test_faults.py.

A :class:`World` is one gateway with its engine, its API and the phone, in which only events let time pass.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.unit.plugins.session_log import BEGUN, IN, ON_TOKEN, PUSH, TUESDAY, new_york

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import files, states
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.control import Control
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.look import Gateway
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.policy import HUNG
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.store import MANUAL, SIGN_IN, Grant
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.watcher import Watcher

# From IBC's login attempt to the push of a full sign-in, and from RESTART to the new run of the JVM.
PUSH_SECONDS, RESTART_SECONDS, PROBE_SECONDS = 12.0, 60.0, 4.0
PLAYED_SECONDS = 1800.0


@dataclass
class World:
    """One gateway that was signed in, or started, well before *now*; *api* is what its API says."""

    control: Control
    engine: Any
    commands: Any
    monkeypatch: pytest.MonkeyPatch
    now: float = TUESDAY
    api: str = "ready"
    # What the API says after the JVM was restarted.
    api_after_restart: str = "ready"
    coming: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    # Keys of the alerts.
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine.on_start = self.full_login if self.control.live else self.paper_login
        self.commands.on_command = self.command
        self.watcher = self.new_watcher()

    def new_watcher(self) -> Watcher:
        """A watcher that knows what is on disk and nothing else, as after a crash of it or of the host."""
        fresh = Control(self.control.descriptor, self.control.plan, by="the watcher", now=lambda: self.now)
        self.attend(fresh.gateway)
        return Watcher(fresh)

    def attend(self, gateway: Gateway) -> None:
        gateway.clock = gateway._now = lambda: self.now

    def probe(self, **_endpoint: Any) -> dict[str, Any]:
        api = self.api if self.look().summary.usable else "port_closed"
        if api in HUNG:
            self.now += PROBE_SECONDS
        row = states.describe(api)
        account = "U***67" if self.control.live else "DU***67"
        return {
            "api_state": api, "reason": row.meaning, "next_step": row.next_step, "final": row.final,
            "accounts": [account], "account_count": 1, "notices": [], "timings": {},
        }  # fmt: skip

    # What the gateway does by itself

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self.coming.append((self.now + seconds, action))

    def log(self, *lines: str) -> None:
        self.engine.log(*lines)

    def full_login(self) -> None:
        """A run of the JVM that has no token: a push is sent, if nobody ends it before."""
        self.log(*BEGUN)
        begun = self.engine.started_at
        self.later(
            PUSH_SECONDS,
            lambda: self.log(PUSH) if self.engine.status == "running" and self.engine.started_at == begun else None,
        )

    def paper_login(self) -> None:
        self.log(*BEGUN, *IN)

    def jvm_ends(self, code: int = 0) -> None:
        self.log(f"IBC returned exit status {code}")

    def command(self, command: str) -> None:
        if command == "STOP":
            self.engine.exit(0)
        if command == "RESTART":
            self.log("CommandServer received command: RESTART")
            self.later(RESTART_SECONDS, self.restarts_on_token)

    def restarts_on_token(self) -> None:
        self.jvm_ends()
        self.log(*ON_TOKEN[1:])
        self.api = self.api_after_restart

    # Time

    def look(self) -> Gateway:
        gateway = Gateway(self.control.descriptor.endpoint(), self.control.descriptor)
        self.attend(gateway)
        gateway.refresh()
        return gateway

    def heard(self) -> tuple[object, ...]:
        """What wakes a watcher: starts, ends, and lines that may change a decision."""
        gateway = self.look()
        container, log = gateway.container or {}, gateway.summary
        return (
            *(container.get(fact) for fact in ("running", "started_at")), gateway.engine_fault,
            log.phase, log.jvm_runs, log.pushes, log.finding, log.full_authentication,
        )  # fmt: skip

    def play(self, seconds: float) -> None:
        """Let so much time pass: the watcher looks when it wants to, and when it hears something."""
        end, look_at = self.now + seconds, self.now
        while self.now < end:
            self.coming.sort(key=lambda event: event[0])
            happens = self.coming[0][0] if self.coming else end
            if look_at <= min(happens, end):
                self.now = max(self.now, look_at)
                look_at = max(self.watcher.look(), self.now + 0.5)
            elif happens < end:
                self.now = max(self.now, happens)
                before = self.heard()
                self.coming.pop(0)[1]()
                look_at = self.now if self.heard() != before else look_at
            else:
                self.now = end

    @property
    def pushes(self) -> int:
        return sum(line == PUSH.encode() for _at, line in self.engine._log)

    @property
    def logins(self) -> int:
        return sum(line.startswith(b"Login attempt") for _at, line in self.engine._log)


@dataclass(frozen=True)
class Fault:
    """*happens* befalls a gateway of *mode* that is ready; half an hour later it is in *state*.

    *noticed* is the time in seconds until the history says that something is wrong, or is done, None where it never
    does; *does* are the watcher's own acts in their order; *lost* is what it cost, in words; *told* is whether people
    are alerted.
    """

    name: str
    happens: Callable[[World], None]
    noticed: float | None
    does: tuple[str, ...]
    state: str
    cause: str | None = None
    lost: str = "nothing"
    mode: str = "live"
    told: bool = False
    # Logins by password, and pushes, from the fault on.
    logins: int = 0
    pushes: int = 0


def dies(code: int) -> Callable[[World], None]:
    return lambda world: world.engine.exit(code)


def says(*lines: str) -> Callable[[World], None]:
    """The JVM is restarted, finds its token void, signs in with the password, and the log goes on so."""

    def happens(world: World) -> None:
        world.jvm_ends()
        world.log("autorestart file found at x: authentication will not be required", "IBC: Re-starting session")
        world.log(*lines)

    return happens


def api(state: str, seconds: float | None = None, after_restart: str = "ready") -> Callable[[World], None]:
    def happens(world: World) -> None:
        world.api, world.api_after_restart = state, after_restart
        if seconds is not None:
            world.later(seconds, lambda: setattr(world, "api", "ready"))

    return happens


def at(moment: str, then: Callable[[World], None] = lambda _world: None) -> Callable[[World], None]:
    """It is that time in New York, and no watcher was there until then."""

    def happens(world: World) -> None:
        world.now = new_york(moment)
        then(world)

    return happens


def restart_without_token(world: World) -> None:
    world.jvm_ends()
    world.full_login()


def token_refused(world: World) -> None:
    world.restarts_on_token()
    world.log("Cold restart in progress")
    restart_without_token(world)


def daily_restart(world: World) -> None:
    """The gap between two runs of the JVM takes its time."""
    world.jvm_ends()
    world.later(30, lambda: world.log(*ON_TOKEN[1:]))


def started_by_hand(world: World) -> None:
    world.engine.exit(0)
    world.later(5, world.engine.start)


def login_window_never_shows(world: World) -> None:
    for attempt in range(3):
        world.later(60.0 * attempt, lambda: world.log(*ON_TOKEN[1:3]))
        world.later(60.0 * attempt + 50, lambda: world.jvm_ends(88))


def engine_away(world: World) -> None:
    away = f"{world.engine.path}.away"
    os.rename(world.engine.path, away)
    world.later(100, lambda: os.rename(away, world.engine.path))


def watcher_killed(world: World) -> None:
    world.watcher = world.new_watcher()


def reboot(then: Callable[[World], None] = lambda _world: None) -> Callable[[World], None]:
    """The host goes down with whatever was, and comes back two minutes later, its containers down."""

    def happens(world: World) -> None:
        then(world)
        world.engine.exit(255)
        world.now += 120
        world.watcher = world.new_watcher()

    return happens


def stopped(world: World) -> None:
    with world.watcher.control.acting("stop") as record:
        world.watcher.control.end(record)
        record.stopped_by = "Ann"


def signing_in(world: World) -> None:
    """Somebody starts a sign-in (of live, the push waits for its approval)."""
    stopped(world)
    with world.watcher.control.acting("sign-in") as record:
        kind = SIGN_IN if world.control.live else MANUAL
        world.watcher.control.allow(record, Grant(kind, "Ann", world.now, world.now + 600))
    world.engine.start()


def blocked(world: World) -> None:
    world.engine.exit(137)
    world.watcher.look()


def degraded(world: World) -> None:
    world.api = "link_down"
    world.watcher.look()


def stop_killed(world: World) -> None:
    """ibgwctl stop is killed after its STOP was sent: nobody has written who stopped it."""
    world.command("STOP")


def disk_full(world: World) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world.monkeypatch.setattr(files, "write", refuse)
    restart_without_token(world)


def record_damaged(world: World) -> None:
    with open(world.watcher.control.store.state_path, "w") as file:
        file.write("{")
    watcher_killed(world)


def pipeline_dies(world: World) -> None:
    """A run of paper_session.yml for ten minutes is killed, and so is the connection that it came by."""
    with world.watcher.control.acting("start") as record:
        world.watcher.control.allow(record, Grant(MANUAL, "the operator", world.now, world.now + 600))


def clock(seconds: float) -> Callable[[World], None]:
    return lambda world: setattr(world, "now", world.now + seconds)


def refused_password(world: World) -> None:
    """A start, then IBC's cold restart loop, with ten seconds between two attempts."""
    failed = "detected dialog entitled: Login failed"

    def again() -> None:
        if world.engine.status == "running":
            world.log("Cold restart in progress", *BEGUN[1:], failed)
            world.later(10, again)

    world.engine.on_start = lambda: (world.log(*BEGUN, failed), world.later(10, again))
    signing_in(world)


S = states
FAULTS = (
    # The live session
    Fault("the gateway's process is killed, or runs out of memory", dies(137), 0, ("blocked",), S.BLOCKED,
          "session_lost", "the sign-in", told=True),
    Fault("the gateway ends by itself (IBKR's Saturday, an exit of IBC)", dies(0), 0, ("blocked",), S.BLOCKED,
          "session_lost", "the sign-in", told=True),
    Fault("somebody starts the container by hand", started_by_hand, 0, ("blocked", "kill"), S.BLOCKED,
          "sign_in_asked", "the sign-in", told=True, logins=1),
    Fault("the daily restart, on its token, 30 s from one JVM to the next", daily_restart, None, (), S.READY),
    Fault("the daily restart finds no token", restart_without_token, 0, ("kill",), S.BLOCKED, "sign_in_asked",
          "the sign-in", told=True, logins=1),
    Fault("IBKR refuses the token: IBC's cold restart", token_refused, 0, ("kill",), S.BLOCKED, "sign_in_asked",
          "the sign-in", told=True, logins=1),
    Fault("IBKR's week ends", at("2026-11-28 23:29"), 60, ("stop",), S.STOPPED),
    Fault("IBKR's week ended while the host was down to its watcher", at("2026-11-29 02:00"), 0, ("stop",),
          S.STOPPED),
    # Login
    Fault("a refused password, and IBC tries again and again", refused_password, 10, ("stop",), S.BLOCKED,
          "refused_login", "the sign-in", told=True, logins=2),
    Fault("'Unrecognized username or password' after a restart", says("LoginState is LOGGED_OUT", "Login attempt: 1",
          "detected dialog entitled: Unrecognized Username or Password"), 0, ("stop",), S.BLOCKED, "refused_login",
          "the sign-in", told=True, logins=1),
    Fault("'Too many failed login attempts'", says("detected dialog entitled: Too many failed login attempts"), 0,
          ("stop",), S.BLOCKED, "too_many_logins", "the sign-in", told=True),
    Fault("the account wants a passkey", says("detected dialog entitled: Required PassKey is not supported"), 0,
          ("stop",), S.BLOCKED, "passkey", "the sign-in", told=True),
    Fault("IBKR no longer supports this release",
          says("detected dialog entitled: Release 10.30 is no longer supported"), 0, ("stop",), S.BLOCKED,
          "release_refused", "the sign-in", told=True),
    Fault("the login window does not show, three times", login_window_never_shows, 170, ("stop",), S.BLOCKED,
          "login_window_loop", "the sign-in", told=True),
    Fault("the user is signed in elsewhere: a dialog waits",
          says("User must choose whether to continue with this session"), 0, ("stop",), S.BLOCKED,
          "session_choice", "the sign-in", told=True),
    Fault("another session of the user takes over (forced re-login)",
          says("End this session and let the other session proceed"), 0, ("stop",), S.BLOCKED, "session_taken",
          "the sign-in", told=True),
    Fault("the wrong account is signed in", api("wrong_account"), 60, ("stop",), S.BLOCKED, "wrong_account",
          "the sign-in", told=True),
    Fault("ibgwctl is killed while a push waits: nobody approves it", signing_in, 600, ("kill",), S.BLOCKED,
          "sign_in_late", "the sign-in", told=True, logins=1, pushes=1),
    # The API and the link
    Fault("the API hangs", api("no_handshake"), 64, ("restart",), S.READY, lost="2 min of the API"),
    Fault("the API hangs, and RESTART does not mend it", api("no_handshake", after_restart="no_handshake"), 64,
          ("restart",), S.DEGRADED, lost="the API", told=True),
    Fault("the network is cut for 1 s", api("link_down", 1), None, (), S.READY),
    Fault("the network is cut for 30 s", api("link_down", 30), None, (), S.READY, lost="30 s of data"),
    Fault("the network is cut for 10 min", api("link_down", 600), 60, (), S.READY, lost="10 min of data", told=True),
    Fault("the link is lost in IBKR's daily reset", at("2026-11-25 00:20", api("link_down", 600)), 0, (), S.READY,
          lost="10 min of data"),
    Fault("a data farm is broken", api("degraded"), 60, (), S.DEGRADED, lost="that farm's data", told=True),
    # The host
    Fault("the Docker engine is killed and comes back after 100 s", engine_away, 0, (), S.READY, told=True),
    Fault("the watcher is killed", watcher_killed, None, (), S.READY),
    Fault("the host restarts while live is ready", reboot(), 0, ("blocked",), S.BLOCKED, "session_lost",
          "the sign-in", told=True),
    Fault("the host restarts while live is degraded", reboot(degraded), 0, ("blocked",), S.BLOCKED, "session_lost",
          "the sign-in", told=True),
    Fault("the host restarts while live is stopped", reboot(stopped), 0, (), S.STOPPED),
    Fault("the host restarts while live is blocked", reboot(blocked), None, (), S.BLOCKED, "session_lost",
          "the sign-in", told=True),
    Fault("the host restarts while a push waits", reboot(signing_in), 0, ("blocked",), S.BLOCKED, "session_lost",
          "the sign-in", told=True, logins=1),
    Fault("ibgwctl is killed while it stops live", stop_killed, 0, ("blocked",), S.BLOCKED, "session_lost",
          "the sign-in", told=True),
    Fault("the disk is full, and the daily restart finds no token", disk_full, 0, ("kill",), S.READY,
          lost="the sign-in; the state file is the old one", told=True, logins=1),
    Fault("the state file is damaged", record_damaged, None, (), S.READY),
    Fault("the clock jumps ahead an hour", clock(3600), None, (), S.READY),
    Fault("the clock is put back an hour", clock(-3600), None, (), S.READY),
    # Paper
    Fault("paper ends by itself in its session", dies(137), 0, ("start",), S.READY, mode="paper",
          lost="a minute of the session", logins=1),
    Fault("paper's password is refused", refused_password, 10, ("stop",), S.BLOCKED, "refused_login",
          "the sessions until a person acts", "paper", told=True, logins=2),
    Fault("the host restarts in a session", reboot(), 0, ("start",), S.READY, mode="paper",
          lost="the reboot and a minute", logins=1),
    Fault("the pipeline and whoever started it die", pipeline_dies, 600, ("stop",), S.STOPPED, mode="paper"),
)  # fmt: skip

DOES = {
    "blocked": "says so, starts nothing", "kill": "kills it before a push", "stop": "stops it",
    "restart": "RESTART", "start": "starts it once more",
}  # fmt: skip


def seconds(noticed: float | None) -> str:
    return "-" if noticed is None else "at once" if noticed == 0 else f"{noticed:.0f} s"


HEAD = ("what happens", "the watcher", "state then", "noticed", "pushes", "told", "lost")


def markdown() -> str:
    """The table of docs/faults.md."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for fault in FAULTS:
        rows.append(
            (
                f"{fault.mode}: {fault.name}",
                ", ".join(DOES[act] for act in fault.does) or "-",
                f"{fault.state} ({fault.cause})" if fault.cause else fault.state,
                seconds(fault.noticed),
                str(fault.pushes),
                "yes" if fault.told else "no",
                fault.lost,
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
