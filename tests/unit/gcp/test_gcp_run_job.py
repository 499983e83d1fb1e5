"""gcp_run_job against the fake Cloud Run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from tests.fake_gcp.platform import Asked
from tests.fake_gcp.run import FakeRun
from tests.unit.gcp.conftest import ids

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import client
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job
from ansible_collections.ibops.gateway.plugins.modules import gcp_run_job

PLACE = "projects/demo-project/locations/europe-west1"
NAME = f"{PLACE}/jobs/pipeline"
DIRECT = {"egress": "PRIVATE_RANGES_ONLY", "networkInterfaces": [{"network": "main", "subnetwork": "run"}]}
CONTAINER = {"name": "main", "image": "image@sha256:1", "env": [{"name": "IB_PORT", "value": "4002"}]}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRun]:
    """A Cloud Run with the job `pipeline`; what waits is quick."""
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(run_job, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(run_job, "LONGEST_POLL_SECONDS", 0.05)
    with FakeRun() as fake:
        deploy(fake)
        yield fake


def deploy(fake: FakeRun, containers: Any = (CONTAINER,), **task: Any) -> None:
    """Make the job again with a changed task template."""
    fake.jobs.clear()
    task = {"containers": list(containers), "vpcAccess": DIRECT, "maxRetries": 0, **task}
    body = {"template": {"template": {name: value for name, value in task.items() if value is not None}}}
    fake.handlers["jobs.create"](Asked("jobs.create", PLACE, {"jobId": "pipeline"}, body))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cloud: FakeRun) -> Run:
    """Run the module; what it printed, with what it has warned of."""

    def call(check: bool = False, **changes: Any) -> dict[str, Any]:
        place = {"project": "demo-project", "region": "europe-west1", "job": "pipeline"}
        access = {"access_token": "token", "api_endpoint": cloud.endpoint, "timeout": 30}
        arguments = {**place, **access, **changes, "_ansible_check_mode": check}
        warned: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
        with patch_module_args(arguments), pytest.raises(SystemExit):
            gcp_run_job.main()
        return {**json.loads(capsys.readouterr().out), "warnings": warned}

    return call


def test_succeeds(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = 0.05
    done = run(gateway_address="10.10.0.2")
    assert done["changed"]
    assert (done["ended"], done["reason"], done["warnings"]) == ("succeeded", "", [])
    assert done["execution"] in cloud.executions
    assert done["tasks"] == {"tasks": 1, "succeeded": 1, "failed": 0, "cancelled": 0, "retried": 0}
    assert done["log_uri"].startswith("https://console.cloud.google.com/")
    assert cloud.writes() == ["jobs.run pipeline"]


def test_a_failure_says_why_and_where_the_log_is(run: Run, cloud: FakeRun) -> None:
    cloud.outcome = "failed"
    done = run(task_count=3)
    assert done["failed"]
    assert done["ended"] == "failed"
    assert done["tasks"]["failed"] == 3
    assert "failed: NON_ZERO_EXIT_CODE: Task demo-task0 failed" in done["msg"]
    assert f"Its log: {done['log_uri']}" in done["msg"]


def test_overrides_reach_the_execution_and_leave_the_job_alone(run: Run, cloud: FakeRun) -> None:
    deploy(cloud, [{"name": "side", "image": "b"}, CONTAINER])
    before = cloud.jobs[NAME]
    overrides = {"args": ["--dry-run"], "env": {"DAY": "2026-11-27", "IB_PORT": "4003"}, "container": "main"}
    done = run(**overrides, task_count=2, task_timeout=90)
    body = cloud.executions[done["execution"]].body
    container = body["template"]["containers"][1]
    assert (body["taskCount"], body["template"]["timeout"], container["args"]) == (2, "90s", ["--dry-run"])
    assert container["env"] == [{"name": "IB_PORT", "value": "4003"}, {"name": "DAY", "value": "2026-11-27"}]
    assert cloud.jobs[NAME] == before
    assert done["plan"]["args"] == ["--dry-run"]
    assert done["plan"]["env"] == ["DAY", "IB_PORT"]


def test_an_empty_list_clears_the_arguments(run: Run, cloud: FakeRun) -> None:
    deploy(cloud, [{**CONTAINER, "args": ["--live"]}])
    done = run(args=[])
    assert cloud.executions[done["execution"]].body["template"]["containers"][0]["args"] == []


def test_check_mode_reads_only(run: Run, cloud: FakeRun) -> None:
    done = run(check=True, task_timeout=60)
    assert done["changed"]
    assert done["plan"] == {
        "image": "image@sha256:1",
        "args": [],
        "env": ["IB_PORT"],
        "tasks": 1,
        "task_timeout": "60s",
        "max_retries": 0,
        "service_account": None,
        "connector": None,
        "network": "main",
        "subnet": "run",
        "egress": "PRIVATE_RANGES_ONLY",
    }
    assert [call.method for call in cloud.calls] == ["jobs.get"]


def test_the_deadline_cancels(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds, cloud.cancel_seconds = None, 0.1
    done = run(timeout=0.2)
    assert done["failed"]
    assert done["ended"] == "timed_out"
    assert done["tasks"]["cancelled"] == 1
    assert "was told to end, as it had not ended within the 0.2 s of timeout" in done["msg"]
    assert cloud.writes() == ["jobs.run pipeline", f"jobs.executions.cancel {done['execution'].split('/')[-1]}"]


def test_one_that_does_not_end_when_it_is_told_to(run: Run, cloud: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_job, "CANCEL_SECONDS", 0.1)
    cloud.execution_seconds, cloud.cancel_seconds = None, 60
    done = run(timeout=0.1)
    assert done["failed"]
    assert (done["ended"], done["tasks"]["cancelled"]) == ("timed_out", 0)


def test_the_deadline_without_cancelling(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = None
    done = run(timeout=0.1, cancel_on_timeout=False)
    assert done["failed"]
    assert done["ended"] == "running"
    short = done["execution"].split("/")[-1]
    assert f"gcloud run jobs executions cancel {short} --region europe-west1 --project demo-project" in done["msg"]
    assert cloud.writes() == ["jobs.run pipeline"]


def test_one_that_ends_as_it_is_to_be_cancelled(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = None
    cloud.fault("jobs.executions.cancel", before=lambda: cloud.end("succeeded"))
    done = run(timeout=0.1)
    assert (done.get("failed"), done["ended"]) == (None, "succeeded")


def test_one_that_may_not_be_cancelled_is_said_to_run_on(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds, cloud.denied = None, {"jobs.executions.cancel"}
    done = run(timeout=0.1)
    assert done["failed"]
    assert "was started, and then: executions.cancel" in done["msg"]
    assert "role run.jobsExecutor" in done["msg"]
    assert done["execution"] in cloud.executions


def test_somebody_else_cancels(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = None
    cloud.fault("jobs.executions.get", before=lambda: cloud.end("cancelled"))
    done = run()
    assert done["failed"]
    assert done["ended"] == "cancelled"
    assert "was cancelled by somebody else" in done["msg"]


# Refusals and warnings before an execution

ADDRESS = {"gateway_address": "10.10.0.2"}
OBSTACLES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no way into the VPC": ({"vpcAccess": None}, ADDRESS, "gcp-run-no-vpc job"),
    "the public address of the VM": (
        {},
        {"gateway_address": "203.0.113.7"},
        "gcp-run-egress gateway_address",
    ),
}
PROBLEMS: dict[str, tuple[dict[str, Any], str]] = {
    "the loopback": ({"gateway_address": "127.0.0.1"}, "gcp-run-loopback gateway_address"),
    "a zone for a region": ({"region": "europe-west1-b"}, "gcp-region-is-zone region"),
    "a full name": ({"job": NAME}, "gcp-run-job job"),
    "too many tasks": ({"task_count": 10_001}, "gcp-limits task_count"),
    "no time": ({"timeout": 0}, "gcp-run-timeout timeout"),
    "a task's time": ({"task_timeout": 0}, "gcp-limits task_timeout"),
    "a variable's name": ({"env": {"A=B": "1"}}, "gcp-run-env env.A=B"),
}


@pytest.mark.parametrize(("options", "expected"), PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("check", [False, True], ids=["", "check"])
def test_refused_before_the_first_call(
    run: Run, cloud: FakeRun, options: dict[str, Any], expected: str, check: bool
) -> None:
    done = run(check, **options)
    assert [f"{each['id']} {each['variable']}" for each in done["problems"]] == [expected]
    assert cloud.calls == []


@pytest.mark.parametrize(("task", "options", "said"), OBSTACLES.values(), ids=OBSTACLES)
@pytest.mark.parametrize("check", [False, True], ids=["", "check"])
def test_refused(
    run: Run, cloud: FakeRun, task: dict[str, Any], options: dict[str, Any], said: str, check: bool
) -> None:
    deploy(cloud, **task)
    done = run(check, **options)
    assert done["failed"]
    assert ids(done) == [said]
    assert cloud.writes() == []


WARNINGS: dict[str, tuple[dict[str, Any], str]] = {
    "no way into a VPC": ({"vpcAccess": None}, "--network NETWORK --subnet SUBNET --vpc-egress private-ranges-only"),
    "tags": (
        {"vpcAccess": {**DIRECT, "networkInterfaces": [{"subnetwork": "run", "tags": ["pipeline"]}]}},
        "one with source_tags never matches it",
    ),
    "retries": ({"maxRetries": 3}, "one that has sent orders may send them again"),
}


@pytest.mark.parametrize(("task", "said"), WARNINGS.values(), ids=WARNINGS)
def test_warned_of(run: Run, cloud: FakeRun, task: dict[str, Any], said: str) -> None:
    deploy(cloud, **task)
    done = run()
    assert done["ended"] == "succeeded"
    assert said in str(done["warnings"])


@pytest.mark.parametrize(
    ("access", "address"),
    [
        ({"connector": f"{PLACE}/connectors/c"}, "172.16.0.9"),
        ({"connector": f"{PLACE}/connectors/c", "egress": "ALL_TRAFFIC"}, "203.0.113.7"),
        (DIRECT, "100.64.0.1"),
        (DIRECT, "ibgw-paper.europe-west1-b.c.demo-project.internal"),
    ],
)
def test_not_refused(run: Run, cloud: FakeRun, access: dict[str, Any], address: str) -> None:
    deploy(cloud, vpcAccess=access)
    assert run(gateway_address=address)["ended"] == "succeeded"


def test_a_job_that_does_not_exist(run: Run, cloud: FakeRun) -> None:
    refused = run(job="pipelin")
    assert "has no such job. `gcloud run jobs list --region europe-west1" in refused["msg"]
    assert cloud.writes() == []


def test_a_job_that_is_not_ready(run: Run, cloud: FakeRun) -> None:
    condition = {"type": "Ready", "state": "CONDITION_FAILED", "reason": "CONTAINER_MISSING", "message": "No image."}
    cloud.jobs[NAME]["terminalCondition"] = condition
    refused = run()
    assert ids(refused) == ["gcp-run-not-ready job"]
    assert "CONTAINER_MISSING: No image." in refused["msg"]
    assert cloud.writes() == []


def test_a_job_that_runs_is_not_executed_again(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = None
    run(timeout=0.05, cancel_on_timeout=False)
    again = run()
    assert again["failed"]
    assert ids(again) == ["gcp-run-busy job"]
    assert again["msg"].endswith("Nothing was executed.")
    cloud.execution_seconds = 0
    assert run(allow_parallel=True)["ended"] == "succeeded"


# When Google says no, or nothing


def test_what_may_not_be_done(run: Run, cloud: FakeRun) -> None:
    cloud.denied = {"jobs.run"}
    assert "role run.jobsExecutorWithOverrides that with args, env" in run()["msg"]
    cloud.denied = {"jobs.get"}
    assert "role run.viewer allows reading it" in run()["msg"]
    cloud.denied, cloud.enabled = set(), False
    assert "gcloud services enable run.googleapis.com --project demo-project" in run()["msg"]
    cloud.enabled, cloud.token = True, "another"
    assert "the credentials give no access" in run()["msg"]
    assert not cloud.executions


def test_a_quota_that_is_used_up(run: Run, cloud: FakeRun) -> None:
    cloud.fault("jobs.run", status=429)
    done = run()
    assert "a quota is used up" in done["msg"]
    assert cloud.writes() == ["jobs.run pipeline"]


def test_what_passes_is_tried_again_while_it_is_read(run: Run, cloud: FakeRun) -> None:
    cloud.fault("jobs.get", status=503)
    cloud.fault("jobs.get", drop="before")
    cloud.fault("jobs.executions.get", status=503, times=8)
    cloud.fault("jobs.executions.get", drop="before", times=2)
    assert run()["ended"] == "succeeded"
    assert cloud.writes() == ["jobs.run pipeline"]


def test_a_lost_answer_is_not_sent_again_but_followed(run: Run, cloud: FakeRun) -> None:
    cloud.fault("jobs.run", drop="after")
    done = run()
    assert done["ended"] == "succeeded"
    assert "The answer was lost on its way" in str(done["warnings"])
    assert len(cloud.executions) == 1
    assert cloud.writes() == ["jobs.run pipeline"]


@pytest.mark.parametrize("fault", [{"drop": "before"}, {"status": 503}], ids=str)
def test_a_lost_request_is_not_sent_again(run: Run, cloud: FakeRun, fault: dict[str, Any]) -> None:
    run()
    cloud.fault("jobs.run", **fault)
    done = run()
    assert done["failed"]
    assert "has no new execution so far, but may still get one" in done["msg"]
    assert len(cloud.executions) == 1


def test_one_that_is_deleted_while_it_runs(run: Run, cloud: FakeRun) -> None:
    cloud.execution_seconds = None
    cloud.fault("jobs.executions.get", before=cloud.executions.clear)
    assert "is gone: somebody has deleted it while it ran" in run()["msg"]


def test_nothing_goes_to_the_real_google(run: Run) -> None:
    done = run(api_endpoint="https://run.googleapis.com")
    assert "no answer from the API" in done["msg"]


def test_no_credentials(run: Run, cloud: FakeRun) -> None:
    assert "No credentials for Google Cloud. Tried: option access_token" in run(access_token=None)["msg"]
    assert cloud.calls == []


def test_no_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, run_job.LIBRARY, None)
    assert "install google-cloud-run there" in run()["msg"]
