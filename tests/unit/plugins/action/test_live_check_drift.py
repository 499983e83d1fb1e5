"""The run of site.yml --check: with this run's files of passwords, bounded, and never one that has to ask."""

from __future__ import annotations

import sys
import types
import typing as t

import pytest
from ansible import constants as C
from ansible import context

from ansible_collections.ibops.gateway.plugins.action import live_check_drift

Result = dict[str, t.Any]


def play(**arguments: object) -> Result:
    task = types.SimpleNamespace(args={"seconds": 60.0, **arguments}, check_mode=False, async_val=0, diff=False)
    shell = types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir="/tmp"))
    action = live_check_drift.ActionModule(
        task=task, connection=shell, play_context=None, loader=None, templar=None, shared_loader_obj=None
    )
    variables = {"inventory_hostname": "vm", "ansible_inventory_sources": ["/etc/hosts.yml"]}
    return t.cast(Result, action.run(task_vars=variables)["drift"])


def begin(monkeypatch: pytest.MonkeyPatch, **given: object) -> list[list[str]]:
    """Have this run begun with these arguments; the commands that the action runs are collected."""
    ran: list[list[str]] = []

    def run(words: list[str], seconds: float) -> Result:
        ran.append(words)
        return {"rc": 0, "stdout": "{\n}", "stderr": ""}

    monkeypatch.setattr(context, "CLIARGS", {"inventory": C.DEFAULT_HOST_LIST, **given})
    monkeypatch.setattr(live_check_drift, "_run", run)
    return ran


def test_files_are_passed_on_and_values_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = begin(
        monkeypatch,
        args=("ibops.gateway.live_check",),
        vault_password_files=["/run/vault"],
        become_password_file="/run/sudo",
        extra_vars=["gateway_password=hunter2", "@/run/more.yml"],
    )
    play(arguments=["--forks", "3"])
    (words,) = ran
    assert words[:5] == [sys.executable, "-m", "ansible", "playbook", "ibops.gateway.site"]
    assert words[5:] == [
        "--check",
        "--limit",
        "vm",
        "-i",
        "/etc/hosts.yml",
        "--become-password-file",
        "/run/sudo",
        "--vault-password-file",
        "/run/vault",
        "-e",
        "@/run/more.yml",
        "--forks",
        "3",
    ]


@pytest.mark.parametrize("given", [{"become_ask_pass": True}, {"vault_ids": ["prod@prompt"]}])
def test_what_was_asked_for_is_no_finding(monkeypatch: pytest.MonkeyPatch, given: Result) -> None:
    ran = begin(monkeypatch, **given)
    found = play()
    assert (found["ran"], found["failed"], ran) == (False, [], [])
    assert "a password was asked for" in found["reason"]
    play(arguments=["--become-password-file", "/run/sudo"])
    assert len(ran) == 1


@pytest.fixture
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible's own search path, which only its programs have."""
    paths = types.SimpleNamespace(collection_paths=["/collections"])
    monkeypatch.setattr(live_check_drift, "AnsibleCollectionConfig", paths)


@pytest.mark.usefixtures("_paths")
def test_a_run_without_end_is_ended() -> None:
    assert live_check_drift._run([sys.executable, "-c", "import time; time.sleep(60)"], 0.5) == {}


@pytest.mark.usefixtures("_paths")
def test_its_results_come_by_our_own_callback() -> None:
    found = live_check_drift._run([sys.executable, "-c", "import os; print(os.environ['ANSIBLE_STDOUT_CALLBACK'])"], 30)
    assert (found["rc"], found["stdout"]) == (0, "ibops.gateway.tasks_json\n")
