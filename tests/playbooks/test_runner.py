"""Playbooks by ansible-runner, as AWX runs them: a playbook of the project that imports ours, and results as data."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

RUNNER = pathlib.Path(sys.executable).parent / "ansible-runner"
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def folder(tmp_path: pathlib.Path, pytestconfig: pytest.Config) -> pathlib.Path:
    """A private data directory: examples/own_vm as inventory, and a project that imports our playbooks."""
    shutil.copytree(pytestconfig.rootpath / "examples/own_vm", tmp_path / "inventory")
    (tmp_path / "inventory/vault.example.yml").rename(tmp_path / "inventory/group_vars/paper/vault.yml")
    project = tmp_path / "project"
    project.mkdir()
    for name in ("site", "status", "live_check"):
        (project / f"{name}.yml").write_text(
            f"---\n- name: Run {name}\n  ansible.builtin.import_playbook: ibops.gateway.{name}\n"
        )
    return tmp_path


def run(folder: pathlib.Path, root: pathlib.Path, playbook: str, *options: str) -> list[dict[str, t.Any]]:
    """Run it; the results of its tasks, in their order."""
    place = {"ANSIBLE_COLLECTIONS_PATH": str(root / ".ansible/collections"), "IBGW_IMAGE_DIGEST": DIGEST}
    nowhere = ["-e", "ansible_host=127.0.0.1", "-e", "ansible_port=1", *options]
    subprocess.run(
        [RUNNER, "run", folder, "-p", playbook, "--ident", "job", "--cmdline", " ".join(nowhere)],
        env=os.environ | place | {"PATH": f"{RUNNER.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    events = [json.loads(path.read_text()) for path in (folder / "artifacts/job/job_events").glob("*.json")]
    events.sort(key=lambda event: event["counter"])
    assert "its password" not in json.dumps(events)
    return [event["event_data"]["res"] for event in events if "res" in event.get("event_data", {})]


def test_status_is_a_table_and_data(folder: pathlib.Path, pytestconfig: pytest.Config) -> None:
    results = run(folder, pytestconfig.rootpath, "status.yml")
    shown = next(result for result in results if "lines" in result)
    assert any("my-paper" in line for line in shown["lines"])
    assert shown["data"].keys() == {"my-paper"}


def test_a_refusal_is_data(folder: pathlib.Path, pytestconfig: pytest.Config) -> None:
    refused = run(folder, pytestconfig.rootpath, "site.yml", "--check", "-e", "gateway_port=0")[-1]
    assert {(each["host"], each["variable"]) for each in refused["problems"]} == {("my-paper", "gateway_port")}


def test_a_host_that_is_away_is_a_row_of_the_live_check(folder: pathlib.Path, pytestconfig: pytest.Config) -> None:
    results = run(folder, pytestconfig.rootpath, "live_check.yml", "-e", f"live_check_reports_dir={folder}/reports")
    assert results[-2]["data"]["verdict"] == "act"
    assert sorted(path.suffix for path in (folder / "reports").iterdir()) == [".html", ".json"]
