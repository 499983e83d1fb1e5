"""paper_session.yml with a command, and with a job on a fake Cloud Run; the gateway's host is this machine or none."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
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
        "no job reaches this address",
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


def without_gateway(folder: pathlib.Path, root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The playbook as it is, but for the gateway, and the file to which what is asked of it is appended."""
    log = folder / "gateway.log"
    *_scope, whole = yaml.safe_load((root / "playbooks/paper_session.yml").read_text())
    block = next(task for task in whole["tasks"] if "block" in task)
    for task in block["block"] + block["always"]:
        for module in [name for name in task if name.startswith("ibops.gateway.gateway_")]:
            asked = task.pop(module).get("state", "ready")
            task |= {"ansible.builtin.shell": f"echo {asked} >> {log}", "delegate_to": "localhost"}
            # Of a gateway that was started, it is used; the stop's result is a variable of the tests.
            task["register"] = {"started": "paper_session_started"}.get(asked, "_")
    changed = folder / "paper_session.yml"
    changed.write_text(yaml.safe_dump([whole], sort_keys=False))
    (folder / "tasks").symlink_to(root / "playbooks/tasks")
    return changed, log


SIGNED_OFF = {"how": "ibc", "changed": True}


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", 0), ("failed", 2)])
def test_the_job_is_executed_and_the_gateway_stopped_whatever_it_did(
    play: t.Callable[..., tuple[int, str]],
    cloud: FakeRun,
    tmp_path: pathlib.Path,
    pytestconfig: pytest.Config,
    outcome: str,
    status: int,
) -> None:
    changed, log = without_gateway(tmp_path, pytestconfig.rootpath)
    cloud.outcome = outcome
    found, printed = play(
        str(changed),
        pipeline_cloud_run_job="pipeline",
        access_vpc_addresses=["10.10.0.2"],
        paper_session_stopped=SIGNED_OFF,
    )
    assert found == status, printed
    assert log.read_text().split() == ["started", "ready", "stopped"]
    assert cloud.writes() == ["jobs.run pipeline"]
    if outcome == "failed":
        assert "failed: NON_ZERO_EXIT_CODE" in printed
    else:
        assert "The pipeline ended with execution pipeline-0000" in printed
        assert "the gateway of p1 was signed off." in printed


class Here(t.NamedTuple):
    """An empty folder outside of the checkout, and what runs the playbook from it."""

    folder: pathlib.Path
    log: pathlib.Path
    start: t.Callable[..., subprocess.Popen[str]]


@pytest.fixture
def here(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> Here:
    changed, log = without_gateway(tmp_path, pytestconfig.rootpath)
    folder = tmp_path / "empty"
    folder.mkdir()
    # An interpreter that is not there: of the host, and not of this machine.
    host = {**VARIABLES, "ansible_connection": "local", "ansible_python_interpreter": "/nowhere/python"}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"paper": {"hosts": {"p1": host}}}))

    def start(command: str) -> subprocess.Popen[str]:
        extra = {"pipeline_command": command, "paper_session_stopped": SIGNED_OFF}
        program = f"{pathlib.Path(sys.executable).parent}/ansible-playbook"
        collections = pytestconfig.rootpath / ".ansible/collections"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.Popen(
            [program, changed, "-i", "hosts.yml", "-e", yaml.safe_dump(extra, default_flow_style=True, width=10_000)],
            cwd=folder,
            env=environment | {"ANSIBLE_COLLECTIONS_PATH": str(collections), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return Here(folder, log, start)


def script(here: Here, *lines: str) -> str:
    path = here.folder / "trade.sh"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return "./trade.sh"


@pytest.mark.parametrize("status", [0, 3])
def test_a_command_beside_the_caller_outside_of_the_checkout(here: Here, status: int) -> None:
    run = here.start(script(here, "echo bought and sold", f"exit {status}"))
    printed, _ = run.communicate(timeout=120)
    assert run.returncode == (2 if status else 0), printed
    # As it was printed, not as JSON.
    assert "\nbought and sold\n" in printed
    assert here.log.read_text().split() == ["started", "ready", "stopped"]
    if status:
        assert "the pipeline ended with status 3" in printed
    else:
        assert "The pipeline ended with status 0; the gateway of p1 was signed off." in printed
    assert "[WARNING]" not in printed


def test_an_interruption_ends_the_pipeline_and_says_what_became_of_the_gateway(here: Here) -> None:
    run = here.start(script(here, "trap 'echo closed > closed; exit 1' INT", "echo up > up", "sleep 60 & wait"))
    deadline = time.monotonic() + 90
    while not (here.folder / "up").exists():
        assert time.monotonic() < deadline
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    printed, _ = run.communicate(timeout=90)
    assert run.returncode == 99, printed
    assert (here.folder / "closed").exists()
    assert "p1: the pipeline was ended; its gateway is being stopped" in printed
    # There is no gateway here.
    assert "p1: the gateway could not be stopped" in printed
    assert "to end it now, on the host: sudo ibgwctl stop paper" in printed
