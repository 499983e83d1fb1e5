from __future__ import annotations

import functools
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.agent import files
from ansible_collections.ibops.gateway.plugins.module_utils.host import originals
from ansible_collections.ibops.gateway.plugins.modules import host_files, host_originals

State = dict[str, t.Any]


class Host:
    """A host's files below a folder; ``kept`` is what the hardening keeps of them."""

    def __init__(self, run_module: t.Any, place: pathlib.Path) -> None:
        self.etc, self.kept = place / "etc", place / "kept"
        self.etc.mkdir()
        self._write = functools.partial(
            run_module, host_files.main, pending=str(place / "pending.json"), originals=str(self.kept)
        )
        self._run = functools.partial(run_module, host_originals.main, originals=str(self.kept))

    def path(self, name: str) -> str:
        return str(self.etc / name)

    def write(self, *options: State, **more: t.Any) -> State:
        return t.cast(State, self._write(files=[{**each, "path": self.path(each["path"])} for each in options], **more))

    def back(self, **more: t.Any) -> State:
        return t.cast(State, self._run(**more))

    def look(self) -> dict[str, files.State]:
        return {str(each.relative_to(self.etc)): files.read(str(each)) for each in sorted(self.etc.rglob("*"))}


@pytest.fixture
def host(run_module: t.Any, tmp_path: pathlib.Path) -> Host:
    return Host(run_module, tmp_path)


def find(host: Host) -> None:
    """Write the files that the host has before."""
    for name, text in {"login.defs": "UMASK 022\n", "odd": "caf\udce9\n", "deny": "x\n", "jail": "mine\n"}.items():
        pathlib.Path(host.path(name)).write_text(text, errors="surrogateescape")
    pathlib.Path(host.path("jail")).chmod(0o640)
    pathlib.Path(host.path("unit")).symlink_to("/lib/unit")


WANTED: list[State] = [
    {"path": "login.defs", "settings": {"UMASK": "077"}},
    {"path": "odd", "lines": [{"match": "^x", "line": "x"}]},
    {"path": "deny", "state": "absent"},
    {"path": "jail", "state": "attributes", "mode": "0600"},
    {"path": "unit", "target": "/dev/null"},
    {"path": "ibgw.conf", "content": "new\n"},
    {"path": "new", "target": "/dev/null"},
    {"path": "rules.d", "state": "directory"},
]


def test_everything_goes_back(host: Host) -> None:
    find(host)
    before = host.look()
    host.write(*WANTED)
    # Another value, and a run without a change: the first state is what counts.
    host.write({"path": "login.defs", "settings": {"UMASK": "027"}}, *WANTED[1:])
    hardened = host.look()
    predicted = host.back(check=True)
    assert host.look() == hardened
    done = host.back()
    assert host.look() == before
    assert (done["paths"], done["left"], done["diff"]) == (predicted["paths"], [], predicted["diff"])
    assert sorted(done["paths"]) == sorted(host.path(each["path"]) for each in WANTED)
    assert host.back()["changed"] is False
    assert host.back(state="forgotten")["changed"] is True
    assert [each.name for each in host.kept.iterdir()] == ["index.json"]
    assert host.back()["changed"] is host.back(state="forgotten")["changed"] is False


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("login.defs", lambda path: path.write_text("mine\n")),
        ("ibgw.conf", lambda path: path.write_text("mine\n")),
        ("ibgw.conf", lambda path: path.chmod(0o600)),
        ("unit", lambda path: (path.unlink(), path.symlink_to("/etc/mine"))),
        ("deny", lambda path: path.write_text("mine\n")),
        ("jail", lambda path: path.chmod(0o644)),
        ("ibgw.conf", lambda path: (path.unlink(), path.mkdir())),
        ("login.defs", lambda path: (path.unlink(), os.mkfifo(path))),
        ("odd", lambda path: path.unlink()),
    ],
)
def test_what_somebody_has_changed_since_is_left_alone(host: Host, name: str, change: t.Any) -> None:
    find(host)
    host.write(*WANTED)
    path = pathlib.Path(host.path(name))
    change(path)
    theirs = files.read(str(path))
    done = host.back()
    assert (done["left"], files.read(str(path))) == ([str(path)], theirs)
    assert len(done["paths"]) == len(WANTED) - 1


def test_what_was_there_first_counts_whoever_wrote_in_between(host: Host) -> None:
    find(host)
    before = host.look()
    host.write(*WANTED)
    pathlib.Path(host.path("login.defs")).write_text("UMASK 000\n")
    host.write(*WANTED)
    host.back()
    assert host.look() == before


