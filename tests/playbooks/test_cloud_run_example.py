"""examples/cloud_run: its jobs, deployed on a fake Cloud Run, are such that gcp_run_job has nothing against them."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml
from tests.fake_gcp.run import FakeRun
from tests.playbooks.cloud_run_page import DIGEST, job_settings
from tests.playbooks.plays import played

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job

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


def test_the_sign_in_of_the_page_runs_its_playbook(
    fake: FakeRun, pytestconfig: pytest.Config, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "signin.yml").write_text(job_settings("signin.yml"))
    settings = ("-e", f"@{tmp_path}/signin.yml")
    status, printed = played(pytestconfig.rootpath, fake, "examples/cloud_run/deploy.yml", *settings)
    assert status == 0, printed
    task = fake.jobs["projects/my-project/locations/europe-west1/jobs/live-signin"]["template"]["template"]
    # A task that is tried again would be a push that nobody asked for, and ssh refuses a key that others may read.
    assert task["maxRetries"] == 0
    assert task["volumes"][0]["secret"]["defaultMode"] == 0o400
    (container,) = task["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    key = f"{container['volumeMounts'][0]['mountPath']}/{task['volumes'][0]['secret']['items'][0]['path']}"
    assert environment["ANSIBLE_PRIVATE_KEY_FILE"] == key
    # The steps of the container, up to the VM, which is nowhere.
    (tmp_path / "inventory").mkdir()
    host = {"gateway_mode": "live", "gateway_user": "bob", "gateway_password": "any", "ansible_host": "192.0.2.1"}
    host |= {"gateway_image": f"registry.example/ib-gateway@{DIGEST}"}
    groups = {"gateways": {"children": {"live": {"hosts": {"l1": host}}}}}
    (tmp_path / "inventory/hosts.yml").write_text(yaml.safe_dump(groups))
    run = subprocess.run(
        [*container["command"], *container["args"]],
        cwd=tmp_path,
        env=os.environ
        | environment
        | {
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(pytestconfig.rootpath / "ansible.cfg"),
            "ANSIBLE_TIMEOUT": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 4, run.stdout + run.stderr
