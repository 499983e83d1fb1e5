# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of IB Gateway: which ones IBKR accepts, until when, and the known images that contain them.

A new cut-off or image is one more row. IBKR announces a cut-off weeks before, by API notice 2172 and by a
dialog at the sign-in, for example: "The version of the application you are running, 1045.1, needs to be upgraded, as it
will be desupported on 20261215. The minimum supported version at that time will be 1050.1." From that day on a sign-in
ends in a dialog that says "no longer supported" (finding ``release_refused``).
"""

from __future__ import annotations

import collections.abc as c
import re
import typing as t
from datetime import date, datetime
from zoneinfo import ZoneInfo

from . import playbooks
from .text import printable

IBC, IBG_CONTROLLER = "ibc", "ibg-controller"
OK, WARNING, CRITICAL = "ok", "warning", "critical"
# The id of the refusal of a release that IBKR no longer accepts; gateway_image_accept takes it.
NOT_ACCEPTED = "release_not_accepted"
CRITICAL_DAYS = 7.0
DAY = 86400.0
# This many characters of IBKR's text are shown; the announcement has 176.
TEXT_LIMIT = 400
# "10.45.1j" in files and tags, "1045.1" in the API: major, minor, build, patch.
_RELEASE = re.compile(r"(?<![\w.])(\d{1,2})\.?(\d\d)\.(\d{1,3})([a-z]{0,2})(?!\w|\.\w)", re.ASCII)
_DATE = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)", re.ASCII)
# IBKR gives a day without a zone; its week is New York's.
_ZONE = ZoneInfo("America/New_York")


class Release(t.NamedTuple):
    """A release, such as 10.45.1j; releases are ordered."""

    major: int
    minor: int
    build: int
    patch: str = ""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor:02d}.{self.build}{self.patch}"


class Cutoff(t.NamedTuple):
    """From *day* on, IBKR accepts no gateway older than *minimum* (None: the source does not say)."""

    day: date
    minimum: Release | None
    source: str


CUTOFFS = (
    Cutoff(date(2021, 12, 29), None, "mvberg/ib-gateway-docker#28; waytrade/ib-gateway-docker#9"),
    Cutoff(date(2023, 7, 18), Release(10, 19, 2), "PlusGenie/ib-gateway-docker#5 quotes notice 2172"),
    Cutoff(date(2025, 3, 20), Release(10, 30, 1), "QuantConnect/Lean.Brokerages.InteractiveBrokers#143 quotes it"),
    Cutoff(date(2026, 12, 15), Release(10, 50, 1), "notice 2172 of 10.37.1 and 10.45.1, September to November 2026"),
)


class KnownImage(t.NamedTuple):
    """An image with known content: the *patches* of a release that were seen in it.

    *digest*: the kind of its published digest, an ``index`` (linux/amd64 and linux/arm64). All have the layout that
    deploy/image.py expects for their *program*; *differs* describes deviations in a clause.
    """

    repository: str
    release: Release
    patches: str
    controller: str
    controller_version: str
    digest: str
    differs: str = ""
    program: str = "gateway"

    def holds(self, release: Release) -> bool:
        return self.release == release._replace(patch="") and release.patch in self.patches.split()


_GNZSNZ, _DESKTOP = "ghcr.io/gnzsnz/ib-gateway", "ghcr.io/gnzsnz/tws-rdesktop"
# Sources: the tags of gnzsnz/ib-gateway-docker and the IBC that each was built with; ibg-controller's Dockerfile.
IMAGES = (
    KnownImage(_GNZSNZ, Release(10, 37, 1), "m n o p q r", IBC, "3.23.0", "index", "no PAUSE"),
    KnownImage(_GNZSNZ, Release(10, 45, 1), "d", IBC, "3.23.0", "index", "no PAUSE"),
    KnownImage(_GNZSNZ, Release(10, 45, 1), "h", IBC, "3.24.0", "index"),
    KnownImage(_GNZSNZ, Release(10, 45, 1), "i j", IBC, "3.24.1", "index", "10.45.1i was rebuilt under its tag"),
    KnownImage(_GNZSNZ, Release(10, 47, 1), "e", IBC, "3.23.0", "index", "no PAUSE"),
    KnownImage(_GNZSNZ, Release(10, 48, 1), "b c d", IBC, "3.24.0", "index", "10.48.1c was rebuilt under its tag"),
    KnownImage(_GNZSNZ, Release(10, 50, 1), "d", IBC, "3.24.1", "index"),
    KnownImage(_DESKTOP, Release(10, 45, 1), "j", IBC, "3.24.1", "index", program="tws"),
    KnownImage(_DESKTOP, Release(10, 50, 1), "d", IBC, "3.24.1", "index", program="tws"),
    KnownImage(
        "ghcr.io/code-hustler-ft3d/ibg-controller",
        Release(10, 45, 1),
        "j",
        IBG_CONTROLLER,
        "0.12.1",
        "index",
        "a HEALTHCHECK; IBC is in it as well, and USE_IBG_CONTROLLER=yes chooses",
    ),
)


def refusal(release: str, now: float) -> str | None:
    """Return why a gateway of *release* is not started: by the table, its last day has passed. *now* is in epoch
    seconds."""
    ends = outlook(release, None, now)
    return ends.text if ends.days_left is not None and ends.days_left <= 0 else None


def parse(text: str) -> Release | None:
    """Parse a release, ``10.45.1j`` or ``1045.1``; None for anything else."""
    found = _RELEASE.fullmatch(text)
    return _release(found) if found else None


def _release(found: re.Match[str]) -> Release:
    return Release(int(found[1]), int(found[2]), int(found[3]), found[4])


class Notice(t.NamedTuple):
    """IBKR's announcement of a cut-off, as far as its text is understood."""

    version: Release | None
    minimum: Release | None
    day: date | None


