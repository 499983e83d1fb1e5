# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clocks of IBC and the gateway: when the next restart or shutdown comes, and how long a token lives."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

IBKR_ZONE = ZoneInfo("America/New_York")
SUNDAY = 6
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def local_zone() -> tzinfo:
    """The zone of the process: TZ, else the system's."""
    name = os.environ.get("TZ", "")
    if name:
        return ZoneInfo(name)
    return datetime.now().astimezone().tzinfo or UTC


def zone(name: str) -> tzinfo:
    """The gateway's zone: that of jts.ini, else that of the process."""
    return ZoneInfo(name) if name else local_zone()


def clock_of(text: str) -> tuple[int, int]:
    """Read ``11:45 PM`` or ``23:45`` as hour and minute."""
    clock, _, half = text.partition(" ")
    hour, minute = (int(part) for part in clock.split(":"))
    if half:
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    return hour, minute


def next_time(text: str, where: tzinfo, now: datetime, weekday: int | None = None) -> datetime:
    """Return the next moment at which a clock in that zone shows the time, on that weekday (Monday is 0)."""
    hour, minute = clock_of(text)
    local = now.astimezone(where)
    moment = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    while moment <= local or (weekday is not None and moment.weekday() != weekday):
        moment = (moment.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=where)
    return moment


def closedown(text: str, where: tzinfo, now: datetime) -> datetime:
    """Return the next moment of ClosedownAt, ``[Day ]HH:mm``."""
    day, _, clock = text.rpartition(" ")
    return next_time(clock, where, now, _DAYS.index(day.lower()[:3]) if day else None)


Event = tuple[datetime, str]
"""When a session ends, and how."""


def ibcs_end(text: Callable[[str], str], where: tzinfo, now: datetime) -> Event | None:
    """Return when IBC ends the session by config.ini, whose values *text* gives: ``COLD`` or ``CLOSEDOWN``, whichever
    comes first, by the zone of the process. ValueError names a value that it cannot read, as IbcTws.java does."""
    events: list[Event] = []
    down, cold = text("ClosedownAt"), text("ColdRestartTime")
    try:
        events += [(closedown(down, where, now), "CLOSEDOWN")] if down else []
    except ValueError as error:
        form = "<[day ]hh:mm>   eg 22:00 or Friday 22:00"
        raise ValueError(f"Invalid ClosedownAt setting: '{down}'; format should be: {form}") from error
    try:
        events += [(next_time(cold, where, now, SUNDAY), "COLD")] if cold else []
    except ValueError as error:
        raise ValueError(f"Invalid ColdRestartTime setting: '{cold}'; format should be: <hh:mm>   eg 13:00") from error
    return min(events, default=None)


def next_minute(where: tzinfo, now: datetime) -> str:
    """Return the next full minute as ``hh:mm AM``: what RESTART and PAUSE ask for."""
    moment = now.astimezone(where).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return moment.strftime("%I:%M %p")


def token_valid(issued: float, now: float) -> bool:
    """Whether an autorestart token of that time still works: all die at Sunday 01:00 New York."""
    death = next_time("01:00", IBKR_ZONE, datetime.fromtimestamp(issued, UTC), SUNDAY)
    return now < death.timestamp()
