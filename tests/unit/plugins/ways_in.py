# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway's log and state when its user is signed in, or signs in, elsewhere: test_ways_in.py plays each row.

`python -m tests.unit.plugins.ways_in` prints it as docs/reference/faults.md has it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.unit.plugins.recordings import RECORDED

from ansible_collections.ibops.gateway.plugins.module_utils.agent.api import verdicts
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import policy

IBC, IBG = RECORDED
EXISTING, RELOGIN = "dialog entitled: Existing session detected; event=Opened", "dialog entitled: Re-login is required"
THIRD = "continue this one (scenario 3)"
NOTHING = ("nothing", "-")


@dataclass(frozen=True)
class WayIn:
    """A row: *when* the other session shows itself, and what the gateway's settings have it do; what the log *shows*,
    in this order; the *recording*, or the row of faults.py that plays it and what is *told* there; the *state* and the
    *cause* of a stop.
    """

    when: str
    shows: tuple[str, ...]
    recording: str = ""
    state: str = verdicts.READY
    cause: str | None = None
    of: int = 0
    fault: str = ""
    told: tuple[str, str] | None = None

    @property
    def path(self) -> Path:
        return RECORDED[self.of].place / f"{self.recording}.log"

    @property
    def says(self) -> tuple[str, str]:
        """The message, and the next step."""
        if self.told:
            return self.told
        return policy.CAUSES[self.cause][:2] if self.cause else NOTHING


WAYS = (
    WayIn("at the sign-in; `primary`, and the other session gives way", (EXISTING, THIRD, "Login has completed"),
          "09-existing-primary-first"),
    WayIn("at the sign-in; `primary`, and the other session does not give way", (EXISTING, THIRD, EXISTING,
          "end this session and let the other one proceed (scenario 4)"), "09-existing-primary-twice",
          verdicts.BLOCKED, "session_taken"),
    WayIn("at the sign-in; `secondary`", (EXISTING, "let the other session proceed (scenario 2)"),
          "09-existing-secondary", verdicts.BLOCKED, "session_taken"),
    WayIn("at the sign-in; `manual`", (EXISTING, "User must choose"), "09-existing-manual", verdicts.BLOCKED,
          "session_choice"),
    WayIn("at the sign-in, a hand-over is asked for; `manual`", ("Trading Login Handoff dialog; {}",),
          "09-handoff-manual", verdicts.BLOCKED, "session_choice"),
    WayIn("at the sign-in, a hand-over is asked for; `secondary`", ("Trading Login Handoff dialog; error",),
          "09-handoff-secondary", verdicts.BLOCKED, "session_taken"),
    WayIn("when it is signed in; `primary`", (EXISTING, "let the other session exit (scenario 5)"),
          "09-existing-primary-signed-in"),
    WayIn("when it is signed in; `primaryoverride`", (EXISTING, "let the other one proceed (scenario 6)"),
          "09-existing-primaryoverride-signed-in", verdicts.BLOCKED, "session_taken"),
    WayIn("when it is signed in; `secondary`", (EXISTING, "let the other session proceed (scenario 2)"),
          "09-existing-secondary-signed-in", verdicts.BLOCKED, "session_taken"),
    WayIn("the other session has ended it, and the re-login succeeds", (RELOGIN, "Re-login to session",
          "Login has completed"), "09-existing-relogin-required-ok"),
    WayIn("the other session has ended it, and does not give way to the re-login; `primary`",
          (RELOGIN, "Re-login to session", EXISTING, THIRD, EXISTING, "(scenario 4)"),
          "09-existing-relogin-required", verdicts.BLOCKED, "session_taken"),
    WayIn("the other session has ended it, and the link to IBKR stays away", (RELOGIN, "2110 at the API"),
          state=verdicts.DEGRADED, fault="the gateway is made to sign in again",
        told=(verdicts.SIGNED_IN_ELSEWHERE.meaning, verdicts.SIGNED_IN_ELSEWHERE.next_step)),
    WayIn("the other session takes the market data", ("10197 at the API",), state=verdicts.DEGRADED,
          fault="another session takes the market data (10197)",
        told=("error 10197: a competing live session", verdicts.END_OTHER_SESSION)),
    WayIn("ibg-controller, at the sign-in; `primary`", ("Recognized: existing-session-detected dialog",
          "Readiness signal: "), "05-existing-primary", of=1),
    WayIn("ibg-controller, at the sign-in; `secondary`", ("Recognized: existing-session-detected dialog",
          "Clicking existing-session button 'Cancel'"), "05-existing-secondary-v070", verdicts.BLOCKED, "session_taken",
          of=1),
    WayIn("ibg-controller, IBKR's server does not answer the sign-in", ("ALERT_CCP_PERSISTENT consecutive_lockouts=",),
          "12-auth-silent-lockout-v070", verdicts.BLOCKED, "server_silent", of=1),
)  # fmt: skip


def markdown() -> str:
    """Return the table of docs/reference/faults.md."""
    lines = ["| when | what is seen, in this order | state | what is told | next step | from |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for way in WAYS:
        state = f"`{way.state}`" + (f" ({way.cause})" if way.cause else "")
        seen = ", then ".join(f"`{each.strip()}`" if way.recording else each for each in way.shows)
        says, next_step = way.says
        source = f"`{way.recording}`" if way.recording else "the table above"
        lines.append(f"| {way.when} | {seen} | {state} | {says} | {next_step} | {source} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
