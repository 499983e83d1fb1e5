# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the container's log says: one table of patterns per controller, folded into one summary.

IBC is the controller of the image today and is retired upstream; a successor is one more :class:`Controller`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MAX_LINE = 2000
MAX_EXIT_CODES = 20

# Phases of one JVM run, in the order of a start.
NO_RUN, LAUNCHED, LOGIN_WINDOW, SIGNING_IN, WAITING_2FA, SIGNED_IN, CONFIGURED, ENDED, PAUSED = (
    "none",
    "launched",
    "login_window",
    "signing_in",
    "waiting_2fa",
    "signed_in",
    "configured",
    "ended",
    "paused",
)


class Controller:
    """One program that signs the gateway in: its log patterns by event, its commands, its exit codes.

    A pattern has at most one group, which is the value of the event. The events are the methods
    ``_on_<event>`` of :class:`Summary`, so that a second table needs no second program.
    """

    def __init__(
        self, name: str, patterns: dict[str, str], commands: dict[str, str], exit_codes: dict[int, str]
    ) -> None:
        self.name, self.commands, self.exit_codes = name, commands, exit_codes
        self._valued = {event for event, pattern in patterns.items() if re.compile(pattern).groups}
        self._any = re.compile("|".join(f"(?P<{event}>{pattern})" for event, pattern in patterns.items()))

    def event(self, line: str) -> tuple[str, str] | None:
        """Return (event, value) of a log line, the value empty when the pattern has none; None for other lines."""
        match = self._any.search(line[:MAX_LINE])
        if match is None or match.lastgroup is None or match.lastindex is None:
            return None
        value = match.group(match.lastindex + 1) if match.lastgroup in self._valued else ""
        return match.lastgroup, (value or "").strip()


_DIALOG = r"(?:detected dialog entitled: )?"

IBC = Controller(
    "ibc",
    patterns={
        "container_start": r"^\.> Starting IBC/IB gateway",
        "bad_settings": r"^\.> (Invalid TRADING_MODE: .*)|^error: both",
        "gateway_version": r"^(?:\.>)?\s+Version: (\S+)",
        "controller_version": r"IBC: version: (\d\S*)",
        "jvm_start": r"Starting session: will exit if login dialog",
        "jvm_restart": r"Re-starting session",
        "token_missing": r"full authentication will be required",
        "token_found": r"authentication will not be required",
        "login_window": r"LoginState is LOGGED_OUT",
        "login_attempt": r"Login attempt: (\d+)",
        "push_sent": r"Second Factor Authentication initiated",
        "push_missed_again": r"Re-login after second factor authentication timeout in",
        "push_missed": r"Re-login after second factor authentication timeout not required",
        "signed_in": r"Login has completed",
        "disclaimer_accepted": r"Click button: I understand and accept",
        "configured": r"Configuration tasks completed",
        "read_only": r"(?:Read-Only API checkbox is \D*set to|API in Read-Only mode): (true|false)",
        "too_many_logins": _DIALOG + r"[Tt]oo many failed login attempts",
        "login_failed": _DIALOG + r"Login failed",
        "login_stuck": _DIALOG + r"Unrecognized [Uu]sername or [Pp]assword",
        "session_choice": r"User must choose whether to continue with this session",
        "session_taken": r"End this session and let the other session proceed",
        "contested": r"detected dialog entitled: (Existing session detected|Re-login is required)",
        "passkey": _DIALOG + r"[^;]*[Pp]ass[Kk]ey is not supported",
        "release_refused": _DIALOG + r"[^;]*is no longer supported",
        "cold_restart": r"Cold restart in progress",
        "exit_code": r"IBC returned exit status (\d+)",
        "error": r"Exiting after error with exit code=(\d+)",
        "command": r"CommandServer received command: (\S+)",
        "paused": r"IBC is paused",
        "finished": r"Gateway finished",
        "terminated": r"Received SIGINT or SIGTERM",
        "dialog": r"detected dialog entitled: ([^;]*); event=Opened",
    },
    commands={"stop": "STOP", "restart": "RESTART", "pause": "PAUSE"},
    exit_codes={
        0: "a clean close",
        1: "no Java, or settings that the image refuses",
        2: "no gateway version was given to ibcstart.sh",
        3: "a wrong argument of ibcstart.sh (two-factor action or mode)",
        4: "the gateway version is not in the image",
        5: "the IBC or the settings directory is missing",
        6: "config.ini is missing",
        7: "ibgateway.vmoptions is missing",
        76: "IBC: an unhandled exception",
        77: "IBC: an element of the gateway's window was not found",
        79: "IBC: config.ini is missing",
        80: "IBC: a bad trading mode",
        81: "IBC: a setting has an invalid value",
        82: "IBC: the settings directory cannot be created",
        83: "IBC and this release of the gateway do not fit together",
        84: "IBC: a wrong path of jts.ini",
        85: "IBC: jts.ini cannot be read or written",
        86: "IBC: an invalid internal state",
        87: "the sign-in did not complete after the approval",
        88: "the login window did not show in time",
        137: "killed (out of memory, or the stop took too long)",
        143: "stopped by SIGTERM, without a log-off at IBKR",
    },
)


