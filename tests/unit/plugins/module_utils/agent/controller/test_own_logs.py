# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.session_log import TUESDAY

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import own_logs, settings_dir
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.own_logs import DAY, MIB, bound
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.watcher import LOGS_SECONDS, Watcher

# The names are those of public reports; the user's directory has an encoded name.
USER = "nfjkdkdl"
LOGS = (
    "ibgateway.20261101.001226.aaa.ibenc",
    "ibgateway.20261102.155441.ibgzenc",
    f"{USER}/api.7.20261103.101500.ibgzenc",
    f"{USER}/api.917.Mon.log",
    f"{USER}/tws.20261104.075736.ibgzenc",
)
OTHERS = (
    "jts.ini",
    "launcher.log",
    f"{USER}/autorestart",
    f"{USER}/HotKeysSettings.json.ibgzenc",
    f"{USER}/ibgateway.ibgzenc",
    f"{USER}/api.log",
    f"{USER}/tws.xml",
    f"{USER}/ibgateway.20261101.xml",
    f"{USER}/below/ibgateway.20261101.001226.aaa.ibenc",
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A settings directory; of its logs, each of a MiB, the last is today's, and each before a day older."""
    made = tmp_path / "tws_settings"
    (made / USER / "below").mkdir(parents=True)
    for age, name in enumerate(reversed(LOGS)):
        written(made / name, age)
    for name in OTHERS:
        written(made / name, 300)
    return made


def written(path: Path, age: int) -> None:
    path.write_bytes(b"x" * MIB)
    at = TUESDAY - age * DAY
    os.utime(path, (at, at))


def kept(place: Path) -> tuple[str, ...]:
    return tuple(name for name in LOGS if (place / name).exists())


@pytest.mark.parametrize(
    ("days", "mib", "left"),
    [(365, 100, 5), (1, 100, 2), (2, 100, 3), (365, 3, 3), (1, 1, 1), (365, 0, 0)],
)
def test_the_oldest_go_by_age_and_by_size(place: Path, days: int, mib: int, left: int) -> None:
    found = bound(str(place), days, mib, TUESDAY)
    assert kept(place) == LOGS[len(LOGS) - left :]
    assert (found.size, found.removed, found.files) == (left * MIB, (5 - left) * MIB, 5 - left)
    assert all((place / name).exists() for name in OTHERS)
    assert bound(str(place), days, mib, TUESDAY) == (left * MIB, 0, 0)


def test_one_that_is_written_stays(place: Path) -> None:
    with (place / LOGS[0]).open("ab"):
        assert bound(str(place), 1, 0, TUESDAY).files == 4
        assert kept(place) == LOGS[:1]
    assert bound(str(place), 1, 0, TUESDAY).files == 1


def test_one_of_which_that_cannot_be_told_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(handle: int, command: int, argument: int) -> int:
        if command == fcntl.F_SETLEASE:
            raise OSError(errno.EINVAL, "Invalid argument")
        return 0

    monkeypatch.setattr(settings_dir.fcntl, "fcntl", without)
    assert bound(str(place), 1, 0, TUESDAY) == (5 * MIB, 0, 0)


def test_whoever_opens_it_meanwhile_ends_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that is broken sends a signal, which by default would end the watcher."""
    remove = os.unlink

    def slow(name: str, **where: Any) -> None:
        threading.Thread(target=lambda: (place / LOGS[0]).open("ab").close(), daemon=True).start()
        time.sleep(0.2)
        remove(name, **where)

    monkeypatch.setattr(os, "unlink", slow)
    assert bound(str(place), 4, 100, TUESDAY + 1).files == 1


def test_nothing_is_followed(place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    written(outside / LOGS[0], 300)
    for number, make in enumerate((Path.symlink_to, Path.hardlink_to)):
        make(place / f"ibgateway.2026100{number}.000000.ibenc", outside / LOGS[0])
    os.mkfifo(place / "ibgateway.20261003.000000.ibenc")
    (place / "ibgateway.20261004.000000.ibenc").mkdir()
    (place / "linked").symlink_to(outside)
    # Of these the hard link alone is a log.
    assert bound(str(place), 365, 100, TUESDAY).size == 6 * MIB
    bound(str(place), 1, 0, TUESDAY)
    assert (outside / LOGS[0]).read_bytes() == b"x" * MIB
    assert (place / "ibgateway.20261000.000000.ibenc").is_symlink()
    assert (place / "ibgateway.20261003.000000.ibenc").is_fifo()


def test_a_file_that_only_pretends_to_be_large_costs_nothing(place: Path) -> None:
    sparse = place / "ibgateway.20261124.000000.ibenc"
    sparse.touch()
    os.truncate(sparse, 1 << 40)
    os.utime(sparse, (TUESDAY, TUESDAY))
    assert bound(str(place), 365, 100, TUESDAY).files == 0


def test_a_directory_that_is_missing_has_none(tmp_path: Path) -> None:
    assert bound(str(tmp_path / "none"), 1, 1, TUESDAY) == (0, 0, 0)


def test_the_watcher_bounds_them_each_hour_and_notes_a_fault_once(
    place: Path, control: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, now = control(gateway_log_days=2), TUESDAY
    live.now = lambda: now
    object.__setattr__(live.descriptor, "settings_dir", str(place))
    watching = Watcher(live)
    watching.look()
    assert kept(place) == LOGS[2:]
    tally = watching.publisher.tally
    assert (tally.logs, tally.logs_removed) == (3 * MIB, 2 * MIB)
    now += DAY
    watching.look()
    assert kept(place) == LOGS[3:]
    monkeypatch.setattr(own_logs.settings_dir, "MAX_ENTRIES", 1)
    for _hour in range(3):
        now += LOGS_SECONDS
        watching.look()
    notes = [(each["event"], each["text"]) for each in live.store.history() if "own logs" in each["text"]]
    assert [event for event, _text in notes] == ["logs_removed", "logs_removed", "failed"]
    assert notes[0][1] == "2 of the gateway's own logs, 2 MiB"
