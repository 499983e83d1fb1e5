# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a user gets in: the login window, the password, the push, the other session; and every way it goes wrong."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from .control import Reply
from .gateway import Gateway
from .memory import Memory
from .options import Options
from .settings import Settings
from .tokens import SettingsDirectory

LOGGED_OUT, AWAITING_PUSH, LOGGING_IN, LOGGED_IN = "logged_out", "waiting_2fa", "logging_in", "logged_in"
LOGIN_INCOMPLETE, NO_LOGIN_DIALOG = 1111, 1112
"""IBC's exit codes that come from here."""


class Jvm(Protocol):
    """The part of IBC that a login uses."""

    config: Settings
    directory: SettingsDirectory
    gateway: Gateway
    memory: Memory
    mode: str
    options: Options

    @property
    def user(self) -> str:
        """The user that config.ini names."""

    def log(self, message: str) -> None:
        """Write a line of IBC's log."""

    def exit(self, code: int) -> None:
        """End the JVM."""

    def fail(self, code: int, message: str) -> None:
        """End the JVM with an error in the log."""

    def cold_restart(self) -> None:
        """End so that a full login follows."""


class Login:
    """The login of one JVM. ``state`` is for ``status``."""

    def __init__(self, ibc: Jvm) -> None:
        self._ibc = ibc
        self._config = ibc.config
        self._log = ibc.log
        self._push: asyncio.Future[bool] | None = None
        self._attempts = 0
        self._other_session_seen = False
        self.state = LOGGED_OUT
        self._changed = asyncio.Event()
        ibc.gateway.on_change.append(lambda before, after: self._changed.set())

    def _fault(self, name: str) -> bool:
        return name in self._ibc.gateway.faults

    async def _hang(self) -> None:
        """Wait for a person who never comes."""
        self.state = LOGGED_OUT
        await asyncio.Event().wait()

    async def _while(self, *names: str) -> None:
        """Stay where we are as long as one of these faults is active."""
        while any(map(self._fault, names)):
            self._changed.clear()
            await self._changed.wait()

    async def run(self, restart_directory: str) -> None:
        """Return when the user is in; ends the JVM, or hangs, where IBC does."""
        half = self._ibc.options.login_seconds / 2
        if restart_directory:
            self._log("Re-starting session")
            self.state = LOGGING_IN
            await asyncio.sleep(half)
            if not self._ibc.directory.take_token(restart_directory) or self._fault("expired_token"):
                self._log("Authentication token was refused: full authentication will be required")
                self._ibc.cold_restart()
                await self._hang()
        else:
            await self._show_window()
            await self._sign_in(half)
        await asyncio.sleep(half)
        await self._while("port_closed")
        self.state = LOGGED_IN

    async def _show_window(self) -> None:
        limit = self._config.number("LoginDialogDisplayTimeout") or 60
        self._log(f"Starting session: will exit if login dialog is not displayed within {limit} seconds")
        if self._fault("exit_88_loop"):
            try:
                await asyncio.wait_for(self._while("exit_88_loop"), limit)
            except TimeoutError:
                self._ibc.fail(NO_LOGIN_DIALOG, f"login dialog not displayed within {limit} seconds")
                await self._hang()
        self._log("Login dialog WINDOW_OPENED: LoginState is LOGGED_OUT")
        await self._while("login_window_hang")

    async def _sign_in(self, half: float) -> None:
        """Try until the user is in; a missed push and IBC's re-login make another attempt."""
        while True:
            self._attempts += 1
            self.state = LOGGING_IN
            self._log(f"Login attempt: {self._attempts}")
            self._log("Click button: " + ("Paper Log In" if self._ibc.mode == "paper" else "Log In"))
            await asyncio.sleep(half)
            await self._check_password()
            await self._meet_other_session()
            needs_push = self._ibc.mode == "live" or self._fault("missed_push") or self._fault("login_stall")
            if not needs_push or await self._second_factor():
                break
        self._log("detected dialog entitled: Starting application...; event=Opened")

    async def _check_password(self) -> None:
        known = self._ibc.options.accepts(self._ibc.user, self._config.text("IbPassword"))
        if self._fault("unrecognized_user"):
            self._log("detected dialog entitled: Unrecognized Username or Password; event=Opened")
            await self._hang()
        if self._fault("wrong_password") or not known:
            self._log("detected dialog entitled: Login failed; event=Opened")
            self._log("Login failed")
            self._ibc.cold_restart()
            await self._hang()

    # --- the push --------------------------------------------------------------------------------------------------

    def answer_push(self, approved: bool) -> Reply:
        """The person with the phone says yes or no; ValueError when no push is waiting."""
        if self._push is None or self._push.done():
            raise ValueError("no push is waiting for an answer")
        self._push.set_result(approved)
        return {"approved": approved}

    async def _second_factor(self) -> bool:
        """Send a push; True when login goes on, False for another attempt."""
        options = self._ibc.options
        self._ibc.memory.count("pushes")
        self._log("Second Factor Authentication initiated")
        self.state = AWAITING_PUSH
        began = time.monotonic()
        self._push = push = asyncio.get_running_loop().create_future()
        if options.approve_after is not None and not self._fault("missed_push"):
            asyncio.get_running_loop().call_later(options.approve_after, _answer, push)
        try:
            approved: bool | None = await asyncio.wait_for(push, options.push_timeout)
        except TimeoutError:
            approved = None
        self._push = None
        self._log(f"Duration since login: {int(time.monotonic() - began)} seconds")
        relogin = self._config.flag("ReloginAfterSecondFactorAuthenticationTimeout")
        if approved is None:
            return await self._missed(relogin)
        self.state = LOGGING_IN
        interval = self._config.number("SecondFactorAuthenticationExitInterval") or 60
        if relogin:
            self._log(f"If login has not completed, IBC will exit in {interval} seconds")
        if not approved or self._fault("login_stall"):
            await self._stall(interval if relogin else None)
        return True

    async def _missed(self, relogin: bool) -> bool:
        if not relogin:
            self._log("Re-login after second factor authentication timeout not required")
            await self._hang()
        self._log("Re-login after second factor authentication timeout in 5 second")
        await asyncio.sleep(self._ibc.options.relogin_seconds)
        return False

    async def _stall(self, exit_after: int | None) -> None:
        """Login does not complete after the answer: IBC ends when re-login is on, else nothing ever happens."""
        if exit_after is None:
            await self._hang()
        await asyncio.sleep(exit_after or 0)
        self._ibc.fail(LOGIN_INCOMPLETE, "IBC closing after TWS/Gateway failed to complete login")
        await self._hang()

    # --- the other session -----------------------------------------------------------------------------------------

    async def _meet_other_session(self) -> None:
        """We are the new session: scenarios 1 to 4."""
        while self._fault("existing_session") or self._fault("existing_session_stubborn"):
            stubborn = self._fault("existing_session_stubborn")
            action = self._config.text("ExistingSessionDetectedAction")
            self._log("detected dialog entitled: Existing session detected; event=Opened")
            if action == "manual":
                self._log("User must choose whether to continue with this session")
                await self._while("existing_session", "existing_session_stubborn")
                return
            if action == "secondary" or self._other_session_seen:
                self._log("End this session and let the other session proceed")
                self._log("Click button: Exit Application")
                self._ibc.exit(0)
                await self._hang()
            self._other_session_seen = True
            self._log("End the other session and continue this session")
            self._log("Click button: Continue Login")
            if not stubborn:
                self._drop_faults()
            await asyncio.sleep(self._ibc.options.login_seconds / 2)

    async def yield_or_keep(self) -> None:
        """We are the signed-in session and somebody else signs in: scenarios 5 and 6."""
        self._log("detected dialog entitled: Existing session detected; event=Opened")
        action = self._config.text("ExistingSessionDetectedAction")
        if action == "manual":
            self._log("User must choose whether to continue with this session")
        elif action == "primary":
            self._log("Continue this session and let the other session end")
            self._log("Click button: Reconnect This Session")
            self._drop_faults()
        else:
            self._log("End this session and let the other session proceed")
            self._log("Click button: Exit Application")
            self._ibc.exit(0)

    def _drop_faults(self) -> None:
        gateway = self._ibc.gateway
        kept = {name: args for name, args in gateway.faults.items() if not name.startswith("existing_session")}
        gateway.update(active=kept)


def _answer(push: asyncio.Future[bool]) -> None:
    if not push.done():
        push.set_result(True)
