# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IB's program as ibg-controller sees it: the windows that it shows, and what pressing a button of them does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from .control import Reply
from .gateway import Gateway
from .memory import Memory
from .options import Options

Window = tuple[str, str, bool]

LOGIN_FRAME: Window = ("JFrame", "IBKR Gateway", False)
SPLASH: Window = ("JFrame", "Attempt 1: Authenticating...", False)
SECOND_FACTOR: Window = ("JDialog", "Second Factor Authentication", True)
EXISTING: Window = ("JDialog", "Existing session detected", True)
REFUSED: Window = ("JDialog", "Login failed", True)
DISCLAIMER: Window = ("JDialog", "Warning", True)
MAIN: Window = ("JFrame", "IBKR Gateway", False)
# The dialog of a button that was pressed is gone after this.
CLOSES_AFTER = 0.4
# So many seconds it waits for IBKR's server, then it says so in its own log.
TIMES_OUT_AFTER = 20.4


def _settle(answer: asyncio.Future[bool], result: bool) -> None:
    """Give the answer, unless there is one, or its question is gone."""
    if not answer.done():
        answer.set_result(result)


class Program:
    """The gateway's program from Log In on; ``windows`` are those that it shows."""

    def __init__(self, mode: str, opts: Options, gateway: Gateway, memory: Memory) -> None:
        self.mode, self.options, self.gateway, self.memory = mode, opts, gateway, memory
        self.windows: list[Window] = []
        self.pid = os.getpid()
        self.timed_out = False
        """Whether its log ends with a time-out of IBKR's server, until that of the next try begins."""
        self._presses = 0
        self._existing: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answer = self._existing
        self._running: asyncio.Task[None] | None = None

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self.options.real(seconds))

    @property
    def labels(self) -> dict[Window, tuple[str, ...]]:
        """The texts in the windows, as far as anybody reads them."""
        return {LOGIN_FRAME: ("API Type", "Trading Mode"), SECOND_FACTOR: (self.prompt,)}

    @property
    def prompt(self) -> str:
        """The second factor's own words: a push, a code or a passkey."""
        faults = self.gateway.faults
        if "passkey" in faults:
            return "Use your Passkey device to sign in"
        if "second_factor_code" in faults:
            return f"Enter {faults['second_factor_code'].get('method', 'Mobile Authenticator app')} code"
        return "Notification sent to your phone"

    @property
    def asks(self) -> bool:
        """Whether the login window shows."""
        return LOGIN_FRAME in self.windows and not self.gateway.logged_in

    def show_login(self) -> None:
        self.windows = [LOGIN_FRAME]

    def press_log_in(self, user: str, password: str) -> None:
        self._presses = 0
        if self._running:
            self._running.cancel()
        self._running = asyncio.create_task(self._sign_in(user, password))

    async def _sign_in(self, user: str, password: str) -> None:
        """Show what follows Log In, until the user is in or it waits for a person."""
        login, faults = self.options.login_seconds, self.gateway.faults
        await self._pause(login * 0.5)
        if "wrong_password" in faults or not self.options.accepts(user, password):
            self.windows.append(REFUSED)
            return
        self.windows.append(SPLASH)
        self.timed_out = False
        if "login_window_hang" in faults:
            await self._pause(TIMES_OUT_AFTER)
            self.timed_out, self.windows = True, [LOGIN_FRAME]
            return
        if "existing_session" in faults and not await self._other_session():
            return
        if self.mode == "live" and not await self._second_factor():
            return
        await self._pause(login * 0.5)
        while "port_closed" in self.gateway.faults:
            await self._pause(1.0)
        self.windows = [MAIN, DISCLAIMER] if self.mode == "paper" else [MAIN]
        self.memory.count("logins")
        self.gateway.update(logged_in=True, disclaimer_open=self.mode == "paper")

    async def _other_session(self) -> bool:
        """Ask which of the user's sessions lives; whether this one does."""
        self.windows.append(EXISTING)
        self._existing = asyncio.get_running_loop().create_future()
        goes_on = await self._existing
        self.windows.remove(EXISTING)
        if not goes_on:
            self.windows = [LOGIN_FRAME]
        return goes_on

    def press_existing(self, button: str) -> None:
        """Press a button of the dialog, which stands for a moment longer."""
        self._presses += 1
        if self._presses == 1:
            self._soon(_settle, self._existing, button == "Continue Login")

    async def _second_factor(self) -> bool:
        """Ask for the second factor, and wait for its answer; a denied push closes its dialog, a missed one stays.

        Each press of Continue Login brought one in the recordings.
        """
        push = self.prompt == "Notification sent to your phone"
        for _each in range(max(1, self._presses) if push else 0):
            self.memory.count("pushes")
        self.windows.append(SECOND_FACTOR)
        answer = self._answer = asyncio.get_running_loop().create_future()
        denied = self.gateway.faults.get("push_denied")
        delay = self.options.approve_after if denied is None else float(denied.get("after", 4))
        if push and delay is not None and "missed_push" not in self.gateway.faults:
            asyncio.get_running_loop().call_later(self.options.real(delay), _settle, answer, denied is None)
        approved = await answer
        self.windows.remove(SECOND_FACTOR)
        return approved

    def answer(self, approved: bool) -> Reply:
        """Answer the second factor: on the phone, or by hand at the screen."""
        if SECOND_FACTOR not in self.windows or self._answer.done():
            return {"ok": False, "error": "no push waits"}
        self._answer.set_result(approved)
        return {}

    def type_code(self) -> None:
        """Press OK behind a code."""
        self._soon(self.answer, True)

    def dismiss(self, window: Window) -> None:
        self._soon(self._close, window)

    def _close(self, window: Window) -> None:
        if window in self.windows:
            self.windows.remove(window)

    def _soon(self, then: Callable[..., object], *arguments: object) -> None:
        asyncio.get_running_loop().call_later(self.options.real(CLOSES_AFTER), then, *arguments)

    def accept_disclaimer(self) -> None:
        self.windows.remove(DISCLAIMER)
        self.gateway.update(disclaimer_open=False)

    def end(self) -> None:
        """The program is gone, with its windows, its push and its session."""
        if self._running:
            self._running.cancel()
        self.windows = []
        self.gateway.update(logged_in=False, disclaimer_open=False)