class Summary:
    """The state of a container's log so far: feed it lines in order, read its attributes at any time.

    A new start of the container begins afresh; a new JVM run in it keeps the counts, because loops of runs
    (refused password, login window that never shows) are what the counts are for. A completed sign-in clears them.
    """

    def __init__(self, controller: Controller = IBC) -> None:
        self.controller = controller
        self._begin()

    def _begin(self) -> None:
        self.phase = NO_RUN
        self.jvm_runs = 0
        self.login_attempts = 0
        self.pushes = 0
        self.pushes_missed = 0
        self.refused_logins = 0
        self.window_timeouts = 0
        self.cold_restarts = 0
        self.disclaimer_accepted = False
        # Whether another session of the same user has shown itself in this run of the JVM.
        self.contested = False
        self.full_authentication: bool | None = None
        self.read_only: bool | None = None
        self.gateway_version: str | None = None
        self.controller_version: str | None = None
        self.commands: list[str] = []
        self.exit_codes: list[int] = []
        self.finding: str | None = None
        self.last_error: str | None = None
        self.last_dialog: str | None = None
        self._refused_this_time = False
        self._token_missing: bool | None = None

    def feed(self, lines: Iterable[str]) -> None:
        """Fold *lines* in, oldest first."""
        for line in lines:
            if event := self.controller.event(line):
                getattr(self, f"_on_{event[0]}")(event[1])

    @property
    def usable(self) -> bool:
        """Whether the log says that nothing stands between a client and the API any more."""
        return self.phase == CONFIGURED or (self.phase == SIGNED_IN and self.disclaimer_accepted)

    @property
    def asks_for_sign_in(self) -> bool:
        """Whether this run of the JVM is on its way to a full sign-in, or has sent its push; one that has ended is not,
        since the next may have a token."""
        before_push = self.phase in (LAUNCHED, LOGIN_WINDOW, SIGNING_IN)
        return self.phase == WAITING_2FA or (before_push and self.full_authentication is True)

    @property
    def restart_used(self) -> bool:
        """Whether this JVM has had its one RESTART (or PAUSE)."""
        return any(command in ("RESTART", "PAUSE") for command in self.commands)

    def as_dict(self) -> dict[str, Any]:
        """Return what a person wants to know, JSON-ready."""
        return {
            "controller": self.controller.name,
            **{
                name: getattr(self, name)
                for name in (
                    "phase",
                    "jvm_runs",
                    "login_attempts",
                    "pushes",
                    "pushes_missed",
                    "refused_logins",
                    "window_timeouts",
                    "cold_restarts",
                    "full_authentication",
                    "read_only",
                    "gateway_version",
                    "controller_version",
                    "exit_codes",
                    "finding",
                    "last_error",
                    "last_dialog",
                )
            },
        }

    # Events. The value is what the pattern's group caught.

    def _on_container_start(self, _value: str) -> None:
        self._begin()

    def _on_gateway_version(self, value: str) -> None:
        self.gateway_version = value

    def _on_controller_version(self, value: str) -> None:
        self.controller_version = value

    def _on_bad_settings(self, value: str) -> None:
        self.finding = "bad_settings"
        self.last_error = value or "a variable and its _FILE variant are both set"

    def _on_jvm_start(self, _value: str) -> None:
        self.phase = LAUNCHED
        self.jvm_runs += 1
        self.full_authentication = self._token_missing
        self.commands = []
        self.last_dialog = None
        self.disclaimer_accepted = self.contested = False
        self._refused_this_time = False
        if self.finding != "refused_login":
            self.finding = None

    _on_jvm_restart = _on_jvm_start

    def _on_token_missing(self, _value: str) -> None:
        self._token_missing = True

    def _on_token_found(self, _value: str) -> None:
        self._token_missing = False

    def _on_login_window(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW

    def _on_login_attempt(self, _value: str) -> None:
        self.phase = SIGNING_IN
        self.login_attempts += 1
        self._refused_this_time = False

    def _on_push_sent(self, _value: str) -> None:
        self.phase = WAITING_2FA
        self.pushes += 1

    def _on_push_missed_again(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW
        self.pushes_missed += 1

    def _on_push_missed(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW
        self.pushes_missed += 1
        self.finding = "push_missed"

    def _on_signed_in(self, _value: str) -> None:
        self.phase = SIGNED_IN
        self.refused_logins = self.window_timeouts = self.cold_restarts = 0
        self.finding = self.last_error = None

    def _on_disclaimer_accepted(self, _value: str) -> None:
        self.disclaimer_accepted = True

    def _on_configured(self, _value: str) -> None:
        self.phase = CONFIGURED

    def _on_read_only(self, value: str) -> None:
        self.read_only = value == "true"

    def _on_login_failed(self, _value: str) -> None:
        self.last_error = "Login failed"
        if not self._refused_this_time:
            self._refused_this_time = True
            self.refused_logins += 1
            if self.refused_logins >= 2:
                self.finding = "refused_login"

    def _on_login_stuck(self, _value: str) -> None:
        self.refused_logins += 1
        self.finding = "refused_login"

    def _on_session_choice(self, _value: str) -> None:
        self.finding = "session_choice"

    def _on_session_taken(self, _value: str) -> None:
        self.finding = "session_taken"

    def _on_contested(self, value: str) -> None:
        self.contested = True
        self._on_dialog(value)

    def _on_too_many_logins(self, _value: str) -> None:
        self.finding = "too_many_logins"

    def _on_passkey(self, _value: str) -> None:
        self.finding = "passkey"

    def _on_release_refused(self, _value: str) -> None:
        self.finding = "release_refused"

    def _on_cold_restart(self, _value: str) -> None:
        self.cold_restarts += 1

    def _on_exit_code(self, value: str) -> None:
        code = int(value[-6:]) % 256
        self.phase = ENDED
        self.exit_codes = [*self.exit_codes[1 - MAX_EXIT_CODES :], code]
        if code == 88:
            self.window_timeouts += 1
            if self.window_timeouts >= 3:
                self.finding = "login_window_loop"

    def _on_error(self, value: str) -> None:
        self.last_error = f"error with exit code {value}"

    def _on_command(self, value: str) -> None:
        self.commands = [*self.commands[-9:], value.upper()]

    def _on_paused(self, _value: str) -> None:
        self.phase = PAUSED

    def _on_finished(self, _value: str) -> None:
        if self.phase != PAUSED:
            self.phase = ENDED

    def _on_terminated(self, _value: str) -> None:
        self.phase = ENDED

    def _on_dialog(self, value: str) -> None:
        self.last_dialog = value[:100]
