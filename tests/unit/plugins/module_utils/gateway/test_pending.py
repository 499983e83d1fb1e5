from __future__ import annotations

import pathlib

import pytest

from ansible_collections.ibops.gateway.plugins.module_utils.gateway import pending


def test_what_did_not_run_is_remembered_until_it_has(tmp_path: pathlib.Path) -> None:
    memory, ran = str(tmp_path / "var" / "pending.json"), tmp_path / "ran"
    commands = [f"sh -c 'echo 1 >> {ran}'", f"test -e {tmp_path}/mended", f"sh -c 'echo 3 >> {ran}'"]
    with pytest.raises(pending.CommandError, match="mended: exit status 1"):
        pending.run(memory, commands)
    assert pending.remembered(memory) == commands[1:]
    (tmp_path / "mended").touch()
    pending.run(memory, pending.remembered(memory))
    assert ran.read_text() == "1\n3\n"
    assert pending.remembered(memory) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/no/such/program x", "/no/such/program x: No such file or directory"),
        ("sh -c 'echo why >&2; exit 3'", "exit status 3: why"),
    ],
)
def test_the_error_names_the_command_and_what_it_said(tmp_path: pathlib.Path, command: str, message: str) -> None:
    with pytest.raises(pending.CommandError, match=message):
        pending.run(str(tmp_path / "pending.json"), [command])
