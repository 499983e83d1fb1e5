"""Changes of the host that a run must not leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.machine import host_state


def test_every_difference_is_a_line() -> None:
    before = {"sysctl": {"kernel/panic": "0", "vm/swappiness": "60"}, "module": {}, "clock": {"offset": "100.0"}}
    after = before | {
        "sysctl": {"kernel/panic": "1", "vm/swappiness": "60"},
        "module": {"wireguard": "loaded"},
        "clock": {"offset": "99.1"},
    }
    assert host_state.differences(before, before) == []
    assert host_state.differences(before, after) == [
        "sysctl: kernel/panic: 0 -> 1",
        "module: wireguard: absent -> loaded",
    ]


def test_a_clock_that_was_set_is_noticed() -> None:
    lines = host_state.differences({"clock": {"offset": "100.0"}}, {"clock": {"offset": "160.0"}})
    assert lines == ["clock: offset: 100.0 -> 160.0"]


@pytest.mark.parametrize("name", ["kernel/random/entropy_avail", "net/ipv4/conf/veth1a2b/forwarding", "fs/file-nr"])
def test_what_changes_by_itself_is_left_out(name: str) -> None:
    assert host_state.VOLATILE.match(name)


@pytest.mark.parametrize(
    "name", ["kernel/panic", "net/ipv4/conf/all/forwarding", "net/ipv4/ip_forward", "vm/swappiness"]
)
def test_settings_are_looked_at(name: str) -> None:
    assert not host_state.VOLATILE.match(name)


def test_files_are_known_by_mode_and_content(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a")
    before = host_state.files([tmp_path])
    key.chmod(0o600)
    changed_mode = host_state.files([tmp_path])
    key.write_text("b")
    assert before != changed_mode != host_state.files([tmp_path])
    assert host_state.files([tmp_path / "absent"]) == {}
