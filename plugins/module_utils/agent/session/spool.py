# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts of other processes than the watcher, which alone sends: each is a file that it takes at its next look."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator

from .. import files, record_file
from .channel_kinds import SEVERITIES, Alert

# Files that wait; what comes beyond is dropped.
MOST = 50


def _place(directory: str) -> str:
    return os.path.join(directory, "spool")


def drop(directory: str, alert: Alert) -> None:
    """Leave *alert* for the watcher of the gateway whose state is in *directory*; a full disk loses it."""
    place = _place(directory)
    with contextlib.suppress(OSError):
        os.makedirs(place, mode=0o700, exist_ok=True)
        if len(os.listdir(place)) < MOST:
            path = os.path.join(place, f"{alert.at:.0f}-{os.urandom(4).hex()}.json")
            files.write_private(path, json.dumps(dataclasses.asdict(alert)))


def take(directory: str) -> Iterator[Alert]:
    """Take what waits, oldest first; what cannot be read is removed."""
    place = _place(directory)
    with contextlib.suppress(OSError):
        # A name with a dot is one that is being written.
        for name in sorted(each for each in os.listdir(place) if not each.startswith(".")):
            path = os.path.join(place, name)
            with contextlib.suppress(OSError, record_file.DamagedError):
                found = record_file.load(Alert, path)
                if found.severity in SEVERITIES:
                    yield found
            os.unlink(path)
