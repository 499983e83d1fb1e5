# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller import settings_dir
from ansible_collections.ibops.gateway.plugins.module_utils.agent.controller.settings_dir import JtsIni
from ansible_collections.ibops.gateway.plugins.module_utils.agent.files import UntrustedError, reconcile

OURS = "[Logon]\nTimeZone=UTC\n"
SECRET = "root:$6$not-for-the-container\n"
ME = (os.geteuid(), os.getegid())


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "shadow"
    path.write_text(SECRET)
    path.chmod(0o640)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "tws_settings").mkdir(mode=0o700)
    return tmp_path / "tws_settings"


def jts(directory: Path) -> JtsIni:
    return JtsIni(str(directory), OURS, *ME)


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def filled(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def giant(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 34)


def gone(path: Path) -> None:
    for take_away in (os.unlink, os.rmdir):
        with contextlib.suppress(OSError):
            take_away(path)


# Entries that the container can make in place of the gateway's file; the second argument is a file of root's.
PLANTED: dict[str, Callable[[Path, Path], Any]] = {
    "link": lambda place, secret: place.symlink_to(secret),
    "link to nothing": lambda place, secret: place.symlink_to("/no/such/file"),
    "link to itself": lambda place, secret: place.symlink_to(place),
    "link to a directory": lambda place, secret: place.symlink_to(secret.parent),
    "hard link": lambda place, secret: os.link(secret, place),
    "FIFO": lambda place, secret: os.mkfifo(place),
    "socket": lambda place, secret: socket_at(place),
    "directory": lambda place, secret: place.mkdir(),
    "directory with a file": lambda place, secret: filled(place),
    "gigabytes": lambda place, secret: giant(place),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_planted_for_jts_ini_is_replaced_and_never_followed(
    plant: Callable[[Path, Path], Any], directory: Path, secret: Path
) -> None:
    plant(directory / "jts.ini", secret)
    before = secret.stat()
    predicted = reconcile([jts(directory)], check=True)
    done = reconcile([jts(directory)], check=False)
    assert done == predicted
    assert "not-for-the-container" not in str(done)
    assert ((directory / "jts.ini").read_text(), (directory / "jts.ini").is_symlink()) == (OURS, False)
    after = secret.stat()
    assert (secret.read_text(), after.st_mode, after.st_uid, after.st_mtime_ns) == (
        SECRET, before.st_mode, before.st_uid, before.st_mtime_ns
    )  # fmt: skip
    assert reconcile([jts(directory)], check=False) == []


def test_a_file_of_another_user_is_not_read(directory: Path) -> None:
    (directory / "jts.ini").write_text(SECRET)
    with settings_dir.opened(str(directory)) as opened:
        opened.owner += 1
        with pytest.raises(UntrustedError) as fault:
            opened.read("jts.ini", 1 << 20)
    assert fault.value.filename == f"{directory}/jts.ini"
    assert "not-for" not in str(fault.value)


def test_a_file_that_grows_under_the_read_ends_at_the_limit(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "jts.ini").touch()
    monkeypatch.setattr(os, "read", lambda _handle, size: b"x" * min(size, 100))
    with settings_dir.opened(str(directory)) as opened, pytest.raises(UntrustedError):
        opened.read("jts.ini", 1000)


def test_a_mode_that_the_container_chose_gives_nobody_more(directory: Path) -> None:
    (directory / "jts.ini").write_text("")
    (directory / "jts.ini").chmod(0o4755)
    reconcile([jts(directory)], check=False)
    assert (directory / "jts.ini").stat().st_mode & 0o7777 == 0o644


def test_the_difference_shows_our_keys_only_and_printable(directory: Path) -> None:
    text = "[Logon]\nTimeZone=\x1b[2JEurope\nUser=someone\n[x]\nTimeZone=other\n"
    (directory / "jts.ini").write_text(text)
    (change,) = reconcile([jts(directory)], check=False)
    assert change["before"].splitlines()[1:] == ["[Logon] TimeZone=?[2JEurope"]
    assert change["after"].splitlines()[1:] == ["[Logon] TimeZone=UTC"]
    assert (directory / "jts.ini").read_text() == text.replace("\x1b[2JEurope", "UTC")


@pytest.mark.parametrize("swapped", ["the directory", "its parent"])
def test_a_directory_that_is_a_link_is_refused(tmp_path: Path, swapped: str) -> None:
    (tmp_path / "elsewhere/tws_settings").mkdir(parents=True)
    if swapped == "the directory":
        (tmp_path / "paper").mkdir()
        (tmp_path / "paper/tws_settings").symlink_to(tmp_path / "elsewhere/tws_settings")
    else:
        (tmp_path / "paper").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UntrustedError):
        reconcile([jts(tmp_path / "paper/tws_settings")], check=False)
    assert list((tmp_path / "elsewhere/tws_settings").iterdir()) == []


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o702, True), (0o1777, False), (0o755, False)])
def test_a_parent_that_others_may_write_is_refused(directory: Path, mode: int, refused: bool) -> None:
    directory.parent.chmod(mode)
    with pytest.raises(UntrustedError) if refused else contextlib.nullcontext():
        reconcile([jts(directory)], check=True)


