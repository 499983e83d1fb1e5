# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a sign-in by the log: the milestones of a controller (controllers.py), folded into one summary.

Its findings are explained in findings.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ..api import accounts
from ..text import printable
from .ibc import IBC
from .marks import Controller, Event

MAX_EXIT_CODES = 20
MAX_COMMANDS = 10
MAX_DIALOGS = 8
# Sign-ins that one start may try without success, and refusals among them.
MAX_TRIES, MAX_REFUSALS = 3, 2

# Phases of one JVM run, in the order of a start.
NO_RUN, LAUNCHED, LOGIN_WINDOW, SIGNING_IN, WAITING_2FA, ANSWERED, LAPSED, SIGNED_IN, CONFIGURED, ENDED, PAUSED = (
    "none",
    "launched",
    "login_window",
    "signing_in",
    "waiting_2fa",
    "answered",
    "lapsed",
    "signed_in",
    "configured",
    "ended",
    "paused",
)
PHASES = (
    *(NO_RUN, LAUNCHED, LOGIN_WINDOW, SIGNING_IN, WAITING_2FA, ANSWERED, LAPSED),
    *(SIGNED_IN, CONFIGURED, ENDED, PAUSED),
)
# In these phases, a waiting dialog keeps the gateway from signing in.
SIGN_IN_PHASES = (LAUNCHED, LOGIN_WINDOW, SIGNING_IN, WAITING_2FA, ANSWERED, LAPSED)
# Findings that another JVM does not fix.
_LASTING = (
    "refused_login",
    "server_unreachable",
    "too_many_attempts",
    "push_denied",
    "push_closed",
    "login_window_loop",
)
# Findings by words that stand in other dialogs too: who is signed in is not stopped for them.
_OF_A_SIGN_IN = ("too_many_logins", "passkey", "release_refused")
SECOND_FACTOR = "Second Factor Authentication"
# Second factors that a person types in a dialog of its own: the state's name, and what is wanted. The first title is
# recorded (12-code-untitled.log), the second is IBAutomater's.
TYPED = {
    "Enter security code": ("code_wanted", "a code, by the user's app or by SMS"),
    "Security Code Card Authentication": ("card_wanted", "a code of the user's security code card"),
}
# A summary's lists: of what, and of how many at most.
_LISTS = {"commands": (str, MAX_COMMANDS), "exit_codes": (int, MAX_EXIT_CODES), "open_dialogs": (str, MAX_DIALOGS)}
EXISTING_SESSION = "Existing session detected"


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
        # Since the last sign-in that succeeded: those tried, buttons pressed for one, JVMs that began for one.
        self.tries = 0
        self.log_ins = 0
        self.full_runs = 0
        # Logins and pushes up to that one.
        self.logins_before = 0
        self.pushes_before = 0
        self.disclaimer_accepted = self.settings_applied = False
        # Whether another session of the same user has shown itself in this run of the JVM.
        self.contested = False
        self.full_authentication: bool | None = None
        self.on_token = False
        self.read_only: bool | None = None
        # Whether the API refused a client's request because it is read-only.
        self.write_refused = False
        # IBKR's announcement, in a sign-in dialog, that it will no longer accept this release.
        self.release_notice: str | None = None
        self.gateway_version: str | None = None
        self.controller_version: str | None = None
        self.commands: list[str] = []
        self.exit_codes: list[int] = []
        self.finding: str | None = None
        self.last_error: str | None = None
        self.last_dialog: str | None = None
        # How many dialogs of the second factor are open: the list of devices, and one for each push.
        self.second_factors = 0
        # Dialogs that have opened in a sign-in and not closed, other than the second factor's, oldest first.
        self.open_dialogs: list[str] = []
        self.refused_this_time = False
        # Whether a dialog has shown itself since the last attempt.
        self.dialog_since_attempt = False
        # Whether the next JVM will find no token, and whether the log has announced it.
        self.token_missing: bool | None = None
        self.sign_in_follows = False
        # Whether the controller sends another push by itself when one has expired.
        self.tries_again = False
        # How the controller is set to treat another session of the user; None until it has logged that.
        self.existing_session_action: str | None = None
        # Why no second factor is sent, and whether a person may still finish that sign-in at the screen.
        self.second_factor_fault: str | None = None
        self.awaits_person = False
        # Seconds for which the controller does nothing, by its own word.
        self.idles = 0

    def feed(self, lines: Iterable[str]) -> None:
        """Fold *lines* in, oldest first."""
        for line in lines:
            for event in self.controller.events(line.encode("utf-8", "surrogatepass") + b"\n"):
                self.fold(event)

    def fold(self, event: Event) -> None:
        lapsed = self.phase == LAPSED
        if event.name in self.controller.findings:
            if event.name not in _OF_A_SIGN_IN or self.phase not in (SIGNED_IN, CONFIGURED):
                self.finding = event.name
        else:
            getattr(self, f"_on_{event.name}")(event.value)
        # Whatever follows, the sign-in did not continue by itself.
        self.pushes_missed += lapsed and self.phase not in (LAPSED, SIGNED_IN, CONFIGURED, NO_RUN)

    def as_state(self) -> dict[str, Any]:
        """Return everything that is known, JSON-ready, for :meth:`from_state`."""
        return {name: value for name, value in vars(self).items() if name != "controller"}

    @classmethod
    def from_state(cls, state: object, controller: Controller = IBC) -> Summary | None:
        """Return the summary that :meth:`as_state` has told; None for anything else."""
        summary = cls(controller)
        fresh = summary.as_state()
        if not isinstance(state, dict) or state.keys() != fresh.keys() or state["phase"] not in PHASES:
            return None
        if not all(_like(value, fresh[name], name) for name, value in state.items()):
            return None
        vars(summary).update(state)
        return summary

    @property
    def logins(self) -> int:
        """How many sign-ins this start has tried since one succeeded, by whatever the log has most of."""
        return max(self.tries, self.log_ins, self.full_runs)

    @property
    def all_logins(self) -> int:
        """How many this start has tried, those included that succeeded by the log's words alone, and pushes for which
        it has no login."""
        return self.logins_before + max(self.logins, self.pushes - self.pushes_before)

    @property
    def open_dialog(self) -> str | None:
        """The dialog that keeps the sign-in waiting: one in which a person types, else the one that is open longest."""
        typed = [title for title in self.open_dialogs if title in TYPED]
        return next(iter([*typed, *self.open_dialogs]), None)

    @property
    def usable(self) -> bool:
        """Whether the log says that nothing stands between a client and the API."""
        return self.phase == CONFIGURED or (self.phase == SIGNED_IN and self.disclaimer_accepted)

    @property
    def asks_for_sign_in(self) -> bool:
        """Whether this run of the JVM, or the one that the log announces, is on its way to a full sign-in, or has sent
        its push; one that has ended is not, since the next may have a token."""
        before_push = self.phase in (LAUNCHED, LOGIN_WINDOW, SIGNING_IN, ANSWERED, LAPSED)
        full = before_push and self.full_authentication is True
        return full or self.phase == WAITING_2FA or self.sign_in_follows

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
        self.gateway_version = printable(value, 40)

    def _on_controller_version(self, value: str) -> None:
        self.controller_version = printable(value, 40)

    def _on_bad_settings(self, value: str) -> None:
        self.finding = "bad_settings"
        self.last_error = _shown(value) or "a variable and its _FILE variant are both set"

    def _on_jvm_start(self, _value: str) -> None:
        self._run(full=True)
        self.full_runs += 1
        self._judge_tries()

    def _on_jvm_restart(self, _value: str) -> None:
        self._run(full=False)
        self.on_token = True

    def _run(self, full: bool) -> None:
        """The controller's own word for a start is the one sure sign: after a cold restart no line tells of tokens."""
        self.phase = LAUNCHED
        self.jvm_runs += 1
        self.full_authentication = self.token_missing = full
        self.sign_in_follows = False
        self.commands = []
        self.last_dialog = self.release_notice = None
        self.open_dialogs = []
        self.disclaimer_accepted = self.settings_applied = self.contested = self.write_refused = False
        self.refused_this_time = self.on_token = self.awaits_person = False
        self.second_factor_fault = None
        self.idles = self.second_factors = 0
        if self.finding not in _LASTING:
            self.finding = None

    def _judge_tries(self) -> None:
        """A sign-in that was tried so often, and is begun once more, does not succeed; who goes on is locked out."""
        if self.logins > MAX_TRIES and self.finding is None:
            self.finding = "too_many_attempts"

    def _refuse(self, finding: str) -> None:
        """A sign-in was refused; counts once for each attempt, whatever the message."""
        self.dialog_since_attempt = False
        if not self.refused_this_time:
            self.refused_this_time = True
            self.refused_logins += 1
            if self.refused_logins >= MAX_REFUSALS:
                self.finding = finding

    def _on_token_missing(self, _value: str) -> None:
        self.token_missing = True

    def _on_token_found(self, _value: str) -> None:
        self.token_missing = False

    def _on_login_window(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW
        self.full_authentication = self.full_authentication or self.token_missing

    def _on_credentials(self, _value: str) -> None:
        self.full_authentication = True

    def _on_login_attempt(self, _value: str) -> None:
        if self.dialog_since_attempt:
            self._refuse("too_many_attempts")
        self.phase = SIGNING_IN
        self.full_authentication = True
        self.login_attempts += 1
        self.tries += 1
        self.refused_this_time = self.dialog_since_attempt = False
        self.second_factors = 0
        self._judge_tries()

    def _on_log_in_pressed(self, _value: str) -> None:
        self.log_ins += 1
        self._judge_tries()

    def _on_push_sent(self, _value: str) -> None:
        self.phase = WAITING_2FA
        self.pushes += 1
        # This attempt was not refused, whatever dialog it showed.
        self.dialog_since_attempt = False

    def _on_push_lapsed_again(self, _value: str) -> None:
        self.phase, self.tries_again = LAPSED, True

    def _on_push_lapsed(self, _value: str) -> None:
        """It may have been approved at the last moment, and the sign-in goes on then; time tells (Gateway.lapsed)."""
        self.phase, self.tries_again = LAPSED, False

    def _on_push_missed_again(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW
        self.pushes_missed += 1

    def _on_push_missed(self, _value: str) -> None:
        self.phase = LOGIN_WINDOW
        self.pushes_missed += 1
        self.finding = "push_missed"

    def _on_closing(self, _value: str) -> None:
        """It was signed in, and has been asked to end."""

    def _on_signed_in(self, _value: str) -> None:
        self.phase = CONFIGURED if self.settings_applied else SIGNED_IN
        self.logins_before, self.pushes_before = self.all_logins, self.pushes
        self.refused_logins = self.window_timeouts = self.cold_restarts = 0
        self.tries = self.log_ins = self.full_runs = 0
        self.refused_this_time = self.dialog_since_attempt = False
        self.finding = self.last_error = self.second_factor_fault = None
        self.open_dialogs = []
        self.awaits_person = self.sign_in_follows = False

    def _on_disclaimer_accepted(self, _value: str) -> None:
        self.disclaimer_accepted = True

    def _on_configured(self, _value: str) -> None:
        """The menu can open before the sign-in has completed, which then is what is still waited for."""
        self.settings_applied = True
        if self.phase not in SIGN_IN_PHASES:
            self.phase = CONFIGURED

    def _on_read_only(self, value: str) -> None:
        self.read_only = value.lower() == "true"

    def _on_release_ends(self, value: str) -> None:
        self.release_notice = _shown(f"{self.release_notice or ''} {value}".strip(), 400)

    def _on_write_refused(self, _value: str) -> None:
        self.write_refused = True

    def _on_login_failed(self, _value: str) -> None:
        """A push in this attempt proves that user and password were right: what failed is the second factor."""
        self.last_error = "Login failed"
        if self.phase in (WAITING_2FA, ANSWERED, LAPSED):
            self.finding, self.refused_this_time = "push_denied", True
        else:
            self._refuse("refused_login")

    def _on_server_unreachable(self, _value: str) -> None:
        """Of two failures, one of which was a refused password, the password is what a person has to correct."""
        if self.last_error != "Login failed":
            self.last_error = "Connection to server failed"
        self._refuse("refused_login" if self.last_error == "Login failed" else "server_unreachable")

    def _on_login_error(self, _value: str) -> None:
        self.last_error = "Login Error"
        self._refuse("too_many_attempts")

    def _on_login_stuck(self, _value: str) -> None:
        self.refused_logins += 1
        self.finding = "refused_login"

    def _on_existing_session_action(self, value: str) -> None:
        self.existing_session_action = printable(value.lower(), 40)

    def _on_handoff(self, _value: str) -> None:
        """The dialog waits for a person, unless the settings have the controller go on with this session."""
        if self.existing_session_action == "primary":
            self._on_contested("Trading Login Handoff")
        else:
            self.finding = "session_choice"

    def _on_contested(self, value: str) -> None:
        self.contested = True
        self.last_dialog = value or EXISTING_SESSION

    def _on_cold_restart(self, _value: str) -> None:
        self.cold_restarts += 1

    def _on_sign_in_follows(self, _value: str) -> None:
        self.sign_in_follows = True

    def _on_restart_follows(self, _value: str) -> None:
        self.sign_in_follows = self.sign_in_follows or self.token_missing is True

    def _on_exit_code(self, value: str) -> None:
        code = int(value) % 256
        if self.phase == LAPSED and not self.tries_again and self.finding is None:
            self.finding = "push_missed"
        waited, self.phase = self.phase == WAITING_2FA, ENDED
        self.exit_codes = [*self.exit_codes[1 - MAX_EXIT_CODES :], code]
        if code == 87:
            self.finding = "push_closed" if waited else "push_denied"
        if code == 88:
            self.window_timeouts += 1
            if self.window_timeouts >= 3:
                self.finding = "login_window_loop"

    def _on_error(self, value: str) -> None:
        self.last_error = f"error with exit code {value}"

    def _on_command(self, value: str) -> None:
        self.commands = [*self.commands[1 - MAX_COMMANDS :], printable(value.upper(), 40)]

    def _on_paused(self, _value: str) -> None:
        self.phase = PAUSED

    def _on_finished(self, _value: str) -> None:
        self.sign_in_follows = False
        if self.phase != PAUSED:
            self.phase = ENDED

    def _on_other_controller(self, _value: str) -> None:
        self.finding = "other_controller"

    def _on_adopted(self, _value: str) -> None:
        """The gateway's program has restarted itself, and a login window may follow."""
        self._run(full=False)

    def _on_login_awaited(self, _value: str) -> None:
        """A full sign-in begins, in a program that has just been launched or in one that was signed in before."""
        if self.phase != LAUNCHED:
            self._run(full=True)
        self.full_authentication = self.token_missing = True
        self.phase, self.idles = LOGIN_WINDOW, 0

    def _on_push_unseen(self, _value: str) -> None:
        """The API was open when the second factor was looked for: a live sign-in has had its push."""
        self.pushes += 1

    def _on_push_closed_unread(self, _value: str) -> None:
        self.phase = ANSWERED

    def _on_second_factor_failed(self, value: str) -> None:
        self.second_factor_fault = self.last_error = _shown(value)
        self.open_dialogs = [SECOND_FACTOR]

    def _on_by_hand(self, _value: str) -> None:
        self.awaits_person = True

    def _on_ready(self, _value: str) -> None:
        if self.phase not in (SIGNED_IN, CONFIGURED):
            self._on_signed_in("")
        self.phase = CONFIGURED

    def _on_maintenance(self, value: str) -> None:
        """It waits before its sign-in, since IBKR's servers are in their nightly maintenance."""
        self.idles = int(value)

    def _on_read_only_failed(self, value: str) -> None:
        self.read_only = None
        self._on_settings_failed(value)

    def _on_settings_failed(self, value: str) -> None:
        self.last_error = f"not applied: {_shown(value, 40)}"

    def _on_dialog_seen(self, value: str) -> None:
        self.last_dialog = _shown(value, 100)

    def _on_dialog_left(self, _value: str) -> None:
        if self.phase in SIGN_IN_PHASES and self.last_dialog not in (None, SECOND_FACTOR):
            self.open_dialogs = [self.last_dialog]

    def _on_no_progress(self, _value: str) -> None:
        """The controller waits no longer for the API, and is about to try the sign-in again."""
        if self.finding is not None:
            return
        if self.phase == WAITING_2FA:
            self._on_push_missed("")
        elif self.phase == ANSWERED:
            self.finding = "push_closed"
        else:
            self.finding = "no_progress"

    def _on_login_rejected(self, _value: str) -> None:
        """IBKR's own words for a wrong user or password; the same ones would be tried again.

        After a push, ibg-controller concludes it from the whole of launcher.log, where last week's time-outs still
        stand (_diagnose_login_failure).
        """
        if self.finding in ("push_missed", "push_closed"):
            return
        self._on_login_failed("")
        if self.finding != "push_denied":
            self.finding = "refused_login"

    def _on_never_ready(self, _value: str) -> None:
        """The start script waits no longer for a first sign-in; a controller that refused a second factor has ended."""
        if self.second_factor_fault and not self.awaits_person:
            self._on_gave_up("")

    def _on_gave_up(self, _value: str) -> None:
        self.finding = self.finding or ("second_factor" if self.second_factor_fault else "gave_up")

    def _on_terminated(self, _value: str) -> None:
        self.phase = ENDED

    def _on_dialog(self, value: str) -> None:
        title, _mark, what = value.rpartition("; event=")
        title = _shown(title, 100)
        if what == "Opened":
            self.last_dialog = title
        if title == SECOND_FACTOR:
            self._count_second_factor(what == "Opened")
        elif what == "Closed":
            with contextlib.suppress(ValueError):
                self.open_dialogs.remove(title)
        elif self.phase in SIGN_IN_PHASES:
            self.open_dialogs = [*self.open_dialogs[1 - MAX_DIALOGS :], title]
            self.dialog_since_attempt = True

    def _count_second_factor(self, opened: bool) -> None:
        """A push is answered when the last of these dialogs has closed. Another one behind it is another push, which
        IBC does not name (LoginManager.setLoginState prints a state only where it changes)."""
        self.second_factors = max(self.second_factors + (1 if opened else -1), 0)
        if opened and self.phase == ANSWERED:
            self._on_push_sent("")
        elif not self.second_factors and self.phase == WAITING_2FA:
            self.phase = ANSWERED


def _shown(value: str, limit: int = 200) -> str:
    """The gateway's own words, printable; a title or message can hold an account id, listed or not."""
    return accounts.hide(printable(value, limit), ())


def _like(value: object, fresh: object, name: str) -> bool:
    """Whether *value* is of the kind that the attribute *name* of a summary has, which begins as *fresh*."""
    if name in _LISTS:
        kind, most = _LISTS[name]
        return isinstance(value, list) and len(value) <= most and {type(each) for each in value} <= {kind}
    if fresh is None:
        boolean = name in ("full_authentication", "read_only", "token_missing")
        return value is None or (isinstance(value, bool) if boolean else isinstance(value, str) and len(value) <= 400)
    return type(value) is type(fresh)
