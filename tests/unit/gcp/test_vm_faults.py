"""gcp_vm when Google, the network or another user interferes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fake_gcp import links, state
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import Ask, KilledAfter, RunModule
from tests.unit.gcp.test_gcp_vm import DISK, INSTANCE, LABELS, PROJECT

from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import compute

PASSING = [
    ("instances.get", {"status": 503}),
    ("addresses.get", {"drop": "before"}),
    ("resourcePolicies.insert", {"drop": "after"}),
    ("instances.insert", {"status": 503, "times": 2}),
    ("instances.insert", {"drop": "after"}),
    ("instances.insert", {"seconds": 0.2}),
    ("zoneOperations.wait", {"status": 503}),
    ("zoneOperations.wait", {"drop": "before"}),
]


@pytest.mark.parametrize(("method", "fault"), PASSING, ids=[f"{m} {f}" for m, f in PASSING])
def test_what_passes_is_waited_for(machine: RunModule, fake: FakeGcp, method: str, fault: dict[str, Any]) -> None:
    if method.endswith("wait"):
        fake.state.operation_seconds = 0.02
    fake.fault(method, **fault)
    assert len(machine()["actions"]) == 2
    assert not fake.faults.waiting
    ids = [call.request_id for call in fake.calls if call.method == method and call.verb == "POST"]
    if method.endswith("insert") and "seconds" not in fault:
        assert len(ids) - len(set(ids)) == fault.get("times", 1)
    assert machine()["changed"] is False


def test_an_operation_that_fails_after_200(machine: RunModule, fake: FakeGcp) -> None:
    fake.fault("instances.insert", operation_error=("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded."))
    failed = machine()
    assert "instances.insert ibgw-paper: a quota is used up: Quota 'CPUS' exceeded." in failed["msg"]
    assert "Done before: resourcePolicies.insert ibgw-paper." in failed["msg"]
    assert machine()["actions"] == ["instances.insert ibgw-paper"]


@pytest.mark.parametrize("method", ["setLabels", "stop", "setMachineType", "updateShieldedInstanceConfig", "start"])
def test_every_call_of_a_change_is_checked(machine: RunModule, fake: FakeGcp, method: str) -> None:
    machine()
    fake.fault(f"instances.{method}", operation_error=("INTERNAL_ERROR", "It broke."))
    wanted = {"machine_type": "e2-medium", "shielded": {"vtpm": False}, "labels": {}, "stop_for_update": True}
    failed = machine(**wanted)
    assert failed["failed"] is True
    assert f"instances.{method} ibgw-paper: INTERNAL_ERROR: It broke." in failed["msg"]
    assert machine(**wanted)["vm"]["status"] == "RUNNING"
    assert machine(**wanted)["changed"] is False


def test_a_call_that_is_refused(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.fault("instances.setTags", status=403)
    failed = machine(tags=[])
    assert failed["msg"].startswith("instances.setTags ibgw-paper: the credentials may not do this")
    assert "compute.instanceAdmin.v1" in failed["msg"]


def test_done_is_looked_at(machine: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    idle = {"instances.setTags": lambda found, request: found.change(request, found.entry(request.target).body)}
    monkeypatch.setattr(state, "ACTIONS", {**state.ACTIONS, **idle})
    failed = machine(tags=[])
    assert "answered that all is done, and a second look asks for instances.setTags ibgw-paper" in failed["msg"]
    assert (failed["changed"], failed["actions"]) == (True, ["instances.setTags ibgw-paper"])


def test_no_look_afterwards(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.fault("instances.setTags", before=lambda: fake.fault("instances.get", status=503, times=100))
    failed = machine(tags=[])
    assert failed["msg"].startswith("instances.get ibgw-paper: On order. (HTTP 503) ")
    assert failed["actions"] == ["instances.setTags ibgw-paper"]


def test_a_deadline_for_everything(machine: RunModule, fake: FakeGcp) -> None:
    fake.wait_seconds = 0.05
    fake.fault("instances.insert", seconds=2.5)
    failed = machine(timeout=1.5)
    assert "instances.insert ibgw-paper: not done within the 1.5 s of timeout; Google goes on with it" in failed["msg"]
    assert machine()["vm"]["name"] == "ibgw-paper"


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("method", "drift"),
    [
        ("instances.setLabels", {"labels": {**LABELS, "x": "y"}}),
        ("instances.setTags", {"tags": {"items": []}}),
        ("instances.setMetadata", {"metadata": {}}),
    ],
)
def test_one_more_try_after_412(
    machine: RunModule, fake: FakeGcp, method: str, drift: dict[str, Any], times: int
) -> None:
    machine()
    fake.put(INSTANCE, **drift)
    fake.fault(method, status=412, times=times)
    done = machine()
    assert done.get("failed", False) is (times == 2)
    if times == 1:
        assert done["actions"] == [f"{method} ibgw-paper"]
        assert machine()["changed"] is False


def test_a_stale_fingerprint(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    theirs = {**LABELS, "from": "elsewhere"}
    fake.put(INSTANCE, labels={**LABELS, "x": "y"})
    fake.fault("instances.setLabels", before=lambda: fake.put(INSTANCE, labels=theirs))
    assert machine()["actions"] == ["instances.setLabels ibgw-paper"]
    assert [call.status for call in fake.calls if call.method == "instances.setLabels"] == [412, 200]
    assert fake.resource(INSTANCE)["labels"] == LABELS


def test_no_stop_by_a_second_look(machine: RunModule, fake: FakeGcp) -> None:
    """A concurrent change needs a stop that nobody has allowed."""
    machine()
    medium = f"https://www.googleapis.com/compute/v1/{PROJECT}/zones/europe-west1-b/machineTypes/e2-medium"
    fake.put(INSTANCE, labels={"ibops-gateway": "ibgw-paper"})
    fake.fault("instances.setLabels", status=412, before=lambda: fake.put(INSTANCE, machineType=medium))
    fake.calls.clear()
    assert "set stop_for_update: true" in machine()["msg"]
    assert fake.writes() == ["instances.setLabels ibgw-paper"]
    assert fake.resource(INSTANCE)["status"] == "RUNNING"


@pytest.mark.parametrize(("theirs", "mended"), [({}, []), ({"tags": {}}, ["instances.setTags ibgw-paper"])])
def test_somebody_makes_the_same_at_the_same_time(
    machine: RunModule, fake: FakeGcp, theirs: dict[str, Any], mended: list[str]
) -> None:
    machine()
    paths = [f"{PROJECT}/{path}" for path in (INSTANCE, DISK)]
    entries = {path: fake.state.resources.pop(path) for path in paths}
    entries[paths[0]].body.update(theirs)
    fake.fault("instances.insert", before=lambda: fake.state.resources.update(entries))
    fake.calls.clear()
    assert machine()["actions"] == mended
    assert fake.writes() == ["instances.insert ibgw-paper", *mended]
    assert machine()["changed"] is False


def test_a_start_waits_for_the_end_of_a_stop(machine: RunModule, ask: Ask, fake: FakeGcp) -> None:
    machine()
    fake.fault("instances.stop", seconds=0.3)
    assert ask("POST", f"/compute/v1/{PROJECT}/{INSTANCE}/stop")[0] == 200
    assert fake.resource(INSTANCE)["status"] == "STOPPING"
    started = machine()
    assert (started["actions"], started["vm"]["status"]) == (["instances.start ibgw-paper"], "RUNNING")
    assert 400 in [call.status for call in fake.calls if call.method == "instances.start"]


def test_gone_meanwhile(machine: RunModule, fake: FakeGcp) -> None:
    machine()

    def gone() -> None:
        for path in (INSTANCE, DISK):
            del fake.state.resources[f"{PROJECT}/{path}"]

    fake.fault("instances.delete", before=gone)
    assert machine(state="absent")["changed"] is True
    assert not any("ibgw-paper" in path for path in fake.state.resources)


RUNS: dict[str, tuple[dict[str, Any], int]] = {
    "made": ({"state": "stopped"}, 3),
    "changed": (
        {"machine_type": "e2-medium", "labels": {}, "tags": [], "stop_for_update": True, "disk": {"size": 30}},
        6,
    ),
    "recreated": ({"subnet": "run", "network_ip": None, "recreate": True}, 2),
    "schedule removed": ({"snapshots": {"enabled": False}}, 2),
    "removed": ({"state": "absent"}, 2),
}


@pytest.mark.parametrize(
    ("kind", "writes"), [(kind, writes) for kind, (_, calls) in RUNS.items() for writes in range(calls + 1)]
)
def test_killed_between_two_writes(
    machine: RunModule, fake: FakeGcp, killed_after: KilledAfter, kind: str, writes: int
) -> None:
    options = RUNS[kind][0]
    if kind != "made":
        machine()
    with killed_after(writes):
        machine(**options)
    assert "failed" not in machine(**options)
    again = machine(**options)
    assert again["changed"] is False
    assert (again["vm"] or {}).get("status") == {"made": "TERMINATED", "removed": None}.get(kind, "RUNNING")


BIGGER = {"machine_type": "e2-medium", "stop_for_update": True}
REFUSALS: dict[str, dict[str, Any]] = {
    "refused": {"status": 403},
    "quota": {"operation_error": ("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded.")},
    "lost": {"status": 503, "times": 100},
    "deadline": {"seconds": 4},
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=list(REFUSALS))
def test_what_was_stopped_is_started_again(
    machine: RunModule, fake: FakeGcp, refusal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    fake.wait_seconds = 0.05
    fake.fault("instances.setMachineType", **refusal)
    failed = machine(**BIGGER, timeout=2.5 if "seconds" in refusal else 60)
    assert failed["failed"] is True
    assert failed["actions"] == ["instances.stop ibgw-paper", "instances.start ibgw-paper"]
    assert fake.resource(INSTANCE)["status"] == "RUNNING"


def test_one_that_cannot_be_started_again(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    fake.fault("instances.setMachineType", status=403)
    fake.fault("instances.start", status=403)
    failed = machine(**BIGGER)
    command = "`gcloud compute instances start ibgw-paper --zone europe-west1-b --project demo-project` starts it."
    assert f"VM ibgw-paper is stopped: {command}" in failed["msg"]
    assert fake.resource(INSTANCE)["status"] == "TERMINATED"
    # The next run starts it, though the change is refused again.
    fake.fault("instances.setMachineType", status=403)
    again = machine(**BIGGER)
    assert (again["failed"], again["actions"]) == (True, ["instances.start ibgw-paper"])
    assert fake.resource(INSTANCE)["status"] == "RUNNING"


# Resources that a run removes before it adds others: the present ones, the options, the refused call, the message.
TAKEN_AWAY: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "public address": (
        {"external_address": "out"},
        {"external_address": "other"},
        "instances.addAccessConfig",
        "VM ibgw-paper has no public address: `gcloud compute instances add-access-config ibgw-paper --zone "
        "europe-west1-b --project demo-project --address 203.0.113.",
    ),
    "VM": (
        {},
        {"subnet": "run", "network_ip": None, "recreate": True},
        "instances.insert",
        "instances ibgw-paper is deleted, and not created again: the next run creates it.",
    ),
}


@pytest.mark.parametrize("kind", TAKEN_AWAY)
def test_what_is_taken_away_and_not_given_back(machine: RunModule, fake: FakeGcp, kind: str) -> None:
    before, options, method, said = TAKEN_AWAY[kind]
    machine(**before)
    fake.fault(method, status=403)
    failed = machine(**options)
    assert failed["failed"] is True
    assert said in failed["msg"]
    assert machine(**options)["actions"] == [f"{method} ibgw-paper"]


def test_another_schedule_that_is_refused(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    other = f"{PROJECT}/regions/europe-west1/resourcePolicies/other"
    mine = fake.state.resources[f"{PROJECT}/regions/europe-west1/resourcePolicies/ibgw-paper"]
    fake.state.resources[other] = state.Entry({**mine.body, "name": "other", "selfLink": f"{links.HOST}{other}"})
    fake.put(DISK, resourcePolicies=[f"{links.HOST}{other}"])
    fake.fault("disks.addResourcePolicies", status=403)
    failed = machine()
    assert "Disk ibgw-paper no longer has snapshots: `gcloud compute disks add-resource-policies" in failed["msg"]
    assert "--resource-policies other` gives it the former schedule." in failed["msg"]
    assert machine()["actions"] == ["disks.addResourcePolicies ibgw-paper"]


def test_a_mistake_of_ours_leaves_no_vm_down(
    machine: RunModule, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    write = compute.Compute.write

    def mistaken(self: compute.Compute, *arguments: Any) -> None:
        if arguments[1].verb == "setMachineType":
            raise KeyError("a mistake")
        write(self, *arguments)

    monkeypatch.setattr(compute.Compute, "write", mistaken)
    with pytest.raises(KeyError):
        machine(**BIGGER)
    assert fake.resource(INSTANCE)["status"] == "RUNNING"


def test_no_start_where_nothing_was_stopped(machine: RunModule, fake: FakeGcp) -> None:
    machine()
    for method in ("instances.setLabels", "instances.stop"):
        fake.fault(method, status=403)
        fake.calls.clear()
        assert "is stopped" not in machine(**BIGGER, labels={"x": method[-4:].lower()})["msg"]
        assert "instances.start ibgw-paper" not in fake.writes()
    fake.calls.clear()
    fake.fault("instances.setMachineType", status=403)
    assert machine(machine_type="e2-medium", state="stopped")["failed"] is True
    assert "instances.start ibgw-paper" not in fake.writes()
