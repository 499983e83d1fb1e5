# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's side of a sign-in: which windows it shows, in which order and when, until it is signed in.

IBC's reactions are in :mod:`ibgw_standin.handlers`. Windows, titles and order are those that
tests/transcripts/README.md gives for IB's program; the times are shares of STANDIN_LOGIN_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from .configuration import Configuration
from .control import Reply
from .gateway import Gateway
from .memory import Memory
from .options import Options
from .tokens import SettingsDirectory
from .windows import DIALOG, FRAME, Desktop, Window

LOGGED_OUT, AWAITING_PUSH, LOGGING_IN, LOGGED_IN = "logged_out", "waiting_2fa", "logging_in", "logged_in"
LOGIN_BUTTONS = ("IB API", "Live Trading", "Paper Trading", "Log In", "Paper Log In")
LOGIN_ERROR = "Soft token=0 received instead of expected permanent for zdc1.example"
ELSEWHERE = "You are logged in from another location. Do you want to end that session and continue?"
DISCLAIMER = "This is not a brokerage account. This is a paper trading account used for simulated trading."
WAITS: dict[str, tuple[str, str, str, Sequence[str]]] = {
    "unrecognized_user": (
        DIALOG, "Unrecognized Username or Password", "Unrecognized Username or Password", ["OK"]
    ),
    "release_refused": (
        DIALOG, "IBKR Gateway",
        "The version of the application you are running is no longer supported. Please upgrade.", ["OK"],
    ),
    "passkey": (DIALOG, "IBKR Gateway", "PassKey is not supported in this application.", ["OK"]),
    "security_code": (DIALOG, "Enter security code", "Enter the code", ["Enter Read Only"]),
}  # fmt: skip
"""Dialogs that wait for a person, by the fault that shows them: kind, title, text, buttons, as recorded."""

SHOWN: dict[str, tuple[str, str, str, Sequence[str]]] = {
    "password_expiry": (FRAME, "Password Notice", "Your password will expire in 5 days", ["OK"]),
    "newer_version": (FRAME, "Notice", "Newer Version available", ["No"]),
    "write_access": (DIALOG, "IBKR Gateway", "API client needs write access action confirmation", ["OK"]),
    "incoming_connection": (
        DIALOG, "IBKR Gateway", "Accept incoming connection attempt from 172.18.0.5?", ["OK", "No"]
    ),
}  # fmt: skip
"""Windows that show themselves to a signed-in gateway."""


