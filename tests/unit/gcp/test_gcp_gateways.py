"""The inventory of gateways, by ansible-inventory itself against the fake Google Cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.fake_gcp.state import Entry
from tests.unit.gcp.conftest import HOST_KEYS, RunModule

ROOT = Path(__file__).resolve().parents[3]
SOURCE = {"plugin": "ibops.gateway.gcp_gateways", "project": "demo-project", "labels": {"role": "ib-gateway"}}
LABELS = {"role": "ib-gateway", "ibgw-mode": "paper"}


def place(fake: FakeGcp, name: str, zone: str = "europe-west1-b", number: int = 1, **fields: Any) -> None:
    """Let there be a VM."""
    here = f"https://www.googleapis.com/compute/v1/projects/demo-project/zones/{zone}"
    interface = {"networkIP": f"10.10.{number // 250}.{number % 250 + 2}", "name": "nic0"}
    body = {
        "name": name,
        "id": str(4_000_000_000 + number),
        "zone": here,
        "status": "RUNNING",
        "labels": LABELS,
        "machineType": f"{here}/machineTypes/e2-small",
        "networkInterfaces": [interface],
        **fields,
    }
    fake.state.resources[f"projects/demo-project/zones/{zone}/instances/{name}"] = Entry(body)


def ssh_arguments(tmp_path: Path, instance: str, strict: str = "yes") -> str:
    return (
        f"-o HostKeyAlias=compute.{instance} -o StrictHostKeyChecking={strict} "
        f"-o 'UserKnownHostsFile=\"{tmp_path}/home/.ibgw/known_hosts/compute.{instance}\" ~/.ssh/known_hosts' "
        "-o UpdateHostKeys=yes -o HashKnownHosts=no -o CheckHostIP=no"
    )


PUBLISHING = {"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]}
Inventory = Callable[..., Any]
pytestmark = pytest.mark.programs


def ansible_inventory(*sources: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = [word for source in sources for word in ("-i", str(source))]
    return subprocess.run(
        [f"{Path(sys.executable).parent}/ansible-inventory", *arguments, "--list"],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def source(fake: FakeGcp, tmp_path: Path) -> Callable[..., Path]:
    """Write SOURCE with changes to a file of this name."""

    def write(file: str, **changes: Any) -> Path:
        options = {"api_endpoint": fake.endpoint, "access_token": "token", **SOURCE, **changes}
        (tmp_path / file).write_text(json.dumps({key: value for key, value in options.items() if value is not None}))
        return tmp_path / file

    return write


@pytest.fixture
def inventory(source: Callable[..., Path]) -> Inventory:
    """Return what ansible-inventory lists for SOURCE with changes, or its error."""

    def run(environment: dict[str, str] | None = None, **changes: Any) -> Any:
        strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", **(environment or {})}
        run = ansible_inventory(source("any name.yaml", **changes), **strict)
        if run.returncode:
            return " ".join(run.stderr.split())
        # Ansible does not render a text from Google as a template, and says so.
        return json.loads(run.stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))

    return run


def test_gateways_are_listed_by_their_labels_and_grouped_by_mode(
    inventory: Inventory, fake: FakeGcp, tmp_path: Path
) -> None:
    outside = [{"networkIP": "10.10.0.9", "accessConfigs": [{"natIP": "203.0.113.7"}]}]
    place(fake, "ibgw-paper", number=1)
    place(fake, "ibgw-live", "us-east1-c", 2, labels={**LABELS, "ibgw-mode": "live"}, networkInterfaces=outside)
    place(fake, "other", number=3, labels={"role": "web"})
    place(fake, "asleep", number=4, status="TERMINATED")
    found = inventory()
    assert found["paper"]["hosts"] == ["ibgw-paper"]
    assert found["live"]["hosts"] == ["ibgw-live"]
    assert sorted(found["gateways"]["children"]) == ["live", "paper"]
    host = found["_meta"]["hostvars"]["ibgw-live"]
    assert {key: value for key, value in host.items() if key != "ansible_local"} == {
        "ansible_host": "10.10.0.9",
        "ansible_ssh_common_args": ssh_arguments(tmp_path, "4000000002"),
        "gcp_external_address": "203.0.113.7",
        "gcp_guest_attributes": False,
        "gcp_id": "4000000002",
        "gcp_internal_address": "10.10.0.9",
        "gcp_labels": {"role": "ib-gateway", "ibgw-mode": "live"},
        "gcp_machine_type": "e2-small",
        "gcp_project": "demo-project",
        "gcp_status": "RUNNING",
        "gcp_zone": "us-east1-c",
    }
    assert {call.method for call in fake.calls} == {"instances.aggregatedList"}


def test_options(inventory: Inventory, fake: FakeGcp, tmp_path: Path) -> None:
    place(fake, "a", "europe-west1-b", 1, status="TERMINATED", labels={**LABELS, "gw": "live"})
    place(fake, "b", "us-east1-c", 2)
    found = inventory(
        stopped=True, unknown_host_keys="accept_new", zones=["europe-west1-b"], mode_label="gw", connect="iap",
        keyed_groups=[{"key": "gcp_zone", "prefix": "zone"}], compose={"size": "gcp_machine_type"},
    )  # fmt: skip
    assert found["live"]["hosts"] == found["zone_europe_west1_b"]["hosts"] == ["a"]
    host = found["_meta"]["hostvars"]["a"]
    assert (host["ansible_host"], host["size"], host["gcp_status"]) == ("a", "e2-small", "TERMINATED")
    assert host["ansible_ssh_common_args"] == (
        f"{ssh_arguments(tmp_path, '4000000001', 'accept-new')} "
        "-o ProxyCommand='gcloud compute start-iap-tunnel a %p --listen-on-stdin --verbosity=warning "
        "--zone=europe-west1-b --project=demo-project'"
    )


def test_environment(inventory: Inventory, fake: FakeGcp) -> None:
    place(fake, "a")
    environment = {
        "GCP_PROJECT": "demo-project",
        "GCP_ACCESS_TOKEN": "token",
        "GCP_COMPUTE_ENDPOINT": f"{fake.endpoint}/compute/v1/",
    }
    found = inventory(environment, project=None, access_token=None, api_endpoint=None)
    assert found["paper"]["hosts"] == ["a"]


def test_a_cache_spares_the_request(inventory: Inventory, fake: FakeGcp, tmp_path: Path) -> None:
    place(fake, "a")
    kept = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    first, asked = inventory(**kept), len(fake.calls)
    place(fake, "b", number=2)
    assert inventory(**kept) == first
    assert len(fake.calls) == asked


def test_five_hundred_vms_in_three_zones(inventory: Inventory, fake: FakeGcp) -> None:
    for number in range(501):
        place(fake, f"gw-{number}", f"europe-west1-{'bcd'[number % 3]}", number)
    assert len(inventory()["paper"]["hosts"]) == 501
    assert len(fake.calls) == 2


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"labels": {}}, r"labels is empty: name at least one label that only gateways have"),
    ({"labels": None}, r"Required config .labels."),
    ({"project": None}, r"Required config .project."),
    ({"mode_label": "mode"}, r"VM a in europe-west1-b has label mode=: want live or paper. Set it: gcloud compute"),
    ({"connect": "telnet"}, r"connect.*telnet"),
    ({"access_token": "other"}, r"instances.aggregatedList: the credentials give no access"),
    ({"access_token": None}, r"No credentials for Google Cloud. Tried: option access_token"),
    ({"api_endpoint": "http://127.0.0.1:1"}, r"no answer from the API: .*refused"),
    ({"api_endpoint": None}, r"no answer from the API: .*[Pp]roxy"),
]


def test_what_is_refused(source: Callable[..., Path], fake: FakeGcp) -> None:
    place(fake, "a")
    sources = [source(f"{number}.yml", **changes) for number, (changes, _) in enumerate(REFUSED)]
    # The first one would end it.
    run = ansible_inventory(*sources, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="0")
    said = " ".join(run.stderr.split())
    assert [message for _changes, message in REFUSED if not re.search(message, said)] == [], said
    assert json.loads(run.stdout)["_meta"]["hostvars"] == {}


def test_two_vms_of_one_name(inventory: Inventory, fake: FakeGcp) -> None:
    place(fake, "a", "europe-west1-b", 1)
    place(fake, "a", "us-east1-c", 2)
    assert "two VMs are called a, in europe-west1-b and us-east1-c: narrow zones or labels" in inventory()
    assert inventory(zones=["us-east1-c"])["paper"]["hosts"] == ["a"]


def test_what_gcp_vm_makes_is_found(machine: RunModule, inventory: Inventory) -> None:
    made = machine(labels={"env": "prod"})["vm"]
    found = inventory(labels={"role": "ib-gateway", "env": "prod"})
    assert found["paper"]["hosts"] == ["ibgw-paper"]
    host = found["_meta"]["hostvars"]["ibgw-paper"]
    assert {**{key: host[f"gcp_{key}"] for key in made if key != "name"}, "name": "ibgw-paper"} == made


def test_vms_that_are_new_to_the_controller_are_pinned_once(
    inventory: Inventory, fake: FakeGcp, tmp_path: Path
) -> None:
    on: dict[str, Any] = {"metadata": PUBLISHING}
    for number, fields in enumerate(({}, on, on, {**on, "status": "TERMINATED"})):
        place(fake, f"gw-{number}", number=number, **fields)
    zone = "projects/demo-project/zones/europe-west1-b/instances"
    fake.state.published = {f"{zone}/gw-{number}": HOST_KEYS for number in (0, 1, 3)}
    inventory(stopped=True)
    asked = sorted(call.name for call in fake.calls if call.method == "instances.getGuestAttributes")
    assert asked == ["gw-1", "gw-2"]
    (pin,) = (tmp_path / "home/.ibgw/known_hosts").iterdir()
    assert pin.name == "compute.4000000001"
    assert pin.read_text().splitlines() == [f"compute.4000000001 {kind} {text}" for kind, text in HOST_KEYS]
    fake.state.published[f"{zone}/gw-1"] = HOST_KEYS[:1]
    fake.calls.clear()
    inventory(stopped=True)
    assert [call.name for call in fake.calls if call.method == "instances.getGuestAttributes"] == ["gw-2"]
    assert len(pin.read_text().splitlines()) == len(HOST_KEYS)


def test_keys_that_may_not_be_read_are_not_known(inventory: Inventory, fake: FakeGcp, tmp_path: Path) -> None:
    place(fake, "a", metadata=PUBLISHING)
    fake.fault("instances.getGuestAttributes", status=403)
    found = inventory()
    assert "StrictHostKeyChecking=yes" in found["_meta"]["hostvars"]["a"]["ansible_ssh_common_args"]
    assert not (tmp_path / "home/.ibgw/known_hosts").exists()


def test_an_api_that_is_not_enabled(inventory: Inventory, fake: FakeGcp) -> None:
    fake.enabled = False
    assert "gcloud services enable compute.googleapis.com --project demo-project" in inventory()


def test_an_api_that_is_busy_for_a_moment(inventory: Inventory, fake: FakeGcp) -> None:
    place(fake, "a")
    fake.fault("instances.aggregatedList", status=503)
    assert inventory()["paper"]["hosts"] == ["a"]


def test_a_source_that_fails_ends_the_run_of_a_checkout(source: Callable[..., Path], fake: FakeGcp) -> None:
    """Ansible's own default is a warning, no hosts, and success."""
    fake.enabled = False
    environment = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    failed = ansible_inventory(source("gateways.yml"), **environment)
    assert failed.returncode != 0
    assert "gcloud services enable compute.googleapis.com" in " ".join(failed.stderr.split())


def test_a_vm_that_is_starting_is_listed(inventory: Inventory, fake: FakeGcp) -> None:
    place(fake, "ibgw-paper", status="STAGING")
    place(fake, "asleep", number=2, status="STOPPING")
    assert inventory()["paper"]["hosts"] == ["ibgw-paper"]
