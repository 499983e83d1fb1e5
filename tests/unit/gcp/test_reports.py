"""A report says what was sent and what was answered, whatever went wrong: it is held against the fake's own log."""

from __future__ import annotations

import copy
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.scheduler import FakeScheduler
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import DOCUMENT, MACHINE, RunModule
from tests.unit.gcp.test_gcp_run_job import deploy

from ansible_collections.ibops.gateway.plugins.module_utils import _gcp
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import apply, client, errors
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import Failure
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.resources import run_job
from ansible_collections.ibops.gateway.plugins.modules import (
    gcp_network,
    gcp_run_job,
    gcp_scheduler_jobs,
    gcp_vm,
)

PAGE = "<html><title>Sign in to the network</title></html>"
HTML, EMPTY = {"page": (200, PAGE)}, {"page": (200, "")}
LASTING = {"status": 503, "times": 100}

# Where it happens, what, what the message has, and the writes that stay open.
ANSWERS: dict[str, tuple[str, dict[str, Any], list[str], list[str]]] = {
    "404 on list": ("addresses.list", {"status": 404}, ["addresses.list: On order.", "project demo-project"], []),
    "404 on wait": (
        "globalOperations.wait",
        {"status": 404},
        ["networks.insert main: On order.", "gcloud compute operations describe operation-", "--global"],
        ["networks.insert main"],
    ),
    "HTML on get": ("networks.get", HTML, ["networks.get main: the answer is not Google's", "Check api_endpoint"], []),
    "empty on get": ("networks.get", EMPTY, ["networks.get main: the answer is not Google's"], []),
    "HTML on list": ("routers.list", HTML, ["routers.list: the answer is not Google's"], []),
    "HTML on insert": (
        "networks.insert",
        {**HTML, "carried_out": True},
        ["networks.insert main: the answer is not Google's", "it may have been carried out"],
        ["networks.insert main"],
    ),
    "empty on insert": ("networks.insert", {**EMPTY, "carried_out": True}, ["may have been"], ["networks.insert main"]),
    "HTML on wait": ("globalOperations.wait", HTML, ["the answer is not Google's"], ["networks.insert main"]),
    "HTML with 502": (
        "networks.get",
        {"page": (502, PAGE), "times": 100},
        ["networks.get main: <html>", "(HTTP 502)", "Run again later"],
        [],
    ),
    "503 for long": (
        "networks.insert",
        LASTING,
        ["networks.insert main: On order. (HTTP 503)", "https://status.cloud.google.com", "Run again later"],
        ["networks.insert main"],
    ),
    "503 for long on list": ("firewalls.list", LASTING, ["firewalls.list: On order. (HTTP 503)"], []),
    "a policy of the organization": (
        "networks.insert",
        {"status": 412, "reason": "conditionNotMet", "text": "Constraint constraints/compute.x violated."},
        ["networks.insert main: a policy of the organization forbids it: Constraint", "Ask its administrator"],
        [],
    ),
    **{
        text: (
            "networks.insert",
            {"status": status, "reason": "conditionNotMet", "text": text},
            ["networks.insert main: a policy of the organization forbids it: ", *said],
            [],
        )
        for status, text, *said in (
            (412, "Constraint constraints/compute.vmExternalIpAccess violated for project 1.", "gcp_vm_egress: nat"),
            (412, "Constraint constraints/compute.requireShieldedVm violated for project projects/1.", "Shielded"),
            (
                412,
                "Constraint constraints/compute.trustedImageProjects violated for project p. Use of images of "
                "debian-cloud is prohibited.",
                "describe compute.trustedImageProjects --effective --project demo-project` shows them",
            ),
            (412, "'europe-west1' violates constraint 'constraints/gcp.resourceLocations'", "Choose a gcp_vm_zone"),
            (412, "Constraint constraints/compute.requireOsLogin violated for project 1.", "enable-oslogin alone"),
            (403, "Operation denied by org policy: [customConstraints/custom.onlyE2]", "Ask its administrator"),
        )
    },
    "no more machines": (
        "networks.insert",
        {"operation_error": ("ZONE_RESOURCE_POOL_EXHAUSTED", "Try a different zone.")},
        ["the zone has no such machine left at the moment: Try a different zone.", "Choose another machine type"],
        [],
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_is_answered(run: RunModule, fake: FakeGcp, kind: str) -> None:
    method, fault, said, unfinished = ANSWERS[kind]
    fake.state.operation_seconds = 0.02 if method.endswith("wait") else 0.0
    fake.fault(method, **fault)
    failed = run(addresses=None, router=None, firewalls=None)
    assert failed["failed"] is True
    for each in said:
        assert each in failed["msg"]
    assert failed.get("unfinished", []) == unfinished
    assert ("Nothing was changed." in failed["msg"]) is (not unfinished)


ROWS = [
    (Failure(400, frozenset({"resourceNotReady"}), ""), "busy", errors.ALWAYS),
    (Failure(400, frozenset({"resourceInUseByAnotherResource"}), ""), "in_use", errors.NEVER),
    (Failure(409, frozenset({"alreadyExists"}), ""), "changed", errors.NEVER),
    (Failure(412, frozenset({"conditionNotMet"}), ""), "changed", errors.NEVER),
    (Failure(412, frozenset({"conditionNotMet"}), "Constraint constraints/a violated"), "organization_policy", "never"),
    (Failure(403, frozenset({"SERVICE_DISABLED"}), ""), "api_disabled", errors.NEVER),
    (Failure(429, frozenset(), ""), "rate", errors.SOME),
    (Failure(403, frozenset({"quotaExceeded"}), ""), "quota", errors.NEVER),
    (Failure(0, frozenset({"QUOTA_EXCEEDED"}), ""), "quota", errors.NEVER),
    (Failure(0, frozenset({"ZONE_RESOURCE_POOL_EXHAUSTED"}), ""), "stockout", errors.NEVER),
    (Failure(401, frozenset(), ""), "credentials", errors.NEVER),
    (Failure(403, frozenset({"forbidden"}), ""), "forbidden", errors.NEVER),
    (Failure(404, frozenset({"notFound"}), ""), "not_found", errors.NEVER),
    *((Failure(status, frozenset(), ""), "unavailable", errors.SOME) for status in (408, 500, 502, 503, 504)),
    (Failure(400, frozenset({"invalid"}), ""), "refused", errors.NEVER),
    (Failure(0, frozenset({"INTERNAL_ERROR"}), ""), "other", errors.NEVER),
]


@pytest.mark.parametrize(("failure", "row", "retry"), ROWS, ids=[f"{f.status} {row}" for f, row, _ in ROWS])
def test_the_table_of_errors(failure: Failure, row: str, retry: str) -> None:
    found = errors.row(failure)
    assert (found.id, found.retry) == (row, retry)


def test_every_row_is_tried_and_has_a_next_step() -> None:
    assert {row.id for row in errors.ROWS} == {row for _, row, _ in ROWS} - {"other"}
    # Those without one are looked at again, or the text of Google is the step.
    assert {row.id for row in errors.ROWS if not row.next_step} == {"changed", "refused"}


def test_foreign_text_is_bounded_and_printable(run: RunModule, fake: FakeGcp) -> None:
    fake.fault("networks.get", status=400, text="\x1b[31m\u202e\u200b\u2066" + "x" * 5000)
    failed = run()
    assert failed["msg"].replace("…", "").isascii()
    assert "\x1b" not in failed["msg"]
    assert len(failed["msg"]) < 1000


@pytest.mark.parametrize("where", ["networks.get", "networks.insert"])
def test_a_drip_does_not_stretch_the_deadline(
    run: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(client, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    if where == "networks.get":
        run()
    fake.fault(where, drip=0.1, times=2)
    started = time.monotonic()
    failed = run()
    assert time.monotonic() - started < 10
    assert f"{where} main: no answer from the API: none that was whole within 0.5 s" in failed["msg"]
    assert failed.get("unfinished", []) == (["networks.insert main"] if where == "networks.insert" else [])


def test_an_answer_that_is_too_long(run: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr(client, "LONGEST_ANSWER", 1000)
    failed = run()
    assert "it is longer than 1000 bytes" in failed["msg"]


def test_a_name_that_is_not_resolved(run: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    """getaddrinfo has no timeout of its own."""
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_arguments, **_options: over.wait(30))
    started = time.monotonic()
    failed = run(timeout=1.0)
    # The threads that still wait end with this test, and not in a later one.
    over.set()
    assert time.monotonic() - started < 10
    assert "no answer from the API: none that was whole within" in failed["msg"]


@pytest.mark.parametrize("rest", [5.0, 0.0])
def test_a_signal_that_arrives_in_a_finalizer(rest: float) -> None:
    """Python drops what is raised there, whether the run goes on for long or is about to end."""

    @_gcp.interruptible()
    def run() -> None:
        weakref.finalize({*()}, os.kill, os.getpid(), signal.SIGTERM)
        time.sleep(rest)

    started = time.monotonic()
    with pytest.raises(errors.InterruptedRunError, match="SIGTERM"):
        run()
    assert time.monotonic() - started < 2


DEADLINE = {"seconds": 2.0}
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
FAULTS: dict[str, dict[str, Any]] = {
    "refused": {"status": 403},
    "failed": {"operation_error": ("INTERNAL_ERROR", "It broke.")},
    "lost": {"drop": "after", "times": 100},
    "not sent": {"drop": "before", "times": 100},
    "a page": {**HTML, "carried_out": True},
    "503": LASTING,
    "quota": {"status": 403, "reason": "quotaExceeded"},
    "a page of a proxy": {"page": (502, PAGE), "times": 100},
    "not found": {"status": 404, "reason": "notFound"},
    "conflict": {"status": 409, "reason": "aborted", "times": 100},
    "condition": {"status": 412, "times": 100},
    "rate": {"status": 429, "times": 100},
    "internal error": {"status": 500, "times": 100},
    "empty": {**EMPTY, "carried_out": True},
    "an empty object": {"page": (200, "{}"), "carried_out": True},
    "a list": {"page": (200, "[]"), "carried_out": True},
    "a refusal that is not Google's": {"page": (403, '{"error": "denied by the proxy"}')},
    "deadline": DEADLINE,
    **{each: {"before": lambda each=each: os.kill(os.getpid(), signal.Signals[each])} for each in SIGNALS},
}
CHANGED = {"machine_type": "e2-medium", "labels": {}, "tags": [], "stop_for_update": True, "disk": {"size": 30}}
# Of each run: the module, what it did before, its options, how many writes it has.
RUNS: dict[str, tuple[Any, list[dict[str, Any]], dict[str, Any], int]] = {
    "network made": (gcp_network.main, [], DOCUMENT, 8),
    "network removed": (gcp_network.main, [DOCUMENT], {**DOCUMENT, "state": "absent"}, 8),
    "VM made": (gcp_vm.main, [], {**MACHINE, "state": "stopped"}, 3),
    "VM changed": (gcp_vm.main, [MACHINE], {**MACHINE, **CHANGED}, 6),
    "VM removed": (gcp_vm.main, [MACHINE], {**MACHINE, "state": "absent"}, 2),
}


def test_there_are_many_failures() -> None:
    assert len(FAULTS) * sum(writes for _main, _before, _options, writes in RUNS.values()) >= 500


JOB = {"name": "vm-start", "action": "start", "schedule": "15 9 * * 1-5", "time_zone": "America/New_York"}
SCHEDULER = {
    "zone": "europe-west1-b",
    "instance": "vm",
    "service_account": "hours@demo-project.iam.gserviceaccount.com",
}
OLD, PAUSED = {**JOB, "name": "vm-old"}, {**JOB, "schedule": "1 9 * * *", "paused": True}
# Present resources, options, and the resulting writes.
JOBS: dict[str, tuple[list[Any], list[Any], list[str]]] = {
    "made": ([], [JOB, OLD], ["jobs.create vm-start", "jobs.create vm-old"]),
    "changed": ([JOB, OLD], [PAUSED], ["jobs.patch vm-start", "jobs.pause vm-start", "jobs.delete vm-old"]),
    "resumed": ([PAUSED], [{**PAUSED, "paused": False}], ["jobs.resume vm-start"]),
}
PLATFORM_FAULTS = {kind: fault for kind, fault in FAULTS.items() if not {"operation_error", "seconds"} & set(fault)}


@pytest.mark.parametrize("kind", PLATFORM_FAULTS)
@pytest.mark.parametrize("made", JOBS)
def test_the_report_on_schedules_is_the_fakes_own_log(
    call: RunModule, monkeypatch: pytest.MonkeyPatch, made: str, kind: str
) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    before, asked, planned = JOBS[made]
    for write in planned:
        with FakeScheduler() as scheduler:
            options = {**SCHEDULER, "api_endpoint": scheduler.endpoint}
            call(gcp_scheduler_jobs.main, jobs=copy.deepcopy(before), **options)
            assert call(gcp_scheduler_jobs.main, True, jobs=copy.deepcopy(asked), **options)["actions"] == planned
            method, name = write.split()
            scheduler.calls.clear()
            scheduler.fault(method, name=name, **PLATFORM_FAULTS[kind])
            report = call(gcp_scheduler_jobs.main, jobs=copy.deepcopy(asked), **options)
            if kind in SIGNALS:
                wait_until(lambda fake=scheduler, write=write: write in fake.carried_out[-1:])
            done = list(dict.fromkeys(scheduler.carried_out[len(before) + (before == [PAUSED]) :]))
        known = {*report["actions"], *report.get("unfinished", [])}
        assert set(report["actions"]) <= set(done) <= known, write
        assert ("Nothing was changed." in report.get("msg", "")) <= (not done), write
        assert report["changed"] is bool(known), write


@pytest.mark.parametrize("kind", PLATFORM_FAULTS)
@pytest.mark.parametrize("method", ["jobs.run", "jobs.executions.cancel", "jobs.executions.get"])
def test_the_report_on_an_execution_is_the_fakes_own_log(
    call: RunModule, cloud_run: FakeRun, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch, method: str, kind: str
) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    monkeypatch.setattr(run_job, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(run_job, "CANCEL_SECONDS", 1.0)
    deploy(cloud_run)
    cloud_run.execution_seconds = None if method.endswith("cancel") else 0.05
    cloud_run.fault(method, **PLATFORM_FAULTS[kind])
    report = call(gcp_run_job.main, job="pipeline", api_endpoint=cloud_run.endpoint, timeout=0.3)
    if kind in SIGNALS and method == "jobs.run":
        wait_until(lambda: bool(cloud_run.executions))
    begun = {name.rpartition("/")[2] for name in cloud_run.executions}
    assert len(begun) <= 1
    assert report.get("execution", "").rpartition("/")[2] in {"", *begun}
    # One that may have begun is told of, and one that did not begin is not.
    said = "jobs.run pipeline" in [*report.get("actions", []), *report.get("unfinished", [])]
    assert bool(begun) <= (bool(report.get("execution")) or said)
    assert report.get("changed", False) is bool(report.get("execution") or said)
    assert ("Nothing was executed." in report.get("msg", "")) <= (not begun)
    cancelled = {execution.outcome for execution in cloud_run.executions.values()} == {"cancelled"}
    if cancelled and report.get("ended") != "timed_out":
        assert "executions.cancel" in str([*report["actions"], *report["unfinished"]])


def operations(fake: FakeGcp) -> list[Any]:
    return list(fake.state.operations.values())


def name(operation: Any) -> str:
    """A write as reports have it, ``subnetworks.insert gateway``."""
    collection, resource = operation.target.split("/")[-2:]
    return f"{collection}.{operation.kind} {resource}"


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for what another thread does; a call that makes no operation is not waited for longer than *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("made", RUNS)
def test_the_report_is_the_fakes_own_log(
    call: RunModule,
    request: pytest.FixtureRequest,
    fake: FakeGcp,
    monkeypatch: pytest.MonkeyPatch,
    made: str,
    kind: str,
) -> None:
    """At every write of every run, every fault."""
    monkeypatch.setattr(apply, "RESTORE_SECONDS", 0.3)
    monkeypatch.setattr(client, "ATTEMPTS", 2)
    main, before, options, writes = RUNS[made]
    if main is gcp_vm.main:
        request.getfixturevalue("around")
    for each in before:
        call(main, **copy.deepcopy(each))
    start = copy.deepcopy(fake.state.resources)
    planned = call(main, True, **copy.deepcopy(options))["actions"]
    assert len(planned) == writes
    for method, target in (action.split() for action in planned):
        fake.state.resources, fake.state.operations = copy.deepcopy(start), {}
        fake.faults.waiting.clear()
        fault = dict(FAULTS[kind])
        fake.fault(method, name=target if method.endswith("insert") else "", **fault)
        fake.calls.clear()
        report = call(main, **copy.deepcopy(options), **({"timeout": 1.5} if kind == "deadline" else {}))
        # Requests in flight would end with a real process.
        # The list also has a thread that is only about to start, which cannot be joined.
        wait_until(lambda: not [each for each in threading.enumerate() if each.name.endswith("(work)")], 10)
        if kind in SIGNALS:
            # The fake carries out what it was sent, also when nobody listens any more; not in the next round.
            wait_until(lambda method=method: any(f".{method}" in f".{name(each)}" for each in operations(fake)))
        done = {name(each) for each in operations(fake) if not each.error}
        known = {*report["actions"], *report.get("unfinished", [])}
        # Nothing is reported that was not done, and nothing was done that is not reported.
        assert set(report["actions"]) <= done, method
        assert done <= known, method
        assert ("Nothing was changed." in report.get("msg", "")) <= (not done), method
        assert report["changed"] is bool(known), method
        if made == "VM changed" and "instances.stop ibgw-paper" in known:
            started = "instances.start ibgw-paper" in report["actions"]
            assert started or "`gcloud compute instances start ibgw-paper" in report["msg"], method
