# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import lease
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import BusyError, Lease

HOLD = """
import sys
from ansible_collections.ibops.gateway.plugins.module_utils.agent.session.lease import Lease
with Lease(sys.argv[1], "live").held("Ann", "a sign-in"):
    print("in", flush=True)
    sys.stdin.read()
"""


class Boot:
    """A machine's clock since boot, and which boot it is."""

    def __init__(self) -> None:
        self.seconds, self.id = 1000.0, "first"

    def lease(self, directory: Path) -> Lease:
        return Lease(str(directory), "live", lambda: self.seconds, lambda: self.id)


@pytest.fixture
def boot() -> Boot:
    return Boot()


def taken(made: Lease, owner: str) -> bool:
    try:
        with made.held(owner, "a test"):
            return True
    except BusyError:
        return False


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        mine = Lease(str(tmp_path), "live")
        with pytest.raises(BusyError, match="live is busy: a sign-in by Ann, since"), mine.held("Bob", "a test"):
            pass
        other.kill()
        other.wait()
        assert taken(mine, "Bob")


def test_its_owner_keeps_it_between_two_tasks_and_nobody_else_gets_in(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "maintenance", keep=lambda: 180.0):
        pass
    with pytest.raises(BusyError) as busy, boot.lease(tmp_path).held("Bob", "a deployment"):
        pass
    assert all(word in str(busy.value) for word in ("maintenance", "Ann", "since", "until", "Nothing was touched"))
    assert taken(boot.lease(tmp_path), "Ann")
    # Her last task kept nothing.
    assert taken(boot.lease(tmp_path), "Bob")


def test_it_is_renewed_by_each_task_of_its_owner(tmp_path: Path, boot: Boot) -> None:
    for _task in range(3):
        with boot.lease(tmp_path).held("Ann", "maintenance", keep=lambda: 180.0):
            pass
        boot.seconds += 170.0
    assert not taken(boot.lease(tmp_path), "Bob")


@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({"seconds": 1000.0}, False),
        ({"seconds": 1179.0}, False),
        ({"seconds": 1180.0}, True),
        # A reboot restarts the clock, which may reach the same number.
        ({"id": "second"}, True),
        ({"id": "second", "seconds": 5.0}, True),
    ],
)
def test_it_ends_with_its_time_and_with_the_boot(
    tmp_path: Path, boot: Boot, change: dict[str, Any], free: bool
) -> None:
    with boot.lease(tmp_path).held("Ann", "maintenance", keep=lambda: 180.0):
        pass
    vars(boot).update(change)
    assert taken(boot.lease(tmp_path), "Bob") is free


def test_setting_the_clock_does_not_extend_it(tmp_path: Path, boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    with boot.lease(tmp_path).held("Ann", "maintenance", keep=lambda: 180.0):
        pass
    monkeypatch.setattr("time.time", lambda: 0.0)
    boot.seconds += 180.0
    assert taken(boot.lease(tmp_path), "Bob")


def test_an_error_ends_it(tmp_path: Path, boot: Boot) -> None:
    with pytest.raises(ValueError, match="broken"), boot.lease(tmp_path).held("Ann", "x", keep=lambda: 180.0):
        raise ValueError("broken")
    assert taken(boot.lease(tmp_path), "Bob")


def test_it_is_released_by_its_owner_and_by_nobody_else(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "x", keep=lambda: 180.0):
        pass
    boot.lease(tmp_path).release("Bob")
    assert not taken(boot.lease(tmp_path), "Bob")
    boot.lease(tmp_path).release("Ann")
    assert taken(boot.lease(tmp_path), "Bob")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        '{"boot": "first"}',
        '{"boot": "first", "owner": "Ann", "purpose": "x", "since": "", "expires": "soon"}',
        json.dumps({"boot": "first", "owner": "Ann", "purpose": "x", "since": "", "expires": 1e12}),
        json.dumps({"boot": "first", "owner": ["Ann"], "purpose": "x", "since": "", "expires": 1100.0}),
        json.dumps({"boot": "first", "owner": "Ann", "purpose": "x", "since": "", "expires": 1100.0, "schema": 2}),
        '{"boot": "first", "owner": "\\ud800", "purpose": "x", "since": "", "expires": 1100.0}',
        "[" * 200_000,
    ],
)
def test_a_record_that_makes_no_sense_locks_nobody_out_and_is_kept(tmp_path: Path, boot: Boot, content: str) -> None:
    (tmp_path / "lease.json").write_text(content)
    assert taken(boot.lease(tmp_path), "Bob")
    assert (tmp_path / "lease.json.damaged").read_text() == content


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda place: place.symlink_to(place)])
@pytest.mark.parametrize("times", [1, 2])
def test_what_stands_in_a_records_place_locks_nobody_out(
    tmp_path: Path, boot: Boot, make: Callable[[Path], None], times: int
) -> None:
    (tmp_path / "lease.json.damaged").touch()
    for _time in range(times):
        if not os.path.lexists(tmp_path / "lease.json"):
            make(tmp_path / "lease.json")
        assert taken(boot.lease(tmp_path), "Bob")


