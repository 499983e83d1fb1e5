"""Two runs at once, and what a run costs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from google.auth.credentials import Credentials as BaseCredentials
from google.oauth2.credentials import Credentials
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import MACHINE, RunModule

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import network, vm
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import credentials as module_credentials
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.apply import Runner
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.compute import Compute
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.normal import link


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of the module that has run, as it has them."""
    found: dict[str, Any] = {}
    exit_json = AnsibleModule.exit_json

    def end(module: AnsibleModule, **result: Any) -> None:
        found.update(module.params)
        exit_json(module, **result)

    monkeypatch.setattr(AnsibleModule, "exit_json", end)
    return found


@pytest.fixture
def options(run: RunModule, taken: dict[str, Any]) -> dict[str, Any]:
    """The options of DOCUMENT as the module has them."""
    run(check=True)
    return copy.deepcopy(taken)


class Counted(BaseCredentials):
    """Credentials whose token has to be fetched."""

    fetched = 0

    def refresh(self, request: Any) -> None:
        self.fetched, self.token = self.fetched + 1, "token"


# The module in a process of its own, which says at its end how much memory it had at most.
MEASURED = """
import atexit, json, pathlib, re, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ibops.gateway.plugins.modules import gcp_vm
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1], file=sys.stderr))
with patch_module_args(json.loads(sys.argv[1])):
    gcp_vm.main()
"""


def twice(change: Callable[[], list[Exception]]) -> list[list[Exception]]:
    """Two runs that make a change at once."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(change), pool.submit(change)]]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_two_runs_at_once(run: RunModule, fake: FakeGcp, options: dict[str, Any], state: str) -> None:
    if state == "absent":
        run()
    fake.state.operation_seconds = 0.05

    def change() -> list[Exception]:
        credentials = Credentials("token")  # type: ignore[no-untyped-call]  # google-auth has no types
        compute = Compute("demo-project", "europe-west1", lambda: credentials, fake.endpoint, 20, network.RESOURCES)
        found = network.Observed(compute, "main")
        changes = network.changes(options, found) if state == "present" else network.removal(options, found)[0]
        return [*Runner(compute).run(changes)]

    assert twice(change) == [[], []]
    assert len(fake.state.resources) == (8 if state == "present" else 0)
    assert run(state=state)["changed"] is False


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_user_that_is_in_no_list_is_looked_at_again(
    run: RunModule, fake: FakeGcp, options: dict[str, Any], is_deleted: bool
) -> None:
    """The lists are read one after the other: an address may name a router that another run has deleted since."""
    run()
    credentials = Credentials("token")  # type: ignore[no-untyped-call]  # google-auth has no types
    compute = Compute("demo-project", "europe-west1", lambda: credentials, fake.endpoint, 20, network.RESOURCES)
    found = network.Observed(compute, "main")
    router = found.all[network.ROUTER].pop("router")
    if is_deleted:
        del fake.state.resources[link(router["selfLink"])]
    in_use = pytest.raises(GcpError, match="addresses/nat: regions/europe-west1/routers/router uses it")
    with contextlib.nullcontext() if is_deleted else in_use:
        assert network.removal(options, found)[0]


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_two_runs_at_once_for_one_vm(machine: RunModule, fake: FakeGcp, taken: dict[str, Any], state: str) -> None:
    machine(check=True, state=state)
    options = copy.deepcopy(taken)
    if state == "absent":
        machine()
    fake.state.operation_seconds = 0.05

    def change() -> list[Exception]:
        credentials = Credentials("token")  # type: ignore[no-untyped-call]  # google-auth has no types
        place = ("demo-project", "europe-west1")
        compute = Compute(*place, lambda: credentials, fake.endpoint, 20, vm.RESOURCES, "europe-west1-b")
        found = vm.Observed(compute, "ibgw-paper")
        changes = vm.removal(found)[0] if state == "absent" else vm.changes(options, found)
        return [*Runner(compute).run(changes)]

    assert twice(change) == [[], []]
    again = machine(state=state)
    assert again["changed"] is False
    assert (again["vm"] or {}).get("status") == {"running": "RUNNING", "stopped": "TERMINATED"}.get(state)


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


@pytest.mark.parametrize("module", ["run", "machine"])
def test_one_token_for_a_run(
    request: pytest.FixtureRequest, fake: FakeGcp, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    module_run = request.getfixturevalue(module)
    counted = Counted()  # type: ignore[no-untyped-call]  # its base is google-auth's
    monkeypatch.setattr(module_credentials, "find", lambda *_options: counted)
    module_run()
    assert len(fake.calls) > 8
    assert counted.fetched == 1


def test_memory(around: None, fake: FakeGcp) -> None:
    spec = importlib.util.find_spec("google.cloud.compute_v1")
    assert spec
    assert spec.origin
    if not Path(importlib.util.cache_from_source(spec.origin)).exists():
        pytest.skip("google-cloud-compute has no byte code: requirements/venv compiles it")
    place = {"project": "demo-project", "region": "europe-west1"}
    options = {**place, "access_token": "token", "api_endpoint": fake.endpoint, **MACHINE}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, json.dumps(options)], capture_output=True, check=True, env=environment
    )
    result, kilobytes = done.stdout, int(done.stderr)
    assert json.loads(result)["changed"] is True
    assert kilobytes <= 120 * 1024
