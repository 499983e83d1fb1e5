"""gcp_scheduler_jobs against the fake Cloud Scheduler."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from tests.fake_gcp.scheduler import FakeScheduler
from tests.unit.gcp.conftest import ids

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import client
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import scheduler_job
from ansible_collections.ibops.gateway.plugins.modules import gcp_scheduler_jobs

PLACE = "projects/demo-project/locations/europe-west1"
ACCOUNT = "hours@demo-project.iam.gserviceaccount.com"
START = {"name": "vm-start", "action": "start", "schedule": "15 9 * * 1-5", "time_zone": "America/New_York"}
STOP = {"name": "vm-stop", "action": "stop", "schedule": "55 10 * * 1-5", "time_zone": "America/New_York"}
BOTH = ["jobs.create vm-start", "jobs.create vm-stop"]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeScheduler]:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)
    with FakeScheduler() as fake:
        yield fake


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], cloud: FakeScheduler) -> Run:
    def call(check: bool = False, **changes: Any) -> dict[str, Any]:
        place = {"project": "demo-project", "region": "europe-west1", "zone": "europe-west1-b", "instance": "vm"}
        access = {"access_token": "token", "api_endpoint": cloud.endpoint}
        rest = {"service_account": ACCOUNT, "jobs": [START, STOP]}
        arguments = {**place, **access, **rest, **changes, "_ansible_check_mode": check}
        with patch_module_args(copy.deepcopy(arguments)), pytest.raises(SystemExit):
            gcp_scheduler_jobs.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return call


def test_create_repeat_remove(run: Run, cloud: FakeScheduler) -> None:
    predicted = run(check=True)
    assert cloud.writes() == []
    done = run()
    assert done["actions"] == predicted["actions"] == BOTH
    assert done["diff"] == predicted["diff"]
    job = cloud.jobs[f"{PLACE}/jobs/vm-start"]
    assert job["httpTarget"] == {
        "uri": "https://compute.googleapis.com/compute/v1/projects/demo-project/zones/europe-west1-b/instances/vm/start",
        "httpMethod": "POST",
        "oauthToken": {"serviceAccountEmail": ACCOUNT, "scope": "https://www.googleapis.com/auth/compute"},
        "headers": {"User-Agent": "Google-Cloud-Scheduler"},
    }
    assert (job["schedule"], job["timeZone"], job["attemptDeadline"]) == ("15 9 * * 1-5", "America/New_York", "60s")
    assert job["retryConfig"]["retryCount"] == 3
    assert job["description"] == "Start vm [ibops.gateway]"
    again = run()
    assert (again["changed"], again["actions"]) == (False, [])
    gone = run(jobs=[], service_account=None)
    assert gone["actions"] == ["jobs.delete vm-start", "jobs.delete vm-stop"]
    assert cloud.jobs == {}
    assert cloud.writes() == [*BOTH, *gone["actions"]]


DRIFT: dict[str, dict[str, Any]] = {
    "schedule": {"schedule": "* * * * *"},
    "zone": {"timeZone": "UTC"},
    "description": {"description": "Another [ibops.gateway]"},
    "retries": {"retryConfig": {"retryCount": 5}},
    "no retries": {"retryConfig": {}},
    "deadline": {"attemptDeadline": "180s"},
}
TARGETS: dict[str, dict[str, Any]] = {
    "another action": {
        "uri": "https://compute.googleapis.com/compute/v1/projects/demo-project/zones/europe-west1-b/instances/vm/start"
    },
    "method": {"httpMethod": "PUT"},
    "body": {"body": "e30="},
    "headers": {"headers": {"User-Agent": "Google-Cloud-Scheduler", "X": "y"}},
    "the whole scope": {"oauthToken": {"serviceAccountEmail": ACCOUNT, "scope": "https://x"}},
    "another account": {"oauthToken": {"serviceAccountEmail": "a@p.iam.gserviceaccount.com"}},
    "another kind of token": {"oauthToken": None, "oidcToken": {"serviceAccountEmail": ACCOUNT}},
}


@pytest.mark.parametrize(
    ("fields", "target"),
    [*((fields, {}) for fields in DRIFT.values()), *(({}, target) for target in TARGETS.values())],
    ids=[*DRIFT, *TARGETS],
)
def test_drift_is_mended_by_one_patch(
    run: Run, cloud: FakeScheduler, fields: dict[str, Any], target: dict[str, Any]
) -> None:
    run()
    name = f"{PLACE}/jobs/vm-stop"
    before = copy.deepcopy(cloud.jobs[name])
    changed = {key: value for key, value in {**before["httpTarget"], **target}.items() if value is not None}
    cloud.jobs[name] |= {**fields, "httpTarget": changed}
    predicted = run(check=True)
    done = run()
    assert done["actions"] == predicted["actions"] == ["jobs.patch vm-stop"]
    assert done["diff"] == predicted["diff"]
    assert cloud.jobs[name] == before
    assert not run()["changed"]


def test_paused_and_resumed_only_when_it_is_said(run: Run, cloud: FakeScheduler) -> None:
    assert run(jobs=[START, {**STOP, "paused": True}])["actions"] == [*BOTH, "jobs.pause vm-stop"]
    assert not run()["changed"]
    assert cloud.jobs[f"{PLACE}/jobs/vm-stop"]["state"] == "PAUSED"
    moved = {**STOP, "schedule": "0 12 * * *", "paused": False}
    assert run(jobs=[START, moved])["actions"] == ["jobs.patch vm-stop", "jobs.resume vm-stop"]


def test_only_what_carries_the_mark_and_is_this_vm_s_is_deleted(run: Run, cloud: FakeScheduler) -> None:
    run()
    run(instance="other", jobs=[{**START, "name": "other-start"}])
    cloud.jobs[f"{PLACE}/jobs/mine"] = {
        **cloud.jobs[f"{PLACE}/jobs/vm-start"],
        "name": f"{PLACE}/jobs/mine",
        "description": "by hand",
    }
    assert run(jobs=[STOP])["actions"] == ["jobs.delete vm-start"]
    assert sorted(name.split("/")[-1] for name in cloud.jobs) == ["mine", "other-start", "vm-stop"]


@pytest.mark.parametrize(
    ("instance", "description", "said"),
    [
        ("vm", "by hand", "its description does not end in [ibops.gateway]"),
        ("other", "[ibops.gateway]", "it starts or stops projects/demo-project/zones/europe-west1-b/instances/other"),
    ],
)
def test_a_name_that_is_taken(run: Run, cloud: FakeScheduler, instance: str, description: str, said: str) -> None:
    run(instance=instance)
    for job in cloud.jobs.values():
        job["description"] = description
    count = len(cloud.writes())
    done = run()
    assert done["failed"]
    assert said in done["msg"]
    assert len(cloud.writes()) == count


def test_many_jobs_are_read_page_by_page(run: Run, cloud: FakeScheduler) -> None:
    cloud.page = 2
    many = [{**START, "name": f"vm-{number}"} for number in range(5)]
    run(jobs=many)
    assert not run(jobs=many)["changed"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "cron of four fields": ({"jobs": [{**START, "schedule": "15 9 * *"}]}, "gcp-job-schedule jobs[0].schedule"),
    "words": ({"jobs": [{**START, "schedule": "every 5 minutes on friday"}]}, "gcp-job-schedule jobs[0].schedule"),
    "zone of time": ({"jobs": [{**START, "time_zone": "New York"}]}, "gcp-job-time-zone jobs[0].time_zone"),
    "job's name": ({"jobs": [{**START, "name": "vm start"}]}, "gcp-job-name jobs[0].name"),
    "twice": ({"jobs": [START, START]}, "gcp-repeated jobs"),
    "no account": ({"service_account": None}, "gcp-job-account service_account"),
    "a person": ({"service_account": "me@example.com"}, "gcp-job-account service_account"),
    "region for zone": ({"zone": "europe-west1"}, "gcp-zone zone"),
    "path for VM": ({"instance": "zones/b/instances/vm"}, "gcp-vm-name instance"),
    "retries": ({"retry": {"count": 6}}, "gcp-limits retry.count"),
    "deadline": ({"attempt_deadline": 5}, "gcp-limits attempt_deadline"),
}


@pytest.mark.parametrize(("options", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_before_the_first_call(run: Run, cloud: FakeScheduler, options: dict[str, Any], expected: str) -> None:
    done = run(**options)
    assert done["failed"]
    assert [f"{each['id']} {each['variable']}" for each in done["problems"]] == [expected]
    assert cloud.calls == []


@pytest.mark.parametrize("verb", ["create", "patch", "delete", "pause"])
def test_a_lost_answer(run: Run, cloud: FakeScheduler, verb: str) -> None:
    if verb != "create":
        run()
    jobs = {
        "create": [START, STOP],
        "patch": [START, {**STOP, "schedule": "1 1 * * *"}],
        "delete": [START],
        "pause": [START, {**STOP, "paused": True}],
    }[verb]
    cloud.fault(f"jobs.{verb}", drop="after")
    done = run(jobs=jobs)
    assert not done.get("failed"), done
    assert not run(jobs=jobs)["changed"]


def test_a_run_that_ends_in_the_middle_is_completed_by_the_next(run: Run, cloud: FakeScheduler) -> None:
    cloud.fault("jobs.create", before=lambda: cloud.fault("jobs.create", status=403))
    done = run()
    assert done["failed"]
    assert done["changed"]
    assert "Done before: jobs.create vm-start." in done["msg"]
    assert "Role cloudscheduler.admin allows it" in done["msg"]
    assert run()["actions"] == ["jobs.create vm-stop"]


def test_the_api_is_not_enabled(run: Run, cloud: FakeScheduler) -> None:
    cloud.enabled = False
    assert "gcloud services enable cloudscheduler.googleapis.com --project demo-project" in run()["msg"]


@pytest.mark.programs
@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_what_gcloud_makes_is_the_same(run: Run, cloud: FakeScheduler, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDSCHEDULER": f"{cloud.endpoint}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "token",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_PROJECT": "demo-project",
    }
    uri = "https://compute.googleapis.com/compute/v1/projects/demo-project/zones/europe-west1-b/instances/vm/start"
    command = ["gcloud", "scheduler", "jobs", "create", "http", "vm-start", "--location=europe-west1", f"--uri={uri}"]
    command += ["--schedule=15 9 * * 1-5", "--time-zone=America/New_York", "--http-method=POST", "--quiet"]
    command += [f"--oauth-service-account-email={ACCOUNT}", f"--oauth-token-scope={scheduler_job.SCOPE}"]
    command += ["--description=Start vm [ibops.gateway]", "--attempt-deadline=60s", "--max-retry-attempts=3"]
    command += ["--min-backoff=10s", "--max-backoff=60s", "--max-doublings=3"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run(jobs=[START])["diff"] == {"before": {}, "after": {}}


@pytest.mark.parametrize("place", ["projects/other/zones/europe-west1-b", "projects/demo-project/zones/europe-west1-c"])
def test_a_job_of_a_namesake_vm_is_not_ours(run: Run, cloud: FakeScheduler, place: str) -> None:
    run(jobs=[START])
    (name,) = cloud.jobs
    theirs = f"{PLACE}/jobs/theirs"
    cloud.jobs[theirs] = {**cloud.jobs[name], "name": theirs}
    target = cloud.jobs[theirs]["httpTarget"]
    uri = f"https://compute.googleapis.com/compute/v1/{place}/instances/vm/start"
    cloud.jobs[theirs] = {**cloud.jobs[theirs], "httpTarget": {**target, "uri": uri}}
    assert run(jobs=[START])["actions"] == []
    assert run(jobs=[])["actions"] == ["jobs.delete vm-start"]
    assert list(cloud.jobs) == [theirs]
    refused = run(jobs=[{**START, "name": "theirs"}])
    assert ids(refused) == ["gcp-job-taken jobs[0].name"]
    assert f"it starts or stops {place}/instances/vm" in refused["msg"]
