# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IB Gateway's own logs in its settings directory, kept bounded by age and size, never while they are written.

The gateway writes up to a gigabyte a day there and never removes any. A log's name has its day; its settings, which may
end in ``.ibgzenc`` as well, have none and are left alone.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import typing as t

from . import settings_dir
from .settings_dir import SettingsDirectory

DAY, MIB = 86400.0, 1 << 20
# Of the program, and of the messages of each API client: ibgateway.20200418.001226.aaa.ibenc, api.7.Mon.log.
_NAME = re.compile(
    r"(ibgateway|tws|api\.\d{1,10})\.(\d{8}|Mon|Tue|Wed|Thu|Fri|Sat|Sun)(\.\w{1,20}){0,3}\.(log|ibenc|ibgzenc)",
    re.ASCII,
)
_BLOCK = 512
# A settings directory has one directory for each user that has signed in.
_MAX_USERS = 20


class Log(t.NamedTuple):
    written_at: float
    directory: str
    name: str
    size: int


class Kept(t.NamedTuple):
    """The logs after a round: their bytes on the disk, and how many bytes and files were removed."""

    size: int
    removed: int
    files: int


def bound(path: str, days: int, mib: int, now: float) -> Kept:
    """Remove logs older than *days*, and the oldest of what exceeds *mib*. Raises UntrustedError or another OSError."""
    try:
        with settings_dir.opened(path) as directory:
            found = sorted(each for place in _places(directory) for each in _logs(place))
            doomed = _doomed(found, now - days * DAY, mib * MIB)
            gone = [
                log
                for place in _places(directory)
                for log in doomed
                if log.directory == place.path and place.remove_unwritten(log.name)
            ]
    except FileNotFoundError:
        return Kept(0, 0, 0)
    removed = sum(log.size for log in gone)
    return Kept(sum(log.size for log in found) - removed, removed, len(gone))


def _places(directory: SettingsDirectory) -> t.Iterator[SettingsDirectory]:
    """The directory itself and those of the users in it."""
    yield directory
    yield from itertools.islice(directory.directories(), _MAX_USERS)


def _logs(place: SettingsDirectory) -> t.Iterator[Log]:
    for name in filter(_NAME.fullmatch, place.names()):
        try:
            status = os.stat(name, dir_fd=place.handle, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield Log(status.st_mtime, place.path, name, status.st_blocks * _BLOCK)


def _doomed(found: list[Log], oldest: float, most: int) -> list[Log]:
    """The logs that are too old, and of the others the oldest, until the rest is small enough; *found* is by age."""
    left, doomed = sum(log.size for log in found), []
    for log in found:
        if log.written_at >= oldest and left <= most:
            break
        doomed.append(log)
        left -= log.size
    return doomed
