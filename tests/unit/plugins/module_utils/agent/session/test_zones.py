# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines are zone databases in a folder: one as Debian 13 has it, one with tzdata-legacy, and incomplete ones."""

from __future__ import annotations

import base64
import pathlib
import zoneinfo
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.session import zones

# The smallest TZif file, version 1: UTC.
UTC = base64.b64decode("VFppZgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAQAAAAAAABVVEMA")
CURRENT = {"America/New_York": "US", "Asia/Kolkata": "IN", "Asia/Tokyo": "JP", "Europe/London": "GB"}
LINKS = {
    "US/Eastern": "America/New_York",
    "Asia/Calcutta": "Asia/Kolkata",
    "Japan": "Asia/Tokyo",
    "GB": "Europe/London",
}
Machine = Callable[..., None]


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Iterator[Machine]:
    """Make the zone database of this machine; *without* files of it."""
    before = zoneinfo.TZPATH

    def make(legacy: bool, without: tuple[str, ...] = ()) -> None:
        files = dict.fromkeys({*CURRENT, *zones.NEEDED, "UTC", "GMT", "Etc/UTC"}, UTC)
        if legacy:
            files |= dict.fromkeys({*LINKS, "EST5EDT"}, UTC)
        # The last line is cut short.
        lines = [f"{code}\t+00\t{name}\n" for name, code in CURRENT.items()]
        files["zone.tab"] = "".join([*lines, "XX\t+00\n"]).encode()
        files["tzdata.zi"] = (
            b"# version 2025b\nZ EST5EDT -5 u E%sT\n9 - JST\n"
            + "".join(f"L {name} {old}\n" for old, name in LINKS.items()).encode()
        )
        for name in files.keys() - {*without}:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
        zoneinfo.reset_tzpath([str(tmp_path)])
        zoneinfo.ZoneInfo.clear_cache()

    yield make
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package tzdata, which a controller has and a VM has not."""

    def none(key: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(key)

    monkeypatch.setattr("zoneinfo._common.load_tzdata", none)


@pytest.mark.parametrize(
    ("zone", "legacy", "strict", "expected"),
    [
        ("America/New_York", False, True, None),
        ("UTC", False, True, None),
        ("GMT", False, True, None),
        ("Etc/UTC", False, True, None),
        ("US/Eastern", False, False, ("zone-old-name-here", "America/New_York")),
        ("Asia/Calcutta", False, False, ("zone-old-name-here", "Asia/Kolkata")),
        ("Japan", False, False, ("zone-old-name-here", "Asia/Tokyo")),
        ("GB", False, False, ("zone-old-name-here", "Europe/London")),
        ("EST5EDT", False, False, ("zone-unknown", "")),
        ("US/Eastern", True, False, None),
        ("EST5EDT", True, False, None),
        ("US/Eastern", True, True, ("zone-old-name", "America/New_York")),
        ("EST5EDT", True, True, ("zone-not-current", "")),
        ("Mars/Olympus", True, False, ("zone-unknown", "")),
        ("JST", True, False, ("zone-unknown", "")),
        ("../zone.tab", True, False, ("zone-unknown", "")),
        ("zone.tab", True, False, ("zone-unknown", "")),
        ("", True, False, ("zone-unknown", "")),
    ],
)
def test_each_zone_by_the_machine(
    machine: Machine, zone: str, legacy: bool, strict: bool, expected: tuple[str, str] | None
) -> None:
    machine(legacy)
    found = zones.problems({"gateway_time_zone": zone, "other": "Asia/Tokyo"}, ["gateway_time_zone"] if strict else [])
    assert len(found) == (expected is not None), found
    for problem in found:
        assert (problem.id, problem.variable, problem.value) == (
            expected and expected[0],
            "gateway_time_zone",
            repr(zone),
        )
        assert expected
        assert expected[1] in problem.fix


def test_the_lists_may_be_in_a_later_folder(machine: Machine, tmp_path: pathlib.Path) -> None:
    machine(True)
    zoneinfo.reset_tzpath([str(tmp_path / "none"), str(tmp_path)])
    (problem,) = zones.problems({"zone": "Japan"}, ["zone"])
    assert "Asia/Tokyo" in problem.fix


def test_the_calendar_needs_its_three_zones() -> None:
    assert set(zones.NEEDED) == {"America/New_York", "Europe/Zurich", "Asia/Hong_Kong"}


@pytest.mark.parametrize("missing", [*((each,) for each in zones.NEEDED), zones.NEEDED[1:]])
def test_a_machine_without_the_calendars_zones(machine: Machine, missing: tuple[str, ...]) -> None:
    machine(True, missing)
    (problem,) = zones.problems({"gateway_time_zone": "UTC"})
    assert (problem.id, problem.variable) == ("zone-data-missing", "time zones")
    assert f"no data for {', '.join(missing)}" in problem.wrong


def test_a_machine_without_lists_of_names(machine: Machine) -> None:
    machine(True, ("zone.tab", "tzdata.zi"))
    assert zones.problems({"gateway_time_zone": "US/Eastern"}, ["gateway_time_zone"]) == []
    (problem,) = zones.problems({"gateway_time_zone": "Mars/Olympus"})
    assert problem.id == "zone-unknown"


@pytest.mark.parametrize("value", [None, 5, [], {}])
def test_what_is_no_text(value: object) -> None:
    assert not zones.readable(value)
    assert len(zones.problems({"zone": value})) == 1
