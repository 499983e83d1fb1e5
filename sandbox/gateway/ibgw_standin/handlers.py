# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBC's actions and log lines when a window opens or closes.

Each reaction follows the handler of that name in IBC's source at commit 2fee90c (``src/ibcalpha/ibc``), and is held to
the recorded logs of the real IBC by ``tests/unit/standin/test_conformance.py``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from .options import Options
from .settings import Settings
from .windows import CLOSED, DIALOG, FRAME, OPENED, Window

CANT_FIND_CONTROL, INVALID_TRADING_MODE, INTERNAL_STATE = 1101, 1104, 1110
LOGIN_INCOMPLETE, NO_LOGIN_DIALOG = 1111, 1112
"""IBC's exit codes that come from here."""

LOGGED_OUT, AWAITING_CREDENTIALS, LOGGING_IN, TWO_FA_IN_PROGRESS, LOGGED_IN = (
    "LOGGED_OUT", "AWAITING_CREDENTIALS", "LOGGING_IN", "TWO_FA_IN_PROGRESS", "LOGGED_IN",
)  # fmt: skip
GRACE_SECONDS = 3.0
"""Added by IBC to the time for which IBKR locks a user."""

_SECOND_FACTOR = re.compile("Second Factor Authentication|Security Code Card Authentication")
_LOCKED = re.compile(r"Please wait (?:(\d\d?) minutes? )?(?:& )?(?:(\d\d?) seconds?)?")


