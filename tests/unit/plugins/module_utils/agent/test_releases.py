# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases that IBKR accepts, and until when: the table, and IBKR's own announcements in any wording."""

from __future__ import annotations

import itertools
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ibops.gateway.plugins.module_utils.agent import playbooks, releases
from ansible_collections.ibops.gateway.plugins.module_utils.agent.releases import Notice, Release, outlook, parse

NOTICE = (
    "The version of the application you are running, 1045.1, needs to be upgraded, as it will be desupported on "
    "20261215. The minimum supported version at that time will be 1050.1."
)
UNTIL = "is accepted by IBKR until 2026-12-15; the minimum then is 10.50.1"
R45, R50, DAY = Release(10, 45, 1), Release(10, 50, 1), date(2026, 12, 15)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("10.45.1j", Release(10, 45, 1, "j")),
        ("10.50.1", R50),
        ("1045.1", R45),
        ("1012.2c", Release(10, 12, 2, "c")),
        ("981.3g", Release(9, 81, 3, "g")),
        ("9.72.1", Release(9, 72, 1)),
        *(
            (text, None)
            for text in ("", "10.45", "latest", "10.45.1j ", "10.45.1.2", "20261215", "v10.45.1", "1\u0664.45.1")
        ),
    ],
)
def test_a_release_is_read(text: str, release: Release | None) -> None:
    assert parse(text) == release
    assert release is None or parse(str(release)) == release


def test_releases_have_an_order() -> None:
    names = ["9.81.3g", "10.19.1", "10.19.2", "10.45.1", "10.45.1i", "10.45.1j", "10.50.1", "10.50.1d", "10.50.2"]
    found = [parse(name) for name in names]
    assert found == sorted(each for each in found if each)


def test_the_tables_are_in_order_and_name_their_sources() -> None:
    assert [row.day for row in releases.CUTOFFS] == sorted(row.day for row in releases.CUTOFFS)
    minimums = [row.minimum for row in releases.CUTOFFS if row.minimum]
    assert minimums == sorted(minimums)
    assert all(row.source for row in releases.CUTOFFS)
    held = [
        (row.repository, row.release._replace(patch=patch)) for row in releases.IMAGES for patch in row.patches.split()
    ]
    assert len(held) == len(set(held))
    assert all(row.holds(row.release._replace(patch=row.patches[0])) for row in releases.IMAGES)
    assert not any(row.holds(Release(10, 45, 2, "j")) or row.holds(row.release) for row in releases.IMAGES)


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        (NOTICE, Notice(R45, R50, DAY)),
        (NOTICE.lower().replace(" needs", "\n needs"), Notice(R45, R50, DAY)),
        (
            "Minimum version 10.50.1 is required from 2026-12-15; you run 10.45.1j.",
            Notice(Release(10, 45, 1, "j"), R50, DAY),
        ),
        ("1045.1, needs to be upgraded, as it will be desupported on 20261215", Notice(R45, None, DAY)),
        ("The minimum supported version will be 1050.1", Notice(None, R50, None)),
        ("desupported on 20261315", Notice(None, None, None)),
        ("desupported on 20261215, or on 20270115", Notice(None, None, None)),
        ("1019.1, 1045.1 and 1050.1", Notice(None, None, None)),
        ("Please upgrade.", Notice(None, None, None)),
        ("", Notice(None, None, None)),
        ("x" * releases.TEXT_LIMIT + NOTICE, Notice(None, None, None)),
    ],
)
def test_an_announcement_is_understood_in_any_wording(text: str, notice: Notice) -> None:
    assert releases.understand(text) == notice


@pytest.mark.parametrize(
    ("release", "announced", "now", "severity", "until", "text"),
    [
        ("10.45.1j", NOTICE, "2026-12-01 12:00", "warning", "2026-12-15", f"release 10.45.1j {UNTIL}"),
        ("10.45.1j", None, "2026-12-01 12:00", "warning", "2026-12-15", f"release 10.45.1j {UNTIL}"),
        (None, NOTICE, "2026-12-01 12:00", "warning", "2026-12-15", f"release 10.45.1 {UNTIL}"),
        ("10.45.1j", NOTICE, "2026-12-07 23:59", "warning", "2026-12-15", "until 2026-12-15"),
        ("10.45.1j", NOTICE, "2026-12-08 00:00", "critical", "2026-12-15", "until 2026-12-15"),
        ("10.45.1j", NOTICE, "2026-12-14 23:59", "critical", "2026-12-15", "until 2026-12-15"),
        (
            "10.45.1j",
            None,
            "2026-12-15 00:00",
            "critical",
            "2026-12-15",
            "has not been accepted by IBKR since 2026-12-15; the minimum is 10.50.1",
        ),
        ("10.19.1", None, "2026-12-01 00:00", "critical", "2023-07-18", "since 2023-07-18; the minimum is 10.19.2"),
        ("10.45.1j", NOTICE.replace("1215", "1222"), "2026-12-16 00:00", "critical", "2026-12-22", "until 2026-12-22"),
        (
            "10.50.1d",
            "Please upgrade\x1b[2J soon",
            "2026-12-01 00:00",
            "warning",
            None,
            "IBKR asks for a newer release: Please upgrade\\x1b[2J soon",
        ),
        (
            None,
            "desupported on 20271220",
            "2026-12-01 00:00",
            "warning",
            "2027-12-20",
            "its release is accepted by IBKR until 2027-12-20",
        ),
        ("10.50.1d", None, "2027-12-01 00:00", "ok", None, "release 10.50.1d is accepted by IBKR, and no end is known"),
        ("garbage", None, "2026-12-01 00:00", "ok", None, "its release is not known"),
        (None, None, "2026-12-01 00:00", "ok", None, "its release is not known"),
    ],
)
def test_the_outlook(
    release: str | None, announced: str | None, now: str, severity: str, until: str | None, text: str
) -> None:
    found = outlook(release, announced, at(now))
    assert (found.severity, found.accepted_until) == (severity, until)
    assert text in found.text
    assert bool(found.next_step) is (severity != "ok")
    assert (found.days_left is None) is (until is None)


def test_an_outlook_says_what_to_move_to() -> None:
    assert outlook("10.45.1j", None, 0.0).next_step == (
        f"Set gateway_image to a digest of release 10.50.1 or later, then run {playbooks.UPGRADE}."
    )


@given(st.text(max_size=600), st.one_of(st.none(), st.text(max_size=50)))
def test_no_text_of_a_container_breaks_it(text: str, release: str | None) -> None:
    found = outlook(release, text, 0.0)
    assert found.text.isprintable()
    assert len(found.text) <= releases.TEXT_LIMIT + 100


def test_every_day_of_the_last_century_is_a_day() -> None:
    for year, month in itertools.product((2000, 2099), (1, 12)):
        assert releases.understand(f"{year}{month:02d}28").day == date(year, month, 28)
        assert releases.days_until(date(year, month, 28), 0.0) > 0
