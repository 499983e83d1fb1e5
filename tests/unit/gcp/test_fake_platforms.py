"""The fakes of Cloud Run and Cloud Scheduler: as strict as Google's documents, and as what Google says besides."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.fake_gcp.platform import FakePlatform
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.scheduler import FakeScheduler

PLACE = "projects/demo-project/locations/europe-west1"
RUN, SCHEDULER = f"/v2/{PLACE}/jobs", f"/v1/{PLACE}/jobs"
CONTAINERS = {"containers": [{"image": "x"}]}
TARGET = {"uri": "https://compute.googleapis.com/x", "httpMethod": "POST"}
HOURLY = {"name": f"{PLACE}/jobs/a", "schedule": "0 * * * *", "httpTarget": TARGET}


def job(**task: Any) -> dict[str, Any]:
    return {"template": {"template": {**CONTAINERS, **task}}}


def ask(fake: FakePlatform, verb: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
    request = urllib.request.Request(fake.endpoint + path, data, headers, method=verb)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture
def cloud_run() -> Iterator[FakeRun]:
    with FakeRun() as fake:
        yield fake


@pytest.fixture
def scheduler() -> Iterator[FakeScheduler]:
    with FakeScheduler() as fake:
        yield fake


REFUSED_BY_RUN: dict[str, tuple[str, str, Any, int, str]] = {
    "version": ("GET", f"/v1/{PLACE}/jobs/a", None, 404, "was not found on this server"),
    "place": ("GET", "/v2/projects/demo-project/jobs/a", None, 404, "was not found on this server"),
    "verb": ("PUT", f"{RUN}/a", job(), 405, "PUT is not allowed"),
    "no job": ("GET", f"{RUN}/a", None, 404, "was not found"),
    "no name": ("POST", RUN, job(), 400, "job_id"),
    "name": ("POST", f"{RUN}?jobId=A", job(), 400, "is no name for a job"),
    "parameter": ("POST", f"{RUN}?jobId=a&bogus=1", job(), 400, 'Unknown name "bogus"'),
    "field": (
        "POST",
        f"{RUN}?jobId=a",
        job(retries=1),
        400,
        "Unknown name \"retries\" at 'resource.template.template'",
    ),
    "type": ("POST", f"{RUN}?jobId=a", job(maxRetries="none"), 400, "TYPE_INT"),
    "duration": ("POST", f"{RUN}?jobId=a", job(timeout="10m"), 400, "(Duration)"),
    "enum's name": ("POST", f"{RUN}?jobId=a", job(vpcAccess={"egress": "PRIVATE"}), 400, "must be one of"),
    "enum's number": ("POST", f"{RUN}?jobId=a", job(vpcAccess={"egress": 9}), 400, "TYPE_STRING"),
    "no container": ("POST", f"{RUN}?jobId=a", {"template": {}}, 400, "a container with an image is required"),
    "output only": ("POST", f"{RUN}?jobId=a", {**job(), "uid": "x"}, 400, "output only"),
    "egress alone": ("POST", f"{RUN}?jobId=a", job(vpcAccess={"egress": 2}), 400, "either a connector or"),
    "two interfaces": (
        "POST",
        f"{RUN}?jobId=a",
        job(vpcAccess={"networkInterfaces": [{"network": "a"}, {"network": "b"}]}),
        400,
        "one, with a network",
    ),
    "retries": ("POST", f"{RUN}?jobId=a", job(maxRetries=11), 400, "max_retries: 11 is not from 0 to 10"),
}
REFUSED_BY_SCHEDULER: dict[str, tuple[dict[str, Any], str]] = {
    "cron": ({"schedule": "every hour"}, "Schedule or time zone is invalid"),
    "minute": ({"schedule": "60 * * * *"}, "Schedule or time zone is invalid"),
    "zone": ({"timeZone": "New York"}, "is no time zone"),
    "no target": ({"httpTarget": None}, "One target has to be set"),
    "method": ({"httpTarget": {**TARGET, "httpMethod": 9}}, "TYPE_STRING"),
    "body of a GET": ({"httpTarget": {**TARGET, "httpMethod": "GET", "body": "e30="}}, "only POST, PUT and PATCH"),
    "body": ({"httpTarget": {**TARGET, "body": "{}"}}, "TYPE_BYTES"),
    "token": ({"httpTarget": {"uri": "https://example.com", "oauthToken": {}}}, "for *.googleapis.com only"),
    "retries": ({"retryConfig": {"retryCount": 6}}, "0 to 5"),
    "deadline": ({"attemptDeadline": "3600s"}, "15 seconds to 30 minutes"),
    "state": ({"state": "PAUSED"}, "output only"),
    "another place": ({"name": "projects/demo-project/locations/us-east1/jobs/a"}, "Job name must be formatted"),
}


@pytest.mark.parametrize(("verb", "path", "body", "status", "said"), REFUSED_BY_RUN.values(), ids=REFUSED_BY_RUN)
def test_run_refuses(cloud_run: FakeRun, verb: str, path: str, body: Any, status: int, said: str) -> None:
    found, answer = ask(cloud_run, verb, path, body)
    assert found == status, answer
    assert said in answer["error"]["message"]
    assert cloud_run.jobs == {}


@pytest.mark.parametrize(("changes", "said"), REFUSED_BY_SCHEDULER.values(), ids=REFUSED_BY_SCHEDULER)
def test_scheduler_refuses(scheduler: FakeScheduler, changes: dict[str, Any], said: str) -> None:
    body = {name: value for name, value in {**HOURLY, **changes}.items() if value is not None}
    status, answer = ask(scheduler, "POST", SCHEDULER, body)
    assert status == 400
    assert said in answer["error"]["message"]
    assert scheduler.jobs == {}


def test_enums_come_by_number_as_google_s_libraries_send_them(cloud_run: FakeRun) -> None:
    access = {"egress": 1, "networkInterfaces": [{"network": "a"}]}
    body = {**job(vpcAccess=access), "launchStage": 4}
    assert ask(cloud_run, "POST", f"{RUN}?jobId=a&$alt=json%3Benum-encoding%3Dint", body)[0] == 200
    found = cloud_run.jobs[f"{PLACE}/jobs/a"]
    assert (found["launchStage"], found["template"]["template"]["vpcAccess"]["egress"]) == ("GA", "ALL_TRAFFIC")


def test_an_operation_ends_after_its_time(cloud_run: FakeRun) -> None:
    cloud_run.operation_seconds = 60
    _status, operation = ask(cloud_run, "POST", f"{RUN}?jobId=a", job())
    assert "done" not in ask(cloud_run, "GET", f"/v2/{operation['name']}")[1]
    cloud_run.operations[operation["name"]].due = 0
    assert ask(cloud_run, "POST", f"/v2/{operation['name']}:wait", {})[1]["done"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_an_execution_ends_as_it_is_told(cloud_run: FakeRun, outcome: str) -> None:
    cloud_run.execution_seconds = None
    ask(cloud_run, "POST", f"{RUN}?jobId=a", job())
    _status, operation = ask(cloud_run, "POST", f"{RUN}/a:run")
    assert "done" not in operation
    cloud_run.end(outcome)
    _status, ended = ask(cloud_run, "GET", f"/v2/{operation['name']}")
    assert ended["done"]
    assert ("error" in ended) == (outcome == "failed")
    assert ended["metadata"][f"{outcome}Count"] == 1
    (listed,) = ask(cloud_run, "GET", f"{RUN}/a/executions")[1]["executions"]
    assert listed["name"] == ended["metadata"]["name"]