def test_a_link_swapped_in_between_look_and_write_gains_nothing(directory: Path, secret: Path) -> None:
    place, stop = directory / "jts.ini", threading.Event()
    before = secret.stat()

    def swap() -> None:
        for plant in itertools.cycle([PLANTED["link"], PLANTED["directory"], PLANTED["FIFO"], PLANTED["hard link"]]):
            if stop.is_set():
                return
            with contextlib.suppress(OSError):
                place.rmdir() if place.is_dir() and not place.is_symlink() else place.unlink()
            with contextlib.suppress(OSError):
                plant(place, secret)

    thread = threading.Thread(target=swap)
    thread.start()
    changes: list[dict[str, str]] = []
    try:
        for _round in range(20_000):
            if len(changes) >= 100:
                break
            with contextlib.suppress(UntrustedError):
                changes += reconcile([jts(directory)], check=False)
    finally:
        stop.set()
        thread.join()
    assert len(changes) >= 100
    assert "not-for" not in str(changes)
    after = secret.stat()
    assert (secret.read_text(), after.st_mode, after.st_uid, after.st_gid, after.st_mtime_ns) == (
        SECRET, before.st_mode, before.st_uid, before.st_gid, before.st_mtime_ns
    )  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("name", ["PAUSE_x", "COLDRESTART1", "abc/autorestart"])
def test_whatever_is_stale_is_removed_and_what_it_points_to_stays(
    name: str, plant: Callable[[Path, Path], Any], directory: Path, secret: Path, deploy: Any
) -> None:
    (directory / "abc").mkdir()
    plant(directory / name, secret)
    (directory / "jts.ini").touch()
    found = deploy(settings_dir=str(directory))
    assert settings_dir.remove_stale(found) == [name.rpartition("/")[2]]
    assert not os.path.lexists(directory / name)
    assert (secret.read_text(), (directory / "jts.ini").exists()) == (SECRET, True)
    assert settings_dir.remove_stale(found) == []


@pytest.mark.parametrize("at", ["PAUSE", "jts.ini", "abc/autorestart"])
def test_no_number_of_directories_keeps_a_start_from_going_on(directory: Path, deploy: Any, at: str) -> None:
    found = deploy(settings_dir=str(directory))
    (directory / "abc").mkdir()
    for run in range(11):
        filled(directory / f".ibgw-aside-{run}")
        gone(directory / at)
        filled(directory / at)
        (directory / at / "a" / "b").mkdir(parents=True)
        settings_dir.remove_stale(found)
        reconcile([jts(directory)], check=False)
        assert (directory / "jts.ini").read_text() == OURS
        assert not (directory / at).is_dir()
        assert not (directory.parent / ".ibgw-aside").exists()


def test_what_takes_too_long_to_remove_is_out_of_reach_and_removed_later(
    directory: Path, deploy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = deploy(settings_dir=str(directory))
    monkeypatch.setattr(settings_dir, "ASIDE_SECONDS", 0.0)
    filled(directory / "PAUSE")
    assert settings_dir.remove_stale(found) == ["PAUSE"]
    assert list(directory.iterdir()) == []
    monkeypatch.setattr(settings_dir, "ASIDE_SECONDS", 10.0)
    assert settings_dir.remove_stale(found) == []
    assert not (directory.parent / ".ibgw-aside").exists()


def test_flags_without_end_are_removed(directory: Path, deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_dir, "MAX_ENTRIES", 7)
    for number in range(50):
        (directory / f"PAUSE{number}").touch()
    (directory / "jts.ini").touch()
    removed = settings_dir.remove_stale(deploy(settings_dir=str(directory)))
    assert [each.name for each in directory.iterdir()] == ["jts.ini"]
    assert len(removed) == settings_dir.MAX_TOLD


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_a_token_is_found_among_other_names_without_end(
    directory: Path, deploy: Any, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(settings_dir, "MAX_ENTRIES", 3)
    for number in range(20):
        make(directory / str(number))
    (directory / "abc").mkdir()
    (directory / "abc/autorestart").touch()
    found = deploy(settings_dir=str(directory))
    assert settings_dir.has_token(found)
    assert settings_dir.remove_stale(found) == ["autorestart"]
    assert not settings_dir.has_token(found)


@pytest.mark.parametrize(
    ("make", "kept"),
    [
        (lambda top, secret: None, False),
        (lambda top, secret: (top / "abc").mkdir(), False),
        (lambda top, secret: ((top / "abc").mkdir(), (top / "abc/autorestart").touch()), True),
        (lambda top, secret: (top / "autorestart").touch(), False),
        (lambda top, secret: ((top / "abc").mkdir(), (top / "abc/autorestart").symlink_to(secret)), False),
        (lambda top, secret: ((top / "abc").mkdir(), (top / "abc/autorestart").mkdir()), False),
        (lambda top, secret: (top / "abc").symlink_to(secret.parent / "tokens"), False),
        (lambda top, secret: shutil.rmtree(top), False),
    ],
)
def test_a_token_is_a_file_of_the_gateway(
    make: Callable[[Path, Path], Any], kept: bool, directory: Path, secret: Path, deploy: Any
) -> None:
    filled(secret.parent / "tokens")
    (secret.parent / "tokens/autorestart").touch()
    make(directory, secret)
    found = deploy(settings_dir=str(directory))
    assert settings_dir.has_token(found) is kept


@pytest.mark.parametrize(
    ("text", "shown"),
    [("PAUSE1", "PAUSE1"), ("\x1b]0;x\x07\n", "?]0;x??"), ("\udcff", "?"), ("x" * 99, "x" * 60 + "...")],
)
def test_a_name_is_printable_and_bounded(text: str, shown: str) -> None:
    assert settings_dir.printable(text) == shown
