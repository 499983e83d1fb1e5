# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node's part of guarded_files: prove the change by a fresh login, or wait for the rollback."""

from __future__ import annotations

import collections.abc as c
import contextlib
import secrets
import signal
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

MODULE = "ibops.gateway.guarded_files"
# On top of the host's own time: for slow machines, and for a host that first finishes an earlier change.
PATIENCE = 60.0
# Between failed logins: sshd bans an address after many of them.
PAUSE = 4.0


class NotProven(Exception):
    """Why a login does not prove the change."""


@contextlib.contextmanager
def bounded(seconds: float) -> c.Iterator[None]:
    """Give up on a call that does not return: a firewall may drop packets silently. A task's timeout stays in force."""

    def expire(_signal: int, _frame: object) -> None:
        raise AnsibleConnectionFailure(f"no answer within {seconds:.0f} seconds")

    begin = time.monotonic()
    rest, _interval = signal.getitimer(signal.ITIMER_REAL)
    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if rest:
            signal.setitimer(signal.ITIMER_REAL, max(rest - (time.monotonic() - begin), 0.001))


class ActionModule(ActionBase):
    def run(self, tmp: object = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        self._vars = task_vars
        self._arguments = {key: value for key, value in self._task.args.items() if key not in ("step", "token")}
        # Made here, so that we can ask about a change whose answer got lost.
        self._token = secrets.token_hex(4)
        if self._task.check_mode:
            return self._step("apply")
        seconds = self._seconds()
        begin = time.monotonic()
        try:
            with bounded(2 * seconds + 2 * PATIENCE):
                applied = self._step("apply")
            begin = time.monotonic()
            if "module_stdout" in applied or applied.get("unreachable"):
                raise NotProven(f"the module ended without an answer ({applied.get('msg', '')})")
            if applied.get("state") != "armed":
                return self._told(applied)
        except (AnsibleConnectionFailure, NotProven) as fault:
            return self._recover({}, fault, begin + seconds)
        try:
            with bounded(seconds):
                self._prove(applied)
        except (AnsibleError, NotProven, OSError) as fault:
            return self._recover(applied, fault, begin + seconds)
        return self._told(applied)

    def _seconds(self) -> float:
        try:
            return float(self._arguments.get("seconds", 40))
        except (TypeError, ValueError):
            # The module refuses this.
            return 40.0

    def _step(self, step: str) -> dict[str, t.Any]:
        arguments = {**self._arguments, "step": step, "token": self._token}
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=self._vars)
        return result

    def _told(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        return {key: value for key, value in result.items() if key not in ("state", "login", "fresh")}

    def _prove(self, applied: dict[str, t.Any]) -> None:
        """Log in afresh, and have the host confirm that it dropped the old files."""
        if applied["login"] is not None:
            self._connection.reset()
        result = self._step("keep")
        if result.get("state") == "armed":
            raise NotProven("the connection could not be recreated: the login is the one from before the change")
        if result.get("state") == "back":
            raise NotProven("the new login came too late")
        if result.get("state") not in ("kept", "none"):
            said = result.get("msg") or f"nothing within {self._seconds():.0f} seconds"
            raise NotProven(f"the module ended without an answer ({said})")

    def _recover(self, applied: dict[str, t.Any], fault: Exception, end: float) -> dict[str, t.Any]:
        """Return the task's result once the host has reported the outcome."""
        name, said = self._task.args.get("name"), str(fault).strip().rstrip(".")
        while True:
            time.sleep(max(end + 1 - time.monotonic(), PAUSE))
            try:
                with bounded(PATIENCE):
                    self._connection.reset()
                    outcome = self._step("look")
            except (AnsibleError, OSError):
                outcome = {}
            state = outcome.get("state")
            if state in ("back", "none"):
                break
            if time.monotonic() > end + 2 * PATIENCE:
                raise fault
        if state == "none" and applied:
            # Kept: only the host's answer got lost.
            return self._told(applied)
        result = {"failed": True, "diff": applied.get("diff", [])}
        if state == "none":
            return {**result, "msg": f"{name}: {said}. Nothing was changed on the host. Run again."}
        paths = outcome["paths"]
        with contextlib.suppress(AnsibleError, OSError), bounded(PATIENCE):
            self._step("forget")
        return {
            **result,
            "rolled_back": paths,
            "msg": f"{name}: no new login proved the change: {said}. The host has put back as it was: "
            f"{', '.join(paths) or 'the commands'} ({outcome['why']}), and a login works again. Fix what these files "
            "say of users, ports, addresses or algorithms (--check --diff shows it) and run again.",
        }
