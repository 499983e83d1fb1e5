# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a gateway comes to ask for a push: the first log line that announces it, and how long before.

`python -m tests.unit.plugins.evidence` prints the table as docs/reference/controllers.md has it; the margins are those
of the recordings.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.unit.plugins.recordings import FILES, OF, RECORDED, pushes, read

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.milestones import Summary

IBC, IBG = RECORDED
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Told:
    """A push of a recording: the line from which on the summary has a sign-in coming, and the milliseconds from it."""

    line: str
    margin: int


@functools.cache
def told(path: Path) -> tuple[Told, ...]:
    """The pushes of a recording; one that follows another in the same sign-in is told by the first one's line."""
    of, found = OF[path], []
    summary, begun = Summary(of.controller), (0.0, "")
    moments = [*((at, 0, line) for at, line in read(path).lines), *((at, 1, "") for at, _done in pushes(path))]
    for at, is_push, line in sorted(moments, key=lambda each: each[:2]):
        if is_push:
            found.append(Told(begun[1], round((at - begun[0]) * 1000)))
            continue
        before = summary.asks_for_sign_in
        summary.feed([line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")])
        if summary.asks_for_sign_in and not before:
            begun = at, line
    return tuple(found)


@dataclass(frozen=True)
class Way:
    """A way: the recordings that show it, each with the number of its push; the text that tells of it."""

    what: str
    line: str
    shown: tuple[tuple[str, int], ...] = ()

    def margins(self, place: Path) -> list[int]:
        return [told(place / f"{stem}.log")[number].margin for stem, number in self.shown]


def first_pushes(of: object, line: str) -> tuple[tuple[str, int], ...]:
    """Those that a container's start brings about."""
    live = [path for path in FILES if OF[path] is of and path.parent == OF[path].place and told(path)]
    return tuple((path.stem, 0) for path in live if line in told(path)[0].line)


FULL, COLD, AGAIN = (
    "Starting session: will exit if login dialog",
    "IBC will cold-restart shortly",
    "IBC will restart shortly",
)
LAUNCH, RELAUNCH = "Gateway PID: ", "Trying fast in-place restart first"
WAYS: dict[str, tuple[Way, ...]] = {
    IBC.controller.name: (
        Way("the container starts without a token: by hand, after a reboot, a kill, an upgrade", FULL,
            first_pushes(IBC, FULL)),
        Way("two token files, of which neither is used", FULL, (("17-two-tokens", 0),)),
        Way("IBKR refuses the token at a restart (Login Error)", COLD, (("07-login-error-daily-restart", 1),)),
        Way("a Login Error at a full sign-in", COLD, (("07-login-error-first-start", 0),)),
        Way("Login failed (a refused password, a denied push)", COLD,
            (("04-push-denied-login-failed", 1), ("04-push-denied-login-failed", 2))),
        Way("ColdRestartTime", COLD, (("20-cold-restart-sunday-live", 1),)),
        Way("the login window has lost its buttons", COLD, (("07-login-dialog-invalidated-2", 1),)),
        Way("exit 87 with TWOFA_TIMEOUT_ACTION=restart", AGAIN, (("04-push-denied-relogin-yes-restart", 1),)),
        Way("exit 88, the login window did not show", AGAIN, (("18-login-window-never", 0),)),
        Way("a restart on a token asks for a second factor all the same", "its push"),
        Way("IBC presses Re-login, since another session has taken over", "its push"),
    ),
    IBG.controller.name: (
        Way("the container starts", LAUNCH, first_pushes(IBG, LAUNCH)),
        Way("the program has ended (a log-off at a set time, a crash, a kicked session)", RELAUNCH,
            (("06-auto-logoff", 1), ("13-jvm-crash-v070", 1))),
        Way("the daily restart before 0.9.0, beside the one of the program itself", RELAUNCH,
            (("06-daily-restart-kept-v070", 1),)),
        Way("IBKR does not keep the session at the daily restart", "AUTORESTART: login dialog on",
            (("07-daily-restart-refused-push-missed", 1),)),
        Way("RESTART by command", "RESTART: terminating Gateway PID",
            (("09-restart-command", 1), ("09-restart-command-v070", 1))),
        Way("the API's port has closed", "Escalating to do_restart_in_place", (("14-api-port-lost-v070", 1),)),
    ),
}  # fmt: skip


def markdown() -> str:
    """Return the table of docs/reference/controllers.md."""
    lines = ["| controller | how it comes to ask for a push | earliest evidence | margin (ms) | recorded |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for of in RECORDED:
        for way in WAYS[of.controller.name]:
            found = way.margins(of.place)
            margin = (
                NOT_RECORDED if not found else str(found[0]) if len(found) == 1 else f"{min(found)} to {max(found)}"
            )
            line = f"`{way.line.strip()}`" if found else way.line
            lines.append(f"| {of.controller.title} | {way.what} | {line} | {margin} | {len(found) or '-'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
