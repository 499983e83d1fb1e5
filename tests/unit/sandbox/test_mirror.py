"""The mirror for the sandbox's Debian."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.machine import mirror

HOST = """\
http://mirror.test/debian/ bookworm
http://mirror.test/debian/ bookworm-updates
http://mirror.test/debian-security/ bookworm-security
https://other.test/node nodistro
"""


def test_the_hosts_mirrors_serve_the_other_release() -> None:
    assert mirror.from_targets(HOST, "bookworm", "trixie") == [
        "deb http://mirror.test/debian trixie main",
        "deb http://mirror.test/debian trixie-updates main",
        "deb http://mirror.test/debian-security trixie-security main",
    ]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("", []),
        ("cdrom://disc/ bookworm", []),
        ("http://mirror.test/debian/ trixie", []),
        ("http://a.test/debian bookworm\nhttp://b.test/debian bookworm", ["deb http://a.test/debian bookworm main"]),
    ],
)
def test_only_what_another_machine_can_reach(targets: str, expected: list[str]) -> None:
    assert mirror.from_targets(targets, "bookworm", "bookworm") == expected


def test_a_mirror_list_gives_its_first_mirror(tmp_path: Path) -> None:
    listing = tmp_path / "debian.list"
    listing.write_text("# by the cloud\nhttps://near.test/debian\tpriority:1\nhttps://far.test/debian\n")
    lines = mirror.from_targets(f"mirror+file:{listing} trixie", "trixie", "bookworm")
    assert lines == ["deb https://near.test/debian bookworm main"]


@pytest.mark.parametrize(
    ("line", "passed_on"),
    [
        ('Acquire::http::Proxy "http://proxy.test:3128";', True),
        ('Acquire::Check-Valid-Until "false";', True),
        ('Acquire::Retries "3";', True),
        ('Acquire::Languages "none";', False),
        ('Acquire::http::User-Agent "x";', False),
        ('APT::Install-Recommends "0";', False),
    ],
)
def test_how_to_reach_a_mirror_is_passed_on(line: str, passed_on: bool) -> None:
    assert bool(mirror.REACH.match(line)) is passed_on
