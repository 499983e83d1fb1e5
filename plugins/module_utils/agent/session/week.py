# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IBKR's week of a live gateway: when sign-ins die, when the next one is due, and when the servers are reset.

Arguments are aware datetimes of any zone; results are aware, in New York time unless stated otherwise.
IBKR's week begins on Sunday 01:00 New York, when it voids the tokens of every sign-in, however recent
(https://ibkrguides.com/traderworkstation/auto-restart-considerations.htm). On the Sunday in autumn on which New York's
clock shows 01:00 to 02:00 twice, IBKR does not say which 01:00 it means: tokens count as dead from the first on, and
sign-ins as worth a push from the second on.
"""

from __future__ import annotations

import collections.abc as c
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TOKEN_DEATH = time(1)
# A quarter of an hour later, so that neither a slightly wrong clock nor a late sweep by IBKR voids a new token.
SIGN_IN_OPENS = time(1, 15, fold=1)
# On Saturday. After the last daily restart of the week and well before the first one that would find its token dead.
CLOSE = time(23, 30)
# On Sunday. Before the first market of the week opens: currencies trade from 17:15 New York, CME Globex from 18:00.
SIGN_IN_DEADLINE = "17:00"

# As shown in messages.
VOIDED = f"Sunday {TOKEN_DEATH:%H:%M}"
OPENED = f"Sunday {SIGN_IN_OPENS:%H:%M}"

# Before the token death, which is Saturday 18:00 in every week: clocks change after it.
HEADS_UP = timedelta(hours=7)

CLOSING, VALID, SIGN_IN_DUE, OVERDUE = "closing", "valid", "sign_in_due", "overdue"


def last_token_death(at: datetime) -> datetime:
    """Return the latest Sunday 01:00 New York at or before *at*: the beginning of its week."""
    today = at.astimezone(NEW_YORK).date()
    death = datetime.combine(today - timedelta(days=today.isoweekday() % 7), TOKEN_DEATH, NEW_YORK)
    # On a Sunday before 01:00, the ending week. Compared in UTC: within one zone, Python compares wall clocks.
    return death if death <= at.astimezone(UTC) else death - timedelta(weeks=1)


def token_death(after: datetime) -> datetime:
    """Return the first Sunday 01:00 New York later than *after*."""
    return last_token_death(after) + timedelta(weeks=1)


def valid_until(signed_in_at: datetime) -> datetime:
    """Return the latest end of a sign-in of that moment: IBKR may revoke it earlier."""
    return token_death(signed_in_at)


def sign_in_opens(at: datetime) -> datetime:
    """Return the moment from which a sign-in lasts to the end of *at*'s week: Sunday 01:15 New York."""
    return datetime.combine(last_token_death(at), SIGN_IN_OPENS, NEW_YORK)


def sign_in_deadline(at: datetime, deadline: str = SIGN_IN_DEADLINE) -> datetime:
    """Return *deadline* (HH:MM, New York) on the Sunday that begins *at*'s week; raises ValueError for another form."""
    return datetime.combine(last_token_death(at), time.fromisoformat(deadline), NEW_YORK)


def next_close(after: datetime) -> datetime:
    """Return the first Saturday 23:30 New York later than *after*: a live gateway is closed then."""
    close = datetime.combine(token_death(after) - timedelta(days=1), CLOSE, NEW_YORK)
    return close if close > after.astimezone(UTC) else close + timedelta(weeks=1)


def closing(at: datetime) -> bool:
    """Say whether *at* is from Saturday 23:30 to Sunday 01:15: live is closed, and no sign-in is worth its push."""
    return next_close(at) > token_death(at) or at.astimezone(UTC) < sign_in_opens(at)


def phase(at: datetime, signed_in_at: datetime | None, deadline: str = SIGN_IN_DEADLINE) -> str:
    """Return ``closing``, ``valid`` (signed in, this week), ``sign_in_due`` or, past the deadline, ``overdue``."""
    if closing(at):
        return CLOSING
    if signed_in_at is not None and at.astimezone(UTC) < valid_until(signed_in_at):
        return VALID
    return SIGN_IN_DUE if at.astimezone(UTC) < sign_in_deadline(at, deadline) else OVERDUE


def reminders(at: datetime, deadline: str = SIGN_IN_DEADLINE) -> dict[str, datetime]:
    """Return the reminders of one sign-in by their keys, the Sunday's date and a name: ``2026-11-29/noon``.

    ``heads_up`` on Saturday 18:00 (nobody can sign in yet), ``noon`` on Sunday 12:00, ``last_hour`` one hour before
    the *deadline*. From Saturday 18:00 on, they are those of the Sunday to come.
    """
    death = last_token_death(at.astimezone(UTC) + HEADS_UP)
    sunday = death.date()
    moments = {
        "heads_up": death - HEADS_UP,
        "noon": datetime.combine(sunday, time(12), NEW_YORK),
        "last_hour": datetime.combine(sunday, time.fromisoformat(deadline), NEW_YORK) - timedelta(hours=1),
    }
    return {f"{sunday}/{name}": moment for name, moment in moments.items()}


def reminder_due(
    at: datetime, signed_in_at: datetime | None, deadline: str = SIGN_IN_DEADLINE, told: c.Container[str] = ()
) -> str | None:
    """Return the key of the reminder to send now: the newest one, unless it is among those *told* or no longer needed.

    It is needed until somebody has signed in for its Sunday, and until the next Saturday 18:00; missed earlier ones are
    not sent.
    """
    at = at.astimezone(UTC)
    if signed_in_at is not None and at + HEADS_UP < valid_until(signed_in_at):
        return None
    past = [(moment, key) for key, moment in reminders(at, deadline).items() if moment <= at]
    _moment, newest = max(past)
    return None if newest in told else newest


@dataclass(frozen=True)
class Window:
    """A reset of IBKR's servers: begins on each of *days* at *start*, ends at *end*, of that day or of the next."""

    days: tuple[str, ...]
    start: time
    end: time
    zone: ZoneInfo


_SUNDAY_TO_FRIDAY = tuple(day for day in DAYS if day != "sat")
_HONG_KONG = ZoneInfo("Asia/Hong_Kong")
_WEEKEND = Window(("fri",), time(23), time(3), NEW_YORK)
# By the region of an account's servers (Client Portal, or Region in jts.ini), as IBKR publishes them in two tables,
# daily and weekend (https://www.interactivebrokers.com/en/software/systemStatus.php, read 2026-11). A daily reset may
# interrupt a session for seconds to minutes; the weekend's takes everything down.
RESETS: dict[str, tuple[Window, ...]] = {
    "north_america": (
        Window(_SUNDAY_TO_FRIDAY, time(0, 15), time(1, 45), NEW_YORK),
        # No longer in the tables, which had 23:45 to 00:45 in 2024; users of ibg-controller see sign-ins vanish in it.
        Window(DAYS, time(23, 30), time(0, 30), NEW_YORK),
        _WEEKEND,
    ),
    # The table says CET all year. We read it as Central Europe's wall clock, here Zurich's.
    "europe": (Window(_SUNDAY_TO_FRIDAY, time(6, 25), time(7, 45), ZoneInfo("Europe/Zurich")), _WEEKEND),
    "asia_pacific": (
        Window(_SUNDAY_TO_FRIDAY, time(4, 45), time(6, 5), _HONG_KONG),
        Window(_SUNDAY_TO_FRIDAY, time(20, 15), time(21, 15), _HONG_KONG),
        _WEEKEND,
    ),
}


def reset_ends(at: datetime, region: str) -> datetime | None:
    """Return when the servers are back, in the reset's own zone; None outside a reset.

    Overlapping resets count as one. KeyError for an unknown *region*.
    """
    end = max(_ends(at, region), default=None)
    return end and (reset_ends(end, region) or end)


def _ends(at: datetime, region: str) -> c.Iterator[datetime]:
    """Yield the end of each reset that *at* lies in."""
    at = at.astimezone(UTC)
    for window in RESETS[region]:
        today = at.astimezone(window.zone).date()
        for date in (today - timedelta(days=1), today):
            start = datetime.combine(date, window.start, window.zone)
            ends_on = date if window.end > window.start else date + timedelta(days=1)
            end = datetime.combine(ends_on, window.end, window.zone)
            if DAYS[date.weekday()] in window.days and start <= at < end:
                yield end
