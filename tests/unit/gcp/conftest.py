"""A fake Google Cloud, a document that uses every part of it, and the modules run against them."""

from __future__ import annotations

import base64
import copy
import gc
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.server import FakeGcp

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import host_keys
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api import client, compute
from ansible_collections.ibops.gateway.plugins.modules import gcp_network, gcp_network_info, gcp_vm

RunModule = Callable[..., dict[str, Any]]
Ask = Callable[..., tuple[int, dict[str, Any]]]
KilledAfter = Callable[[int], AbstractContextManager[None]]
DOCUMENT: dict[str, Any] = {
    "network": {"name": "main", "routing_mode": "REGIONAL", "mtu": 1460},
    "subnets": [
        {"name": "gateway", "range": "10.10.0.0/28", "private_google_access": True, "flow_logs": {"enabled": False}},
        {"name": "run", "range": "10.10.1.0/26", "use": "cloud_run"},
    ],
    "addresses": [
        {"name": "nat", "labels": {"env": "paper"}},
        {"name": "paper", "type": "INTERNAL", "subnet": "gateway"},
    ],
    "router": {
        "name": "router",
        "nats": [
            {
                "name": "out",
                "addresses": ["nat"],
                "subnets": ["gateway"],
                "tcp_established_idle_timeout": 7200,
                "min_ports_per_vm": 64,
                "log": "errors",
            }
        ],
    },
    "firewalls": [
        {
            "name": "api",
            "description": "The pipeline's way in",
            "rules": [{"protocol": "tcp", "ports": ["4002"]}],
            "priority": 900,
            "source_ranges": ["10.10.1.0/26"],
            "target_tags": ["paper"],
            "log": True,
            "disabled": False,
        },
        {
            "name": "deny",
            "action": "deny",
            "priority": 65534,
            "rules": [{"protocol": "all"}],
            "source_ranges": ["0.0.0.0/0"],
        },
    ],
}
MACHINE: dict[str, Any] = {
    "name": "ibgw-paper",
    "zone": "europe-west1-b",
    "mode": "paper",
    "machine_type": "e2-small",
    "disk": {"size": 20, "type": "pd-balanced", "labels": {"env": "paper"}},
    "subnet": "gateway",
    "network_ip": "paper",
    "external_address": "",
    "labels": {"env": "paper"},
    "tags": ["ib-gateway", "paper"],
    "service_account": "gateway-vm@demo-project.iam.gserviceaccount.com",
    "metadata": {"google-logging-enabled": True},
    "shielded": {"secure_boot": True, "vtpm": True, "integrity_monitoring": True},
    "scheduling": {"automatic_restart": True, "on_host_maintenance": "MIGRATE", "max_run_duration": 14400},
    "deletion_protection": False,
    "snapshots": {"start_time": "04:00", "every_days": 1, "keep_days": 7, "keep_after_disk": False},
}


def host_key(kind: str, fill: bytes) -> str:
    """A key's base64 text: its type after its length, and then its numbers."""
    return base64.b64encode(len(kind).to_bytes(4, "big") + kind.encode() + b"\0\0\0\x20" + fill * 32).decode()


HOST_KEYS = [(kind, host_key(kind, b"a")) for kind in ("ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa")]


ROLES = Path(__file__).parents[3] / "docs" / "google_cloud_roles"


def granted(name: str) -> set[str]:
    """The permissions of a role of docs/google_cloud_roles."""
    return set(yaml.safe_load((ROLES / f"{name}.yaml").read_text())["includedPermissions"])


def document(**changes: Any) -> dict[str, Any]:
    """DOCUMENT with whole sections replaced."""
    return {**copy.deepcopy(DOCUMENT), **changes}


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No way to the real Google: every other host is behind a proxy that is not there, no credentials are found."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(host_keys, "POLL_SECONDS", 0.01)
    # Pins, and what ssh knows, are those of the test.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def cloud_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRun]:
    with FakeRun() as server:
        monkeypatch.setenv("GCP_RUN_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def connectors(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeConnectors]:
    with FakeConnectors() as server:
        monkeypatch.setenv("GCP_VPCACCESS_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def fake(cloud_run: FakeRun, connectors: FakeConnectors) -> Iterator[FakeGcp]:
    with FakeGcp() as server:
        server.state.host_keys = HOST_KEYS
        yield server
    # The modules turn the collector off, and sessions keep their connections until they are collected.
    gc.collect()


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fake: FakeGcp,
    cloud_run: FakeRun,
    connectors: FakeConnectors,
) -> RunModule:
    """Run a module's main against the fake with options; return what it printed, and what it has warned of.

    It is the operator who does. Ansible itself prints a warning once in a process.
    """
    fakes = [fake, cloud_run, connectors]

    def call(main: Callable[[], None], check: bool = False, **options: Any) -> dict[str, Any]:
        place = {"project": "demo-project", "region": "europe-west1"}
        access = {"access_token": "token", "api_endpoint": fake.endpoint}
        arguments = {**place, **access, **options, "_ansible_check_mode": check}
        warned: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warned.append(text))
        anybody = [each for each in fakes if each.granted is None and os.environ.get("GCP_ROLES") != "write"]
        for each in anybody:
            each.granted = granted("operator")
        with patch_module_args({k: v for k, v in arguments.items() if v is not None}), pytest.raises(SystemExit):
            main()
        for each in anybody:
            each.granted = None
        return {**json.loads(capsys.readouterr().out), "warnings": warned}

    return call


@pytest.fixture
def run(call: RunModule) -> RunModule:
    """Run gcp_network, or the info module, with changes to DOCUMENT."""

    def run(main: Callable[[], None] = gcp_network.main, check: bool = False, **changes: Any) -> dict[str, Any]:
        rest = {"name": "main"} if main is gcp_network_info.main else document()
        return call(main, check, **{**rest, **changes})

    return run


@pytest.fixture
def around(call: RunModule, fake: FakeGcp) -> None:
    """The network that VMs are made in: two subnets, an internal address and two external ones."""
    addresses = [{"name": "paper", "type": "INTERNAL", "subnet": "gateway"}, {"name": "out"}, {"name": "other"}]
    call(gcp_network.main, **document(addresses=addresses, router=None, firewalls=None))
    fake.calls.clear()


@pytest.fixture
def machine(call: RunModule, around: None) -> RunModule:
    """Run gcp_vm with changes to MACHINE, in a network that is there."""

    def run(check: bool = False, **changes: Any) -> dict[str, Any]:
        return call(gcp_vm.main, check, **{**copy.deepcopy(MACHINE), **changes})

    return run


@pytest.fixture
def ask(fake: FakeGcp) -> Ask:
    """Send a request to the fake; its status and body."""

    def send(verb: str, path: str, body: Any = None, token: str = "token") -> tuple[int, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(fake.endpoint + path, data, headers, method=verb)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return send


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> KilledAfter:
    """In its block, the process ends before the write that follows so many."""

    class KilledError(BaseException):
        """The process ends here."""

    @contextmanager
    def block(writes: int) -> Iterator[None]:
        left, write = [writes], compute.Compute.write

        def until_killed(self: compute.Compute, *arguments: Any) -> None:
            if not left[0]:
                raise KilledError
            left[0] -= 1
            write(self, *arguments)

        with monkeypatch.context() as patch, suppress(KilledError):
            patch.setattr(compute.Compute, "write", until_killed)
            yield

    return block


def ids(result: dict[str, Any]) -> list[str]:
    """The id and the variable of each problem that a module has returned."""
    return [f"{each['id']} {each['variable']}" for each in result["problems"]]
