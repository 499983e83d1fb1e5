from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed
from ansible_collections.ibops.gateway.plugins.modules import guarded_files, host_originals

Step = t.Callable[..., dict[str, t.Any]]


@pytest.fixture
def step(run_module: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    """A step of the module on a host where systemd always says yes."""
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("systemctl", "systemd-run"):
        (fake / name).write_text("#!/bin/sh\n")
        (fake / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setattr(commit_confirmed, "ROOT", str(tmp_path / "rollback"))
    monkeypatch.setattr(commit_confirmed, "UNITS", str(tmp_path / "units"))
    isdir = os.path.isdir
    monkeypatch.setattr(guarded_files.os.path, "isdir", lambda path: path == "/run/systemd/system" or isdir(path))

    def run(step: str = "apply", **arguments: t.Any) -> dict[str, t.Any]:
        file = {"path": str(tmp_path / "file"), "content": "new\n", "commands": ["true"]}
        options = {"name": "access", "files": [file], "token": "0a1b", "step": step, **arguments}
        result: dict[str, t.Any] = run_module(guarded_files.main, **options)
        return result

    return run


def test_check_apply_keep_repeat(step: Step, tmp_path: Path) -> None:
    predicted = step(check=True)
    assert (predicted["state"], predicted["changed"], predicted["commands"]) == ("same", True, ["true"])
    assert not (tmp_path / "file").exists()
    applied = step()
    assert (applied["state"], applied["diff"]) == ("armed", predicted["diff"])
    assert step("keep")["state"] == "kept"
    again = step()
    assert (again["state"], again["changed"], again["went_back"]) == ("same", False, [])


def test_the_files_before_are_kept_with_what_makes_them_take_effect(
    step: Step, run_module: t.Any, tmp_path: Path
) -> None:
    kept = str(tmp_path / "kept")
    step(originals=kept, check=True)
    assert not os.path.exists(kept)
    step(originals=kept, undo=["reload old"])
    step("keep", originals=kept)
    assert run_module(host_originals.main, originals=kept)["guarded"] == {
        "files": [{"path": str(tmp_path / "file"), "state": "absent", "commands": ["reload old"]}],
        "undo": ["true"],
    }


def test_an_old_login_proves_nothing(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_confirmed, "login", lambda: "10.0.0.1 1000 10.0.0.2 22")
    step()
    assert step("keep")["fresh"] is False
    monkeypatch.setattr(commit_confirmed, "login", lambda: "10.0.0.1 1001 10.0.0.2 22")
    assert step("keep")["state"] == "kept"


def test_what_the_host_took_back_is_told_until_somebody_heard_it(step: Step, tmp_path: Path) -> None:
    step()
    kit = commit_confirmed.Kit(commit_confirmed.ROOT, "access", "0a1b")
    assert step("look")["state"] == "armed"
    subprocess.run(["/bin/sh", f"{kit.path('armed')}/rollback", "time"], check=True)
    late = step("keep")
    assert (late["state"], late["paths"], late["why"]) == (
        "back",
        [str(tmp_path / "file")],
        commit_confirmed.WHY["time"],
    )
    assert step("look")["state"] == "back"
    assert step(check=True)["went_back"][0]["paths"] == [str(tmp_path / "file")]
    assert step(token="2c3d")["went_back"][0]["why"] == commit_confirmed.WHY["time"]
    assert step("look")["state"] == "none"


def test_forgotten_once_told(step: Step) -> None:
    step()
    subprocess.run(
        ["/bin/sh", f"{commit_confirmed.Kit(commit_confirmed.ROOT, 'access', '0a1b').path('armed')}/rollback", "time"],
        check=True,
    )
    step("forget")
    assert step("look")["state"] == "none"


def test_a_change_is_kept_while_a_second_run_waits_for_its_end(step: Step) -> None:
    step()
    with commit_confirmed.alone(commit_confirmed.ROOT, 1):
        assert step("keep")["state"] == "kept"


def test_a_probe_that_fails_runs_the_commands_of_all_files(step: Step) -> None:
    step()
    step("keep")
    assert step(probe=["true"])["changed"] is False
    drifted = step(probe=["false"])
    assert (drifted["state"], drifted["paths"], drifted["commands"]) == ("armed", [], ["true"])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"name": "a b"}, "name: 'a b' is not made of letters"),
        ({"seconds": 0}, "seconds: the host needs at least 1"),
        ({"files": [{"path": "/x", "content": "", "mode": "rw"}]}, "octal digits"),
        ({"files": [{"path": "/etc", "state": "directory", "mode": "0700"}]}, "only files and links"),
        ({"validate": ["false"]}, "false: exit status 1: . Put back as it was"),
    ],
)
def test_refused(step: Step, arguments: dict[str, t.Any], fault: str) -> None:
    result = step(**arguments)
    assert (result["failed"], result["state"]) == (True, "same")
    assert fault in result["msg"]


def test_nothing_without_systemd(run_module: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_files.os.path, "isdir", lambda _path: False)
    assert "does not run systemd" in run_module(guarded_files.main, name="a", files=[])["msg"]
