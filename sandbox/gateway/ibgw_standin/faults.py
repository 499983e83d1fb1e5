# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of everything that can go wrong, read by the server, ``standin-ctl faults`` and the README.

Layers, in the order in which they take effect:

* ``login``: the walk to a login; a server that serves the API alone closes its port
* ``window``: the gateway's windows; clients notice nothing
* ``accept``: before a byte is exchanged
* ``hello``: in place of the version frame
* ``start``: in place of, or right after, the start of a session
* ``session``: a working session with a visible fault
* ``event``: happens once

Faults with ``times`` end by themselves after that many.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Fault(NamedTuple):
    """One thing that can go wrong."""

    name: str
    layer: str
    description: str
    seen: str
    """The effect that an API client sees."""
    phase: str = ""
    """The phase of a gateway's life that this is, P1 to P12 (P13 is 'no fault')."""
    args: str = ""

    @property
    def blocks(self) -> bool:
        """True when no API session can be complete."""
        return self.layer in ("login", "accept", "hello", "start")


class UnknownFault(ValueError):
    """No fault of that name or phase."""


_TIMES = "times=0 (for ever)"
_CLOSED = "connection refused (through the relay: accepted, then closed)"
_ROWS = (
    # name, layer, description, what a client sees, phase, args
    ("wrong_password", "login", "IBKR refuses the user or the password; IBC cold-restarts without end", _CLOSED, "",
     _TIMES),
    ("unrecognized_user", "login", "the dialog 'Unrecognized Username or Password' waits for a person", _CLOSED),
    ("login_error", "login", "IBKR answers with the dialog 'Login Error'; IBC cold-restarts", _CLOSED, "", _TIMES),
    ("connection_failed", "login", "'Connection to server failed'; IBC cold-restarts", _CLOSED, "", _TIMES),
    ("too_many_logins", "login", "IBKR has locked sign-ins of the user for a while", _CLOSED, "", "seconds=4 times=1"),
    ("passkey", "login", "IBKR demands a passkey, in a dialog that waits for a person", _CLOSED),
    ("release_refused", "login", "IBKR no longer accepts this release, in a dialog that waits", _CLOSED),
    ("device_list", "login", "IBKR asks for the second-factor device first", _CLOSED, "", 'devices="IB Key/SMS"'),
    ("second_factor_code", "login", "the second factor is a code or a passkey, and there is no push", _CLOSED, "",
     'method="Mobile Authenticator app" (ibg-controller)'),
    ("security_code", "login", "a dialog of another title asks for a code", _CLOSED),
    ("missed_push", "login", "nobody answers the push (also sent in paper mode)", _CLOSED, "", _TIMES),
    ("program_exits", "login", "with missed_push: the gateway ends by itself, with 0", _CLOSED),
    ("push_denied", "login", "the push is denied on the phone, and nothing follows, or the dialog 'Login failed'",
     _CLOSED, "", "after=4 login_failed=false"),
    ("login_stall", "login", "the push is answered but login never completes: exit 87 if re-login is on", _CLOSED),
    ("login_window_hang", "login", "Log In is pressed in the login window, and nothing more happens (ibg-controller:"
     " IBKR's server does not answer)", _CLOSED),
    ("login_window_invalidated", "login", "at a re-login the login window has lost controls: its trading modes (cold"
     " restart), or all (exit 77)", _CLOSED, "", "lost=modes times=1"),
    ("exit_88_loop", "login", "the login window never shows: exit 88, again and again", _CLOSED, "", _TIMES),
    ("expired_token", "login", "IBKR refuses the autorestart token: cold restart with a full login", _CLOSED),
    ("stale_token", "login", "the autorestart token is of no use, and the start on it waits for ever", _CLOSED),
    ("token_second_factor", "login", "a restart on a token asks for the second factor all the same", _CLOSED),
    ("existing_session", "login", "the user is signed in elsewhere; the other side yields once asked", _CLOSED),
    ("existing_session_stubborn", "login", "as above, and the other side comes back once: the second dialog", _CLOSED),
    ("handoff", "login", "the dialog 'Trading Login Handoff' asks which session lives", _CLOSED),
    ("exit_at_once", "login", "a broken image: IBC ends at once with exit 1", _CLOSED, "", "code=1"),
    ("port_closed", "login", "the gateway runs, login is not complete", _CLOSED, "P1"),
    ("settings_menu_early", "window", "Configure > Settings works before the login has completed", "as ready"),
    ("disclaimer_early", "window", "the paper disclaimer shows before the login has completed", "as ready"),
    ("password_expiry", "window", "a frame says that the password will expire", "as ready"),
    ("newer_version", "window", "a frame offers a newer version, after the sign-in", "as ready"),
    ("newer_version_pane", "window", "a dialog tells of a newer version, before the login window", "as ready"),
    ("incoming_connection", "window", "a dialog asks about a client that is not trusted", "as ready"),
    ("write_access", "window", "a dialog tells of an order by a read-only API", "as ready"),
    ("close_hangs", "window", "File > Close does nothing", "as ready"),
    ("closed_on_accept", "accept", "every connection is closed at once", "end of file before the version"),
    ("reset_on_accept", "accept", "every connection is reset at once: the port has just opened",
     "connection reset", "P2"),
    ("too_many_clients", "accept", "the 32 client slots are taken", "end of file before the version", "P8"),
    ("hung_api", "accept", "the API is frozen, old sessions too", "accepted, then silence", "P5"),
    ("silent", "accept", "new connections are accepted and never answered", "accepted, then silence"),
    ("closed_after_hello", "hello", "the client is not trusted", "end of file after the hello", "P4"),
    ("reset_after_hello", "hello", "the hello is answered by a reset", "connection reset"),
    ("version_then_silent", "hello", "no answer after the version", "version, then silence"),
    ("garbage", "hello", "random bytes (seed 326)", "no version frame", "", "bytes=4096"),
    ("http", "hello", "a web server listens on the port", "'HTTP/1.1 400' and end of file"),
    ("huge_length", "hello", "a frame announces 2 GiB and nothing follows", "length 0x7fffffff, then silence"),
    ("huge_stream", "hello", "a frame announces 2 GiB and zeros follow", "length 0x7fffffff and data", "",
     "bytes=268435456 seconds=60"),
    ("zero_frames", "hello", "frames of length 0 without end", "empty frames", "", "bytes=67108864 seconds=60"),
    ("trickle", "hello", "the version frame, one byte at a time", "a byte every 0.2 s", "", "delay=0.2 seconds=120"),
    ("non_numeric_version", "hello", "the version is no number", "version 'abc'"),
    ("old_version", "hello", "the server speaks version 76", "version 76"),
    ("ignores_client_max", "hello", "the server answers its own highest version", "version above the offer"),
    ("disclaimer", "start", "the paper disclaimer is not accepted", "error 10141 and end of file", "P3"),
    ("client_id_in_use", "start", "the client id is taken by somebody else", "error 326 and end of file", "P7",
     "ids=[] (all)"),
    ("no_accounts", "start", "managedAccounts never comes", "next id only", "P6"),
    ("empty_accounts", "start", "managedAccounts names no account", "an empty list"),
    ("no_valid_id", "start", "nextValidId never comes", "accounts only", "P6"),
    ("bad_utf8_accounts", "start", "accounts that are not UTF-8, a next id that is no number",
     "undecodable fields (the id: text forms only)"),
    ("endless_notices", "start", "valid 2104 notices without end, no accounts", "a flood of notices", "",
     "bytes=67108864 seconds=60"),
    ("unresponsive", "start", "a zombie: accounts and id, then no answer to any request", "silence after the start"),
    ("closes_during_sync", "start", "the session ends 50 ms after its start", "end of file", "", "delay=0.05"),
    ("port_reset", "start", "the API port was moved", "error 1300 and end of file", "", "port=4011"),
    ("slow", "session", "every answer takes its time", "as ready, late", "", "seconds=2.0"),
    ("notice_before_version", "session", "a notice comes before the version", "error 2104, then as ready"),
    ("link_down", "session", "the link to IBKR is down", "2110 at the start, 1100 repeatedly", "P9", "repeat=5.0"),
    ("link_lost", "session", "the link to IBKR was just lost", "1100 a moment after the start, repeatedly", "",
     "delay=0.15 repeat=5.0"),
    ("farm_broken", "session", "a market data farm is broken", "2103 in place of 2104", "P10", "farm=usfarm"),
    ("hmds_broken", "session", "the historical data farm is broken", "2105 in place of 2106"),
    ("secdef_broken", "session", "the security definition farm is broken", "2157 in place of 2158"),
    ("read_only", "session", "the API is read-only", "321 to order requests, and a dialog in the gateway", "P11"),
    ("competing_session", "session", "a live session elsewhere takes the market data",
     "10197 to market data requests", "P12", "announce=false (true: also at the start)"),
    ("desupport_notice", "session", "IBKR announces from when on it will not accept this release",
     "2172 at the start, then as ready", "", "version=1045.1 day=20261215 minimum=1050.1"),
    ("wrong_account_prefix", "session", "accounts of the other mode: U in paper, DU in live", "as ready"),
    ("link_restored", "event", "ends link_down and link_lost", "1102 (1101 with data_lost)", "", "data_lost=false"),
)  # fmt: skip

