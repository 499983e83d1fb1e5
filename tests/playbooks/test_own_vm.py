"""examples/own_vm as a user has it: copied into an empty folder, with a vault and no ansible.cfg, run by FQCN."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

BIN = pathlib.Path(sys.executable).parent
COMMAND = "ansible-playbook ibops.gateway.site -i hosts.yml -l paper --ask-vault-password"


@pytest.fixture
def folder(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> pathlib.Path:
    """The copy, its vault encrypted, with the password in a file."""
    copy = tmp_path / "ibgw"
    shutil.copytree(pytestconfig.rootpath / "examples/own_vm", copy)
    (tmp_path / "password").write_text("vault")
    vault = copy / "group_vars/paper/vault.yml"
    vault.write_text((copy / "vault.example.yml").read_text().replace("its password", "top-secret"))
    (copy / "image.txt").write_text("ghcr.io/gnzsnz/ib-gateway@sha256:" + "0" * 64)
    encrypt = [BIN / "ansible-vault", "encrypt", "--vault-password-file", tmp_path / "password", vault]
    subprocess.run(encrypt, check=True, capture_output=True)
    assert "top-secret" not in vault.read_text()
    return copy


def run(folder: pathlib.Path, root: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """Run the printed command, with a file for the person who types the vault's password."""
    printed = COMMAND.replace("--ask-vault-password", f"--vault-password-file {folder.parent / 'password'}").split()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "IBGW_"))}
    place = {"ANSIBLE_COLLECTIONS_PATH": str(root / ".ansible/collections"), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
    done = subprocess.run(
        [BIN / printed[0], *printed[1:], *arguments],
        cwd=folder,
        # No registry is reached.
        env=environment | place | {"https_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_its_settings_are_good_and_it_goes_to_the_vm(folder: pathlib.Path, pytestconfig: pytest.Config) -> None:
    nowhere = ("-e", "ansible_host=127.0.0.1", "-e", "ansible_port=1")
    status, text = run(folder, pytestconfig.rootpath, *nowhere, "-e", "ib_gateway_port=4005")
    assert status == 4, text
    assert text.count("Nothing in the inventory reads ib_gateway_port, and gateway_port is not set") == 1, text
    assert "Identify the machine" in text
    assert "unreachable=1" in text
    assert "top-secret" not in text


def test_a_registry_that_is_not_reached_is_named_with_the_way_without_it(
    folder: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    (folder / "image.txt").unlink()
    status, text = run(folder, pytestconfig.rootpath)
    assert status == 2
    assert f"write ghcr.io/gnzsnz/ib-gateway@sha256:… to {folder / 'image.txt'}" in text
    assert not (folder / "image.txt").exists()


def test_a_forgotten_digest_is_named(folder: pathlib.Path, pytestconfig: pytest.Config) -> None:
    status, text = run(folder, pytestconfig.rootpath, "-e", "gateway_image=ghcr.io/gnzsnz/ib-gateway@")
    assert status == 2
    assert "gateway_image" in text
    assert "Fix:" in text


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial/vm.md"])
def test_four_commands_on_readmes_first_screen_and_in_the_tutorial(page: str, pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / page).read_text()
    blocks = "\n".join(re.findall(r"```shell\n(.*?)```", text, re.DOTALL))
    commands = [line.partition("    #")[0].strip() for line in blocks.splitlines() if line]
    first = commands.index("ansible-galaxy collection install ibops.gateway")
    assert [each.split()[0] for each in commands[first : first + 4]] == [
        "ansible-galaxy",
        "cp",
        "ansible-vault",
        "ansible-playbook",
    ]
    assert commands[first + 3] == COMMAND
    if page == "README.md":
        assert COMMAND in "\n".join(text.splitlines()[:40])
    source = re.search(r"ibops/gateway/(\S+) ~/ibgw", commands[first + 1])
    assert source is not None
    assert (pytestconfig.rootpath / source[1]).is_dir()
