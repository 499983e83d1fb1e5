# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import lease
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.lease import BusyError, Lease

HOLD = """
import sys
from ansible_collections.ibops.gateway.plugins.module_utils.gateway.lease import Lease
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
        # A reboot begins the clock anew, and may come to the same number.
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
    ],
)
def test_a_record_that_makes_no_sense_locks_nobody_out(tmp_path: Path, boot: Boot, content: str) -> None:
    (tmp_path / "lease.json").write_text(content)
    assert taken(boot.lease(tmp_path), "Bob")


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
