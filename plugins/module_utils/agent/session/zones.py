# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time zones, by this machine's data.

Machines differ: Debian 13 and Ubuntu 24.04 (the image's base) ship names from before 1993 and other spellings
(``US/Eastern``, ``Asia/Calcutta``, ``Japan``) in a package of their own, tzdata-legacy. ``zone.tab`` lists the current
names, ``tzdata.zi`` the links from old ones, both also where the old ones are not installed (tzfile(5), zic(8)).
"""

from __future__ import annotations

import collections.abc as c
import os
import zoneinfo

from ..problem import Problem, table

# The calendar's own zones (week.py): without them nothing on this machine can tell the time in New York.
NEEDED = ("America/New_York", "Europe/Zurich", "Asia/Hong_Kong")
# Not in zone.tab, since they belong to no place. A libc without data for them assumes UTC, which they are.
_PLACELESS = ("UTC", "GMT")
_problem = table(
    {
        "zone-data-missing": ("this machine has no data for {zones}", "install its package tzdata"),
        "zone-old-name": ("an old name of {current}, and the image may have current names only", "write {current}"),
        "zone-old-name-here": (
            "an old name of {current}, and this machine has no data for it (no tzdata-legacy)",
            "write {current}",
        ),
        "zone-not-current": ("not a current time zone name, and the image may lack it", "name a city's zone"),
        "zone-unknown": ("this machine has no such time zone", "write a name such as America/New_York"),
    }
)


def readable(zone: object) -> bool:
    """Whether this machine has the rules of *zone*."""
    try:
        return isinstance(zone, str) and bool(zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False


def problems(zones: c.Mapping[str, object], elsewhere: c.Container[str] = ()) -> list[Problem]:
    """Return a problem for each of *zones* (by variable) that this machine cannot read.

    Variables in *elsewhere* are also read by another machine, which may know only current names: old names are refused
    for them even if this machine knows them.
    """
    if missing := [zone for zone in NEEDED if not readable(zone)]:
        return [_problem("zone-data-missing", "time zones", zones=", ".join(missing))]
    return [
        fault
        for variable, zone in zones.items()
        if (fault := _fault(variable, str(zone), readable(zone), variable in elsewhere))
    ]


def _fault(variable: str, zone: str, known: bool, strict: bool) -> Problem | None:
    if known and not (strict and _outdated(zone)):
        return None
    if current := _links().get(zone):
        return _problem("zone-old-name" if known else "zone-old-name-here", variable, zone, current=current)
    return _problem("zone-not-current" if known else "zone-unknown", variable, zone)


def _outdated(zone: str) -> bool:
    """Whether *zone* is not among the current names; False where this machine has no list of them."""
    current = {line.split("\t")[2].strip() for line in _lines("zone.tab") if line.count("\t") > 1}
    return bool(current) and zone not in current and zone not in _PLACELESS and not zone.startswith("Etc/")


def _links() -> dict[str, str]:
    """Old names and their targets."""
    return {words[2]: words[1] for line in _lines("tzdata.zi") if len(words := line.split()) == 3 and words[0] == "L"}


def _lines(name: str) -> list[str]:
    """The lines of a file of the zone database without its comments; [] where there is no such file."""
    for directory in zoneinfo.TZPATH:
        try:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                return [line for line in file if not line.startswith("#")]
        except OSError:
            continue
    return []
