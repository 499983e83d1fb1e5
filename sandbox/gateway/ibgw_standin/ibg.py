# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m ibgw_standin.ibg``: ibg-controller 0.12.0 and the gateway behind it, in one process.

Its lines, their order and its waits are those of the recordings in tests/transcripts/ibg, and of the texts that
ibg-controller publishes (gateway_controller.py of 13422e4) where no recording has them. Of the faults at a sign-in it
has those that were recorded (:data:`SIGN_IN_FAULTS`); any other one is refused. The API behind it has them all.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import faults, options
from .commands import gateway_commands
from .control import Command, ControlServer, Reply
from .gateway import PORTS, Gateway
from .memory import Memory
from .server import ApiServer

VERSION = "0.12.0"
SIGN_IN_FAULTS = ("wrong_password", "missed_push", "push_denied", "expired_token", "port_closed")
# Seconds of its own: after Log In, for dialogs, for the API's port, between relaunches (13422e4).
SETTLE, DIALOGS, PORT, RELAUNCHES, CLOSING = 25.0, 6.0, 180, (60, 120, 240), 15.0
LOGIN_FRAME, SPLASH = ("JFrame", "IBKR Gateway", False), ("JFrame", "Attempt 1: Authenticating...", False)
PUSH = ("JDialog", "Second Factor Authentication", True)
REFUSED = ("JDialog", "Login failed", True)
DISCLAIMER = ("JDialog", "Warning", True)
NO_TOKEN = (
    "Command server: NO AUTH TOKEN SET. Anyone who can reach the bind address can send STOP / RESTART / "
    "RECONNECTACCOUNT. For localhost-only access use docker -p 127.0.0.1:PORT:PORT; for remote access set "
    "CONTROLLER_COMMAND_SERVER_AUTH_TOKEN."
)
NO_PROGRESS = (
    "API port never opened and no lockout signature detected — treating as terminal failure (wrong creds, wrong "
    "server, or network)"
)
DIAGNOSIS = (
    "Diagnosis: auth request sent, server responded with NS_AUTH_START, but we never reached PostAuthenticate.",
    "  NS_AUTH_START means IBKR answered the handshake, so this is not the bad-credentials signature — that one times "
    "out after the handshake.",
    "  Most likely causes, in order:",
    "    (1) A transient stall on IBKR's side. The same account has failed this way twice and then logged in on the "
    "third try with nothing changed. Retry.",
    "    (2) A post-auth dialog appeared that we didn't recognize — check the window dump below",
    "    (3) Only if it persists across several retries: verify TWS_USERID / TWS_PASSWORD (or _PAPER variants)",
    "Final state dump:",
)
LABELS = {LOGIN_FRAME: ("API Type", "Trading Mode"), PUSH: ("Notification sent to your phone",)}
BAD_CREDENTIALS = (
    'reason="bad-credentials" suggested_action="Gateway surfaced a credential-rejection modal; verify TWS_USERID / '
    'TWS_PASSWORD (or _PAPER variants) and update env if password was rotated in IBKR Account Settings"'
)
ANSWERS = {
    "ENABLEAPI": "OK ENABLEAPI (already enabled)",
    "RECONNECTDATA": (
        "ERR RECONNECTDATA: not supported on Gateway — Gateway's File menu has no Reconnect Data item. Use "
        "RECONNECTACCOUNT to re-drive the login flow instead."
    ),
    "RECONNECTACCOUNT": "OK RECONNECTACCOUNT",
}


class Ended(Exception):
    """The controller ends, with this code."""

    def __init__(self, code: int) -> None:
        self.code = code


