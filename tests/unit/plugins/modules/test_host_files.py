from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import os
import pathlib
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed, pending
from ansible_collections.ibops.gateway.plugins.modules import host_files


@pytest.fixture
def run_module(run_module: t.Any, tmp_path: pathlib.Path) -> t.Any:
    """With the memory of pending commands in the test's own directory."""
    return functools.partial(run_module, pending=str(tmp_path / "pending.json"))


def test_predicts_writes_and_then_changes_nothing(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "daemon.json"
    files = [{"path": str(path), "content": "{}\n", "mode": "0640"}]
    predicted = run_module(host_files.main, files=files, check=True)
    assert list(tmp_path.iterdir()) == []
    done = run_module(host_files.main, files=files)
    assert (predicted["diff"], predicted["changed"], done["paths"]) == (done["diff"], True, [str(path)])
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("{}\n", 0o640)
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert run_module(host_files.main, files=files)["changed"] is False


def test_a_user_without_a_name_is_its_number(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    mine = tmp_path / "mine"
    files = [
        {"path": str(mine), "content": "x", "owner": str(os.geteuid()), "group": str(os.getegid()), "mode": "0440"}
    ]
    assert run_module(host_files.main, files=files)["changed"] is True
    assert (mine.stat().st_uid, mine.stat().st_gid) == (os.geteuid(), os.getegid())
    assert run_module(host_files.main, files=files)["changed"] is False


def test_only_what_differs_is_written(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    kept, changed = tmp_path / "kept", tmp_path / "changed"
    first = [{"path": str(kept), "content": "same\n"}, {"path": str(changed), "content": "old\n"}]
    run_module(host_files.main, files=first)
    inode = kept.stat().st_ino
    result = run_module(host_files.main, files=[first[0], {"path": str(changed), "content": "new\n"}])
    assert result["paths"] == [str(changed)]
    assert kept.stat().st_ino == inode


def test_a_place_that_cannot_be_written(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = run_module(host_files.main, files=[{"path": str(tmp_path / "file" / "x"), "content": ""}])
    assert f"cannot write {tmp_path}/file/x" in blocked["msg"]


def test_what_another_host_of_the_machine_wrote_at_its_turn_is_not_written_again(
    run_module: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ran = tmp_path / "daemon.json", tmp_path / "ran"

    @contextlib.contextmanager
    def turn(_self: pending.Memory) -> c.Iterator[None]:
        path.write_text("{}")
        path.chmod(0o644)
        yield

    monkeypatch.setattr(pending.Memory, "turn", turn)
    files = [{"path": str(path), "content": "{}", "commands": [f"touch {ran}"]}]
    assert run_module(host_files.main, files=files)["changed"] is False
    assert not ran.exists()


def test_commands_run_once_each_and_again_after_a_failure(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    ran = tmp_path / "ran"
    note, fragile = f"sh -c 'echo note >> {ran}'", f"test -e {tmp_path}/mended"
    files = [
        {"path": str(tmp_path / "a"), "content": "a\n", "commands": [note, fragile]},
        {"path": str(tmp_path / "b"), "content": "b\n", "commands": [note]},
    ]
    assert run_module(host_files.main, files=files, check=True)["commands"] == [note, fragile]
    failed = run_module(host_files.main, files=files)
    assert failed["msg"].startswith(f"{fragile}: exit status 1")
    assert failed["paths"] == [str(tmp_path / "a"), str(tmp_path / "b")]
    (tmp_path / "mended").touch()
    mended = run_module(host_files.main, files=files)
    assert (mended["changed"], mended["paths"], mended["commands"]) == (True, [], [fragile])
    assert run_module(host_files.main, files=files)["changed"] is False
    assert ran.read_text() == "note\n"


def test_what_another_role_left_is_not_run(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    files = [{"path": str(tmp_path / "a"), "content": "a\n", "commands": ["false"]}]
    assert run_module(host_files.main, files=files)["failed"] is True
    other = run_module(host_files.main, files=[{"path": str(tmp_path / "b"), "content": "b\n"}])
    assert (other["paths"], other["commands"]) == ([str(tmp_path / "b")], [])
    assert run_module(host_files.main, files=files)["msg"].startswith("false: exit status 1")


def test_a_damaged_memory_is_warned_of(
    run_module: t.Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warned.append(text))
    (tmp_path / "pending.json").write_bytes(b"\xff")
    result = run_module(host_files.main, files=[{"path": str(tmp_path / "b"), "content": "b\n"}])
    assert result["paths"] == [str(tmp_path / "b")]
    assert [f"{tmp_path}/pending.json.damaged" in each for each in warned] == [True]


def test_edits_and_links(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "login.defs").write_text("UMASK 022\n")
    files = [
        {"path": str(tmp_path / "login.defs"), "settings": {"UMASK": "027"}, "lines": [{"match": "^x", "line": "x"}]},
        {"path": str(tmp_path / "unit"), "target": "/dev/null"},
        {"path": str(tmp_path / "login.defs"), "state": "attributes", "mode": "0600"},
        {"path": str(tmp_path / "gone"), "state": "absent"},
        {"path": str(tmp_path / "directory"), "state": "directory"},
    ]
    assert run_module(host_files.main, files=files)["changed"] is True
    assert (tmp_path / "login.defs").read_text() == "UMASK 027\nx\n"
    assert (tmp_path / "login.defs").stat().st_mode & 0o777 == 0o600
    assert run_module(host_files.main, files=files)["changed"] is False


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"mode": "rw", "content": ""}, "mode 'rw' is not written in octal digits"),
        ({"owner": "nobody-here", "content": ""}, "there is no user 'nobody-here'"),
        ({"group": "nobody-here", "content": ""}, "there is no group 'nobody-here'"),
        ({}, "say what should be there"),
        ({"content": "", "target": "/dev/null"}, "mutually exclusive"),
    ],
)
def test_refusals(run_module: t.Any, tmp_path: pathlib.Path, file: dict[str, str], message: str) -> None:
    assert message in run_module(host_files.main, files=[{"path": str(tmp_path / "x"), **file}])["msg"]
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_its_program_refuses_is_not_written(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    path, other = tmp_path / "sudoers", tmp_path / "other"
    files = [
        {"path": str(other), "content": "new\n"},
        {"path": str(path), "content": "wrong\n", "validate": "sh -c 'grep -q right %s || ! echo no right in %s >&2'"},
    ]
    for check in (True, False):
        refused = run_module(host_files.main, files=files, check=check)
        assert refused["msg"] == f"files: {path}: sh refuses the new text: no right in {path}. Nothing was changed."
    assert list(tmp_path.iterdir()) == []
    files[1]["content"] = "right\n"
    assert run_module(host_files.main, files=files)["paths"] == [str(other), str(path)]
    files[1].update(content="unknown\n", validate="no-such-program %s")
    assert run_module(host_files.main, files=files)["paths"] == [str(path)]


@pytest.mark.parametrize(
    ("there", "probe", "armed", "due"),
    [
        ("as wanted\n", [], False, False),
        ("as wanted\n", ["true"], False, False),
        ("as wanted\n", ["true", "false"], False, True),
        ("as wanted\n", [], True, True),
        ("another\n", [], False, True),
        (None, [], False, True),
    ],
)
def test_whether_there_is_anything_to_guard(
    run_module: t.Any,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    there: str | None,
    probe: list[str],
    armed: bool,
    due: bool,
) -> None:
    path = tmp_path / "sshd_config"
    if there is not None:
        path.write_text(there)
        path.chmod(0o644)
    monkeypatch.setattr(commit_confirmed, "pending", lambda _root, _name: [{"why": "it is not proven yet"}] * armed)
    guarded = {"name": "access", "files": [{"path": str(path), "content": "as wanted\n"}], "probe": probe}
    for check in (True, False):
        result = run_module(host_files.main, files=[], guarded=guarded, check=check)
        assert (result["guarded_due"], result["changed"]) == (due, False)
    assert (path.read_text() if path.exists() else None) == there