TWICE = [WANTED[0], {"path": "login.defs", "state": "attributes", "mode": "0600"}]


@pytest.mark.parametrize("runs", [[TWICE], [TWICE[::-1]], [TWICE[:1], TWICE[1:]], [TWICE[1:], TWICE[:1]]])
def test_a_path_that_is_written_twice_goes_back(host: Host, runs: list[list[State]]) -> None:
    find(host)
    before = host.look()
    for options in runs:
        host.write(*options)
    host.back()
    assert host.look() == before


def test_a_path_that_is_written_after_its_removal_goes_back(host: Host) -> None:
    find(host)
    before = host.look()
    host.write(WANTED[2], {"path": "deny", "content": "new\n"})
    host.back()
    assert host.look() == before


def test_a_directory_that_others_use_stays(host: Host) -> None:
    host.write({"path": "rules.d", "state": "directory"})
    pathlib.Path(host.path("rules.d/theirs")).touch()
    assert host.back()["changed"] is False
    assert sorted(host.look()) == ["rules.d", "rules.d/theirs"]


def test_a_run_that_was_cut_is_finished_by_the_next(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    find(host)
    before = host.look()
    host.write(*WANTED)
    write, left = files.write, [3]

    def cut(path: str, state: files.State) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        write(path, state)

    monkeypatch.setattr(files, "write", cut)
    assert "cannot put" in host.back()["msg"]
    assert host.look() != before
    monkeypatch.undo()
    host.back()
    assert host.look() == before


def test_what_retires_a_file_runs_while_it_is_there(host: Host) -> None:
    ran = host.etc.parent / "ran"
    host.write({"path": "timer", "content": "x\n", "retire": [f"cp {host.path('timer')} {ran}"]})
    host.back(check=True)
    assert not ran.exists()
    host.back()
    assert (ran.read_text(), host.look()) == ("x\n", {})


def test_a_file_is_not_put_back_before_it_is_retired(host: Host) -> None:
    host.write({"path": "timer", "content": "x\n", "retire": ["false"]})
    assert "false: exit status 1" in host.back()["msg"]
    assert list(host.look()) == ["timer"]


def test_a_host_that_an_earlier_release_wrote_is_told(host: Host) -> None:
    pathlib.Path(host.path("ibgw.conf")).write_text("of an earlier release\n")
    host.write({"path": "ibgw.conf", "content": "new\n"}, {"path": "login.defs", "content": "x\n"})
    before = host.look()
    assert "is not there" in host.back()["msg"]
    assert host.look() == before


@pytest.mark.parametrize("content", ["", "[]", '{"originals": [{"path": 1}]}', '{"originals": [{}]}'])
def test_a_damaged_index_is_told_before_anything_is_touched(host: Host, content: str) -> None:
    find(host)
    host.write(*WANTED)
    before = host.look()
    (host.kept / "index.json").write_text(content)
    for told in (host.back(), host.write({"path": "login.defs", "settings": {"UMASK": "027"}})):
        assert f"{host.kept}/index.json: " in told["msg"]
    assert host.look() == before


def test_a_kept_file_that_is_missing_is_told(host: Host) -> None:
    find(host)
    host.write(*WANTED)
    before = host.look()
    for each in host.kept.iterdir():
        if each.name != "index.json":
            each.unlink()
    assert "is missing" in host.back()["msg"]
    assert host.look() == before


def test_it_is_for_root_only(host: Host) -> None:
    find(host)
    host.write(*WANTED)
    assert host.kept.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in host.kept.iterdir()} == {0o600}


def test_what_decides_who_gets_in_is_left_to_its_own_module(host: Host) -> None:
    find(host)
    path, made = host.path("jail"), host.path("made")
    kept = originals.Originals(str(host.kept))
    entries = [files.File(path, "closed\n", 0o600, 0, 0), files.File(made, "x", 0o600, 0, 0)]
    option = {"commands": ["load new"], "retire": ["load old"]}
    kept.keep([(each, option) for each in entries], guarded=True)
    files.reconcile(entries, check=False)
    done = host.back()
    assert (done["changed"], done["paths"]) == (False, [])
    found = files.read(path)
    assert done["guarded"] == {
        "files": [
            {"path": made, "state": "absent", "commands": ["load old"]},
            {
                "path": path,
                "content": "mine\n",
                "mode": "0640",
                "owner": str(found["owner"]),
                "group": str(found["group"]),
                "commands": ["load old"],
            },
        ],
        "undo": ["load new"],
    }
    assert json.loads((host.kept / "index.json").read_text())["schema"] == 1