class Jvm(Protocol):
    """The part of IBC's process that the gateway uses."""

    desktop: Desktop
    directory: SettingsDirectory
    gateway: Gateway
    memory: Memory
    mode: str
    options: Options
    configuration: Configuration

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password as in the login window."""

    def exit(self, code: int) -> None:
        """End the JVM."""

    def signed_in(self) -> None:
        """The login has completed."""


class Program:
    """The gateway of one JVM. ``state`` is for ``status``."""

    def __init__(self, jvm: Jvm) -> None:
        self._jvm = jvm
        self._desktop = jvm.desktop
        self._push: asyncio.Future[bool] | None = None
        self._splash = Window(FRAME, "Connecting to server...")
        self._main_window_shown = False
        self.state = LOGGED_OUT
        self._changed = asyncio.Event()
        jvm.gateway.on_change.append(lambda before, after: self._changed.set())

    # --- faults and time -------------------------------------------------------------------------------------------

    def _fault(self, name: str) -> bool:
        return name in self._jvm.gateway.faults

    def _take(self, name: str) -> Mapping[str, Any] | None:
        """Return the arguments of an active fault, None when it is not active; one with ``times`` counts down."""
        active = self._jvm.gateway.faults
        arguments = active.get(name)
        if arguments is None:
            return None
        times = int(arguments.get("times", 0))
        if times:
            left = {name: arguments | {"times": times - 1}} if times > 1 else {}
            self._jvm.gateway.update(active={key: each for key, each in active.items() if key != name} | left)
        return arguments

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self._jvm.options.real(seconds))

    async def _share(self, share: float) -> None:
        """Wait for a share of the time that a login takes."""
        await self._pause(self._jvm.options.login_seconds * share)

    async def _hang(self) -> None:
        """Wait for a person who never comes."""
        self.state = LOGGED_OUT
        await asyncio.Event().wait()

    async def _while(self, *names: str) -> None:
        """Wait while one of these faults is active."""
        while any(map(self._fault, names)):
            self._changed.clear()
            await self._changed.wait()

    # --- the walk --------------------------------------------------------------------------------------------------

    async def run(self, token: str) -> None:
        """Return when the user is signed in; ends the JVM, or hangs, where the gateway does. *token* is the directory
        of an autorestart token, empty without one."""
        if self._fault("newer_version_pane"):
            pane = Window(DIALOG, "Notice", "A Newer Version of the application is available", ["OK"])
            self._desktop.open(pane)
            await pane.pressed()  # hidden, not closed: there is no event
        unseen = self._take("exit_88_loop")
        if unseen is not None:
            await (self._hang() if "times" in unseen else self._while("exit_88_loop"))
        await self._share(0.1)
        window = Window(FRAME, "IBKR Gateway", buttons=LOGIN_BUTTONS)
        self._desktop.open(window)
        await (self._go_on_with(token) if token else self._sign_in(window))
        self._splash.title = "Starting application..."
        if self._fault("settings_menu_early"):
            self._jvm.configuration.menu.set()
            await self._jvm.configuration.idle.wait()
        if self._fault("disclaimer_early"):
            await self._show_disclaimer()
        await self._share(0.4)
        await self._while("port_closed")
        self.state = LOGGED_IN
        self._desktop.close(window)
        self._desktop.close(self._splash)
        self._jvm.signed_in()
        if self._jvm.mode == "paper" and not self._fault("disclaimer_early"):
            await self._pause(self._jvm.options.disclaimer_seconds / 2)
            await self._show_disclaimer()
        self._jvm.configuration.menu.set()
        await self._jvm.configuration.idle.wait()
        for name in SHOWN:
            if self._fault(name):
                self.show(name)

    async def _show_disclaimer(self) -> None:
        """Ask for the disclaimer of paper; a wait for a person runs in parallel."""
        options = self._jvm.options
        window = Window(DIALOG, "Warning", DISCLAIMER, ["I understand and accept"])
        self._desktop.open(window)
        await self._pause(options.disclaimer_seconds / 2)
        if not window.waits:
            self._desktop.close(window)
            self._jvm.gateway.update(disclaimer_open=False)

    def show(self, name: str) -> None:
        """Show one of the windows of SHOWN, and close it when IBC has pressed a button."""
        window = Window(*SHOWN[name])
        self._desktop.open(window)
        if not window.waits:
            self._desktop.close(window)

    def _show_main_window(self, splash: str) -> None:
        """Show the main window, once, and the splash frame in front of it."""
        if not self._main_window_shown:
            self._main_window_shown = True
            self._desktop.open(Window(FRAME, "Loading..."))
            self._splash.title = splash
            self._desktop.open(self._splash)
        self._splash.title = "Authenticating..."

    async def _go_on_with(self, token: str) -> None:
        """Start on a token, without any button pressed."""
        self.state = LOGGING_IN
        await self._while("stale_token")
        await self._share(0.2)
        if not self._jvm.directory.token_valid(token):
            await self._hang()
        self._jvm.directory.remove_token(token)
        await self._while("login_window_hang")
        await self._share(0.1)
        if self._take("expired_token") is not None:
            await self._end_by(Window(DIALOG, "Login Error", LOGIN_ERROR, ["OK"]))
        self._show_main_window("Authenticating...")
        if self._fault("token_second_factor") and not await self._second_factor():
            await self._hang()

    async def _end_by(self, window: Window) -> None:
        """Show a dialog after which IBC ends the JVM."""
        self._desktop.open(window)
        await self._hang()

    async def _sign_in(self, window: Window) -> None:
        """Try whenever Log In is pressed, until the user is signed in."""
        while True:
            await window.pressed()
            self.state = LOGGING_IN
            await self._share(0.1)
            await self._while("login_window_hang")
            if await self._attempt(window):
                return
            self.state = LOGGED_OUT
            if (lost := self._take("login_window_invalidated")) is not None:
                window.buttons = () if lost.get("lost", "modes") == "all" else ("IB API", "Log In", "Paper Log In")

    async def _attempt(self, window: Window) -> bool:
        """Return whether the user is signed in; False if the login window waits for the next press."""
        if self._take("login_error") is not None:
            await self._end_by(Window(DIALOG, "Login Error", LOGIN_ERROR, ["OK"]))
        if self._take("connection_failed") is not None:
            await self._end_by(Window(DIALOG, "IBKR Gateway", "Connection to server failed", ["OK"]))
        for name in ("unrecognized_user", "release_refused"):
            if self._fault(name):
                await self._end_by(Window(*WAITS[name]))
        if (locked := self._take("too_many_logins")) is not None:
            seconds = f"{locked.get('seconds', 4)} seconds"
            text = f"Too many failed login attempts. Please wait {seconds} before attempting to re-login again."
            await self._show_and_close(Window(DIALOG, "Login", text, ["OK"]))
            return False
        known = self._jvm.options.accepts(*self._jvm.credentials)
        if self._take("wrong_password") is not None or not known:
            await self._end_by(Window(DIALOG, "Login failed", "Invalid username or password", ["OK"]))
        self._show_main_window("Connecting to server...")
        await self._share(0.4)
        for name in ("passkey", "security_code"):
            if self._fault(name):
                await self._end_by(Window(*WAITS[name]))
        await self.meet_other_session()
        if self._fault("handoff"):
            handoff = Window(DIALOG, "Trading Login Handoff", "Another session is active", ["Disconnect Other Session"])
            await self._show_and_close(handoff)
        wanted = ("missed_push", "login_stall", "push_denied", "device_list", "second_factor_code")
        if self._jvm.mode == "live" or any(map(self._fault, wanted)):
            return await self._second_factor()
        return True

    async def _show_and_close(self, window: Window) -> str:
        """Show a dialog until a button is pressed, and return the button's name."""
        self._desktop.open(window)
        button = await window.pressed()
        await self._pause(0.05)
        self._desktop.close(window)
        return button

    # --- the push --------------------------------------------------------------------------------------------------

    def answer_push(self, approved: bool) -> Reply:
        """Approve or deny the push on the phone; ValueError if none is waiting."""
        if self._push is None or self._push.done():
            raise ValueError("no push is waiting for an answer")
        self._push.set_result(approved)
        return {"approved": approved}

    async def _second_factor(self) -> bool:
        """Ask for the second factor; True if the login continues, False for another attempt."""
        jvm, options = self._jvm, self._jvm.options
        devices = jvm.gateway.fault("device_list")
        if devices is not None:
            names = str(devices.get("devices", "IB Key/SMS")).replace("/", "\n")
            text = f"Select second factor device\n{names}"
            await self._show_and_close(Window(DIALOG, "Second Factor Authentication", text, ["OK"]))
            await self._share(0.1)
        missed, denied = self._take("missed_push"), jvm.gateway.fault("push_denied")
        dialog = Window(DIALOG, "Second Factor Authentication", "Notification sent to your phone")
        if self._fault("second_factor_code"):
            await self._end_by(dialog)
        jvm.memory.count("pushes")
        self._desktop.open(dialog)
        self.state = AWAITING_PUSH
        self._push = push = asyncio.get_running_loop().create_future()
        if denied is not None:
            self._answer_later(push, float(denied.get("after", 4)), False)
        elif options.approve_after is not None and missed is None:
            self._answer_later(push, options.approve_after, True)
        try:
            approved: bool | None = await asyncio.wait_for(push, options.real(options.push_timeout))
        except TimeoutError:
            approved = None
        self._push = None
        self._desktop.close(dialog)
        if approved is None:
            if self._fault("program_exits"):
                await self._pause(2)
                jvm.exit(0)
            return False
        self.state = LOGGING_IN
        if denied is not None and denied.get("login_failed"):
            await self._pause(0.5)
            await self._end_by(Window(DIALOG, "Login failed", "Second factor authentication failed.", ["OK"]))
        if not approved or self._fault("login_stall"):
            await self._hang()
        return True

    def _answer_later(self, push: asyncio.Future[bool], seconds: float, approved: bool) -> None:
        def answer() -> None:
            if not push.done():
                push.set_result(approved)

        asyncio.get_running_loop().call_later(self._jvm.options.real(seconds), answer)

    # --- the other session -----------------------------------------------------------------------------------------

    async def meet_other_session(self) -> None:
        """Ask about a session elsewhere, as long as there is one."""
        while self._fault("existing_session") or self._fault("existing_session_stubborn"):
            window = Window(DIALOG, "Existing session detected", ELSEWHERE, ["Continue Login", "Exit Application"])
            self._desktop.open(window)
            if window.waits:  # a person decides, by ending the other session
                await self._while("existing_session", "existing_session_stubborn")
                self._desktop.close(window)
                return
            button = await window.pressed()
            await self._pause(0.05)
            self._desktop.close(window)
            if button == "Exit Application":
                await self._pause(0.6)
                self._jvm.exit(0)
                await self._hang()
            kept = dict(self._jvm.gateway.faults)
            # the stubborn one returns once, and then yields
            if kept.pop("existing_session_stubborn", None) is not None:
                kept["existing_session"] = {}
            else:
                kept.pop("existing_session", None)
            self._jvm.gateway.update(active=kept)
            await self._share(0.2)

    async def log_in_again(self) -> None:
        """The session was lost to another one; IBC presses Re-login, and the splash frame comes back."""
        window = Window(DIALOG, "Re-login is required", "You have been disconnected: another session has logged in",
                        ["Re-login"])  # fmt: skip
        self.state = LOGGING_IN
        await self._show_and_close(window)
        await self._share(0.2)
        await self.meet_other_session()
        self._splash = Window(FRAME, "Starting application...")
        self._desktop.open(self._splash)
        await self._share(0.3)
        self._desktop.close(self._splash)
        self.state = LOGGED_IN
