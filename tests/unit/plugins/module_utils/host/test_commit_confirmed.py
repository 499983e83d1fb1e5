"""The rollback bundle: applied, confirmed, rolled back, and every leftover of an interrupted run."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.host import commit_confirmed

# Stands for systemd: says what it was called with, and counts a timer as running while its file is there.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >>"$FAKE/calls"
case "$(basename "$0") $1" in
"systemctl is-active") test -e "$FAKE/timer" ;;
"systemctl stop") rm -f "$FAKE/timer" ;;
systemd-run*) test ! -e "$FAKE/refuse" || { echo "Failed to start: refused" >&2; exit 1; }; : >"$FAKE/timer" ;;
esac
"""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the stand-in records its calls."""
    fake = tmp_path / "fake"
    fake.mkdir()
    for name in ("systemctl", "systemd-run"):
        (fake / name).write_text(PROGRAM)
        (fake / name).chmod(0o755)
    monkeypatch.setenv("FAKE", str(fake))
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setattr(commit_confirmed, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(commit_confirmed.time, "sleep", lambda _seconds: (fake / "timer").unlink(missing_ok=True))
    return fake


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "rollback")


def entry(path: Path, content: str) -> files.File:
    return files.File(str(path), content, 0o600, os.geteuid(), os.getegid())


def apply(root: str, *entries: files.Entry, **options: t.Any) -> commit_confirmed.Kit:
    kit = commit_confirmed.Kit(root, "access", "0a1b")
    defaults: dict[str, t.Any] = {"validate": [], "commands": [], "undo": [], "seconds": 5}
    commit_confirmed.apply(kit, commit_confirmed.plan(entries), **{**defaults, **options})
    return kit


def tree(folder: Path) -> dict[str, str]:
    """Every file and link below, with its content or target; empty directories too."""
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        if path.is_file()
        else "/"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """An old file, one to remove, a link, and new files below a directory that does not exist."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "old name").write_text("old\n")
    (folder / "gone").write_text("gone\n")
    (folder / "link").symlink_to("gone")
    return folder


def entries(etc: Path) -> list[files.Entry]:
    return [
        entry(etc / "old name", "new\n"),
        files.Absent(str(etc / "gone")),
        files.Link(str(etc / "link"), "old name"),
        entry(etc / "d" / "e" / "new", "made\n"),
    ]


def test_applied_and_kept(systemd: Path, root: str, etc: Path) -> None:
    kit = apply(root, *entries(etc), commands=["true"])
    assert tree(etc) == {
        "d": "/", "d/e": "/", "d/e/new": "made\n", "link": "-> old name", "old name": "new\n",
    }  # fmt: skip
    assert kit.state == "armed"
    assert kit.record()["paths"] == [str(etc / name) for name in ("old name", "gone", "link", "d/e/new")]
    assert kit.keep()
    assert os.listdir(root) == []
    assert not (systemd / "timer").exists()
    assert commit_confirmed.plan(entries(etc)) == []
    assert not kit.keep()


@pytest.mark.parametrize("reason", ["time", "boot", "fault"])
def test_the_script_puts_everything_back(systemd: Path, root: str, etc: Path, reason: str) -> None:
    before, owner = tree(etc), (etc / "old name").stat()
    kit = apply(root, *entries(etc), undo=[f"touch {etc.parent}/undone"])
    subprocess.run(["/bin/sh", f"{kit.path('armed')}/rollback", reason], check=True)
    assert tree(etc) == before
    assert (etc / "old name").stat() == owner or (etc / "old name").stat().st_ino == owner.st_ino
    assert kit.state == f"undone-{reason}"
    # At boot the services start later, with the old files.
    assert (etc.parent / "undone").exists() == (reason != "boot")
    assert not kit.keep()
    assert commit_confirmed.pending(root, "access") == commit_confirmed.settle(root, "access")
    assert commit_confirmed.settle(root, "access") == []


def test_the_script_ends_what_an_interrupted_one_began(systemd: Path, root: str, etc: Path) -> None:
    before = tree(etc)
    kit = apply(root, *entries(etc))
    os.rename(kit.path("armed"), kit.path("undo"))
    os.rename(f"{kit.path('undo')}/0", etc / "old name")
    assert commit_confirmed.pending(root, "access")[0]["why"] == "it is not proven yet"
    kit.go_back()
    assert tree(etc) == before


def test_files_that_were_not_replaced_yet_stay(systemd: Path, root: str, etc: Path) -> None:
    """Killed between arming and replacing: the kit's links and the files are the same."""
    before = tree(etc)
    kit, changes = commit_confirmed.Kit(root, "access", "0a1b"), commit_confirmed.plan(entries(etc))
    made = kit.stage(changes)
    kit.fill(changes, made, [])
    kit.arm(5)
    assert kit.go_back() == ""
    assert tree(etc) == before