def test_a_keeper_is_told_in_printable_and_bounded_words(tmp_path: Path, boot: Boot) -> None:
    mine = boot.lease(tmp_path).held("\x1b[2JAnn" + "n" * 5000, "x\n", keep=lambda: 180.0)
    with mine, pytest.raises(BusyError) as locked, boot.lease(tmp_path).held("Bob", "y"):
        pass
    with pytest.raises(BusyError) as kept, boot.lease(tmp_path).held("Bob", "y"):
        pass
    assert [(str(each.value).isprintable(), len(str(each.value)) < 500) for each in (locked, kept)] == [
        (True, True)
    ] * 2


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.iterdir())}


def test_only_its_user_reads_who_has_it(tmp_path: Path, boot: Boot) -> None:
    place = tmp_path / "a" / "live"
    with boot.lease(place).held("Ann", "maintenance", keep=lambda: 180.0):
        assert (place / "lock").read_text().startswith("maintenance by Ann, since ")
    assert modes(place) == {"live": 0o700, "lock": 0o600, "lease.json": 0o600}
    record = json.loads((place / "lease.json").read_text())
    assert (record["schema"], record["owner"], record["purpose"], record["boot"]) == (1, "Ann", "maintenance", "first")
    assert record["expires"] == 1180.0
    assert re.fullmatch(r"\d\d:\d\d:\d\d", record["since"])


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path, boot: Boot) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "lock").symlink_to("victim")
    with pytest.raises(OSError, match="symbolic links"):
        taken(boot.lease(tmp_path), "Ann")
    (tmp_path / "lock").unlink()
    (tmp_path / "lease.json").symlink_to("victim")
    with boot.lease(tmp_path).held("Ann", "x", keep=lambda: 180.0):
        pass
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize(
    ("seconds", "after", "free"),
    [
        (0.0, 0.0, True),
        (-1.0, 0.0, True),
        (0.5, 0.0, False),
        (0.5, 0.5, True),
        # Nobody keeps it for longer than an hour.
        (3600.0, 0.0, False),
        (1e9, 0.0, False),
        (1e9, 3599.0, False),
        (1e9, 3600.0, True),
    ],
)
def test_how_long_it_is_kept(tmp_path: Path, boot: Boot, seconds: float, after: float, free: bool) -> None:
    with boot.lease(tmp_path).held("Ann", "x", keep=lambda: seconds):
        pass
    assert (tmp_path / "lease.json").exists() is (seconds > 0)
    boot.seconds += after
    assert taken(boot.lease(tmp_path), "Bob") is free
    assert taken(boot.lease(tmp_path), "Ann")


def test_what_is_kept_is_told_with_its_end(tmp_path: Path, boot: Boot, monkeypatch: pytest.MonkeyPatch) -> None:
    with boot.lease(tmp_path).held("Ann", "x", keep=lambda: 180.0):
        pass
    monkeypatch.setattr("time.time", lambda: 1_795_000_000.0)
    until = time.strftime("%H:%M:%S", time.localtime(1_795_000_180.0))
    with pytest.raises(BusyError, match=f"until {until} at the latest"), boot.lease(tmp_path).held("Bob", "y"):
        pass


def test_who_keeps_it_is_told_in_300_characters(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "x" * 5000, keep=lambda: 180.0):
        pass
    with pytest.raises(BusyError) as busy, boot.lease(tmp_path).held("Bob", "y"):
        pass
    assert str(busy.value).startswith(f"gateway live is busy: {'x' * 299}…; ")


