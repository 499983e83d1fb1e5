from __future__ import annotations

import errno
import os
import pathlib
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import (
    Absent,
    Attributes,
    Directory,
    Edited,
    Entry,
    File,
    Link,
    Secret,
    UntrustedError,
    reconcile,
    resolve,
)

ME = (os.geteuid(), os.getegid())


def every_kind(top: pathlib.Path) -> list[Entry]:
    return [
        Directory(f"{top}/made", 0o750),
        File(f"{top}/made/whole", "text\n", 0o640, *ME),
        Edited(f"{top}/theirs", lambda text: text.replace("old", "new")),
        Edited(f"{top}/missing", lambda text: "never\n", optional=True),
        Link(f"{top}/masked", "/dev/null"),
        Absent(f"{top}/unwanted"),
        Attributes(f"{top}/loose", 0o600),
        Attributes(f"{top}/nowhere", 0o600),
    ]


@pytest.fixture
def top(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "theirs").write_text("an old line\nanother\n")
    (tmp_path / "theirs").chmod(0o604)
    for name in ("masked", "unwanted", "loose"):
        (tmp_path / name).write_text(name)
    (tmp_path / "loose").write_bytes(b"\xff a program")
    return tmp_path


def test_each_kind_is_predicted_done_and_then_as_wanted(top: pathlib.Path) -> None:
    predicted = reconcile(every_kind(top), check=True)
    assert sorted(path.name for path in top.iterdir()) == ["loose", "masked", "theirs", "unwanted"]
    assert reconcile(every_kind(top), check=False) == predicted
    assert [pathlib.Path(change["after_header"]).name for change in predicted] == [
        "made", "whole", "theirs", "masked", "unwanted", "loose",
    ]  # fmt: skip
    assert (top / "made").stat().st_mode & 0o777 == 0o750
    assert (top / "made/whole").read_text() == "text\n"
    assert ((top / "theirs").read_text(), (top / "theirs").stat().st_mode & 0o777) == ("an new line\nanother\n", 0o604)
    assert os.readlink(top / "masked") == "/dev/null"
    assert not (top / "unwanted").exists()
    assert ((top / "loose").read_bytes(), (top / "loose").stat().st_mode & 0o777) == (b"\xff a program", 0o600)
    assert "program" not in str(predicted)
    assert reconcile(every_kind(top), check=False) == []


def test_an_edit_follows_a_link_and_a_whole_file_replaces_it(top: pathlib.Path) -> None:
    (top / "edited").symlink_to(top / "theirs")
    (top / "replaced").symlink_to("/dev/null")
    reconcile([Edited(f"{top}/edited", str.upper), File(f"{top}/replaced", "mine\n", 0o644, *ME)], check=False)
    assert (top / "edited").is_symlink()
    assert (top / "theirs").read_text() == "AN OLD LINE\nANOTHER\n"
    assert not (top / "replaced").is_symlink()


def test_a_secret_is_not_shown(top: pathlib.Path) -> None:
    for number, content in enumerate(["hunter2", "hunter3"]):
        (change,) = reconcile([Secret(f"{top}/secret", content, 0o600, *ME)], check=False)
        assert "hunter" not in str(change)
        assert ("another secret" in change["after"]) is bool(number)


def test_a_full_disk_leaves_the_old_file_and_no_litter(top: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(top.iterdir())
    with pytest.raises(OSError, match="No space left") as fault:
        reconcile([File(f"{top}/theirs", "new\n", 0o644, *ME)], check=False)
    assert fault.value.filename == f"{top}/theirs"
    assert (top / "theirs").read_text() == "an old line\nanother\n"
    assert sorted(top.iterdir()) == before


@pytest.mark.parametrize(("mode", "shown"), [(0o644, True), (0o640, False), (0o600, False)])
def test_what_goes_is_shown_where_everybody_could_read_it(tmp_path: pathlib.Path, mode: int, shown: bool) -> None:
    path = tmp_path / "key"
    path.write_text("the text\n")
    path.chmod(mode)
    [change] = reconcile([Absent(str(path))], check=False)
    assert ("the text" in change["before"]) is shown
    assert not path.exists()


@pytest.fixture
def shared(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory that others may write, with a file and with a link to one of root's."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "root").write_text("root's\n")
    (tmp_path / "shared/theirs").write_text("theirs\n")
    (tmp_path / "shared/link").symlink_to(tmp_path / "root")
    (tmp_path / "shared").chmod(0o777)
    return tmp_path / "shared"


@pytest.mark.parametrize("name", ["theirs", "link", "new", "made/deeper"])
@pytest.mark.parametrize(
    "entry",
    [
        lambda path: Edited(path, str.upper),
        lambda path: Attributes(path, 0o600),
        lambda path: File(path, "x", 0o644, *ME),
        lambda path: Link(path, "/dev/null"),
        lambda path: Directory(path),
        lambda path: Absent(path),
    ],
    ids=["edited", "attributes", "file", "link", "directory", "absent"],
)
def test_nothing_is_done_where_others_may_write(
    entry: t.Callable[[str], Entry], name: str, shared: pathlib.Path
) -> None:
    def everything() -> list[object]:
        return [(str(each), each.lstat()) for each in sorted(shared.parent.rglob("*"))]

    before = everything()
    with pytest.raises(UntrustedError) as fault:
        reconcile([entry(f"{shared}/{name}")], check=False)
    assert fault.value.filename == str(shared)
    assert everything() == before


def test_a_link_is_followed_where_only_root_could_have_made_it(tmp_path: pathlib.Path, shared: pathlib.Path) -> None:
    (tmp_path / "good").symlink_to("a/../root")
    (tmp_path / "a").mkdir()
    (tmp_path / "through").symlink_to("shared/link")
    (tmp_path / "round").symlink_to("round")
    assert resolve(f"{tmp_path}/good") == f"{tmp_path}/root"
    assert resolve(f"{tmp_path}/a/new/er") == f"{tmp_path}/a/new/er"
    with pytest.raises(UntrustedError) as fault:
        resolve(f"{tmp_path}/through")
    assert fault.value.filename == str(shared)
    with pytest.raises(OSError, match="symbolic links"):
        resolve(f"{tmp_path}/round")


@pytest.mark.parametrize("planted", ["file", "link"])
def test_a_directory_is_not_made_of_something_else(top: pathlib.Path, planted: str) -> None:
    (top / "link").symlink_to(top / "elsewhere")
    (top / "elsewhere").mkdir(mode=0o755)
    (top / "file").touch(mode=0o600)
    with pytest.raises(NotADirectoryError):
        reconcile([Directory(f"{top}/{planted}", 0o700)], check=False)
    assert (top / "elsewhere").stat().st_mode & 0o777 == 0o755
