# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for IB Gateway alone, and what to do with a Client Portal Gateway instead."""

from __future__ import annotations

from .. import playbooks

# By command of ibgwctl; `make generate` writes the table in docs/how-to/client_portal.md.
INSTEAD = {
    "start": f"{playbooks.SITE} starts it, which is a sign-in, and on live a push",
    "restart": "docker restart ibgw-{name} restarts it, which is a sign-in, and on live a push",
    "sign-in": "its image signs in by itself when it starts, and docker logs ibgw-{name} shows how that goes",
    "skip": "it has no sign-in by appointment that could be left out",
    "later": "it has no sign-in by appointment that could be put off",
    "pause": "no session is kept over a stop; ibgwctl stop {name} stops it",
    "resume": f"no session is kept over a stop; {playbooks.SITE} starts it",
    "answers": "no answer could do anything: take answers_from and answers_topic out of session_alerts, and run "
    + playbooks.SITE,
}


def refusal(name: str, command: str = "") -> str:
    """Return why *command*, or what has no command, is refused for gateway *name*, and what to do instead."""
    instead = INSTEAD[command].format(name=name) if command else "docs/how-to/client_portal.md says what to do instead"
    what = command or "this"
    return f"gateway {name} is a Client Portal Gateway, and {what} is for IB Gateway: {instead}. Nothing was touched."