class Controller:
    """The controller and its gateway; ``windows`` are those that the gateway shows, ``pid`` is its process's."""

    def __init__(self, opts: options.Options, memory: Memory, environment: Mapping[str, str] = os.environ) -> None:
        self.options, self.memory, self.environment = opts, memory, environment
        self.mode = environment.get("TRADING_MODE", "paper")
        self.port = PORTS[self.mode]
        self.gateway = Gateway(self.mode, opts.accounts, opts.max_version, active=memory.faults, walks_login=True)
        self.gateway.read_only_setting = True
        self.server = ApiServer(self.gateway, "127.0.0.1", opts.api_port or self.port)
        self.windows: list[tuple[str, str, bool]] = []
        self.state, self.pid = "", os.getpid()
        self.started = time.monotonic()
        self.ready_file = Path(environment.get("CONTROLLER_READY_FILE", "/tmp/gateway_ready"))  # its own
        self._push: asyncio.Future[bool] | None = None
        self._program: asyncio.Task[None] | None = None
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- what it says ----------------------------------------------------------------------------------------------

    def log(self, text: str, level: str = "INFO") -> None:
        print(f"{time.strftime('%H:%M:%S')} [{level}] [{self.mode}] {text}", file=sys.stderr, flush=True)

    def enter(self, state: str, first: bool = True) -> None:
        """Say the state, which only a first sign-in has."""
        if first:
            self.state = state
            self.log(f"[STATE: {state}]")

    def alert(self, name: str, text: str, level: str = "ERROR") -> None:
        self.log(f"ALERT_{name} mode={self.mode} {text}", level)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(self.options.real(seconds))

    # --- the gateway's program -------------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Show what IB's program shows after Log In, until the user is in or it waits for a person."""
        login = self.options.login_seconds
        await self.pause(login * 0.5)
        known = self.options.accepts(self.environment["TWS_USERID"], self.environment["TWS_PASSWORD"])
        if "wrong_password" in self.gateway.faults or not known:
            self.windows.append(REFUSED)
            return
        self.windows.append(SPLASH)
        if self.mode == "live" and not await self.second_factor():
            return
        await self.pause(login * 0.5)
        while "port_closed" in self.gateway.faults:
            await self.pause(1.0)
        self.windows = [DISCLAIMER] if self.mode == "paper" else []
        self.memory.count("logins")
        self.gateway.update(logged_in=True, disclaimer_open=self.mode == "paper")

    async def second_factor(self) -> bool:
        """Show a push until it is answered; a denied one closes its dialog, and a missed one stays."""
        self.memory.count("pushes")
        self.windows.append(PUSH)
        self._push = asyncio.get_running_loop().create_future()
        denied = self.gateway.faults.get("push_denied")
        delay = self.options.approve_after if denied is None else float(denied.get("after", 4))
        if delay is not None and "missed_push" not in self.gateway.faults:
            seconds = self.options.real(delay)
            asyncio.get_running_loop().call_later(seconds, self.answer, denied is None)
        approved = await self._push
        self.windows.remove(PUSH)
        return approved

    def answer(self, approved: bool) -> Reply:
        if self._push is None or self._push.done():
            return {"ok": False, "error": "no push waits"}
        self._push.set_result(approved)
        return {}

    def port_open(self) -> bool:
        """Whether the API's port is open at this moment."""
        return self.gateway.listening

    def end_program(self) -> None:
        """The program is gone, with its windows, its push and its session."""
        if self._program:
            self._program.cancel()
        self.windows, self._push = [], None
        self.gateway.update(logged_in=False, disclaimer_open=False)

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
        self.log(f"Gateway PID: {self.pid} (JVM console -> /tmp/jvm_console_{self.mode}.log)")
        if first:
            self.enter("AGENT_WAIT")
            self.log(f"Waiting for input agent at {socket}")
        await self.pause(0.3)
        if not first:
            self.log(f"RESTART: new Gateway JVM PID (from agent): {self.pid}")
            return
        self.log("Input agent is up")
        self.log(f"Gateway JVM PID (from agent): {self.pid}")
        self.enter("APP_DISCOVERY")
        self.log("Resolving Gateway app handle (agent-reported PID)")
        self.log(f"App registered: 'IBKR Gateway' (pid={self.pid})")

    async def log_in(self, first: bool) -> bool:
        """Sign in, from the login window to the settings; False where the API's port does not open. Ended."""
        self.enter("LOGIN", first)
        self.log("Waiting for login dialog (JPasswordField in showing Window)")
        await self.pause(1.0)
        self.windows = [LOGIN_FRAME]
        self.log("Login dialog detected")
        self.log(f"Trading mode set to {self.mode.capitalize()} Trading via agent")
        self.log("Log In clicked successfully")
        self._program = asyncio.create_task(self.sign_in())
        await self.pause(SETTLE)
        self.enter("POST_LOGIN", first)
        await self.dialogs()
        self.enter("TWO_FA", first)
        await self.wait_for_second_factor()
        self.enter("DISCLAIMERS", first)
        await self.disclaimers()
        self.enter("API_WAIT", first)
        if not await self.api_port():
            return False
        self.enter("CONFIG", first)
        await self.configure()
        self.enter("READY", first)
        self.ready_file.write_text(str(int(time.time())))
        self.log(f"Readiness signal: {self.ready_file}")
        return True

    async def dialogs(self) -> None:
        self.log("Inspecting post-login dialogs")
        deadline = time.monotonic() + self.options.real(DIALOGS)
        await self.pause(0.5)
        while not (modal := [each for each in self.windows if each[2]]):
            if time.monotonic() > deadline:
                self.log("No modal dialogs after login")
                return
            await self.pause(0.5)
        self.log(f"Modal dialog(s) detected: {[each[:2] for each in modal]}")
        if REFUSED not in modal:
            self.log("Unrecognized modal — leaving in place to let Gateway flow proceed")
            return
        self.log("Recognized: credential-rejection dialog")
        self.alert("LOGIN_FAILED", BAD_CREDENTIALS)
        self.log("Dismissed credential-rejection dialog via 'OK'")

    async def wait_for_second_factor(self) -> None:
        """Wait for a push to be answered, TWOFA_EXIT_INTERVAL seconds at most; then TWOFA_TIMEOUT_ACTION. Ended."""
        interval = int(self.environment.get("TWOFA_EXIT_INTERVAL") or 120)
        self.log("No TWOFACTOR_CODE set — will watch for IB Key push dialog if it appears")
        self.log(f"Waiting for 2FA dialog (window title contains 'Second Factor') for up to {interval}s")
        if self.port_open():
            self.log(f"API port {self.port} already open — no 2FA dialog needed")
            return
        self.log(f"2FA wait: windows -> {self.windows}")
        pushed = PUSH in self.windows
        if pushed:
            self.log(f"IB Key 2FA dialog detected: {PUSH}")
            self.log("Waiting for IB Key mobile approval — approve on your phone via the IB Key app")
        said = "IB Key wait t+{}s: still waiting for approval..." if pushed else "2FA wait t+{}s: still waiting"
        for second in range(interval):
            if self.port_open():
                self.log("API port opened — IB Key approval succeeded")
                return
            if pushed and PUSH not in self.windows:
                self.log("2FA dialog dismissed — IB Key approval detected, proceeding")
                return
            if second % 10 == 0:
                self.log(f"  {said.format(second)}")
            if REFUSED in self.windows and second:
                self.windows.remove(REFUSED)
                self.log(f"2FA wait: windows -> {self.windows}")
            await self.pause(1.0)
        if pushed:
            self.log("IB Key approval wait timed out", "WARNING")
        self.log(f"No 2FA dialog appeared within {interval}s", "WARNING")
        await self.second_factor_missed()

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
            raise Ended(4)
        self.log("TWOFA_TIMEOUT_ACTION='none' — falling through to wait_for_api_port")

    async def disclaimers(self) -> None:
        self.log("Looking for post-login disclaimer dialogs to dismiss")
        if DISCLAIMER not in self.windows or "disclaimer" in self.gateway.faults:
            self.log("No disclaimer dialogs found")
            return
        self.log("Clicking disclaimer button 'I understand and accept'")
        self.windows.remove(DISCLAIMER)
        self.gateway.update(disclaimer_open=False)
        await self.pause(1.5)
        self.log("No more disclaimer buttons after dismissing 1")

    async def api_port(self) -> bool:
        self.log(f"Probing API port {self.port} for readiness (up to {PORT}s)")
        for second in range(PORT):
            if self.port_open():
                self.log(f"API port {self.port} accepting connections after {second}s")
                return True
            if second % 10 == 0:
                self.log(f"  API port still closed at t+{second}s; windows={self.windows}")
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
            self.log("  Navigating to Lock and Exit")
            await self.pause(1.0)
            self.log(f"  Setting Auto Restart Time = {restart}")
        self.log("Post-login config committed; dialog closed")
        if restart:
            await self.pause(3.4)
            self.log(f"  Verified: Set Auto Restart Time (HH:MM) reads back as '{restart}'")

    # --- again -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the program for a relaunch: its main window at once, its login window never."""
        self.log(f"RESTART: terminating Gateway PID {self.pid}")
        self.ready_file.unlink(missing_ok=True)
        closes = self.gateway.logged_in
        await self.pause(2.0 if closes else CLOSING)
        self.end_program()
        status, reason = (
            ("succeeded", "JVM exited cleanly within 15s of WINDOW_CLOSING")
            if closes
            else (
                "failed_timeout",
                "JVM still alive 15s after WINDOW_CLOSING dispatched; Gateway close handler may be stalled",
            )
        )
        self.alert("CLEAN_LOGOUT", f'pid={self.pid} status={status} reason="{reason}"', "INFO")

    async def relaunch(self) -> bool:
        await self.close()
        return await self.again()

    async def again(self) -> bool:
        self.pid += 1
        await self.launch(first=False)
        if await self.log_in(first=False):
            self.log("RESTART: Gateway re-launched successfully")
            return True
        self.log("RESTART: API port never opened after re-launch", "ERROR")
        return False

    async def recover_sign_in(self) -> bool:
        """The first sign-in failed: three relaunches. Ended."""
        self.log(NO_PROGRESS, "ERROR")
        self.alert(
            "LOGIN_FAILED",
            'reason="post-auth-no-progress" suggested_action="IBKR answered the auth handshake but the login never '
            "completed. This has cleared on a plain retry with no configuration change, so retry before auditing "
            'credentials; if it repeats, look for an unrecognized post-auth dialog in the window dump"',
        )
        for line in DIAGNOSIS:
            self.log(line, "ERROR")
        self.log(f"  windows: {self.windows}", "ERROR")
        for window in self.windows:
            for label in LABELS.get(window, ()):
                self.log(f"  label [{window[1]}] '{label}'", "ERROR")
        for number, seconds in enumerate(RELAUNCHES, 1):
            self.log(
                f"Recovery: the API port never opened after login. Relaunching Gateway in {seconds}s (attempt {number}"
                f"/{len(RELAUNCHES)}) before handing this mode back to the container.",
                "WARNING",
            )
            await self.pause(seconds)
            if await self.relaunch():
                self.log("Recovery: this mode is back, without a container restart")
                return True
        self.log(
            f"Recovery: {len(RELAUNCHES)} relaunches did not bring this mode back; exiting so the container can act",
            "ERROR",
        )
        raise Ended(1)

    async def program_ended(self, event: str) -> None:
        """The program has ended with 0: by its daily restart, which is adopted, or by itself, which signs in again.
        Ended."""
        planned = self.environment.get("AUTO_RESTART_TIME", "")
        middle = f"a scheduled Lock and Exit is configured ({planned}), so this is expected at that boundary. "
        self.log(f"Gateway JVM exited cleanly (code 0); {middle if planned else ''}Recovering.")
        socket = self.environment.get("GATEWAY_INPUT_AGENT_SOCKET", "")
        if event == "RESTART":
            if await self.adopt(socket):
                return
            await self.close()
        else:
            await self.pause(5.0)
            self.log(
                f"AUTORESTART: no fresh install4j restarter.log; probing {socket} for up to 15s in case Gateway "
                "restarted itself anyway"
            )
            await self.pause(15.0)
        self.log("Recovery: JVM exited cleanly (code 0). Trying fast in-place restart first.", "WARNING")
        if not await self.again():
            reason = 'reason="JVM exited cleanly (code 0)"'
            self.log(
                "Recovery: fast restart failed; escalating to long-cool-down JVM restart",
                "WARNING",
            )
            self.alert("CCP_PERSISTENT_HALT", reason)
            raise Ended(1)
        self.log("Recovery: fast restart succeeded")

    async def adopt(self, socket: str) -> bool:
        """Take over the program that has restarted itself; False where its sign-in failed."""
        log = f"{self.environment.get('TWS_PATH', '')}/ibgateway/{self.environment.get('TWS_MAJOR_VRSN', '')}"
        self.log(f"AUTORESTART: install4j restarter ran 3s ago ({log}/.install4j/restarter.log)")
        self.log(
            f"AUTORESTART: Gateway is restarting itself — NOT launching a second instance (old pid={self.pid}); "
            f"waiting up to 90s for the new JVM's agent on {socket}",
            "WARNING",
        )
        old, self.pid = self.pid, self.pid + 1
        self.memory.count("starts")
        self.log(f"AUTORESTART: adopted Gateway pid={self.pid} (was {old}) after 0s")
        await self.pause(2.0)
        kept = "expired_token" not in self.gateway.faults
        if not kept:
            self.log(
                "AUTORESTART: login dialog on the self-restarted Gateway — the session was not preserved (e.g. IBKR's "
                "weekly full re-authentication); re-driving login"
            )
            return await self.log_in(first=False)
        await self.pause(2.0)
        self.gateway.update(logged_in=True)
        self.alert(
            "AUTO_RESTART",
            f"status=adopted detected_via=restarter_log old_pid={old} new_pid={self.pid} elapsed_seconds=4 reason="
            f"\"API port {self.port} open — session preserved across Gateway's auto-restart, no login and no second "
            'factor required"',
            "INFO",
        )
        self.ready_file.write_text(str(int(time.time())))
        self.log(f"Readiness signal: {self.ready_file}")
        self.log("Recovery: adopted Gateway's self-restarted JVM; no relaunch needed")
        return True

    # --- its servers -----------------------------------------------------------------------------------------------

    async def serve_commands(self) -> None:
        port = self.environment.get("CONTROLLER_COMMAND_SERVER_PORT", "")
        if not port:
            return
        host = self.environment.get("CONTROLLER_COMMAND_SERVER_HOST") or "0.0.0.0"  # its own default
        await asyncio.start_server(self.hear, host, int(port))
        self.log(f"Command server: listening on {host}:{port}")

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One command of a connection, and its answer."""
        line = (await reader.readline()).decode(errors="replace").strip().upper()
        host, port = writer.get_extra_info("peername")[:2]
        if not line:
            writer.write(b"ERR empty_command\n")
        else:
            self.log(f"Command server: {host}:{port} sent '{line}'")
            writer.write(f"{await self.obey(line)}\n".encode())
        await writer.drain()
        writer.close()
        if line == "STOP":
            self.log("Command server: STOP received — initiating shutdown")
            self.terminate()

    async def obey(self, command: str) -> str:
        if command == "STOP":
            return "OK STOP"
        if command != "RESTART":
            return ANSWERS.get(command, f"ERR unknown_command: {command}")
        self.log("Command server: RESTART — tearing down and re-launching Gateway")
        return "OK RESTART" if await self.relaunch() else "ERR RESTART: re-launch failed"

    async def serve_health(self) -> None:
        port = self.environment.get("CONTROLLER_HEALTH_SERVER_PORT", "")
        if not port:
            self.log("Health server: CONTROLLER_HEALTH_SERVER_PORT not set, skipping")
            return
        host = self.environment.get("CONTROLLER_HEALTH_SERVER_HOST") or "0.0.0.0"  # its own default
        await asyncio.start_server(self.answer_health, host, int(port))
        self.log(f"Health server: listening on {host}:{port} (GET /health, /ready)")

    async def answer_health(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).decode(errors="replace").split(" ")[1:2]
        up = self.state == "MONITORING" and self.port_open()
        health = {
            "status": "healthy" if up else "unhealthy", "version": VERSION, "mode": self.mode, "state": self.state,
            "jvm_pid": self.pid, "jvm_alive": True, "api_port": self.port, "api_port_open": self.port_open(),
            "uptime_seconds": time.monotonic() - self.started,
        }  # fmt: skip
        code, body = {
            "/health": ("200 OK" if up else "503 Service Unavailable", json.dumps(health)),
            "/ready": ("200 OK", '{"status":"up"}'),
        }.get("".join(path), ("404 Not Found", '{"error":"not_found"}'))
        writer.write(f"HTTP/1.0 {code}\r\nContent-Type: application/json\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    # --- its end ---------------------------------------------------------------------------------------------------

    def terminate(self) -> None:
        self.spawn(self._terminate)

    async def _terminate(self) -> None:
        """SIGTERM: close the main window, or the push's dialog, and end with 0."""
        self.log("Received signal 15 (SIGTERM), shutting down Gateway")
        said = "controller received SIGTERM; Gateway JVM "
        if self.gateway.logged_in:
            await self.pause(2.0)
            status, reason = "succeeded", "JVM exited cleanly within 15s of WINDOW_CLOSING"
            said += "exited via clean UI logout (WINDOW_CLOSING); no SIGTERM needed"
        else:
            await self.pause(CLOSING)
            status = "failed_cancel_2fa"
            reason = "2FA dialog closed via agent but JVM did not exit within 15s; falling back to SIGTERM"
            said += "exited cleanly within 15s"
        self.alert("CLEAN_LOGOUT", f'pid={self.pid} status={status} reason="{reason}"', "INFO")
        self.alert("SHUTDOWN", f'signal=SIGTERM graceful=true reason="{said}"', "INFO")
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
        self.log(f"ibg-controller v{VERSION} starting (mode={self.mode}, gateway={release}, product=gateway)")
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
        await self.serve_health()
        self.enter("LAUNCHING")
        await self.launch(first=True)
        if not await self.log_in(first=True):
            await self.recover_sign_in()
        self.enter("COMMAND_SERVER")
        await self.serve_commands()
        self.enter("MONITORING")
        self.log("Login complete. Entering monitor loop.")
        if self.environment.get("CONTROLLER_COMMAND_SERVER_PORT"):
            self.log(NO_TOKEN, "WARNING")
        self.log(f"Monitor: JVM pid={self.pid}, heartbeat API port {self.port} every 30s")
        while True:
            event = await self._events.get()
            self.end_program()
            await self.program_ended(event)

    # --- the control socket ----------------------------------------------------------------------------------------

    def _commands(self) -> dict[str, Command]:
        base = gateway_commands(self.gateway, self.server)

        def status(request: Mapping[str, Any]) -> Reply:
            counts = dict.fromkeys(("starts", "logins", "pushes", "cold_restarts"), 0) | self.memory.counts
            own = {"login_state": "waiting_2fa" if PUSH in self.windows else self.state, "settings_problems": []}
            return counts | base["status"](request) | own

        def fault(request: Mapping[str, Any]) -> Reply:
            refuse_unknown([faults.find(request["name"]).name])
            return base["fault"](request)

        def restart(request: Mapping[str, Any]) -> Reply:
            """The gateway's own restart, now; with event LOGOFF it ends, and nothing restarts it."""
            if not self.gateway.logged_in:
                raise ValueError("not logged in: the gateway restarts itself only when it is")
            self._events.put_nowait(request.get("event") or "RESTART")
            return {}

        return base | {
            "status": status, "fault": fault, "restart": restart,
            "approve": lambda request: self.answer(True), "decline": lambda request: self.answer(False),
        }  # fmt: skip

    def _faults_changed(self, before: Mapping[str, Any], after: dict[str, dict[str, Any]]) -> None:
        self.memory.faults = after
        self.memory.save()


def refuse_unknown(names: list[str]) -> None:
    """ValueError for a fault at the sign-in that was not recorded with ibg-controller."""
    unknown = [name for name in names if faults.FAULTS[name].layer == "login" and name not in SIGN_IN_FAULTS]
    if unknown:
        raise ValueError(f"{unknown[0]} is not recorded with ibg-controller; there are {', '.join(SIGN_IN_FAULTS)}")


async def _main() -> int:
    socket_path = os.environ.get("STANDIN_SOCKET", "/tmp/standin.sock")  # as the image has it
    try:
        opts, memory = options.read(), Memory(Path(socket_path).with_suffix(".json"))
        refuse_unknown([*memory.faults])
        controller = Controller(opts, memory)
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
