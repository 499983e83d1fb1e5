"""The network that role gcp_vm makes, against a fake of Google's."""

from __future__ import annotations

import base64
import copy
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.fake_gcp import links
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.playbooks.plays import played

ROOT = pathlib.Path(__file__).parents[2]
PROJECT = "projects/demo-project"
ACCOUNT = "@demo-project.iam.gserviceaccount.com"
# No real host's.
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32).decode()
EVERY: dict[str, Any] = {
    "ansible_connection": "local",
    "gcp_vm_project": "demo-project",
    "gcp_vm_zone": "europe-west1-b",
    "gcp_vm_connect": "internal",
    "gcp_vm_snapshots_keep_days": 0,
}


@pytest.fixture
def fake() -> Iterator[FakeGcp]:
    with FakeGcp() as server:
        yield server


def made(fake: FakeGcp, folder: pathlib.Path, group: str = "gateways", **more: dict[str, Any]) -> tuple[int, str]:
    """Play the role for a paper and a live gateway, each with variables of its own, or for their bastion."""
    pins = {"gcp_vm_known_hosts": str(folder / "known_hosts"), "gcp_vm_host_keys": [KEY]}
    hosts = {
        name: {**EVERY, **pins, "gateway_mode": name.removeprefix("ibgw-"), **more.get(name.removeprefix("ibgw-"), {})}
        for name in ("ibgw-paper", "ibgw-live")
    }
    bastion = {**EVERY, **pins, "gateway_machine_role": "ibops.gateway.gcp_vm"}
    groups = {"gateways": {"hosts": hosts}, "bastions": {"hosts": {"door": bastion} if group == "bastions" else {}}}
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": groups}}))
    play = folder / "play.yml"
    play.write_text(json.dumps([{"hosts": group, "gather_facts": False, "roles": ["ibops.gateway.gcp_vm"]}]))
    return played(ROOT, fake, str(play), "-i", str(inventory), GCP_COMPUTE_ENDPOINT=fake.endpoint)


def rules(fake: FakeGcp) -> dict[str, dict[str, Any]]:
    start = f"{PROJECT}/global/firewalls/"
    return {
        path.removeprefix(start): each.body for path, each in fake.state.resources.items() if path.startswith(start)
    }


DRIFT: dict[str, Any] = {
    "disabled": True,
    "logConfig": {"enable": False},
    "priority": 65535,
    "sourceRanges": ["0.0.0.0/0"],
    "sourceTags": ["any"],
    "destinationRanges": ["10.10.0.9/32"],
    "targetTags": ["everything"],
}


def test_every_field_that_decides_who_gets_in_is_stated(fake: FakeGcp, tmp_path: pathlib.Path) -> None:
    status, said = made(fake, tmp_path)
    assert status == 0, said
    wanted = copy.deepcopy(rules(fake))
    assert set(wanted) == {
        "ibgw-allow-ssh",
        "ibgw-allow-api-ibgw-paper",
        "ibgw-allow-api-ibgw-live",
        "ibgw-deny-ingress",
    }
    for name in wanted:
        fake.put(f"global/firewalls/{name}", **DRIFT)
    status, said = made(fake, tmp_path)
    assert status == 0, said
    found = rules(fake)
    for name, body in wanted.items():
        assert {key: found[name].get(key) or None for key in DRIFT} == {key: body.get(key) or None for key in DRIFT}


@pytest.mark.parametrize("shared", [True, False])
def test_a_port_is_open_at_its_own_vm_only(fake: FakeGcp, tmp_path: pathlib.Path, shared: bool) -> None:
    accounts = [f"{'both' if shared else name}{ACCOUNT}" for name in ("paper", "live")]
    status, said = made(fake, tmp_path, **{
        name: {"gcp_vm_service_account": account} for name, account in zip(("paper", "live"), accounts, strict=True)
    })  # fmt: skip
    assert status == 0, said
    for name, account in zip(("paper", "live"), accounts, strict=True):
        rule = rules(fake)[f"ibgw-allow-api-ibgw-{name}"]
        assert rule.get("targetTags", []) == ([f"ibgw-{name}"] if shared else [])
        assert rule.get("targetServiceAccounts", []) == ([] if shared else [account])


def test_one_account_that_reads_two_passwords_is_refused(fake: FakeGcp, tmp_path: pathlib.Path) -> None:
    both = {"gcp_vm_service_account": f"both{ACCOUNT}", "gateway_password_secret": "projects/demo-project/secrets/x"}
    status, said = made(fake, tmp_path, paper=both, live=both)
    assert status != 0
    assert "service-account-shared" in said
    assert fake.calls == []
    accepted = {**both, "gcp_vm_share_service_account": True}
    status, said = made(fake, tmp_path, paper=accepted, live=accepted)
    assert status == 0, said


def test_a_bastion_has_no_gateway(fake: FakeGcp, tmp_path: pathlib.Path) -> None:
    """As bastion.yml makes it: no gateway_mode, SSH from the gateways, and no inventory takes it for a gateway."""
    status, said = made(fake, tmp_path, "bastions")
    assert status == 0, said
    labels = fake.resource("zones/europe-west1-b/instances/door")["labels"]
    assert (labels["role"], labels["ibgw-mode"]) == ("ib-bastion", "bastion")
    found = rules(fake)
    assert found["ibgw-allow-tunnel"]["targetTags"] == ["ib-bastion"]
    assert found["ibgw-allow-tunnel"]["sourceRanges"] == ["10.10.0.0/28"]
    assert sorted(found["ibgw-allow-ssh"]["targetTags"]) == ["ib-bastion", "ib-gateway"]
    assert "ibgw-allow-api-door" not in found


def test_a_lost_vm_comes_back_from_its_snapshot_at_its_address(fake: FakeGcp, tmp_path: pathlib.Path) -> None:
    status, said = made(fake, tmp_path)
    assert status == 0, said
    zone = f"{PROJECT}/zones/europe-west1-b"
    before = copy.deepcopy(fake.state.resources[f"{zone}/instances/ibgw-live"].body)
    for kind in ("instances", "disks"):
        del fake.state.resources[f"{zone}/{kind}/ibgw-live"]
    path = f"{PROJECT}/global/snapshots/nightly"
    fake.state.resources[path] = Entry(
        {"name": "nightly", "selfLink": links.HOST + path, "creationTimestamp": "2026-11-25T20:00:00.000-08:00",
         "status": "READY", "diskSizeGb": "20", "architecture": "X86_64", "labels": {"ibops-gateway": "ibgw-live"}}
    )  # fmt: skip
    status, said = made(fake, tmp_path, live={"gcp_vm_snapshot": "latest"}, paper={"gcp_vm_snapshot": "latest"})
    assert status == 0, said
    after = fake.resource("zones/europe-west1-b/instances/ibgw-live")
    assert fake.resource("zones/europe-west1-b/disks/ibgw-live")["sourceSnapshot"].endswith("/snapshots/nightly")
    assert after["networkInterfaces"][0]["networkIP"] == before["networkInterfaces"][0]["networkIP"]
    assert [call.name for call in fake.calls if call.method == "instances.insert"][2:] == ["ibgw-live"]
