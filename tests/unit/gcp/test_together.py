"""Two runs at once, and what a run costs."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import RunModule

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import network
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.compute import Compute
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.kinds import KINDS
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.run import Runner


@pytest.fixture
def options(run: RunModule) -> dict[str, Any]:
    """The options of DOCUMENT as the module has them."""
    found: dict[str, Any] = run(check=True)["invocation"]["module_args"]
    return found


@pytest.mark.parametrize("state", ["present", "absent"])
def test_two_runs_at_once(run: RunModule, fake: FakeGcp, options: dict[str, Any], state: str) -> None:
    if state == "absent":
        run()
    fake.state.operation_seconds = 0.05

    def change() -> list[Exception]:
        credentials = Credentials("token")  # type: ignore[no-untyped-call]
        compute = Compute("demo-project", "europe-west1", lambda: credentials, fake.endpoint, 20, KINDS)
        found = network.Present(compute, "main")
        changes = network.present(options, found) if state == "present" else network.absent(found)[0]
        return [*Runner(compute).run(changes)]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failed = [future.result() for future in [pool.submit(change), pool.submit(change)]]
    assert failed == [[], []]
    assert len(fake.state.resources) == (8 if state == "present" else 0)
    assert run(state=state)["changed"] is False


def test_looking_is_five_calls_whatever_there_is(run: RunModule, fake: FakeGcp) -> None:
    run()
    fake.calls.clear()
    run()
    assert sorted(call.method for call in fake.calls) == [
        "addresses.list",
        "firewalls.list",
        "networks.get",
        "routers.list",
        "subnetworks.list",
    ]
