# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m ibgw_standin.ibg``: ibg-controller and the gateway behind it, in one process.

It plays the release of STANDIN_IBG_RELEASE (:mod:`ibg_releases`). Its lines, their order and its waits are those of the
recordings in tests/transcripts/ibg and, where no recording has them, of gateway_controller.py of 13422e4
(tests/standin/sources.yml). Of the faults at a sign-in it has those that it can show as they were recorded; any other
one is refused. The API behind it has them all.

It does not wait around New York's midnight. A server that does not answer counts at a start and at a relaunch, not at a
further sign-in of the same program. At the daily restart of 0.7.0 there is the second gateway only, not the one that
restarts itself beside it: what IBKR makes of two with one user is not recorded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from . import faults, ibg_releases, ibg_texts, options
from .commands import gateway_commands
from .control import Command, ControlServer, Reply
from .gateway import PORTS, Gateway
from .ibg_program import DISCLAIMER, EXISTING, REFUSED, SECOND_FACTOR, Program
from .ibg_servers import serve_commands, serve_health
from .memory import Memory
from .server import ApiServer

# Seconds of its own: after Log In, for dialogs, for a login by hand, for a window to close, between two looks at the
# API's port.
SETTLE, DIALOGS, BY_HAND, CLOSING, HEARTBEAT = 25, 6.0, 300, 15.0, 30
# So many closed ports in a row until it looks for a login window, and so many more until it launches again.
CLOSED, WEDGED = 3, 6
# How long it waits where IBKR's server does not answer, at first and at most, and how often it tries again.
BACKOFF, MOST_BACKOFF, TRIES = 60.0, 600.0, 8
RELAYS = {"live": 4003, "paper": 4004}
# SIGTERM before there is a session to log off.
BEFORE_LOGIN = ("INIT", "LAUNCHING", "AGENT_WAIT", "APP_DISCOVERY", "LOGIN")
BUTTONS = {"primary": "Continue Login", "primaryoverride": "Continue Login", "secondary": "Cancel"}


class Ended(Exception):
    """The controller ends, with this code."""

    def __init__(self, code: int) -> None:
        self.code = code


class End(NamedTuple):
    """The end of the program, and whether it comes back by itself."""

    code: int
    comes_back: bool


class Kind(NamedTuple):
    """A sign-in: whether it says its states, the words for what went wrong, how long it waits for the API's port."""

    states: bool
    failed: dict[str, str]
    port: int
    configures: bool
    tries_again: str


FIRST = Kind(
    True,
    {
        "factor": "2FA handling failed",
        "server": f"CCP lockout persists after {TRIES} in-JVM relogin attempts; escalating to long-cool-down JVM "
        "restart (v0.4.5)",
    },
    180,
    True,
    "Retrying auth in-JVM after CCP backoff",
)
RELAUNCHED = Kind(
    False,
    {
        "factor": "RESTART: 2FA handling failed",
        "port": "RESTART: API port never opened after re-launch",
        "server": f"RESTART: CCP lockout persists after {TRIES} in-JVM relogin attempts on the relaunched JVM; giving "
        "up",
    },
    180,
    True,
    "RESTART: in-JVM relogin after CCP backoff",
)
REDRIVEN = Kind(
    False, {"factor": "Re-auth: 2FA failed", "port": "Re-auth: API port never came back up"}, 120, False, ""
)


