"""provision.yml, bastion.yml and teardown.yml with role gcp_vm, against the fake Google Cloud, for one inventory."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from tests.fake_gcp.connectors import FakeConnectors
from tests.fake_gcp.links import HOST
from tests.fake_gcp.run import FakeRun
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.playbooks.plays import played
from tests.unit.gcp.conftest import HOST_KEYS

PROJECT = "projects/demo-project"
OWN, ACCOUNT = (f"{name}@demo-project.iam.gserviceaccount.com" for name in ("p1", "shared"))
ZONE = "zones/europe-west1-b"
MACHINE = {
    "gateway_machine_role": "ibops.gateway.gcp_vm",
    "gcp_vm_project": "demo-project",
    "gcp_vm_zone": "europe-west1-b",
    "gcp_vm_connect": "internal",
    # The machine is the fake's: what answers is this one.
    "ansible_connection": "local",
}
GATEWAY = {"gateway_image": "registry.example/ib-gateway@sha256:" + "0" * 64, "gateway_password": "x"}
# One of the user's.
RULE = {"name": "ibgw-probe", "rules": [{"protocol": "icmp"}], "source_tags": ["probe"]}


def account(email: str) -> dict[str, str]:
    return {"gcp_vm_service_account": email}


INVENTORY: dict[str, t.Any] = {
    "gateways": {
        "vars": {**MACHINE, **GATEWAY, "gcp_vm_firewalls": [RULE]},
        "children": {
            "paper": {"hosts": {"p1": {"gateway_mode": "paper", "gateway_user": "alice", **account(OWN)}}},
            "live": {"hosts": {"l1": {"gateway_mode": "live", "gateway_user": "bob", **account(ACCOUNT)}}},
        },
    },
    "bastions": {"vars": MACHINE, "hosts": {"b1": account(ACCOUNT)}},
}
Play = t.Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def fake() -> t.Iterator[FakeGcp]:
    with FakeGcp() as server:
        server.state.host_keys = HOST_KEYS
        yield server


@pytest.fixture(scope="module")
def play(fake: FakeGcp, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Play]:
    folder = tmp_path_factory.mktemp("gcp")
    source = folder / "hosts.yml"
    source.write_text(yaml.safe_dump(INVENTORY, sort_keys=False))
    root = pathlib.Path(__file__).parents[2]
    with FakeRun() as run, FakeConnectors() as connectors:
        endpoints = {
            "GCP_COMPUTE_ENDPOINT": fake.endpoint,
            "GCP_VPCACCESS_ENDPOINT": connectors.endpoint,
            "GCP_RUN_ENDPOINT": run.endpoint,
            "HOME": str(folder),
        }

        def call(playbook: str, *arguments: str) -> tuple[int, str]:
            fake.calls.clear()
            options = ("-i", str(source), "-e", "gateway_touch_live=true", *arguments)
            return played(root, fake, f"playbooks/{playbook}.yml", *options, **endpoints)

        yield call


@pytest.fixture(scope="module")
def with_bastion(play: Play) -> None:
    """The VMs of the gateways and of a bastion, which is a host without a mode, in one network."""
    status, said = play("provision")
    assert status == 0, said
    status, said = play("bastion", "--tags", "machine")
    assert status == 0, said


@pytest.mark.usefixtures("with_bastion")
def test_one_inventory_makes_gateways_and_bastion(fake: FakeGcp, play: Play) -> None:
    for name, mode in {"p1": "paper", "l1": "live", "b1": "bastion"}.items():
        found = fake.resource(f"{ZONE}/instances/{name}")
        assert (found["status"], found["labels"]["ibgw-mode"]) == ("RUNNING", mode)


@pytest.mark.usefixtures("with_bastion")
def test_an_account_that_others_have_opens_no_port_of_theirs(fake: FakeGcp) -> None:
    """The live gateway's is the bastion's too: its rule goes by the VM's tag."""
    rules = {name: fake.resource(f"global/firewalls/ibgw-allow-api-{name}") for name in ("p1", "l1")}
    assert rules["p1"]["allowed"] == [{"IPProtocol": "tcp", "ports": ["4002"]}]
    assert (rules["p1"]["targetServiceAccounts"], rules["p1"].get("targetTags")) == ([OWN], None)
    assert rules["l1"]["allowed"] == [{"IPProtocol": "tcp", "ports": ["4001"]}]
    assert (rules["l1"]["targetTags"], rules["l1"].get("targetServiceAccounts")) == (["l1"], None)


