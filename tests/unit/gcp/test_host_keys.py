"""A VM's host keys are pinned before the first contact, once, and never replaced."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fake_gcp.server import FakeGcp
from tests.unit.gcp.conftest import HOST_KEYS, Ask, RunModule, host_key
from tests.unit.gcp.test_gcp_vm import INSTANCE, SAFE

from ansible_collections.ibops.gateway.plugins.module_utils.gcp import host_keys
from ansible_collections.ibops.gateway.plugins.module_utils.gcp.api.errors import GcpError
from ansible_collections.ibops.gateway.plugins.modules import gcp_vm

ED = host_key("ssh-ed25519", b"e")
RSA = host_key("ssh-rsa", b"r")
OTHER = host_key("ssh-ed25519", b"o")
SWITCHED_OFF = {"enable-guest-attributes": "FALSE"}
ATTRIBUTES = "/compute/v1/projects/demo-project/zones/europe-west1-b/instances/ibgw-paper/getGuestAttributes"


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    return tmp_path / "home/.ibgw/known_hosts"


def pinned(pins: Path, machine: dict[str, Any]) -> list[str]:
    return (pins / f"compute.{machine['vm']['id']}").read_text().splitlines()


@pytest.mark.parametrize(
    ("kind", "text", "taken"),
    [
        ("ssh-ed25519", ED, True),
        ("ssh-rsa", RSA, True),
        ("ssh-ed25519", f"{ED} comment", True),
        ("ssh-ed25519", f"{ED}\n* ssh-ed25519 {OTHER}", True),
        ("ssh-ed25519", "", False),
        ("ssh-ed25519", f"* {ED}", False),
        ("ssh-ed25519", RSA, False),
        ("ssh-ed25519", ED[:-1], False),
        ("ssh-ed25519", ED.replace("A", "!", 1), False),
        # Decodes to the same, and would be compared as something else.
        ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5", False),
        ("ssh-dss", host_key("ssh-dss", b"d"), False),
        ("* ssh-ed25519", ED, False),
        ("@cert-authority", ED, False),
    ],
)
def test_a_key_is_one_word_of_a_known_type(kind: str, text: str, taken: bool) -> None:
    assert host_keys.key(kind, text) == ((kind, text.split()[0]) if taken else None)


def test_the_fake_answers_as_the_document_says(machine: RunModule, ask: Ask, fake: FakeGcp) -> None:
    machine()
    fake.state.asked_in_vain["ibgw-paper"] = 1
    status, body = ask("GET", f"{ATTRIBUTES}?queryPath=hostkeys/")
    assert (status, body["error"]["message"]) == (
        404, "The resource 'hostkeys/' of type 'Guest Attribute' was not found.",
    )  # fmt: skip
    status, body = ask("GET", f"{ATTRIBUTES}?queryPath=hostkeys/")
    assert (status, body["kind"], body["queryPath"]) == (200, "compute#guestAttributes", "hostkeys/")
    assert body["queryValue"]["items"][1] == {
        "namespace": "hostkeys",
        "key": "ssh-ed25519",
        "value": dict(HOST_KEYS)["ssh-ed25519"],
    }
    assert ask("GET", f"{ATTRIBUTES}?path=hostkeys/")[0] == 400
    fake.put(INSTANCE, metadata={})
    assert ask("GET", f"{ATTRIBUTES}?queryPath=hostkeys/")[0] == 404
    fake.put(INSTANCE, metadata={"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]})
    fake.state.published.clear()
    assert ask("GET", f"{ATTRIBUTES}?queryPath=hostkeys/")[0] == 404


def test_a_new_vm_is_pinned_once_it_has_published(machine: RunModule, fake: FakeGcp, pins: Path) -> None:
    assert machine(check=True)["pinned"] is False
    assert not pins.exists()
    fake.state.asked_in_vain["ibgw-paper"] = 3
    made = machine()
    insert = next(call.body for call in fake.calls if call.method == "instances.insert")
    assert {"key": "enable-guest-attributes", "value": "TRUE"} in insert["metadata"]["items"]
    assert (made["pinned"], made["vm"]["guest_attributes"]) == (True, True)
    assert [call.status for call in fake.calls if call.method == "instances.getGuestAttributes"] == [404, 404, 404, 200]
    alias = f"compute.{made['vm']['id']}"
    assert pinned(pins, made) == [f"{alias} {kind} {text}" for kind, text in HOST_KEYS]
    assert [path.name for path in pins.iterdir()] == [alias]
    assert (pins.stat().st_mode & 0o777, (pins / alias).stat().st_mode & 0o777) == (0o700, 0o600)
    fake.calls.clear()
    again = machine()
    assert (again["changed"], again["pinned"]) == (False, False)
    assert "instances.getGuestAttributes" not in {call.method for call in fake.calls}


def test_a_new_vm_of_the_same_name_is_another_one(machine: RunModule, fake: FakeGcp, pins: Path) -> None:
    first = machine()
    machine(state="absent")
    fake.state.host_keys = [("ssh-ed25519", OTHER)]
    second = machine()
    assert pinned(pins, second) == [f"compute.{second['vm']['id']} ssh-ed25519 {OTHER}"]
    assert len(pinned(pins, first)) == 3


def test_what_is_pinned_is_kept_whatever_is_published_later(machine: RunModule, fake: FakeGcp, pins: Path) -> None:
    made = machine()
    before = pinned(pins, made)
    for path in fake.state.published:
        fake.state.published[path] = [("ssh-ed25519", OTHER)]
    assert machine()["pinned"] is False
    assert pinned(pins, made) == before


@pytest.mark.parametrize("how", ["named", "at once"])
def test_other_keys_than_are_pinned_are_an_error(machine: RunModule, pins: Path, how: str) -> None:
    made = machine()
    alias, before = f"compute.{made['vm']['id']}", pinned(pins, made)
    if how == "named":
        failed = machine(host_keys=[f"ssh-ed25519 {OTHER} root@vm"])
        assert str(pins / alias) in failed["msg"]
        assert "delete the file" in failed["msg"]
    else:
        # Another run has pinned in between.
        with pytest.raises(GcpError, match="pins other host keys"):
            host_keys.pin(str(pins), alias, [("ssh-ed25519", OTHER)])
        assert host_keys.pin(str(pins), alias, [("ssh-ed25519", OTHER), HOST_KEYS[1]]) is False
    assert pinned(pins, made) == before


def test_keys_that_the_inventory_names_are_pinned_without_asking(machine: RunModule, fake: FakeGcp, pins: Path) -> None:
    made = machine(host_keys=[f"ssh-ed25519 {ED} root@vm\n"], metadata=SWITCHED_OFF)
    assert pinned(pins, made) == [f"compute.{made['vm']['id']} ssh-ed25519 {ED}"]
    assert "instances.getGuestAttributes" not in {call.method for call in fake.calls}


@pytest.mark.parametrize("wrong", ["ssh-ed25519", f"{ED}", f"ssh-ed25519 {RSA}", "SHA256:AAAA"])
def test_a_key_that_is_none_is_refused(machine: RunModule, fake: FakeGcp, wrong: str) -> None:
    failed = machine(host_keys=[wrong])
    assert [each["id"] for each in failed["problems"]] == ["gcp-host-key"]
    assert fake.writes() == []


Arrange = Callable[[RunModule, FakeGcp], dict[str, Any]]


def silent(_machine: RunModule, fake: FakeGcp) -> dict[str, Any]:
    """An image without the agent, or a policy that forbids."""
    fake.state.host_keys = []
    return {"host_keys_timeout": 0.05}


def switched_off(_machine: RunModule, _fake: FakeGcp) -> dict[str, Any]:
    return {"metadata": SWITCHED_OFF}


def made_before(machine: RunModule, fake: FakeGcp) -> dict[str, Any]:
    """A VM from before the collection pinned keys."""
    machine(metadata=SWITCHED_OFF, unknown_host_keys="accept_new")
    items = [{"key": key, "value": value} for key, value in {"google-logging-enabled": "TRUE", **SAFE}.items()]
    fake.put(INSTANCE, metadata={"items": [each for each in items if each["key"] != "enable-guest-attributes"]})
    return {}


@pytest.mark.parametrize("arrange", [silent, switched_off, made_before])
def test_where_keys_cannot_be_had(machine: RunModule, fake: FakeGcp, pins: Path, arrange: Arrange) -> None:
    options = arrange(machine, fake)
    failed = machine(**options)
    assert "has published no SSH host keys" in failed["msg"]
    assert "accept_new" in failed["msg"]
    taken = machine(**options, unknown_host_keys="accept_new")
    assert (taken.get("failed"), taken["pinned"], taken["changed"]) == (None, False, False)
    assert any("has published no SSH host keys" in warning for warning in taken["warnings"])
    assert "StrictHostKeyChecking=accept-new" in taken["ssh_arguments"]
    assert not pins.exists()


def test_a_vm_that_ssh_knows_already_goes_on(machine: RunModule, fake: FakeGcp, tmp_path: Path) -> None:
    made = machine(metadata=SWITCHED_OFF, unknown_host_keys="accept_new")
    known = tmp_path / "home/.ssh/known_hosts"
    known.parent.mkdir(parents=True)
    known.write_text(f"compute.{made['vm']['id']} ssh-ed25519 {ED}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    again = machine(metadata=SWITCHED_OFF)
    assert (again.get("failed"), again["warnings"]) == (None, [])


def test_a_stopped_vm_is_not_asked(machine: RunModule, fake: FakeGcp, pins: Path) -> None:
    made = machine(state="stopped")
    assert made["pinned"] is False
    assert "instances.getGuestAttributes" not in {call.method for call in fake.calls}


def test_ssh_understands_its_arguments(machine: RunModule, pins: Path) -> None:
    """Also in a folder with a blank in its name."""
    made = machine(known_hosts=str(pins / "of all"))
    words = shlex.split(made["ssh_arguments"])
    shown = subprocess.run(
        ["ssh", "-F", "/dev/null", "-G", *words, "vm"], check=True, capture_output=True, text=True
    ).stdout  # fmt: skip
    settings = dict(line.partition(" ")[::2] for line in shown.splitlines())
    alias = f"compute.{made['vm']['id']}"
    assert settings["hostkeyalias"] == alias
    assert settings["userknownhostsfile"].startswith(f"{pins}/of all/{alias} ")
    assert settings["stricthostkeychecking"] == "true"
    assert settings["updatehostkeys"] == "true"


def test_options_and_module_agree() -> None:
    assert gcp_vm.OPTIONS["unknown_host_keys"]["choices"] == [host_keys.REFUSE, host_keys.ACCEPT_NEW]
