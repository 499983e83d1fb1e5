"""paper_hours.yml on a fake Cloud Scheduler: the VM's hours are those of the inventory's sessions."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from tests.fake_gcp.scheduler import FakeScheduler
from tests.playbooks.plays import played

SESSIONS = [
    {
        "name": "open",
        "days": ["mon", "fri"],
        "time": "09:30",
        "zone": "America/New_York",
        "lead_minutes": 10,
        "max_minutes": 90,
        "except_dates": ["2026-12-25"],
    }
]
VARIABLES: dict[str, object] = {
    "gcp_vm_project": "demo-project",
    "gcp_vm_zone": "europe-west1-b",
    "hours_service_account": "hours@demo-project.iam.gserviceaccount.com",
    "gateway_paper_sessions": SESSIONS,
}
Hours = t.Callable[..., tuple[int, str]]


@pytest.fixture
def fake() -> t.Iterator[FakeScheduler]:
    with FakeScheduler() as server:
        yield server


@pytest.fixture
def hours(tmp_path: pathlib.Path, pytestconfig: pytest.Config, fake: FakeScheduler) -> Hours:
    """Run the playbook for the host `ibgw-paper` with these variables; its status and what it printed."""

    def call(*arguments: str, **changes: object) -> tuple[int, str]:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"paper": {"hosts": {"ibgw-paper": {**VARIABLES, **changes}}}}))
        return played(pytestconfig.rootpath, fake, "playbooks/paper_hours.yml", "-i", str(inventory), *arguments)

    return call


def test_made_repeated_removed(hours: Hours, fake: FakeScheduler) -> None:
    status, printed = hours("--check", "--diff")
    assert status == 0, printed
    assert '"schedule": "15 9 * * 1,5"' in printed or "schedule: 15 9 * * 1,5" in printed
    assert fake.writes() == []
    assert hours()[0] == 0
    lines = {name.split("/")[-1]: job["schedule"] for name, job in fake.jobs.items()}
    assert lines == {"ibgw-paper-open-start": "15 9 * * 1,5", "ibgw-paper-open-stop": "55 10 * * 1,5"}
    assert "changed=0" in hours()[1]
    assert hours(gateway_paper_sessions=[])[0] == 0
    assert fake.jobs == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hours_service_account": ""}, "service_account = '': "),
        ({"gcp_vm_zone": ""}, "zone = '': "),
        ({"gateway_paper_sessions": [{**SESSIONS[0], "zone": "New York"}]}, "gateway_paper_sessions[0].zone"),
    ],
    ids=["account", "zone", "session"],
)
def test_refused(hours: Hours, fake: FakeScheduler, changes: dict[str, object], said: str) -> None:
    status, printed = hours(**changes)
    assert status == 2
    assert said in printed
    assert fake.calls == []


def test_a_gateway_elsewhere_is_told_so(hours: Hours, fake: FakeScheduler) -> None:
    status, printed = hours(gcp_vm_project="", gcp_vm_zone="")
    assert status == 2
    assert "ibgw-paper: this gateway is not on Google Cloud" in printed
    assert "not the id of a project" not in printed
    assert fake.writes() == []
