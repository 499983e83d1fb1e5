"""remove.yml with a stand-in for its module: it says what goes, asks, and removes nothing without the right answer."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

MODULE = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    argument_spec={
        "gateway_name": {}, "data": {"type": "bool"}, "running_live": {"type": "bool"},
        "lease_owner": {}, "names_live": {"type": "bool"},
    },
    supports_check_mode=True,
)
path = os.path.join(FOLDER, module.params["gateway_name"])
there = os.path.exists(path)
if there and not module.check_mode:
    os.unlink(path)
goes = ["container ibgw-" + module.params["gateway_name"]] if there else []
others = [each for each in ("one", "paper") if each != module.params["gateway_name"]]
others = [each for each in others if os.path.exists(os.path.join(FOLDER, each))]
module.exit_json(changed=there, goes=goes, stays=["/var/lib/ibgw"], others=others)
"""
# Its settings are taken back where file "engine" is not in the way.
ENGINE = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(
    argument_spec={"settings": {"type": "dict"}, "with_containers": {}, "host": {}}, supports_check_mode=True
)
if os.path.exists(os.path.join(FOLDER, "engine")):
    module.fail_json(msg="the engine runs web")
module.exit_json(changed=True)
"""

# The paths in file "originals" are put back; a host without it was hardened by an earlier release.
ORIGINALS = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule(argument_spec={}, supports_check_mode=True)
path = os.path.join(FOLDER, "originals")
if not os.path.exists(path):
    module.fail_json(msg="the originals are not there")
with open(path) as file:
    paths = file.read().split()
if not module.check_mode:
    open(path, "w").close()
module.exit_json(changed=bool(paths), due=paths, left=["/etc/fstab"])
"""
TAKE_BACK = [{"name": "Put back", "ibops.gateway.host_originals": None, "register": "hardening_taken_back"}]


@pytest.fixture
def folder(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> pathlib.Path:
    """A collection, an inventory of two gateways, and a file for each that is deployed."""
    place, root = tmp_path / "ansible_collections/ibops/gateway", pytestconfig.rootpath
    for part in ("plugins", "playbooks", "roles", "meta"):
        shutil.copytree(root / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "galaxy.yml", place)
    (place / "roles/hardening/tasks/take_back.yml").write_text(yaml.safe_dump(TAKE_BACK))
    for name, module in (("gateway_removal", MODULE), ("docker_daemon", ENGINE), ("host_originals", ORIGINALS)):
        (place / f"plugins/modules/{name}.py").write_text(module.replace("FOLDER", repr(str(tmp_path))))
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    paper = {"vars": {**common, "gateway_mode": "paper"}, "hosts": {"one": {"gateway_name": "one"}, "paper": None}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"gateways": {"children": {"paper": paper}}}))
    for name in ("one", "paper"):
        (tmp_path / name).touch()
    return tmp_path


def remove(folder: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """Run it without a terminal; return its status, and its output in one line."""
    own = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        [
            f"{pathlib.Path(sys.executable).parent}/ansible-playbook",
            "ibops.gateway.remove",
            "-i",
            "hosts.yml",
            *arguments,
        ],
        cwd=folder,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.returncode, " ".join((run.stdout + run.stderr).split())


def deployed(folder: pathlib.Path) -> list[str]:
    return [name for name in ("one", "paper") if (folder / name).exists()]


def test_it_predicts_asks_removes_and_then_changes_nothing(folder: pathlib.Path) -> None:
    status, text = remove(folder, "--check")
    assert (status, deployed(folder)) == (0, ["one", "paper"]), text
    assert "container ibgw-one" in text
    status, text = remove(folder, "-e", "remove_confirm=one")
    assert (status, deployed(folder)) == (2, ["one", "paper"]), text
    assert "the answer is not one,paper, so that nothing was removed" in text
    assert "-e remove_confirm=one,paper" in text
    status, text = remove(folder, "-e", "remove_confirm=one", "-l", "one")
    assert (status, deployed(folder)) == (0, ["paper"]), text
    assert "one: /var/lib/ibgw; other gateways on this host: paper" in text
    status, text = remove(folder, "-l", "one")
    assert (status, deployed(folder)) == (0, ["paper"]), text
    assert "one: nothing of it is there" in text
    assert "changed=0" in text


def test_what_the_host_has_for_all_is_refused_while_the_gateways_are_there(folder: pathlib.Path) -> None:
    (folder / "engine").touch()
    status, text = remove(folder, "-e", "remove_confirm=one,paper", "-e", "remove_host=true")
    assert (status, deployed(folder)) == (2, ["one", "paper"]), text
    assert "the engine runs web" in text
    # With another gateway on it the host keeps its part, and nobody asks the engine.
    status, text = remove(folder, "-e", "remove_confirm=one", "-e", "remove_host=true", "-l", "one")
    assert (status, deployed(folder)) == (0, ["paper"]), text


def test_without_an_answer_nothing_is_removed(folder: pathlib.Path) -> None:
    status, text = remove(folder)
    assert (status, deployed(folder)) == (2, ["one", "paper"]), text


def test_the_hardening_is_taken_back_with_the_last_gateway(folder: pathlib.Path) -> None:
    (folder / "originals").write_text("/etc/issue /etc/motd")
    consent = ("-e", "remove_hardening=true", "-l", "one")
    status, text = remove(folder, *consent, "-e", "remove_confirm=one")
    assert (status, deployed(folder), (folder / "originals").read_text()) == (0, ["paper"], "/etc/issue /etc/motd"), (
        text
    )
    assert "The hardening stays." in text
    status, text = remove(folder, "-e", "remove_hardening=true", "-l", "paper", "--check")
    assert (status, deployed(folder), (folder / "originals").read_text()) == (0, ["paper"], "/etc/issue /etc/motd"), (
        text
    )
    assert "2 files go back" in text
    assert "The hardening would be taken back" in text
    status, text = remove(folder, "-e", "remove_hardening=true", "-l", "paper", "-e", "remove_confirm=paper")
    assert (status, deployed(folder), (folder / "originals").read_text()) == (0, [], ""), text
    assert "Changed by somebody since, and left alone: /etc/fstab" in text
    # Nothing is left to do, and nobody is asked.
    status, text = remove(folder, *consent)
    assert (status, "changed=0" in text) == (0, True), text


def test_a_host_whose_gateways_are_gone_is_asked_about_its_hardening(folder: pathlib.Path) -> None:
    (folder / "originals").write_text("/etc/issue")
    remove(folder, "-e", "remove_confirm=one,paper")
    status, text = remove(folder, "-e", "remove_hardening=true", "-l", "one", "-e", "remove_confirm=no")
    assert (status, (folder / "originals").read_text()) == (2, "/etc/issue"), text
    assert "remove_confirm=one" in text
    status, text = remove(folder, "-e", "remove_hardening=true", "-l", "one", "-e", "remove_confirm=one")
    assert (status, (folder / "originals").read_text()) == (0, ""), text


def test_a_hardening_that_cannot_be_taken_back_is_refused_while_the_gateways_are_there(folder: pathlib.Path) -> None:
    status, text = remove(folder, "-e", "remove_confirm=one,paper", "-e", "remove_hardening=true")
    assert (status, deployed(folder)) == (2, ["one", "paper"]), text
    assert "the originals are not there" in text