class Ibc(Protocol):
    """The part of IBC that its handlers use."""

    config: Settings
    options: Options

    def log(self, message: str) -> None:
        """Write a line of IBC's log."""

    def error(self, *lines: str) -> None:
        """Write an error between its two lines of exclamation marks."""

    def fail(self, code: int, message: str) -> None:
        """End the JVM with an error in the log."""

    def stop(self, cold: bool = False) -> bool:
        """Stop cleanly, with a cold restart if requested."""

    def later(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        """Act after these seconds of the stand-in's time; returns a handle to cancel."""

    def main_window_found(self) -> None:
        """The main window has opened."""


class Handlers:
    """IBC's view of a sign-in: ``state`` is its LoginState."""

    def __init__(self, ibc: Ibc) -> None:
        self._ibc = ibc
        self.state = LOGGED_OUT
        self._restart = False
        self._attempts = 0
        self._contested = False
        self._login_window: Window | None = None
        self._began: float | None = None
        self._call_off: Callable[[], None] | None = None

    def start_session(self, restart: bool) -> None:
        """Begin; on a token, the login window has no time limit."""
        self._restart = restart
        if restart:
            self._ibc.log("Re-starting session")
            return
        limit = self._ibc.config.number("LoginDialogDisplayTimeout") or 60
        self._ibc.log(f"Starting session: will exit if login dialog is not displayed within {limit} seconds")
        self._ibc.later(limit, self._check_window)

    def _check_window(self) -> None:
        if self.state == LOGGED_OUT:
            self._ibc.fail(NO_LOGIN_DIALOG, "IBC closing after TWS/Gateway failed to display login dialog")

    def seen(self, window: Window | str, event: str) -> None:
        """Handle a window's event."""
        self._ibc.log(f"detected {window}; event={event}")
        if isinstance(window, str):
            return
        if event == OPENED:
            self._opened(window)
        elif event == CLOSED:
            self._closed(window)
        elif event == "Activated" and "Newer Version" in window.text:
            self._click(window, *window.buttons)

    def _click(self, window: Window, *buttons: str) -> None:
        """Press the first of these buttons that the window has."""
        button = next(each for each in buttons if each in window.buttons)
        self._ibc.log(f"Click button: {button}")
        window.press(button)

    def _opened(self, window: Window) -> None:
        """Let the first handler that recognises a window act on it, in the order of IbcTws.createWindowHandlers."""
        title, text, dialog = window.title, window.text, window.kind == DIALOG
        handlers: tuple[tuple[bool, Callable[[Window], None]], ...] = (
            ("Accept incoming connection" in text, self._accept_incoming),
            (not dialog and title == "IBKR Gateway", self._login_window_opened),
            (not dialog and title == "Loading...", self._main_window_opened),
            ("Newer Version" in text, lambda window: self._click(window, *window.buttons)),
            (title == "Password Notice", self._password_expires),
            (not dialog or "Configuration" in title, lambda window: None),
            (title == "Existing session detected", self._existing_session),
            (bool(_SECOND_FACTOR.search(title)), self._second_factor),
            (title == "Re-login is required", self._relogin_required),
            ("This is not a brokerage account" in text, self._disclaimer),
            (title == "Trading Login Handoff", self._handoff),
            (title == "Login failed", self._login_failed),
            ("Too many failed login attempts" in text, self._too_many_logins),
            (title == "Login Error", self._login_error),
            ("Gateway" in title, self._gateway_dialog),
        )
        for recognised, react in handlers:
            if recognised:
                react(window)
                return

    def _closed(self, window: Window) -> None:
        if window.kind == FRAME and window.title == "Starting application...":
            self._set_logged_in()
        elif window.kind == DIALOG and _SECOND_FACTOR.search(window.title):
            self._second_factor_closed()

    def _cold_restart(self, window: Window) -> None:
        self._ibc.log("Cold restart in progress")
        self._click(window, "OK")
        self._ibc.stop(cold=True)

    # --- LoginManager, AbstractLoginHandler, GatewayLoginFrameHandler ---------------------------------------------

    def _login_window_opened(self, window: Window) -> None:
        self._ibc.log(f"Login dialog WINDOW_OPENED: LoginState is {self.state}")
        self._login_window = window
        if self.state == LOGGED_OUT and not self._restart:
            self._initiate_login()

    def _trading_mode(self) -> str | None:
        mode = self._ibc.config.text("TradingMode")
        if mode not in ("live", "paper"):
            self._ibc.fail(INVALID_TRADING_MODE, "Invalid Trading Mode argument or .ini file setting: null")
            return None
        self._ibc.log(f"trading mode from settings: tradingMode={mode}")
        return mode

    def _initiate_login(self) -> None:
        window, config = self._login_window, self._ibc.config
        if window is None:
            return
        self.state = AWAITING_CREDENTIALS
        if "IB API" not in window.buttons:
            self._ibc.fail(CANT_FIND_CONTROL, "could not login: could not find control: IB API selector")
            return
        mode = self._trading_mode()
        if mode is None:
            return
        whole = "Live Trading" in window.buttons
        if whole:
            self._ibc.log(f"Setting Trading mode = {mode}")
        else:
            self._ibc.log("Login dialog has been invalidated - initiate cold restart")
        self._ibc.log("Setting user name")
        self._ibc.log("Setting password")
        if not config.text("IbLoginId") or not config.text("IbPassword"):
            return  # a person has to type the missing ones
        self._attempts += 1
        self._ibc.log(f"Login attempt: {self._attempts}")
        self._trading_mode()
        if not whole:
            self._ibc.stop(cold=True)
            return
        self._logging_in()
        self._click(window, "Paper Log In" if mode == "paper" else "Log In")

    def _logging_in(self) -> None:
        self.state = LOGGING_IN
        if self._began is None:
            self._began = time.monotonic()

    def _set_logged_in(self) -> None:
        if self.state == LOGGED_IN:
            return
        self.state = LOGGED_IN
        self._ibc.log("Login has completed")
        if self._call_off is not None:
            self._call_off()

    # --- SecondFactorAuthenticationDialogHandler -------------------------------------------------------------------

    def _second_factor(self, window: Window) -> None:
        if "Select second factor device" not in window.text:
            self.state = TWO_FA_IN_PROGRESS
            self._ibc.log("Second Factor Authentication initiated")
            if self._began is None:
                self._began = time.monotonic()
            return
        device = self._ibc.config.text("SecondFactorDevice")
        if not device:
            setting = "using the SecondFactorDevice setting in config.ini"
            self._ibc.error(f"You should specify the required second factor device {setting}")
        elif device in window.text.splitlines():
            self._click(window, "OK")
        else:
            self._ibc.error(f"could not find second factor device '{device}' in the list")

    def _second_factor_closed(self) -> None:
        if self._began is None:
            return
        config, options = self._ibc.config, self._ibc.options
        took = (time.monotonic() - self._began) * options.speed
        self._began = None
        self._ibc.log(f"Duration since login: {int(took)} seconds")
        limit = config.number("SecondFactorAuthenticationTimeout") or 180
        permitted = self._relogin_permitted()
        # when IBKR's 180 seconds are shortened, IBC's copy is too
        if took < min(limit, options.push_timeout):
            if permitted:
                interval = config.number("SecondFactorAuthenticationExitInterval") or 60
                self._ibc.log(f"If login has not completed, IBC will exit in {interval} seconds")
                self._call_off = self._ibc.later(interval, self._give_up)
        elif permitted:
            self._ibc.log("Re-login after second factor authentication timeout in 5 second")
            self._ibc.later(options.relogin_seconds, self._initiate_login)
        else:
            self._ibc.log("Re-login after second factor authentication timeout not required")

    def _relogin_permitted(self) -> bool:
        config = self._ibc.config
        if config.given("ReloginAfterSecondFactorAuthenticationTimeout"):
            return config.flag("ReloginAfterSecondFactorAuthenticationTimeout")
        return config.flag("ExitAfterSecondFactorAuthenticationTimeout")

    def _give_up(self) -> None:
        if self.state == LOGGED_IN:
            self._ibc.log("Login has already completed - no need for IBC to exit")
            return
        self._ibc.fail(
            LOGIN_INCOMPLETE, "IBC closing because login has not completed after Second Factor Authentication"
        )

    # --- the other dialogs -----------------------------------------------------------------------------------------

    def _existing_session(self, window: Window) -> None:
        log, action = self._ibc.log, self._ibc.config.text("ExistingSessionDetectedAction")
        if action not in ("manual", "primary", "primaryoverride", "secondary"):
            log(f"ExistingSessionDetectedAction has an invalid value: {action}: assuming 'secondary'")
            action = "secondary"
        button = "Exit Application"
        if action == "manual":
            log("User must choose whether to continue with this session (scenario 1)")
            return
        if action == "secondary":
            log("End this session and let the other session proceed (scenario 2)")
        elif self.state != LOGGED_IN and not self._contested:
            self._contested = True
            log("Don't know the type of the other session, so continue this one (scenario 3)")
            button = "Continue Login"
        elif self.state != LOGGED_IN:
            log(
                "Other session must be primary or primary override, so end this session and let the other one proceed"
                " (scenario 4)"
            )
        elif action == "primary":
            log("Continue this session and let the other session exit (scenario 5)")
            button = "Continue Login"
        else:
            log("Other session may be primary, so end this session and let the other one proceed (scenario 6)")
        self._click(window, button)

    def _handoff(self, window: Window) -> None:
        action = self._ibc.config.text("ExistingSessionDetectedAction")
        if action in ("primaryoverride", "secondary"):
            self._ibc.fail(INTERNAL_STATE, "Trading Login Handoff dialog; error: {}")
        elif action in ("primary", "manual"):
            self._ibc.log("Trading Login Handoff dialog; {}")
            if action == "primary":
                self._click(window, "Disconnect Other Session")
        else:
            self._ibc.error("Trading Login Handoff dialog; could not handle because {}")

    def _too_many_logins(self, window: Window) -> None:
        self._ibc.log(window.text)
        if not self._ibc.config.flag("ReloginAfterSecondFactorAuthenticationTimeout"):
            return
        found = _LOCKED.search(window.text)
        minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0)
        wait = minutes * 60 + seconds + GRACE_SECONDS
        at = datetime.now() + timedelta(seconds=wait)
        shown = f"{at:%Y-%m-%d %H:%M:%S}:{at.microsecond // 1000:03d}"
        self._ibc.log(f"Will re-login at {shown}; login number: {self._attempts + 1}")
        self._click(window, "OK")
        self._ibc.later(wait, self._initiate_login)

    def _main_window_opened(self, window: Window) -> None:
        self._ibc.log("Found Gateway main window")
        self._ibc.main_window_found()

    def _password_expires(self, window: Window) -> None:
        if self._ibc.config.flag("DismissPasswordExpiryWarning"):
            self._click(window, "OK")

    def _relogin_required(self, window: Window) -> None:
        self._ibc.log("Re-login to session")
        self._click(window, "Re-login")
        self._logging_in()

    def _disclaimer(self, window: Window) -> None:
        if self._ibc.config.flag("AcceptNonBrokerageAccountWarning"):
            self._click(window, "I understand and accept")

    def _login_failed(self, window: Window) -> None:
        self._ibc.log("Login failed")
        self._cold_restart(window)

    def _login_error(self, window: Window) -> None:
        self._ibc.log(f"Login error message:\n{window.text}")
        self._cold_restart(window)

    def _gateway_dialog(self, window: Window) -> None:
        self._ibc.log(window.text)
        if window.text.startswith("Connection to server failed"):
            self._cold_restart(window)

    def _accept_incoming(self, window: Window) -> None:
        action = self._ibc.config.text("AcceptIncomingConnectionAction")
        if action == "accept":
            self._click(window, "OK", "Yes")
        elif action == "reject":
            self._click(window, "No")
        elif action != "manual":
            why = "because the AcceptIncomingConnectionAction setting is invalid."
            self._ibc.error(f"could not accept incoming connection {why}")