class Waiting:
    """A clock that only sleeping moves, and what happens when it comes to *at* seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: float, event: Callable[[], None]) -> None:
        self.now, self.slept, self._at, self._event = 100.0, 0, 100.0 + at, event
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 1
        self.slept += 1
        if self.now < self._at <= self.now + seconds:
            self._event()
        self.now += seconds


@pytest.mark.parametrize("way", ["held", "beside"])
@pytest.mark.parametrize(
    ("patience", "ends_after", "gets_it"),
    [(None, 0.05, False), (0.0, 0.05, False), (5.0, 3.0, True), (5.0, 60.0, False)],
)
def test_another_process_is_waited_for_in_bounds(
    tmp_path: Path,
    boot: Boot,
    monkeypatch: pytest.MonkeyPatch,
    patience: float | None,
    ends_after: float,
    gets_it: bool,
    way: str,
) -> None:
    other = contextlib.ExitStack()
    other.enter_context(boot.lease(tmp_path).held("Ann", "a sign-in"))
    waiting = Waiting(monkeypatch, ends_after, other.close)
    bounds = {} if patience is None else {"patience": patience}
    try:
        with getattr(boot.lease(tmp_path), way)("Bob", "x", **bounds):
            assert gets_it
    except BusyError:
        assert not gets_it
    assert bool(waiting.slept) is bool(patience)
    assert waiting.now - 100.0 <= (patience or 0.0) + 0.2
    other.close()


@pytest.mark.parametrize(
    ("written", "who"),
    [
        (b"", "another process"),
        (b"\xff\xfe by Ann", "\ufffd\ufffd by Ann"),
        (b"x" * 5000, "x" * 300),
        (b"\x01" * 5000, "\\x01" * 74 + "\\x0…"),
    ],
)
def test_whoever_holds_it_is_told_as_far_as_it_is_known(tmp_path: Path, boot: Boot, written: bytes, who: str) -> None:
    with boot.lease(tmp_path).held("Ann", "x"):
        (tmp_path / "lock").write_bytes(written)
        with pytest.raises(BusyError) as busy, boot.lease(tmp_path).held("Bob", "y"):
            pass
    assert str(busy.value).startswith(f"gateway live is busy: {who}; ")


def test_of_the_last_holder_nothing_is_left(tmp_path: Path, boot: Boot) -> None:
    assert taken(boot.lease(tmp_path), "somebody with a very long name, who is gone")
    with boot.lease(tmp_path).held("Ann", "x"):
        assert re.fullmatch(r"x by Ann, since \d\d:\d\d:\d\d", (tmp_path / "lock").read_text())


@pytest.mark.parametrize("call", ["ftruncate", "pwrite", "fdopen"])
def test_a_full_disk_keeps_nobody_from_acting(
    tmp_path: Path, boot: Boot, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    acted = []
    with boot.lease(tmp_path).held("Ann", "x", keep=lambda: 180.0):
        acted.append("Ann")
    assert acted == ["Ann"]
    monkeypatch.undo()
    # An unwritten record does not keep the lease.
    assert taken(boot.lease(tmp_path), "Bob") is (call == "fdopen")


def test_a_release_waits_for_nobody_and_tells_nobody(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "x"):
        boot.lease(tmp_path).release("Ann")
        assert not taken(boot.lease(tmp_path), "Ann")


def test_the_real_clock_and_boot() -> None:
    assert lease.since_boot() > 0
    assert len(lease.this_boot()) == 36


def test_beside_another_the_lease_stays_his(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "a pause", keep=lambda: 600.0):
        pass
    with boot.lease(tmp_path).beside("the watcher", "a look") as another:
        assert another.startswith("a pause by Ann, since ")
    assert not taken(boot.lease(tmp_path), "Bob")
    with boot.lease(tmp_path).beside("Ann", "a look") as another:
        assert another == ""


def test_who_takes_over_ends_what_another_keeps(tmp_path: Path, boot: Boot) -> None:
    with boot.lease(tmp_path).held("Ann", "a pause", keep=lambda: 600.0):
        pass
    with boot.lease(tmp_path).held("Bob", "a stop", take_over=True) as another:
        assert another.startswith("a pause by Ann, since ")
        with pytest.raises(BusyError), boot.lease(tmp_path).held("Eve", "a stop", take_over=True):
            pass
    assert taken(boot.lease(tmp_path), "Eve")
