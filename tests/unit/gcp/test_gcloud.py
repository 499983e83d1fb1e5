"""Google's own command line against the fake: it reads what the module has made, and the module mends what it does."""

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

pytestmark = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
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
