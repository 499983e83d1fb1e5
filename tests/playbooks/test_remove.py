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
module.exit_json(changed=there, goes=goes, stays=["/var/lib/ibgw"], others=["another"])
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> pathlib.Path:
    """A collection, an inventory of two gateways, and a file for each that is deployed."""
    place, root = tmp_path / "ansible_collections/ibops/gateway", pytestconfig.rootpath
    for part in ("plugins", "playbooks", "roles", "meta"):
        shutil.copytree(root / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "galaxy.yml", place)
    module = MODULE.replace("FOLDER", repr(str(tmp_path)))
    (place / "plugins/modules/gateway_removal.py").write_text(module)
    common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    paper = {"vars": {**common, "gateway_mode": "paper"}, "hosts": {"one": {"gateway_name": "one"}, "paper": None}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"gateways": {"children": {"paper": paper}}}))
    for name in ("one", "paper"):
        (tmp_path / name).touch()
    return tmp_path


def remove(folder: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """Run it without anybody to ask; its status, and what it printed in one line."""
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
    assert "one: /var/lib/ibgw; other gateways on this host: another" in text
    status, text = remove(folder, "-l", "one")
    assert (status, deployed(folder)) == (0, ["paper"]), text
    assert "one: nothing of it is there" in text
    assert "changed=0" in text


def test_without_an_answer_nothing_is_removed(folder: pathlib.Path) -> None:
    status, text = remove(folder)
    assert (status, deployed(folder)) == (2, ["one", "paper"]), text
