"""paper_session.yml with a Cloud Run job, on a fake Cloud Run; the gateway's host is this machine or none."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from tests.fake_gcp.platform import Asked
from tests.fake_gcp.run import FakeRun
from tests.playbooks.plays import played

PLACE = "projects/demo-project/locations/europe-west1"
# As role gcp_vm has them.
VARIABLES = {"gateway_mode": "paper", "gcp_vm_project": "demo-project", "gcp_vm_zone": "europe-west1-b"}
VPC = {"vpcAccess": {"egress": "PRIVATE_RANGES_ONLY", "networkInterfaces": [{"subnetwork": "run"}]}}


@pytest.fixture
def cloud() -> t.Iterator[FakeRun]:
    with FakeRun() as fake:
        body = {"template": {"template": {"containers": [{"image": "x"}], "maxRetries": 0, **VPC}}}
        fake.handlers["jobs.create"](Asked("jobs.create", PLACE, {"jobId": "pipeline"}, body))
        yield fake


@pytest.fixture
def play(tmp_path: pathlib.Path, pytestconfig: pytest.Config, cloud: FakeRun) -> t.Callable[..., tuple[int, str]]:
    """Run a playbook on one paper gateway's host with extra variables; its status and what it printed."""

    def call(playbook: str = "playbooks/paper_session.yml", **extra: object) -> tuple[int, str]:
        host = {**VARIABLES, "ansible_host": "192.0.2.1", "ansible_ssh_timeout": 1}
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"paper": {"hosts": {"p1": host}}}))
        more = yaml.safe_dump(extra, default_flow_style=True, width=10_000)
        return played(pytestconfig.rootpath, cloud, playbook, "-i", str(inventory), "-e", more)

    return call


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "nothing": ({}, "pipeline_command: there is nothing to run"),
    "blank": ({"pipeline_command": ""}, "pipeline_command: there is nothing to run"),
    "both": (
        {"pipeline_command": "true", "pipeline_cloud_run_job": "pipeline"},
        "pipeline_command and pipeline_cloud_run_job: there is more than one thing to run",
    ),
    "no time": ({"pipeline_cloud_run_job": "pipeline", "pipeline_minutes": 0}, "-e pipeline_minutes=120"),
    "no project": (
        {"pipeline_cloud_run_job": "pipeline", "gcp_project": ""},
        "The Cloud Run job's project is '' and its region 'europe-west1'",
    ),
    "no such job": (
        {"pipeline_cloud_run_job": "pipelin", "pipeline_gateway_address": "10.10.0.2"},
        "has no such job",
    ),
    "a gateway that no job reaches": (
        {"pipeline_cloud_run_job": "pipeline", "access_vpc_addresses": []},
        "no job reaches that. Offer the API at the VM's internal address (gateway_access: [vpc])",
    ),
}


@pytest.mark.parametrize(("extra", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_before_the_host_is_touched(
    play: t.Callable[..., tuple[int, str]], cloud: FakeRun, extra: dict[str, object], said: str
) -> None:
    status, printed = play(**extra)
    assert status == 2, printed
    assert said in printed
    assert "unreachable=1" not in printed
    assert cloud.writes() == []


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", 0), ("failed", 2)])
def test_the_job_is_executed_and_the_gateway_stopped_whatever_it_did(
    play: t.Callable[..., tuple[int, str]],
    cloud: FakeRun,
    tmp_path: pathlib.Path,
    pytestconfig: pytest.Config,
    outcome: str,
    status: int,
) -> None:
    """The playbook as it is, but for the gateway: what is asked of it is appended to a file."""
    log = tmp_path / "gateway.log"
    (whole,) = yaml.safe_load((pytestconfig.rootpath / "playbooks/paper_session.yml").read_text())
    block = next(task for task in whole["tasks"] if "block" in task)
    for task in block["block"] + block["always"]:
        for module in [name for name in task if name.startswith("ibops.gateway.gateway_")]:
            asked = task.pop(module).get("state", "ready")
            task |= {"ansible.builtin.shell": f"echo {asked} >> {log}", "delegate_to": "localhost", "register": "_"}
    changed = tmp_path / "paper_session.yml"
    changed.write_text(yaml.safe_dump([whole], sort_keys=False))
    (tmp_path / "tasks").symlink_to(pytestconfig.rootpath / "playbooks/tasks")

    cloud.outcome = outcome
    signed_off = {"how": "ibc", "changed": True}
    found, printed = play(
        str(changed),
        pipeline_cloud_run_job="pipeline",
        access_vpc_addresses=["10.10.0.2"],
        paper_session_stopped=signed_off,
    )
    assert found == status, printed
    assert log.read_text().split() == ["started", "ready", "stopped"]
    assert cloud.writes() == ["jobs.run pipeline"]
    if outcome == "failed":
        assert "failed: NON_ZERO_EXIT_CODE" in printed
    else:
        assert "The pipeline ended with execution pipeline-0000" in printed
        assert "the gateway of p1 was signed off." in printed