# Manual changes to one of our rules.
DRIFT: dict[str, dict[str, t.Any]] = {
    "ibgw-deny-ingress": {
        "disabled": True,
        "logConfig": {"enable": False},
        "priority": 65535,
        "targetTags": ["nobody"],
        "sourceRanges": ["10.0.0.0/8"],
    },
    "ibgw-allow-ssh": {
        "disabled": True,
        "priority": 65535,
        "sourceTags": ["web"],
        "destinationRanges": ["10.1.0.0/16"],
    },
    "ibgw-allow-api-p1": {
        "disabled": True,
        "priority": 1,
        "targetServiceAccounts": [OWN, ACCOUNT],
        "logConfig": {"enable": False},
    },
    "ibgw-probe": {"sourceRanges": ["0.0.0.0/0"], "targetTags": ["l1"], "destinationRanges": ["10.0.0.0/8"]},
    "ibgw-allow-api-l1": {"sourceRanges": ["10.0.0.0/8"], "allowed": [{"IPProtocol": "all"}]},
    "ibgw-allow-tunnel": {"disabled": True, "targetTags": None, "destinationRanges": ["10.1.0.0/16"]},
}


@pytest.mark.usefixtures("with_bastion")
def test_every_field_that_decides_who_gets_in_is_mended(fake: FakeGcp, play: Play) -> None:
    before = {name: fake.resource(f"global/firewalls/{name}") for name in DRIFT}
    for name, fields in DRIFT.items():
        fake.put(f"global/firewalls/{name}", **fields)
    status, said = play("provision", "-l", "paper")
    assert status == 0, said
    assert sorted(fake.writes()) == sorted(f"firewalls.update {name}" for name in DRIFT)
    kept = {name: fake.resource(f"global/firewalls/{name}") for name in DRIFT}
    for name, rule in before.items():
        assert {field: value for field, value in kept[name].items() if value} == {f: v for f, v in rule.items() if v}


@pytest.mark.usefixtures("with_bastion")
def test_a_teardown_begins_when_it_is_known_to_end(fake: FakeGcp, play: Play) -> None:
    """A protected VM and one of somebody else's in the network leave everything where it is, the bastion included."""
    before = set(fake.state.resources)
    interface = {"name": "nic0", "network": f"{HOST}{PROJECT}/global/networks/ibgw", "networkIP": "10.10.0.9"}
    foreign = f"{PROJECT}/zones/us-central1-b/instances/foreign"
    fake.state.resources[foreign] = Entry(
        {"name": "foreign", "selfLink": HOST + foreign, "networkInterfaces": [interface]}
    )
    status, said = play("teardown", "-e", "gcp_vm_remove=ibgw")
    assert (status, "instances/l1: the VM is protected against deletion" in said) == (2, True), said
    assert fake.writes() == []
    fake.put(f"{ZONE}/instances/l1", deletionProtection=False)
    status, said = play("teardown", "-e", "gcp_vm_remove=ibgw")
    assert (status, "networks/ibgw: zones/us-central1-b/instances/foreign uses it" in said) == (2, True), said
    assert fake.writes() == []
    del fake.state.resources[foreign]
    assert set(fake.state.resources) == before


@pytest.mark.usefixtures("with_bastion")
def test_everything_goes_in_one_run(fake: FakeGcp, play: Play) -> None:
    status, said = play("teardown", "-e", "gcp_vm_remove=ibgw")
    assert status == 0, said
    assert fake.state.resources == {}
    assert fake.writes()[-1] == "addresses.delete ibgw-nat"
