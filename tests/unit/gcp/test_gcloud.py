"""Google's own command line against the fake: it reads the module's resources, and the module corrects its changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import RunModule

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed"),
]
Gcloud = Callable[[str], Any]


@pytest.fixture
def gcloud(fake: FakeGcp, tmp_path: Path) -> Gcloud:
    """Run `gcloud compute ...` against the fake; what it prints, read as JSON."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{fake.endpoint}/compute/v1/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "token",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_PROJECT": "demo-project",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
    }

    def call(arguments: str) -> Any:
        command = ["gcloud", "compute", *arguments.split(), "--format=json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_reads_what_the_module_has_made(run: RunModule, gcloud: Gcloud, fake: FakeGcp) -> None:
    run()
    router = gcloud("routers describe router --region europe-west1")
    assert router["nats"][0]["natIps"] == [fake.resource("regions/europe-west1/addresses/nat")["selfLink"]]


def test_what_it_opens_the_module_closes(run: RunModule, gcloud: Gcloud, fake: FakeGcp) -> None:
    run()
    gcloud("firewall-rules update api --source-ranges=0.0.0.0/0 --allow=tcp:4002,tcp:22")
    assert fake.resource("global/firewalls/api")["sourceRanges"] == ["0.0.0.0/0"]
    assert run()["actions"] == ["firewalls.update api"]
    assert gcloud("firewall-rules describe api")["sourceRanges"] == ["10.10.1.0/26"]


def test_reads_and_changes_a_vm_that_the_module_mends(machine: RunModule, gcloud: Gcloud, fake: FakeGcp) -> None:
    machine()
    read = gcloud("instances describe ibgw-paper --zone europe-west1-b")
    assert (read["status"], read["labels"]["ibgw-mode"]) == ("RUNNING", "paper")
    gcloud("instances add-labels ibgw-paper --zone europe-west1-b --labels=x=y")
    gcloud("instances add-tags ibgw-paper --zone europe-west1-b --tags=web")
    gcloud("instances add-metadata ibgw-paper --zone europe-west1-b --metadata=enable-oslogin=FALSE")
    gcloud("instances stop ibgw-paper --zone europe-west1-b")
    gcloud("instances set-machine-type ibgw-paper --zone europe-west1-b --machine-type=e2-medium")
    gcloud("disks resize ibgw-paper --zone europe-west1-b --size=30")
    assert fake.resource("zones/europe-west1-b/instances/ibgw-paper")["status"] == "TERMINATED"
    mended = machine(disk={"size": 30})
    assert mended["actions"] == [
        f"instances.{verb} ibgw-paper" for verb in ("setLabels", "setMetadata", "setTags", "setMachineType", "start")
    ]
    assert gcloud("instances describe ibgw-paper --zone europe-west1-b")["tags"]["items"] == ["ib-gateway", "paper"]


def test_a_vm_of_its_own(gcloud: Gcloud, machine: RunModule, fake: FakeGcp) -> None:
    """The fake accepts gcloud's requests, and the module leaves alone what it has not made."""
    gcloud(
        "instances create ibgw-paper --zone europe-west1-b --machine-type=e2-small --subnet=gateway --no-address "
        "--image=debian-12-bookworm-v20261101 --image-project=debian-cloud --metadata=enable-oslogin=TRUE"
    )
    gone = machine(state="absent")
    assert (gone["changed"], gone["kept"]) == (False, ["instances/ibgw-paper", "disks/ibgw-paper"])
    gcloud("instances delete ibgw-paper --zone europe-west1-b")
    assert not any(path.endswith("ibgw-paper") for path in fake.state.resources)
