from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.ibops.gateway.plugins.modules import host_files


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


def test_only_what_differs_is_written(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    kept, changed = tmp_path / "kept", tmp_path / "changed"
    first = [{"path": str(kept), "content": "same\n"}, {"path": str(changed), "content": "old\n"}]
    run_module(host_files.main, files=first)
    inode = kept.stat().st_ino
    result = run_module(host_files.main, files=[first[0], {"path": str(changed), "content": "new\n"}])
    assert result["paths"] == [str(changed)]
    assert kept.stat().st_ino == inode


def test_a_mode_that_is_none_and_a_place_that_cannot_be_written(run_module: t.Any, tmp_path: pathlib.Path) -> None:
    wrong = run_module(host_files.main, files=[{"path": str(tmp_path / "x"), "content": "", "mode": "rw"}])
    assert "octal digits" in wrong["msg"]
    (tmp_path / "file").write_text("")
    blocked = run_module(host_files.main, files=[{"path": str(tmp_path / "file" / "x"), "content": ""}])
    assert f"cannot write {tmp_path}/file/x" in blocked["msg"]