class Controller:
    """The controller, and the program that it drives."""

    def __init__(
        self,
        opts: options.Options,
        memory: Memory,
        release: ibg_releases.Release,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.options, self.memory, self.release, self.environment = opts, memory, release, environment
        self.mode = environment.get("TRADING_MODE", "paper")
        self.port = PORTS[self.mode]
        self.gateway = Gateway(self.mode, opts.accounts, opts.max_version, active=memory.faults, walks_login=True)
        self.gateway.read_only_setting = True
        self.server = ApiServer(self.gateway, "127.0.0.1", opts.api_port or self.port)
        self.program = Program(self.mode, opts, self.gateway, memory)
        self.state = "INIT"
        self.started = time.monotonic()
        self.ready_file = Path(environment.get("CONTROLLER_READY_FILE", "/tmp/gateway_ready"))  # its own
        self.needs_operator = False
        self.lockouts, self.backoff = 0, 0.0
        self.answered_at: float | None = None
        self.closed = self.wedged = 0
        self._ends: asyncio.Queue[End] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what it says ----------------------------------------------------------------------------------------------

    def log(self, text: str, level: str = "INFO") -> None:
        print(f"{time.strftime('%H:%M:%S')} [{level}] [{self.mode}] {text}", file=sys.stderr, flush=True)

    def enter(self, state: str, kind: Kind = FIRST) -> None:
        """Say the state, which only a first sign-in has."""
        if kind.states:
            self.state = state
            self.log(f"[STATE: {state}]")

    def alert(self, name: str, text: str, level: str = "ERROR") -> None:
        self.log(f"ALERT_{name} mode={self.mode} {text}", level)

    def signal_ready(self) -> None:
        self.ready_file.write_text(str(int(time.time())))
        self.log(f"Readiness signal: {self.ready_file}")

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(self.options.real(seconds))

    def port_open(self) -> bool:
        """Whether the API's port is open at this moment."""
        return self.gateway.listening

    # --- a sign-in -------------------------------------------------------------------------------------------------

    async def launch(self, first: bool) -> None:
        self.memory.count("starts")
        paths = {"home": self.environment.get("HOME", ""), "tws": self.environment.get("TWS_PATH", "")}
        settings = self.environment.get("TWS_SETTINGS_PATH") or paths["tws"]
        socket = self.environment.get("GATEWAY_INPUT_AGENT_SOCKET", "")
        release = self.environment.get("TWS_MAJOR_VRSN", "")
        self.log(f"Gateway launcher: {paths['tws']}/ibgateway/{release}/ibgateway")
        self.log(f"Gateway config dir (jtsConfigDir): {settings}")
        self.log(f"Existing jts.ini at {settings}/jts.ini — leaving in place")
        self.log(f"Loading input agent: {paths['home']}/gateway-input-agent.jar (socket={socket})")
        self.log(f"Gateway PID: {self.program.pid} (JVM console -> /tmp/jvm_console_{self.mode}.log)")
        if first:
            self.enter("AGENT_WAIT")
            self.log(f"Waiting for input agent at {socket}")
        await self.pause(0.3)
        if not first:
            self.log(f"RESTART: new Gateway JVM PID (from agent): {self.program.pid}")
            return
        self.log("Input agent is up")
        self.log(f"Gateway JVM PID (from agent): {self.program.pid}")
        self.enter("APP_DISCOVERY")
        self.log("Resolving Gateway app handle (agent-reported PID)")
        self.log(f"App registered: 'IBKR Gateway' (pid={self.program.pid})")

    async def log_in(self, kind: Kind) -> bool:
        """Sign in, from the login window to the settings; False if that fails. Ended."""
        self.enter("LOGIN", kind)
        await self.press_log_in(opens_in=1.0)
        if not await self.answered(kind):
            return False
        self.enter("POST_LOGIN", kind)
        await self.dialogs()
        self.note_answer()
        self.enter("TWO_FA", kind)
        if not await self.second_factor():
            self.log(kind.failed["factor"], "ERROR")
            if kind is not FIRST:
                return False
            await self.wait_for_a_person()
        self.enter("DISCLAIMERS", kind)
        await self.disclaimers()
        self.enter("API_WAIT", kind)
        if not await self.api_port(kind.port):
            if kind is not FIRST:
                self.log(kind.failed["port"], "ERROR")
                return False
            await self.recover_sign_in()
        if kind is FIRST:
            self.note_answer()
        self.enter("CONFIG", kind)
        if kind.configures:
            await self.configure()
        self.enter("READY", kind)
        self.signal_ready()
        return True

    async def press_log_in(self, opens_in: float) -> None:
        """Press it in the login window, which shows in so many seconds."""
        self.log("Waiting for login dialog (JPasswordField in showing Window)")
        await self.pause(opens_in)
        self.program.show_login()
        self.log("Login dialog detected")
        self.log(f"Trading mode set to {self.mode.capitalize()} Trading via agent")
        missed = self.release.missed_button
        if missed and self.mode == "paper":
            self.log(f"agent CLICK '{missed}': ERR not_found type=button name={missed}", "ERROR")
        self.log("Log In clicked successfully")
        self.program.press_log_in(self.environment["TWS_USERID"], self.environment["TWS_PASSWORD"])

    # --- IBKR's server ---------------------------------------------------------------------------------------------

    async def answered(self, kind: Kind) -> bool:
        """Wait until IBKR's server has answered Log In, which is pressed again where it has not; False if it never
        does. Ended."""
        tries = 0
        while await self.timed_out() and kind.tries_again:
            await self.back_off()
            tries += 1
            if tries > TRIES:
                self.log(kind.failed["server"], "ERROR")
                if kind is FIRST:
                    await self.give_up(f"{TRIES} in-JVM relogins exhausted in main CCP pre-loop")
                return False
            self.log(f"{kind.tries_again} (attempt {tries}/{TRIES})")
            self.log(ibg_texts.AGAIN, "WARNING")
            for line in ibg_texts.WINDOW_THERE:
                self.log(line)
            await self.press_log_in(opens_in=0)
        return True

    async def timed_out(self) -> bool:
        """Whether the program says within a while that the server has not answered."""
        for _second in range(SETTLE):
            if self.program.timed_out:
                return True
            await self.pause(1.0)
        return False

    async def back_off(self) -> None:
        """Wait for the server to forget, each time longer."""
        self.lockouts += 1
        self.backoff = min(self.backoff * 2, MOST_BACKOFF) or BACKOFF
        self.log(ibg_texts.LOCKED_OUT, "WARNING")
        if self.lockouts == 2:
            self.log(ibg_texts.LOCKED_OUT_TWICE.format(self.mode), "WARNING")
        elif self.lockouts > 2:
            self.log(ibg_texts.LOCKED_OUT_OFTEN.format(self.lockouts, self.mode), "ERROR")
        self.log(ibg_texts.BACKOFF.format(int(self.backoff)), "WARNING")
        await self.pause(self.backoff)

    def note_answer(self) -> None:
        """The server has answered, or so it seems."""
        if self.backoff:
            self.log("CCP backoff reset — auth succeeded")
        self.lockouts, self.backoff, self.answered_at = 0, 0.0, time.time()

    # --- its dialogs -----------------------------------------------------------------------------------------------

    async def dialogs(self) -> None:
        self.log("Inspecting post-login dialogs")
        deadline = time.monotonic() + self.options.real(DIALOGS)
        await self.pause(0.5)
        while not (modal := [each for each in self.program.windows if each[2]]):
            if time.monotonic() > deadline:
                self.log("No modal dialogs after login")
                return
            await self.pause(0.5)
        self.log(f"Modal dialog(s) detected: {[each[:2] for each in modal]}")
        if EXISTING in modal:
            self.log("Recognized: existing-session-detected dialog")
            self.existing_session()
        elif REFUSED in modal:
            self.log("Recognized: credential-rejection dialog")
            self.alert("LOGIN_FAILED", ibg_texts.BAD_CREDENTIALS)
            self.log("Dismissed credential-rejection dialog via 'OK'")
            self.program.dismiss(REFUSED)
        else:
            self.log("Unrecognized modal — leaving in place to let Gateway flow proceed")

    def existing_session(self) -> None:
        """Press the button for EXISTING_SESSION_DETECTED_ACTION."""
        action = (self.environment.get("EXISTING_SESSION_DETECTED_ACTION") or "primary").lower()
        self.log(f"existing-session dialog: action={action}")
        if action not in BUTTONS:
            self.log("action=manual — leaving dialog for user")
            return
        self.log(f"Clicking existing-session button '{BUTTONS[action]}' in 'Existing session' window")
        self.program.press_existing(BUTTONS[action])

    # --- its second factor -----------------------------------------------------------------------------------------

    async def second_factor(self) -> bool:
        """Wait for the second factor, TWOFA_EXIT_INTERVAL seconds at most, then TWOFA_TIMEOUT_ACTION; False where it is
        one that only a person can give. Ended."""
        interval = int(self.environment.get("TWOFA_EXIT_INTERVAL") or 120)
        self.needs_operator = False
        by_code = bool(self.environment.get("TWOFACTOR_CODE"))
        if not by_code:
            self.log("No TWOFACTOR_CODE set — will watch for IB Key push dialog if it appears")
        self.log(f"Waiting for 2FA dialog (window title contains 'Second Factor') for up to {interval}s")
        seen: list[Any] | None = None
        for second in range(interval):
            if self.port_open():
                self.log(f"API port {self.port} already open — no 2FA dialog needed")
                return True
            if self.program.windows != seen:
                seen = [*self.program.windows]
                self.log(f"2FA wait: windows -> {seen}")
            if EXISTING in self.program.windows:
                self.log(f"Late existing-session dialog detected in 2FA wait: {EXISTING}")
                self.existing_session()
                seen = None
                await self.pause(0.5)
                continue
            if SECOND_FACTOR in self.program.windows:
                if self.program.prompt.startswith("Use your Passkey"):
                    return self.refuse_passkey()
                if by_code:
                    return await self.enter_code()
                if await self.wait_for_push(interval - second):
                    return True
                self.log("IB Key approval wait timed out", "WARNING")
                break
            if second % 10 == 0:
                self.log(f"  2FA wait t+{second}s: still waiting")
            await self.pause(1.0)
        self.log(f"No 2FA dialog appeared within {interval}s", "WARNING")
        await self.second_factor_missed()
        return True

    async def wait_for_push(self, seconds: int) -> bool:
        self.log(f"IB Key 2FA dialog detected: {SECOND_FACTOR}")
        self.log("Waiting for IB Key mobile approval — approve on your phone via the IB Key app")
        for second in range(seconds):
            if self.port_open():
                self.log("API port opened — IB Key approval succeeded")
                return True
            if SECOND_FACTOR not in self.program.windows:
                self.log("2FA dialog dismissed — IB Key approval detected, proceeding")
                return True
            if second % 10 == 0:
                self.log(f"  IB Key wait t+{second}s: still waiting for approval...")
            await self.pause(1.0)
        return False

    def refuse_passkey(self) -> bool:
        self.log(f"Passkey prompt detected in {SECOND_FACTOR[1]!r}: Use your Passkey device")
        self.alert("2FA_FAILED", ibg_texts.NO_PASSKEY)
        self.needs_operator = True
        return False

    async def enter_code(self) -> bool:
        """Type a code in, unless the dialog asks for that of another method."""
        device = self.environment.get("TWOFA_DEVICE") or "Mobile Authenticator app"
        prompt = self.program.prompt
        self.log(f"2FA dialog detected: {SECOND_FACTOR}")
        if prompt.startswith("Enter ") and device not in prompt:
            self.log(
                f"2FA dialog is requesting a different method than configured: prompt={prompt!r}, expected {device!r}. "
                "NOT entering the TOTP code into the wrong method.",
                "ERROR",
            )
            self.alert("2FA_FAILED", f'reason="2FA method mismatch" dialog_prompt={prompt!r} expected={device!r}')
            self.log(ibg_texts.OTHER_METHOD.format(device), "ERROR")
            self.needs_operator = True
            return False
        if prompt.startswith("Enter "):
            self.log(f"2FA method prompt {prompt!r} matches {device!r}")
        self.log("Typing TOTP code into the 2FA dialog")
        await self.pause(0.5)
        self.log("Clicking OK in 2FA dialog")
        self.log("2FA handled successfully")
        self.program.type_code()
        return True

    async def second_factor_missed(self) -> None:
        action = self.environment.get("TWOFA_TIMEOUT_ACTION") or "none"
        if action == "exit":
            self.log("TWOFA_TIMEOUT_ACTION=exit — controller exiting", "ERROR")
            self.alert("2FA_FAILED", 'reason="2FA dialog timeout; TWOFA_TIMEOUT_ACTION=exit"')
            raise Ended(3)
        if action == "restart":
            self.log("TWOFA_TIMEOUT_ACTION=restart — invoking do_restart_in_place", "WARNING")
            if await self.relaunch():
                return
            self.log("Restart after 2FA timeout failed — exiting", "ERROR")
            self.alert("2FA_FAILED", 'reason="2FA dialog timeout and do_restart_in_place failed"')
            raise Ended(4)
        self.log(f"TWOFA_TIMEOUT_ACTION={action!r} — falling through to wait_for_api_port")

    async def wait_for_a_person(self) -> None:
        """Give a person time to finish the sign-in at the screen; else stay, and try nothing more. Ended."""
        if not self.release.waits_for_person:
            raise Ended(1)
        text, said = ibg_texts.MANUAL_WINDOW
        self.alert("2FA_MANUAL_WINDOW", text)
        self.log(said, "ERROR")
        if await self.api_port(BY_HAND):
            self.log("Manual login detected — resuming the normal flow")
            return
        self.enter("HALTED")
        self.alert("HALTED", f'state=HALTED reason="{ibg_texts.HALTED}"')
        self.log(f"HALTED: {ibg_texts.HALTED}", "ERROR")
        self.log(ibg_texts.NO_MORE_LOGINS, "ERROR")
        while True:
            await self.pause(BY_HAND)
            self.log(f"HALTED: {ibg_texts.HALTED} (waiting for an operator)", "ERROR")

    # --- behind it -------------------------------------------------------------------------------------------------

    async def disclaimers(self) -> None:
        self.log("Looking for post-login disclaimer dialogs to dismiss")
        if DISCLAIMER not in self.program.windows or "disclaimer" in self.gateway.faults:
            self.log("No disclaimer dialogs found")
            return
        self.log("Clicking disclaimer button 'I understand and accept'")
        self.program.accept_disclaimer()
        await self.pause(1.5)
        self.log("No more disclaimer buttons after dismissing 1")

    async def api_port(self, seconds: int) -> bool:
        self.log(f"Probing API port {self.port} for readiness (up to {seconds}s)")
        for second in range(seconds):
            if self.port_open():
                self.log(f"API port {self.port} accepting connections after {second}s")
                return True
            if second % 10 == 0:
                self.log(f"  API port still closed at t+{second}s; windows={self.program.windows}")
            await self.pause(1.0)
        return False

    async def configure(self) -> None:
        names = ("TWS_MASTER_CLIENT_ID", "READ_ONLY_API", "AUTO_LOGOFF_TIME", "AUTO_RESTART_TIME")
        client, read_only, logoff, restart = (self.environment.get(name, "") for name in names)
        coerced = {"yes": True, "no": False}.get(read_only)
        self.log(
            f"Post-login config env: TWS_MASTER_CLIENT_ID={client!r}, READ_ONLY_API={read_only!r} (coerced={coerced}), "
            f"AUTO_LOGOFF_TIME={logoff!r}, AUTO_RESTART_TIME={restart!r}"
        )
        if not (client or read_only or logoff or restart):
            self.log("Post-login config: no supported env vars set, skipping")
            return
        self.log("Applying post-login configuration from env vars")
        await self.pause(1.3)
        if client or coerced is not None:
            self.log("  Navigating to API → Settings")
            await self.pause(0.5)
        if client:
            self.log(f"  Setting Master API client ID = {client}")
        if coerced is not None:
            self.log(f"  Setting Read-Only API = {coerced}")
            self.gateway.read_only_setting = coerced
        if restart:
            await self.set_restart_time(restart)
        else:
            self.log(self.release.configured)

    async def set_restart_time(self, time_of_day: str) -> None:
        """Write the time, which is one of the afternoon whatever it says, and read it back where the release does."""
        label, morning = "Set Auto Restart Time (HH:MM)", "am" in time_of_day.lower()
        self.log("  Navigating to Lock and Exit")
        await self.pause(1.0)
        self.log(f"  Setting Auto Restart Time = {time_of_day}")
        if morning and self.release.reads_back:
            self.log(ibg_texts.MORNING.format(label, time_of_day), "WARNING")
        self.log(self.release.configured)
        if not self.release.reads_back:
            return
        await self.pause(3.4)
        if morning:
            said = f'setting="{label}" env_var=AUTO_RESTART_TIME requested="{time_of_day}" {ibg_texts.NOT_KEPT}'
            self.alert("CONFIG_NOT_APPLIED", said)
        else:
            self.log(f"  Verified: {label} reads back as '{time_of_day}'")

    # --- again -----------------------------------------------------------------------------------------------------

    async def close_window(self) -> bool:
        """Close the program by its window: the main one at once, the login window never; whether that did."""
        closes = self.gateway.logged_in
        await self.pause(2.0 if closes else CLOSING)
        text = (
            'status=succeeded reason="JVM exited cleanly within 15s of WINDOW_CLOSING"'
            if closes
            else 'status=failed_timeout reason="JVM still alive 15s after WINDOW_CLOSING dispatched; Gateway close '
            'handler may be stalled"'
        )
        self.alert("CLEAN_LOGOUT", f"pid={self.program.pid} {text}", "INFO")
        return closes

    async def close(self) -> None:
        """Close the program for a relaunch."""
        self.log(f"RESTART: terminating Gateway PID {self.program.pid}")
        await self.close_window()
        self.ready_file.unlink(missing_ok=True)
        self.program.end()

    async def relaunch(self) -> bool:
        await self.close()
        return await self.again()

    async def again(self) -> bool:
        self.program.pid += 1
        await self.launch(first=False)
        if await self.log_in(RELAUNCHED):
            self.log("RESTART: Gateway re-launched successfully")
            return True
        return False

    async def recover_sign_in(self) -> None:
        """The first sign-in failed: say why, and launch again as often as the release does. Ended."""
        relaunches = self.release.relaunches
        self.log(ibg_texts.NO_PROGRESS, "ERROR")
        self.alert("LOGIN_FAILED", self.release.login_unfinished)
        for line in self.release.diagnosis:
            self.log(line, "ERROR")
        self.log(f"  windows: {self.program.windows}", "ERROR")
        for window in self.program.windows:
            for label in self.program.labels.get(window, ()):
                self.log(f"  label [{window[1]}] '{label}'", "ERROR")
        for number, seconds in enumerate(relaunches, 1):
            self.log(
                f"Recovery: the API port never opened after login. Relaunching Gateway in {seconds}s (attempt {number}"
                f"/{len(relaunches)}) before handing this mode back to the container.",
                "WARNING",
            )
            await self.pause(seconds)
            if await self.relaunch():
                self.log("Recovery: this mode is back, without a container restart")
                return
            if self.needs_operator:
                await self.wait_for_a_person()
                return
        if relaunches:
            self.log(
                f"Recovery: {len(relaunches)} relaunches did not bring this mode back; exiting so the container can "
                "act",
                "ERROR",
            )
        raise Ended(1)

    async def program_ended(self, end: End) -> None:
        """The program has ended: adopt it where it comes back and the release expects that, else sign in again.
        Ended."""
        self.ready_file.unlink(missing_ok=True)
        reason = f"JVM exited with code {end.code}"
        if end.code == 0 and self.release.adopts:
            reason = "JVM exited cleanly (code 0)"
            if await self.came_back(end):
                return
        else:
            self.log(f"Gateway JVM exited with code {end.code}", "ERROR")
        await self.recover(reason, self.again)

    async def recover(self, reason: str, again: Callable[[], Awaitable[bool]]) -> None:
        """Launch the program again. Ended."""
        self.log(f"Recovery: {reason}. Trying fast in-place restart first.", "WARNING")
        if not await again():
            self.log("Recovery: fast restart failed; escalating to long-cool-down JVM restart", "WARNING")
            await self.give_up(reason)
        self.log("Recovery: fast restart succeeded")

    async def came_back(self, end: End) -> bool:
        """Whether the program, which has ended with 0, is back and signed in."""
        planned = self.environment.get("AUTO_RESTART_TIME", "")
        middle = f"; a scheduled Lock and Exit is configured ({planned}), so this is expected at that boundary"
        self.log(f"Gateway JVM exited cleanly (code 0){middle if planned else ''}. Recovering.")
        socket_path = self.environment.get("GATEWAY_INPUT_AGENT_SOCKET", "")
        if end.comes_back:
            if await self.adopt(socket_path):
                return True
            self.log(
                f"AUTORESTART: tearing down the adopted Gateway pid={self.program.pid} before the fallback relaunch",
                "WARNING",
            )
            await self.close()
        else:
            await self.pause(5.0)
            self.log(
                f"AUTORESTART: no fresh install4j restarter.log; probing {socket_path} for up to 15s in case Gateway "
                "restarted itself anyway"
            )
            await self.pause(15.0)
        return False

    async def heartbeat(self) -> None:
        """Look at the API's port; where that has been closed for long, sign in again, or launch the program again.
        Ended."""
        if self.port_open():
            if self.closed:
                self.log(f"API port {self.port} recovered after {self.closed} failed heartbeat(s)")
            self.closed = self.wedged = 0
            return
        self.closed += 1
        self.log(f"API port {self.port} closed (heartbeat failure {self.closed}/{CLOSED})", "WARNING")
        if self.closed < CLOSED:
            return
        self.log("Sustained API port closure — checking for re-auth", "WARNING")
        if not await self.look_for_login():
            self.log("Re-auth failed; attempting dual-mode-safe recovery", "ERROR")
            await self.recover("monitor_loop re-auth failed", self.relaunch)
        if self.port_open():
            self.closed = self.wedged = 0
            return
        self.wedged += 1
        self.log(f"Wedged failure {self.wedged}/{WEDGED}: API port still closed, no login dialog", "WARNING")
        if self.wedged < WEDGED:
            return
        self.log(ibg_texts.WEDGED, "ERROR")
        if not await self.relaunch():
            self.log("In-place restart returned False; escalating to long cool-down", "ERROR")
            await self.give_up("wedge do_restart_in_place failed")
        self.log("Wedge recovered via in-place restart")
        self.closed = self.wedged = 0

    async def look_for_login(self) -> bool:
        """Sign in again where a login window shows; False if that fails. Ended."""
        if not self.program.asks:
            self.log(ibg_texts.NO_LOGIN_WINDOW, "WARNING")
            return True
        self.log("Login dialog detected during monitor loop — re-driving login")
        return await self.redrive()

    async def redrive(self) -> bool:
        """Sign in fully in the program that runs; False if that fails. Ended."""
        self.ready_file.unlink(missing_ok=True)
        if not await self.log_in(REDRIVEN):
            return False
        self.log("Re-auth complete, resuming monitor")
        return True

    async def give_up(self, reason: str) -> None:
        """Close the program and end. Ended."""
        self.log(ibg_texts.NO_MORE_RESTARTS, "ERROR")
        if not await self.close_window():
            self.log("Clean logout failed; falling back to JVM SIGTERM with 30s grace before sys.exit", "WARNING")
        self.alert("CCP_PERSISTENT_HALT", f'reason="{reason}" {ibg_texts.CALL_MOBILE}')
        raise Ended(1)

    async def adopt(self, socket: str) -> bool:
        """Take over the program that has restarted itself; False where its sign-in failed."""
        log = f"{self.environment.get('TWS_PATH', '')}/ibgateway/{self.environment.get('TWS_MAJOR_VRSN', '')}"
        self.log(f"AUTORESTART: install4j restarter ran 3s ago ({log}/.install4j/restarter.log)")
        self.log(
            f"AUTORESTART: Gateway is restarting itself — NOT launching a second instance (old pid={self.program.pid});"
            f" waiting up to 90s for the new JVM's agent on {socket}",
            "WARNING",
        )
        old, self.program.pid = self.program.pid, self.program.pid + 1
        ids = f"detected_via=restarter_log old_pid={old} new_pid={self.program.pid} elapsed_seconds=4 "
        self.memory.count("starts")
        self.log(f"AUTORESTART: adopted Gateway pid={self.program.pid} (was {old}) after 0s")
        await self.pause(2.0)
        if "expired_token" in self.gateway.faults:
            return await self.sign_in_adopted(ids)
        await self.pause(2.0)
        self.gateway.update(logged_in=True)
        text = (
            f"{ids}reason=\"API port {self.port} open — session preserved across Gateway's auto-restart, no login and "
            'no second factor required"'
        )
        self.alert("AUTO_RESTART", f"status=adopted {text}", "INFO")
        self.signal_ready()
        self.log("Recovery: adopted Gateway's self-restarted JVM; no relaunch needed")
        return True

    async def sign_in_adopted(self, ids: str) -> bool:
        """Sign in fully in the program that has restarted itself, and did not keep its session."""
        self.log(
            "AUTORESTART: login dialog on the self-restarted Gateway — the session was not preserved (e.g. IBKR's "
            "weekly full re-authentication); re-driving login"
        )
        if not await self.redrive():
            text = f'{ids}reason="login on the adopted Gateway failed; falling back to a controller-driven relaunch"'
            self.alert("AUTO_RESTART", f"status=failed_login {text}", "WARNING")
            return False
        text = f'{ids}reason="session not preserved; full login re-driven on the adopted JVM"'
        self.alert("AUTO_RESTART", f"status=adopted {text}", "INFO")
        self.log("Recovery: adopted Gateway's self-restarted JVM; no relaunch needed")
        return True

    # --- commands and health ---------------------------------------------------------------------------------------

    async def obey(self, command: str) -> str:
        match command:
            case "STOP":
                return "OK STOP"
            case "ENABLEAPI":
                return "OK ENABLEAPI (already enabled)"
            case "RECONNECTDATA":
                return ibg_texts.NO_RECONNECT
            case "RECONNECTACCOUNT":
                self.log("Command server: RECONNECTACCOUNT — re-driving login")
                return "OK RECONNECTACCOUNT" if await self.look_for_login() else "ERR RECONNECTACCOUNT: reauth failed"
            case "RESTART":
                self.log("Command server: RESTART — tearing down and re-launching Gateway")
                return "OK RESTART" if await self.relaunch() else "ERR RESTART: re-launch failed"
        return f"ERR unknown_command: {command}"

    def health(self) -> dict[str, Any]:
        """The fields of its health page, in their order."""
        up = self.state == "MONITORING" and self.port_open()
        return {
            "status": "healthy" if up else "unhealthy", "version": self.release.version, "mode": self.mode,
            "state": self.state, "jvm_pid": self.program.pid, "jvm_alive": True, "api_port": self.port,
            "api_port_open": self.port_open(), **(self.relay() if self.release.tells_of_relay else {}),
            "last_auth_success_ts": self.answered_at,
            "last_auth_success_age_seconds": self.answered_at and time.time() - self.answered_at,
            "ccp_lockout_streak": self.lockouts, "ccp_backoff_seconds": self.backoff,
            "uptime_seconds": time.monotonic() - self.started,
        }  # fmt: skip

    def relay(self) -> dict[str, Any]:
        port, listens = RELAYS[self.mode], False
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            listens = True
        return {"socat_port": port, "socat_port_open": listens}

    # --- its end ---------------------------------------------------------------------------------------------------

    def terminate(self) -> None:
        self.spawn(self._terminate)

    async def _terminate(self) -> None:
        """SIGTERM: close the main window, or the push's dialog, where there is one, and end with 0."""
        self.log("Received signal 15 (SIGTERM), shutting down Gateway")
        clean, place = False, f"pid={self.program.pid} status="
        if self.state in BEFORE_LOGIN:
            text = f'safe_no_session reason="state={self.state}; no CCP slot held, SIGTERM is safe"'
            self.alert("CLEAN_LOGOUT", place + text, "INFO")
        elif self.state == "POST_LOGIN":
            text = (
                f'zombie_slot_cannot_release reason="state={self.state}; CCP slot in flight but Gateway has no '
                "main-window UI close path yet; SIGTERM will strand the slot server-side until IBKR's timeout drains "
                'it"'
            )
            self.alert("CLEAN_LOGOUT", place + text, "INFO")
        elif self.state == "TWO_FA":
            await self.pause(CLOSING)
            text = (
                'failed_cancel_2fa reason="2FA dialog closed via agent but JVM did not exit within 15s; falling back '
                'to SIGTERM"'
            )
            self.alert("CLEAN_LOGOUT", place + text, "INFO")
        else:
            clean = await self.close_window()
        how = "exited via clean UI logout (WINDOW_CLOSING); no SIGTERM needed" if clean else "exited cleanly within 15s"
        said = f'signal=SIGTERM graceful=true reason="controller received SIGTERM; Gateway JVM {how}"'
        self.alert("SHUTDOWN", said, "INFO")
        self.end(0)

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)

    def spawn(self, work: Callable[[], Any]) -> None:
        async def run() -> None:
            try:
                await work()
            except Ended as ended:
                self.end(ended.code)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self, socket_path: str) -> int:
        """Sign in and stay; return the exit code."""
        release = self.environment.get("TWS_MAJOR_VRSN", "")
        if self.release.names_itself:
            said = f"(mode={self.mode}, gateway={release}, product=gateway)"
            self.log(f"ibg-controller v{self.release.version} starting {said}")
        if not (self.environment.get("TWS_USERID") and self.environment.get("TWS_PASSWORD")):
            self.log("TWS_USERID and TWS_PASSWORD must be set", "ERROR")
            return 2
        control = ControlServer(socket_path, self._commands())
        await control.start()
        self.gateway.on_change.append(self._faults_changed)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.terminate)
        self.spawn(self._work)
        code = await self._code
        control.close()
        return code

    async def _work(self) -> None:
        await serve_health(self.log, self.health, self.environment)
        self.enter("LAUNCHING")
        await self.launch(first=True)
        await self.log_in(FIRST)
        self.enter("COMMAND_SERVER")
        # Kept, so that asyncio does not tell of an Ended in it: that ends the command port and not the controller.
        if served := await serve_commands(self.log, self.obey, self.terminate, self.environment):
            self._tasks.add(served)
        self.enter("MONITORING")
        self.log("Login complete. Entering monitor loop.")
        listens = self.environment.get("CONTROLLER_COMMAND_SERVER_PORT")
        if listens and not self.environment.get("CONTROLLER_COMMAND_SERVER_AUTH_TOKEN"):
            self.log(ibg_texts.NO_TOKEN, "WARNING")
        self.log(f"Monitor: JVM pid={self.program.pid}, heartbeat API port {self.port} every {HEARTBEAT}s")
        while True:
            try:
                end = await asyncio.wait_for(self._ends.get(), self.options.real(HEARTBEAT))
            except TimeoutError:
                await self.heartbeat()
                continue
            self.program.end()
            await self.program_ended(end)
            self.closed = self.wedged = 0

    # --- the control socket ----------------------------------------------------------------------------------------

    def _commands(self) -> dict[str, Command]:
        base = gateway_commands(self.gateway, self.server)

        def status(request: Mapping[str, Any]) -> Reply:
            counts = dict.fromkeys(("starts", "logins", "pushes", "cold_restarts"), 0) | self.memory.counts
            waits = SECOND_FACTOR in self.program.windows
            own = {"login_state": "waiting_2fa" if waits else self.state, "settings_problems": []}
            return counts | base["status"](request) | own

        def fault(request: Mapping[str, Any]) -> Reply:
            ibg_releases.refuse_unknown(self.release, [faults.find(request["name"]).name])
            return base["fault"](request)

        def ends(end: End) -> Reply:
            if not self.gateway.logged_in:
                raise ValueError("not logged in: the gateway ends by itself only when it is")
            self._ends.put_nowait(end)
            return {}

        return base | {
            "status": status, "fault": fault, "exit": lambda request: ends(End(int(request["code"]), False)),
            # With event LOGOFF nothing restarts it.
            "restart": lambda request: ends(End(0, (request.get("event") or "RESTART") == "RESTART")),
            "approve": lambda request: self.program.answer(True),
            "decline": lambda request: self.program.answer(False),
        }  # fmt: skip

    def _faults_changed(self, before: Mapping[str, Any], after: dict[str, dict[str, Any]]) -> None:
        self.memory.faults = after
        self.memory.save()


async def _main() -> int:
    socket_path = os.environ.get("STANDIN_SOCKET", "/tmp/standin.sock")  # as the image has it
    try:
        opts, memory = options.read(), Memory(Path(socket_path).with_suffix(".json"))
        release = ibg_releases.chosen(os.environ)
        refuses = ["wrong_password"] if opts.user or opts.password_sha256 else []
        ibg_releases.refuse_unknown(release, [*memory.faults, *refuses])
        controller = Controller(opts, memory, release)
    except (OSError, faults.UnknownFault, ValueError) as error:
        print(f"ibgw_standin: {error}", file=sys.stderr)
        return 1
    return await controller.run(socket_path)


def main() -> None:
    """Run one life; the exit code is ibg-controller's."""
    os.umask(0o077)
    time.tzset()
    code = asyncio.run(_main())
    sys.stderr.flush()
    os._exit(code)  # what the program had open ends with it


if __name__ == "__main__":
    main()
