"""examples/cloud_run: its job, deployed on a fake Cloud Run, is one that gcp_run_job has nothing against."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from tests.fake_gcp.run import FakeRun
from tests.playbooks.plays import played

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job

DIGEST = "sha256:" + "0" * 64
SETTINGS: dict[str, object] = {
    "gcp_project": "demo-project",
    "gcp_region": "europe-west1",
    "pipeline_job": "pipeline",
    "pipeline_image": f"registry.example/pipeline@{DIGEST}",
    "pipeline_service_account": "pipeline@demo-project.iam.gserviceaccount.com",
    "pipeline_gateway_address": "10.10.0.2",
    "pipeline_network": "ibgw",
    "pipeline_subnet": "ibgw-run",
}
JOB = "projects/demo-project/locations/europe-west1/jobs/pipeline"
Deploy = t.Callable[..., tuple[int, str]]


@pytest.fixture
def fake() -> t.Iterator[FakeRun]:
    with FakeRun() as server:
        yield server


@pytest.fixture
def deploy(fake: FakeRun, pytestconfig: pytest.Config) -> Deploy:
    def call(**changes: object) -> tuple[int, str]:
        extra = yaml.safe_dump({**SETTINGS, **changes}, default_flow_style=True, width=10_000)
        return played(pytestconfig.rootpath, fake, "examples/cloud_run/deploy.yml", "-e", extra, "-vvv")

    return call


@pytest.mark.parametrize(
    ("changes", "access"),
    [
        ({}, {"networkInterfaces": [{"network": "ibgw", "subnetwork": "ibgw-run"}]}),
        (
            {"pipeline_connector": "projects/demo-project/locations/europe-west1/connectors/ibgw"},
            {"connector": "projects/demo-project/locations/europe-west1/connectors/ibgw"},
        ),
    ],
    ids=["direct", "connector"],
)
def test_deployed(deploy: Deploy, fake: FakeRun, changes: dict[str, object], access: dict[str, object]) -> None:
    fake.token = "top-secret"
    status, printed = deploy(**changes)
    assert status == 0, printed
    assert "top-secret" not in printed
    job = fake.jobs[JOB]
    task = job["template"]["template"]
    assert task["vpcAccess"] == {"egress": "PRIVATE_RANGES_ONLY", **access}
    assert {each["name"]: each["value"] for each in task["containers"][0]["env"]}["IB_HOST"] == "10.10.0.2"
    options = {"job": "pipeline", "region": "europe-west1", "project": "demo-project", "allow_parallel": False}
    assert run_job.obstacles(job, {**options, "gateway_address": "10.10.0.2"}) == ([], [])


def test_changed_by_another_run(deploy: Deploy, fake: FakeRun) -> None:
    deploy()
    status, printed = deploy(pipeline_task_seconds=60)
    assert status == 0, printed
    assert (fake.jobs[JOB]["generation"], fake.jobs[JOB]["template"]["template"]["timeout"]) == ("2", "60s")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pipeline_image": "registry.example/pipeline:latest"}, "name it by its digest"),
        (
            {"pipeline_network": "", "pipeline_subnet": ""},
            "pipeline: vpc_access.network_interfaces: one, with a network",
        ),
    ],
)
def test_refused(deploy: Deploy, fake: FakeRun, changes: dict[str, object], said: str) -> None:
    status, printed = deploy(**changes)
    assert status == 2
    assert said in printed, printed[-1500:]
    assert fake.jobs == {}
