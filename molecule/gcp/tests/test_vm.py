"""The VM that provision.yml has made, as the cloud has it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from testinfra.host import Host
from tests.fake_gcp.reader import get

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import host_keys


@pytest.fixture(scope="module")
def vm() -> dict[str, t.Any]:
    return get("zones/europe-west1-b/instances/sandbox-paper")


def test_it_runs_and_nobody_reaches_it_from_the_internet(vm: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
    (interface,) = vm["networkInterfaces"]
    assert (vm["status"], interface["networkIP"]) == ("RUNNING", variables["host"])
    assert not interface.get("accessConfigs")


def test_its_boot_is_measured_and_its_users_are_google_s(vm: dict[str, t.Any]) -> None:
    assert all(vm["shieldedInstanceConfig"].values())
    metadata = {item["key"]: item["value"] for item in vm["metadata"]["items"]}
    assert metadata == {
        "enable-guest-attributes": "TRUE",
        "enable-oslogin": "TRUE",
        "block-project-ssh-keys": "TRUE",
        "serial-port-enable": "FALSE",
    }


def test_its_host_keys_were_pinned_before_the_first_contact(vm: dict[str, t.Any]) -> None:
    state = pathlib.Path(__file__).resolve().parents[3] / ".sandbox"
    published = (state / "ssh/host_ed25519.pub").read_text().split()[:2]
    alias = f"compute.{vm['id']}"
    assert [alias, *published] in [line.split() for line in (state / "known_hosts" / alias).read_text().splitlines()]


def test_ssh_takes_over_the_keys_that_a_trusted_host_adds_and_removes(host: Host) -> None:
    """By the arguments that role and inventory connect with; a second sshd has the hardened host's keys."""
    arguments = host_keys.ssh_arguments("/tmp/update", "42", host_keys.REFUSE)
    shown = host.check_output(
        "set -e; mkdir /tmp/update; cd /tmp/update; trap 'kill $(cat pid); rm -r /tmp/update' EXIT; "
        "ssh-keygen -q -t ed25519 -N '' -f user; cp user.pub authorized; "
        "/usr/sbin/sshd -f /dev/null -p 2299 -o ListenAddress=127.0.0.1 -o PidFile=/tmp/update/pid "
        "-o HostKey=/etc/ssh/ssh_host_ed25519_key -o HostKey=/etc/ssh/ssh_host_rsa_key "
        "-o AuthorizedKeysFile=/tmp/update/authorized -o StrictModes=no -o PermitRootLogin=yes; "
        "for key in /etc/ssh/ssh_host_ed25519_key.pub user.pub; do "
        'echo "compute.42 $(cut -d" " -f1,2 $key)" >>compute.42; done; '
        f"ssh -F /dev/null -i user -p 2299 -o BatchMode=yes {arguments} root@127.0.0.1 sleep 1 2>/dev/null; "
        "cut -d' ' -f2,3 compute.42"
    )
    kept = [host.check_output(f"cut -d' ' -f1,2 /etc/ssh/ssh_host_{kind}_key.pub") for kind in ("ed25519", "rsa")]
    assert sorted(shown.splitlines()) == sorted(kept)


def test_the_inventory_finds_it_by_its_labels(vm: dict[str, t.Any]) -> None:
    assert vm["labels"].items() >= {"role": "ib-gateway", "ibgw-mode": "paper"}.items()


def test_only_cloud_run_reaches_the_api_and_only_the_proxy_reaches_ssh() -> None:
    rules = {rule["name"]: rule for rule in get("global/firewalls")["items"]}
    allowed = {
        name: (rule["sourceRanges"], rule["allowed"][0]["ports"]) for name, rule in rules.items() if "allowed" in rule
    }
    assert allowed == {
        "ibgw-allow-ssh": (["35.235.240.0/20"], ["22"]),
        # The inventory has a bastion, which the role would make too.
        "ibgw-allow-tunnel": (["10.211.0.0/24"], ["22"]),
        "ibgw-allow-api-sandbox-paper": (["10.211.1.0/24"], ["4002"]),
        "ibgw-allow-api-sandbox-live": (["10.211.1.0/24"], ["4001"]),
    }
    api = rules["ibgw-allow-api-sandbox-paper"]
    assert api["targetServiceAccounts"] == ["gateway-paper@demo-project.iam.gserviceaccount.com"]
    assert "targetTags" not in api


def test_ibkr_sees_one_reserved_address() -> None:
    (nat,) = get("regions/europe-west1/routers/ibgw")["nats"]
    assert nat["natIpAllocateOption"] == "MANUAL_ONLY"
    assert [link.rpartition("/")[2] for link in nat["natIps"]] == ["ibgw-nat"]
