"""One switch, one tag and one table per control of role hardening, and each of them takes it in or out."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml
from tests.lint.files import ROOT

ROLE = ROOT / "roles/hardening"
PROGRAM = pathlib.Path(sys.executable).parent / "ansible-playbook"


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text())


CONTROLS = load("vars/main/main.yml")["__hardening_controls"]


def test_each_control_has_its_switch_its_tag_its_table_and_its_variables() -> None:
    tags = load("tasks/main.yml")[0]["tags"]
    assert sorted(CONTROLS) == sorted(tag.removeprefix("hardening_") for tag in tags if tag != "hardening")
    for control in CONTROLS:
        assert load(f"defaults/main/{control}.yml")[f"hardening_{control}"] is True
        assert f"__hardening_{control}" in load(f"vars/main/{control}.yml")


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Says which controls a run brings about."""
    show = {"ansible.builtin.debug": {"msg": "{{ __hardening_on }}"}, "tags": "always"}
    files = [str(path) for folder in ("defaults", "vars") for path in sorted(ROLE.glob(f"{folder}/main/*.yml"))]
    load = {"ansible.builtin.include_vars": "{{ item }}", "loop": files, "tags": "always"}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [load, show]}
    path = tmp_path_factory.mktemp("controls") / "controls.yml"
    path.write_text(yaml.safe_dump([play]))
    return path


@pytest.mark.parametrize(
    ("arguments", "on"),
    [
        ([], CONTROLS),
        (["--tags", "hardening"], CONTROLS),
        (["--tags", "hardening_ssh,hardening_time"], ["time", "ssh"]),
        (["--skip-tags", "hardening_audit"], [control for control in CONTROLS if control != "audit"]),
        (["-e", "{hardening_audit: false}"], [control for control in CONTROLS if control != "audit"]),
        (["--tags", "hardening_ssh", "-e", "{hardening_ssh: false}"], []),
        (["--tags", "gateway"], []),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("-") else None,
)
def test_which_controls_are_on(playbook: pathlib.Path, arguments: list[str], on: list[str]) -> None:
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    command = [PROGRAM, playbook, "-i", "localhost,", "-c", "local", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    report = json.loads(run.stdout[run.stdout.index("{") :])
    assert report["plays"][0]["tasks"][-1]["hosts"]["localhost"]["msg"] == [f"hardening_{control}" for control in on]
