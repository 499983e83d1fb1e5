"""The custom roles of docs/google_cloud_roles are what the modules call, no more and no less.

The calls are those of the fake's log. With GCP_ROLES=write, the roles are written instead of compared.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.monitoring import FakeDashboards, FakeLogging, FakeMonitoring
from tests.fake_gcp.permissions import PERMISSIONS
from tests.fake_gcp.platform import FakePlatform
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.scheduler import FakeScheduler
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import MACHINE, ROLES, RunModule, document, granted
from tests.unit.gcp.test_gcp_monitoring import BLOCKED, BLOCKS, DASHBOARD
from tests.unit.gcp.test_gcp_run_job import deploy

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import instances
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job
from ansible_collections.ibops.gateway.plugins.modules import (
    gcp_monitoring,
    gcp_network,
    gcp_network_info,
    gcp_run_job,
    gcp_scheduler_jobs,
    gcp_vm,
    gcp_vm_info,
)

HEAD = {
    "operator": ("ibops.gateway operator", "Makes, changes and removes what playbooks of ibops.gateway make"),
    "monitoring": ("ibops.gateway monitoring", "Makes, changes and removes what module gcp_monitoring makes"),
    "ci": ("ibops.gateway CI", "Starts and stops gateways' VMs and executes Cloud Run jobs"),
}
JOB = {"name": "start", "action": "start", "schedule": "15 9 * * 1-5", "time_zone": "America/New_York"}
CHANGED: dict[str, Any] = {
    "machine_type": "e2-medium",
    "labels": {},
    "tags": [],
    "metadata": {},
    "external_address": "out",
    "service_account": "",
    "shielded": {"vtpm": False},
    "scheduling": {"max_run_duration": 0},
    "deletion_protection": True,
    "disk": {"size": 30, "labels": {}},
    "snapshots": {"keep_days": 8},
    "stop_for_update": True,
}


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeScheduler]:
    with FakeScheduler() as server:
        monkeypatch.setenv("GCP_SCHEDULER_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakePlatform]]:
    with FakeMonitoring() as policies, FakeLogging() as logs, FakeDashboards() as dashboards:
        policies.channels = set(BLOCKED["channels"])
        for name, server in (("MONITORING", policies), ("LOGGING", logs), ("DASHBOARDS", dashboards)):
            monkeypatch.setenv(f"GCP_{name}_ENDPOINT", server.endpoint)
        yield [policies, logs, dashboards]


@pytest.fixture
def role(
    fake: FakeGcp,
    cloud_run: FakeRun,
    connectors: FakeConnectors,
    scheduler: FakeScheduler,
    watched: list[FakePlatform],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Any]:
    """In its block, whoever asks has one role; its permissions are those of the calls that were made."""
    monkeypatch.setattr(run_job, "POLL_SECONDS", 0.01)
    fakes: dict[str, list[FakeGcp]] = {"compute": [fake], "run": [cloud_run], "vpcaccess": [connectors]}
    fakes |= {"cloudscheduler": [scheduler], "monitoring": [watched[0], watched[2]], "logging": [watched[1]]}
    every = [each for some in fakes.values() for each in some]

    @contextmanager
    def block(name: str) -> Iterator[None]:
        for each in every:
            each.calls.clear()
            each.granted = None if os.environ.get("GCP_ROLES") == "write" else granted(name)
        yield
        # An operation that has ended is not waited for, but may be.
        called = {f"{api}.{call.method}" for api, some in fakes.items() for each in some for call in each.calls}
        waits = {"operator": ("zone", "global", "region"), "ci": ("zone",)}.get(name, ())
        called |= {f"compute.{scope}Operations.wait" for scope in waits}
        needed = sorted({permission for method in called for permission in PERMISSIONS[method]})
        title, text = HEAD[name]
        written = {"title": title, "description": text, "stage": "GA", "includedPermissions": needed}
        if os.environ.get("GCP_ROLES") == "write":
            listed = "".join(f"\n  - {permission}" for permission in needed)
            text = f"---\ntitle: {title}\ndescription: {text}\nstage: GA\nincludedPermissions:{listed}\n"
            (ROLES / f"{name}.yaml").write_text(text)
        assert yaml.safe_load((ROLES / f"{name}.yaml").read_text()) == written
        for each in every:
            each.granted = None

    return block


def execute(call: RunModule, cloud_run: FakeRun, **options: Any) -> dict[str, Any]:
    deploy(cloud_run)
    found = call(gcp_run_job.main, job="pipeline", api_endpoint=cloud_run.endpoint, **options)
    # It would be in the way of the network's removal.
    cloud_run.jobs.clear()
    return found


def listed(fake: FakeGcp) -> list[instances.Instance]:
    who = credentials.find("token", None)
    return instances.labelled("demo-project", {"role": "ib-gateway"}, lambda: who, fake.endpoint, 60)


def done(result: dict[str, Any]) -> None:
    assert "failed" not in result, result["msg"]


def test_the_operator(
    call: RunModule, fake: FakeGcp, cloud_run: FakeRun, scheduler: FakeScheduler, role: Callable[..., Any]
) -> None:
    addresses = [{"name": "nat"}, {"name": "paper", "type": "INTERNAL", "subnet": "gateway"}, {"name": "out"}]
    asked = document(addresses=[*addresses, {"name": "other"}])
    with role("operator"):
        done(call(gcp_network.main, **asked))
        own = {"name": "other", "network_ip": None, "image": "projects/debian-cloud/global/images/debian-12-v20261110"}
        done(call(gcp_vm.main, True, **{**MACHINE, **own}))
        done(call(gcp_vm.main, True, **{**MACHINE, "disk": {"snapshot": "latest"}}))
        done(call(gcp_vm.main, **MACHINE))
        place = {"region": "europe-west1", "zone": "europe-west1-b"}
        done(call(gcp_vm_info.main, name="ibgw-paper", **place))
        done(call(gcp_network_info.main, name="main"))
        assert len(listed(fake)) == 1
        # Every field that can change.
        changed = document(
            network={"name": "main", "mtu": 1500},
            subnets=[
                {"name": "gateway", "range": "10.10.0.0/27", "private_google_access": False,
                 "flow_logs": {"enabled": True}},
                asked["subnets"][1],
            ],
            addresses=[{**each, "labels": {"x": "y"}} for each in asked["addresses"]],
            router={**asked["router"], "nats": [{**asked["router"]["nats"][0], "min_ports_per_vm": 128}]},
            firewalls=[{**asked["firewalls"][0], "priority": 800}],
        )  # fmt: skip
        done(call(gcp_network.main, **changed))
        done(call(gcp_network.main, **{**changed, "router": {"name": "router", "nats": []}}))
        done(call(gcp_vm.main, **{**MACHINE, **CHANGED}))
        fake.put("zones/europe-west1-b/instances/ibgw-paper", disks=[
            {**fake.resource("zones/europe-west1-b/instances/ibgw-paper")["disks"][0], "autoDelete": False}
        ])  # fmt: skip
        done(call(gcp_vm.main, **{**MACHINE, "external_address": "", "disk": None, "stop_for_update": True,
                                  "snapshots": {"enabled": False}}))  # fmt: skip
        done(call(gcp_vm.main, **{**MACHINE, "disk": None}))
        done(call(gcp_vm.main, **{**MACHINE, "disk": None, "state": "stopped"}))
        jobs = {"instance": "ibgw-paper", "service_account": "hours@demo-project.iam.gserviceaccount.com", **place}
        for each in ([JOB], [{**JOB, "paused": True}], [{**JOB, "paused": False, "schedule": "1 9 * * *"}], []):
            done(call(gcp_scheduler_jobs.main, jobs=each, api_endpoint=scheduler.endpoint, **jobs))
        done(execute(call, cloud_run))
        cloud_run.execution_seconds = None
        assert execute(call, cloud_run, timeout=0.05)["ended"] == "timed_out"
        done(call(gcp_vm.main, **{**MACHINE, "state": "absent"}))
        done(call(gcp_network.main, **{**asked, "state": "absent"}))
    assert fake.state.resources == {}


def test_ci(machine: RunModule, call: RunModule, fake: FakeGcp, cloud_run: FakeRun, role: Callable[..., Any]) -> None:
    """A pipeline that starts the paper VM, executes its job and stops the VM again."""
    place = {"name": "ibgw-paper", "zone": "europe-west1-b", "mode": "paper"}
    machine(state="stopped")
    with role("ci"):
        assert len(listed(fake)) == 1
        done(call(gcp_vm.main, **place))
        done(call(gcp_vm_info.main, name="ibgw-paper", zone="europe-west1-b"))
        done(execute(call, cloud_run, args=["--once"]))
        cloud_run.execution_seconds = None
        assert execute(call, cloud_run, timeout=0.05)["ended"] == "timed_out"
        done(call(gcp_vm.main, **place, state="stopped"))


def test_monitoring(capsys: pytest.CaptureFixture[str], watched: list[FakePlatform], role: Callable[..., Any]) -> None:
    whole: dict[str, Any] = {"policies": [BLOCKED], "log_metrics": [BLOCKS], "dashboard": DASHBOARD}
    changed: dict[str, Any] = {
        "policies": [{**BLOCKED, "severity": "error"}],
        "log_metrics": [{**BLOCKS, "text": "Others"}],
        "dashboard": {**DASHBOARD, "displayName": "Another"},
    }
    with role("monitoring"):
        for options in (whole, changed, {"state": "absent"}):
            with (
                patch_module_args({"project": "demo-project", "access_token": "token", **copy.deepcopy(options)}),
                pytest.raises(SystemExit),
            ):
                gcp_monitoring.main()
            done(json.loads(capsys.readouterr().out))


def test_more_than_a_role_has_is_refused(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.granted = granted("ci")
    refused = machine(labels={})
    assert "Required 'compute." in refused["msg"]
    assert fake.resource("zones/europe-west1-b/instances/ibgw-paper")["labels"]["env"] == "paper"


@pytest.mark.parametrize("name", HEAD)
def test_the_line_that_makes_it_is_in_the_docs(name: str) -> None:
    page = (ROLES.parent / "how-to" / "google_cloud.md").read_text()
    assert f'--file "$IBGW/docs/google_cloud_roles/{name}.yaml"' in page


def test_every_permission_is_one_of_its_api() -> None:
    """No typing mistake: each begins with its API and has three words."""
    every = {permission for needed in PERMISSIONS.values() for permission in needed}
    assert all(len(each.split(".")) == 3 for each in every)
    assert {each.split(".")[0] for each in every} == {
        *("compute", "run", "cloudscheduler", "vpcaccess", "monitoring", "logging")
    }