def test_a_failed_command_is_told_in_its_own_words(systemd: Path, root: str, etc: Path) -> None:
    before = tree(etc)
    with pytest.raises(
        commit_confirmed.GuardError, match=r"exit status 3: no such option\. Put back as it was: .*old name"
    ) as fault:
        apply(root, *entries(etc), validate=["sh -c 'echo no such option >&2; exit 3'"])
    assert fault.value.rolled_back[0] == str(etc / "old name")
    assert (tree(etc), os.listdir(root)) == (before, [])
    with pytest.raises(commit_confirmed.GuardError, match="nothing-like-it: No such file"):
        apply(root, *entries(etc), commands=["nothing-like-it"])
    with pytest.raises(commit_confirmed.GuardError, match=r"sleep 5: not finished after 0\.1 seconds"):
        apply(root, *entries(etc), commands=["sleep 5"], seconds=0.1)
    assert (tree(etc), os.listdir(root)) == (before, [])


def test_no_timer_no_change(systemd: Path, root: str, etc: Path) -> None:
    before = tree(etc)
    (systemd / "refuse").touch()
    with pytest.raises(commit_confirmed.GuardError, match=r"Failed to start: refused\. Nothing was changed"):
        apply(root, *entries(etc))
    assert (tree(etc), os.listdir(root)) == (before, [])


def test_a_full_disk_is_met_before_anything_changes(
    systemd: Path, root: str, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(etc)
    write = files.write

    def full(path: str, state: files.State) -> None:
        if path.endswith("-3"):
            raise OSError(28, "No space left on device")
        write(path, state)

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(commit_confirmed.GuardError, match=r"No space left on device\. Nothing was changed"):
        apply(root, *entries(etc))
    assert tree(etc) == before


def test_a_directory_has_no_way_back(etc: Path) -> None:
    with pytest.raises(commit_confirmed.GuardError, match="only files and links can be guarded"):
        commit_confirmed.plan([files.Directory(str(etc / "d"))])
    with pytest.raises(commit_confirmed.GuardError, match="only files and links can be guarded"):
        commit_confirmed.plan([entry(etc, "")])


def test_a_text_that_its_program_refuses_is_not_written(etc: Path) -> None:
    wrong = entry(etc / "old name", "new\n")
    wrong.validate = "grep right %s"
    with pytest.raises(ValueError, match="grep refuses the new text"):
        commit_confirmed.plan([wrong])


@pytest.mark.parametrize("state", ["armed", "undo"])
def test_a_run_sees_an_earlier_one_to_its_end(systemd: Path, root: str, etc: Path, state: str) -> None:
    """With a timer that runs and then is gone, as after a crash of it."""
    before = tree(etc)
    kit = apply(root, *entries(etc))
    os.rename(kit.path("armed"), kit.path(state))
    if state == "undo":
        os.makedirs(kit.path("undo"), exist_ok=True)
    told = commit_confirmed.settle(root, "access") if state == "armed" else settle_at_once(root)
    assert (told[0]["paths"][0], told[0]["why"]) == (str(etc / "old name"), commit_confirmed.WHY["fault"])
    assert (tree(etc), os.listdir(root)) == (before, [])


def settle_at_once(root: str) -> list[dict[str, t.Any]]:
    patience, commit_confirmed.UNDO_SECONDS = commit_confirmed.UNDO_SECONDS, 0.0
    try:
        return commit_confirmed.settle(root, "access")
    finally:
        commit_confirmed.UNDO_SECONDS = patience


def test_leftovers_that_changed_nothing_are_removed(systemd: Path, root: str, etc: Path) -> None:
    os.makedirs(f"{root}/access-1.new")
    os.makedirs(f"{root}/access-2.kept")
    os.makedirs(f"{root}/other-3.undone-time")
    (etc / ".ibgw-guard-access-1-0").touch()
    assert commit_confirmed.pending(root, "access") == []
    assert commit_confirmed.settle(root, "access") == []
    commit_confirmed.sweep("access", [str(etc / "x"), str(etc / "not there" / "x")])
    assert os.listdir(root) == ["other-3.undone-time"]
    assert not (etc / ".ibgw-guard-access-1-0").exists()


def test_the_boot_unit_is_written_once(systemd: Path, root: str, etc: Path, tmp_path: Path) -> None:
    apply(root, *entries(etc)).keep()
    units = tree(tmp_path / "units")
    assert (
        units[f"sysinit.target.wants/{commit_confirmed.BOOT_UNIT}"]
        == f"-> {commit_confirmed.UNITS}/{commit_confirmed.BOOT_UNIT}"
    )
    assert f"ConditionPathExistsGlob=|{root}/*.armed" in units[commit_confirmed.BOOT_UNIT]
    inode = (tmp_path / "units" / commit_confirmed.BOOT_UNIT).stat().st_ino
    commit_confirmed.install_boot_unit(root)
    assert (tmp_path / "units" / commit_confirmed.BOOT_UNIT).stat().st_ino == inode


def test_one_run_at_a_time(root: str) -> None:
    with (
        commit_confirmed.alone(root, 1),
        pytest.raises(commit_confirmed.GuardError, match="another run"),
        commit_confirmed.alone(root, 0),
    ):
        pass
