from __future__ import annotations

import json
import pathlib
import threading
import typing as t

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.host import pending
from ansible_collections.ibops.gateway.plugins.module_utils.host.pending import Call, Memory


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "var" / "pending.json"


def test_what_did_not_run_is_remembered_until_it_has(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    memory, ran = Memory(str(path)), tmp_path / "ran"
    commands = [f"sh -c 'echo 1 >> {ran}'", f"test -e {tmp_path}/mended", f"sh -c 'echo 3 >> {ran}'"]
    memory.add([Call("/a", command) for command in commands])
    with pytest.raises(pending.CommandError, match="mended: exit status 1"):
        pending.run(memory, commands, ["/a"])
    assert memory.left(["/a"]) == commands[1:]
    (tmp_path / "mended").touch()
    pending.run(memory, memory.left(["/a"]), ["/a"])
    assert ran.read_text() == "1\n3\n"
    assert memory.left(["/a"]) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/no/such/program x", "/no/such/program x: No such file or directory"),
        ("sh -c 'echo why >&2; exit 3'", "exit status 3: why"),
    ],
)
def test_the_error_names_the_command_and_what_it_said(path: pathlib.Path, command: str, message: str) -> None:
    with pytest.raises(pending.CommandError, match=message):
        pending.run(Memory(str(path)), [command], ["/a"])


def test_a_leftover_is_its_own_files_only(path: pathlib.Path) -> None:
    memory = Memory(str(path))
    memory.add([Call("/a", "reload"), Call("/b", "reload"), Call("/b", "restart b")])
    assert (memory.left(["/c"]), memory.left(["/a"]), memory.left(["/b"])) == ([], ["reload"], ["reload", "restart b"])
    memory.done("reload", ["/a"])
    assert (memory.left(["/a"]), memory.left(["/b"])) == ([], ["reload", "restart b"])


def test_what_an_older_release_left_is_taken_over_by_whoever_comes(path: pathlib.Path) -> None:
    path.parent.mkdir()
    path.write_text('["reload", "restart b"]')
    memory = Memory(str(path))
    memory.add([Call("/a", "restart a")])
    assert memory.left(["/a"]) == ["reload", "restart b", "restart a"]
    memory.done("reload", ["/c"])
    assert memory.left(["/c"]) == ["restart b"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{", b"[1]", b"null", b'{"calls": 1}', b'{"calls": [["/a", "x"]]}', b'{"schema": 99}', b"[" * 9999],
)
def test_a_damaged_file_is_set_aside_and_said(path: pathlib.Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    memory = Memory(str(path))
    assert memory.left(["/a"]) == []
    assert str(path) in memory.damage
    assert path.with_name("pending.json.damaged").read_bytes() == content
    memory.add([Call("/a", "reload")])
    assert json.loads(path.read_text()) == {"schema": 1, "calls": [{"path": "/a", "command": "reload"}]}


def test_many_at_once_lose_nothing(path: pathlib.Path) -> None:
    def work(number: int) -> None:
        for each in range(20):
            Memory(str(path)).add([Call(f"/{number}", f"{each}")])

    threads: list[t.Any] = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert len(Memory(str(path)).left([f"/{number}"])) == 20


def test_a_turn_is_for_one_at_a_time(path: pathlib.Path) -> None:
    order: list[str] = []
    reached = threading.Event()

    def second() -> None:
        reached.set()
        with Memory(str(path)).turn():
            order.append("second")

    with Memory(str(path)).turn():
        thread = threading.Thread(target=second)
        thread.start()
        assert reached.wait(10)
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


ALL, ONE, OTHER = (
    "systemctl try-restart 'w@*.service'",
    "systemctl try-restart w@a.service",
    "systemctl restart w@a.service",
)


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([ALL, ONE], [ALL, ALL]),
        # As it is, since what comes between may be needed.
        ([ONE, "systemctl daemon-reload", ALL], [ONE, "systemctl daemon-reload", ALL]),
        ([ALL, OTHER], [ALL, OTHER]),
        ([ONE, ONE], [ONE, ONE]),
        (["nft -f '*'", "nft -f a"], ["nft -f '*'", "nft -f a"]),
        (["systemctl try-restart 'v@*.service'", ONE], ["systemctl try-restart 'v@*.service'", ONE]),
    ],
)
def test_a_unit_is_restarted_once(commands: list[str], expected: list[str]) -> None:
    calls = [pending.Call(f"/{at}", command) for at, command in enumerate(commands)]
    assert pending.merged(calls) == [pending.Call(f"/{at}", command) for at, command in enumerate(expected)]