def understand(text: str) -> Notice:
    """Parse IBKR's announcement, tolerant of its wording: the one date is the day, the older of two releases is the
    running one, the newer one the minimum. Anything missing or contradictory is None."""
    text = text[:TEXT_LIMIT].lower()
    places = {_release(found): found.start() for found in reversed([*_RELEASE.finditer(text)])}
    days = set(_days(text))
    version = minimum = None
    if len(places) == 2:
        version, minimum = sorted(places)
    elif len(places) == 1:
        [(release, place)] = places.items()
        version, minimum = (None, release) if "minimum" in text[:place] else (release, None)
    return Notice(version, minimum, days.pop() if len(days) == 1 else None)


def _days(text: str) -> c.Iterator[date]:
    for found in _DATE.finditer(text):
        try:
            yield date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            continue


def cutoff(release: Release) -> Cutoff | None:
    """Return the first cut-off in the table that excludes *release*; None where none does."""
    return next((each for each in CUTOFFS if each.minimum and release < each.minimum), None)


def days_until(day: date, now: float) -> float:
    """Return the days from *now* (epoch seconds) to the beginning of *day* in New York, negative once it has begun."""
    return (datetime(day.year, day.month, day.day, tzinfo=_ZONE).timestamp() - now) / DAY


class Outlook(t.NamedTuple):
    """Until when IBKR accepts a release, with *severity* (ok, warning, critical) and a sentence for a person.

    *accepted_until* is the ISO date of the first day on which IBKR rejects it; *days_left* until then. None: not known.
    """

    release: str | None
    accepted_until: str | None
    days_left: float | None
    minimum: str | None
    severity: str
    text: str
    next_step: str


def outlook(release: str | None, announced: str | None, now: float) -> Outlook:
    """Combine the *release* in a gateway's log with the text that IBKR has *announced* to it (None: none).

    IBKR's announcement takes precedence over the table. One that cannot be parsed is a warning with its text.
    """
    said = understand(announced) if announced else Notice(None, None, None)
    known = parse(release) if release else None
    known = known or said.version
    row = cutoff(known) if known else None
    day = said.day or (row.day if row else None)
    minimum = said.minimum or (row.minimum if row else None)
    name = f"release {known}" if known else "its release"
    left = days_until(day, now) if day else None
    newer = f"of release {minimum} or later" if minimum else "of a newer release"
    step = f"Set gateway_image to a digest {newer}, then run {playbooks.UPGRADE}."
    if left is None and announced is None:
        text = f"{name} is accepted by IBKR, and no end is known" if known else "its release is not known"
        severity, step = OK, ""
    elif left is None:
        severity, text = WARNING, f"IBKR asks for a newer release: {printable(announced or '', TEXT_LIMIT)}"
    elif left <= 0:
        severity, text = CRITICAL, f"{name} has not been accepted by IBKR since {day}"
    else:
        severity = CRITICAL if left <= CRITICAL_DAYS else WARNING
        text = f"{name} is accepted by IBKR until {day}"
    if left is not None and minimum:
        text += f"; the minimum is {minimum}" if left <= 0 else f"; the minimum then is {minimum}"
    return Outlook(
        str(known) if known else None,
        day.isoformat() if day else None,
        round(left, 6) if left is not None else None,
        str(minimum) if minimum else None,
        severity,
        text,
        step,
    )
