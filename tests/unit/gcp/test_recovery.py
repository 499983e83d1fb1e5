"""A new VM from a snapshot of the lost one's disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fake_gcp import links
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.unit.gcp.conftest import RunModule, ids

PROJECT, ZONE = "projects/demo-project", "europe-west1-b"
OWN = f"{links.HOST}{PROJECT}/zones/{ZONE}/disks/ibgw-paper"
Given = Callable[..., None]


@pytest.fixture
def given(fake: FakeGcp) -> Given:
    """Have a snapshot in the project; its moment is that of a day of November."""

    def give(name: str, day: int, **more: Any) -> None:
        path = f"{PROJECT}/global/snapshots/{name}"
        body = {
            "name": name,
            "selfLink": links.HOST + path,
            "creationTimestamp": f"2026-11-{day:02}T20:00:00.000-08:00",
            "status": "READY",
            "diskSizeGb": "20",
            "architecture": "X86_64",
            "sourceDisk": OWN,
        }
        fake.state.resources[path] = Entry({**body, **more})

    return give


def restored(machine: RunModule, name: str, **disk: Any) -> dict[str, Any]:
    return machine(disk={"snapshot": name, **disk})


def source(report: dict[str, Any]) -> str:
    """The source of the disk, as ``snapshots/daily``."""
    disk = report["resources"]["disk"]
    return "/".join((disk.get("sourceSnapshot") or disk["sourceImage"]).split("/")[-2:])


def test_the_newest_snapshot_that_is_ready_is_of_the_own_disk_or_labelled(machine: RunModule, given: Given) -> None:
    given("old", 1)
    given("newest-of-the-schedule", 20, sourceDisk=f"{OWN}-in-another-zone", labels={"ibops-gateway": "ibgw-paper"})
    # An hour earlier, though its text sorts behind.
    given("earlier", 20, creationTimestamp="2026-11-21T04:00:00.000+01:00")
    given("not-ready", 28, status="CREATING")
    given("foreign", 29, sourceDisk=f"{OWN}-2")
    report = restored(machine, "latest")
    assert source(report) == "snapshots/newest-of-the-schedule"
    assert report["vm"]["status"] == "RUNNING"
    assert restored(machine, "latest")["changed"] is False


def test_one_by_its_name_and_its_size(machine: RunModule, given: Given) -> None:
    given("old", 1, diskSizeGb="35")
    given("new", 2)
    report = restored(machine, "old")
    assert (source(report), report["resources"]["disk"]["sizeGb"]) == ("snapshots/old", "35")


def test_without_one_it_is_the_image(machine: RunModule) -> None:
    assert source(restored(machine, "latest")) == "family/debian-12"


def test_an_existing_vm_is_left_as_it_is(machine: RunModule, given: Given, fake: FakeGcp) -> None:
    machine()
    given("any", 1)
    fake.calls.clear()
    assert restored(machine, "latest")["changed"] is False
    assert "snapshots.list" not in [call.method for call in fake.calls]


def test_a_vm_that_is_recreated_is_made_from_it(machine: RunModule, given: Given) -> None:
    machine()
    given("any", 1)
    report = machine(disk={"snapshot": "any", "type": "pd-ssd"}, recreate=True)
    assert source(report) == "snapshots/any"


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "none of that name": ({}, {"snapshot": "nightly"}, "gcp-snapshot-missing disk.snapshot"),
    "not ready": ({"status": "CREATING"}, {"snapshot": "any"}, "gcp-snapshot-not-ready disk.snapshot"),
    "larger than the disk": ({"diskSizeGb": "30"}, {"snapshot": "any", "size": 25}, "gcp-snapshot-larger disk.size"),
    "another processor": ({"architecture": "ARM64"}, {"snapshot": "any"}, "gcp-image-unfit machine_type"),
    "not a name": ({}, {"snapshot": "Any day"}, "gcp-snapshot-name disk.snapshot"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_disk_can_be_made_from_is_refused(machine: RunModule, given: Given, fake: FakeGcp, case: str) -> None:
    body, disk, expected = REFUSED[case]
    given("any", 1, **body)
    before = fake.writes()
    assert ids(machine(disk=disk)) == [expected]
    assert fake.writes() == before
