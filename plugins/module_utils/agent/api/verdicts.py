# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of the API: meaning, next step, and whether waiting can help."""

from __future__ import annotations

from .. import playbooks
from . import ports

STOPPED, STARTING, WAITING_2FA = "stopped", "starting", "waiting_2fa"
READY, DEGRADED, BLOCKED = "ready", "degraded", "blocked"
GATEWAY_STATES = (STOPPED, STARTING, WAITING_2FA, READY, DEGRADED, BLOCKED)


class ApiState:
    """One row: *meaning* and *next_step* for a person, *state* of a running gateway with this answer,
    *final* when no amount of waiting makes it ready."""

    __slots__ = ("final", "meaning", "next_step", "state")

    def __init__(self, state: str, meaning: str, next_step: str, final: bool = False) -> None:
        self.state, self.meaning, self.next_step, self.final = state, meaning, next_step, final


# Next steps for each kind of trouble in a session that has started.
CORRECT_ACCOUNTS = (
    f"Correct gateway_accounts to the accounts of this IBKR user ({playbooks.SITE} writes it), or ask IBKR."
)
END_OTHER_SESSION = "Sign the user out where the other session is."
WAIT_FOR_FARM = "Wait for the farm, or name it in gateway_ignored_farms where nobody needs it."
# Verdicts of an attempt that ran out of time: a longer one might have received more.
LATE = frozenset({"tcp_timeout", "no_handshake", "no_accounts", "no_valid_id", "unresponsive"})

OPERATOR_LOOK = "Look at the container's log and at the gateway's window for a dialog that waits for a person."

# States of the other API, the Client Portal's.
PORTAL_STATES = ("down", "unauthenticated", "competing", "connected", "ready")
API_STATES = {
    "ready": ApiState(READY, "the API answers, the accounts fit and nothing is reported broken", "Connect."),
    "port_closed": ApiState(
        STARTING,
        "nothing listens on the port: the connection was refused",
        f"Start the gateway, or correct host and port (published: {ports.USUAL}).",
    ),
    "unreachable": ApiState(
        DEGRADED,
        "the host cannot be reached",
        "Check the host name, the route and the firewall between this machine and the gateway.",
    ),
    "tcp_timeout": ApiState(
        DEGRADED,
        "the connection was not answered in time",
        "Check the firewall between this machine and the gateway, and whether the gateway's JVM is frozen.",
    ),
    "proxy_up_gateway_down": ApiState(
        STARTING,
        "every connection is closed at once: the relay in the container is up, but no gateway listens behind "
        "it, since it has not signed in (or its 32 client places are taken)",
        "Wait for the sign-in; if it does not come, look at the container's log.",
    ),
    "closed_before_handshake": ApiState(
        STARTING,
        "the connection was closed before the API greeted: it is still initialising or does not trust this address",
        "Wait some seconds; if it stays, connect through the port that the container publishes.",
    ),
    "no_handshake": ApiState(
        DEGRADED,
        "the port accepts but the API does not greet: the gateway hangs or a dialog waits",
        OPERATOR_LOOK + f" Restart it without a sign-in by IBC's RESTART ({playbooks.RESTART}).",
    ),
    "not_tws": ApiState(
        BLOCKED,
        "what answers on this port does not speak the TWS API",
        "Correct host and port: another service listens there.",
        final=True,
    ),
    "unsupported_version": ApiState(
        BLOCKED, "the gateway cannot speak API version 157 to 178", "Use a gateway of release 972 or later.", final=True
    ),
    "closed_after_handshake": ApiState(
        DEGRADED,
        "the gateway closed the session during its start, without a reason",
        "Try again; if it stays, look at the container's log and count the clients (at most 32).",
    ),
    "no_accounts": ApiState(STARTING, "the session opened but no account was named", OPERATOR_LOOK),
    "no_valid_id": ApiState(
        DEGRADED,
        "the session opened but no valid order id came, so no client finishes its connect",
        OPERATOR_LOOK + f" Restart it without a sign-in by IBC's RESTART ({playbooks.RESTART}).",
    ),
    "unresponsive": ApiState(
        DEGRADED,
        "the session opened, but a request for the time is not answered: the gateway hangs",
        f"Restart it without a sign-in by IBC's RESTART ({playbooks.RESTART}).",
    ),
    "link_down": ApiState(
        DEGRADED,
        "the gateway runs but has lost its connection to IBKR",
        "Wait: it reconnects by itself after a reset of IBKR's servers. If it lasts, check the network and whether "
        "the same user signed in elsewhere.",
    ),
    "port_moved": ApiState(
        DEGRADED,
        "the API has moved to another port, where the container publishes nothing",
        f"Set it back in the gateway's window (Configure > Settings > API; {ports.USUAL}); if IBC's "
        f"OverrideTwsApiPort moved it, run {playbooks.SITE}.",
    ),
    "degraded": ApiState(
        DEGRADED,
        "the API answers, but something is not as it must be",
        f"{WAIT_FOR_FARM} If another session competes (10197): {END_OTHER_SESSION}",
    ),
    "wrong_account": ApiState(
        BLOCKED,
        "the gateway is signed in to an account that this gateway must not serve",
        "Correct the mode, the IBKR user or the list of allowed accounts, and sign in again.",
        final=True,
    ),
}

# States of an API that is signed in to the right account, with or without other trouble.
ANSWERS = ("ready", "degraded", "link_down", "port_moved")

# A lost link whose cause the log names.
SIGNED_IN_ELSEWHERE = ApiState(
    DEGRADED,
    "the gateway has lost its connection to IBKR, because the user has signed in elsewhere",
    "Sign the user out there, or give this gateway a user of its own.",
)

_REJECTIONS = {
    326: ApiState(
        DEGRADED,
        "the client id is in use by another connection",
        "Choose another client_id, or close the client that holds it (a crashed client's id is freed by a restart).",
    ),
    357: ApiState(
        BLOCKED,
        "the gateway calls this client's version out of date",
        "Use a gateway that accepts API version 157 to 178.",
        final=True,
    ),
    10141: ApiState(
        STARTING,
        "the paper trading disclaimer has not been accepted yet",
        "Wait some seconds: IBC accepts it (AcceptNonBrokerageAccountWarning=yes); else accept it in the window.",
    ),
}
REJECTING_CODES = frozenset(_REJECTIONS)


def describe(api_state: str) -> ApiState:
    """Return the row of *api_state*; ``rejected:<code>`` has one for every code. KeyError for an unknown state."""
    kind, _colon, code = api_state.partition(":")
    if kind != "rejected":
        return API_STATES[api_state]
    return _REJECTIONS.get(int(code)) or ApiState(
        DEGRADED,
        f"the gateway refused the session with error {code}",
        f"Look error {code} up in IBKR's table of message codes; the gateway's text is among the notices.",
    )
