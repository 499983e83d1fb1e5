"""Runs that would do nothing say so and fail: no host, an unknown tag, a playbook for none of the gateways."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from tests.lint.files import ROOT

BIN = pathlib.Path(sys.executable).parent
PAPER = {
    "gateway_mode": "paper",
    "gateway_user": "alice",
    "gateway_password": "top-secret",
    "gateway_image": "registry.example/ib-gateway@sha256:" + "0" * 64,
    "ansible_host": "192.0.2.1",
}
HOSTS = {"gateways": {"children": {"paper": {"hosts": {"p1": PAPER}}, "live": {}}}}

NOTHING: dict[str, tuple[list[str], dict[str, object], str]] = {
    "no host of the group": (
        ["ibops.gateway.live_signin"],
        HOSTS,
        "Nothing was done: the inventory has no host in group live.",
    ),
    "no host within the limit": (
        ["ibops.gateway.live_signin", "-l", "p1"],
        HOSTS,
        "Nothing was done: no host of group live is within the limit p1; the inventory has none.",
    ),
    "no host at all": (["ibops.gateway.status"], {"gateways": {}}, "the inventory has no host in group gateways."),
    "no group above the modes": (
        ["ibops.gateway.site"],
        {"paper": {"hosts": {"p1": PAPER}}},
        "Put paper below gateways: `gateways: {children: {paper: {hosts: …}}}`.",
    ),
    "no group above the modes, and a limit": (
        ["ibops.gateway.site", "-l", "paper"],
        {"paper": {"hosts": {"p1": PAPER}}},
        "is within the limit paper; the inventory has none. Put paper below gateways:",
    ),
    "no host at all, and a limit": (
        ["ibops.gateway.site", "-l", "paper"],
        {"gateways": {}},
        "Nothing was done: the inventory has no host. It was read from ",
    ),
    "no machine to remove": (
        ["ibops.gateway.teardown", "-l", "paper"],
        HOSTS,
        "Nothing was done: gateway_machine_role is empty for p1, so that there is no machine to make or remove. For a "
        "machine of your own: ansible-playbook ibops.gateway.remove -i hosts.yml -l paper",
    ),
    "no machine to make": (
        ["ibops.gateway.provision", "-e", "gateway_machine_role="],
        HOSTS,
        "For a machine of your own: ansible-playbook ibops.gateway.site -i hosts.yml",
    ),
    "unknown tag": (
        ["ibops.gateway.site", "--tags", "gatway"],
        HOSTS,
        "Nothing was done: no task of ibops.gateway.site has the tag gatway; near it is gateway; --list-tags shows all",
    ),
    "unknown tag to skip": (
        ["ibops.gateway.site", "--skip-tags", "hardening,sesion"],
        HOSTS,
        "no task of ibops.gateway.site has the tag sesion; near it is session; --list-tags shows all.",
    ),
    "tag of another playbook": (
        ["ibops.gateway.status", "--tags", "gateway"],
        HOSTS,
        "no task of ibops.gateway.status has the tag gateway; it has no tags.",
    ),
    "no way mtls": (
        ["ibops.gateway.access_certificates", "-e", "client=pipeline"],
        HOSTS,
        "Nothing was done: p1 of this run have no way mtls in gateway_access",
    ),
    "no way wireguard": (
        ["ibops.gateway.access_wireguard_peer", "-e", "peer=phone", "-e", "addresses=10.99.0.3"],
        HOSTS,
        "Nothing was done: p1 of this run have no way wireguard in gateway_access",
    ),
}


@pytest.mark.parametrize(("words", "hosts", "said"), NOTHING.values(), ids=NOTHING)
def test_says_so_and_is_not_ok(tmp_path: pathlib.Path, words: list[str], hosts: dict[str, object], said: str) -> None:
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
    status, printed = played(tmp_path, *words, "-i", "hosts.yml")
    assert status != 0, printed
    assert said in printed
    assert "192.0.2.1" not in printed


PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_says_that_there_is_no_inventory(tmp_path: pathlib.Path, playbook: str) -> None:
    status, printed = played(tmp_path, f"ibops.gateway.{playbook}", "-l", "paper", "-i", "nowhere.yml")
    assert status != 0, printed
    assert "Nothing was done: the inventory has no host" in printed
    assert f"It was read from {tmp_path}/nowhere.yml" in printed


def played(folder: pathlib.Path, *words: str) -> tuple[int, str]:
    """The exit status and the output, its white space made one space, of a run as an installed user makes it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        [BIN / "ansible-playbook", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.returncode, " ".join((run.stdout + run.stderr).split())
