# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of how releases of ibg-controller differ, as far as their recordings in tests/transcripts/ibg show it.

STANDIN_IBG_RELEASE chooses one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from . import ibg_texts
from .faults import FAULTS

BOTH = ("missed_push", "push_denied", "port_closed", "existing_session", "second_factor_code", "login_window_hang")


class Release(NamedTuple):
    """A release; what is not here is the same in all of them."""

    version: str
    faults: tuple[str, ...]
    """The faults at a sign-in that are recorded with it."""
    names_itself: bool
    missed_button: str
    """The button that it tries in vain on paper, before the one that is there."""
    tells_of_relay: bool
    """Whether its health page has the relay's port."""
    configured: str
    reads_back: bool
    """Whether it reads a time back that it has written."""
    login_unfinished: str
    diagnosis: tuple[str, ...]
    relaunches: tuple[int, ...]
    """Seconds before each relaunch that follows a first sign-in which failed."""
    waits_for_person: bool
    """Whether a second factor that only a person can give is waited for."""
    adopts: bool
    """Whether it expects a program that ends with 0 to come back by itself."""


RELEASES = {
    each.version: each
    for each in (
        Release(
            version="0.12.0", faults=(*BOTH, "wrong_password", "expired_token", "passkey"), names_itself=True,
            missed_button="", tells_of_relay=True, configured="Post-login config committed; dialog closed",
            reads_back=True, login_unfinished=ibg_texts.LOGIN_UNFINISHED, diagnosis=ibg_texts.DIAGNOSIS,
            relaunches=(60, 120, 240), waits_for_person=True, adopts=True,
        ),
        Release(
            version="0.7.0", faults=BOTH, names_itself=False, missed_button="Log In", tells_of_relay=False,
            configured="Post-login config applied and dialog closed", reads_back=False,
            login_unfinished=ibg_texts.LOGIN_UNFINISHED_070, diagnosis=ibg_texts.DIAGNOSIS_070, relaunches=(),
            waits_for_person=False, adopts=False,
        ),
    )
}  # fmt: skip


def chosen(environment: Mapping[str, str]) -> Release:
    """The release to play, the first one of the table unless told otherwise; ValueError for one without recordings."""
    version = environment.get("STANDIN_IBG_RELEASE") or next(iter(RELEASES))
    if version not in RELEASES:
        raise ValueError(f"STANDIN_IBG_RELEASE={version!r} is not recorded; there are {', '.join(RELEASES)}")
    return RELEASES[version]


def refuse_unknown(release: Release, names: list[str]) -> None:
    """ValueError for a fault at the sign-in that was not recorded with this release."""
    unknown = [name for name in names if FAULTS[name].layer == "login" and name not in release.faults]
    if unknown:
        known = ", ".join(release.faults)
        raise ValueError(f"{unknown[0]} is not recorded with ibg-controller {release.version}; there are {known}")