FAULTS = {row[0]: Fault(*row) for row in _ROWS}
READY_PHASE = "P13"


def find(name: str) -> Fault:
    """Look a fault up by its name or its phase; :class:`UnknownFault` lists the known ones."""
    for fault in FAULTS.values():
        if name in (fault.name, fault.phase):
            return fault
    raise UnknownFault(f"no fault is called {name!r}; there are: {', '.join(FAULTS)}")


def parse_list(text: str) -> dict[str, dict[str, Any]]:
    """Read ``name,name`` (blanks allowed) as in STANDIN_FAULT; ``name:key=value`` has arguments."""
    found: dict[str, dict[str, Any]] = {}
    for entry in text.replace(",", " ").split():
        name, *pairs = entry.split(":")
        arguments = (pair.partition("=")[::2] for pair in pairs)
        found[find(name).name] = {key: value_of(value.replace("+", " ")) for key, value in arguments}
    return found


def value_of(text: str) -> object:
    """Read an argument's value: JSON if valid, else the text itself."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value


def markdown() -> str:
    """The table for the README."""
    lines = ["| fault | layer | what happens | what an API client sees | args |", "| --- | --- | --- | --- | --- |"]
    for fault in FAULTS.values():
        what = f"{fault.description} ({fault.phase})" if fault.phase else fault.description
        args = f"`{fault.args}`" if fault.args else ""
        lines.append(f"| `{fault.name}` | {fault.layer} | {what} | {fault.seen} | {args} |")
    return "\n".join(lines)
